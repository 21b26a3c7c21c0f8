"""`trabecula worker` as it is asked for: settings in, what an operator can put right as one line out."""

import asyncio
import logging
import os
import sys
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Final

import typer

from schemas.topics import ALERTS, CHANGELOG, DEAD_LETTERS, EVENTS, NOTICES
from schemas.wire import encode
from streams.cli_plainly import plainly
from streams.kafka.changelog import partition_of
from streams.kafka.connection import Connection, NoBrokerError, connection_of
from streams.kafka.shard import MonitorShard
from streams.kafka.state import MemoryStore, Store, StoreError
from streams.kafka.topics import TopicsError, partitions_of_all
from streams.kafka.work import Shard, ShardFactory, State
from streams.kafka.worker import Options, run, work
from streams.kafka.worker_http import AddressError
from streams.node.logs import say_to
from streams.paged_charts import HELD
from streams.service import Service
from streams.settings import Asked, Settings
from streams.settings_kafka import KafkaSettings
from streams.settings_node import LogSettings, NodeSettings
from streams.settings_worker import WorkerSettings

_WRITTEN: Final = (EVENTS, CHANGELOG, NOTICES, ALERTS, DEAD_LETTERS)
_OF_LIBRARIES: Final = ("aiokafka", "faust", "mode")


def run_worker(asked: Asked) -> None:
    """Run a worker to its end.

    Errors: SettingsError; typer.Exit.
    """
    node, told = asked.load(NodeSettings), asked.load(WorkerSettings)
    options = Options(
        connection_of(asked.load(KafkaSettings)),
        node.data,
        node.http,
        standbys=told.standbys,
        session=told.session_seconds,
        stalled_after=told.stalled_seconds,
        most=told.records_together,
    )
    factory = shards(Service(asked.load(Settings)), node.charts_in_memory)
    say_to(sys.stderr, asked.load(LogSettings))
    for name in _OF_LIBRARIES:  # what they say is seen in metrics and in whether the worker is ready
        logging.getLogger(name).setLevel(logging.CRITICAL)
    with plainly():
        try:
            partitions = asyncio.run(_partitions(options.connection))
            node.data.mkdir(parents=True, exist_ok=True)
            ended = run(work(options, factory, _store(told, node.data), partitions, announce))
        except (NoBrokerError, TopicsError, AddressError, StoreError) as error:
            typer.echo(f"trabecula: {error}", err=True)
            raise typer.Exit(2) from None
    raise typer.Exit(ended)


def shards(service: Service, charts_in_memory: int | None) -> ShardFactory:
    """Partitions that decide by the site's rules; the charts that are held decoded are shared out among them."""
    monitor = service.monitor

    def shard(partition: int, of: int, state: State) -> Shard:
        held = HELD if charts_in_memory is None else max(1, charts_in_memory // of)
        return MonitorShard(monitor, partition, of, state, partial(partition_of, partitions=of), held=held)

    return shard


def _store(told: WorkerSettings, data: Path) -> Store:
    if told.worker_store == "memory":
        return MemoryStore()
    from streams.kafka.state_rocks import RocksStore  # noqa: PLC0415 - an extra

    return RocksStore(data)


async def _partitions(connection: Connection) -> dict[str, int]:
    """How many partitions each topic has that is read or written.

    Errors: NoBrokerError; TopicsError if one is not there, or a partition and its changelog cannot go together.
    """
    found = await partitions_of_all(connection, *_WRITTEN)
    if found[EVENTS.name] != found[CHANGELOG.name]:
        raise TopicsError(
            f"{connection.name(EVENTS.name)} has {found[EVENTS.name]} partitions and {connection.name(CHANGELOG.name)} "
            f"has {found[CHANGELOG.name]}; they must be as many"
        )
    return found


def announce(http: str, partitions: list[int]) -> None:
    """Say that every partition that is owned is worked on, as one line of JSON."""
    with suppress(BrokenPipeError):
        os.write(1, encode({"http": http, "partitions": partitions}) + b"\n")
