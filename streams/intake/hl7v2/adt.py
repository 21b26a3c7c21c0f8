"""Admissions, transfers, discharges and updates: the patient, where she lies, and her diagnoses.

Source: HL7 v2.5.1 chapter 3.3 (ADT), 3.4.2 (PID), 3.4.3 (PV1), 6.5.2 (DG1).
"""

from collections.abc import Callable
from functools import partial
from typing import Final

from schemas.events import Condition, Encounter, Patient
from schemas.tables import Tables
from streams.intake.hl7v2.coding import coded, entity
from streams.intake.hl7v2.groups import Observed, Order
from streams.intake.hl7v2.message import Segment
from streams.intake.hl7v2.observations import observations
from streams.intake.hl7v2.reading import Reading, calendar_day
from streams.intake.hl7v2.untranslatable import UntranslatableError

TRIGGERS: Final = frozenset({"A01", "A02", "A03", "A04", "A08", "A31"})
READ: Final = frozenset({"MSH", "EVN", "PID", "PV1", "DG1", "OBX", "NTE"})
_DISCHARGE: Final = "A03"
_SEX: Final = {"F": "female", "M": "male", "O": "other", "A": "other", "U": "unknown", "N": "unknown"}
_DELETE: Final = "D"


def translate_visit(reading: Reading) -> None:
    """Patient, encounter, diagnoses and observations of an ADT message.

    Errors: UntranslatableError where nobody is named.
    """
    pid = reading.message.find("PID")
    if pid is None:
        raise UntranslatableError("no PID; accepted: MSH, EVN, PID, PV1", "PID[1]")
    patient = reading.patient(pid)
    visit = reading.message.find("PV1")
    reading.attempt(partial(_patient, reading, pid, patient))
    if visit:
        reading.attempt(partial(_encounter, reading, visit, patient))
    for diagnosis in reading.message.named("DG1"):
        reading.attempt(partial(_condition, reading, diagnosis, visit, patient))
    order = Order(pid, visit, observed=_observed(reading))
    observations(reading, order, patient)


def _observed(reading: Reading) -> list[Observed]:
    found: list[Observed] = []
    for segment in reading.message.segments:
        if segment.name == "OBX":
            found.append(Observed(segment))
        elif segment.name == "NTE" and found:
            found[-1].notes.append(segment)
    return found


def _patient(reading: Reading, pid: Segment, patient: str) -> None:
    given, family = pid.value(5, 2), pid.value(5, 1)
    reading.emit(
        Patient,
        pid,
        patient=patient,
        record=f"patient:{patient}",
        birth_date=_birth_date(reading, pid),
        sex=_sex(reading, pid),
        name=" ".join(filter(None, (given, family))) or None,
        deceased_at=_deceased(reading, pid),
    )


_SHORTEST_DAY: Final = 8


def _birth_date(reading: Reading, pid: Segment) -> object:
    """The day of birth; a year or month alone is no day, and is counted."""
    text = pid.value(7)
    if text and len(text) < _SHORTEST_DAY:
        reading.counted["birth_date_without_day"] += 1
        return None
    return calendar_day(text, pid.where(7)) if text else None


def _sex(reading: Reading, pid: Segment) -> str | None:
    said = pid.value(8).upper()
    reading.counted["unknown_sex_code"] += bool(said) and said not in _SEX
    return _SEX.get(said)


def _deceased(reading: Reading, pid: Segment) -> object:
    """PID-29; a death told by PID-30 alone is dated by the message, at the latest."""
    died = reading.moment(pid, 29)
    if died is None and pid.value(30).upper() == "Y":
        reading.counted["death_time_unknown"] += 1
        return reading.recorded_at
    return died


def _encounter(reading: Reading, visit: Segment, patient: str) -> None:
    ward = visit.value(3, 1)
    if not (ward or visit.value(19) or visit.value(44)):
        return
    event = reading.message.find("EVN")
    happened = reading.first_moment((event, 6))
    admitted = reading.moment(visit, 44)
    starts = admitted or happened or reading.recorded_at
    ends = reading.moment(visit, 45)
    finished = reading.trigger == _DISCHARGE or ends is not None
    reading.emit(
        Encounter,
        visit,
        patient=patient,
        record=f"visit:{_visit_number(visit, 19) or f'{patient}:{starts.isoformat()}'}",
        status="finished" if finished else "active",
        ward=ward or None,
        starts_at=starts,
        ends_at=(ends or happened or reading.recorded_at) if finished else None,
    )


def _visit_number(segment: Segment, field: int) -> str | None:
    """A visit number (CX) with its authority."""
    number, authority = segment.value(field), segment.value(field, 4)
    return (f"{number}^{authority}" if authority else number) or None


def _concepts(tables: Tables) -> Callable[[str, str], tuple[str, ...] | None]:
    return lambda system, code: tables.concepts(system, code) or None


def _condition(reading: Reading, diagnosis: Segment, visit: Segment | None, patient: str) -> None:
    code, concepts = coded(diagnosis, 3, reading.tables, _concepts(reading.tables), unsaid=diagnosis.value(2))
    reading.counted["unmapped_code"] += concepts is None
    number = entity(diagnosis, 20)
    stay = _visit_number(visit, 19) if visit else None
    reading.emit(
        Condition,
        diagnosis,
        patient=patient,
        record=f"diagnosis:{number}" if number else f"diagnosis:{patient}:{stay or ''}:{code.code}",
        code=code,
        status="entered_in_error" if diagnosis.value(21).upper() == _DELETE else "active",
        onset_at=reading.moment(diagnosis, 5),
    )
