"""Dead letters as an operator looks at them: by reason and by who sent them, and one with its bytes."""

import re
import threading
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import apsw

from streams.node.acknowledgement import read_header
from streams.node.schema import instant
from streams.node.store_folder import FILE

MOST: Final = 1_000
"""Of them in one answer."""
_BATCH: Final = 500
_BATCHES: Final = 20
"""A search that finds little ends after so many batches and says where it goes on: the store is not held up."""
_HEAD: Final = 16_384
_SOURCE: Final = re.compile(rb'"source"\s*:\s*"((?:[^"\\]|\\.){1,256})"')
_COLUMNS: Final = (
    "letter_id, refused, reason, place, channel, format, feed, first_at, last_at, times, taken_at, "
    f"substr(body, 1, {_HEAD})"
)


@dataclass(frozen=True, slots=True)
class Letter:
    """Something that was refused. `source`: who the message says it is from, or who was known to have sent it."""

    letter_id: int
    refused: str
    reason: str
    place: str
    channel: str
    format: str
    source: str | None
    first_at: datetime
    last_at: datetime
    times: int
    taken_at: datetime | None
    """When it was taken after all."""


@dataclass(frozen=True, slots=True)
class Asked:
    """Which dead letters. `reason`: a part of it, in capitals or not; `taken`: also those that were taken after all."""

    limit: int = 100
    after: int = 0
    reason: str | None = None
    source: str | None = None
    taken: bool = False


@dataclass(frozen=True, slots=True)
class Letters:
    """Some dead letters, and the number after which the next ones come; None at the end."""

    items: tuple[Letter, ...]
    next: int | None


class LetterBox:
    """Reads of dead letters on a connection that cannot write; calls from several threads wait for each other.

    Errors: apsw.Error where the store cannot be read.
    """

    def __init__(self, folder: Path) -> None:
        self._db = apsw.Connection(str(folder / FILE), flags=apsw.SQLITE_OPEN_READONLY)
        self._db.set_busy_timeout(2_000)
        self._lock = threading.Lock()

    def close(self) -> None:
        """Read no more."""
        with self._lock:
            self._db.close()

    def some(self, asked: Asked) -> Letters:
        """Dead letters in the order of their numbers; fewer than asked for, and `next`, where little was found."""
        found: list[Letter] = []
        after, limit = asked.after, min(max(asked.limit, 1), MOST)
        for _ in range(_BATCHES):
            batch = self._batch(asked, after)
            for letter in batch:
                after = letter.letter_id
                if asked.source is None or letter.source == asked.source:
                    found.append(letter)
                if len(found) == limit:
                    return Letters(tuple(found), after)
            if len(batch) < _BATCH:
                return Letters(tuple(found), None)
        return Letters(tuple(found), after)

    def _batch(self, asked: Asked, after: int) -> list[Letter]:
        sql = (
            f"SELECT {_COLUMNS} FROM dead_letter JOIN raw USING (raw_id) WHERE letter_id > ?1 "  # noqa: S608 - fixed words
            "AND (?2 OR taken_at IS NULL) AND (?3 IS NULL OR instr(lower(reason), lower(?3))) "
            "ORDER BY letter_id LIMIT ?4"
        )
        with self._lock:
            return [_letter(row) for row in self._db.execute(sql, (after, asked.taken, asked.reason, _BATCH))]

    def one(self, letter_id: int) -> tuple[Letter, bytes | None] | None:
        """One of them, and its message as it came, if that is still kept."""
        sql = f"SELECT {_COLUMNS}, body FROM dead_letter JOIN raw USING (raw_id) WHERE letter_id = ?"  # noqa: S608
        with self._lock:
            row = self._db.execute(sql, (letter_id,)).fetchone()
        return None if row is None else (_letter(row[:-1]), row[-1])


def _letter(row: tuple[Any, ...]) -> Letter:
    letter_id, refused, reason, place, channel, form, feed, first_at, last_at, times, taken_at, head = row
    return Letter(
        letter_id,
        refused,
        reason,
        place,
        channel,
        form,
        source_of(form, head or b"", feed),
        instant(first_at),
        instant(last_at),
        times,
        None if taken_at is None else instant(taken_at),
    )


def source_of(form: str, head: bytes, feed: str | None) -> str | None:
    """Who a message says it is from, as the intake names sources, read from its beginning alone."""
    if form == "hl7v2":
        header = read_header(head)
        said = b"|".join(filter(None, (header.part(3), header.part(4)))).decode("utf-8", "replace")
        return said or feed
    found = _SOURCE.search(head) if form == "event" else None
    return found[1].decode("utf-8", "replace") if found else feed
