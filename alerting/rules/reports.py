"""Reports of pain, and what two of them tell: that pain lasts, or that it is over.

Source: docs/intervals.md, Reports: a symptom is one report; no later report means unknown, not gone.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator
from datetime import date, datetime

import msgspec

from schemas.days import Calendar
from schemas.facts import Fact, SymptomReport
from schemas.intervals import Evidence


class Report(msgspec.Struct, frozen=True):
    """One report of pain with its local day."""

    at: datetime
    day: date
    said: SymptomReport
    fact: Fact

    @property
    def evidence(self) -> Evidence:
        """What was reported, with its score."""
        score = None if self.said.score is None else float(self.said.score)
        what = self.said.symptom.replace("_", " ")
        return Evidence(what, self.fact.record_id, self.fact.event_id, self.fact.source, score, "{score}", self.at)

    @property
    def words(self) -> str:
        """`back pain 8/10`."""
        what = self.said.symptom.replace("_", " ")
        return what if self.said.score is None else f"{what} {self.said.score.normalize():f}/10"

    def on_side(self, side: str) -> bool:
        """The report names this side or both."""
        return self.said.side in (side, "both")


Test = Callable[[Report], bool]


def reports(facts: Iterable[Fact], calendar: Calendar) -> tuple[Report, ...]:
    """The reports, in clinical time."""
    return tuple(
        Report(said.observed_at, calendar.day(said.observed_at), said, fact)
        for fact in facts
        if isinstance(said := fact.payload, SymptomReport)
    )


def lasting(found: Iterable[Report], such: Test, breaks: Test, apart: int) -> Iterator[tuple[Report, Report]]:
    """Each report that is such, `apart` days or more after another such, none between that breaks the run."""
    first: Report | None = None
    for report in found:
        if breaks(report):
            first = None
        elif such(report):
            first = first or report
            if first is not report and (report.day - first.day).days >= apart:
                yield first, report


class Settled:
    """When pain was over after an instant: a report that is such, `apart` days after another such, none worse between.

    Law: asking costs the logarithm of the number of reports, so that many reports cost no more than their number.
    """

    __slots__ = ("_apart", "_ends", "_next", "_runs")

    def __init__(self, found: Iterable[Report], such: Test, worse: Test, apart: int) -> None:
        self._apart = apart
        self._runs: list[list[Report]] = []
        broken = True
        for report in found:
            if worse(report):
                broken = True
            elif such(report):
                if broken:
                    self._runs.append([])
                    broken = False
                self._runs[-1].append(report)
        self._ends = [run[-1].at for run in self._runs]
        self._next: list[Report | None] = [None] * (len(self._runs) + 1)
        for i in reversed(range(len(self._runs))):
            self._next[i] = self._second(self._runs[i], 0) or self._next[i + 1]

    def _second(self, run: list[Report], first: int) -> Report | None:
        days = run[first].day.toordinal() + self._apart
        second = bisect_left(run, days, lo=first, key=lambda r: r.day.toordinal())
        return run[second] if first < second < len(run) else None

    def after(self, at: datetime) -> Report | None:
        """The report that says it is over, both reports after the instant; None: not known to be over."""
        i = bisect_right(self._ends, at)
        if i == len(self._runs):
            return None
        run = self._runs[i]
        return self._second(run, bisect_right(run, at, key=lambda r: r.at)) or self._next[i + 1]
