"""A gateway: the node's listeners with the brokers behind them, started and stopped in order.

Topic: live messages and bulk go ways of their own, each with a producer; whatever its sender wants whole or not at all
(a FHIR transaction) goes a third, whose records are one transaction. docs/decisions/0012 says why only those are.
"""

import asyncio
import contextlib
import os
import socket
import time
import uuid
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, cast

from fastapi import FastAPI

from streams.kafka.connection import Connection
from streams.kafka.gateway_lane import Bounds, Lane
from streams.kafka.gateway_raw import RawFeed
from streams.kafka.patients import KnownPatients
from streams.kafka.patients_tail import PatientsTail
from streams.kafka.publisher import WITHIN, Publisher
from streams.kafka.topics import partitions_of_all
from streams.kafka.translating import WRITTEN, Translator
from streams.kafka.work import Count  # noqa: TC001 - mypy and readers see it where it is used
from streams.node.access import access_of
from streams.node.access_audit import AuditEntry
from streams.node.access_settings import AccessSettings
from streams.node.clock import SystemClock
from streams.node.http import documentation, events, fhir, hl7v2, probes
from streams.node.http.app import app
from streams.node.http.metrics import Metrics
from streams.node.http.reads import Readiness, Reads, Sample
from streams.node.http.server import HttpServer
from streams.node.http.settings import HttpSettings
from streams.node.listening import MllpCounts, address_of, host_and_port, listen_mllp
from streams.node.logs import LOG, loop_failed
from streams.node.mllp import MllpServer, TlsSettings
from streams.node.port import Incoming, Outcome
from streams.node.reporting import EVERY, Feeds
from streams.node.serve import until_signalled
from streams.node.watch_metrics import Timed
from streams.service import Service
from streams.settings_node import NodeSettings

_LISTENERS_WITHIN: Final = 5.0
"""Seconds in which listeners end what was begun; a supervisor kills after ten of everything."""
_WAITING_WITHIN: Final = 1.0
"""Seconds more for what then still waits: it is somebody's who hears no answer any more."""
_ROUTERS: Final = (events, fhir, hl7v2, probes, documentation)
_MEBIBYTE: Final = 1024 * 1024
_MANY: Final = 32
_LARGE: Final = 256 * 1024
_BULK: Final = Bounds(4_096, 64 * _MEBIBYTE, 64, _MEBIBYTE)


@dataclass(frozen=True, slots=True)
class Options:
    """What a gateway is told."""

    connection: Connection
    node: NodeSettings
    access: AccessSettings
    mllp_tls: TlsSettings | None = None
    name: str | None = None
    """Of this gateway among others, the same at every start; none: the machine and the port of HTTP."""
    within: float = WITHIN
    """Seconds in which the brokers must acknowledge."""


@dataclass(frozen=True, slots=True)
class Running:
    """A gateway that takes messages, and the addresses in use."""

    http: str
    mllp: str
    fails: asyncio.Task[None]
    """Raises what ended a part of it."""


