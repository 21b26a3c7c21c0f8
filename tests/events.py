"""Events for tests, said in few words; day 0 is the first day of the last menstrual period."""

from typing import Any

from schemas.days import to_utc
from schemas.events import EVENT, AnyEvent
from tests.support import day, on

LOINC = "http://loinc.org"
RXNORM = "http://www.nlm.nih.gov/research/umls/rxnorm"
UFH = {"system": RXNORM, "code": "5224", "display": "heparin"}
ENOXAPARIN = {"system": RXNORM, "code": "67108", "display": "enoxaparin"}
IU = "[IU]"


def event(
    kind: str, record: str, recorded: float, *, patient: str = "P", source: str = "feed", **payload: Any
) -> AnyEvent:
    """An event of a record, recorded on a day; its event_id follows from both."""
    given = {
        "event_id": payload.pop("event_id", f"{record}@{recorded}"),
        "kind": kind,
        "patient_id": patient,
        "source": source,
        "record_id": record,
        "recorded_at": on(recorded, 9).isoformat(),
        **payload,
    }
    return EVENT.validate_python(given)


def pregnancy(
    recorded: float, *, lmp: int = 0, record: str = "pregnancy", delivered: int | None = None, **more: Any
) -> AnyEvent:
    """A pregnancy by its LMP, delivered on a day or going on."""
    ended = {} if delivered is None else {"ended_on": day(delivered).isoformat()}
    status = more.pop("status", "pregnant" if delivered is None else "delivered")
    return event(
        "pregnancy", record, recorded, status=status, last_menstrual_period=day(lmp).isoformat(), **ended, **more
    )


def heparin(
    recorded: float,
    *,
    starts: float,
    iu: float = 10_000,
    per_day: float = 2,
    record: str = "heparin",
    status: str = "active",
    drug: dict[str, str] = UFH,
    **more: Any,
) -> AnyEvent:
    """A version of a heparin order: `iu` a dose, `per_day` doses a day."""
    return event(
        "prescription",
        record,
        recorded,
        drug=drug,
        status=status,
        dose={"value": iu, "unit": IU},
        doses_per_day=per_day,
        starts_at=on(starts).isoformat(),
        **more,
    )


def lab(
    recorded: float, code: str, value: float, unit: str, *, record: str, collected: float | None = None, **more: Any
) -> AnyEvent:
    """A final laboratory result, collected on the day it was recorded unless said otherwise."""
    at = on(recorded if collected is None else collected).isoformat()
    status = more.pop("status", "final")
    return event(
        "lab_result",
        record,
        recorded,
        code={"system": LOINC, "code": code},
        value=value,
        unit=unit,
        status=status,
        collected_at=at,
        **more,
    )


def back_pain(recorded: float, score: int, *, record: str = "pain", **more: Any) -> AnyEvent:
    """A report of back pain."""
    return event(
        "symptom", record, recorded, symptom="back_pain", score=score, observed_at=on(recorded).isoformat(), **more
    )


def merge(recorded: float, retired: str, into: str, *, record: str | None = None) -> AnyEvent:
    """One identity retired into another."""
    return event("patient_merge", record or f"merge-{retired}-{into}", recorded, patient=retired, into=into)


def unmerge(recorded: float, retired: str, into: str, *, record: str | None = None) -> AnyEvent:
    """Two identities that were never one."""
    return event("patient_unmerge", record or f"unmerge-{retired}-{into}", recorded, patient=retired, into=into)


def response(recorded: float, alert_id: str, action: str, *, patient: str = "P", **more: Any) -> AnyEvent:
    """What was answered to an alert."""
    return event(
        "alert_response",
        f"response-{recorded}-{action}",
        recorded,
        patient=patient,
        alert_id=alert_id,
        action=action,
        by="dr-example",
        **more,
    )


def recorded(given: AnyEvent) -> Any:
    """When an event was recorded, in UTC."""
    return to_utc(given.recorded_at)
