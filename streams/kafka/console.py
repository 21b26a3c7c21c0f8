"""The console of the Kafka deployment: a node's pages, reads and notices, on rows that are made of the topics.

Topic: it decides nothing and keeps nothing of its own but the audit: who read or answered what.
"""

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from fastapi import FastAPI

from schemas.topics import EVENTS, RAW_FHIR, RAW_HL7V2
from streams.kafka import console_rows
from streams.kafka.connection import Connection
from streams.kafka.console_answers import Answers
from streams.kafka.console_projection import Projection
from streams.kafka.console_reads import Behind, ConsoleReads
from streams.kafka.process import ProcessError
from streams.kafka.publisher import Publisher
from streams.kafka.topics import partitions_of
from streams.kafka.writing import Writer
from streams.node.access import access_of
from streams.node.access_settings import AccessSettings
from streams.node.clock import SystemClock
from streams.node.http import (
    alerts,
    cds_hooks,
    detected_issue,
    documentation,
    messages,
    notices,
    pages,
    patients,
    probes,
)
from streams.node.http.app import app
from streams.node.http.server import HttpServer
from streams.node.http.settings import HttpSettings
from streams.node.listening import host_and_port
from streams.node.logs import LOG, loop_failed
from streams.node.port import NotDurableError
from streams.node.store import Store
from streams.service import Service

_ROUTERS: Final = (detected_issue, cds_hooks, alerts, notices, patients, messages, probes, documentation, pages)
"""Feeds send to a gateway."""
_STOP_WITHIN: Final = 2.0


@dataclass(frozen=True, slots=True)
class Options:
    """What the console is told."""

    connection: Connection
    data: Path
    http: str
    access: AccessSettings
    certificate: Path | None = None
    private_key: Path | None = None
    rebuild: bool = False
    """Make the rows anew from the topics; the audit stays."""


@dataclass(frozen=True, slots=True)
class Running:
    """A console at work."""

    http: str
    projection: Projection
    reading: "asyncio.Task[None]"
    """Ends only with what went wrong."""


@contextlib.asynccontextmanager
async def running(service: Service, options: Options) -> AsyncIterator[Running]:
    """A console; leaving the block stops it.

    Errors: NoBrokerError, TopicsError, FolderInUseError, StoreError, AccessError, AddressError, OSError; ProcessError.
    """
    async with contextlib.AsyncExitStack() as open_:
        writer = Writer(await asyncio.to_thread(Store, options.data))
        open_.callback(writer.close)
        await writer.do(console_rows.prepare)
        if options.rebuild:
            await writer.do(console_rows.forget_all)
        projection = Projection(options.connection, writer)
        partitions = await projection.partitions()
        publisher = Publisher(options.connection, {EVENTS.name: partitions[options.connection.name(EVENTS.name)]})
        open_.push_async_callback(publisher.stop)
        raw = {topic.name: await partitions_of(options.connection, topic) for topic in (RAW_HL7V2, RAW_FHIR)}
        reads = ConsoleReads(options.data, options.connection, raw, projection, service.monitor, SystemClock())
        open_.callback(reads.close)
        application = _application(service, options, writer, reads, Answers(publisher, projection))
        application.state.node.metrics.registry.register(Behind(projection))
        projection.ring = application.state.node.doorbell.ring
        reading = asyncio.create_task(projection.run(partitions))
        open_.push_async_callback(_ended, reading)
        http = HttpServer(application)
        await http.start()
        open_.push_async_callback(http.stop)
        LOG.info("started", version=application.version, http=http.address, process=os.getpid())
        yield Running(http.address, projection, reading)
        LOG.info("stopping")


def _application(service: Service, options: Options, writer: Writer, reads: ConsoleReads, answers: Answers) -> FastAPI:
    """Errors: AccessError, AddressError."""
    host, port = host_and_port(options.http)
    return app(
        answers,
        reads,
        HttpSettings(host=host, port=port, certificate=options.certificate, private_key=options.private_key),
        access_of(options.access, writer),
        monitor=service.monitor,
        routers=_ROUTERS,
        site=service.settings.site,
    )


async def _ended(reading: "asyncio.Task[None]") -> None:
    reading.cancel()
    await asyncio.wait([reading], timeout=_STOP_WITHIN)


async def console(
    service: Service, options: Options, announce: Callable[[str], None], wait: Callable[[], Awaitable[None]]
) -> None:
    """Run a console until `wait` returns.

    Errors: those of `running`.
    """
    asyncio.get_running_loop().set_exception_handler(lambda _, context: loop_failed(context))
    told = asyncio.ensure_future(wait())
    try:
        async with running(service, options) as made:
            announce(made.http)
            await asyncio.wait([told, made.reading], return_when=asyncio.FIRST_COMPLETED)
            if made.reading.done() and isinstance(error := made.reading.exception(), NotDurableError):
                raise ProcessError(str(error))
    finally:
        told.cancel()
    LOG.info("stopped")
