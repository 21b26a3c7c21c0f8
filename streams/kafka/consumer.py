"""Faust's consumer with its path per record replaced: partitions fetch their own records, and nothing is acknowledged.

Topic: kept are the thread in which the client lives, so that heartbeats go on while a chart is decided on, the group,
its rebalances and the assignor. What is replaced is named in tests/kafka/test_faust_pinned.py with what it was.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from typing import Any, ClassVar, Final, TypeVar, cast

from aiokafka import AIOKafkaConsumer, TopicPartition
from faust.transport.drivers.aiokafka import (
    AIOKafkaConsumerThread,
    Consumer,
    ConsumerRebalanceListener,
    Transport,
)
from faust.types import TP

from streams.kafka.fence import FencedError
from streams.kafka.work import Given

T = TypeVar("T")
_FETCH_WAIT_MS: Final = 100
"""A broker is asked one thing at a time: while it waits for records of some partitions it is not asked for others."""
_LOOK: Final = 1.0
_AT_ONCE: Final = 1_000
"""Records: unpacking them takes some milliseconds, in which nobody else of this process gets on."""


class Listener(ConsumerRebalanceListener):
    """What the group says; and whether it has counted this process out meanwhile."""

    def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> Awaitable[None]:
        """Called in the client's thread. A member without an id was counted out: others have its partitions."""
        thread = self._thread
        if set(revoked) and not thread._ensure_consumer()._coordinator.member_id:  # noqa: SLF001
            cast("LaneConsumer", thread.consumer).counted_out()
        return super().on_partitions_revoked(revoked)


class Thread(AIOKafkaConsumerThread):
    """The thread of the client."""

    def _create_worker_consumer(self, transport: Transport) -> AIOKafkaConsumer:
        consumer = super()._create_worker_consumer(transport)
        consumer._fetch_max_wait_ms = _FETCH_WAIT_MS  # noqa: SLF001 - the stock value is in its source, not in a setting
        return consumer


class LaneConsumer(Consumer):
    """A member of the group, whose records are fetched by partition (streams.kafka.engine_terms.Records)."""

    RebalanceListener: ClassVar[type[ConsumerRebalanceListener]] = Listener
    events: str
    """The events topic, with its prefix."""
    quiet: Callable[[], Awaitable[None]]
    """Finishes what is under way."""
    fail: Callable[[BaseException], None]
    """Ends the worker."""
    was_away: Callable[[], bool]
    """Whether this process stood still lately."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.in_transaction = True  # of all that this sets, what is left below is to read what is committed

    def _new_consumer_thread(self) -> AIOKafkaConsumerThread:
        return Thread(self, loop=self.loop, beacon=self.beacon)

    # ---- what Faust asks and gets no more

    def on_init_dependencies(self) -> Iterable[Any]:
        """No producers of Faust's own: each partition has its fence."""
        return []

    async def _drain_messages(self, fetcher: Any) -> None:
        """Partitions fetch for themselves; Faust's fetcher has nothing to do but to live."""
        while not (self.should_stop or fetcher.should_stop):
            await fetcher.sleep(_LOOK)

    def ack(self, message: Any) -> bool:
        """Offsets are committed with what became of their records."""
        del message
        return True

    async def commit(self, topics: Any = None, start_new_transaction: bool = True) -> bool:  # noqa: FBT001, FBT002
        """As `ack`."""
        del topics, start_new_transaction
        return False

    async def perform_seek(self) -> None:
        """Each partition goes on where it is committed to, once it is recovered."""

    async def wait_empty(self) -> None:
        """Called before partitions are given up, and at the end."""
        await self.quiet()

    def verify_event_path(self, now: float, tp: TP) -> None:
        """streams.kafka.lag looks whether partitions get on."""

    def counted_out(self) -> None:
        """Called in the client's thread. If it was the broker that was away, partitions are opened anew, as always."""
        if not self.was_away():
            return
        error = FencedError(
            "the group has counted this worker out: it was away for longer than its session lasts, and others have its "
            "partitions; nothing was written over them. Start this worker again"
        )
        self.loop.call_soon_threadsafe(self.fail, error)

    # ---- records by partition

    async def _in_thread(self, asked: Coroutine[Any, Any, T]) -> T:
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(asked, self._thread.thread_loop))

    def _where(self, partition: int) -> TopicPartition:
        return TopicPartition(self.events, partition)

    @property
    def _client(self) -> AIOKafkaConsumer:
        return self._thread._ensure_consumer()  # noqa: SLF001

    async def fetch(self, partition: int) -> list[Given]:
        return await self._in_thread(self._fetched(self._where(partition)))

    async def _fetched(self, where: TopicPartition) -> list[Given]:
        found = await self._client.getmany(where, timeout_ms=int(_LOOK * 1000), max_records=_AT_ONCE)
        return [
            Given(r.partition, r.offset, r.timestamp, r.key, r.value, r.headers)
            for records in found.values()
            for r in records
        ]

    async def begin(self, partition: int) -> int:
        return await self._in_thread(self._begun(self._where(partition)))

    async def _begun(self, where: TopicPartition) -> int:
        client = self._client
        committed = await client.committed(where)
        if committed is None:
            await client.seek_to_beginning(where)
        else:
            client.seek(where, committed)
        end = (await client.end_offsets([where]))[where]
        client.resume(where)
        return int(end)

    async def pause(self, partition: int) -> None:
        await self._in_thread(self._paused([self._where(partition)]))

    async def pause_all(self) -> None:
        """Fetch nothing until a partition is begun: changelogs are read elsewhere."""
        await self._in_thread(self._paused(self._client.assignment()))

    async def _paused(self, where: Iterable[TopicPartition]) -> None:
        self._client.pause(*where)

    async def is_member(self) -> bool:
        coordinator = self._client._coordinator  # noqa: SLF001
        return bool(await self._in_thread(coordinator._do_heartbeat()))  # noqa: SLF001

    def fetched_to(self, partition: int) -> int:
        state = self._state(partition)
        return 0 if state is None or not state.has_valid_position else int(state.position)

    def unread(self, partition: int) -> int:
        state = self._state(partition)
        if state is None or state.lso is None or not state.has_valid_position:
            return 0
        return max(0, int(state.lso) - int(state.position))

    def _state(self, partition: int) -> Any:
        """What the client knows of a partition; None while it is not assigned."""
        subscription = self._client._subscription.subscription  # noqa: SLF001
        assignment = None if subscription is None else subscription.assignment
        if assignment is None or self._where(partition) not in assignment.tps:
            return None
        return assignment.state_value(self._where(partition))


class LaneTransport(Transport):
    """Faust's transport with that consumer."""

    Consumer: ClassVar[type[Any]] = LaneConsumer
