"""Senders and a receiver to listen for: a fake with the manners of the real one, and plain clients."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from ssl import SSLContext
from typing import Final

import hl7

from streams.intake.outcome import Refusal
from streams.node.mllp import Counted, MllpServer, MllpSettings, serve_mllp
from streams.node.port import Incoming, Outcome

ACCEPTED: Final = Outcome()
REFUSED: Final = Outcome(
    refusals=(Refusal("ORU^R01 1", "no PID before the results; accepted: PID, then OBR and OBX", "PID"),),
    refused_whole=True,
)
PATIENT: Final = b"4711008^^^HOSPITAL^MR||MUSTER^MARIA||19930504|F"
PATIENCE: Final = 10.0
"""Seconds after which a test that hangs has failed."""


def message(control: str, *, more: str = "", kind: str = "ORU^R01", ends: str = "\r", version: str = "2.5.1") -> bytes:
    """A small message; `more` are the fields after MSH-12."""
    header = f"MSH|^~\\&|LAB|NORTH|TRABECULA|SOUTH|20260303081500+0100||{kind}|{control}|P|{version}{more}"
    return ends.join((header, f"PID|1||{PATIENT.decode()}", "OBX|1|NM|68438-1^^LN||62.5|nmol/L", "")).encode()


def block(content: bytes) -> bytes:
    return b"\x0b" + content + b"\x1c\r"


def control_of(content: bytes) -> str:
    """MSH-10, read by somebody else's parser."""
    return str(hl7.parse(content.decode("latin-1").split("\r")[0] + "\r").segment("MSH")[10])


def told(acknowledgement: bytes) -> tuple[str, str]:
    """MSA-1 and MSA-2, read by somebody else's parser."""
    segment = hl7.parse(acknowledgement.decode("latin-1")).segment("MSA")
    return str(segment[1]), str(segment[2])


class FakeReceiver:
    """Takes what it is told to take, as an engine does: durable first, then the outcome.

    `kept`: what came of messages that are not whole. `answers`: by control id an outcome, or errors to raise one after
    the other before it is accepted.
    """

    def __init__(self, answers: dict[str, Outcome | list[Exception]] | None = None, *, takes: float = 0.0) -> None:
        self.answers = answers or {}
        self.takes = takes
        self.received: list[Incoming] = []
        self.durable: list[bytes] = []
        self.kept: list[bytes] = []
        self.at_once = 0
        self.most_at_once = 0
        self.open = asyncio.Event()
        self.open.set()

    async def receive(self, message: Incoming) -> Outcome:
        self.received.append(message)
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            await self.open.wait()
            await asyncio.sleep(self.takes)
            return self._taken(message.raw) if message.refusal is None else self._kept(message.raw, message.refusal)
        finally:
            self.at_once -= 1

    async def receive_all(self, messages: Sequence[Incoming]) -> list[Outcome]:
        return [await self.receive(message) for message in messages]

    def _kept(self, raw: bytes, refusal: Refusal) -> Outcome:
        failing = next((answer for control, answer in self.answers.items() if control.encode() in raw), None)
        if isinstance(failing, list) and failing:
            raise failing.pop(0)
        self.kept.append(raw)
        return Outcome(refusals=(refusal,), refused_whole=True)

    def _taken(self, raw: bytes) -> Outcome:
        answer = self.answers.get(control_of(raw), ACCEPTED) if raw.startswith(b"MSH") else REFUSED
        if isinstance(answer, list):
            if answer:
                raise answer.pop(0)
            answer = ACCEPTED
        if raw in self.durable:
            return answer if answer.refused_whole else Outcome(duplicate=True)
        self.durable.append(raw)
        return answer


class Tally:
    """Counts in a dictionary."""

    def __init__(self) -> None:
        self.counted: Counter[str] = Counter()

    def count(self, what: Counted) -> None:
        self.counted[what] += 1

    async def until(self, what: Counted, times: int = 1) -> None:
        """Wait until something was counted so often."""
        await until(lambda: self.counted[what] >= times)


async def until(holds: Callable[[], bool]) -> None:
    """Wait until something holds."""
    async with asyncio.timeout(PATIENCE):
        while not holds():  # noqa: ASYNC110 what holds is the listener's, which has no event for tests
            await asyncio.sleep(0.005)


class Sender:
    """A plain sender that reads one acknowledgement at a time."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def send(self, sent: bytes) -> None:
        """Send bytes as they are."""
        self.writer.write(sent)
        await self.writer.drain()

    async def trickle(self, sent: bytes, piece: int = 1) -> None:
        """Send little by little, until the other side has enough of it."""
        for start in range(0, len(sent), piece):
            await self.send(sent[start : start + piece])
            await asyncio.sleep(0.01)

    async def answer(self) -> bytes:
        """The next acknowledgement, without its frame."""
        async with asyncio.timeout(PATIENCE):
            read = await self.reader.readuntil(b"\x1c\r")
        assert read.startswith(b"\x0b")
        return read[1:-2]

    async def told(self) -> tuple[str, str]:
        """MSA-1 and MSA-2 of the next acknowledgement."""
        return told(await self.answer())

    async def rest(self) -> bytes:
        """What comes until the other side closes."""
        async with asyncio.timeout(PATIENCE):
            try:
                return await self.reader.read(-1)
            except ConnectionError:
                return b""


@asynccontextmanager
async def connected(server: MllpServer, ssl: SSLContext | None = None) -> AsyncIterator[Sender]:
    host, port = server.address
    reader, writer = await asyncio.open_connection(host, port, ssl=ssl, server_hostname="localhost" if ssl else None)
    try:
        yield Sender(reader, writer)
    finally:
        writer.transport.abort()


@asynccontextmanager
async def listening(
    receiver: FakeReceiver, tally: Tally | None = None, ssl: SSLContext | None = None, **limits: float | frozenset[str]
) -> AsyncIterator[MllpServer]:
    """A listener on a free port of this machine, with the limits of the test."""
    settings = MllpSettings(**limits)  # type: ignore[arg-type]
    server = await serve_mllp(receiver, "127.0.0.1", 0, settings, ssl, counts=tally)
    try:
        yield server
    finally:
        await server.stop(within=2.0)
