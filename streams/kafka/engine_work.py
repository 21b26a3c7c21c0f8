"""A partition that is recovered: its chunks and its ticks, each one transaction.

Law: the shard and the state go forward only when the transaction is durable; until then both are as they were.
"""

import asyncio
import time
from collections.abc import Awaitable
from datetime import UTC, datetime
from typing import Final, TypeVar

from schemas.days import FOREVER
from streams.kafka.changelog import Place, lines_of, placed
from streams.kafka.chunks import Chunk, Inbox, Pace
from streams.kafka.engine_terms import Counts, Deliver, Records, Terms
from streams.kafka.fence import Fence, FencedError
from streams.kafka.recovery import Replica
from streams.kafka.work import Given, Shard, Work

T = TypeVar("T")
_LOOK: Final = 1.0
"""Seconds between two looks at the clock where nothing comes."""


async def unless(closing: asyncio.Event, waited: Awaitable[T]) -> T | None:
    """What is waited for; None if what is closing comes first, or at the same time and it is not there yet."""
    task = asyncio.ensure_future(waited)
    ending = asyncio.ensure_future(closing.wait())
    try:
        await asyncio.wait({task, ending}, return_when=asyncio.FIRST_COMPLETED)
        return task.result() if task.done() else None
    finally:
        for one in (task, ending):
            if not one.done():
                one.cancel()
                await asyncio.wait({one})


class Working:
    """The work of one partition, from its first chunk on."""

    def __init__(
        self,
        replica: Replica,
        shard: Shard,
        fence: Fence,
        terms: Terms,
        source: Records,
        turns: asyncio.Semaphore,
        deliver: Deliver,
        counts: Counts,
        closing: asyncio.Event,
        end: int,
    ) -> None:
        self.written = 0
        """Transactions that are durable."""
        self._replica = replica
        self._partition = replica.partition
        self._shard = shard
        self._fence = fence
        self._terms = terms
        self._source = source
        self._turns = turns
        self._deliver = deliver
        self._counts = counts
        self._closing = closing
        self._unread_at_opening: int | None = end
        """Where the partition ended when it was opened; None once that is read."""
        self._inbox = Inbox(self._partition, source.fetch, terms.most)
        self._pace = Pace(terms.most)
        self._in_hand: list[Given] = []

    @property
    def behind(self) -> int:
        """Records that are known of and not written for yet."""
        return self._source.unread(self._partition) + len(self._inbox) + len(self._in_hand)

    @property
    def oldest(self) -> Given | None:
        """The record that waits for longest; None if nothing waits."""
        return self._in_hand[0] if self._in_hand else self._inbox.first

    async def run(self) -> None:
        """Work until the partition is to be given up.

        Errors: FencedError; KafkaError; whatever a shard raises.
        """
        filling = asyncio.create_task(self._inbox.fill())
        try:
            while not self._closing.is_set():
                if filling.done():
                    filling.result()
                await self._step()
        finally:
            filling.cancel()
            await asyncio.wait({filling})

    async def _step(self) -> None:
        if await unless(self._closing, self._inbox.wait(min(_LOOK, self._seconds_until_due()))):
            await self._write_chunk(self._inbox.take(self._pace.most))
        if not self._closing.is_set() and self._seconds_until_due() <= 0:
            async with self._turns:
                await self._commit(self._shard.tick(datetime.now(UTC), self._terms.most_due), 0, None)

    def _seconds_until_due(self) -> float:
        """Time alone decides nothing before what was there when the partition was opened is read."""
        if not self._has_caught_up():
            return _LOOK
        at = self._shard.next_check_at()
        return _LOOK if at >= FOREVER else max(0.0, (at - datetime.now(UTC)).total_seconds())

    def _has_caught_up(self) -> bool:
        end = self._unread_at_opening
        if end is not None and not self._inbox and self._source.fetched_to(self._partition) >= end:
            self._unread_at_opening = None
        return self._unread_at_opening is None

    async def _write_chunk(self, records: list[Given]) -> None:
        self._in_hand = records
        async with self._turns:
            chunk = Chunk(records, self._decide)
            if not self._closing.is_set():
                await self._deliver(self._partition, chunk)
            work = await unless(self._closing, chunk.work)
            if work is not None:
                await self._commit(work, len(records), chunk.next_offset)
        self._in_hand = []

    def _decide(self, records: list[Given]) -> Work:
        began = time.perf_counter()
        work = self._shard.take(records, datetime.now(UTC))
        took = time.perf_counter() - began
        self._pace.took(took, len(records))
        self._counts.took(took, len(records))
        return work

    async def _commit(self, work: Work, count: int, next_offset: int | None) -> None:
        records = placed(work.sends, self._terms.prefix, self._terms.partitions)
        changelog = Place(self._terms.changelog, self._partition)
        if work.changes:
            records[changelog] = list(lines_of(work.changes))
        try:
            ends = await self._fence.transact(records, next_offset) if records or next_offset is not None else {}
        except BaseException as error:
            self._shard.dropped()
            self._counts.lost(self._partition, "fenced" if isinstance(error, FencedError) else "aborted")
            raise
        if changelog in ends:
            state = self._replica.state
            state.apply(work.changes.items(), max(state.position, ends[changelog]))
        self._shard.committed()
        self.written += 1
        self._counts.written(self._partition, count, work)
