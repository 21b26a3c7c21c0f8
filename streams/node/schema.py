"""The tables of a node's store, as numbered steps that can be taken back.

Law: a step once released is never changed; whoever needs other tables adds one.
Time: instants are whole microseconds since 1970 UTC; None means never.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

import apsw


class SchemaError(RuntimeError):
    """A store of a version that this service does not know."""


@dataclass(frozen=True, slots=True)
class Step:
    """One version of the tables: how to come there, and how to go back to the one before."""

    number: int
    what: str
    up: str
    down: str


_LOG: Final = Step(
    1,
    "what came, and what was made of it",
    up="""
    CREATE TABLE setting (name TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
    CREATE TABLE raw (
        raw_id INTEGER PRIMARY KEY,
        digest BLOB NOT NULL UNIQUE,  -- of format and bytes: the same message again is told by it
        channel TEXT NOT NULL,
        format TEXT NOT NULL,
        feed TEXT,
        received_at INTEGER NOT NULL,
        outcome BLOB,                 -- None where something was refused: then it is read again when it comes again
        body BLOB                     -- None once it is no longer kept
    );
    CREATE INDEX raw_age ON raw (received_at) WHERE body IS NOT NULL;
    CREATE TABLE event (
        ordinal INTEGER PRIMARY KEY,
        source TEXT NOT NULL,
        event_id TEXT NOT NULL,
        content BLOB NOT NULL,        -- hash of the body
        kind TEXT NOT NULL,
        patient_id TEXT NOT NULL,
        recorded_at INTEGER NOT NULL,
        decided_at INTEGER NOT NULL,
        raw_id INTEGER,
        body BLOB NOT NULL,
        UNIQUE (source, event_id, content)
    );
    CREATE INDEX event_patient ON event (patient_id, recorded_at);
    CREATE INDEX event_raw ON event (raw_id);
    CREATE TABLE chart (
        patient_id TEXT PRIMARY KEY,
        next_check_at INTEGER,
        decided_by TEXT NOT NULL,     -- the rule pack that last decided it
        page BLOB NOT NULL
    );
    CREATE INDEX chart_check ON chart (patient_id, next_check_at) WHERE next_check_at IS NOT NULL;
    CREATE INDEX chart_pack ON chart (decided_by, patient_id);
    CREATE TABLE link (link_id INTEGER PRIMARY KEY, retired TEXT NOT NULL, body BLOB NOT NULL UNIQUE);
    CREATE TABLE erasure (mark TEXT NOT NULL, until INTEGER NOT NULL, PRIMARY KEY (mark, until)) WITHOUT ROWID;
    CREATE TABLE reference (reference TEXT PRIMARY KEY, patient_id TEXT NOT NULL) WITHOUT ROWID;
    CREATE INDEX reference_patient ON reference (patient_id);
    CREATE TABLE record (
        source TEXT NOT NULL,
        record_id TEXT NOT NULL,
        patient_id TEXT NOT NULL,
        recorded_at INTEGER NOT NULL,
        body BLOB NOT NULL,
        PRIMARY KEY (source, record_id)
    ) WITHOUT ROWID;
    CREATE INDEX record_patient ON record (patient_id);
    CREATE TABLE source (
        source TEXT PRIMARY KEY,
        state TEXT NOT NULL,          -- history or live
        received_at INTEGER NOT NULL,
        recorded_at INTEGER NOT NULL,
        events INTEGER NOT NULL
    ) WITHOUT ROWID;
    CREATE TABLE counter (
        family TEXT NOT NULL, labels TEXT NOT NULL, value INTEGER NOT NULL, PRIMARY KEY (family, labels)
    ) WITHOUT ROWID;
    """,
    down="""
    DROP TABLE counter; DROP TABLE source; DROP TABLE record; DROP TABLE reference; DROP TABLE erasure;
    DROP TABLE link; DROP TABLE chart; DROP TABLE event; DROP TABLE raw; DROP TABLE setting;
    """,
)

_TOLD: Final = Step(
    2,
    "what stands, what is told and what is held back",
    up="""
    CREATE TABLE alert (
        alert_id TEXT PRIMARY KEY,
        patient_id TEXT NOT NULL,
        rule_id TEXT NOT NULL,
        severity TEXT NOT NULL,
        urgency INTEGER NOT NULL,     -- of the severity, the most urgent first
        state TEXT NOT NULL,
        stands INTEGER NOT NULL,
        sequence INTEGER NOT NULL,
        effective_at INTEGER NOT NULL,
        changed_at INTEGER NOT NULL,
        body BLOB NOT NULL
    ) WITHOUT ROWID;
    CREATE INDEX alert_list ON alert (stands, urgency, alert_id);
    CREATE INDEX alert_patient ON alert (patient_id);
    CREATE TABLE notice (
        ordinal INTEGER PRIMARY KEY AUTOINCREMENT,
        notice_id TEXT NOT NULL UNIQUE,
        alert_id TEXT NOT NULL,
        patient_id TEXT NOT NULL,
        transition TEXT NOT NULL,
        decided_at INTEGER NOT NULL,
        body BLOB NOT NULL
    );
    CREATE INDEX notice_alert ON notice (alert_id, ordinal);
    CREATE INDEX notice_patient ON notice (patient_id);
    CREATE TABLE told (alert_id TEXT PRIMARY KEY) WITHOUT ROWID;  -- somebody waits to hear of the end of these
    CREATE TABLE loading (source TEXT NOT NULL, patient_id TEXT NOT NULL, PRIMARY KEY (source, patient_id))
        WITHOUT ROWID;
    CREATE TABLE withheld (alert_id TEXT PRIMARY KEY, patient_id TEXT NOT NULL, body BLOB NOT NULL) WITHOUT ROWID;
    """,
    down="""
    DROP TABLE withheld; DROP TABLE loading; DROP TABLE told; DROP TABLE notice; DROP TABLE alert;
    """,
)

_KEPT: Final = Step(
    3,
    "what could not be taken, and who did what",
    up="""
    CREATE TABLE dead_letter (
        letter_id INTEGER PRIMARY KEY AUTOINCREMENT,
        raw_id INTEGER NOT NULL,
        refused TEXT NOT NULL,
        reason TEXT NOT NULL,
        place TEXT NOT NULL,
        first_at INTEGER NOT NULL,
        last_at INTEGER NOT NULL,
        times INTEGER NOT NULL DEFAULT 1,
        taken_at INTEGER,             -- when it was taken after all
        UNIQUE (raw_id, refused, reason, place)
    );
    CREATE TABLE audit (
        ordinal INTEGER PRIMARY KEY,
        line BLOB NOT NULL,
        hash BLOB NOT NULL            -- of the hash before and the line
    );
    """,
    down="""
    DROP TABLE audit; DROP TABLE dead_letter;
    """,
)

_DELIVERED: Final = Step(
    4,
    "what each receiver of notices has, and what waits for it",
    up="""
    CREATE TABLE delivery_receiver (
        receiver TEXT PRIMARY KEY,
        ordinal INTEGER NOT NULL      -- every notice until this one was taken, waits or is of no interest to it
    ) WITHOUT ROWID;
    CREATE TABLE delivery (
        receiver TEXT NOT NULL,
        ordinal INTEGER NOT NULL,
        alert_id TEXT NOT NULL,
        state TEXT NOT NULL,          -- waiting; refused; overtaken: refused, and a later one of the alert was taken
        digest_at INTEGER,
        attempts INTEGER NOT NULL,
        reason TEXT NOT NULL,         -- what became of the last attempt
        status INTEGER,
        changed_at INTEGER NOT NULL,
        PRIMARY KEY (receiver, ordinal)
    ) WITHOUT ROWID;
    CREATE INDEX delivery_notice ON delivery (ordinal);
    CREATE TABLE delivery_alert (alert_id TEXT NOT NULL, receiver TEXT NOT NULL, PRIMARY KEY (alert_id, receiver))
        WITHOUT ROWID;                -- who was told of it
    CREATE TRIGGER delivery_forgotten AFTER DELETE ON notice BEGIN
        DELETE FROM delivery WHERE ordinal = old.ordinal;
        DELETE FROM delivery_alert WHERE alert_id = old.alert_id;
    END;
    """,
    down="""
    DROP TRIGGER delivery_forgotten; DROP TABLE delivery_alert; DROP TABLE delivery; DROP TABLE delivery_receiver;
    """,
)

_COUNTED: Final = Step(
    5,
    "what is asked for at each scrape of the metrics",
    up="""
    CREATE INDEX alert_open ON alert (severity, state) WHERE stands = 1;
    CREATE TABLE rule_said (rule_id TEXT PRIMARY KEY, said_at INTEGER NOT NULL) WITHOUT ROWID;
    INSERT INTO rule_said
        SELECT json_extract(CAST(body AS TEXT), '$.rule_id'), max(decided_at) FROM notice GROUP BY 1;
    """,
    down="""
    DROP TABLE rule_said; DROP INDEX alert_open;
    """,
)

_TOGETHER: Final = Step(
    6,
    "what was told together",
    up="""
    ALTER TABLE notice ADD COLUMN digest_at INTEGER;  -- when it was told with all that stands after a load
    """,
    down="""
    ALTER TABLE notice DROP COLUMN digest_at;
    """,
)

STEPS: Final = (_LOG, _TOLD, _KEPT, _DELIVERED, _COUNTED, _TOGETHER)
VERSION: Final = STEPS[-1].number


def version_of(connection: apsw.Connection) -> int:
    """The version of the tables; 0 of an empty store."""
    return int(connection.pragma("user_version"))


def migrate(connection: apsw.Connection, to: int = VERSION) -> int:
    """Bring the tables to a version, all steps or none; returns the version before.

    Errors: SchemaError where the store is newer than this service.
    """
    before = version_of(connection)
    if before > VERSION:
        raise SchemaError(
            f"the store has version {before}; this service knows {VERSION}: start the newer one, or roll back with it"
        )
    if before == to:
        return before
    with connection:
        up = (step for step in STEPS if before < step.number <= to)
        down = (step for step in reversed(STEPS) if to < step.number <= before)
        for sql in (*(step.up for step in up), *(step.down for step in down)):
            connection.execute(sql)
        connection.pragma("user_version", to)
    return before


# ---- instants

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


def stamp(at: datetime) -> int:
    """An instant as it is kept."""
    return (at - _EPOCH) // _MICROSECOND


def instant(stamped: int) -> datetime:
    """A kept instant."""
    return _EPOCH + stamped * _MICROSECOND
