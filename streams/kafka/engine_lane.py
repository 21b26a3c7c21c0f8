"""One partition that this worker owns, from its fence to its last commit.

Law: after an error of the broker nobody here knows whether a transaction is durable. The partition is opened again,
which settles it: whoever starts the next producer takes back what is open, and reads what is there.
"""

import asyncio
import time
from contextlib import suppress
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from aiokafka.errors import KafkaError

from streams.kafka.engine_terms import Counts, Deliver, Records, Terms
from streams.kafka.engine_work import Working, unless
from streams.kafka.recovery import ChangelogReader, Replica
from streams.node.logs import LOG

if TYPE_CHECKING:
    from streams.kafka.fence import Fence
    from streams.kafka.work import Shard

_BACKOFF: Final = (0.05, 0.2, 0.5, 1.0)
_OF_THE_BROKER: Final = (KafkaError, ConnectionError, TimeoutError)


class Phase(StrEnum):
    """What a partition is at."""

    OPENING = "opening"
    RECOVERING = "recovering"
    WORKING = "working"
    CLOSED = "closed"


class Lane:
    """One partition."""

    def __init__(
        self,
        replica: Replica,
        terms: Terms,
        source: Records,
        reader: ChangelogReader,
        turns: asyncio.Semaphore,
        deliver: Deliver,
        counts: Counts,
    ) -> None:
        self.replica = replica
        self.partition = replica.partition
        self.phase = Phase.CLOSED
        self._since = time.time()
        self._terms = terms
        self._source = source
        self._reader = reader
        self._turns = turns
        self._deliver = deliver
        self._counts = counts
        self._fence: Fence | None = None
        self._shard: Shard | None = None
        self._working: Working | None = None
        self._closing = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    # ---- how it stands

    @property
    def behind(self) -> int:
        """Records that are known of and not written for yet; zero before it is known."""
        return 0 if self._working is None else self._working.behind

    @property
    def written(self) -> int:
        """Transactions since it was opened."""
        return 0 if self._working is None else self._working.written

    @property
    def waits_since(self) -> float | None:
        """Seconds since 1970, of the oldest that waits; before it is worked on, since when it is not."""
        if self._working is None:
            return self._since
        oldest = self._working.oldest
        return None if oldest is None else oldest.timestamp / 1000

    # ---- its life

    def start(self) -> asyncio.Task[None]:
        """Own the partition; the task ends when it is told to, or fails."""
        self._closing.clear()
        self._come_to(Phase.OPENING)
        self._task = asyncio.create_task(self._run(), name=f"partition {self.partition}")
        return self._task

    async def stop(self, seconds: float) -> None:
        """Finish the transaction under way, or have it taken back if that takes longer."""
        self._closing.set()
        if self._task is None:
            return
        await asyncio.wait({self._task}, timeout=seconds)
        if not self._task.done():
            self._task.cancel()
            await asyncio.wait({self._task})

    async def _run(self) -> None:
        failures = 0
        try:
            while not self._closing.is_set():
                # Whoever starts a producer shuts out the owner: only a member may, once something has gone wrong.
                if failures == 0 or await self._is_member():
                    failures = 0 if await self._opened_and_worked() else failures
                await self._pause(_BACKOFF[min(failures, len(_BACKOFF) - 1)])
                failures += 1
        finally:
            await self._close()

    async def _is_member(self) -> bool:
        try:
            return await self._source.is_member()
        except _OF_THE_BROKER:
            return False

    async def _opened_and_worked(self) -> bool:
        """Whether it could be opened."""
        try:
            self._working = await self._open()
            if self._working is not None:
                self._come_to(Phase.WORKING)
                await self._working.run()
        except _OF_THE_BROKER as error:
            LOG.warning("failed", error=type(error).__name__, of=f"partition {self.partition}")
            self._shard = None
            return self.phase is Phase.WORKING
        finally:
            await self._close()
        return True

    async def _pause(self, seconds: float) -> None:
        with suppress(TimeoutError):
            await asyncio.wait_for(self._closing.wait(), seconds)

    async def _close(self) -> None:
        self._come_to(Phase.CLOSED if self._closing.is_set() else Phase.OPENING)
        self._working = None
        if self._fence is not None:
            fence, self._fence = self._fence, None
            await fence.stop()

    def _come_to(self, phase: Phase) -> None:
        self.phase = phase
        self._since = time.time()

    # ---- opening

    async def _open(self) -> Working | None:
        """Shut out whoever had it before, read what is durable, and go on where that was read to; None if closing."""
        await self._source.pause(self.partition)
        fence = self._fence = self._terms.fence(self.partition)
        await unless(self._closing, fence.start())
        if self._closing.is_set():
            return None
        self._come_to(Phase.RECOVERING)
        read = self.replica.read
        await unless(self._closing, self._reader.catch_up(self.replica))
        if self._closing.is_set():
            self._reader.leave(self.replica)
            return None
        if self._shard is None or self.replica.read != read:
            self._shard = self._terms.factory(self.partition, self._terms.of, self.replica.state)
        return Working(
            self.replica,
            self._shard,
            fence,
            self._terms,
            self._source,
            self._turns,
            self._deliver,
            self._counts,
            self._closing,
            await self._source.begin(self.partition),
        )
