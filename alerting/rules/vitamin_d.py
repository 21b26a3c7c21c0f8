"""Vitamin D deficiency, and the 25-OH vitamin D that the risk-factor score reads too.

Source: docs/intervals.md VIT-01 and VIT-02; docs/evidence.md 4.2.
"""

from collections.abc import Iterable, Iterator
from datetime import date, datetime
from typing import Any, Final

import msgspec

from alerting.judge import Judge
from alerting.rule import Rule
from alerting.rules.results import Allowed, at_least, below, evidence, reading, results
from schemas.definitions import Definition, Name, Reader, define
from schemas.facts import Fact, Lab
from schemas.intervals import Interval, Intervals, Sign, runs
from schemas.rulepack import RulePack
from schemas.tables import Tables
from schemas.views import PREGNANCIES, Ledger, Pregnancy, labs, ledger

_TOTAL, _D3, _D2 = labs("25OHD"), labs("25OHD3"), labs("25OHD2")
_REPLACEMENT = ledger("vitamin_d")


class Level(msgspec.Struct, frozen=True):
    """25-OH vitamin D of one collection, in the reported kind of unit: ng/mL (mass) or nmol/L (molar)."""

    at: datetime
    found: Allowed
    quantity: str
    facts: tuple[Fact, ...]

    def low(self, judge: Judge) -> bool:
        """Below the limit of the unit in which it was reported."""
        return below(judge, self.quantity, self.found) if self.quantity in judge.text.limits else False

    def repleted(self, judge: Judge) -> bool:
        """At or above the limit of the unit in which it was reported."""
        return at_least(judge, self.quantity, self.found) if self.quantity in judge.text.limits else False


VITAMIN_D: Final[Name[tuple[Level, ...]]] = Name("vitamin_d")
"""25-OH vitamin D by collection: the total, or D3 with the D2 of the same collection added."""


def _levels(facts: tuple[Fact, ...]) -> dict[datetime, Level]:
    return {
        lab.collected_at: Level(lab.collected_at, found, lab.quantity, (fact,)) for fact, lab, found in results(facts)
    }


@define(VITAMIN_D, _TOTAL, _D3, _D2)
def _vitamin_d(chart: Reader) -> tuple[Level, ...]:
    made = _levels(chart[_D3])
    for at, d2 in _levels(chart[_D2]).items():
        d3 = made.pop(at, None)
        if d3 is not None and d3.quantity == d2.quantity:
            made[at] = Level(at, d3.found.plus(d2.found), d3.quantity, d3.facts + d2.facts)
    made |= _levels(chart[_TOTAL])
    return tuple(made[at] for at in sorted(made))


def _excused(chart: Reader, judge: Judge, level: Level, earlier: Iterable[Level]) -> bool:
    """A repeat of a low result, collected while replacement that was just started could not yet show."""
    if not any(e.low(judge) for e in earlier):
        return False
    day = chart.calendar.day(level.at)
    started = _started(chart[_REPLACEMENT], day, judge.days("course_gap"))
    since = (day - started).days if started else None
    return judge.at_most("after_replacement", since)


def _started(exposure: Ledger, day: date, gap: int) -> date | None:
    return max((first for first, _ in exposure.courses(gap) if first <= day), default=None)


def _signs(chart: Reader, judge: Judge, p: Pregnancy) -> Iterator[Sign]:
    """Low results of the episode; at the LMP the latest result before it."""
    levels = chart[VITAMIN_D]
    before: Level | None = None
    for i, level in enumerate(levels):
        if level.at < p.began:
            before = level
        elif level.at < p.ended:
            judge.looks_at(chart.calendar.day(level.at))
            if level.low(judge) and not _excused(chart, judge, level, levels[:i]):
                yield _sign(judge, level, level.at)
    if before is not None:
        age = (p.start - chart.calendar.day(before.at)).days
        earlier = [e for e in levels if e.at < before.at]
        if judge.at_most("window", age) and before.low(judge) and not _excused(chart, judge, before, earlier):
            yield _sign(judge, before, p.began)


def _sign(judge: Judge, level: Level, at: datetime) -> Sign:
    labs_said = [f.payload for f in level.facts if isinstance(f.payload, Lab)]
    words = " + ".join(reading(lab) for lab in labs_said)
    limits = (("molar", f"{judge.limit('molar'):f}"), ("mass", f"{judge.limit('mass'):f}"))
    return Sign(at, tuple(evidence(f, "25-OH vitamin D") for f in level.facts), (("level", words), *limits))


def _deficient(chart: Reader, judge: Judge) -> Intervals:
    made: list[Interval] = []
    if not chart[PREGNANCIES].episodes:
        judge.out_of_scope("not in a pregnancy episode")
    if not chart[VITAMIN_D]:
        judge.out_of_scope("25-OH vitamin D not measured")
    for p in chart[PREGNANCIES].episodes:
        repleted = [level.at for level in chart[VITAMIN_D] if level.repleted(judge)]

        def next_repleted(signs: list[Sign] | Any, repleted: list[datetime] = repleted) -> datetime | None:
            return next((at for at in repleted if at > signs[-1].at), None)

        found = runs(_signs(chart, judge, p), next_repleted, p.ended)
        made += (msgspec.structs.replace(i, episode=p.episode) for i in found)
    return tuple(made)


def _latest_low(chart: Reader, judge: Judge, now: datetime) -> Level | None:
    """The low result at an instant, if it is the latest result."""
    latest = max((level for level in chart[VITAMIN_D] if level.at <= now), key=lambda level: level.at, default=None)
    return latest if latest is not None and latest.low(judge) else None


def _asks_vit_01(chart: Reader, judge: Judge, _interval: Interval, now: datetime) -> Iterator[str]:
    latest = _latest_low(chart, judge, now)
    if latest is not None:
        age = (chart.calendar.day(now) - chart.calendar.day(latest.at)).days
        if age >= judge.days("repeat_due"):
            yield f"25-OH vitamin D not repeated in {judge.days('repeat_due')} days"


_WITH_IT: Final = {
    "calcium": ("Ca_total", "Ca_albcorr", "Ca_ionised"),
    "PTH": ("PTH",),
    "alkaline phosphatase": ("ALP_total", "BALP"),
}


def _asks_vit_02(chart: Reader, judge: Judge, interval: Interval, now: datetime) -> Iterator[str]:
    yield from _asks_vit_01(chart, judge, interval, now)
    drawn = {chart.calendar.day(e.begins) for e in interval.evidence if e.begins and e.begins <= now}
    for words, analytes in _WITH_IT.items():
        results_known = (f.payload for name in analytes for f in chart[labs(name)])
        if not any(isinstance(r, Lab) and chart.calendar.day(r.collected_at) in drawn for r in results_known):
            yield f"{words} not measured with it"


_READS = (VITAMIN_D, PREGNANCIES, _REPLACEMENT)

RULES = (
    Rule("VIT-01", _READS, _deficient, _asks_vit_01),
    Rule("VIT-02", _READS, _deficient, _asks_vit_02, tuple(labs(a) for names in _WITH_IT.values() for a in names)),
)


def definitions(_pack: RulePack, _tables: Tables) -> Iterable[Definition[Any]]:
    """25-OH vitamin D by collection."""
    return (_vitamin_d,)
