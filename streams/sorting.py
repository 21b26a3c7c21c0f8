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

FAN: Final = 16
"""Runs of one size that are merged to a longer one: four sizes, and so 64 open files, hold three thousand million."""

_RECORDED: Final = itemgetter(0)
_HEAD: Final = struct.Struct("<qI")
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def in_recorded_order(events: Iterable[AnyEvent], run: int = RUN) -> Iterator[AnyEvent]:
    """The events by `recorded_at`; those of one instant as they were given."""
    spilled = _Runs()
    held: list[tuple[datetime, AnyEvent]] = []
    for event in events:
        if len(held) >= run:
            spilled.add(_spill(held))
            held = []
        held.append((to_utc(event.recorded_at), event))
    held.sort(key=_RECORDED)
    if not spilled.files():
        yield from (event for _, event in held)
        return
    if held:
        spilled.add(_spill(held))
    del held
    for _, _, line in _merged(spilled.files()):
        yield EVENT.validate_python(decode(line))


def _micros(at: datetime) -> int:
    since = at - _EPOCH
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds


class _Runs:
    """Sorted runs in files, by size; as many of one size as are merged at once become one of the next."""

    def __init__(self) -> None:
        self._sizes: list[list[IO[bytes]]] = [[]]

    def add(self, file: IO[bytes], size: int = 0) -> None:
        """Take a run; what it holds came after everything that was taken before."""
        if size == len(self._sizes):
            self._sizes.append([])
        self._sizes[size].append(file)
        if len(self._sizes[size]) == FAN:
            full, self._sizes[size] = self._sizes[size], []
            self.add(_written((at, line) for at, _, line in _merged(full)), size + 1)

    def files(self) -> list[IO[bytes]]:
        """The runs in the order in which their events were given."""
        return [file for size in reversed(self._sizes) for file in size]


def _spill(held: list[tuple[datetime, AnyEvent]]) -> IO[bytes]:
    held.sort(key=_RECORDED)
    return _written((_micros(at), encode(event)) for at, event in held)


def _written(lines: Iterable[tuple[int, bytes]]) -> IO[bytes]:
    file = tempfile.TemporaryFile(prefix="trabecula-sort-")  # noqa: SIM115 - read again by the merge, closed there
    for at, line in lines:
        file.write(_HEAD.pack(at, len(line)) + line)
    file.seek(0)
    return file


def _read(file: IO[bytes], run: int) -> Iterator[tuple[int, int, bytes]]:
    with file:
        while head := file.read(_HEAD.size):
            at, size = _HEAD.unpack(head)
            yield at, run, file.read(size)


def _merged(files: list[IO[bytes]]) -> Iterator[tuple[int, int, bytes]]:
    """Runs were cut in the order given, so that equal instants go by run."""
    # By instant and run alone: two lines of one run are never compared, and keep their order.
    return heapq.merge(*(_read(file, i) for i, file in enumerate(files)), key=itemgetter(0, 1))
