"""Changelogs are read by the batch, straight from the fetch, into the states of partitions.

Topic: one reader follows all partitions that this process keeps and does not own, and brings those forward that it is
about to own. It belongs to no group, so that a rebalance does not stop it.
"""

import asyncio
from collections.abc import Mapping
from typing import Any, Final, Self

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from streams.kafka.state import Held, StoreError

_AT_ONCE: Final = 2_000
_WAIT_MS: Final = 100
_FETCH: Final = 8 * 1024 * 1024
_BACKOFF: Final = 0.5


class Replica:
    """A partition's state as far as its changelog has been read."""

    def __init__(self, partition: int, state: Held) -> None:
        self.partition = partition
        self.state = state
        self.target = 0
        """Up to where the changelog is to be read; 0 while that is not asked for."""
        self.read = 0
        """Records applied since this process has it."""

    @property
    def left(self) -> int:
        """Offsets that are still to be read."""
        return max(0, self.target - self.state.position)


class ChangelogReader:
    """Reads the changelogs of partitions."""

    def __init__(self, client: Mapping[str, Any], topic: str) -> None:
        self._topic = topic
        self._consumer = AIOKafkaConsumer(
            **client,
            isolation_level="read_committed",
            auto_offset_reset="earliest",
            enable_auto_commit=False,
            max_partition_fetch_bytes=_FETCH,
            fetch_max_bytes=4 * _FETCH,
            fetch_max_wait_ms=_WAIT_MS,
        )
        self._replicas: dict[int, Replica] = {}
        self._changed = asyncio.Condition()
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        await self._consumer.start()
        self._task = asyncio.create_task(self._run())
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})
        await self._consumer.stop()

    async def failure(self) -> None:
        """Never returns.

        Errors: what ended the reading.
        """
        if self._task is not None:
            await asyncio.shield(self._task)

    def follow(self, replica: Replica) -> None:
        """Keep a state up to date."""
        if self._replicas.get(replica.partition) is not replica:
            self._replicas[replica.partition] = replica
            self._assign()

    def leave(self, replica: Replica) -> None:
        """Go no further with a state."""
        if self._replicas.get(replica.partition) is replica:
            del self._replicas[replica.partition]
            self._assign()

    async def catch_up(self, replica: Replica) -> None:
        """Bring a state to where its changelog ends now, and go no further.

        Errors: KafkaError; StoreError if the state is of another changelog.
        """
        where = TopicPartition(self._topic, replica.partition)
        replica.target = (await self._consumer.end_offsets([where]))[where]
        if replica.state.position > replica.target:
            raise StoreError(
                f"the local state of partition {replica.partition} is ahead of its changelog ({replica.state.position} "
                f"> {replica.target}): the topic was made anew. Remove the local state; it is read again"
            )
        if replica.left:
            self.follow(replica)
            async with self._changed:
                await self._changed.wait_for(lambda: not replica.left)
        self.leave(replica)

    def _assign(self) -> None:
        """Read on where each state is: an assignment knows nothing of the one before it."""
        self._consumer.assign([TopicPartition(self._topic, partition) for partition in self._replicas])
        for partition, replica in self._replicas.items():
            self._consumer.seek(TopicPartition(self._topic, partition), replica.state.position)

    async def _run(self) -> None:
        while True:
            if not self._replicas:
                await asyncio.sleep(_BACKOFF / 10)
                continue
            try:
                await self._step()
            except KafkaError:
                await asyncio.sleep(_BACKOFF)

    async def _step(self) -> None:
        found = await self._consumer.getmany(timeout_ms=_WAIT_MS, max_records=_AT_ONCE)
        for where, records in found.items():
            replica = self._replicas.get(where.partition)
            if replica is not None and records[-1].offset >= replica.state.position:
                replica.state.apply(((r.key, r.value) for r in records), records[-1].offset + 1)
                replica.read += len(records)
        await self._pass_markers()
        async with self._changed:
            self._changed.notify_all()

    async def _pass_markers(self) -> None:
        """A position goes past the marks of transactions, which no record tells of."""
        for replica in [r for r in self._replicas.values() if r.left]:
            where = TopicPartition(self._topic, replica.partition)
            if where in self._consumer.assignment():
                position = await self._consumer.position(where)
                if self._replicas.get(replica.partition) is replica and position > replica.state.position:
                    replica.state.apply((), position)
