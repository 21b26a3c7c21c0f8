"""How an operator's command works on the Kafka deployment: on its topics, whatever processes run.

Shape: answers as those of streams.node.operating, as plain values of JSON; None: no such thing.
Errors: NoBrokerError, TopicsError.
"""

import asyncio
import base64
import logging
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager, suppress
from types import TracebackType
from typing import Any, Final, Self, TypeVar

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaError

from schemas.topics import DEAD_LETTERS, EVENTS
from streams.kafka.connection import Connection, NoBrokerError
from streams.kafka.letters import EXPECTED, again, is_asked_for, said_of
from streams.kafka.records import live_record
from streams.kafka.topics import partitions_of
from streams.kafka.work import Given, Sent
from streams.node.operating import OperatingError
from streams.node.store_letters import Asked

T = TypeVar("T")
Json = dict[str, Any]
_QUIET: Final = 1_000
"""Milliseconds without records after which there are no more: what is before the end are marks of transactions."""


class KafkaDeployment:
    """The topics of a deployment (streams.node.operating.Operated)."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._runner = asyncio.Runner()
        logging.getLogger("aiokafka").addHandler(logging.NullHandler())  # what it says is said by us, in one line

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._runner.close()

    def letters(self, asked: Asked) -> Json:
        return self._run(self._letters(asked))

    def letter(self, letter_id: int) -> Json | None:
        found = self._run(self._letter(letter_id))
        if found is None:
            return None
        body = None if found.value is None else base64.b64encode(found.value).decode()
        return {**said_of(found), "encoding": "base64", "body": body}

    def redrive(self, letter_id: int) -> Json | None:
        """Publish it again; what becomes of it the workers, gateways and receivers decide."""
        letter = self._run(self._letter(letter_id))
        if letter is None:
            return None
        record = again(letter)
        if record is None:
            raise OperatingError(f"dead letter {letter_id} cannot be published again; {EXPECTED}")
        self._run(self._write([record]))
        return {"letter_id": letter_id, "outcome": "published", "topic": record.topic}

    def go_live(self, source: str) -> Json | None:
        """Tell every partition; each tells its part of the digest."""
        self._run(self._tell_all(source))
        return {"source": source, "was_loading": None, "digest": []}

    # ---- on the broker

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        try:
            return self._runner.run(work)
        except (KafkaError, OSError) as error:
            where = self._connection.bootstrap
            raise NoBrokerError(f"no answer from {where} ({type(error).__name__}): is Kafka running there?") from None

    async def _letters(self, asked: Asked) -> Json:
        found: list[Json] = []
        async for letter in self._read(asked.after):
            said = said_of(letter)
            if is_asked_for(said, asked):
                found.append(said)
            if len(found) == asked.limit:
                return {"items": found, "next": said["letter_id"]}
        return {"items": found, "next": None}

    async def _letter(self, letter_id: int) -> Given | None:
        async for letter in self._read(letter_id - 1):
            return letter if letter.offset == letter_id - 1 else None
        return None

    async def _read(self, offset: int) -> AsyncIterator[Given]:
        """Dead letters from an offset to the end as it is now."""
        topic = self._connection.name(DEAD_LETTERS.name)
        await partitions_of(self._connection, DEAD_LETTERS)
        reader = AIOKafkaConsumer(
            **self._connection.arguments(), isolation_level="read_committed", enable_auto_commit=False
        )
        await reader.start()
        place = TopicPartition(topic, 0)
        try:
            reader.assign([place])
            first = (await reader.beginning_offsets([place]))[place]
            end = (await reader.end_offsets([place]))[place]
            reader.seek(place, max(first, offset))
            while await reader.position(place) < end:
                records = (await reader.getmany(place, timeout_ms=_QUIET)).get(place, ())
                if not records:
                    return
                for record in records:
                    yield _given(record)
        finally:
            await reader.stop()

    async def _tell_all(self, source: str) -> None:
        partitions = await partitions_of(self._connection, EVENTS)
        await self._write([live_record(source, partition) for partition in range(partitions)])

    async def _write(self, records: list[Sent]) -> None:
        async with self._writing() as producer:
            for record in records:
                await producer.send_and_wait(
                    self._connection.name(record.topic),
                    value=record.value,
                    key=record.key,
                    partition=record.partition,
                    headers=list(record.headers),
                )

    @asynccontextmanager
    async def _writing(self) -> AsyncIterator[AIOKafkaProducer]:
        producer = AIOKafkaProducer(
            **self._connection.arguments(), acks="all", enable_idempotence=True, max_request_size=DEAD_LETTERS.largest
        )
        await producer.start()
        try:
            yield producer
        finally:
            with suppress(KafkaError):
                await producer.stop()


def _given(record: ConsumerRecord) -> Given:
    headers = tuple((name, value) for name, value in record.headers if value is not None)
    return Given(record.partition, record.offset, record.timestamp, record.key, record.value, headers)
