"""A node to look at: simulated months go in at high speed, then what is left, and the days to come, at a human pace."""

import asyncio
import contextlib
import heapq
import socket
from collections.abc import Callable, Iterator
from datetime import date, datetime, timedelta
from itertools import chain, dropwhile, groupby, takewhile
from pathlib import Path
from typing import Final

from schemas.wire import NotJsonError, decode, encode
from streams.node.clock import SystemClock
from streams.node.demo_days import Invented, Letter
from streams.node.demo_feeds import Feeds
from streams.node.demo_words import Onlooker, say
from streams.node.listening import host_and_port
from streams.node.serve import Listen, Running, running, until_signalled
from streams.node.store_folder import FILE
from streams.node.store_reading import Reading
from streams.service import Service

STARTED: Final = "demo.json"
"""File in the data folder: the day on which its demo was first started, so that the next start goes on with it."""
KEPT_BACK: Final = timedelta(days=7)
"""What was said in these last days comes one after the other, so that something happens while one looks."""
PAUSE: Final = 1.5
"""Seconds between two messages of the human pace, at the least."""
_SPAN: Final = 14
"""Days that are sent together, the systems beside each other."""


class NoDemoError(ValueError):
    """The folder holds something that no demo made; the message says what would be accepted."""


def usual_or_free(address: str) -> str:
    """The address, or one with a free port if somebody listens there.

    Errors: AddressError.
    """
    host, port = host_and_port(address)
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            say(f"port {port} is in use; this demo takes a free one")
            return f"{host}:0"
    return address


async def demo(service: Service, data: Path, listen: Listen, announce: Callable[[Running], None]) -> None:
    """Run a node, feed it, and go on until it is told to stop.

    Errors: NoDemoError, and those of `running`.
    """
    now = SystemClock().now()
    zone = service.settings.site.time_zone
    first = await asyncio.to_thread(_first_started, data, service.monitor.calendar.day(now))
    stopped = asyncio.create_task(until_signalled())
    await asyncio.sleep(0)  # from here on a signal leads to a clean end
    async with running(service, data, listen) as node:
        announce(node)
        feeding = asyncio.create_task(_feed(node, data, Invented(first, zone), now))
        await asyncio.wait({stopped, feeding}, return_when=asyncio.FIRST_COMPLETED)
        if not stopped.done():
            await feeding  # it ends by an error alone
        say("stopping; what was acknowledged is kept")
        feeding.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await feeding


def _first_started(data: Path, today: date) -> date:
    """Errors: NoDemoError."""
    file = data / STARTED
    if file.exists():
        try:
            return date.fromisoformat(decode(file.read_bytes())["first_started"])
        except (NotJsonError, KeyError, TypeError, ValueError):
            raise NoDemoError(f"{file} names no first day of a demo; remove the folder to begin anew") from None
    if (data / FILE).exists():
        raise NoDemoError(f"{data} belongs to a node that is no demo: invented patients would mix with its own")
    data.mkdir(parents=True, exist_ok=True)
    file.write_bytes(encode({"first_started": today.isoformat()}))
    return today


async def _feed(node: Running, data: Path, invented: Invented, now: datetime) -> None:
    feeds = Feeds(node.http, node.mllp)
    reading = Reading(data)
    onlooker = Onlooker(node.http, feeds, reading)
    onlooker.begin(node.mllp)
    try:
        courses = invented.courses()
        kept = await _at_once(feeds, onlooker, courses, now - KEPT_BACK)
        onlooker.suggest()
        traffic = dropwhile(lambda letter: letter.at < now, invented.traffic(now.astimezone(invented.zone).date()))
        await _one_by_one(feeds, onlooker, heapq.merge(kept, traffic, key=_arrival))
    finally:
        await feeds.close()
        reading.close()


async def _at_once(feeds: Feeds, onlooker: Onlooker, letters: Iterator[Letter], until: datetime) -> Iterator[Letter]:
    """Have everything until then taken, a span of days after the other; returns what follows."""
    following: list[Letter] = []
    for _, span in groupby(letters, _span):
        together = list(span)
        await feeds.send(takewhile(lambda letter: letter.at < until, together))
        onlooker.passed(together[0].at)
        following = [letter for letter in together if letter.at >= until]
        if following:
            break
    return chain(following, letters)


def _span(letter: Letter) -> int:
    return letter.at.toordinal() // _SPAN


def _arrival(letter: Letter) -> datetime:
    return letter.at


async def _one_by_one(feeds: Feeds, onlooker: Onlooker, letters: Iterator[Letter]) -> None:
    """Each when its time has come and the one before it was looked at; then nothing more, for ever."""
    clock = SystemClock()
    for letter in letters:
        until = letter.at
        await asyncio.sleep(PAUSE)
        onlooker.look()
        while (ahead := (until - clock.now()).total_seconds()) > 0:
            await asyncio.sleep(min(ahead, PAUSE))
            onlooker.look()
        await feeds.send([letter])
    say("the simulated days are over; remove the folder to begin anew")
    await asyncio.Event().wait()
