"""What the pages and the API of a node read: a connection that cannot write, each answer of one moment."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final, Literal

import apsw
import msgspec

from schemas.wire import decode
from streams.chart import codec
from streams.node.port import Incoming
from streams.node.schema import instant
from streams.node.store_audit import AuditLine, lines
from streams.node.store_folder import FILE
from streams.node.store_rows import Rows
from streams.people import Link, People

Json = dict[str, Any]
Which = Literal["standing", "all"]
MOST: Final = 1_000
"""Of anything in one answer."""


@dataclass(frozen=True, slots=True)
class Slice:
    """A part of a list, and where the next one begins; None at the end."""

    items: tuple[Json, ...]
    next: str | None


@dataclass(frozen=True, slots=True)
class Told:
    """A notice of the outbox; `ordinal` grows and is never used again."""

    ordinal: int
    notice_id: str
    alert_id: str
    body: bytes


@dataclass(frozen=True, slots=True)
class PatientView:
    """What is known of a patient: the identities that are one person, the chart's facts, the alerts."""

    patient_id: str
    identities: tuple[str, ...]
    page: codec.Page
    alerts: tuple[Json, ...]


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """Something that was refused; `taken_at` when it was taken after all."""

    letter_id: int
    refused: str
    reason: str
    place: str
    channel: str
    format: str
    feed: str | None
    first_at: datetime
    last_at: datetime
    times: int
    taken_at: datetime | None


@dataclass(frozen=True, slots=True)
class Counted:
    """A counter."""

    family: str
    labels: dict[str, str]
    value: int


@dataclass(frozen=True, slots=True)
class Source:
    """A feed as it was last seen; `state` is history while it loads old data."""

    source: str
    state: str
    received_at: datetime
    recorded_at: datetime
    events: int


