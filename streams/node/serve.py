"""The node put together: store, engine, HTTP and MLLP in one process, started and stopped in order."""

import asyncio
import contextlib
import gc
import os
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from prometheus_client.core import GaugeMetricFamily, Metric

from alerting.delivery.settings import DeliverySettings
from streams.node.access import access_of
from streams.node.access_settings import AccessSettings
from streams.node.canary import EVERY, Canary
from streams.node.clock import Clock, SystemClock
from streams.node.delivery import Delivery
from streams.node.engine import Engine, Limits
from streams.node.engine_clock import since_boot
from streams.node.http.app import app
from streams.node.http.metrics import Metrics
from streams.node.http.server import HttpServer
from streams.node.http.settings import HttpSettings
from streams.node.http.store_reads import StoreReads
from streams.node.listening import MllpCounts, address_of, host_and_port, listen_mllp
from streams.node.logs import LOG, loop_failed
from streams.node.mllp import MllpServer, TlsSettings
from streams.node.operations import Operations
from streams.node.reporting import Feeds, Reporter
from streams.node.schema import VERSION
from streams.node.store import Store
from streams.node.store_letters import LetterBox
from streams.node.store_reading import Reading
from streams.node.watch import Watch
from streams.node.watch_metrics import Timed, WatchMetrics
from streams.service import Service

STOP_WITHIN: Final = 8.0
"""Seconds in which what is being decided is finished; a supervisor kills after ten."""


@dataclass(frozen=True, slots=True)
class Listen:
    """Where the node listens and who may come in."""

    http: str = "127.0.0.1:8080"
    mllp: str = "127.0.0.1:2575"
    access: AccessSettings = field(default_factory=AccessSettings)
    certificate: Path | None = None
    private_key: Path | None = None
    mllp_tls: TlsSettings | None = None
    mllp_clients: frozenset[str] = frozenset()
    """Names of the client certificates that are let in over MLLP; the name is the feed."""
    delivery: DeliverySettings = field(default_factory=DeliverySettings)
    limits: Limits = field(default_factory=Limits)
    canary: float = EVERY
    """Seconds between two songs of the canary."""


class _Lags:
    """How far each receiver is behind, as a metric."""

    def __init__(self, delivery: Delivery) -> None:
        self._delivery = delivery

    def collect(self) -> Iterator[Metric]:
        """The family of the receivers (a prometheus_client collector)."""
        family = GaugeMetricFamily(
            "trabecula_delivery_lag_seconds", "Age of the oldest notice that waits and should not.", labels=["receiver"]
        )
        for name, seconds in self._delivery.lags():
            family.add_metric([name], seconds)
        yield family


@dataclass(frozen=True, slots=True)
class Running:
    """A node that takes messages, and the addresses in use."""

    http: str
    mllp: str
    engine: Engine
    reading: Reading


