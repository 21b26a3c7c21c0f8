"""A worker from its start to its end.

Law: it ends with 0 only when it was told to end; whatever else ends it is said in one line, and is no 0. However it
ends, nothing is lost: what was not committed is read again by whoever follows.
"""

import asyncio
import os
import signal
import sys
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol

from faust.types.auth import CredentialsT
from prometheus_client import CollectorRegistry

from schemas.topics import CHANGELOG, EVENTS, Topic
from streams.kafka.connection import Connection
from streams.kafka.engine import Engine
from streams.kafka.engine_terms import Terms
from streams.kafka.fence import Fence, FencedError, Source
from streams.kafka.lag import Pulse, Watchman
from streams.kafka.recovery import ChangelogReader
from streams.kafka.state import Store, StoreError
from streams.kafka.work import ShardFactory
from streams.kafka.worker_app import Group, WorkerApp, worker_app
from streams.kafka.worker_http import Probes
from streams.kafka.worker_metrics import Standing, WorkerMetrics
from streams.node.logs import LOG, place_of

GROUP: Final = "trabecula.worker"
_END_WITHIN: Final = 8.0
"""Seconds for ending in good order; what is under way after that is taken back by whoever follows."""
_LOOK: Final = 0.02
_TURN: Final = 0.0005
"""Seconds: a transaction is five short turns of the loop, and the client's thread unpacks records beside it."""


class WorkerError(Exception):
    """What ended a worker that was not told to end; the message is for an operator."""


@dataclass(frozen=True, slots=True)
class Options:
    """What a worker is told."""

    connection: Connection
    data: Path
    http: str
    standbys: int = 1
    session: float = 10.0
    """Seconds without a sign of life after which others take over."""
    stalled_after: float = 120.0
    """Seconds without progress, where there is something to do, after which the worker ends."""
    most: int = 1_000
    """Records in one transaction."""


class Announce(Protocol):
    """Told once, when every partition that is owned is worked on."""

    def __call__(self, http: str, partitions: list[int]) -> None: ...


def credentials_of(connection: Connection) -> CredentialsT | None:
    """The same for Faust's client."""
    from faust.auth import SASLCredentials, SSLCredentials  # noqa: PLC0415 - rarely needed

    if connection.protocol.startswith("SASL"):
        password = None if connection.password is None else connection.password.get_secret_value()
        return SASLCredentials(
            username=connection.user, password=password, ssl_context=connection.context, mechanism=connection.mechanism
        )
    return None if connection.context is None else SSLCredentials(connection.context)


async def work(
    options: Options, factory: ShardFactory, store: Store, partitions: dict[str, int], announce: Announce
) -> None:
    """Work until the process is told to end (SIGTERM, SIGINT).

    Shape: `partitions` of every topic by the name that the contract gives.
    Errors: WorkerError, FencedError, StoreError, streams.kafka.worker_http.AddressError.
    """
    told = _told_to_end()
    registry = CollectorRegistry()
    counts = WorkerMetrics(registry)
    app, names = _app(options)
    async with AsyncExitStack() as open_:
        client = options.connection.arguments()
        reader = await open_.enter_async_context(ChangelogReader(client, names.changelog))
        engine = Engine(_terms(options, names, partitions, factory), app.lanes, reader, store, app.deliver, counts)
        pulse = Pulse(options.session, time.monotonic())
        app.connect(engine, names.events, lambda: pulse.was_away(time.monotonic()))
        registry.register(Standing(engine))
        probes = open_.enter_context(Probes(options.http, registry, lambda: engine.ready))
        open_.enter_context(_watched(engine, options.stalled_after, pulse))
        await _until_ended(app, engine, reader, told, lambda: announce(probes.address, sorted(engine.lanes)))


def _app(options: Options) -> tuple[WorkerApp, Group]:
    name = options.connection.name
    group = Group(name(GROUP), name(EVENTS.name), name(CHANGELOG.name))
    app = worker_app(
        group,
        options.connection.bootstrap,
        options.data,
        standbys=options.standbys,
        session=options.session,
        credentials=credentials_of(options.connection),
    )
    return app, group


