"""The patients of one partition: who belongs elsewhere is sent there, and whoever comes is taken in.

Law: every partition learns every link, and an identity's facts end where its survivor is kept, whatever came first. A
link reaches all partitions in one transaction, before any fact that moves because of it; so whoever gets facts knows
all that their sender knew, sends on only what newer links move, and the sending ends.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from typing import Protocol

import msgspec

from alerting.lifecycle import Cause
from schemas.alerts import Notice, Told
from schemas.events import AnyEvent
from schemas.facts import Fact
from streams.chart.chart import Chart
from streams.monitor import Monitor
from streams.ward import Charts, Ward


class Leaving(Protocol):
    """The way to other partitions."""

    def forward(self, event: AnyEvent, survivor: str) -> None:
        """An event speaks of somebody who is kept elsewhere."""

    def move(self, chart: Chart, cause: Cause) -> None:
        """Facts and memory of somebody who is kept elsewhere leave."""


class PartitionWard(Ward):
    """A ward that keeps the charts of some survivors; `is_here` tells which."""

    def __init__(
        self,
        monitor: Monitor,
        charts: Charts,
        mark: Callable[[str], str],
        is_here: Callable[[str], bool],
        leaving: Leaving,
    ) -> None:
        super().__init__(monitor, charts, mark)
        self._is_here = is_here
        self._leaving = leaving

    def _here(self, event: AnyEvent, survivors: list[str]) -> list[str]:
        here = [survivor for survivor in survivors if self._is_here(survivor)]
        for survivor in survivors:
            if survivor not in here:
                self._leaving.forward(event, survivor)
        return here

    def _settle(self, before: list[Chart], made: list[Chart], now: datetime, cause: Cause) -> list[Notice]:
        """Where a chart is parted its parts are decided together, also those that leave: an alert may move with them.

        Topic: what leaves for a chart that is kept elsewhere is decided there, with the rest of that chart.
        """
        stay = [chart for chart in made if self._is_here(chart.patient_id)]
        leave = [chart for chart in made if not self._is_here(chart.patient_id)]
        notices: list[Notice] = []
        if stay and leave and any(map(self._is_parted, before)):
            decided, notices = self.monitor.decide([*stay, *leave], now, cause, self.people.survivor)
            stay, leave = decided[: len(stay)], decided[len(stay) :]
            for chart in stay:
                self._keep(chart)
        elif stay:
            notices = self._decide(stay, now, cause)
        for chart in leave:
            if len(chart.facts) or chart.told:
                self._leaving.move(chart, cause)
        return notices

    def _is_parted(self, chart: Chart) -> bool:
        return len({survivor for fact in chart.facts for survivor in self._reaches(fact)}) > 1

    # ---- whoever comes

    def arrive(self, facts: Iterable[Fact], told: Mapping[str, Told], now: datetime, cause: Cause) -> list[Notice]:
        """Take in facts and memory that were kept elsewhere; what belongs elsewhere by now is sent on."""
        by_survivor: dict[str, list[Fact]] = {}
        for fact in facts:
            for survivor in self._reaches(fact):
                by_survivor.setdefault(survivor, []).append(fact)
        memory: dict[str, dict[str, Told]] = {}
        for key, known in told.items():
            memory.setdefault(self.people.survivor(known.patient_id), {})[key] = known
        made = [
            chart
            for survivor in sorted(by_survivor.keys() | memory.keys())
            if (chart := self._with(survivor, by_survivor.get(survivor, []), memory.get(survivor, {}))) is not None
        ]
        return self._settle([], made, now, cause)

    def _with(self, survivor: str, facts: list[Fact], told: Mapping[str, Told]) -> Chart | None:
        """The chart of a survivor with what came; None where nothing is left of it: it was erased meanwhile."""
        known = self.charts.get(survivor) if self._is_here(survivor) else None
        if not facts and known is None:
            return None
        kept = [*known.facts, *facts] if known else facts
        return self.monitor.chart(survivor, kept, _latest(known.told if known else {}, told))


def _latest(known: Mapping[str, Told], came: Mapping[str, Told]) -> dict[str, Told]:
    """What was told last of each alert."""
    both = dict(known)
    for key, told in came.items():
        if key not in both or _order(both[key]) < _order(told):
            both[key] = told
    return both


def _order(told: Told) -> tuple[int, datetime, bytes]:
    return told.sequence, told.ended_at or told.told_at, msgspec.msgpack.encode(told)


def pieces(facts: Iterable[Fact], most: int) -> Iterator[list[Fact]]:
    """Facts, so many at a time: a record must not grow with a patient's history."""
    some: list[Fact] = []
    for fact in facts:
        some.append(fact)
        if len(some) == most:
            yield some
            some = []
    if some:
        yield some
