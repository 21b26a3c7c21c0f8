"""Who does the same work on the same records: our worker, a loop written by hand, and Faust as it comes.

Topic: the loop gives the same guarantees as the worker (a chunk of a partition is one transaction with its offset, by a
producer of the partition's own) and nothing besides: no rebalances, no recovery, no standby, one chunk after another.
Faust as it comes writes its table's changelog record by record and commits on a timer: it guarantees less than both.
"""

import asyncio
import sys
import tempfile
from collections import deque
from collections.abc import AsyncIterable, Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from schemas.days import FOREVER
from schemas.topics import CHANGELOG, EVENTS, NOTICES
from streams.kafka.connection import Connection
from streams.kafka.state import MemoryState, MemoryStore
from streams.kafka.work import Given, Sent, Shard, ShardFactory, State, Work
from streams.kafka.worker import GROUP, Options, run, work
from streams.kafka.worker_command import shards
from streams.service import Service
from streams.settings import Settings

PARTITIONS = 4
_MOST = 1_000
_TOLD_EVERY = 1_000
_KEPT = 8


class LedgerShard:
    """Some ten microseconds a record: read it, read and write what is known of its key, tell now and then."""

    def __init__(self, _: int, __: int, state: State) -> None:
        self._state = state

    def take(self, chunk: list[Given], now: datetime) -> Work:
        changes: dict[bytes, bytes | None] = {}
        sends: list[Sent] = []
        for given in chunk:
            said = msgspec.json.decode(given.value or b"")
            key = given.key or b""
            known = changes.get(key) or self._state.get(key)
            count, values = msgspec.msgpack.decode(known) if known else (0, [])
            values = deque([*values, (said["recorded_at"], said["event_id"])], _KEPT)
            changes[key] = msgspec.msgpack.encode((count + 1, list(values)))
            if given.offset % _TOLD_EVERY == 0:
                sends.append(Sent(NOTICES.name, key, now.isoformat().encode()))
        return Work(tuple(sends), changes)

    def tick(self, now: datetime, most: int) -> Work:
        del now, most
        return Work()

    def next_check_at(self) -> datetime:
        return FOREVER

    def committed(self) -> None:
        """Nothing is held beside the state."""

    def dropped(self) -> None:
        """As `committed`."""


def factory(of: str) -> ShardFactory:
    """What is done with the records: `ledger`, or `monitor`: our own."""
    return LedgerShard if of == "ledger" else shards(Service(Settings()), None)


# ---- peers


def engine(connection: Connection, make: ShardFactory) -> None:
    """Our worker."""
    topics = dict.fromkeys((EVENTS.name, CHANGELOG.name, NOTICES.name, "trabecula.alerts.v1"), PARTITIONS)
    topics["trabecula.dead-letters.v1"] = 1
    with tempfile.TemporaryDirectory() as data:
        options = Options(connection, Path(data), "127.0.0.1:0", standbys=0)
        sys.exit(run(work(options, make, MemoryStore(), topics, lambda *_: None)))


def loop(connection: Connection, make: ShardFactory) -> None:
    """A loop written by hand."""
    asyncio.run(_loop(connection, make))


async def _loop(connection: Connection, make: ShardFactory) -> None:
    events, group = connection.name(EVENTS.name), connection.name(GROUP)
    states = [MemoryState() for _ in range(PARTITIONS)]
    made = [make(number, PARTITIONS, state) for number, state in enumerate(states)]
    producers = []
    for number in range(PARTITIONS):
        producer = AIOKafkaProducer(
            bootstrap_servers=connection.bootstrap,
            transactional_id=f"{group}-{number}",
            compression_type="lz4",
            max_batch_size=512 * 1024,
        )
        await producer.start()
        producers.append(producer)
    consumer = AIOKafkaConsumer(
        bootstrap_servers=connection.bootstrap,
        group_id=group,
        isolation_level="read_committed",
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        fetch_max_wait_ms=100,
    )
    consumer.assign([TopicPartition(events, number) for number in range(PARTITIONS)])
    await consumer.start()
    while True:
        for where, records in (await consumer.getmany(timeout_ms=1_000, max_records=_MOST)).items():
            number = where.partition
            chunk = [Given(number, r.offset, r.timestamp, r.key, r.value, r.headers) for r in records]
            done = made[number].take(chunk, datetime.now(UTC))
            await _transact(connection, producers[number], done, where, records[-1].offset + 1, group)
            states[number].apply(done.changes.items(), 0)
            made[number].committed()


