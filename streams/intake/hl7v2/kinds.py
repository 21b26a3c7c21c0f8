"""The observations that are no laboratory results: measures, bone density, pain, pregnancy, feeding.

Source: HL7 v2.5.1 chapter 7.4.2 (OBX).
"""

import re
from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Final

from schemas.events import BoneDensity, Lactation, Measurement, Pregnancy, Symptom
from schemas.tables import Observation
from streams.intake.hl7v2.coding import codings, unit, wording
from streams.intake.hl7v2.reading import Reading, calendar_day
from streams.intake.hl7v2.results import result
from streams.intake.hl7v2.seen import Seen
from streams.intake.hl7v2.specimen import observed_at
from streams.intake.hl7v2.untranslatable import UntranslatableError

_DAYS: Final = {"wk": 7, "w": 7, "week": 7, "weeks": 7, "d": 1, "day": 1, "days": 1}
_AREAL_DENSITY: Final = frozenset({"g/cm2", "g/cm^2", "g/cm²", "g/cm-2", "g.cm-2", "g/cm**2"})
_NOTHING: Final = Decimal(0)  # a tombstone has a value only because the model wants one; nobody reads it
_IN_WEEKS: Final = "49051-6"  # LOINC: Gestational age in weeks
_WEEKS_AND_DAYS: Final = re.compile(r"(\d{1,2})\s*(?:\+\s*|w\w*[\s,]*)([0-6])\s*(?:d\w*)?", re.IGNORECASE | re.ASCII)
_SITES: Final = (
    ("back_pain", re.compile(r"\b(?:back|spine|spinal|lumbar|thoracic|77568009|421060004)\b", re.IGNORECASE)),
    ("hip_pain", re.compile(r"\b(?:hip|29836001|24136001)\b", re.IGNORECASE)),
    ("groin_pain", re.compile(r"\b(?:groin|inguinal|26893007)\b", re.IGNORECASE)),
)
_SIDES: Final = (
    ("both", re.compile(r"\b(?:both|bilateral)\b", re.IGNORECASE)),
    ("left", re.compile(r"\bleft\b", re.IGNORECASE)),
    ("right", re.compile(r"\bright\b", re.IGNORECASE)),
)
_PREGNANT: Final = {
    "not_pregnant": "refuted",
    "77386006": "pregnant", "la15173-0": "pregnant", "pregnant": "pregnant", "yes": "pregnant", "y": "pregnant",
    "60001007": "refuted", "la26683-5": "refuted", "not pregnant": "refuted", "no": "refuted", "n": "refuted",
}  # fmt: skip
_UNDECIDED: Final = frozenset({"unknown", "possible pregnancy", "possibly pregnant", "261665006", "152231000119106"})
_FEEDING: Final = {
    "feeding_exclusive": "exclusive", "feeding_mixed": "mixed", "feeding_none": "none",
    "exclusive": "exclusive", "exclusively breastfed": "exclusive", "exclusive breastfeeding": "exclusive",
    "exclusively breastfeeding": "exclusive",
    "mixed": "mixed", "partial": "mixed", "partial breastfeeding": "mixed", "breast and bottle": "mixed",
    "none": "none", "not breastfeeding": "none", "formula": "none", "formula only": "none", "weaned": "none",
    "unknown": "unknown",
}  # fmt: skip


def measurement(reading: Reading, seen: Seen, record: str) -> None:
    """Height, weight or body mass index: a plain number with its unit."""
    measured = _meaning(seen)
    reading.emit(
        Measurement,
        seen.obx,
        patient=seen.patient,
        record=record,
        record_status=seen.record_status,
        measure=measured.name,
        value=_NOTHING if seen.retracted else _plain_number(seen),
        unit="1" if seen.retracted else _unit(seen),
        self_reported=True if measured.detail == "self_reported" else None,
        observed_at=_at(reading, seen),
    )


def bone_density(reading: Reading, seen: Seen, record: str) -> None:
    """A T-score, Z-score or density of one site."""
    measured = _meaning(seen)
    reading.emit(
        BoneDensity,
        seen.obx,
        patient=seen.patient,
        record=record,
        record_status=seen.record_status,
        site=measured.name,
        performed_at=_at(reading, seen),
        **({} if seen.retracted else {measured.detail: _density(reading, seen, measured)}),
    )


def _density(reading: Reading, seen: Seen, measured: Observation) -> Decimal:
    """A score as it is; a density in g/cm2, whatever unit the tables convert it from."""
    value, said = _plain_number(seen), unit(seen.obx, 6)
    if measured.detail != "density_g_cm2" or said in _AREAL_DENSITY:
        return value
    converted = reading.tables.measure(measured, value, said)
    if converted is None or converted.unit not in _AREAL_DENSITY:
        raise UntranslatableError("unknown unit of a bone density; accepted: g/cm2", seen.obx.where(6))
    return converted.value


