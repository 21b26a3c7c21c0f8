"""What the wards, the maternity unit and registration say."""

from typing import Final

from streams.simulate import codes
from streams.simulate.days import DAY, named
from streams.simulate.messages import Said
from streams.simulate.people import Person
from streams.simulate.script import Spoken, When

REGISTRATION: Final = "ADT"
MATERNITY: Final = "MATERNITY"
WARD: Final = "WARD"


def identity(person: Person) -> Said:
    """Who the patient is."""
    return {
        "kind": "patient",
        "record_id": f"patient:{person.number}",
        "birth_date": person.born,
        "sex": person.sex,
        "name": f"{person.given} {person.family}",
    }


def stay(when: When, ward: str, visit: int, begun: int, ended: int | None = None) -> Said:
    """Where she is, `begun` minutes ago and perhaps at an end."""
    said: Said = {
        "kind": "encounter",
        "record_id": f"V{when.number}.{visit}",
        "status": "active" if ended is None else "finished",
        "ward": ward,
        "starts_at": when.before(begun),
    }
    return said if ended is None else {**said, "ends_at": when.before(ended)}


def registered(when: When, person: Person, ward: str, visit: int) -> Spoken:
    """Registered for a visit."""
    return Spoken("ADT^A04", REGISTRATION, (identity(person), stay(when, ward, visit, 0)))


def admitted(when: When, person: Person, ward: str, visit: int) -> Spoken:
    """Admitted to a ward."""
    return Spoken("ADT^A01", REGISTRATION, (identity(person), stay(when, ward, visit, 0)))


def discharged(when: When, person: Person, ward: str, visit: int, nights: int) -> Spoken:
    """Discharged after some nights."""
    return Spoken("ADT^A03", REGISTRATION, (identity(person), stay(when, ward, visit, nights * DAY, 0)))


def diagnosed(when: When, coded: dict[str, str], *, side: str | None = None) -> Spoken:
    """A diagnosis, with its onset today."""
    said: Said = {
        "kind": "condition",
        "record_id": f"D{when.number}.{coded['code']}",
        "code": coded,
        "status": "active",
        "onset_at": when.before(30),
    }
    return Spoken("ADT^A08", WARD, ({**said, "side": side} if side else said,))


def last_period(when: When, day: int) -> Spoken:
    """Booking: pregnant, by the last period that she tells."""
    return _pregnant(when, "LMP", last_menstrual_period=named(day))


def due_date(when: When, day: int) -> Spoken:
    """A dating scan: the due date that it gives."""
    return _pregnant(when, "EDD", estimated_due_date=named(day))


def _pregnant(when: When, record: str, **dating: str) -> Spoken:
    said: Said = {
        "kind": "pregnancy",
        "record_id": f"G{when.number}.{record}",
        "status": "pregnant",
        "observed_at": when.before(10),
    }
    return Spoken("ORU^R01", MATERNITY, ({**said, **dating},))


def delivered(when: When, coded: dict[str, str], outcome: str, minutes_ago: int) -> Spoken:
    """The delivery; HL7 v2 has no result message that says it."""
    at = when.before(minutes_ago)
    record = f"G{when.number}.birth"
    procedure: Said = {
        "kind": "procedure",
        "record_id": record,
        "code": coded,
        "status": "completed",
        "performed_at": at,
    }
    ended = named(when.day + (when.minute - minutes_ago) // DAY)
    pregnancy: Said = {
        "kind": "pregnancy",
        "record_id": f"{record}#pregnancy",
        "status": "delivered",
        "outcome": outcome,
        "ended_on": ended,
        "observed_at": at,
    }
    return Spoken("", MATERNITY, (procedure, pregnancy))


def lost(when: When) -> Spoken:
    """A miscarriage, today."""
    at = when.before(60)
    record = f"G{when.number}.loss"
    condition: Said = {
        "kind": "condition",
        "record_id": record,
        "code": codes.MISCARRIAGE,
        "status": "active",
        "onset_at": at,
    }
    pregnancy: Said = {
        "kind": "pregnancy",
        "record_id": f"{record}#pregnancy",
        "status": "ended",
        "outcome": "miscarriage",
        "ended_on": named(when.day),
        "observed_at": at,
    }
    return Spoken("", MATERNITY, (condition, pregnancy))


def done(when: When, coded: dict[str, str]) -> Spoken:
    """A procedure, an hour ago."""
    said: Said = {
        "kind": "procedure",
        "record_id": f"P{when.number}.{coded['code']}.{when.day}",
        "code": coded,
        "status": "completed",
        "performed_at": when.before(60),
    }
    return Spoken("", WARD, (said,))


def feeding(when: When, how: str) -> Spoken:
    """How the child is fed, from today on."""
    said: Said = {
        "kind": "lactation",
        "record_id": f"F{when.number}",
        "feeding": how,
        "since": named(when.day),
        "observed_at": when.before(10),
    }
    return Spoken("ORU^R01", MATERNITY, (said,))


def measured(when: When, measure: str, value: float, unit: str) -> Spoken:
    """A height or weight."""
    said: Said = {
        "kind": "measurement",
        "record_id": f"M{when.number}.{measure}.{when.day}",
        "measure": measure,
        "value": value,
        "unit": unit,
        "observed_at": when.before(10),
    }
    return Spoken("ORU^R01", WARD, (said,))


def pain(when: When, symptom: str, score: int, more: Said) -> Spoken:
    """A report of pain; `more` are the answers that a form asks for."""
    said: Said = {
        "kind": "symptom",
        "record_id": f"S{when.number}.{symptom}.{when.day}",
        "symptom": symptom,
        "score": score,
        "observed_at": when.before(10),
    }
    return Spoken("ORU^R01", WARD, ({**said, **more},))


def risk(when: When, factor: str, answer: str) -> Spoken:
    """A risk factor asked for, `present` or `absent`; only native events have it."""
    said: Said = {
        "kind": "risk_factor",
        "record_id": f"R{when.number}.{factor}",
        "factor": factor,
        "present": answer == "present",
        "observed_at": when.before(10),
    }
    return Spoken("", WARD, (said,))
