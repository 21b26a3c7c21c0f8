"""One sender: its messages are taken one at a time, and each is answered before the next is begun.

What is read while a message waits is bounded by asyncio's buffer: the sender is held up by TCP, not by us.
"""

import asyncio
import secrets
import socket
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from typing import Final, assert_never

from streams.node.acknowledgement import (
    Header,
    Verdict,
    acknowledgements,
    read_header,
    verdict_of,
    verdict_of_failure,
    verdict_of_size,
)
from streams.node.mllp.framing import Block, Found, Framer, Oversize, framed
from streams.node.mllp.settings import Counted, Counts, MllpSettings
from streams.node.port import Incoming, NotDurableError, Receiver

_READ: Final = 65_536
_CONTROL_ID_BYTES: Final = 10  # 20 hexadecimal digits, the length of MSH-10
_KEEP_ALIVE: Final = (("TCP_KEEPIDLE", 60), ("TCP_KEEPINTVL", 15), ("TCP_KEEPCNT", 4))


class Budget:
    """The bytes of all unfinished messages together."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._held = 0

    def change(self, by: int) -> bool:
        """Note a change; answers whether there is still room."""
        self._held += by
        return by <= 0 or self._held <= self._most


class Connection:
    """One connection of a sender."""

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        *,
        receiver: Receiver,
        settings: MllpSettings,
        counts: Counts,
        budget: Budget,
        clock: Callable[[], datetime],
        feed: str | None,
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._receiver = receiver
        self._settings = settings
        self._counts = counts
        self._budget = budget
        self._clock = clock
        self._feed = feed
        self._framer = Framer(settings.largest_message)
        self._loop = asyncio.get_running_loop()
        self._begun = 0
        self._message_since = self._idle_since = self._loop.time()
        self._budgeted = 0
        self._reading: asyncio.Timeout | None = None
        self._stopped = asyncio.Event()

    def stop(self) -> None:
        """Read no further; what is being decided is finished and answered."""
        self._stopped.set()
        if self._reading is not None and not self._reading.expired():
            self._reading.reschedule(self._loop.time())

    async def run(self) -> None:
        """Take and answer messages until the sender goes, is cut off, or the listener stops."""
        _keep_alive(self._writer)
        try:
            with suppress(OSError):  # the sender is gone; what it was not told it sends again
                await self._take_all()
        except asyncio.CancelledError:
            self._writer.transport.abort()
            raise
        finally:
            self._budget.change(-self._budgeted)
            await _closed(self._writer, self._settings.answer_within)

    async def _take_all(self) -> None:
        ended = False
        while not ended and not self._stopped.is_set():
            found, ended = await self._read()
            for one in found:
                await self._take(one)
                if self._stopped.is_set():
                    return

    # ---- reading

    async def _read(self) -> tuple[list[Found], bool]:
        """What is found next, and whether it is the last."""
        try:
            async with asyncio.timeout_at(self._deadline()) as self._reading:
                read = await self._reader.read(_READ)
        except TimeoutError:
            return self._waited()
        except OSError:
            return self._framer.end(), True
        finally:
            self._reading = None
        if not read:
            return self._framer.end(), True
        found = self._framer.feed(read)
        return found, self._is_overfull()

    def _deadline(self) -> float:
        """When waiting ends. The time of a message counts while it is waited for, not while others are decided."""
        now = self._loop.time()
        if not self._framer.inside:
            return self._idle_since + self._settings.idle_after
        if self._framer.begun != self._begun:
            self._begun = self._framer.begun
            self._message_since = now
        whole = self._message_since + self._settings.message_within
        return min(whole, now + self._settings.quiet_after) if self._framer.may_be_whole else whole

    def _waited(self) -> tuple[list[Found], bool]:
        if self._stopped.is_set():
            return [], True
        if self._framer.may_be_whole:
            return self._framer.quiet(), False
        self._count("too_slow" if self._framer.inside else "idle")
        return [], True

    def _is_overfull(self) -> bool:
        change = self._framer.held - self._budgeted
        self._budgeted += change
        if self._budget.change(change):
            return False
        self._count("overfull")
        return True

    # ---- deciding and answering

    async def _take(self, found: Found) -> None:
        match found:
            case Block(content):
                header = read_header(content)
                verdict = await self._decide(content, header)
                await self._answer(header, verdict, verdict.result)
            case Oversize(head, size):
                verdict = verdict_of_size(size, self._settings.largest_message)
                await self._answer(read_header(head), verdict, "oversize")
            case "junk" | "broken_off":
                # A message that was broken off is not answered: its sender waits for the answer to the one after it,
                # and one that does not compare MSA-2 would take every later answer for that of the next message.
                self._count(found)
                return
            case _:
                assert_never(found)
        self._idle_since = self._loop.time()

    async def _decide(self, content: bytes, header: Header) -> Verdict:
        """Have it taken. A sender that would not hear of a failure cannot send again, so it is held up instead."""
        incoming = Incoming("mllp", "hl7v2", content, self._clock(), self._feed)
        while True:
            try:
                return verdict_of(await self._receiver.receive(incoming))
            except NotDurableError as error:
                if header.hears_refusals or self._stopped.is_set():
                    return verdict_of_failure(error)
                await self._pause(error.retry_after)
            except Exception as error:  # noqa: BLE001 whatever failed, the message is not acknowledged and the next one comes
                return verdict_of_failure(error)

    async def _pause(self, seconds: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._stopped.wait()

    async def _answer(self, header: Header, verdict: Verdict, counted: Counted) -> None:
        self._count(counted)
        answers = acknowledgements(header, verdict, now=self._clock(), control_id=_control_id)
        if not answers:
            return
        self._writer.write(b"".join(map(framed, answers)))
        if not self._writer.transport.get_write_buffer_size():
            return
        try:
            async with asyncio.timeout(self._settings.answer_within):
                await self._writer.drain()
        except TimeoutError:
            self._count("too_slow")
            self._writer.transport.abort()
            raise

    def _count(self, what: Counted) -> None:
        self._counts.count(what)


def _control_id() -> str:
    return secrets.token_hex(_CONTROL_ID_BYTES)


def _keep_alive(writer: asyncio.StreamWriter) -> None:
    """Have the system find a sender that vanished without a word."""
    connected = writer.get_extra_info("socket")
    connected.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in _KEEP_ALIVE:
        if hasattr(socket, option):
            connected.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), value)


async def _closed(writer: asyncio.StreamWriter, within: float) -> None:
    """Close, and do not wait for a sender that does not let go."""
    writer.close()
    try:
        with suppress(OSError):
            async with asyncio.timeout(within):
                await writer.wait_closed()
    finally:
        writer.transport.abort()