class Gateway:
    """The ways of messages, by urgency (streams.node.port.Receiver)."""

    def __init__(self, options: Options, service: Service, known: KnownPatients, partitions: Mapping[str, int]) -> None:
        name = options.name or _own_name(options.node.http)
        self._counts: Counter[Count] = Counter()
        clock, node = SystemClock(), options.node
        live = Bounds(node.most_waiting, node.most_waiting_bytes, node.most_together, 4 * _MEBIBYTE)

        def publisher(transaction: str | None = None) -> Publisher:
            return Publisher(options.connection, partitions, transaction, options.within)

        def translator(*, keeps_raw: bool = True) -> Translator:
            return Translator(service.settings.site, service.tables, known, keeps_raw=keeps_raw)

        def lane(of: str, bounds: Bounds, writes: Publisher, before: Sequence[Lane] = ()) -> Lane:
            return Lane(of, translator(), writes, bounds, clock, self._counts.update, before)

        self._live = lane("live", live, publisher())
        self._whole = lane("whole", live, publisher(f"trabecula.gateway-{name}"), (self._live,))
        self._bulk = lane("bulk", _BULK, publisher(), (self._live, self._whole))
        before = (self._live, self._whole, self._bulk)
        raw = publisher(f"trabecula.gateway-{name}-raw")
        self._raw = RawFeed(options.connection, translator(keeps_raw=False), raw, clock, self._counts.update, before)
        self._lanes = before
        self._tasks: list[asyncio.Task[None]] = []

    # ---- messages

    async def receive(self, message: Incoming) -> Outcome:
        """Take a message; returns when everything of it is kept by the brokers.

        Errors: NotDurableError, QueueFullError.
        """
        (outcome,) = await self._way((message,)).receive_all((message,))
        return outcome

    async def receive_all(self, messages: Sequence[Incoming]) -> list[Outcome]:
        """Take messages together, in order.

        Errors: NotDurableError, QueueFullError.
        """
        return await self._way(messages).receive_all(messages)

    def _way(self, messages: Sequence[Incoming]) -> Lane:
        if any(message.format == "fhir" and b'"transaction"' in message.raw for message in messages):
            return self._whole
        size = sum(len(message.raw) for message in messages)
        is_bulk = len(messages) > _MANY or size > _LARGE or any(map(_is_history, messages))
        return self._bulk if is_bulk else self._live

    # ---- life

    async def start(self) -> None:
        """Reach the brokers, each way by itself.

        Errors: UnreachedError, NoBrokerError.
        """
        for lane in self._lanes:
            await lane.start()
        await self._raw.start()
        self._tasks = [asyncio.create_task(each.run()) for each in (*self._lanes, self._raw)]

    async def stop(self) -> None:
        """Take nothing more, and write what waits."""
        for each in (*self._lanes, self._raw):
            each.close()
        left: set[asyncio.Task[None]] = set()
        if self._tasks:
            _, left = await asyncio.wait(self._tasks, timeout=_WAITING_WITHIN)
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)
        await asyncio.gather(*(each.release() for each in (*self._lanes, self._raw)))

    async def fails(self) -> None:
        """Return never but by raising what ended a part of the gateway: without it the rest would only seem to work.

        Errors: whatever that was.
        """
        done, _ = await asyncio.wait(self._tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()

    # ---- how it stands

    def readiness(self) -> Readiness:
        """Whether messages are taken."""
        why = next((each.why for each in (*self._lanes, self._raw) if each.why), None)
        return Readiness("ready") if why is None else Readiness("failed", why)

    def samples(self) -> Iterable[Sample]:
        """What was counted, by the families of the metrics."""
        return [
            Sample(f"trabecula_{family}_total", dict(labels), float(n))
            for (family, labels), n in list(self._counts.items())
        ]


def _is_history(message: Incoming) -> bool:
    """A load of old data is in no hurry; whatever else the word stands in is only taken a little later."""
    return message.format == "event" and b'"history"' in message.raw


def _own_name(http: str) -> str:
    """A name that no other gateway has; the same at the next start where the port of HTTP is fixed."""
    port = host_and_port(http)[1]
    return f"{socket.gethostname()}-{port or uuid.uuid4().hex}"


class _LoggedAccess:
    """Who was refused, as a line of the log: a gateway shows nobody anything of a patient."""

    async def record(self, entry: AuditEntry) -> None:
        LOG.warning("feed_refused", feed=entry.who, route=entry.route, reason="none of its roles may do this")


@contextlib.asynccontextmanager
async def running(service: Service, options: Options) -> AsyncIterator[Running]:
    """A gateway; leaving the block stops it: no new messages, then what waits is written.

    Errors: NoBrokerError, TopicsError, UnreachedError, AccessError, AddressError, OSError, each with a plain message.
    """
    mllp_address = host_and_port(options.node.mllp)
    metrics, counts = Metrics(), MllpCounts()
    metrics.registry.register(counts)
    async with contextlib.AsyncExitStack() as open_:
        known = open_.enter_context(contextlib.closing(KnownPatients()))
        gateway = Gateway(options, service, known, await partitions_of_all(options.connection, *WRITTEN))
        http = HttpServer(_application(service, options, gateway, metrics))
        open_.push_async_callback(http.stop)
        tail = PatientsTail(options.connection, known)
        open_.push_async_callback(tail.stop)
        await tail.start()
        open_.push_async_callback(gateway.stop)
        await gateway.start()
        timed, feeds = Timed(gateway, metrics.acknowledged), Feeds(counts)
        looking = asyncio.create_task(_look(feeds))
        open_.callback(looking.cancel)
        clients = frozenset(options.node.mllp_client)
        mllp = await listen_mllp(timed, mllp_address, options.mllp_tls, clients, counts, feeds)
        open_.push_async_callback(_listen_no_more, mllp, http)
        await http.start()
        LOG.info("started", http=http.address, mllp=address_of(mllp), process=os.getpid())
        failing = asyncio.create_task(gateway.fails())
        open_.callback(failing.cancel)
        yield Running(http.address, address_of(mllp), failing)
        LOG.info("stopping")
    LOG.info("stopped")


def _application(service: Service, options: Options, gateway: Gateway, metrics: Metrics) -> FastAPI:
    """Errors: AccessError, AddressError."""
    host, port = host_and_port(options.node.http)
    certificate, key = options.node.http_certificate, options.node.http_key
    return app(
        gateway,
        cast("Reads", gateway),  # of all reads, the routes of a gateway ask for readiness and samples alone
        HttpSettings(host=host, port=port, certificate=certificate, private_key=key),
        access_of(options.access, _LoggedAccess()),
        monitor=service.monitor,
        metrics=metrics,
        routers=_ROUTERS,
    )


async def _look(feeds: Feeds) -> None:
    """Tell of feeds that come and go."""
    while True:
        await asyncio.sleep(EVERY)
        feeds.look(time.monotonic())


async def _listen_no_more(mllp: MllpServer, http: HttpServer) -> None:
    await asyncio.gather(mllp.stop(within=_LISTENERS_WITHIN), http.stop())


async def serve(
    service: Service,
    options: Options,
    announce: Callable[[Running], None],
    wait: Callable[[], Awaitable[None]] = until_signalled,
) -> None:
    """Run a gateway until it is told to stop; told so while it starts, it stops as soon as it has.

    Errors: as `running`, and whatever made a part of it fail.
    """
    asyncio.get_running_loop().set_exception_handler(lambda _, context: loop_failed(context))
    told = asyncio.ensure_future(wait())
    try:
        async with running(service, options) as gateway:
            announce(gateway)
            await asyncio.wait((told, gateway.fails), return_when=asyncio.FIRST_COMPLETED)
            if gateway.fails.done():
                gateway.fails.result()
    finally:
        told.cancel()
