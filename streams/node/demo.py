"""A node to look at: simulated months go in at high speed, then their last messages at a human pace."""

import asyncio
import sys
from collections import deque
from collections.abc import Callable, Iterable
from datetime import timedelta
from pathlib import Path
from typing import Final

from streams.node.clock import SystemClock
from streams.node.port import Incoming
from streams.node.serve import Listen, Running, running, until_signalled
from streams.service import Service
from streams.simulate.options import Options
from streams.simulate.run import texts

DAYS: Final = 60
PATIENTS: Final = 150
ENRICH: Final = 25.0
"""What is rare is so many times as frequent, or there would be nothing to look at."""
_KEPT_BACK: Final = 600
"""Messages that come one after the other, so that something happens while one looks."""
_AT_ONCE: Final = 128
_PAUSE: Final = 2.0
"""Seconds between two messages of the human pace."""


def _population(service: Service) -> Options:
    today = service.monitor.calendar.day(SystemClock().now())
    zone = service.settings.site.time_zone
    start = today - timedelta(days=DAYS)
    return Options(seed=7, patients=PATIENTS, start=start, days=DAYS, zone=zone, enrich=ENRICH)


async def _feed(node: Running, messages: Iterable[bytes]) -> deque[bytes]:
    """Have all but the last messages taken, many together; returns the rest."""
    kept: deque[bytes] = deque()
    slots = asyncio.Semaphore(_AT_ONCE)

    async def take(raw: bytes) -> None:
        try:
            await node.engine.receive(_incoming(raw))
        finally:
            slots.release()

    async with asyncio.TaskGroup() as tasks:
        for done, raw in enumerate(messages, 1):
            kept.append(raw)
            if len(kept) > _KEPT_BACK:
                await slots.acquire()
                tasks.create_task(take(kept.popleft()))
            if done % 1000 == 0:
                _say(f"{done:,} messages")
    return kept


def _incoming(raw: bytes) -> Incoming:
    return Incoming("events", "event", raw, SystemClock().now())


async def _go_on(node: Running, messages: deque[bytes]) -> None:
    while messages:
        await asyncio.sleep(_PAUSE)
        await node.engine.receive(_incoming(messages.popleft()))


def _say(words: str) -> None:
    sys.stderr.write(f"{words}\n")


async def demo(service: Service, data: Path, listen: Listen, announce: Callable[[Running], None]) -> None:
    """Run a node, fill it, and go on until it is told to stop."""
    async with running(service, data, listen) as node:
        announce(node)
        stopped = asyncio.create_task(until_signalled())
        filling = asyncio.create_task(_fill(node, service))
        await asyncio.wait({stopped, filling}, return_when=asyncio.FIRST_COMPLETED)
        if filling.done():
            filling.result()
            await stopped
        else:
            filling.cancel()
            await asyncio.wait({filling})


async def _fill(node: Running, service: Service) -> None:
    _say(f"{DAYS} simulated days of an invented hospital go in; nobody in it is a real person")
    kept = await _feed(node, texts(_population(service), "events"))
    _say("the months are in; the last messages come one after the other. Ctrl-C stops the node")
    await _go_on(node, kept)
