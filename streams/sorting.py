"""Events in the order of their recording, however many there are: what does not fit in memory goes to disk."""

import heapq
import struct
import tempfile
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from operator import itemgetter
from typing import IO, Final

from schemas.days import to_utc
from schemas.events import EVENT, AnyEvent
from schemas.wire import decode, encode

RUN: Final = 50_000
"""Events held in memory at once."""

_RECORDED: Final = itemgetter(0)
_HEAD: Final = struct.Struct("<qI")
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def in_recorded_order(events: Iterable[AnyEvent], run: int = RUN) -> Iterator[AnyEvent]:
    """The events by `recorded_at`; those of one instant as they were given."""
    spilled: list[IO[bytes]] = []
    held: list[tuple[datetime, AnyEvent]] = []
    for event in events:
        if len(held) >= run:
            spilled.append(_spill(held))
            held = []
        held.append((to_utc(event.recorded_at), event))
    held.sort(key=_RECORDED)
    if not spilled:
        yield from (event for _, event in held)
        return
    if held:
        spilled.append(_spill(held))
    del held
    yield from _merged(spilled)


def _micros(at: datetime) -> int:
    since = at - _EPOCH
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds


def _spill(held: list[tuple[datetime, AnyEvent]]) -> IO[bytes]:
    held.sort(key=_RECORDED)
    file = tempfile.TemporaryFile(prefix="trabecula-sort-")  # noqa: SIM115 - read again by the merge, closed there
    for at, event in held:
        line = encode(event)
        file.write(_HEAD.pack(_micros(at), len(line)) + line)
    file.seek(0)
    return file


def _read(file: IO[bytes], run: int) -> Iterator[tuple[int, int, bytes]]:
    with file:
        while head := file.read(_HEAD.size):
            at, size = _HEAD.unpack(head)
            yield at, run, file.read(size)


def _merged(spilled: list[IO[bytes]]) -> Iterator[AnyEvent]:
    """Runs were cut in the order given, so that equal instants go by run."""
    runs = [_read(file, i) for i, file in enumerate(spilled)]
    for _, _, line in heapq.merge(*runs):
        yield EVENT.validate_python(decode(line))
