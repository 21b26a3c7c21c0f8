"""The rows of delivery: how far each receiver is in the outbox, what waits for it, and whom it was told of."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Final, Literal

import apsw
import msgspec

from alerting.delivery.lanes import Item
from alerting.delivery.routes import Envelope
from schemas.intervals import SEVERITIES
from streams.node.schema import instant, stamp
from streams.node.store_folder import FILE
from streams.node.store_rows import Rows

State = Literal["waiting", "refused", "overtaken"]
_PLACES: Final = 500
_envelope = msgspec.json.Decoder(Envelope)


@dataclass(frozen=True, slots=True)
class Said:
    """A notice of the outbox. `told_at`: when it was told with all that stands after a load; `size` in bytes."""

    ordinal: int
    notice: Envelope
    told_at: datetime | None
    size: int


@dataclass(frozen=True, slots=True)
class Waiting:
    """How a notice is kept that a receiver has not taken."""

    item: Item
    state: State
    reason: str
    status: int | None = None


@dataclass(frozen=True, slots=True)
class Refused:
    """A notice that a receiver refused for good; `is_overtaken` where it took a later one of that alert."""

    receiver: str
    notice_id: str
    alert_id: str
    reason: str
    status: int | None
    attempts: int
    refused_at: datetime
    is_overtaken: bool


@dataclass(slots=True)
class Changes:
    """What has changed of a receiver and is not durable yet."""

    cursor: int | None = None
    rows: dict[int, Waiting | None] = field(default_factory=dict)
    """By ordinal; None: it is out of the way."""
    told: set[str] = field(default_factory=set)
    overtaken: list[tuple[str, int]] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)

    def __bool__(self) -> bool:
        return self.cursor is not None or bool(self.rows or self.told or self.overtaken or self.counts)


# ---- in the writer's transaction


def begin(rows: Rows, receiver: str, *, at_the_beginning: bool) -> int:
    """Where a receiver is in the outbox; one that is new is put where it begins."""
    row = rows.db.execute("SELECT ordinal FROM delivery_receiver WHERE receiver = ?", (receiver,)).fetchone()
    if row is not None:
        return int(row[0])
    latest: int = rows.db.execute("SELECT coalesce(max(ordinal), 0) FROM notice").get
    ordinal = 0 if at_the_beginning else latest
    rows.db.execute("INSERT INTO delivery_receiver VALUES (?, ?)", (receiver, ordinal))
    return ordinal


def keep(rows: Rows, receiver: str, changes: Changes, now: datetime) -> None:
    """Write what has changed."""
    db = rows.db
    if changes.cursor is not None:
        db.execute("UPDATE delivery_receiver SET ordinal = ? WHERE receiver = ?", (changes.cursor, receiver))
    for ordinal, row in changes.rows.items():
        if row is None:
            db.execute("DELETE FROM delivery WHERE receiver = ? AND ordinal = ?", (receiver, ordinal))
        else:
            _put(db, receiver, row, now)
    sql = "INSERT OR IGNORE INTO delivery_alert VALUES (?, ?)"
    db.executemany(sql, [(alert_id, receiver) for alert_id in changes.told])
    sql = "UPDATE delivery SET state = 'overtaken' WHERE receiver = ? AND alert_id = ? AND ordinal < ? "
    db.executemany(f"{sql} AND state = 'refused'", [(receiver, *overtaken) for overtaken in changes.overtaken])
    rows.count({("deliveries", (("receiver", receiver), ("outcome", o))): n for o, n in changes.counts.items()})


def _put(db: apsw.Connection, receiver: str, row: Waiting, now: datetime) -> None:
    item = row.item
    digest_at = None if item.digest_at is None else stamp(item.digest_at)
    # A notice that was erased meanwhile is in the outbox no more, and nothing may be kept of it.
    db.execute(
        "INSERT OR REPLACE INTO delivery SELECT ?, ordinal, alert_id, ?, ?, ?, ?, ?, ? FROM notice WHERE ordinal = ?",
        (receiver, row.state, digest_at, item.attempts, row.reason, row.status, stamp(now), item.ordinal),
    )


def send_again(rows: Rows, receiver: str, notice_id: str | None, *, overtaken: bool, now: datetime) -> int:
    """Let what a receiver refused wait again, all or one of it; returns how many. A digest is a digest again."""
    states = "('refused', 'overtaken')" if overtaken else "('refused')"
    rows.db.execute(
        "UPDATE delivery SET state = 'waiting', attempts = 0, reason = 'sent_again', changed_at = ?1 "  # noqa: S608
        f"WHERE receiver = ?2 AND state IN {states} "
        "AND (?3 IS NULL OR ordinal = (SELECT ordinal FROM notice WHERE notice_id = ?3))",
        (stamp(now), receiver, notice_id),
    )
    return rows.db.changes()


# ---- by whoever only reads


class Outbox:
    """Reads of the outbox, on a connection that cannot write, in one thread.

    Errors: apsw.Error where the store cannot be read.
    """

    def __init__(self, folder: Path) -> None:
        self._db = apsw.Connection(str(folder / FILE), flags=apsw.SQLITE_OPEN_READONLY)
        self._db.set_busy_timeout(2_000)

    def close(self) -> None:
        """Read no more."""
        self._db.close()

    def after(self, ordinal: int, most: int) -> list[Said]:
        """The notices after one, in order."""
        sql = "SELECT ordinal, body, digest_at FROM notice WHERE ordinal > ? ORDER BY ordinal LIMIT ?"
        return [_said(*row) for row in self._db.execute(sql, (ordinal, most))]

    def bodies(self, ordinals: Sequence[int]) -> dict[int, bytes]:
        """Notices as they are sent; one that was erased is missing."""
        found: dict[int, bytes] = {}
        for begins in range(0, len(ordinals), _PLACES):
            some = ordinals[begins : begins + _PLACES]
            sql = f"SELECT ordinal, body FROM notice WHERE ordinal IN ({', '.join('?' * len(some))})"  # noqa: S608
            found.update(self._db.execute(sql, some))
        return found

    def is_told(self, receiver: str, alert_id: str) -> bool:
        """A receiver gets, or got, what is said of an alert."""
        sql = "SELECT 1 FROM delivery_alert WHERE alert_id = ? AND receiver = ?"
        return self._db.execute(sql, (alert_id, receiver)).fetchone() is not None

    def waiting(self, receiver: str) -> Iterator[Item]:
        """What waits for a receiver, in order."""
        sql = (
            "SELECT ordinal, body, n.digest_at, d.digest_at, d.attempts FROM delivery d JOIN notice n USING (ordinal) "
            "WHERE receiver = ? AND state = 'waiting' ORDER BY ordinal"
        )
        for *said, digest_at, attempts in self._db.execute(sql, (receiver,)):
            yield item_of(_said(*said), None if digest_at is None else instant(digest_at), attempts)

    def refused(self, receiver: str | None = None, most: int = 1_000) -> list[Refused]:
        """What was refused for good, the latest first."""
        sql = (
            "SELECT receiver, notice_id, d.alert_id, reason, status, attempts, changed_at, state = 'overtaken' "
            "FROM delivery d JOIN notice USING (ordinal) WHERE state <> 'waiting' "
            "AND (?1 IS NULL OR receiver = ?1) ORDER BY changed_at DESC, ordinal DESC LIMIT ?2"
        )
        return [_refused(row) for row in self._db.execute(sql, (receiver, most))]

    def alerts_refused(self, receiver: str) -> set[str]:
        """The alerts of which a receiver refused something that nothing overtook."""
        sql = "SELECT DISTINCT alert_id FROM delivery WHERE receiver = ? AND state = 'refused'"
        return {alert_id for (alert_id,) in self._db.execute(sql, (receiver,))}

    def how_many_refused(self) -> dict[str, int]:
        """Notices refused for good, by receiver."""
        sql = "SELECT receiver, count(*) FROM delivery WHERE state <> 'waiting' GROUP BY receiver"
        return dict(self._db.execute(sql))


def item_of(said: Said, digest_at: datetime | None, attempts: int = 0) -> Item:
    """A notice as it waits."""
    notice = said.notice
    return Item(
        said.ordinal,
        notice.notice_id,
        notice.alert_id,
        len(SEVERITIES) - 1 - SEVERITIES.index(notice.severity),
        notice.decided_at,
        digest_at,
        attempts,
        together=digest_at is not None and digest_at == said.told_at,
        size=said.size,
    )


def _said(ordinal: int, body: bytes, told_at: int | None) -> Said:
    return Said(ordinal, _envelope.decode(body), None if told_at is None else instant(told_at), len(body))


def _refused(row: Iterable[Any]) -> Refused:
    receiver, notice_id, alert_id, reason, status, attempts, changed_at, overtaken = row
    return Refused(receiver, notice_id, alert_id, reason, status, attempts, instant(changed_at), bool(overtaken))
