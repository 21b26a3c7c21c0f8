"""What a rule is: a function from a chart to the intervals in which it holds, and what it asks."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from alerting.judge import Judge
from schemas.definitions import Definition, Name, Reader, finding
from schemas.intervals import Interval, Intervals
from schemas.rulepack import RulePack

Holds = Callable[[Reader, Judge], Intervals]
Asks = Callable[[Reader, Judge, Interval, datetime], Iterable[str]]


def _asks_nothing(_chart: Reader, _judge: Judge, _interval: Interval, _now: datetime) -> Iterable[str]:
    return ()


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule. Its words and limits stand in the rule pack under its id.

    `reads`: all that `holds` reads; `asks_about`: what `asks` reads beyond that.
    `superseded_by`: while one of these findings holds, this one's alert does not stand.
    Law: `holds` is a function of the chart alone; it never sees the clock.
    """

    id: str
    reads: tuple[Name[Any], ...]
    holds: Holds
    asks: Asks = _asks_nothing
    asks_about: tuple[Name[Any], ...] = ()
    superseded_by: tuple[str, ...] = ()

    def definition(self, pack: RulePack) -> Definition[Intervals]:
        """The rule with its limits as a definition of its finding."""
        judge = Judge(pack.rules[self.id])
        holds = self.holds
        return Definition(finding(self.id), self.reads, lambda chart: holds(chart, judge))
