"""A console on a real Kafka, and partitions in memory whose every work is written to it, as a worker does."""

import asyncio
import os
import time
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any, Final

import httpx
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from schemas.alerts import Alert
from schemas.events import AnyEvent
from schemas.topics import CHANGELOG, EVENTS, topics_of_site
from schemas.wire import decode
from streams.inputs import Intake
from streams.intake.site import MemoryDirectory
from streams.kafka.changelog import partition_of
from streams.kafka.connection import Connection
from streams.kafka.console import Options, Running, running
from streams.kafka.records import event_record
from streams.kafka.shard import MonitorShard
from streams.kafka.topics import create
from streams.kafka.work import Given, Headers, Sent
from streams.node.access_settings import AccessSettings
from streams.service import Service
from tests.fortnight.days import ENDS
from tests.fortnight.hospital import messages, settings
from tests.laws.partitions import DictState

PARTITIONS: Final = 2
SOON: Final = 15.0


async def until(holds: Callable[[], Any], seconds: float = SOON) -> None:
    """Wait until something holds."""
    ends = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < ends, "it never came to that"
        await asyncio.sleep(0.02)


class Ward:
    """The partitions of a worker, in memory, and all that they wrote; `states`: what they know already."""

    def __init__(self, service: Service, states: Sequence[Mapping[bytes, bytes]] = ({},) * PARTITIONS) -> None:
        self.service = service
        self.now = ENDS
        self.written: list[Sent] = []
        self.states = [DictState(state) for state in states]
        self.shards = [
            MonitorShard(service.monitor, number, PARTITIONS, state, lambda key: partition_of(key, PARTITIONS))
            for number, state in enumerate(self.states)
        ]

    def take(self, waiting: Sequence[Sent]) -> None:
        """Decide on events, and on what follows from them."""
        while waiting:
            self.written += waiting
            given = [Given(_partition(s), 0, 0, s.key, s.value, s.headers) for s in waiting]
            waiting = [sent for number in range(PARTITIONS) for sent in self.decide(number, given)]

    def decide(self, number: int, given: Sequence[Given]) -> list[Sent]:
        """Decide on the records of one partition; returns the events that are sent on."""
        more: list[Sent] = []
        shard = self.shards[number]
        for work in (
            shard.take([one for one in given if one.partition == number], self.now),
            shard.tick(self.now, 1_000),
        ):
            for key, value in work.changes.items():
                self.states[number].pop(key, None)
                self.states[number] |= {} if value is None else {key: value}
            self.written += [Sent(CHANGELOG.name, key, value, (), number) for key, value in work.changes.items()]
            self.written += [sent for sent in work.sends if sent.topic != EVENTS.name]
            more += [sent for sent in work.sends if sent.topic == EVENTS.name]
            shard.committed()
        return more

    @property
    def alerts(self) -> dict[str, Alert]:
        """How each alert stands."""
        found = (value for state in self.states for key, value in state.items() if key.startswith(b"alert/"))
        alerts = [Alert.model_validate(decode(value)) for value in found]
        return {alert.alert_id: alert for alert in alerts}


def _partition(sent: Sent) -> int:
    return partition_of(sent.key, PARTITIONS) if sent.partition is None else sent.partition


@cache
def service() -> Service:
    """The invented hospital's tables and rules."""
    return Service(settings())


@cache
def fortnight() -> tuple[AnyEvent, ...]:
    """What the invented hospital says, in order."""
    intake = Intake(service().settings.site, service().tables, MemoryDirectory())
    return tuple(service().sorted([event for message in messages(intake) for event in message.outcome.events]))


@cache
def decided(share: float) -> Ward:
    """Partitions that have decided on the fortnight, or on the first part of it."""
    ward = Ward(service())
    events = fortnight()
    ward.take([event_record(event) for event in events[: int(share * len(events))]])
    return ward


class Clinic:
    """Topics of a test's own, what a gateway and a worker write to them, and consoles."""

    def __init__(self, connection: Connection, folder: Path) -> None:
        self.connection = connection
        self.folder = folder / "console"
        self.ward = Ward(service())
        name = connection.name(f"worker-{os.getpid()}")
        self.producer = AIOKafkaProducer(**connection.arguments(), acks="all", transactional_id=name)

    async def open(self) -> None:
        await create(self.connection, topics_of_site(PARTITIONS, 1))
        await self.producer.start()

    async def close(self) -> None:
        await self.producer.stop()

    # ---- as a gateway and a worker write

    async def begin(self, share: float = 1.0) -> None:
        """Let the invented fortnight, or a part of it, have been decided on."""
        known = decided(share)
        self.ward = Ward(service(), known.states)
        await self.write(*known.written)

    async def take(self, events: Iterable[AnyEvent], headers: Headers = ()) -> None:
        """Publish events, and what becomes of them."""
        self.ward.take([Sent(s.topic, s.key, s.value, headers) for s in map(event_record, events)])
        await self._write_all()

    async def decide(self, *given: Given) -> None:
        """Write what becomes of events that are in their topic, at the time that it is here."""
        self.ward.now = datetime.now(UTC)
        for number in range(PARTITIONS):
            self.ward.take(self.ward.decide(number, given))
        await self._write_all()

    async def _write_all(self) -> None:
        written, self.ward.written = self.ward.written, []
        await self.write(*written)

    async def write(self, *sends: Sent) -> None:
        """Write records, all or none."""
        async with self.producer.transaction():
            await asyncio.gather(*[await self._send(sent) for sent in sends])

    async def _send(self, sent: Sent) -> Any:
        topic, headers = self.connection.name(sent.topic), list(sent.headers)
        return await self.producer.send(topic, sent.value, sent.key, partition=sent.partition, headers=headers)

    # ---- what is there

    async def answers(self) -> list[Given]:
        """The answers that consoles wrote among the events."""
        found = await self.read(EVENTS.name)
        return [given for given in found if b'"source":"trabecula"' in (given.value or b"")]

    async def read(self, topic: str) -> list[Given]:
        """All that is in a topic."""
        consumer = AIOKafkaConsumer(**self.connection.arguments(), isolation_level="read_committed")
        await consumer.start()
        try:
            where = [TopicPartition(self.connection.name(topic), number) for number in range(PARTITIONS)]
            consumer.assign(where)
            await consumer.seek_to_beginning(*where)
            ends = await consumer.end_offsets(where)
            found: list[Given] = []
            while any([await consumer.position(tp) < ends[tp] for tp in where]):
                for records in (await consumer.getmany(timeout_ms=100)).values():
                    found += [Given(r.partition, r.offset, r.timestamp, r.key, r.value, r.headers) for r in records]
        finally:
            await consumer.stop()
        return found

    # ---- consoles

    @asynccontextmanager
    async def console(
        self, *, access: AccessSettings | None = None, rebuild: bool = False
    ) -> AsyncIterator[tuple[Running, httpx.AsyncClient]]:
        """A console that is ready, and a client of it."""
        access = access or AccessSettings(keys=None)
        options = Options(self.connection, self.folder, "127.0.0.1:0", access, rebuild=rebuild)
        async with running(service(), options) as made:
            await until(lambda: made.projection.state == "running")
            async with httpx.AsyncClient(base_url=f"http://{made.http}", timeout=30) as client:
                yield made, client
