"""What an operator is told of a node at work, looked for once a second: feeds, refusals, the disk, an examination.

Topic: a feed that connects anew for each message is connected all the same: it is gone when it was silent for a while.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final, Protocol

import apsw

from streams.node.logs import LOG
from streams.node.mllp.settings import Counted, Counts
from streams.node.store_reading import Reading

EVERY: Final = 1.0
"""Seconds between two looks."""
GONE_AFTER: Final = 30.0
"""Seconds without a connection after which a feed counts as gone."""
_COUNT_EVERY: Final = 5
"""Looks after which dead letters and the progress of an examination are told, so that a flood is one line."""
_REFUSED_CONNECTIONS: Final[tuple[Counted, ...]] = ("too_many_connections", "unknown_certificate", "overfull")


class Working(Protocol):
    """What is asked of the engine."""

    to_examine: int

    @property
    def state(self) -> str:
        """new, running, misled, stopping, stopped or failed."""

    @property
    def why(self) -> str | None:
        """Why it failed, in words that name no patient."""


@dataclass(slots=True)
class _Feed:
    connections: int = 0
    accepted: int = 0
    refused: int = 0
    seen_at: float = 0.0
    is_told: bool = False


@dataclass(slots=True)
class _Connection:
    """What one connection counts, for its feed and for all."""

    feed: _Feed
    counts: Counts

    def count(self, what: Counted) -> None:
        """One more."""
        self.counts.count(what)
        if what == "accepted":
            self.feed.accepted += 1
        elif what in ("refused", "error", "oversize"):
            self.feed.refused += 1


class Feeds:
    """Who is connected (streams.node.mllp.settings.Senders)."""

    def __init__(self, counts: Counts) -> None:
        self._counts = counts
        self._known: dict[str, _Feed] = {}

    @contextmanager
    def connected(self, sender: str) -> Iterator[Counts]:
        """A connection of a sender, as long as it lasts."""
        feed = self._known.setdefault(sender, _Feed())
        feed.connections += 1
        try:
            yield _Connection(feed, self._counts)
        finally:
            feed.connections -= 1
            feed.seen_at = time.monotonic()

    def look(self, steady: float) -> None:
        """Tell who came, and who is gone."""
        for name, feed in list(self._known.items()):
            if not feed.is_told:
                feed.is_told = True
                LOG.info("feed_connected", feed=name, connections=feed.connections)
            elif feed.connections == 0 and steady - feed.seen_at >= GONE_AFTER:
                del self._known[name]
                LOG.info("feed_disconnected", feed=name, accepted=feed.accepted, refused=feed.refused)


@dataclass(slots=True)
class Reporter:
    """Looks at a node and tells what has changed."""

    engine: Working
    reading: Reading
    feeds: Feeds
    counted: Mapping[str, int]
    """Connections and messages, by what became of them."""
    _takes_none: bool = False
    _looks: int = 0
    _left: int = 0
    _refused: Counter[str] = field(default_factory=Counter)
    _letters: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self._left = self.engine.to_examine
        self._letters = self._dead_letters()

    async def run(self) -> None:
        """Look until it is cancelled."""
        if self._left:
            LOG.info("examining", left=self._left, reason="another rule pack or version decided these charts")
        while True:
            await asyncio.sleep(EVERY)
            self.look(time.monotonic())
            if self._looks % _COUNT_EVERY == 0:
                await asyncio.to_thread(self.count)

    def look(self, steady: float) -> None:
        """Look at what costs nothing."""
        self._looks += 1
        self.feeds.look(steady)
        self._connections()
        self._state()

    def _state(self) -> None:
        takes_none = self.engine.state in ("failed", "misled")
        if takes_none and not self._takes_none:
            LOG.error("not_taking", reason=self.engine.why or "")
        elif self._takes_none and self.engine.state == "running":
            LOG.info("taking_again")
        self._takes_none = takes_none

    def _connections(self) -> None:
        for what in _REFUSED_CONNECTIONS:
            more = self.counted.get(what, 0) - self._refused[what]
            if more:
                self._refused[what] += more
                LOG.warning("feed_refused", reason=what, count=more)

    def count(self) -> None:
        """Tell what has been counted since the last look: dead letters by reason, charts that are left."""
        letters = self._dead_letters()
        for reason, number in (letters - self._letters).items():
            LOG.warning("dead_letters", reason=reason, count=number)
        self._letters = letters
        left = self.engine.to_examine
        if left != self._left:
            self._left = left
            LOG.info("examining", left=left) if left else LOG.info("examined")

    def _dead_letters(self) -> Counter[str]:
        try:
            counters = self.reading.counters()
        except apsw.Error:  # whoever writes meets that too, and says it
            return self._letters
        return Counter({c.labels.get("reason", ""): c.value for c in counters if c.family == "dead_letters"})
