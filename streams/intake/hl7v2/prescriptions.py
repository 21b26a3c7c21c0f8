"""Medication orders: OMP, RDE, and ORM with an RXO.

Source: HL7 v2.5.1 chapter 4.13 (OMP^O09, RDE^O11), 4.5.1 (ORC), 4.14.1 (RXO), 4.14.4 (RXE).
"""

from typing import Any, Final

from schemas.events import Code, Prescription, Quantity
from streams.intake.hl7v2.control import change
from streams.intake.hl7v2.doses import drug, indication, quantity, rate, route
from streams.intake.hl7v2.groups import Order
from streams.intake.hl7v2.message import Segment
from streams.intake.hl7v2.reading import Reading
from streams.intake.hl7v2.seen import accession, placer
from streams.intake.hl7v2.timing import Timing, timing
from streams.intake.hl7v2.untranslatable import UntranslatableError
from streams.intake.hl7v2.versions import Version, version

_FIELDS: Final = {"RXE": (2, 3, 5, 23, 24, 22, 27), "RXO": (1, 2, 4, 21, 22, 17, 20)}
"""Give code, amount, units; rate amount, rate units, per time unit; indication."""
_DOSE_RANGE: Final = {"RXE": 4, "RXO": 3}


def prescription(reading: Reading, order: Order, common: Segment, patient: str) -> None:
    """A version of a medication order. What a hold or stop leaves out is what the last version said.

    Errors: UntranslatableError where the order has no number, control or drug.
    """
    changed = change(common)
    if changed is None:
        reading.ignored[f"ORC-1 {common.value(1)}"] += 1
        return
    number = placer(order) or accession(order)
    if number is None:
        raise UntranslatableError("no order number; accepted: a placer order number", common.where(2))
    before = reading.last(number, Prescription)
    if before and before.patient_id != patient:
        before = None
    when = timing(reading, order)
    held = version(reading, common, changed, when, before.starts_at if before else None)
    carried = None if changed == "version" else before
    said = {"patient": patient, "record": number} | _times(held, when) | _content(reading, order, common, when, carried)
    reading.emit(Prescription, order.find("RXE") or order.find("RXO") or common, **said)


def _times(held: Version, when: Timing) -> dict[str, Any]:
    return {
        "status": held.status,
        "starts_at": held.starts_at,
        "effective_from": held.effective_from,
        "ends_at": held.ends_at or (held.starts_at if when.once else None),
    }


def _content(
    reading: Reading, order: Order, common: Segment, when: Timing, before: Prescription | None
) -> dict[str, Any]:
    given = order.find("RXE") or order.find("RXO")
    dose, speed = (_dose(reading, given), _rate(given)) if given else (None, None)
    if before is not None and dose is None and speed is None:
        dose, speed = before.dose, before.rate
    return {
        "drug": _drug(reading, given, common, before),
        "dose": dose,
        "rate": speed,
        "doses_per_day": when.doses_per_day or (before.doses_per_day if before else None),
        "route": route(order, given) or (before.route if before else None),
        "as_needed": when.as_needed or (before is not None and before.as_needed),
        "indication": indication(given, _FIELDS[given.name][6]) if given else None,
        "placer_order": placer(order),
        "note": reading.note(order.notes),
    }


def _drug(reading: Reading, given: Segment | None, common: Segment, before: Prescription | None) -> Code:
    if given and given.raw(_FIELDS[given.name][0]):
        return drug(reading, given, _FIELDS[given.name][0])
    if before is None:
        raise UntranslatableError("no drug, and no earlier version is known; accepted: RXE-2 or RXO-1", common.where())
    return before.drug


def _dose(reading: Reading, given: Segment) -> Quantity | None:
    _, amount, unit, *_ = _FIELDS[given.name]
    found = quantity(given, amount, unit)
    most = given.value(_DOSE_RANGE[given.name])
    reading.counted["dose_range"] += bool(found and most and most != given.value(amount))
    return found


def _rate(given: Segment) -> Quantity | None:
    *_, amount, unit, per, _ = _FIELDS[given.name]
    return rate(given, amount, unit, per)
