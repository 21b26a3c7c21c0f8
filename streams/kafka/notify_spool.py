"""What one receiver's notices are while they wait: the rows of a node's outbox, and where each is in the topic.

Topic: the topic is what counts, and the spool only knows more exactly what was delivered. Should it be lost, it is made
again from the topic: up to the committed offset notices only say whom the receiver was told of, and nothing is sent.
Law: an offset is committed once all before it was delivered, is of no interest to the receiver, or is a dead letter.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

import msgspec

from alerting.delivery.routes import Envelope, Settings, route
from streams.node.delivery_rows import begin, send_again
from streams.node.schema import instant, stamp
from streams.node.store_rows import Rows

_TABLES: Final = """
CREATE TABLE IF NOT EXISTS place (ordinal INTEGER PRIMARY KEY, number INTEGER NOT NULL, at INTEGER NOT NULL);
CREATE INDEX IF NOT EXISTS place_number ON place (number, at);
CREATE TABLE IF NOT EXISTS position (number INTEGER PRIMARY KEY, next INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS parked (ordinal INTEGER PRIMARY KEY);
CREATE TABLE IF NOT EXISTS forgotten (alert_id TEXT PRIMARY KEY, at INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS forgetting (number INTEGER PRIMARY KEY, next INTEGER NOT NULL);
"""
_FOREVER: Final = 2**62
_envelope: Final = msgspec.json.Decoder(Envelope)


@dataclass(frozen=True, slots=True)
class Arrived:
    """A notice as it came; `is_known`: the receiver's group has committed beyond it. `at` in ms since 1970."""

    partition: int
    offset: int
    at: int
    body: bytes
    digest_at: datetime | None = None
    is_known: bool = False
    is_redriven: bool = False
    """It came once more, for this receiver, because somebody asked for that."""
    is_others: bool = False
    """It is for another receiver, or is no notice: only that it came counts."""


@dataclass(frozen=True, slots=True)
class Parked:
    """A notice that was refused for good and is no dead letter yet."""

    ordinal: int
    notice_id: str
    body: bytes
    reason: str
    status: int | None
    refused_at: datetime
    origin: str


class Spool:
    """The rows of one receiver. Every method is part of the caller's transaction."""

    def __init__(self, settings: Settings, zone: ZoneInfo) -> None:
        self.settings = settings
        self._zone = zone

    @property
    def name(self) -> str:
        """The receiver."""
        return self.settings.name

    def prepare(self, rows: Rows) -> None:
        """Make what a node's store has not; all that the spool gets is for the receiver."""
        rows.db.execute(_TABLES)
        begin(rows, self.name, at_the_beginning=True)

    # ---- what comes

    def positions(self, rows: Rows) -> dict[int, int]:
        """How far each partition was read."""
        return dict(rows.db.execute("SELECT number, next FROM position"))

    def own(self, rows: Rows, begun: Mapping[int, int], committed: Mapping[int, int], now: datetime) -> dict[int, int]:
        """Have some partitions, and no others; returns from where each is read on.

        Shape: by partition, where the receiver began, and up to where its group has committed.
        Topic: what waits from other partitions, or lies before what is committed, somebody else delivers or did.
        """
        settled = self.settled(rows)
        for number in settled.keys() - committed.keys():
            self._drop(rows, number, _FOREVER, now)
            rows.db.execute("UPDATE position SET next = ? WHERE number = ?", (settled[number], number))
        found = {}
        for number, offset in committed.items():
            self._drop(rows, number, offset, now)
            found[number] = max(begun[number], settled.get(number, 0), self.positions(rows).get(number, 0))
            rows.db.execute("INSERT OR REPLACE INTO position VALUES (?, ?)", (number, found[number]))
        return found

    def _drop(self, rows: Rows, number: int, before: int, now: datetime) -> None:
        """Let what lies before an offset wait no more; the receiver is told of it all the same."""
        sql = (
            "SELECT p.ordinal, p.at, n.body, n.digest_at FROM place p JOIN notice n USING (ordinal) "
            "WHERE p.number = ? AND p.at < ? AND (p.ordinal > (SELECT ordinal FROM delivery_receiver) "
            "OR EXISTS (SELECT 1 FROM delivery d WHERE d.ordinal = p.ordinal AND d.state = 'waiting')) ORDER BY 1"
        )
        for ordinal, at, body, digest_at in list(rows.db.execute(sql, (number, before))):
            notice = _envelope.decode(body)
            told = _is_told(rows, notice.alert_id)
            rows.db.execute("DELETE FROM notice WHERE ordinal = ?", (ordinal,))
            rows.db.execute("DELETE FROM place WHERE ordinal = ?", (ordinal,))
            if told:  # a notice that goes takes along whom it was told to
                rows.db.execute("INSERT OR IGNORE INTO delivery_alert VALUES (?, ?)", (notice.alert_id, self.name))
            together = None if digest_at is None else instant(digest_at)
            self._know(rows, Arrived(number, at, 0, body, together), notice, now)

    def take(self, rows: Rows, arrived: Sequence[Arrived], now: datetime) -> list[str]:
        """Keep notices; returns which of the refused ones wait again."""
        again: list[str] = []
        for one in arrived:
            if not one.is_others:
                self._take(rows, one, _envelope.decode(one.body), now, again)
            sql = "INSERT INTO position VALUES (?1, ?2) ON CONFLICT (number) DO UPDATE SET next = ?2"
            rows.db.execute(sql, (one.partition, one.offset + 1))
        return again

    def _take(self, rows: Rows, one: Arrived, notice: Envelope, now: datetime, again: list[str]) -> None:
        if self._is_forgotten(rows, notice.alert_id, one.at):
            return
        if one.is_known:
            self._know(rows, one, notice, now)
        elif one.is_redriven and send_again(rows, self.name, notice.notice_id, overtaken=True, now=now):
            self._move(rows, one, notice.notice_id)
            again.append(notice.notice_id)
        else:
            self._put(rows, one, notice)

    def _know(self, rows: Rows, one: Arrived, notice: Envelope, now: datetime) -> None:
        """The receiver was told of these alerts before."""
        routed = route(self.settings, notice, lambda a: _is_told(rows, a), now, self._zone, told_at=one.digest_at)
        for alert_id in filter(None, (notice.alert_id, notice.into)) if routed.is_sent else ():
            rows.db.execute("INSERT OR IGNORE INTO delivery_alert VALUES (?, ?)", (alert_id, self.name))

    def _put(self, rows: Rows, one: Arrived, notice: Envelope) -> None:
        rows.db.execute(
            "INSERT OR IGNORE INTO notice (notice_id, alert_id, patient_id, transition, decided_at, body, digest_at) "
            "VALUES (?, ?, '', ?, ?, ?, ?)",
            (
                notice.notice_id,
                notice.alert_id,
                notice.transition,
                stamp(notice.decided_at),
                one.body,
                None if one.digest_at is None else stamp(one.digest_at),
            ),
        )
        if rows.db.changes():
            rows.has_told = True
            place = (rows.db.last_insert_rowid(), one.partition, one.offset)
            rows.db.execute("INSERT INTO place VALUES (?, ?, ?)", place)

    def _move(self, rows: Rows, one: Arrived, notice_id: str) -> None:
        """It is where it came again: what lies between may be committed long since."""
        sql = "INSERT OR REPLACE INTO place SELECT ordinal, ?, ? FROM notice WHERE notice_id = ?"
        rows.db.execute(sql, (one.partition, one.offset, notice_id))
        rows.db.execute(
            "DELETE FROM parked WHERE ordinal = (SELECT ordinal FROM notice WHERE notice_id = ?)", (notice_id,)
        )

    # ---- what is out of the way

    def settled(self, rows: Rows) -> dict[int, int]:
        """Up to where each partition may be committed."""
        found = self.positions(rows)
        sql = (
            "SELECT p.number, min(p.at) FROM place p WHERE p.ordinal > (SELECT ordinal FROM delivery_receiver) OR "
            "EXISTS (SELECT 1 FROM delivery d WHERE d.ordinal = p.ordinal AND d.ordinal NOT IN "
            "(SELECT ordinal FROM parked)) GROUP BY 1"
        )
        for number, at in rows.db.execute(sql):
            if number in found:
                found[number] = min(found[number], at)
        return found

    def committed(self, rows: Rows, offsets: Mapping[int, int]) -> None:
        """The group has these offsets: of notices before them only that they came is kept."""
        blank = (
            "UPDATE notice SET body = x'' WHERE ordinal IN (SELECT ordinal FROM place WHERE number = ? AND at < ?) "
            "AND ordinal NOT IN (SELECT ordinal FROM delivery)"
        )
        gone = "DELETE FROM place WHERE number = ? AND at < ? AND ordinal NOT IN (SELECT ordinal FROM delivery)"
        for place in offsets.items():
            rows.db.execute(blank, place)
            rows.db.execute(gone, place)

    def backlog(self, rows: Rows) -> int:
        """How many notices nobody has looked at yet."""
        return int(
            rows.db.execute("SELECT count(*) FROM notice n, delivery_receiver r WHERE n.ordinal > r.ordinal").get
        )

    # ---- what was refused for good

    def to_park(self, rows: Rows, topic: str, most: int) -> list[Parked]:
        """What was refused and is no dead letter yet, in order."""
        sql = (
            "SELECT ordinal, notice_id, body, reason, status, changed_at, number, at FROM delivery "
            "JOIN notice USING (ordinal) LEFT JOIN place USING (ordinal) "
            "WHERE state <> 'waiting' AND ordinal NOT IN (SELECT ordinal FROM parked) ORDER BY ordinal LIMIT ?"
        )
        return [_parked(topic, *row) for row in rows.db.execute(sql, (most,))]

    def parked(self, rows: Rows, ordinals: Collection[int]) -> None:
        """These are dead letters."""
        rows.db.executemany("INSERT OR IGNORE INTO parked VALUES (?)", [(ordinal,) for ordinal in ordinals])

    # ---- who was forgotten

    def forgetting(self, rows: Rows) -> dict[int, int]:
        """How far each partition of the alerts was read for what is forgotten."""
        return dict(rows.db.execute("SELECT number, next FROM forgetting"))

    def forget(self, rows: Rows, alerts: Mapping[str, int], positions: Mapping[int, int]) -> None:
        """Take out what waits of alerts that were forgotten at an instant, and let nothing of them in that is older."""
        for alert_id, at in alerts.items():
            sql = "INSERT INTO forgotten VALUES (?1, ?2) ON CONFLICT (alert_id) DO UPDATE SET at = max(at, ?2)"
            rows.db.execute(sql, (alert_id, at))
            rows.db.execute("DELETE FROM notice WHERE alert_id = ?", (alert_id,))
            rows.db.execute("DELETE FROM delivery_alert WHERE alert_id = ?", (alert_id,))
        for number, offset in positions.items():
            rows.db.execute("INSERT OR REPLACE INTO forgetting VALUES (?, ?)", (number, offset))

    def _is_forgotten(self, rows: Rows, alert_id: str, at: int) -> bool:
        row = rows.db.execute("SELECT at FROM forgotten WHERE alert_id = ?", (alert_id,)).fetchone()
        return row is not None and at <= row[0]


def _is_told(rows: Rows, alert_id: str) -> bool:
    return rows.db.execute("SELECT 1 FROM delivery_alert WHERE alert_id = ?", (alert_id,)).fetchone() is not None


def _parked(topic: str, *row: Any) -> Parked:
    ordinal, notice_id, body, reason, status, changed_at, number, at = row
    origin = topic if number is None else f"{topic}/{number}/{at}"
    return Parked(ordinal, notice_id, body, reason, status, instant(changed_at), origin)


def is_notice(body: bytes) -> bool:
    """What is looked at of a notice is there."""
    try:
        _envelope.decode(body)
    except msgspec.DecodeError:
        return False
    return True
