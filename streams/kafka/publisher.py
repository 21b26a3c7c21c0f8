"""Records to the brokers, acknowledged by all copies in sync; and what is done with a producer that does not get there.

Law: `publish` returns only once every record is kept. What it raised for may be kept all the same; it is never said to.

UnreachedError       the brokers did not acknowledge in time: the same records may be tried again
 +- RefusedError     a broker does not take these records, and would not take them again; others it may
"""

import asyncio
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Any, Final

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError, MessageSizeTooLargeError, RecordListTooLargeError, RecordTooLargeError
from aiokafka.structs import OffsetAndMetadata, TopicPartition

from streams.kafka.changelog import batches, placed
from streams.kafka.connection import Connection
from streams.kafka.work import Sent

WITHIN: Final = 8.0
"""Seconds in which records must be acknowledged; senders wait ten or more."""
_START_WITHIN: Final = 10.0
_STOP_WITHIN: Final = 1.0
_BATCH: Final = 512 * 1024
_REQUEST: Final = 64 * 1024 * 1024
"""A record may be larger than a batch; it is the topic that says how large."""
_TRANSACTION: Final = 10_000
"""Milliseconds after which the brokers take back a transaction whose gateway is gone; readers wait for it so long."""
_TOO_LARGE: Final = (MessageSizeTooLargeError, RecordListTooLargeError, RecordTooLargeError)


class UnreachedError(RuntimeError):
    """The records are not acknowledged; the message names no patient."""


class RefusedError(UnreachedError):
    """These records are not taken by the brokers."""


class Publisher:
    """An idempotent producer; with a name, one whose records come all together or not at all.

    Shape: `partitions` of every topic by the name that the contract gives.

    Topic: a name is had by one producer at a time: whoever starts later with the same one shuts the former out, and
    takes back what that had begun.
    """

    def __init__(
        self, connection: Connection, partitions: Mapping[str, int], name: str | None = None, within: float = WITHIN
    ) -> None:
        self._connection = connection
        self._partitions = partitions
        self._name = name
        self._within = within
        self._producer: AIOKafkaProducer | None = None

    async def start(self) -> None:
        """Reach the brokers.

        Errors: UnreachedError.
        """
        producer = AIOKafkaProducer(
            **self._connection.arguments(),
            acks="all",
            enable_idempotence=True,
            transactional_id=None if self._name is None else self._connection.name(self._name),
            transaction_timeout_ms=_TRANSACTION,
            compression_type="lz4",
            max_batch_size=_BATCH,
            max_request_size=_REQUEST,
        )
        try:
            async with asyncio.timeout(_START_WITHIN):
                await producer.start()
        except (KafkaError, TimeoutError, OSError) as error:
            await _release(producer)
            raise UnreachedError(f"no broker answers at {self._connection.bootstrap} ({_kind(error)})") from None
        except BaseException:
            await _release(producer)
            raise
        self._producer = producer

    async def publish(
        self,
        sends: Iterable[Sent],
        read: Mapping[TopicPartition, OffsetAndMetadata] | None = None,
        group: str = "",
    ) -> None:
        """Write records, and with them how far a group has read.

        Errors: UnreachedError; then the producer is let go of, and the next one has to be started.
        """
        producer = self._producer
        if producer is None:
            raise UnreachedError("not connected to any broker")
        try:
            async with asyncio.timeout(self._within):
                await self._publish(producer, sends, read or {}, group)
        except _TOO_LARGE as error:
            await self.stop()
            raise RefusedError(f"a record is larger than the brokers take ({_kind(error)})") from None
        except (KafkaError, TimeoutError, OSError) as error:
            await self.stop()
            raise UnreachedError(f"not acknowledged within {self._within:g} s ({_kind(error)})") from None
        except BaseException:
            await self.stop()
            raise

    async def _publish(
        self,
        producer: AIOKafkaProducer,
        sends: Iterable[Sent],
        read: Mapping[TopicPartition, OffsetAndMetadata],
        group: str,
    ) -> None:
        if self._name is not None:
            await producer.begin_transaction()
        waited: list[Any] = []
        for place, lines in placed(sends, self._connection.prefix, self._partitions).items():
            filled = batches(producer, lines)
            waited += [await producer.send_batch(b, place.topic, partition=place.partition) for b in filled]
        if read:
            waited.append(producer.send_offsets_to_transaction(read, group))
        for done in await asyncio.gather(*waited, return_exceptions=True):
            if isinstance(done, BaseException):
                raise done
        if self._name is not None:
            await producer.commit_transaction()

    @property
    def is_started(self) -> bool:
        """The brokers were reached, and since then nothing failed."""
        return self._producer is not None

    async def stop(self) -> None:
        """Let go of the producer, whatever it still holds."""
        producer, self._producer = self._producer, None
        if producer is not None:
            await _release(producer)


def _kind(error: BaseException) -> str:
    return "no answer" if isinstance(error, TimeoutError) else type(error).__name__


async def _release(producer: AIOKafkaProducer) -> None:
    """Let go of a producer within a bound, with whatever it still holds.

    Topic: `stop` waits until everything is written, for ever where no broker answers, and goes on trying what has been
    answered for already; so it is not asked.
    """
    producer._closed = True  # noqa: SLF001 - else it complains of not having been stopped
    await asyncio.shield(_closed(producer))


async def _closed(producer: AIOKafkaProducer) -> None:
    with suppress(KafkaError, TimeoutError, OSError, asyncio.CancelledError):
        async with asyncio.timeout(_STOP_WITHIN):
            await producer.client.close()  # first, so that what is under way fails instead of being waited for
            await producer._sender.close()  # noqa: SLF001 - there is no other way to end what tries again