def symptom(reading: Reading, seen: Seen, record: str) -> None:
    """A pain score from 0 to 10. Where the pain is, the code says, else OBX-20; without a site it is nobody's."""
    site = seen.obx.first(20)
    place = f"{site.part(1)} {site.part(2)}"
    found = _meaning(seen).name
    if found == "pain":
        found = next((pain for pain, pattern in _SITES if pattern.search(place)), "")
    if not found:
        reading.counted["pain_without_site"] += 1
        return
    reading.emit(
        Symptom,
        seen.obx,
        patient=seen.patient,
        record=record,
        record_status=seen.record_status,
        symptom=found,
        score=None if seen.retracted else _plain_number(seen),
        side=next((side for side, pattern in _SIDES if pattern.search(place)), None),
        observed_at=_at(reading, seen),
    )


def pregnancy(reading: Reading, seen: Seen, record: str) -> None:
    """Last period, due date, gestational age or state; a date or an age says that there is a pregnancy."""
    field = _meaning(seen).name
    said = {} if seen.retracted else _pregnancy_field(reading, field, seen)
    if said.get("status") == "undecided":
        reading.ignored["pregnancy undecided"] += 1
        return
    reading.emit(
        Pregnancy,
        seen.obx,
        patient=seen.patient,
        record=record,
        record_status=seen.record_status,
        observed_at=_at(reading, seen),
        **({"status": "pregnant"} | said),
    )


def lactation(reading: Reading, seen: Seen, record: str) -> None:
    """How the child is fed, from the local day of the observation on."""
    at = _at(reading, seen)
    reading.emit(
        Lactation,
        seen.obx,
        patient=seen.patient,
        record=record,
        record_status=seen.record_status,
        feeding="unknown" if seen.retracted else _answer(reading, seen, _FEEDING, "exclusive, mixed, none or unknown"),
        since=reading.local_day(at),
        observed_at=at,
    )


def _pregnancy_field(reading: Reading, field: str, seen: Seen) -> dict[str, object]:
    match field:
        case "last_menstrual_period" | "estimated_due_date":
            return {field: _day(seen)}
        case "gestational_age_days":
            return {field: _gestational_age(seen)}
        case _:
            answers = _PREGNANT | dict.fromkeys(_UNDECIDED, "undecided")
            return {"status": _answer(reading, seen, answers, "pregnant or not pregnant")}


def _meaning(seen: Seen) -> Observation:
    if seen.meaning is None:  # the kind was chosen by its meaning
        raise UntranslatableError("an unmapped code", seen.obx.where(3))
    return seen.meaning


def _plain_number(seen: Seen) -> Decimal:
    found = result(seen.obx)
    if found.value is None or found.comparator is not None:
        raise UntranslatableError("not a plain number; accepted: e.g. 62.5", seen.obx.where(5))
    return found.value


def _unit(seen: Seen) -> str:
    found = unit(seen.obx, 6)
    if found is None:
        raise UntranslatableError("no unit, and none is assumed; accepted: e.g. cm, kg, kg/m2", seen.obx.where(6))
    return found


def _at(reading: Reading, seen: Seen) -> datetime:
    return seen.at(reading, observed_at(reading, seen.order, seen.obx))


def _day(seen: Seen) -> date:
    text = seen.obx.value(5)
    if re.fullmatch(r"\d{4}-\d\d-\d\d", text, re.ASCII):  # ISO 8601, as ST
        text = text.replace("-", "")
    return calendar_day(text, seen.obx.where(5))


def _gestational_age(seen: Seen) -> int:
    """Days. `12w3d` and `12+3` are weeks and days; a number needs its unit, as 30 may be either."""
    both = _WEEKS_AND_DAYS.fullmatch(seen.obx.value(5))
    if both:
        return int(both[1]) * 7 + int(both[2])
    weeks_by_code = "wk" if _meaning(seen).loinc == _IN_WEEKS else ""
    days = _DAYS.get((unit(seen.obx, 6) or weeks_by_code).lower())
    if days is None:
        raise UntranslatableError("no unit of the gestational age; accepted: wk or d", seen.obx.where(6))
    number = _plain_number(seen)
    if number % 1:  # 38.5 is 38 weeks and 5 days to some, and 3.5 to others
        raise UntranslatableError("weeks or days in parts; accepted: whole ones, or e.g. 38w5d", seen.obx.where(5))
    return int(number * days)


def _answer(reading: Reading, seen: Seen, answers: Mapping[str, str], accepted: str) -> str:
    element = seen.obx.first(5)
    concepts = (c for code in codings(element, reading.tables) for c in reading.tables.concepts(code.system, code.code))
    given = (*concepts, *map(element.part, (1, 2, 4, 5)), wording(element))
    found = next((answers[text.lower()] for text in given if text.lower() in answers), None)
    if found is None:
        raise UntranslatableError(f"no known answer; accepted: {accepted}", seen.obx.where(5))
    return found
