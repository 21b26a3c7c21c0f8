"""Forgetting a patient: in the log, the messages, the outbox and the directory; the audit says so without a name."""

from datetime import datetime

from schemas.days import to_utc
from schemas.events import Erasure
from streams.node.store import Store
from streams.ward import Ward

_LINKS = ("patient_merge", "patient_unmerge", "erasure")
"""Kinds that stay in the log: by the links a late word of a merged number is known for what it is."""


class Eraser:
    """What an erasure takes out of a store, beside the chart."""

    def __init__(self, store: Store, ward: Ward) -> None:
        self._store = store
        self._ward = ward
        self._erased = False

    def erase(self, event: Erasure, now: datetime) -> None:
        """Take out what was recorded of the patient until then, whatever number it came under."""
        rows, until = self._store.rows, to_utc(event.recorded_at)
        mark = self._ward.mark(event.patient_id)
        rows.put_erasure(mark, until)
        for patient_id in sorted(self._ward.people.kin(event.patient_id)):
            if self._ward.forgets(patient_id, until):
                rows.forget_said_of(patient_id, until)
            self._out_of_the_log(patient_id, event)
        rows.put_audit({"at": now, "action": "erased", "patients": (mark,), "detail": f"said by {event.source}"})
        self._erased = True

    def _out_of_the_log(self, patient_id: str, event: Erasure) -> None:
        rows = self._store.rows
        for ordinal, kind, recorded_at, raw_id in rows.events_of(patient_id, to_utc(event.recorded_at)):
            if kind not in _LINKS and self._ward.forgets(patient_id, recorded_at):
                rows.remove_event(ordinal)
                if raw_id is not None:
                    rows.blank_message(raw_id)

    def blank(self, raw_id: int) -> None:
        """Keep nothing of a message that speaks of somebody who is forgotten."""
        self._store.rows.blank_message(raw_id)
        self._erased = True

    def committed(self) -> None:
        """Empty the write-ahead log, in which the pages lie as they were."""
        if self._erased:
            self._store.tidy(wholly=True)
            self._erased = False
