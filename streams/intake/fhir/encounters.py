"""Encounter: where the patient is; a prenatal visit also says that she is pregnant.

Source: http://hl7.org/fhir/R4/encounter.html
"""

from typing import Any, Final

from schemas import events
from schemas.events import AnyEvent
from streams.intake.fhir.clinical import PREGNANCY, maternal
from streams.intake.fhir.codes import shown
from streams.intake.fhir.identity import patient_of
from streams.intake.fhir.reading import Entry, read_part
from streams.intake.fhir.resources import Encounter, Named

_STATUSES: Final = {
    "arrived": "active",
    "triaged": "active",
    "in-progress": "active",
    "onleave": "active",
    "finished": "finished",
    "cancelled": "cancelled",
    "entered-in-error": "cancelled",
}


def encounter_events(entry: Entry) -> tuple[AnyEvent, ...]:
    """An encounter that has begun."""
    seen = entry.read(Encounter)
    if seen.status == "planned":
        return entry.document.ignore("Encounter planned")
    status = _STATUSES.get(seen.status or "")
    if status is None:
        raise entry.refused(f"unknown status; accepted are planned, {', '.join(_STATUSES)}", "status")
    if status != "cancelled":
        return _begun(entry, seen, status)
    taken_back = entry.withdrawn("entered_in_error", entry.last_updated(), PREGNANCY)
    return (*entry.told_or_withdrawn(status, lambda: _begun(entry, seen, status)), *taken_back)


def _begun(entry: Entry, seen: Encounter, status: str) -> tuple[AnyEvent, ...]:
    patient_id = patient_of(entry, seen.subject)
    if patient_id is None:
        return ()
    starts_at = entry.at(seen.period.start if seen.period else None, "period.start")
    if starts_at is None:
        raise entry.refused("nothing says when it began; expected a date or an instant", "period.start")
    ends_at = entry.end(seen.period.end if seen.period else None, "period.end")
    common: dict[str, Any] = {"patient_id": patient_id, "recorded_at": entry.recorded_at(ends_at, starts_at)}
    stay = entry.event(
        events.Encounter, status=status, ward=_ward(entry, seen), starts_at=starts_at, ends_at=ends_at, **common
    )
    visit = maternal(entry, list(seen.type), starts_at, status, common) if status != "cancelled" else ()
    return (stay, *visit)


def _ward(entry: Entry, seen: Encounter) -> str | None:
    """The active location, else the last one."""
    active = [each for each in seen.location if each.status in {None, "active"} and each.location]
    chosen = (active or [each for each in seen.location if each.location])[-1:]
    if not chosen or chosen[0].location is None:
        return None
    found = entry.find(chosen[0].location, "Location")
    name = read_part(Named, found, "Location").name if found is not None else None
    return shown(name) or shown(chosen[0].location.display) or entry.record_of(chosen[0].location)
