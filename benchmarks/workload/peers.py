"""Servers to measure against, each in a process of its own that prints its port: python -m workload.peers NAME DIR."""

import asyncio
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from hl7.mllp import HL7StreamReader, HL7StreamWriter, start_hl7_server

from streams.node.engine import Engine, Limits
from streams.node.mllp import MllpSettings, serve_mllp
from streams.node.port import Incoming, Outcome
from streams.node.store import Store
from streams.service import Service
from streams.settings import load_settings


class Counting:
    """A receiver that only counts."""

    def __init__(self) -> None:
        self.received = 0

    async def receive(self, message: Incoming) -> Outcome:
        """Count."""
        self.received += bool(message.raw)
        return Outcome()

    async def receive_all(self, messages: Sequence[Incoming]) -> list[Outcome]:
        """Count each."""
        return [await self.receive(message) for message in messages]


async def _our_edge(_folder: Path) -> int:
    server = await serve_mllp(Counting(), "127.0.0.1", 0, MllpSettings())
    return server.address[1]


async def _python_hl7(take: Callable[[bytes], Awaitable[object]]) -> int:
    """python-hl7's own server as its documentation has it: read, take, acknowledge."""

    async def connected(reader: HL7StreamReader, writer: HL7StreamWriter) -> None:
        while True:
            try:
                message = await reader.readmessage()
            except (asyncio.IncompleteReadError, ConnectionError):
                break
            await take(str(message).encode())
            writer.writemessage(message.create_ack())
            await writer.drain()
        writer.close()

    server = await start_hl7_server(connected, host="127.0.0.1", port=0, encoding="utf-8")
    return int(server.sockets[0].getsockname()[1])


async def _their_edge(_folder: Path) -> int:
    async def nothing(_raw: bytes) -> None:
        return

    return await _python_hl7(nothing)


async def _their_server_same_store(folder: Path) -> int:
    """The same work and the same store: each message translated, decided and committed before its answer."""
    return await _their_server_our_engine(folder, Limits(together=1))


async def _their_server_group_commit(folder: Path) -> int:
    """The same, and what waits at once is committed at once, which is no part of that server but of our engine."""
    return await _their_server_our_engine(folder, Limits())


async def _their_server_our_engine(folder: Path, limits: Limits) -> int:
    service = Service(load_settings())
    store = Store(folder)
    engine = Engine(store, service.monitor, service.tables, service.settings.site, limits=limits)
    engine.start()

    async def keep(raw: bytes) -> None:
        outcome = await engine.receive(Incoming("mllp", "hl7v2", raw, datetime.now(UTC)))
        assert not outcome.refused_whole

    return await _python_hl7(keep)


async def _their_server_log_only(folder: Path) -> int:
    """python-hl7's server that keeps the raw message alone, one durable commit each, in the settings of our store."""
    store = Store(folder)
    store.rows.db.execute("CREATE TABLE message (body BLOB NOT NULL)")

    async def keep(raw: bytes) -> None:
        with store.transaction():
            store.rows.db.execute("INSERT INTO message VALUES (?)", (raw,))

    return await _python_hl7(keep)


PEERS: Final[Mapping[str, Callable[[Path], Awaitable[int]]]] = {
    "our edge": _our_edge,
    "python-hl7 edge": _their_edge,
    "python-hl7, same store": _their_server_same_store,
    "python-hl7, our group commit": _their_server_group_commit,
    "python-hl7, raw message only": _their_server_log_only,
}


@contextmanager
def peer(name: str, folder: Path) -> Iterator[tuple[str, int]]:
    """A peer and its address."""
    command = [sys.executable, "-m", "workload.peers", name, str(folder)]
    here = Path(__file__).parents[1]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=here)  # noqa: S603 - this file
    try:
        line = process.stdout.readline() if process.stdout else ""
        time.sleep(0.1)
        yield "127.0.0.1", int(line)
    finally:
        process.kill()
        process.wait()


async def _serve(name: str, folder: Path) -> None:
    print(await PEERS[name](folder), flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_serve(sys.argv[1], Path(sys.argv[2])))
