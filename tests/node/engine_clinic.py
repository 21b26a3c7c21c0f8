"""An engine for tests: a folder, a clock that is set, messages in, and what it says to them."""

import asyncio
import random
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any, Final

from schemas.alerts import Notice
from schemas.days import to_utc
from schemas.events import AnyEvent
from schemas.wire import decode, encode
from streams.chart import codec
from streams.intake.site import Site
from streams.monitor import Monitor
from streams.node.clock import SetClock
from streams.node.engine import Engine, Limits
from streams.node.port import Channel, Format, Incoming, Outcome
from streams.node.store import Store
from streams.node.store_reading import Reading
from streams.node.watch import Watch
from streams.ward import MemoryCharts, Ward
from tests.support import on, tables
from tests.wards import monitor

SOON: Final = 20.0
"""Seconds within which everything in a test is answered."""
Json = Mapping[str, Any]


def incoming(
    given: AnyEvent | Json | bytes, at: datetime, *, form: Format = "event", channel: Channel = "events"
) -> Incoming:
    """A message as an edge would hand it over."""
    return Incoming(channel, form, given if isinstance(given, bytes) else encode(given), at)


class Node:
    """A store and its engine at work in a folder."""

    def __init__(
        self,
        folder: Path,
        at: datetime | None = None,
        *,
        limits: Limits | None = None,
        rules: Monitor | None = None,
        vfs: str | None = None,
        site: Site | None = None,
        watch: Watch | None = None,
    ) -> None:
        self.folder = folder
        self.clock = SetClock(at or on(0))
        self.monitor = rules or monitor()
        self.store = Store(folder, vfs=vfs)
        self.engine = Engine(self.store, self.monitor, tables(), site, clock=self.clock, limits=limits, watch=watch)
        self.engine.start()

    @cached_property
    def reading(self) -> Reading:
        """What the pages would read."""
        return Reading(self.folder)

    def close(self) -> None:
        """Stop in order."""
        assert self.engine.close(SOON)
        if "reading" in self.__dict__:
            self.reading.close()
        self.store.close()

    # ---- what is done

    def take(self, given: AnyEvent | Json | bytes, *, form: Format = "event") -> Outcome:
        """Take one message at the time of the clock."""
        return self.engine.submit(incoming(given, self.clock.at, form=form)).result(SOON)

    def take_all(self, given: Iterable[AnyEvent | Json]) -> list[Outcome]:
        """Take events one after the other, each when it was recorded."""
        outcomes = []
        for event in given:
            self.clock.at = max(self.clock.at, recorded(event))
            outcomes.append(self.take(event))
        return outcomes

    def take_together(self, given: Iterable[AnyEvent | Json]) -> list[Outcome]:
        """Take events that come together, at the time of the clock."""
        return asyncio.run(self.engine.receive_all([incoming(event, self.clock.at) for event in given]))

    def wait_until(self, at: datetime) -> None:
        """Let the clock run to an instant, and the engine notice."""
        self.clock.at = at
        while self.engine.call(lambda desk: desk.ward.next_check_at() <= desk.now).result(SOON):
            pass

    # ---- what is there

    def outbox(self) -> list[Notice]:
        """Every notice of the outbox."""
        return [Notice.model_validate(decode(told.body)) for told in self.reading.notices(0, 1_000)]

    def transitions(self, rule: str) -> list[str]:
        """What was told of a rule's alerts."""
        return [notice.transition for notice in self.outbox() if notice.rule_id == rule]

    def standing(self) -> frozenset[tuple[Any, ...]]:
        """What law 1 is about, as the pages show it."""
        found: list[Json] = []
        after = None
        while True:
            part = self.reading.alerts(after=after, limit=7)
            found += part.items
            after = part.next
            if after is None:
                return frozenset(map(_of, found))

    def charts(self) -> dict[str, codec.Page]:
        """The charts as they are kept."""
        rows = self.store.rows
        return {p: codec.decode(row[0]) for p in list(rows.patients()) if (row := rows.page(p))}


def _of(alert: Json) -> tuple[Any, ...]:
    at = to_utc(datetime.fromisoformat(alert["effective_at"]))
    return alert["patient_id"], alert["alert_id"], alert["severity"], at, alert["state"]


def recorded(given: AnyEvent | Json) -> datetime:
    """When an event was recorded."""
    at = datetime.fromisoformat(given["recorded_at"]) if isinstance(given, Mapping) else given.recorded_at
    return to_utc(at)


@contextmanager
def node(folder: Path, at: datetime | None = None, **more: Any) -> Iterator[Node]:
    """A node at work, stopped in order at the end."""
    made = Node(folder, at, **more)
    try:
        yield made
    finally:
        made.close()


def ward_state(ward: Ward, at: datetime) -> frozenset[tuple[Any, ...]]:
    """What law 1 is about, of a ward in memory."""
    return frozenset((a.patient_id, a.alert_id, a.severity, to_utc(a.effective_at), a.state) for a in ward.standing(at))


def memory_ward() -> Ward:
    """A ward that keeps nothing."""
    return Ward(monitor(), MemoryCharts())


def shuffled_clock(rng: random.Random, events: Iterable[Json]) -> Iterator[tuple[datetime, Json]]:
    """Events, each with an instant of a clock that is sometimes late, and never before the event was recorded."""
    at = None
    for event in events:
        when = recorded(event) + rng.choice((timedelta(), timedelta(), timedelta(hours=3), timedelta(days=20)))
        at = when if at is None else max(at, when)
        yield at, event
