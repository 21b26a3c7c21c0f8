"""Thyroid excess, a secondary cause that blood tests show.

Source: docs/intervals.md SEC-02; docs/evidence.md 4.1 (limits by trimester) and 4.2.
"""

from collections.abc import Iterator, Sequence
from datetime import date, datetime
from typing import Final

import msgspec

from alerting.judge import Judge
from alerting.rule import Rule
from alerting.rules.results import (
    Allowed,
    at_least,
    at_most,
    below,
    evidence,
    exceeds,
    more_than,
    reading,
    results,
    within,
)
from schemas.definitions import Reader
from schemas.facts import Fact, Lab
from schemas.intervals import Interval, Intervals, Sign, runs
from schemas.views import PREGNANCIES, Pregnancy, labs, ledger

_TSH, _FT4 = labs("TSH"), labs("fT4")
_LEVOTHYROXINE = ledger("thyroid")
_TRIMESTERS: Final = frozenset({"T1", "T2", "T3"})


class _Test(msgspec.Struct, frozen=True):
    """A thyroid test with its local day and phase."""

    fact: Fact
    lab: Lab
    found: Allowed
    day: date
    phase: str

    @property
    def at(self) -> datetime:
        return self.lab.collected_at


def _tests(chart: Reader, facts: tuple[Fact, ...]) -> tuple[_Test, ...]:
    found = ((fact, lab, v, chart.calendar.day(lab.collected_at)) for fact, lab, v in results(facts))
    return tuple(_Test(fact, lab, v, day, chart[PREGNANCIES].phase(day)) for fact, lab, v, day in found)


def _suppressed(judge: Judge, tsh: _Test) -> bool:
    return below(judge, "tsh", tsh.found)


def _recovered(judge: Judge, tsh: _Test) -> bool:
    """In the range of its phase; the first trimester reaches below what suppression means, so that is asked too."""
    low = f"tsh_{tsh.phase}" if tsh.phase in _TRIMESTERS else "tsh_else"
    return at_least(judge, "tsh", tsh.found) and at_least(judge, low, tsh.found)


def _high(judge: Judge, ft4: _Test) -> bool:
    """Above the limit of its phase; outside pregnancy the laboratory's own, and without one no value is."""
    if ft4.phase in _TRIMESTERS:
        return more_than(judge, f"ft4_{ft4.phase}", ft4.found)
    high = ft4.lab.high
    above = high is not None and exceeds(ft4.found, high)
    return judge.condition("free T4 above the laboratory's upper limit", above, reading(ft4.lab))


def _normal(judge: Judge, ft4: _Test) -> bool:
    if ft4.phase in _TRIMESTERS:
        return at_most(judge, f"ft4_{ft4.phase}", ft4.found)
    return ft4.lab.high is not None and within(ft4.found, ft4.lab.high)


def _sign(tsh: _Test, ft4: _Test | None, why: str) -> Sign:
    shown = (evidence(tsh.fact, "TSH"), *((evidence(ft4.fact, "free T4"),) if ft4 else ()))
    at = max(tsh.at, ft4.at) if ft4 else tsh.at
    return Sign(at, shown, (("tsh", reading(tsh.lab)), ("why", why)))


def _with_ft4(judge: Judge, tsh: Sequence[_Test], ft4: Sequence[_Test]) -> Iterator[Sign]:
    """Suppressed TSH and high free T4 within 30 days, whichever came first."""
    high = [one for one in ft4 if _high(judge, one)]
    for low in (t for t in tsh if _suppressed(judge, t)):
        for one in high:
            if judge.at_most("apart", abs((one.day - low.day).days)):
                yield _sign(low, one, f"free T4 {reading(one.lab)}")


def _on_levothyroxine(chart: Reader, judge: Judge, tsh: Sequence[_Test], ft4: Sequence[_Test]) -> Iterator[Sign]:
    """Suppressed TSH on a day with levothyroxine; in the first trimester not when the free T4 of 30 days is normal."""
    for low in (t for t in tsh if _suppressed(judge, t)):
        exposed = chart[_LEVOTHYROXINE].on(low.day) is not None
        if not judge.condition("levothyroxine that day", exposed):
            continue
        recent = [one for one in ft4 if one.at <= low.at and judge.at_most("apart", (low.day - one.day).days)]
        if low.phase == "T1" and recent and _normal(judge, recent[-1]):
            continue
        yield _sign(low, None, "levothyroxine")


def _sec_02(chart: Reader, judge: Judge) -> Intervals:
    pregnancies = chart[PREGNANCIES].episodes
    if not pregnancies:
        judge.out_of_scope("not in a pregnancy episode")
        return ()
    tsh, ft4 = _tests(chart, chart[_TSH]), _tests(chart, chart[_FT4])
    if not tsh:
        judge.out_of_scope("TSH not measured")
        return ()
    signs = (*_with_ft4(judge, tsh, ft4), *_on_levothyroxine(chart, judge, tsh, ft4))
    recovered = [t.at for t in tsh if _recovered(judge, t)] if signs else []
    return tuple(i for p in pregnancies for i in _in_episode(p, signs, recovered))


def _in_episode(p: Pregnancy, signs: Sequence[Sign], recovered: Sequence[datetime]) -> Iterator[Interval]:
    inside = (sign for sign in signs if p.holds(sign.at))
    for found in runs(inside, lambda run: next((at for at in recovered if at > run[-1].at), None), p.ended):
        yield msgspec.structs.replace(found, episode=p.episode)


def _asks(chart: Reader, judge: Judge, interval: Interval, now: datetime) -> Iterator[str]:
    known = [t for t in _tests(chart, chart[_TSH]) if t.at <= now]
    low = [t for t in known if t.at <= now and _suppressed(judge, t) and t.at < interval.ended]
    if not low:
        return
    days = judge.days("apart")
    ft4 = [one for one in _tests(chart, chart[_FT4]) if one.at <= now]
    if not any(abs((one.day - low[-1].day).days) <= days for one in ft4):
        yield f"free T4 not resulted within {days} days of the low TSH"
    if low[-1].phase == "T1" and known[-1] is low[-1]:
        yield "TSH to be repeated in 4-6 weeks (first trimester)"


RULES = (Rule("SEC-02", (_TSH, _FT4, _LEVOTHYROXINE, PREGNANCIES), _sec_02, _asks),)