class Reading:
    """Reads of one store; calls from several threads wait for each other.

    Errors: apsw.Error where the store cannot be read.
    """

    def __init__(self, folder: Path) -> None:
        self._db = apsw.Connection(str(folder / FILE), flags=apsw.SQLITE_OPEN_READONLY)
        self._db.set_busy_timeout(2_000)
        self._rows = Rows(self._db)
        self._lock = threading.Lock()
        self._people = (0, People())

    def close(self) -> None:
        """Read no more."""
        with self._lock:
            self._db.close()

    def _all(self, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        with self._lock:
            return list(self._db.execute(sql, values))

    # ---- alerts and notices

    def alerts(
        self,
        which: Which = "standing",
        *,
        severity: str | None = None,
        rule: str | None = None,
        patient: str | None = None,
        after: str | None = None,
        limit: int = 100,
    ) -> Slice:
        """Alerts, the most urgent first; `after` is where an earlier slice says that the next one begins.

        Errors: ValueError for an `after` that no slice said.
        """
        wanted, values = _narrowed(which, severity, rule, self.identities(patient) if patient else (), _cursor(after))
        limit = min(max(limit, 1), MOST)
        sql = f"SELECT urgency, alert_id, state, sequence, body FROM alert WHERE {wanted} "  # noqa: S608 - fixed words
        rows = self._all(f"{sql} ORDER BY urgency, alert_id LIMIT ?", *values, limit + 1)
        following = f"{rows[limit - 1][0]}-{rows[limit - 1][1]}" if len(rows) > limit else None
        return Slice(tuple(_alert(*row[2:]) for row in rows[:limit]), following)

    def alert(self, alert_id: str) -> Json | None:
        """An alert, standing or not."""
        rows = self._all("SELECT state, sequence, body FROM alert WHERE alert_id = ?", alert_id)
        return _alert(*rows[0]) if rows else None

    def notices(self, since: int = 0, limit: int = 100) -> list[Told]:
        """The notices after one of the outbox, in order."""
        sql = "SELECT ordinal, notice_id, alert_id, body FROM notice WHERE ordinal > ? ORDER BY ordinal LIMIT ?"
        return [Told(*row) for row in self._all(sql, since, min(max(limit, 1), MOST))]

    def last_ordinal(self) -> int:
        """The number of the newest notice; 0 if there is none."""
        return int(self._all("SELECT coalesce(max(ordinal), 0) FROM notice")[0][0])

    def ordinal_of(self, notice_id: str) -> int | None:
        """Where a notice is in the outbox."""
        rows = self._all("SELECT ordinal FROM notice WHERE notice_id = ?", notice_id)
        return rows[0][0] if rows else None

    def notices_of(self, alert_id: str) -> list[Json]:
        """Everything that was told of an alert, in order."""
        return [
            decode(body)
            for (body,) in self._all("SELECT body FROM notice WHERE alert_id = ? ORDER BY ordinal", alert_id)
        ]

    # ---- patients

    def people(self) -> People:
        """Who is whom."""
        with self._lock:
            newest, known = self._people
            latest: int = self._db.execute("SELECT coalesce(max(link_id), 0) FROM link").get
            if latest != newest:
                known = People(
                    msgspec.msgpack.decode(b, type=Link) for (b,) in self._db.execute("SELECT body FROM link")
                )
                self._people = (latest, known)
            return known

    def identities(self, patient_id: str) -> tuple[str, ...]:
        """Every identity that is one person with this one, the surviving one first."""
        people = self.people()
        survivor = people.survivor(patient_id)
        others = (k for k in people.kin(patient_id) if k != survivor and people.survivor(k) == survivor)
        return (survivor, *sorted(others))

    def patient(self, patient_id: str) -> PatientView | None:
        """What is known of a patient; None if there is no chart."""
        identities = self.identities(patient_id)
        rows = self._all("SELECT page FROM chart WHERE patient_id = ?", identities[0])
        if not rows:
            return None
        alerts = self.alerts("all", patient=identities[0], limit=MOST)
        return PatientView(identities[0], identities, codec.decode(rows[0][0]), alerts.items)

    def known_as(self, address: str) -> str | None:
        """The `patient_id` that the Patient at a FHIR address told."""
        rows = self._all("SELECT patient_id FROM reference WHERE reference = ?", address)
        return str(rows[0][0]) if rows else None

    def addresses(self, patient_ids: Sequence[str]) -> list[str]:
        """The FHIR addresses of Patients that told one of these identities."""
        places = ", ".join("?" * len(patient_ids))
        sql = f"SELECT reference FROM reference WHERE patient_id IN ({places}) ORDER BY reference"  # noqa: S608
        return [reference for (reference,) in self._all(sql, *patient_ids)]

    def timeline(self, patient_id: str, after: int = 0, limit: int = 100) -> Slice:
        """The events of a patient in the order in which they were taken; `after` is the `next` of an earlier slice."""
        identities = self.identities(patient_id)
        places = ", ".join("?" * len(identities))
        sql = (
            "SELECT ordinal, decided_at, body FROM event "  # noqa: S608 - only places
            f"WHERE patient_id IN ({places}) AND ordinal > ? AND body <> x'' ORDER BY ordinal LIMIT ?"
        )
        limit = min(max(limit, 1), MOST)
        rows = self._all(sql, *identities, after, limit + 1)
        items = ({"ordinal": o, "decided_at": instant(at), "event": decode(body)} for o, at, body in rows[:limit])
        return Slice(tuple(items), str(rows[limit - 1][0]) if len(rows) > limit else None)

    def patient_events(self, identities: Sequence[str]) -> list[Json]:
        """What was said of who somebody is, under any of these identities."""
        places = ", ".join("?" * len(identities))
        sql = (
            "SELECT body FROM event INDEXED BY event_patient "  # noqa: S608 - only places
            f"WHERE patient_id IN ({places}) AND kind = 'patient' AND body <> x''"
        )
        return [decode(body) for (body,) in self._all(sql, *identities)]

    def messages_of(self, source: str, event_id: str) -> list[Incoming]:
        """The raw messages that an event came from, as far as they are kept."""
        sql = "SELECT DISTINCT raw_id FROM event WHERE source = ? AND event_id = ? AND raw_id IS NOT NULL"
        numbers = self._all(sql, source, event_id)
        with self._lock:
            found = [self._rows.message(raw_id) for (raw_id,) in numbers]
        return [message for message in found if message is not None]

    # ---- operations

    def dead_letters(self, after: int = 0, limit: int = 100, *, taken: bool = False) -> list[DeadLetter]:
        """What was refused, in order; `taken`: also what was taken after all."""
        still = "" if taken else "AND d.taken_at IS NULL"
        sql = (
            "SELECT letter_id, refused, reason, place, channel, format, feed, first_at, last_at, times, taken_at "  # noqa: S608
            f"FROM dead_letter d JOIN raw USING (raw_id) WHERE letter_id > ? {still} ORDER BY letter_id LIMIT ?"
        )
        return [_letter(row) for row in self._all(sql, after, min(max(limit, 1), MOST))]

    def dead_letter(self, letter_id: int) -> tuple[DeadLetter, bytes | None] | None:
        """One of them with its message as it came, if that is still kept."""
        found = [one for one in self.dead_letters(letter_id - 1, 1, taken=True) if one.letter_id == letter_id]
        if not found:
            return None
        with self._lock:
            message = self._rows.message_of_letter(letter_id)
        return found[0], message.raw if message else None

    def counters(self) -> list[Counted]:
        """Everything that was counted."""
        rows = self._all("SELECT family, labels, value FROM counter ORDER BY family, labels")
        return [Counted(family, decode(labels), value) for family, labels, value in rows]

    def sources(self) -> list[Source]:
        """The feeds."""
        rows = self._all("SELECT source, state, received_at, recorded_at, events FROM source ORDER BY source")
        return [Source(name, state, instant(got), instant(said), n) for name, state, got, said, n in rows]

    def how_many_patients(self) -> int:
        """Charts."""
        return int(self._all("SELECT count(*) FROM chart")[0][0])

    def alerts_open(self) -> list[tuple[str, str, int]]:
        """How many alerts stand, by severity and state."""
        # The planner would take the index of the list, and read every alert for its state: 2.6 s of 180,000.
        sql = "SELECT severity, state, count(*) FROM alert INDEXED BY alert_open WHERE stands = 1 GROUP BY 1, 2"
        return [(severity, state, n) for severity, state, n in self._all(sql)]

    def setting(self, name: str) -> bytes | None:
        """Something that the store remembers of itself."""
        with self._lock:
            return self._rows.setting(name)

    def rules_said(self) -> dict[str, datetime]:
        """When each rule last made a notice; a rule that never did is not there."""
        return {rule_id: instant(at) for rule_id, at in self._all("SELECT rule_id, said_at FROM rule_said")}

    def audit(self, after: int = 0, limit: int = MOST) -> list[AuditLine]:
        """Lines of the audit, in order."""
        with self._lock:
            return lines(self._db, after, limit)


def _narrowed(
    which: Which, severity: str | None, rule: str | None, identities: Sequence[str], after: tuple[int, str] | None
) -> tuple[str, list[Any]]:
    """The condition of a list of alerts, and its values."""
    conditions: list[tuple[str, tuple[Any, ...]]] = [("stands >= ?", (1 if which == "standing" else 0,))]
    if severity is not None:
        conditions.append(("severity = ?", (severity,)))
    if rule is not None:
        conditions.append(("rule_id = ?", (rule,)))
    if identities:
        conditions.append((f"patient_id IN ({', '.join('?' * len(identities))})", tuple(identities)))
    if after is not None:
        conditions.append(("(urgency, alert_id) > (?, ?)", after))
    return " AND ".join(words for words, _ in conditions), [value for _, values in conditions for value in values]


def _cursor(after: str | None) -> tuple[int, str] | None:
    if after is None:
        return None
    urgency, mark, alert_id = after.partition("-")
    if not mark or not urgency.isdecimal():
        raise ValueError("no place in this list; expected what `next` of a slice said")
    return int(urgency), alert_id


def _alert(state: str, sequence: int, body: bytes) -> Json:
    return {**decode(body), "state": state, "sequence": sequence}


def _letter(row: tuple[Any, ...]) -> DeadLetter:
    *said, first_at, last_at, times, taken_at = row
    taken = None if taken_at is None else instant(taken_at)
    letter_id, refused, reason, place, channel, form, feed = said
    first, last = instant(first_at), instant(last_at)
    return DeadLetter(letter_id, refused, reason, place, channel, form, feed, first, last, times, taken)