@contextlib.asynccontextmanager
async def running(service: Service, data: Path, listen: Listen) -> AsyncIterator[Running]:
    """A node on a data folder; leaving the block stops it: no new messages, then what waits is committed.

    Errors: FolderInUseError, StoreCorruptError, AccessError, AddressError, OSError, each with a plain message.
    """
    http_host, http_port = host_and_port(listen.http)
    mllp_address = host_and_port(listen.mllp)
    await asyncio.to_thread(data.mkdir, mode=0o700, parents=True, exist_ok=True)
    clock = SystemClock()
    store = Store(data)
    try:
        metrics, counts = Metrics(), MllpCounts()
        watch = WatchMetrics(metrics.registry)
        engine = _engine(service, store, listen.limits, clock, watch)
        reading = Reading(data)
        metrics.registry.register(counts)
        settings = HttpSettings(
            host=http_host, port=http_port, certificate=listen.certificate, private_key=listen.private_key
        )
        delivery = Delivery(listen.delivery, store, engine, service.settings.site.time_zone, clock=clock)
        letters = LetterBox(data)
        application = app(
            engine,
            StoreReads(reading, engine, service.monitor, engine),
            settings,
            access_of(listen.access, engine),
            monitor=service.monitor,
            clock=engine,  # what is answered counts from when it is decided, also while the clock is a little behind
            metrics=metrics,
            operated=Operations(engine, delivery, reading, letters),
            site=service.settings.site,
        )
        http = HttpServer(application)
        outbox = Reading(data)  # of its own: a reader is asked by one thread
        canary = Canary(engine, store, outbox, service.monitor, service.tables, service.settings.site, clock)
        metrics.registry.register(canary)
        engine.start()
        await delivery.start()
        metrics.registry.register(_Lags(delivery))
        feeds = Feeds(counts)
        timed = Timed(engine, metrics.acknowledged)
        mllp = await listen_mllp(timed, mllp_address, listen.mllp_tls, listen.mllp_clients, counts, feeds)
        reporting = asyncio.create_task(Reporter(engine, outbox, feeds, counts.counts).run())
        singing = asyncio.create_task(canary.run(listen.canary))
        store.bells.hang(application.state.node.doorbell.ring)
        await http.start()
        node = Running(http.address, address_of(mllp), engine, reading)
        try:
            _started(service, store, application.version, node)
            yield node
        finally:
            LOG.info("stopping")
            for task in (singing, reporting):
                task.cancel()
            await asyncio.gather(singing, reporting, return_exceptions=True)
            await _stop(mllp, http, delivery, engine)
            for each in (letters, reading, outbox):
                each.close()
    finally:
        store.close()


def _engine(service: Service, store: Store, limits: Limits, clock: Clock, watch: Watch) -> Engine:
    site = service.settings.site
    return Engine(
        store, service.monitor, service.tables, site, clock=clock, limits=limits, watch=watch, elapsed=since_boot
    )


async def _stop(mllp: MllpServer, http: HttpServer, delivery: Delivery, engine: Engine) -> None:
    """Whoever brings messages first, the engine last: what it has taken it finishes."""
    ends = time.monotonic() + STOP_WITHIN
    # Receivers are told that it ends while feeds are waited for: what they are not sent now waits in the outbox.
    await asyncio.gather(mllp.stop(within=STOP_WITHIN / 2), http.stop(), delivery.close())
    in_time = await asyncio.to_thread(engine.close, max(1.0, ends - time.monotonic()))
    LOG.info("stopped", outcome="all that waited is kept" if in_time else "what waited is to be sent again")


def _started(service: Service, store: Store, version: str, node: Running) -> None:
    pack, before = service.monitor.pack, store.upgraded_from
    LOG.info(
        "started",
        version=version,
        schema=VERSION,
        upgraded_from=before if 0 < before < VERSION else None,
        rulepack=pack.version,
        sha256=pack.sha256,
        time_zone=service.settings.time_zone,
        http=node.http,
        mllp=node.mllp,
        charts=node.reading.how_many_patients(),
        process=os.getpid(),
    )


async def until_signalled() -> None:
    """Wait for SIGTERM or SIGINT."""
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    await stopped.wait()


def _settle() -> None:
    """Take what was loaded for good (tables, rules, code) out of the sight of the garbage collector.

    Topic: it stops the process while it looks at everything: for 140 to 520 ms, once in ten seconds under load, were
    measured in the time from a message to its webhook.
    """
    gc.collect()
    gc.freeze()


async def serve(
    service: Service,
    data: Path,
    listen: Listen,
    announce: Callable[[Running], None],
    wait: Callable[[], Awaitable[None]] = until_signalled,
) -> None:
    """Run a node until it is told to stop; told so while it starts, it stops as soon as it has."""
    asyncio.get_running_loop().set_exception_handler(lambda _, context: loop_failed(context))
    told = asyncio.ensure_future(wait())
    try:
        async with running(service, data, listen) as node:
            _settle()
            announce(node)
            await told
    finally:
        told.cancel()
