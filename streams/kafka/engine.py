"""The partitions of a worker: which it owns, which it follows for others, and what ends it.

Topic: whoever runs the group says what is owned and what is followed; each partition is ready by itself, whatever the
others are at. What goes wrong in one for good ends the worker: nothing is lost by that, and going on could hide it.
"""

import asyncio
from collections.abc import Collection
from typing import Final

from streams.kafka.engine_lane import Lane, Phase
from streams.kafka.engine_terms import Counts, Deliver, Records, Terms
from streams.kafka.recovery import ChangelogReader, Replica
from streams.kafka.state import Store

_TOGETHER: Final = 4
"""Transactions that are under way at once: what they hold in memory is bounded."""
_FINISH: Final = 4.0
"""Seconds that a transaction under way has to end when its partition is taken away."""


class Engine:
    """What a worker owns and follows."""

    def __init__(
        self,
        terms: Terms,
        source: Records,
        reader: ChangelogReader,
        store: Store,
        deliver: Deliver,
        counts: Counts,
    ) -> None:
        self.lanes: dict[int, Lane] = {}
        self.followed: dict[int, Replica] = {}
        self.assigned = False
        """Whether the group has said what is this worker's."""
        self._terms = terms
        self._source = source
        self._reader = reader
        self._store = store
        self._deliver = deliver
        self._counts = counts
        self._turns = asyncio.Semaphore(_TOGETHER)
        self._said = 0
        """How often it was said that something is taken away."""
        self._is_closed = False
        self._failure: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    @property
    def ready(self) -> bool:
        """Whether every partition that is owned is worked on."""
        return self.assigned and all(lane.phase is Phase.WORKING for lane in self.lanes.values())

    async def failure(self) -> None:
        """Never returns.

        Errors: what ends this worker.
        """
        await asyncio.shield(self._failure)

    def fail(self, error: BaseException) -> None:
        """End this worker."""
        if not self._failure.done():
            self._failure.set_exception(error)

    async def quiet(self) -> None:
        """Finish what is under way, and begin nothing until it is said what is owned."""
        self._said += 1
        await self._stop()

    async def _stop(self) -> None:
        self.assigned = False
        await asyncio.gather(*(lane.stop(_FINISH) for lane in self.lanes.values()))

    async def assign(self, owned: Collection[int], followed: Collection[int]) -> None:
        """Own some partitions and follow others; what is neither is forgotten here."""
        said = self._said
        await self._stop()
        if said != self._said or self._is_closed:
            return  # taken away again meanwhile: whoever started a producer now would shut out the next owner
        held = {lane.partition: lane.replica for lane in self.lanes.values()} | self.followed
        self.lanes = {partition: self._lane(partition, held) for partition in sorted(owned)}
        self.followed = {p: self._replica(p, held) for p in sorted(set(followed) - set(owned))}
        for partition in held.keys() - self.lanes.keys() - self.followed.keys():
            self._reader.leave(held[partition])
            held[partition].state.close()
        for replica in self.followed.values():
            self._reader.follow(replica)
        for lane in self.lanes.values():
            lane.start().add_done_callback(self._ended)
        self.assigned = True

    def _lane(self, partition: int, held: dict[int, Replica]) -> Lane:
        lane = self.lanes.get(partition)
        if lane is not None:
            return lane
        replica = self._replica(partition, held)
        return Lane(replica, self._terms, self._source, self._reader, self._turns, self._deliver, self._counts)

    def _replica(self, partition: int, held: dict[int, Replica]) -> Replica:
        return held.get(partition) or Replica(partition, self._store.open(partition))

    def _ended(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            self.fail(error)

    async def close(self) -> None:
        """Finish what is under way and let go of everything."""
        self._is_closed = True
        await self.quiet()
        for replica in (*self.followed.values(), *(lane.replica for lane in self.lanes.values())):
            replica.state.close()
