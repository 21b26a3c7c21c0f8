"""A gateway in this process on free ports, its senders, and a reader of what it wrote that is none of ours."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

import httpx
from confluent_kafka import Consumer, Message, Producer, TopicPartition

from schemas.topics import Topic, topics_of_site
from schemas.wire import decode, encode
from streams.kafka.connection import Connection
from streams.kafka.gateway import Options, Running, running
from streams.kafka.topics import create
from streams.node.access_settings import AccessSettings
from streams.service import Service
from streams.settings_node import NodeSettings
from tests.node.http_clinic import service
from tests.node.mllp_clinic import Sender, block
from tests.node.serving import JSON, Metrics

PARTITIONS: Final = 4
WITHIN: Final = 2.0
"""Seconds in which the brokers of the tests must acknowledge."""


@dataclass(frozen=True)
class Record:
    """A record as another client reads it."""

    partition: int
    key: bytes | None
    value: bytes | None
    headers: Mapping[str, bytes]

    @property
    def said(self) -> Any:
        """The value, decoded."""
        return decode(self.value or b"")

    def header(self, name: str) -> str:
        return self.headers[name].decode()


def records(connection: Connection, topic: Topic) -> list[Record]:
    """All that a reader of what is committed finds in a topic."""
    reader = Consumer(
        {
            "bootstrap.servers": connection.bootstrap,
            "group.id": "nobody",
            "isolation.level": "read_committed",
            "enable.partition.eof": True,
            "enable.auto.commit": False,
        }
    )
    name = connection.name(topic.name)
    partitions = reader.list_topics(name, timeout=20).topics[name].partitions
    reader.assign([TopicPartition(name, partition, 0) for partition in partitions])
    found, ended = [], 0
    while ended < len(partitions):
        polled = reader.poll(20)
        assert polled is not None, f"{name} could not be read to its end"
        if polled.error() is None:
            found.append(_record(polled))
        else:
            assert str(polled.error()).startswith("KafkaError{code=_PARTITION_EOF")
            ended += 1
    reader.close()
    return found


def _record(read: Message) -> Record:
    headers: Any = dict(read.headers() or [])
    return Record(read.partition() or 0, read.key(), read.value(), headers)


def publish(connection: Connection, topic: Topic, *values: bytes, key: bytes | None = None, **more: Any) -> None:
    """Write as a feed does that is not ours."""
    producer = Producer({"bootstrap.servers": connection.bootstrap, "partitioner": "murmur2_random"})
    for value in values:
        producer.produce(connection.name(topic.name), value, key, **more)
    assert producer.flush(20) == 0


@dataclass(frozen=True)
class Clinic:
    """A gateway and its senders."""

    running: Running
    connection: Connection
    http: httpx.AsyncClient

    async def post(self, *events: Mapping[str, Any]) -> list[str]:
        """Send events; what became of each."""
        answer = await self.http.post("/v1/events", content=encode(events), headers=JSON)
        assert answer.status_code == 200, answer.text
        return [item["outcome"] for item in answer.json()["items"]]

    async def fhir(self, document: Mapping[str, Any]) -> httpx.Response:
        """Send a resource or a Bundle."""
        headers = {"content-type": "application/fhir+json"}
        return await self.http.post("/fhir", content=encode(document), headers=headers)

    async def hl7(self, message: bytes) -> tuple[str, str]:
        """Send a message over MLLP; MSA-1 and MSA-2."""
        async with self.mllp() as sender:
            await sender.send(block(message))
            return await sender.told()

    @asynccontextmanager
    async def mllp(self) -> AsyncIterator[Sender]:
        """A connection."""
        host, _, port = self.running.mllp.rpartition(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        try:
            yield Sender(reader, writer)
        finally:
            writer.transport.abort()

    async def is_ready(self) -> bool:
        """Whether it says that it takes messages."""
        return (await self.http.get("/readyz")).status_code == 200

    async def metrics(self) -> Metrics:
        """The metrics as they are scraped."""
        return Metrics((await self.http.get("/metrics")).text)

    def records(self, topic: Topic) -> list[Record]:
        """All that is committed in a topic."""
        return records(self.connection, topic)

    def events(self) -> list[str]:
        """The ids of all events that are committed."""
        return [record.said["event_id"] for record in self.records(topics_of_site()[0])]


@asynccontextmanager
async def gateway(
    connection: Connection, *, of: Service | None = None, within: float = WITHIN, **node: Any
) -> AsyncIterator[Clinic]:
    """A gateway whose topics are there."""
    await create(connection, topics_of_site(partitions=PARTITIONS, copies=1))
    settings = NodeSettings(http="127.0.0.1:0", mllp="127.0.0.1:0", **node)
    options = Options(connection, settings, AccessSettings(), within=within)
    async with (
        running(of or service(), options) as made,
        httpx.AsyncClient(base_url=f"http://{made.http}", timeout=30) as http,
    ):
        yield Clinic(made, connection, http)


async def eventually(what: Any, within: float = 20.0) -> None:
    """Wait until an awaited answer is yes."""
    async with asyncio.timeout(within):
        while not await what():  # noqa: ASYNC110 what is waited for is in another process
            await asyncio.sleep(0.05)
