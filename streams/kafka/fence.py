"""The one producer that may write for a partition: who starts it shuts out whoever had it before.

Law: all of a transaction is written or nothing; nothing is written by a producer that another has followed.
"""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.errors import KafkaError, ProducerFenced

from streams.kafka.changelog import Line, Place, batches

if TYPE_CHECKING:
    from aiokafka.structs import RecordMetadata

_BATCH: Final = 512 * 1024
_REQUEST: Final = 64 * 1024 * 1024
"""A record may be larger than a batch; it is the topic that says how large."""
_TRANSACTION_MS: Final = 60_000
_RETRY_MS: Final = 50
_STOP: Final = 2.0


class FencedError(Exception):
    """Another worker writes for a partition that this one had; the message is for an operator."""


@dataclass(frozen=True, slots=True)
class Source:
    """Where the records of a transaction came from: the events topic, with its prefix, and the group that reads it."""

    topic: str
    group: str


def _end(first: int, count: int) -> int:
    """The offset after a batch; 0 where the broker no longer knows where it put one that it was sent twice."""
    return first + count if first >= 0 else 0


class Fence:
    """The producer of one partition."""

    def __init__(self, client: Mapping[str, Any], source: Source, partition: int) -> None:
        self._source = source
        self._partition = partition
        self._producer = AIOKafkaProducer(
            **client,
            transactional_id=f"{source.group}-{partition}",
            transaction_timeout_ms=_TRANSACTION_MS,
            acks="all",
            retry_backoff_ms=_RETRY_MS,
            compression_type="lz4",
            max_batch_size=_BATCH,
            max_request_size=_REQUEST,
        )

    async def start(self) -> None:
        """Shut out whoever wrote for this partition; what it had not committed is taken back.

        Errors: KafkaError.
        """
        await self._producer.start()

    async def transact(self, records: Mapping[Place, list[Line]], next_offset: int | None) -> Mapping[Place, int]:
        """Write records and how far the partition is read, all or nothing; the next offset of each place, 0 if unknown.

        Errors: FencedError; KafkaError: whether it was written is known when the next producer has started.
        """
        try:
            async with self._producer.transaction():
                found = await self._write(records, next_offset)
        except ProducerFenced:
            raise self._fenced() from None
        return found

    async def _write(self, records: Mapping[Place, list[Line]], next_offset: int | None) -> Mapping[Place, int]:
        """Everything is handed over before anything is waited for: the broker is asked once for all partitions."""
        sent: list[tuple[Place, int, asyncio.Future[RecordMetadata]]] = []
        for place, lines in records.items():
            for batch in batches(self._producer, lines):
                future = await self._producer.send_batch(batch, place.topic, partition=place.partition)
                sent.append((place, batch.record_count(), future))
        waited: list[Any] = [future for _, _, future in sent]
        if next_offset is not None:
            where = {TopicPartition(self._source.topic, self._partition): next_offset}
            waited.append(self._producer.send_offsets_to_transaction(where, self._source.group))
        for done in await asyncio.gather(*waited, return_exceptions=True):
            if isinstance(done, BaseException):
                raise done
        return {place: _end(future.result().offset, count) for place, count, future in sent}

    def _fenced(self) -> FencedError:
        return FencedError(
            f"partition {self._partition} is written by another worker, or this one was away for longer than a "
            f"transaction may last; nothing was written over it. Start this worker again"
        )

    async def stop(self) -> None:
        """Let go of the producer, within a bound: what it did not commit is taken back by whoever follows."""
        with suppress(KafkaError, TimeoutError, asyncio.CancelledError):
            await asyncio.wait_for(self._producer.stop(), _STOP)
