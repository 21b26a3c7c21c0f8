"""The topics become the console's rows: read, applied and remembered together.

Law: what is shown is some state that the topics had; it is ready once it has reached where they ended when it began.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Literal

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from schemas.topics import ALERTS, EVENTS, NOTICES
from streams.kafka import console_rows
from streams.kafka.connection import Connection
from streams.kafka.console_rows import PROJECTED
from streams.kafka.topics import partitions_of
from streams.kafka.writing import Writer
from streams.node.logs import Log
from streams.node.store_rows import Rows

LOG: Final = Log("console")
_WAIT_MS: Final = 100
_AT_ONCE: Final = 2_000
_FETCH: Final = 8 * 1024 * 1024
_AGAIN: Final = 1.0
_STOP_WITHIN: Final = 1.0
_UNDER_WAY: Final = timedelta(minutes=2)
"""Longer than a transaction may last: what is older and not complete never will be."""
_TIDY_EVERY: Final = 3_600.0

Found = Mapping[TopicPartition, Sequence[Any]]
State = Literal["new", "running", "stopping", "failed"]


class Projection:
    """One reader of all topics that the model is made of (streams.node.http.store_reads.EngineState)."""

    def __init__(self, connection: Connection, writer: Writer) -> None:
        self.state: State = "new"
        self.why: str | None = "reads the topics"
        self.behind: dict[str, int] = {}
        """Of each topic, records that are there and not shown yet."""
        self.unreadable: Counter[str] = Counter()
        """Of each topic, records that are not what they should be."""
        self.ring: Callable[[], None] | None = None
        """Tells whoever reads notices that there are new ones."""
        self._connection = connection
        self._writer = writer
        self._names = {connection.name(topic.name): topic.name for topic in PROJECTED}
        self._watched: dict[str, set[asyncio.Event]] = {}
        self._ends: dict[TopicPartition, int] = {}
        self._tidied_at = time.monotonic()

    async def partitions(self) -> dict[str, int]:
        """Of each topic by its name here.

        Errors: NoBrokerError, TopicsError.
        """
        named = zip(self._names, PROJECTED, strict=True)
        return {name: await partitions_of(self._connection, topic) for name, topic in named}

    async def run(self, partitions: Mapping[str, int]) -> None:
        """Read on and on.

        Errors: NotDurableError where the disk failed.
        """
        while True:
            try:
                await self._read(partitions)
            except KafkaError as error:
                LOG.warning("library", error=type(error).__name__, place="console_projection")
                await asyncio.sleep(_AGAIN)

    async def _read(self, partitions: Mapping[str, int]) -> None:
        consumer = AIOKafkaConsumer(
            **self._connection.arguments(),
            isolation_level="read_committed",
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            max_partition_fetch_bytes=_FETCH,
            fetch_max_bytes=4 * _FETCH,
            fetch_max_wait_ms=_WAIT_MS,
        )
        try:
            await consumer.start()
            where = [TopicPartition(name, n) for name, count in partitions.items() for n in range(count)]
            consumer.assign(where)
            await self._begin(consumer, where)
            while True:
                await self._step(consumer, where)
        finally:
            with suppress(KafkaError, TimeoutError):
                await asyncio.wait_for(consumer.stop(), _STOP_WITHIN)

    async def _begin(self, consumer: AIOKafkaConsumer, where: Sequence[TopicPartition]) -> None:
        """Go on where the rows are, or at the beginning of what the topic has."""
        known = await self._writer.do(console_rows.positions)
        first = await consumer.beginning_offsets(where)
        for tp in where:
            consumer.seek(tp, max(first[tp], known.get((self._names[tp.topic], tp.partition), 0)))
        # Alerts last: every alert of a notice before the ends of the notices lies before these.
        in_order = sorted(where, key=lambda tp: self._names[tp.topic] == ALERTS.name)
        self._ends = {tp: (await consumer.end_offsets([tp]))[tp] for tp in in_order} if self.state == "new" else {}

    async def _step(self, consumer: AIOKafkaConsumer, where: Sequence[TopicPartition]) -> None:
        found: Found = await consumer.getmany(timeout_ms=_WAIT_MS, max_records=_AT_ONCE)
        if found:
            takes_out = any(record.value is None for records in found.values() for record in records)
            keep = self._writer.forget if takes_out and self.state == "running" else self._writer.do
            await keep(lambda rows: self._apply(rows, found))
            self._tell(found)
        await self._look(consumer, where)

    def _apply(self, rows: Rows, found: Found) -> None:
        read = {}
        for tp, records in found.items():
            topic = self._names[tp.topic]
            self.unreadable[topic] += sum(not console_rows.apply(rows, topic, record) for record in records)
            read[topic, tp.partition] = records[-1].offset + 1
        console_rows.put_positions(rows, read)

    # ---- how far it is

    async def _look(self, consumer: AIOKafkaConsumer, where: Sequence[TopicPartition]) -> None:
        behind: Counter[str] = Counter(dict.fromkeys(self._names.values(), 0))
        at = {tp: await consumer.position(tp) for tp in where}
        for tp, position in at.items():
            stable = consumer.last_stable_offset(tp)
            behind[self._names[tp.topic]] += max(0, (stable or 0) - position)
        self.behind = dict(behind)
        if self._ends and all(at[tp] >= end for tp, end in self._ends.items()):
            self._ends = {}
            await self._caught_up(consumer, where)
        elif time.monotonic() - self._tidied_at >= _TIDY_EVERY:
            await self._tidy(consumer, where)

    async def _caught_up(self, consumer: AIOKafkaConsumer, where: Sequence[TopicPartition]) -> None:
        await self._tidy(consumer, where)
        self.state, self.why = "running", None

    async def _tidy(self, consumer: AIOKafkaConsumer, where: Sequence[TopicPartition]) -> None:
        """Let go of what the topics have no more, and of what was said of whom was forgotten."""
        self._tidied_at = time.monotonic()
        events = [tp for tp in where if self._names[tp.topic] == EVENTS.name]
        first = await consumer.beginning_offsets(events)
        before = datetime.now(UTC) - _UNDER_WAY

        def tidied(rows: Rows) -> None:
            console_rows.orphans_removed(rows, before)
            for tp, offset in first.items():
                console_rows.origins_removed(rows, tp.partition, offset)

        await self._writer.forget(tidied)

    # ---- whoever waits

    def _tell(self, found: Found) -> None:
        for tp, records in found.items():
            topic = self._names[tp.topic]
            if topic == NOTICES.name and self.ring is not None:
                self.ring()
            elif topic == ALERTS.name and self._watched:
                for record in records:
                    for event in self._watched.get((record.key or b"").decode("utf-8", "replace"), ()):
                        event.set()

    @contextmanager
    def watching(self, alert_id: str) -> Iterator[asyncio.Event]:
        """An event that is set when the alert was written anew."""
        event = asyncio.Event()
        self._watched.setdefault(alert_id, set()).add(event)
        try:
            yield event
        finally:
            self._watched[alert_id].discard(event)
            if not self._watched[alert_id]:
                del self._watched[alert_id]