def _terms(options: Options, names: Group, partitions: dict[str, int], factory: ShardFactory) -> Terms:
    source = Source(names.events, names.id)
    client = options.connection.arguments()
    return Terms(
        prefix=options.connection.prefix,
        changelog=names.changelog,
        partitions=partitions,
        of=partitions[EVENTS.name],
        fence=lambda partition: Fence(client, source, partition),
        factory=factory,
        most=options.most,
    )


def _told_to_end() -> asyncio.Event:
    told = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, told.set)
    return told


# ---- until it ends


async def _until_ended(
    app: WorkerApp, engine: Engine, reader: ChangelogReader, told: asyncio.Event, announce: Callable[[], None]
) -> None:
    starting = asyncio.create_task(app.start())
    announcing = asyncio.create_task(_once_ready(engine, announce))
    waited = [asyncio.create_task(one) for one in (told.wait(), engine.failure(), reader.failure(), _crash(app))]
    try:
        await _first(starting, *waited)
    finally:
        for task in (*waited, announcing):
            task.cancel()
        await _end(app, engine, starting)


async def _first(starting: asyncio.Task[Any], *waited: asyncio.Task[Any]) -> None:
    """Wait for what comes first.

    Errors: what ended the worker, if it was not told to end.
    """
    pending: set[asyncio.Task[Any]] = {starting, *waited}
    while starting in pending:
        done, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            await _told(task)
        if done - {starting}:
            return
    for task in (await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED))[0]:
        await _told(task)


async def _told(task: asyncio.Task[Any]) -> None:
    try:
        await task
    except (FencedError, StoreError, WorkerError):
        raise
    except Exception as mistake:
        place = place_of(mistake.__traceback__)
        raise WorkerError(f"failed: {type(mistake).__name__} at {place}; nothing was lost by it") from mistake


async def _crash(app: WorkerApp) -> None:
    await app.crashing()
    raise WorkerError(f"the stream engine failed: {type(app.crash_reason).__name__}")


async def _once_ready(engine: Engine, announce: Callable[[], None]) -> None:
    while not engine.ready:  # noqa: ASYNC110 - readiness is read off several partitions, and nobody sets it
        await asyncio.sleep(_LOOK)
    LOG.info("started", process="worker", count=len(engine.lanes))
    announce()


async def _end(app: WorkerApp, engine: Engine, starting: asyncio.Task[Any]) -> None:
    """Finish what is under way, tell the group, and be gone within a bound."""
    LOG.info("stopping", process="worker")
    try:
        async with asyncio.timeout(_END_WITHIN):
            await engine.close()
            starting.cancel()
            await app.stop()
    except TimeoutError:
        LOG.warning("failed", of="stopping", seconds=_END_WITHIN)


@contextmanager
def _watched(engine: Engine, limit: float, pulse: Pulse) -> Iterator[None]:
    watchman = Watchman(lambda: list(engine.lanes.values()), limit, _stalled, pulse)
    watchman.start()
    try:
        yield
    finally:
        watchman.stop()


def _stalled(partitions: list[int], limit: float) -> None:
    """The loop may hang, so that there is nobody left to ask to end."""
    which = ", ".join(map(str, partitions))
    sys.stderr.write(f"trabecula: no progress for {limit:g} s in partition {which}; ends, so that another takes over\n")
    sys.stderr.flush()
    os._exit(1)


def run(worker: Coroutine[Any, Any, None]) -> int:
    """Run a worker to its end; the exit status."""
    sys.setswitchinterval(_TURN)
    try:
        asyncio.run(worker)
    except (FencedError, StoreError, WorkerError) as error:
        sys.stderr.write(f"trabecula: {error}\n")
        sys.stderr.flush()
        os._exit(1)  # threads of a client that waits for a broker would keep a process that has nothing left to do
    return 0


def named(topics: tuple[Topic, ...]) -> dict[str, int]:
    """Partitions of topics by name."""
    return {topic.name: topic.partitions for topic in topics}
