"""From the evidence of an alert to the message that it came from, as long as the topics have it.

Topic: the console knows where an event is, and by its digest of which message it was. The message itself stands in a
raw topic, written at about the same time: by a gateway under its digest, by a feed under any key.
"""

from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from schemas.topics import EVENTS
from streams.kafka.changelog import partition_of
from streams.kafka.connection import Connection
from streams.kafka.intake_records import MESSAGE, digest_of, incoming_of
from streams.kafka.records import header
from streams.kafka.work import Given
from streams.node.port import Incoming

_BESIDE: Final = 10_000
"""Milliseconds that a gateway may need for a message and its events together."""
_BEFORE: Final = 900_000
"""Milliseconds that a message of a feed may have waited to be translated."""
_MOST: Final = 20_000
"""Records that are looked at for one message."""
_WAIT_MS: Final = 500


@dataclass(frozen=True, slots=True)
class Origin:
    """Where an event is in its topic, when it was written (milliseconds since 1970), and of which message it was."""

    partition: int
    offset: int
    written_at: int
    digest: str | None


async def message_of(connection: Connection, partitions: Mapping[str, int], origin: Origin) -> list[Incoming]:
    """The message of an event; where no raw topic has it (any more), the event as it is. None left: nothing.

    Shape: `partitions` of the raw topics, by the names that the contract gives.
    Errors: KafkaError.
    """
    consumer = AIOKafkaConsumer(
        **connection.arguments(),
        isolation_level="read_committed",
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        fetch_max_wait_ms=_WAIT_MS // 5,
    )
    await consumer.start()
    try:
        found = None
        if origin.digest is not None:
            found = await _Search(connection, partitions, consumer, origin).found(origin.digest)
        if found is None:
            found = await _event(connection, consumer, origin)
        return [] if found is None else [found]
    finally:
        with suppress(KafkaError):
            await consumer.stop()


class _Search:
    """For one message in the raw topics."""

    def __init__(
        self, connection: Connection, partitions: Mapping[str, int], consumer: AIOKafkaConsumer, origin: Origin
    ) -> None:
        self._names = {connection.name(name): name for name in partitions}
        self._partitions = {connection.name(name): count for name, count in partitions.items()}
        self._consumer = consumer
        self._at = origin.written_at

    async def found(self, digest: str) -> Incoming | None:
        """Where a gateway would have written it; then wherever a feed may have."""
        key, counts = digest.encode(), self._partitions.items()
        kept = [TopicPartition(name, partition_of(key, count)) for name, count in counts]
        all_ = [TopicPartition(name, number) for name, count in counts for number in range(count)]
        for where, begins, ends in ((kept, _BESIDE, _BESIDE), (all_, _BEFORE, 0)):
            async for tp, given in self._between(where, self._at - begins, self._at + ends):
                if _is(self._names[tp.topic], given, digest):
                    return incoming_of(self._names[tp.topic], given)
        return None

    async def _between(
        self, where: Iterable[TopicPartition], begins: int, ends: int
    ) -> AsyncIterator[tuple[TopicPartition, Given]]:
        """Records of a time, in the order of each partition."""
        starts = await self._consumer.offsets_for_times({tp: max(0, begins) for tp in where})
        left = {tp: at.offset for tp, at in starts.items() if at is not None}
        stops = await self._consumer.end_offsets(list(left)) if left else {}
        looked = 0
        for tp, offset in left.items():
            self._consumer.assign([tp])
            self._consumer.seek(tp, offset)
            while looked < _MOST and await self._consumer.position(tp) < stops[tp]:
                records = (await self._consumer.getmany(tp, timeout_ms=_WAIT_MS)).get(tp, ())
                if not records or records[0].timestamp > ends:
                    break
                for record in records:
                    looked += 1
                    yield tp, _given(record)


def _is(topic: str, given: Given, digest: str) -> bool:
    said = header(given, MESSAGE)
    return said == digest if said is not None else digest_of(incoming_of(topic, given)) == digest


async def _event(connection: Connection, consumer: AIOKafkaConsumer, origin: Origin) -> Incoming | None:
    tp = TopicPartition(connection.name(EVENTS.name), origin.partition)
    first = (await consumer.beginning_offsets([tp]))[tp]
    if first > origin.offset:
        return None
    consumer.assign([tp])
    consumer.seek(tp, origin.offset)
    for record in (await consumer.getmany(tp, timeout_ms=_WAIT_MS, max_records=1)).get(tp, ()):
        if record.offset == origin.offset:
            at = datetime.fromtimestamp(record.timestamp / 1000, UTC)
            return Incoming("kafka", "event", record.value or b"", at)
    return None


def _given(record: Any) -> Given:
    return Given(record.partition, record.offset, record.timestamp, record.key, record.value, tuple(record.headers))