async def _transact(
    connection: Connection, producer: AIOKafkaProducer, done: Work, where: TopicPartition, offset: int, group: str
) -> None:
    changelog = connection.name(CHANGELOG.name)
    async with producer.transaction():
        waited = []
        batch = producer.create_batch()
        at = int(datetime.now(UTC).timestamp() * 1000)
        for key, value in done.changes.items():
            if batch.append(timestamp=at, key=key, value=value) is None:
                waited.append(await producer.send_batch(batch, changelog, partition=where.partition))
                batch = producer.create_batch()
                batch.append(timestamp=at, key=key, value=value)
        waited.append(await producer.send_batch(batch, changelog, partition=where.partition))
        for sent in done.sends:
            topic = connection.name(sent.topic)
            waited.append(await producer.send(topic, sent.value, sent.key, headers=list(sent.headers)))
        await asyncio.gather(*waited)
        await producer.send_offsets_to_transaction({where: offset}, group)


class TableState:
    """The state in a table of Faust's; it is not asked for what it had before."""

    def __init__(self, table: Any) -> None:
        self._table = table

    def get(self, key: bytes) -> bytes | None:
        found: bytes | None = self._table.get(key)
        return found

    def scan(self, prefix: bytes) -> Iterator[tuple[bytes, bytes]]:
        del prefix
        return iter(())


def stock(connection: Connection, make: ShardFactory) -> None:
    """Faust with a table, tuned: larger batches, a short linger, a commit twice a second."""
    import faust  # noqa: PLC0415 - this peer's

    app = faust.App(
        connection.name(GROUP),
        broker=f"kafka://{connection.bootstrap}",
        store="memory://",
        web_enabled=False,
        topic_disable_leader=True,
        topic_allow_declare=False,
        broker_commit_interval=0.5,
        producer_linger=0.05,
        producer_max_batch_size=262_144,
        stream_buffer_maxsize=16_384,
    )
    changelog = app.topic(connection.name(CHANGELOG.name), key_type=bytes, value_type=bytes, acks=False)
    table = app.Table("state", changelog_topic=changelog, key_type=bytes, value_type=bytes)
    events = app.topic(connection.name(EVENTS.name), key_type=bytes, value_type=bytes)
    made: dict[int, Shard] = {}

    @app.agent(events)
    async def agent(stream: AsyncIterable[bytes]) -> None:
        async for event in stream.events():  # type: ignore[attr-defined]
            message = event.message
            shard = made.get(message.partition)
            if shard is None:
                shard = made[message.partition] = make(message.partition, PARTITIONS, TableState(table))
            given = Given(
                message.partition, message.offset, 0, message.key, message.value, tuple(message.headers or ())
            )
            done = shard.take([given], datetime.now(UTC))
            for key, value in done.changes.items():
                table[key] = value
            for sent in done.sends:
                await app.topic(connection.name(sent.topic)).send(key=sent.key, value=sent.value)
            shard.committed()

    app.finalize()
    worker = app.Worker(loglevel="ERROR")
    worker.execute_from_commandline()


PEERS: dict[str, Callable[[Connection, ShardFactory], None]] = {"engine": engine, "loop": loop, "stock": stock}

if __name__ == "__main__":
    PEERS[sys.argv[1]](Connection(sys.argv[2], sys.argv[3]), factory(sys.argv[4]))
