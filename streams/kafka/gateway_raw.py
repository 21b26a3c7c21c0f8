"""Raw messages that feeds publish themselves: translated here, with how far they are read in the same transaction.

Law: a raw message is read once its events, or its dead letter, are kept, and not before.
Topic: what gateways themselves keep in the raw topics says that it was translated, and is passed over.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, ConsumerRecord
from aiokafka.errors import KafkaError
from aiokafka.structs import OffsetAndMetadata, TopicPartition

from schemas.topics import RAW_FHIR, RAW_HL7V2
from streams.kafka.connection import Connection, NoBrokerError, let_go
from streams.kafka.gateway_lane import Lane, stand_back
from streams.kafka.intake_records import incoming_of, is_translated
from streams.kafka.publisher import Publisher, UnreachedError
from streams.kafka.translating import Translator
from streams.kafka.work import Count, Given
from streams.node.clock import Clock
from streams.node.logs import LOG
from streams.node.port import Incoming

GROUP: Final = "trabecula.gateway"
_TOGETHER: Final = 64
_BYTES: Final = 4 * 1024 * 1024
_WAIT: Final = 500
_AGAIN: Final = 1.0
_START_WITHIN: Final = 30.0


class RawFeed:
    """What one gateway has of the raw topics; the gateways share the partitions."""

    def __init__(
        self,
        connection: Connection,
        translator: Translator,
        publisher: Publisher,
        clock: Clock,
        count: Callable[[Counter[Count]], None],
        before: Sequence[Lane],
    ) -> None:
        self._connection = connection
        self._translator = translator
        self._publisher = publisher
        self._clock = clock
        self._count = count
        self._before = before
        self._thread = ThreadPoolExecutor(1, "lane-raw")
        self._group = connection.name(GROUP)
        self._names = {connection.name(topic.name): topic.name for topic in (RAW_HL7V2, RAW_FHIR)}
        self._is_closed = False
        self._consumer = AIOKafkaConsumer(
            *self._names,
            **connection.arguments(),
            group_id=self._group,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            isolation_level="read_committed",
            session_timeout_ms=10_000,
            max_partition_fetch_bytes=_BYTES,
        )
        self.why: str | None = "not connected to any broker yet"
        """Why raw messages wait; None while they are read."""

    async def start(self) -> None:
        """Join the gateways that read.

        Errors: NoBrokerError, UnreachedError.
        """
        try:
            async with asyncio.timeout(_START_WITHIN):
                await self._consumer.start()
        except (KafkaError, TimeoutError, OSError) as error:
            raise NoBrokerError(
                f"no broker lets {self._group} read at {self._connection.bootstrap} ({type(error).__name__})"
            ) from None
        await self._publisher.start()
        self.why = None

    async def run(self) -> None:
        """Work until `close`; what is not acknowledged is read again."""
        while not self._is_closed:
            try:
                found = await self._consumer.getmany(timeout_ms=_WAIT, max_records=_TOGETHER)
                if found:
                    await stand_back(self._before)
                    await self._work(found)
                self._stands(None)
            except (KafkaError, UnreachedError) as error:
                self._stands(str(error) if isinstance(error, UnreachedError) else type(error).__name__)
                await self._again()

    async def _work(self, found: Mapping[TopicPartition, Sequence[ConsumerRecord[Any, Any]]]) -> None:
        given = [(tp.topic, _given(record)) for tp, records in found.items() for record in records]
        messages = [self._incoming(topic, one) for topic, one in given if one.value and not is_translated(one)]
        read = {tp: OffsetAndMetadata(records[-1].offset + 1, "") for tp, records in found.items()}
        loop = asyncio.get_running_loop()
        taken = await loop.run_in_executor(self._thread, self._translator.take_all, messages, self._clock.now())
        try:
            await self._publisher.publish((sent for one in taken for sent in one.sends), read, self._group)
        except UnreachedError:
            self._translator.settle(kept=False)
            raise
        self._translator.settle(kept=True)
        for one in taken:
            self._count(one.counts)

    def _incoming(self, topic: str, given: Given) -> Incoming:
        return incoming_of(self._names[topic], given)

    async def _again(self) -> None:
        """Reach the brokers again, and read from what was kept last."""
        await asyncio.sleep(_AGAIN)
        if not self._publisher.is_started:
            try:
                await self._publisher.start()
            except UnreachedError as error:
                self._stands(str(error))
                return
        try:
            await self._consumer.seek_to_committed()
        except KafkaError:
            return

    def _stands(self, why: str | None) -> None:
        """Say it when it changes."""
        if why is not None and self.why is None:
            LOG.error("not_taking", of="raw", reason=why)
        elif why is None and self.why is not None:
            LOG.info("taking_again", of="raw")
        self.why = why

    def close(self) -> None:
        """Begin nothing more."""
        self._is_closed = True

    async def release(self) -> None:
        """Let go of everything; what is under way is taken back, and read by another gateway."""
        await let_go(self._consumer)
        await self._publisher.stop()
        self._thread.shutdown(wait=False, cancel_futures=True)


def _given(record: ConsumerRecord[Any, Any]) -> Given:
    headers = tuple((name, value or b"") for name, value in record.headers)
    return Given(record.partition, record.offset, record.timestamp, record.key, record.value, headers)
