"""Measure acknowledgements a second of the MLLP listener against python-hl7's own server. Nothing is written.

Topic: both servers run in a process of their own with a receiver that only counts, so that the edge alone is measured;
the senders are the same for both, rounds take turns, and the figures are medians. The ratio of one run means the same
on any machine.
"""

import argparse
import asyncio
import json
import selectors
import socket
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from typing import Final

sys.path.insert(0, str(Path(__file__).parents[1]))

from hl7.mllp import HL7StreamReader, HL7StreamWriter, start_hl7_server
from workload.messages import ORU

from streams.node.mllp import MllpSettings, serve_mllp
from streams.node.port import Incoming, Outcome

ROUNDS: Final = 5
SECONDS: Final = 1.5
CONNECTIONS: Final = 16
TIMES_FASTER: Final = 2.0
"""Than python-hl7's server at the edge alone, over many connections. A durable store behind both is another measure."""


# ---- the servers, each a process of its own


class Counting:
    """A receiver that only counts."""

    def __init__(self) -> None:
        self.received = 0

    async def receive(self, message: Incoming) -> Outcome:
        self.received += bool(message.raw)
        return Outcome()

    async def receive_all(self, messages: Sequence[Incoming]) -> list[Outcome]:
        return [await self.receive(message) for message in messages]


async def _ours() -> int:
    server = await serve_mllp(Counting(), "127.0.0.1", 0, MllpSettings())
    return server.address[1]


async def _theirs() -> int:
    received = 0

    async def connected(reader: HL7StreamReader, writer: HL7StreamWriter) -> None:
        nonlocal received
        while True:
            try:
                message = await reader.readmessage()
            except (asyncio.IncompleteReadError, ConnectionError):
                break
            received += 1
            writer.writemessage(message.create_ack())
            await writer.drain()
        writer.close()

    server = await start_hl7_server(connected, host="127.0.0.1", port=0, encoding="utf-8")
    return int(server.sockets[0].getsockname()[1])


SERVERS: Final[dict[str, Callable[[], Awaitable[int]]]] = {"trabecula": _ours, "python-hl7": _theirs}


async def _serve(name: str) -> None:
    print(await SERVERS[name](), flush=True)
    await asyncio.Event().wait()


# ---- the senders


def _rate(port: int, connections: int) -> float:
    """Every connection sends, waits for its acknowledgement and sends the next; acknowledgements a second of all.

    Plain sockets: what the senders cost would else be measured as the servers'.
    """
    block = b"\x0b" + ORU + b"\x1c\r"
    acknowledged = 0
    with selectors.DefaultSelector() as ready, ExitStack() as opened:
        for _ in range(connections):
            sender = opened.enter_context(socket.create_connection(("127.0.0.1", port)))
            sender.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            ready.register(sender, selectors.EVENT_READ, sender)
            sender.sendall(block)
        begun = time.perf_counter()
        while (now := time.perf_counter()) < begun + SECONDS:
            for key, _ in ready.select(1):
                answer = key.data.recv(4096)
                assert b"MSA|AA|M0001" in answer
                assert answer.endswith(b"\x1c\r")
                key.data.sendall(block)
                acknowledged += 1
    return acknowledged / (now - begun)


def _measured(ports: dict[str, int]) -> dict[str, dict[int, float]]:
    rates: dict[str, dict[int, list[float]]] = {name: {1: [], CONNECTIONS: []} for name in ports}
    for _ in range(ROUNDS):
        for name, port in ports.items():
            for connections, seen in rates[name].items():
                seen.append(_rate(port, connections))
    return {name: {n: median(seen) for n, seen in by_number.items()} for name, by_number in rates.items()}


def main() -> int:
    """Print both servers' rates and their ratios."""
    servers = {
        name: subprocess.Popen(  # noqa: S603 this file itself
            [sys.executable, __file__, "--serve", name], stdout=subprocess.PIPE, text=True
        )
        for name in SERVERS
    }
    try:
        ports = {name: int(server.stdout.readline()) for name, server in servers.items() if server.stdout}
        rates = _measured(ports)
    finally:
        for server in servers.values():
            server.kill()
            server.wait()
    ours, theirs = rates["trabecula"], rates["python-hl7"]
    for connections in (1, CONNECTIONS):
        ratio = ours[connections] / theirs[connections]
        print(
            f"{connections:2d} connections: {ours[connections]:7,.0f} acknowledgements/s, "
            f"python-hl7 {theirs[connections]:6,.0f}; {ratio:.1f} times"
        )
    print(json.dumps({name: {str(n): round(rate) for n, rate in by.items()} for name, by in rates.items()}))
    return 0 if ours[CONNECTIONS] / theirs[CONNECTIONS] >= TIMES_FASTER else 1


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--serve", choices=SERVERS, help=argparse.SUPPRESS)
    serve = parser.parse_args().serve
    if serve:
        asyncio.run(_serve(serve))
    else:
        sys.exit(main())
