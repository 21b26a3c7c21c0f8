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

from streams.intake.outcome import Refusal
from streams.node.acknowledgement import (
    Header,
    Verdict,
    acknowledgements,
    read_header,
    verdict_of,
    verdict_of_failure,
)
from streams.node.mllp.framing import Block, BrokenOff, Found, Framer, Oversize, framed
from streams.node.mllp.keeping import Allowance
from streams.node.mllp.settings import Counted, Counts, MllpSettings
from streams.node.port import Format, Incoming, NotDurableError, Receiver

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
        allowance: Allowance,
        clock: Callable[[], datetime],
        feed: str | None,
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._receiver = receiver
        self._settings = settings
        self._counts = counts
        self._budget = budget
        self._allowance = allowance
        self._kept = 0
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
        overfull = self._is_overfull()
        return found + self._framer.end() if overfull else found, overfull

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
        return self._framer.end(), True

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
                verdict = await self._decide(self._incoming("hl7v2", content), header)
                await self._answer(header, verdict, verdict.result)
            case Oversize(content, size):
                header = read_header(content)
                verdict = await self._decide(self._part(header, content, self._too_large(size)), header)
                await self._answer(header, verdict, "error" if verdict.result == "error" else "oversize")
            case BrokenOff(content, size):
                # It is not answered: its sender waits for the answer to the message after it, and one that does not
                # compare MSA-2 would take every later answer for that of the next message.
                await self._keep(content, size)
                return
            case "junk":
                # Counted and not kept: nothing says where a message would begin in it, its sender waits in vain for
                # an answer, and anybody could send as much of it as the disk holds.
                self._count(found)
                return
            case _:
                assert_never(found)
        self._idle_since = self._loop.time()

    def _incoming(self, form: Format, content: bytes, refusal: Refusal | None = None) -> Incoming:
        return Incoming("mllp", form, content, self._clock(), self._feed, refusal)

    def _part(self, header: Header, content: bytes, reason: str) -> Incoming:
        return self._incoming("part", content, Refusal(header.name, reason, "MSH[1]"))

    def _too_large(self, size: int) -> str:
        return f"oversize: {size} bytes; accepted: up to {self._settings.largest_message} bytes a message"

    async def _keep(self, content: bytes, size: int) -> None:
        """Keep what came of a message that broke off, if it is known for one and there are not too many."""
        self._count("broken_off")
        header = read_header(content)
        wanted = bool(header.fields) and self._kept < self._settings.parts_of_one
        if not wanted or not self._allowance.allows(len(content)):
            self._count("not_kept")
            return
        self._kept += 1
        try:
            await self._receiver.receive(self._part(header, content, f"broken_off: {size} bytes came"))
        except Exception:  # noqa: BLE001 whatever failed: nobody was promised that it is kept, and others wait
            self._count("not_kept")

    async def _decide(self, incoming: Incoming, header: Header) -> Verdict:
        """Have it taken. A sender that would not hear of a failure cannot send again, so it is held up instead."""
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
