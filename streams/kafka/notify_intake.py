"""Notices come to one receiver: a member of the receiver's group of consumers, and what it may read and commit.

Topic: whatever the group gives this process is read on where the spool is, and committed where it is settled. At a
rebalance everything is given up, and what is still given to this process is taken up again.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError
from aiokafka.structs import OffsetAndMetadata

from streams.kafka.connection import Connection

AT_ONCE: Final = 500
_LOOK_MS: Final = 200
_WITHIN: Final = 2.0
"""Seconds in which the brokers must answer; what they did not say is asked again."""
_HEARTBEATS: Final = 10
"""In a session."""
_FETCH: Final = 1024 * 1024
_BEGAN: Final = "began="
"""What is said beside a committed offset: where the receiver began."""

Batch = list[Any]


@dataclass(frozen=True, slots=True)
class Given:
    """What the group gave: by partition, where the receiver began, and up to where the group has committed."""

    began: Mapping[int, int]
    committed: Mapping[int, int]


class Intake(ConsumerRebalanceListener):  # type: ignore[misc]
    """One member of one group.

    `give_up`: called before partitions may be others'; what it finishes is committed after it.
    """

    def __init__(
        self,
        connection: Connection,
        topic: str,
        group: str,
        *,
        at_the_beginning: bool,
        give_up: Callable[[], Awaitable[None]],
        session: float,
    ) -> None:
        self._connection = connection
        self._topic = topic
        self._group = group
        self._at_the_beginning = at_the_beginning
        self._give_up = give_up
        self._consumer = AIOKafkaConsumer(
            **connection.arguments(),
            group_id=group,
            isolation_level="read_committed",
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            session_timeout_ms=int(session * 1_000),
            heartbeat_interval_ms=int(session * 1_000) // _HEARTBEATS,
            max_partition_fetch_bytes=_FETCH,
        )
        self._given: Given | None = None
        self._is_new = False
        self._is_full = False

    async def start(self) -> None:
        """Join the group.

        Errors: KafkaError.
        """
        self._consumer.subscribe([self._topic], listener=self)
        await self._consumer.start()

    async def stop(self) -> None:
        """Leave the group, within a bound: without brokers the group sees by itself that nobody is there."""
        with suppress(KafkaError, TimeoutError):
            await asyncio.wait_for(self._consumer.stop(), _WITHIN)

    # ---- what the group says

    async def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:
        if list(revoked) and self._given is not None:
            await self._give_up()
        self._given, self._is_new = None, False

    async def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        del assigned
        self._is_new = True

    @property
    def is_new(self) -> bool:
        """The group gave something that was not taken up yet."""
        return self._is_new

    async def given(self) -> Given:
        """What the group gave; a receiver that is new has begun now, and that is committed.

        Errors: KafkaError.
        """
        self._is_new = False
        where = sorted(self._consumer.assignment())
        known = await self._known(where)
        first = await self._consumer.beginning_offsets(where) if where else {}
        last = await self._consumer.end_offsets(where) if where and not self._at_the_beginning else first
        began = {tp.partition: known[tp][1] if tp in known else last[tp] for tp in where}
        committed = {tp.partition: known[tp][0] if tp in known else last[tp] for tp in where}
        given = Given({p: max(at, first[self._where(p)]) for p, at in began.items()}, committed)
        self._given = given
        if not await self.commit({tp.partition: last[tp] for tp in where if tp not in known}):
            self._is_new = True  # nothing was read yet: it begins a moment later
        return given

    async def _known(self, where: list[TopicPartition]) -> dict[TopicPartition, tuple[int, int]]:
        """What is committed of partitions, and where the receiver began."""
        if not where:
            return {}
        admin = AIOKafkaAdminClient(**self._connection.arguments())
        await admin.start()
        try:
            found = await admin.list_consumer_group_offsets(self._group, partitions=where)
        finally:
            await admin.close()
        return {tp: (at.offset, _began(at.metadata)) for tp, at in found.items() if at.offset >= 0}

    # ---- reading

    def read_from(self, positions: Mapping[int, int]) -> None:
        """Read on from there."""
        for partition, offset in positions.items():
            self._consumer.seek(self._where(partition), offset)

    async def some(self) -> Batch:
        """Records that come next; none after a moment in which none came, or while nothing more may come.

        Errors: KafkaError.
        """
        found = await self._consumer.getmany(timeout_ms=_LOOK_MS, max_records=AT_ONCE)
        if self._given is None or self._is_new:
            return []
        return [record for records in found.values() for record in records if record.partition in self._given.committed]

    def hold(self, *, is_full: bool) -> None:
        """Let nothing more come, or let it come again."""
        if is_full and self._consumer.assignment():
            self._consumer.pause(*self._consumer.assignment())
        elif self._is_full:
            self._consumer.resume(*self._consumer.paused())
        self._is_full = is_full

    async def commit(self, offsets: Mapping[int, int]) -> bool:
        """Commit offsets of partitions that this process has; False where the group does not take them just now."""
        if self._given is None:
            return False
        began = self._given.began
        asked = {self._where(p): OffsetAndMetadata(o, f"{_BEGAN}{began[p]}") for p, o in offsets.items() if p in began}
        try:
            if asked:
                await asyncio.wait_for(self._consumer.commit(asked), _WITHIN)
        except (KafkaError, TimeoutError):
            return False
        return True

    def _where(self, partition: int) -> TopicPartition:
        return TopicPartition(self._topic, partition)


def _began(metadata: str) -> int:
    """Where a receiver began; the beginning where somebody else has set its offset."""
    said = metadata.removeprefix(_BEGAN)
    return int(said) if said.isdecimal() else 0
