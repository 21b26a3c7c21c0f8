"""Delivery of the Kafka deployment: receivers as a node has them, each a group of consumers of its own.

Law: it ends with 0 only when it was told to end, within ten seconds; what was not delivered is delivered after the next
start, here or elsewhere.
"""

import asyncio
import os
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError
from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from alerting.delivery.settings import DeliverySettings
from schemas.topics import ALERTS, NOTICES
from streams.kafka.connection import Connection, NoBrokerError
from streams.kafka.notify_forgetting import Forgetting
from streams.kafka.notify_mailbox import Mailbox, Terms
from streams.kafka.process import ProcessError
from streams.kafka.topics import partitions_of
from streams.kafka.worker_http import Probes
from streams.node.logs import LOG, loop_failed
from streams.node.port import NotDurableError

_LARGEST: Final = 2 * 1024 * 1024
_STOP_WITHIN: Final = 8.0
_LET_GO_WITHIN: Final = 1.0


@dataclass(frozen=True, slots=True)
class Options:
    """What the process is told."""

    connection: Connection
    data: Path
    http: str
    zone: ZoneInfo
    delivery: DeliverySettings
    session: float = 10.0
    """Seconds without a sign of life after which another process takes over."""


class _Counted(Collector):
    """What became of deliveries, asked for at each scrape."""

    def __init__(self, mailboxes: Sequence[Mailbox]) -> None:
        self._mailboxes = mailboxes

    def collect(self) -> Iterator[Metric]:
        deliveries = CounterMetricFamily(
            "trabecula_deliveries", "Deliveries of notices.", labels=["receiver", "outcome"]
        )
        lags = GaugeMetricFamily(
            "trabecula_delivery_lag_seconds", "Age of the oldest notice that waits and should not.", labels=["receiver"]
        )
        for mailbox in self._mailboxes:
            lags.add_metric([mailbox.name], mailbox.lag)
            for one in mailbox.counted():
                deliveries.add_metric([one.labels["receiver"], one.labels["outcome"]], one.value)
        yield from (deliveries, lags)

    def describe(self) -> Iterator[Metric]:
        return iter(())


async def notify(options: Options, announce: Callable[[str], None], wait: Callable[[], Awaitable[None]]) -> None:
    """Deliver until `wait` returns.

    Errors: NoBrokerError, TopicsError, FolderInUseError, StoreError, AddressError, OSError; ProcessError.
    """
    asyncio.get_running_loop().set_exception_handler(lambda _, context: loop_failed(context))
    told = asyncio.ensure_future(wait())
    try:
        async with AsyncExitStack() as open_:
            await partitions_of(options.connection, NOTICES)
            alerts = await partitions_of(options.connection, ALERTS)
            producer = await _producer(options.connection)
            open_.push_async_callback(_let_go, producer)
            terms = Terms(options.connection, options.data, options.zone, producer, options.session)
            mailboxes = []
            for each in options.delivery.receivers:
                mailboxes.append(mailbox := Mailbox(each, terms))
                open_.callback(mailbox.close)
            registry = CollectorRegistry()
            registry.register(_Counted(mailboxes))
            probes = Probes(options.http, registry, lambda: all(each.is_ready for each in mailboxes))
            open_.enter_context(probes)
            forgetting = Forgetting(options.connection, alerts, mailboxes)
            await _deliver(mailboxes, forgetting, told, lambda: announce(probes.address))
    finally:
        told.cancel()


async def _producer(connection: Connection) -> AIOKafkaProducer:
    """Of dead letters. Errors: NoBrokerError."""
    producer = AIOKafkaProducer(
        **connection.arguments(), acks="all", enable_idempotence=True, max_request_size=_LARGEST
    )
    try:
        await producer.start()
    except KafkaError as error:
        await producer.stop()
        raise NoBrokerError(f"no broker answers at {connection.bootstrap} ({type(error).__name__})") from None
    return producer


async def _let_go(producer: AIOKafkaProducer) -> None:
    """Close it within a bound: what it did not write is refused anew after the next start."""
    with suppress(KafkaError, TimeoutError):
        await asyncio.wait_for(producer.stop(), _LET_GO_WITHIN)


async def _deliver(
    mailboxes: Sequence[Mailbox], forgetting: Forgetting, told: "asyncio.Future[None]", announce: Callable[[], None]
) -> None:
    """Errors: ProcessError where a disk failed."""
    running = [asyncio.create_task(each.run(), name=f"receiver {each.name}") for each in mailboxes]
    forgets = asyncio.create_task(forgetting.run())
    announce()
    LOG.info("started", process=os.getpid(), count=len(mailboxes))
    done, _ = await asyncio.wait([told, forgets, *running], return_when=asyncio.FIRST_COMPLETED)
    LOG.info("stopping")
    for each in mailboxes:
        each.stop()
    forgets.cancel()
    await asyncio.wait([forgets, *running], timeout=_STOP_WITHIN)
    LOG.info("stopped")
    for one in done - {told}:
        error = one.exception()
        if isinstance(error, NotDurableError):
            raise ProcessError(str(error))
        if error is not None:
            raise error
