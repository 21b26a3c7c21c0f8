"""The read model of the console: the topics as rows of a node's store, each with how far its topic was read.

Law: a row and the offset that it came from are written in one transaction; the same records again change nothing.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final, Protocol

import msgspec
from pydantic import ValidationError

from schemas import topics
from schemas.alerts import STANDING, Alert, Notice
from schemas.days import FOREVER
from schemas.wire import NotJsonError, decode
from streams.kafka.intake_records import MESSAGE
from streams.kafka.records import DIGEST_AT
from streams.kafka.shard_state import chart_of, link_of
from streams.node.schema import stamp
from streams.node.store_rows import Rows

_TABLES: Final = """
CREATE TABLE IF NOT EXISTS projected (topic TEXT NOT NULL, number INTEGER NOT NULL, next INTEGER NOT NULL,
    PRIMARY KEY (topic, number)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS origin (source TEXT NOT NULL, event_id TEXT NOT NULL, patient_id TEXT NOT NULL,
    number INTEGER NOT NULL, at INTEGER NOT NULL, written_at INTEGER NOT NULL, message TEXT,
    PRIMARY KEY (source, event_id)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS origin_patient ON origin (patient_id);
CREATE INDEX IF NOT EXISTS origin_place ON origin (number, at);
"""
_MODEL: Final = ("projected", "origin", "alert", "notice", "chart", "link", "reference", "rule_said")
"""What is made of the topics. The audit, which is made here, is not among it."""
NO_EVIDENCE: Final = frozenset({"patient", "encounter"})
"""Kinds of events to which no alert leads: most of a hospital's."""
PROJECTED: Final = (topics.PATIENTS, topics.EVENTS, topics.CHANGELOG, topics.NOTICES, topics.ALERTS)
"""What the model is made of."""


class Record(Protocol):
    """A record as the client has it."""

    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: Any


class _Event(msgspec.Struct, frozen=True):
    event_id: str
    kind: str
    patient_id: str
    source: str


_event: Final = msgspec.json.Decoder(_Event)
_UNREADABLE: Final = (NotJsonError, ValidationError, msgspec.DecodeError, ValueError)


def prepare(rows: Rows) -> None:
    """Make what a node's store has not."""
    rows.db.execute(_TABLES)


def forget_all(rows: Rows) -> None:
    """Let the model be made anew. Numbers of notices go on: whoever has read some must not take others for them."""
    for table in _MODEL:
        rows.db.execute(f"DELETE FROM {table}")  # noqa: S608 - fixed words


def positions(rows: Rows) -> dict[tuple[str, int], int]:
    """How far each partition of each topic was read."""
    return {(topic, number): at for topic, number, at in rows.db.execute("SELECT topic, number, next FROM projected")}


def put_positions(rows: Rows, read: Mapping[tuple[str, int], int]) -> None:
    """Remember it."""
    sql = "INSERT INTO projected VALUES (?1, ?2, ?3) ON CONFLICT (topic, number) DO UPDATE SET next = ?3"
    rows.db.executemany(sql, [(*place, at) for place, at in read.items()])


def apply(rows: Rows, topic: str, record: Record) -> bool:
    """Make of a record what it says; False where it cannot be read.

    Shape: `topic` by the name that the contract gives.
    """
    try:
        _APPLIED[topic](rows, record)
    except _UNREADABLE:
        return False
    return True


# ---- alerts and notices


def _alert(rows: Rows, record: Record) -> None:
    if record.key is None:
        return
    if record.value is None:
        rows.remove_alert(record.key.decode())
        return
    alert = Alert.model_validate(decode(record.value))
    rows.put_alert(alert, _instant(record))
    if alert.state not in STANDING:
        rows.db.execute("UPDATE alert SET stands = 0 WHERE alert_id = ?", (alert.alert_id,))


def _notice(rows: Rows, record: Record) -> None:
    said = dict(record.headers).get(DIGEST_AT)
    digest_at = None if said is None else datetime.fromisoformat(said.decode())
    rows.put_notice(Notice.model_validate(decode(record.value or b"")), digest_at)


def orphans_removed(rows: Rows, before: datetime) -> int:
    """Take out notices of alerts that there are no more: somebody was forgotten, and the topic still has them."""
    sql = "DELETE FROM notice WHERE decided_at < ? AND alert_id NOT IN (SELECT alert_id FROM alert)"
    rows.db.execute(sql, (stamp(before),))
    return rows.db.changes()


# ---- patients


def _state(rows: Rows, record: Record) -> None:
    """A line of the changelog: a chart, or who is whom; all else is the worker's own."""
    key = record.key or b""
    patient_id = chart_of(key)
    if patient_id is not None:
        page = (
            None
            if record.value is None
            else msgspec.msgpack.decode(record.value, type=tuple[datetime | None, str, bytes])
        )
        if page is None:
            rows.remove_page(patient_id)
        else:
            at, decided_by, facts = page
            rows.put_page(patient_id, at or FOREVER, decided_by, facts)
    elif record.value is not None and (link := link_of(key, record.value)) is not None:
        rows.put_link(link)


def _patient(rows: Rows, record: Record) -> None:
    reference = (record.key or b"").decode("utf-8", "surrogatepass")
    if record.value is None:
        rows.db.execute("DELETE FROM reference WHERE reference = ?", (reference,))
    else:
        patient_id = record.value.decode("utf-8", "surrogatepass")
        rows.db.execute("INSERT OR REPLACE INTO reference VALUES (?, ?)", (reference, patient_id))


# ---- where an event came from


def _origin(rows: Rows, record: Record) -> None:
    """An event as evidence: where it is, and of which message it was."""
    try:
        event = _event.decode(record.value or b"")
    except msgspec.DecodeError:  # facts that move, or the end of a load: no event of a feed
        return
    if event.kind == "erasure":
        rows.db.execute("DELETE FROM origin WHERE patient_id = ?", (event.patient_id,))
    elif event.kind not in NO_EVIDENCE:
        message = dict(record.headers).get(MESSAGE)
        rows.db.execute(
            "INSERT OR IGNORE INTO origin VALUES (?, ?, ?, ?, ?, ?, ?)",
            (
                event.source,
                event.event_id,
                event.patient_id,
                record.partition,
                record.offset,
                record.timestamp,
                None if message is None else message.decode(),
            ),
        )


def origins_removed(rows: Rows, number: int, before: int) -> None:
    """Forget where events were that their topic has no more."""
    rows.db.execute("DELETE FROM origin WHERE number = ? AND at < ?", (number, before))


def _instant(record: Record) -> datetime:
    return datetime.fromtimestamp(record.timestamp / 1000, UTC)


_APPLIED: Final = {
    topics.ALERTS.name: _alert,
    topics.NOTICES.name: _notice,
    topics.CHANGELOG.name: _state,
    topics.PATIENTS.name: _patient,
    topics.EVENTS.name: _origin,
}
