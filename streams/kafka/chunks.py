"""Records of one partition, in chunks that grow with the backlog.

Topic: a record is taken at once. What comes in while a chunk is being written is the next chunk, up to a bound: a quiet
topic is answered at once, and a backlog is written in few transactions.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from streams.kafka.work import Given, Work

_MOMENT: Final = 0.2
"""Seconds: a transaction costs a tenth of that, and another one is decided on meanwhile."""
_MOST_BYTES: Final = 4 * 1024 * 1024
_ROOM: Final = 2
"""Chunks that wait, beyond which no more is taken from the client."""

Fetch = Callable[[int], Awaitable[Sequence[Given]]]
"""Records of a partition that come next; none if none came for a while."""


@dataclass(eq=False, slots=True)
class Chunk:
    """Records that are decided on and written together, and what became of them."""

    records: list[Given]
    decide: Callable[[list[Given]], Work]
    work: asyncio.Future[Work] = field(default_factory=lambda: asyncio.get_running_loop().create_future())

    @property
    def next_offset(self) -> int:
        """Up to where the partition is read with this chunk."""
        return self.records[-1].offset + 1

    def take(self) -> None:
        """Decide on the records; a mistake is told to whoever waits for the work, and nobody writes."""
        if self.work.done():
            return
        try:
            self.work.set_result(self.decide(self.records))
        except Exception as mistake:  # noqa: BLE001 - the agent goes on; whoever waits for the work ends the worker
            self.work.set_exception(mistake)


class Pace:
    """How many records are decided on at once: so many that whatever else waits, waits for a moment."""

    def __init__(self, most: int) -> None:
        self.most = most
        self._at_most = most

    def took(self, seconds: float, records: int) -> None:
        """Learn from a chunk."""
        fitting = int(_MOMENT * records / max(seconds, 1e-6))
        self.most = max(1, min(self._at_most, fitting, 2 * self.most))


class Inbox:
    """What was fetched of a partition and not yet taken."""

    def __init__(self, partition: int, fetch: Fetch, most: int) -> None:
        self._partition = partition
        self._fetch = fetch
        self._most = most
        self._records: list[Given] = []
        self._bytes = 0
        self._some = asyncio.Event()
        self._room = asyncio.Event()
        self._room.set()

    def __len__(self) -> int:
        return len(self._records)

    @property
    def first(self) -> Given | None:
        """The record that has waited longest."""
        return self._records[0] if self._records else None

    async def fill(self) -> None:
        """Fetch on and on, as far as there is room.

        Errors: KafkaError.
        """
        while True:
            await self._room.wait()
            found = await self._fetch(self._partition)
            if found:
                self._records.extend(found)
                self._bytes += _size(found)
                self._some.set()
            if not self._has_room():
                self._room.clear()

    def _has_room(self) -> bool:
        return len(self._records) < _ROOM * self._most and self._bytes < _ROOM * _MOST_BYTES

    async def wait(self, seconds: float) -> bool:
        """Whether there is a record, now or within so many seconds."""
        if not self._records and seconds > 0:
            self._some.clear()
            try:
                await asyncio.wait_for(self._some.wait(), seconds)
            except TimeoutError:
                return False
        return bool(self._records)

    def take(self, most: int) -> list[Given]:
        """The records that come next, as many as there are, at most so many."""
        taken = self._records[:most]
        size = _size(taken)
        while size > _MOST_BYTES and len(taken) > 1:
            size -= len(taken.pop().value or b"")
        del self._records[: len(taken)]
        self._bytes -= size
        if self._has_room():
            self._room.set()
        return taken


def _size(records: Sequence[Given]) -> int:
    return sum(len(record.value or b"") for record in records)
