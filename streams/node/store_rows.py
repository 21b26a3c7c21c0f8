"""The rows of a node's store, as those who write them say it. Every method is part of the caller's transaction."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any, Final

import apsw
import msgspec

from schemas.alerts import Alert, Notice, Told
from schemas.days import FOREVER
from schemas.events import AnyEvent
from schemas.intervals import SEVERITIES
from schemas.wire import encode
from streams.intake.outcome import Refusal
from streams.node.port import Incoming, ItemOutcome, Outcome
from streams.node.schema import instant, stamp
from streams.node.store_audit import chained
from streams.people import Link

_CONTENT: Final = 16
"""Bytes of the hash of a content."""

Labels = tuple[tuple[str, str], ...]
Count = tuple[str, Labels]
"""What is counted: a family, and what tells its members apart."""


class _Outcome(msgspec.Struct, array_like=True, frozen=True):
    """An outcome as it is kept, for whoever sends the same message again."""

    items: tuple[tuple[str, str, str | None], ...]
    ignored: int
    counted: dict[str, int]


class KnownMessage(msgspec.Struct, frozen=True):
    """A message that came before; `outcome` where all of it was taken."""

    raw_id: int
    outcome: Outcome | None


def digest_of(message: Incoming) -> bytes:
    """What tells a message from any other: its format and bytes, whoever brings them."""
    return hashlib.sha256(message.format.encode() + b"\0" + message.raw).digest()


def content_of(body: bytes) -> bytes:
    """What tells two events of one name apart."""
    return hashlib.blake2b(body, digest_size=_CONTENT).digest()


class Rows:
    """Reads and writes of one connection."""

    def __init__(self, db: apsw.Connection) -> None:
        self.db = db
        self.has_told = False
        """Notices were put into the outbox in this transaction."""

    def _one(self, sql: str, *values: Any) -> tuple[Any, ...] | None:
        row: tuple[Any, ...] | None = self.db.execute(sql, values).fetchone()
        return row

    # ---- settings

    def setting(self, name: str) -> bytes | None:
        """Something that the store remembers of itself."""
        row = self._one("SELECT value FROM setting WHERE name = ?", name)
        return None if row is None else bytes(row[0])

    def set_setting(self, name: str, value: bytes) -> None:
        """Remember it."""
        self.db.execute("INSERT OR REPLACE INTO setting VALUES (?, ?)", (name, value))

    def remove_setting(self, name: str) -> None:
        """Remember it no longer."""
        self.db.execute("DELETE FROM setting WHERE name = ?", (name,))

    # ---- messages

    def known_message(self, digest: bytes) -> KnownMessage | None:
        """The message, if it came before."""
        row = self._one("SELECT raw_id, outcome FROM raw WHERE digest = ?", digest)
        if row is None:
            return None
        return KnownMessage(row[0], None if row[1] is None else _outcome(row[1]))

    def last_message(self) -> int:
        """The highest number that a message has."""
        row = self._one("SELECT coalesce(max(raw_id), 0) FROM raw")
        return int(row[0]) if row else 0

    def put_message(self, raw_id: int, message: Incoming, digest: bytes, outcome: Outcome, *, blank: bool) -> None:
        """Keep a message as it came, or that it came again.

        Topic: the outcome is kept where all of it was taken; `blank`: it speaks of somebody who is forgotten.
        """
        kept = None if outcome.refusals or blank else _kept(outcome)
        self.db.execute(
            "INSERT INTO raw VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) "
            "ON CONFLICT (raw_id) DO UPDATE SET outcome = ?7, body = ?8",
            (
                raw_id,
                digest,
                message.channel,
                message.format,
                message.feed,
                stamp(message.received_at),
                kept,
                None if blank else message.raw,
            ),
        )

    def blank_message(self, raw_id: int) -> None:
        """Keep of a message only that it came; should it come again, it is read again."""
        self.db.execute("UPDATE raw SET body = NULL, outcome = NULL WHERE raw_id = ?", (raw_id,))
        self.db.execute("DELETE FROM dead_letter WHERE raw_id = ?", (raw_id,))

    def message(self, raw_id: int) -> Incoming | None:
        """A message as it came, if it is still kept."""
        row = self._one("SELECT channel, format, body, received_at, feed FROM raw WHERE raw_id = ?", raw_id)
        if row is None or row[2] is None:
            return None
        return Incoming(row[0], row[1], row[2], instant(row[3]), row[4])

    def message_of_letter(self, letter_id: int) -> Incoming | None:
        """The message of a dead letter, if it is still kept."""
        row = self._one("SELECT raw_id FROM dead_letter WHERE letter_id = ?", letter_id)
        return None if row is None else self.message(row[0])

    # ---- events

    def put_event(self, event: AnyEvent, body: bytes, raw_id: int, now: datetime) -> int | None:
        """Write an event into the log; returns its ordinal, None if the very same event is there."""
        self.db.execute(
            "INSERT INTO event (source, event_id, content, kind, patient_id, recorded_at, decided_at, raw_id, body) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (source, event_id, content) DO NOTHING",
            (
                event.source,
                event.event_id,
                content_of(body),
                event.kind,
                event.patient_id,
                stamp(event.recorded_at),
                stamp(now),
                raw_id,
                body,
            ),
        )
        return self.db.last_insert_rowid() if self.db.changes() else None

    def blank_event(self, ordinal: int, mark: str) -> None:
        """Keep of an erasure that somebody was forgotten, without saying who."""
        sql = "UPDATE event SET patient_id = ?, raw_id = NULL, body = x'' WHERE ordinal = ?"
        self.db.execute(sql, (mark, ordinal))

    def events_of(self, patient_id: str, until: datetime) -> list[tuple[int, str, datetime, int | None]]:
        """The events of an identity recorded until an instant: ordinal, kind, recorded_at, message."""
        sql = "SELECT ordinal, kind, recorded_at, raw_id FROM event WHERE patient_id = ? AND recorded_at <= ?"
        return [(o, kind, instant(at), raw) for o, kind, at, raw in self.db.execute(sql, (patient_id, stamp(until)))]

    def remove_event(self, ordinal: int) -> None:
        """Take an event out of the log."""
        self.db.execute("DELETE FROM event WHERE ordinal = ?", (ordinal,))

    def log(self) -> Iterator[tuple[datetime, bytes]]:
        """The events in the order in which they were taken, each with the instant at which it was decided."""
        for at, body in self.db.execute("SELECT decided_at, body FROM event WHERE body <> x'' ORDER BY ordinal"):
            yield instant(at), body

    # ---- charts

    def page(self, patient_id: str) -> tuple[bytes, str] | None:
        """A chart's bytes, and the rule pack that decided it."""
        row = self._one("SELECT page, decided_by FROM chart WHERE patient_id = ?", patient_id)
        return None if row is None else (row[0], row[1])

    def put_page(self, patient_id: str, next_check_at: datetime, decided_by: str, page: bytes) -> None:
        """Keep a chart."""
        at = None if next_check_at == FOREVER else stamp(next_check_at)
        sql = "INSERT OR REPLACE INTO chart (patient_id, next_check_at, decided_by, page) VALUES (?, ?, ?, ?)"
        self.db.execute(sql, (patient_id, at, decided_by, page))

    def set_decided_by(self, patient_id: str, decided_by: str) -> None:
        """Take a chart for decided by a rule pack."""
        self.db.execute("UPDATE chart SET decided_by = ? WHERE patient_id = ?", (decided_by, patient_id))

    def remove_page(self, patient_id: str) -> None:
        """Forget a chart."""
        self.db.execute("DELETE FROM chart WHERE patient_id = ?", (patient_id,))

    def patients(self) -> Iterator[str]:
        """Everybody who has a chart, by identity."""
        return (patient_id for (patient_id,) in self.db.execute("SELECT patient_id FROM chart ORDER BY patient_id"))

    def checks(self) -> Iterator[tuple[str, datetime]]:
        """Who is to be looked at again, and when."""
        sql = "SELECT patient_id, next_check_at FROM chart INDEXED BY chart_check WHERE next_check_at IS NOT NULL"
        return ((patient_id, instant(at)) for patient_id, at in self.db.execute(sql))

    def decided_otherwise(self, decided_by: str, most: int) -> list[str]:
        """Some of those whose charts another rule pack decided."""
        sides = (f"SELECT patient_id FROM chart WHERE decided_by {side} ?1" for side in "<>")  # noqa: S608 - two signs
        sql = f"{' UNION ALL '.join(sides)} LIMIT ?2"
        return [patient_id for (patient_id,) in self.db.execute(sql, (decided_by, most))]

    def how_many_otherwise(self, decided_by: str) -> int:
        """How many charts another rule pack decided."""
        row = self._one("SELECT count(*) FROM chart INDEXED BY chart_pack WHERE decided_by <> ?", decided_by)
        return int(row[0]) if row else 0

    # ---- people

    def put_link(self, link: Link) -> None:
        """Remember a link."""
        sql = "INSERT OR IGNORE INTO link (retired, body) VALUES (?, ?)"
        self.db.execute(sql, (link.retired, msgspec.msgpack.encode(link)))

    def links(self) -> list[Link]:
        """Every link."""
        return [msgspec.msgpack.decode(body, type=Link) for (body,) in self.db.execute("SELECT body FROM link")]

    def put_erasure(self, mark: str, until: datetime) -> None:
        """Remember that somebody's facts until an instant are forgotten."""
        self.db.execute("INSERT OR IGNORE INTO erasure VALUES (?, ?)", (mark, stamp(until)))

    def erasures(self) -> dict[str, frozenset[datetime]]:
        """Every erasure, by mark."""
        found: dict[str, set[datetime]] = {}
        for mark, until in self.db.execute("SELECT mark, until FROM erasure"):
            found.setdefault(mark, set()).add(instant(until))
        return {mark: frozenset(instants) for mark, instants in found.items()}

    def forget_said_of(self, patient_id: str, until: datetime) -> None:
        """Forget what the directory knows of an identity, and what was said of it."""
        self.db.execute("DELETE FROM reference WHERE patient_id = ?", (patient_id,))
        self.db.execute("DELETE FROM record WHERE patient_id = ? AND recorded_at <= ?", (patient_id, stamp(until)))
        for table in ("notice", "withheld"):
            self.db.execute(f"DELETE FROM {table} WHERE patient_id = ?", (patient_id,))  # noqa: S608 - fixed words

    # ---- alerts and notices

    def put_alert(self, alert: Alert, now: datetime) -> None:
        """Keep how an alert stands; nothing is written where it stands as it did."""
        self.db.execute(
            "INSERT INTO alert VALUES (?1, ?2, ?3, ?4, ?5, ?6, 1, ?7, ?8, ?9, ?10) "
            "ON CONFLICT (alert_id) DO UPDATE SET severity = ?4, urgency = ?5, state = ?6, stands = 1, sequence = ?7, "
            "effective_at = ?8, changed_at = ?9, "
            "body = ?10 WHERE body <> ?10 OR stands = 0",
            (
                alert.alert_id,
                alert.patient_id,
                alert.rule_id,
                alert.severity,
                len(SEVERITIES) - SEVERITIES.index(alert.severity),
                alert.state,
                alert.sequence,
                stamp(alert.effective_at),
                stamp(now),
                encode(alert),
            ),
        )

    def end_alert(self, told: Told, now: datetime) -> bool:
        """Keep how an alert ended; False if it was never kept."""
        self.db.execute(
            "UPDATE alert SET state = ?, stands = 0, sequence = ?, changed_at = ? WHERE alert_id = ?",
            (told.state, told.sequence, stamp(now), told.alert_id),
        )
        return self.db.changes() > 0

    def remove_alert(self, alert_id: str) -> None:
        """Forget an alert and everything told of it."""
        for table in ("alert", "notice", "withheld", "told"):
            self.db.execute(f"DELETE FROM {table} WHERE alert_id = ?", (alert_id,))  # noqa: S608 - fixed words

    def put_notice(self, notice: Notice, digest_at: datetime | None = None) -> bool:
        """Put a notice into the outbox; False if it was there. `digest_at`: when it is told together with others."""
        self.db.execute(
            "INSERT OR IGNORE INTO notice (notice_id, alert_id, patient_id, transition, decided_at, body, digest_at) "
            "VALUES (?, ?, ?, ?, ?, ?, ?)",
            (
                notice.notice_id,
                notice.alert_id,
                notice.patient_id,
                notice.transition,
                stamp(notice.decided_at),
                encode(notice),
                None if digest_at is None else stamp(digest_at),
            ),
        )
        if not self.db.changes():
            return False
        self.has_told = True
        self.db.execute(
            "INSERT INTO rule_said VALUES (?1, ?2) ON CONFLICT (rule_id) DO UPDATE SET said_at = max(said_at, ?2)",
            (notice.rule_id, stamp(notice.decided_at)),
        )
        return True

    # ---- dead letters

    def put_dead_letter(self, raw_id: int, refusal: Refusal, now: datetime) -> None:
        """Keep that something of a message was refused."""
        self.db.execute(
            "INSERT INTO dead_letter (raw_id, refused, reason, place, first_at, last_at) "
            "VALUES (?1, ?2, ?3, ?4, ?5, ?5) "
            "ON CONFLICT DO UPDATE SET times = times + 1, last_at = ?5, taken_at = NULL",
            (raw_id, refusal.refused, refusal.reason, refusal.where, stamp(now)),
        )

    def take_dead_letters(self, raw_id: int, now: datetime) -> None:
        """What was refused of a message has been taken after all."""
        self.db.execute(
            "UPDATE dead_letter SET taken_at = ? WHERE raw_id = ? AND taken_at IS NULL", (stamp(now), raw_id)
        )

    # ---- sources and counters

    def saw_source(self, source: str, received_at: datetime, recorded_at: datetime, events: int, *, live: bool) -> None:
        """Take note of a source."""
        self.db.execute(
            "INSERT INTO source VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT (source) DO UPDATE SET state = ?2, "
            "received_at = max(received_at, ?3), recorded_at = max(recorded_at, ?4), events = events + ?5",
            (source, "live" if live else "history", stamp(received_at), stamp(recorded_at), events),
        )

    def count(self, counts: Mapping[Count, int]) -> None:
        """Add to the counters."""
        self.db.executemany(
            "INSERT INTO counter VALUES (?1, ?2, ?3) ON CONFLICT (family, labels) DO UPDATE SET value = value + ?3",
            [(family, encode(dict(labels)).decode(), n) for (family, labels), n in counts.items()],
        )

    # ---- the audit

    def put_audit(self, line: Mapping[str, Any]) -> None:
        """Write a line of the audit, chained to the one before."""
        row = self._one("SELECT hash FROM audit ORDER BY ordinal DESC LIMIT 1")
        written = encode(line)
        made = chained(row[0] if row else b"", written)
        self.db.execute("INSERT INTO audit (line, hash) VALUES (?, ?)", (written, made))

    # ---- what is kept for some time only

    def retire_messages(self, before: datetime, needed: Iterable[int], most: int) -> int:
        """Keep of messages received before an instant only that they came; returns of how many.

        Topic: those that something still leads to are kept: `needed`, and dead letters that were never taken.
        """
        self.db.execute("CREATE TEMP TABLE IF NOT EXISTS needed (raw_id INTEGER PRIMARY KEY)")
        self.db.execute("DELETE FROM needed")
        self.db.executemany("INSERT OR IGNORE INTO needed VALUES (?)", [(raw_id,) for raw_id in needed])
        self.db.execute(
            "UPDATE raw SET body = NULL WHERE raw_id IN (SELECT raw_id FROM raw WHERE body IS NOT NULL "
            "AND received_at < ? AND raw_id NOT IN (SELECT raw_id FROM needed) "
            "AND raw_id NOT IN (SELECT raw_id FROM dead_letter WHERE taken_at IS NULL) LIMIT ?)",
            (stamp(before), most),
        )
        return self.db.changes()

    def messages_of_evidence(self) -> Iterator[int]:
        """The messages that the evidence of an alert leads to."""
        for (body,) in self.db.execute("SELECT body FROM alert"):
            for item in msgspec.json.decode(body).get("evidence", ()):
                sql = "SELECT raw_id FROM event WHERE source = ? AND event_id = ? AND raw_id IS NOT NULL"
                for (raw_id,) in self.db.execute(sql, (item.get("source"), item.get("event_id"))):
                    yield raw_id


def _kept(outcome: Outcome) -> bytes:
    items = tuple((item.event_id, item.outcome, item.reason) for item in outcome.items)
    return msgspec.msgpack.encode(_Outcome(items, outcome.ignored, dict(outcome.counted)))


def _outcome(kept: bytes) -> Outcome:
    """The outcome of a message that comes again: nothing of it is new."""
    known = msgspec.msgpack.decode(kept, type=_Outcome)
    items = tuple(
        ItemOutcome(event_id, "duplicate" if outcome == "accepted" else outcome, reason)  # type: ignore[arg-type]
        for event_id, outcome, reason in known.items
    )
    return Outcome(items, ignored=known.ignored, duplicate=True, counted=known.counted)
