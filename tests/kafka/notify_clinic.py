"""Notify on a real Kafka: topics of a test's own, a producer, and processes in this one."""

import asyncio
import time
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

import apsw
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from alerting.delivery.settings import DeliverySettings
from schemas.alerts import Notice
from streams.kafka.connection import Connection
from streams.kafka.notify import Options, notify
from streams.kafka.records import notice_record
from streams.kafka.work import Given, Sent

PARTITIONS: Final = 2
SOON: Final = 15.0


async def until(holds: Callable[[], Any], seconds: float = SOON) -> None:
    """Wait until something holds."""
    ends = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < ends, "it never came to that"
        await asyncio.sleep(0.02)


@dataclass
class Deployment:
    """Topics of a test's own, a producer, and notify processes on them."""

    connection: Connection
    folder: Path
    producer: AIOKafkaProducer
    addresses: list[str] = field(default_factory=list)

    async def say(self, *said: Notice | Sent) -> None:
        """Publish notices, in order."""
        waiting = []
        for one in said:
            sent = notice_record(one) if isinstance(one, Notice) else one
            topic, headers = self.connection.name(sent.topic), list(sent.headers)
            waiting.append(await self.producer.send(topic, sent.value, sent.key, headers=headers))
        await asyncio.gather(*waiting)

    @asynccontextmanager
    async def notifying(self, *receivers: Any, data: str = "notify") -> AsyncIterator[asyncio.Task[None]]:
        """A process of notify at work; told to end when the block is left."""
        end, started = asyncio.Event(), asyncio.Event()
        options = Options(
            self.connection, self.folder / data, "127.0.0.1:0", ZoneInfo("UTC"), DeliverySettings(receivers=receivers)
        )

        def announce(address: str) -> None:
            self.addresses.append(address)
            started.set()

        async def told() -> None:
            await end.wait()

        task = asyncio.create_task(notify(options, announce, told))
        await asyncio.wait([task, waiting := asyncio.create_task(started.wait())], return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        if task.done():
            await task
        try:
            yield task
        finally:
            end.set()
            began = time.monotonic()
            await task
            assert time.monotonic() - began < 10

    async def committed(self, receiver: str) -> int:
        """Notices that a receiver's group is done with."""
        admin = AIOKafkaAdminClient(**self.connection.arguments())
        await admin.start()
        try:
            found = await admin.list_consumer_group_offsets(self.connection.name(f"trabecula.notify.{receiver}"))
        finally:
            await admin.close()
        return sum(at.offset for at in found.values())

    async def read(self, topic: str) -> list[Given]:
        """All that is in a topic."""
        consumer = AIOKafkaConsumer(**self.connection.arguments(), isolation_level="read_committed")
        await consumer.start()
        try:
            name = self.connection.name(topic)
            where = [TopicPartition(name, p) for p in sorted(consumer.partitions_for_topic(name) or ())]
            if not where:
                where = [TopicPartition(name, 0)]
            consumer.assign(where)
            await consumer.seek_to_beginning(*where)
            ends = await consumer.end_offsets(where)
            found: list[Given] = []
            while any([await consumer.position(tp) < ends[tp] for tp in where]):
                for records in (await consumer.getmany(timeout_ms=200)).values():
                    found += [Given(r.partition, r.offset, r.timestamp, r.key, r.value, r.headers) for r in records]
        finally:
            await consumer.stop()
        return found


def ready(deployment: Deployment) -> bool:
    return status(deployment, "/readyz")[0] == 200


def status(deployment: Deployment, path: str) -> tuple[int, str]:
    """What the process answers."""
    try:
        with urllib.request.urlopen(f"http://{deployment.addresses[-1]}{path}", timeout=5) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, ""


def in_spool(folder: Path) -> int:
    return asked(folder, "SELECT count(*) FROM notice")


def forgotten(folder: Path, alert: str) -> bool:
    return asked(folder, "SELECT count(*) FROM forgotten WHERE alert_id = ?", alert) == 1


def asked(folder: Path, sql: str, *values: str) -> int:
    """What a spool answers."""
    db = apsw.Connection(str(folder / "trabecula.sqlite"), flags=apsw.SQLITE_OPEN_READONLY)
    try:
        return int(db.execute(sql, values).get)
    finally:
        db.close()
