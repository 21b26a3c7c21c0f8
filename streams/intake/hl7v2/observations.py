"""Result messages: each OBX to the event of the kind that its code speaks of.

Source: HL7 v2.5.1 chapter 7.3.1 (ORU^R01), 7.3.2 (OUL), 7.4.2 (OBX), table 0085 (OBX-11).
"""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from schemas.events import LabResult
from streams.intake.hl7v2.coding import coded, unit, word
from streams.intake.hl7v2.groups import Observed, Order, orders
from streams.intake.hl7v2.imaging import report
from streams.intake.hl7v2.kinds import bone_density, lactation, measurement, pregnancy, symptom
from streams.intake.hl7v2.reading import Reading
from streams.intake.hl7v2.results import NOT_READ, Result, as_sent, reference_range, result
from streams.intake.hl7v2.seen import RETRACTED, Seen, status
from streams.intake.hl7v2.specimen import Sample, collected_at, is_fasting_status, quality, sampled
from streams.intake.hl7v2.untranslatable import UntranslatableError

_FINALISES: Final = "U"
_MOST_ANSWERS: Final = 5_000
_NO_RESULT: Final = frozenset({"I", "N", "O"})
READ: Final = frozenset({"MSH", "EVN", "PID", "PV1", "ORC", "OBR", "OBX", "NTE", "SPM"})
"""The segments of a result message that are read; any other is counted."""


@dataclass(slots=True)
class Told:
    """What one order's observations have told so far."""

    patient: str
    specimen: Sample
    of_imaging: list[Seen] = field(default_factory=list)
    records: Counter[str] = field(default_factory=Counter)


def translate_results(reading: Reading) -> None:
    """Every observation of every order of the message.

    Errors: none are raised; an OBX that cannot be translated is refused by name and the others go on.
    """
    for order in orders(reading.message):
        if order.observed:
            reading.attempt(partial(_order, reading, order))


def _order(reading: Reading, order: Order) -> None:
    if order.patient is None:
        raise UntranslatableError("no PID before the results; accepted: PID, then OBR and OBX", "PID")
    observations(reading, order, reading.patient(order.patient))


def observations(reading: Reading, order: Order, patient: str) -> None:
    """The observations of one order, or those of a visit, which have none."""
    told = Told(patient, sampled(order))
    for observed in order.observed:
        reading.attempt(partial(_observation, reading, order, observed, told))
    if told.of_imaging:
        reading.attempt(partial(report, reading, order, patient, told.of_imaging))


def _observation(reading: Reading, order: Order, observed: Observed, told: Told) -> None:
    obx = observed.obx
    said = obx.value(11) or (order.request.value(25) if order.request else "")
    if said in _NO_RESULT:
        reading.ignored[f"OBX-11 {said}"] += 1
        return
    if obx.value(2) in NOT_READ:
        reading.ignored[f"OBX-2 {obx.value(2)}"] += 1
        return
    if is_fasting_status(obx):
        reading.ignored["fasting_status"] += 1
        return
    if obx.raw(5).count(obx.notation.repetition) >= _MOST_ANSWERS:
        raise UntranslatableError(f"too many repetitions; accepted: up to {_MOST_ANSWERS}", obx.where(5))
    code, meaning = coded(obx, 3, reading.tables, reading.tables.observation)
    seen = Seen(order, observed, told.patient, code, meaning, status(obx, said), said == _FINALISES, told.specimen)
    _place(reading, seen, told)


def _place(reading: Reading, seen: Seen, told: Told) -> None:
    if seen.of_imaging(reading.tables):
        told.of_imaging.append(seen)
        return
    reading.counted["unmapped_code"] += seen.meaning is None
    record = seen.record(reading)
    told.records[record] += 1
    if told.records[record] > 1:
        # A timed series without OBX-4: by their order, which a correction of the whole report keeps.
        reading.counted["repeated_observation"] += 1
        record = f"{record}#{told.records[record]}"
    _KINDS.get(seen.meaning.kind if seen.meaning else "lab_result", _lab_result)(reading, seen, record)


def _lab_result(reading: Reading, seen: Seen, record: str) -> None:
    obx = seen.observed.obx
    before = reading.last(record, LabResult)
    found = _value(seen, before)
    when = collected_at(reading, seen.order, obx) or (before.collected_at if before else None)
    reading.emit(
        LabResult,
        obx,
        patient=seen.patient,
        record=record,
        code=seen.code,
        value=found.value,
        value_text=found.text,
        comparator=found.comparator,
        unit=unit(obx, 6) or (before.unit if before and seen.finalises else None),
        reference_range=reference_range(obx.value(7)),
        status=seen.status,
        collected_at=seen.at(reading, when),
        fasting=seen.specimen.fasting,
        specimen=seen.specimen.type,
        quality=seen.specimen.quality or quality(seen.observed, found.text),
        laboratory=obx.value(23) or obx.value(23, 10) or word(obx, 15),
        assay=word(obx, 17),
        note=reading.note(seen.observed.notes),
    )


def _value(seen: Seen, before: LabResult | None) -> Result:
    """The value; none for what is taken back; for U without one, the value that was sent before."""
    obx = seen.observed.obx
    if seen.status in RETRACTED:
        return Result()
    if not seen.finalises or obx.value(5):
        return result(obx) if seen.meaning else as_sent(obx)
    if before is None or before.patient_id != seen.patient:
        raise UntranslatableError(
            "U finalises a value sent before, and none is known; accepted: the value with F", obx.where(11)
        )
    return Result(before.value, before.comparator, before.value_text)


_KINDS: Final[Mapping[str, Callable[[Reading, Seen, str], None]]] = {
    "lab_result": _lab_result,
    "measurement": measurement,
    "bone_density": bone_density,
    "symptom": symptom,
    "pregnancy": pregnancy,
    "lactation": lactation,
}
