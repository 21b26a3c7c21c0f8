"""A record that comes again under another patient is taken back from the former one."""

from hashlib import sha256
from typing import Final

from schemas.events import AnyEvent, Encounter
from streams.intake.site import Directory

_RANK: Final = {
    "draft": 0,
    "preliminary": 0,
    "corrected": 2,
    "stopped": 2,
    "cancelled": 3,
    "entered_in_error": 4,
}
_LONGEST_IDENTIFIER: Final = 256


def claim(event: AnyEvent, directory: Directory) -> tuple[AnyEvent, ...]:
    """Remember whom a record is about; answer the event, after it what takes the record back from somebody else.

    The retraction has the `recorded_at` of the version that it takes back: after a merge of the two patients the
    version of the new owner still outranks it. An older version that comes late is itself the one taken back.
    Law: 1, in whatever order the versions come the latest one names the owner.
    """
    former = directory.last_version(event.source, event.record_id)
    directory.know_version(event)
    if former is None or former.patient_id == event.patient_id or not carries_clinical_facts(event):
        return (event,)
    lost, owner = (former, event) if _outranks(event, former) else (event, former)
    return (event, *_retraction(lost, owner.patient_id, history=event.history))


def carries_clinical_facts(event: AnyEvent) -> bool:
    """Acts upon identities and alerts, and where a patient lies, are no clinical facts."""
    return not isinstance(event, Encounter) and _status_field(event) is not None and event.kind not in _ACTS


_ACTS: Final = frozenset({"patient", "patient_merge", "patient_unmerge", "alert_response", "erasure"})


def _retraction(lost: AnyEvent, owner: str, *, history: bool) -> tuple[AnyEvent, ...]:
    field = _status_field(lost)
    if field is None or getattr(lost, field) == "entered_in_error" or not carries_clinical_facts(lost):
        return ()
    said = {
        "event_id": _retraction_id(lost.event_id),
        field: "entered_in_error",
        "history": history,
        "moved_to": owner,
    }
    return (lost.model_copy(update=said),)


def _status_field(event: AnyEvent) -> str | None:
    # A pregnancy has both: its `status` is of the pregnancy, not of the record.
    return next((name for name in ("record_status", "status") if name in type(event).model_fields), None)


def _retraction_id(event_id: str) -> str:
    name = f"{event_id}~moved"
    return name if len(name) <= _LONGEST_IDENTIFIER else sha256(name.encode()).hexdigest()


def _outranks(event: AnyEvent, former: AnyEvent) -> bool:
    return _rank(event) >= _rank(former)


def _rank(event: AnyEvent) -> tuple[float, int, str]:
    field = _status_field(event)
    status = getattr(event, field) if field else ""
    return event.recorded_at.timestamp(), _RANK.get(status, 1), event.event_id
