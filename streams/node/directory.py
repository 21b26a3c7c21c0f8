"""The directory of a node, in its store: who a FHIR Patient is, and whom a record was about."""

from datetime import datetime

from schemas.days import to_utc
from schemas.events import EVENT, AnyEvent
from schemas.wire import decode, encode
from streams.node.schema import stamp
from streams.node.store_rows import Rows
from streams.ward import AHEAD


class StoredDirectory:
    """The `Directory` of the intake; what it learns from a message is kept or taken back with the message.

    `now`: a version recorded more than a day ahead of it is a dead letter, and owns nothing.
    """

    def __init__(self, rows: Rows, now: datetime) -> None:
        self._db = rows.db
        self.now = now

    def patient(self, reference: str) -> str | None:
        row = self._db.execute("SELECT patient_id FROM reference WHERE reference = ?", (reference,)).fetchone()
        return None if row is None else str(row[0])

    def know_patient(self, reference: str, patient_id: str) -> str | None:
        before = self.patient(reference)
        if before != patient_id:
            self._db.execute("INSERT OR REPLACE INTO reference VALUES (?, ?)", (reference, patient_id))
        return before

    def last_version(self, source: str, record_id: str) -> AnyEvent | None:
        sql = "SELECT body FROM record WHERE source = ? AND record_id = ?"
        row = self._db.execute(sql, (source, record_id)).fetchone()
        return None if row is None else EVENT.validate_python(decode(row[0]))

    def know_version(self, event: AnyEvent) -> None:
        at = to_utc(event.recorded_at)
        if at - self.now > AHEAD:
            return
        self._db.execute(
            "INSERT INTO record VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT (source, record_id) "
            "DO UPDATE SET patient_id = ?3, recorded_at = ?4, body = ?5 WHERE recorded_at <= ?4",
            (event.source, event.record_id, event.patient_id, stamp(at), encode(event)),
        )
