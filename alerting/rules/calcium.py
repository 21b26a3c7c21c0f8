"""Critical calcium: ionised before adjusted before total, and a low total alone never.

Source: docs/intervals.md CAL-01; docs/evidence.md 4.2.
"""

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import Final, Literal

import msgspec

from alerting.judge import Judge
from alerting.rule import Rule
from alerting.rules.results import Allowed, allowed, at_least, at_most, below, evidence, more_than, reading, results
from schemas.definitions import Reader
from schemas.facts import Fact, Lab
from schemas.intervals import Evidence, Interval, Intervals, Sign, runs
from schemas.views import PREGNANCIES, Pregnancy, labs

_IONISED, _ADJUSTED, _TOTAL, _ALBUMIN = (labs(a) for a in ("Ca_ionised", "Ca_albcorr", "Ca_total", "Albumin"))
_POTASSIUM, _ALP, _PTH = (labs(a) for a in ("Potassium", "ALP_total", "PTH"))
_HOUR: Final = timedelta(hours=1)
Kind = Literal["ionised", "adjusted", "total"]


class Calcium(msgspec.Struct, frozen=True):
    """One calcium as it can be judged, in mmol/L; `facts`: the calcium and the albumin that adjusted it."""

    at: datetime
    kind: Kind
    found: Allowed
    facts: tuple[Fact, ...]

    @property
    def words(self) -> str:
        """`Adjusted calcium 3.10 mmol/L`."""
        said = [f.payload for f in self.facts if isinstance(f.payload, Lab)]
        if self.kind == "adjusted" and len(said) > 1:
            return f"Calcium {reading(said[0])}, adjusted for albumin {self.found.low:.2f} mmol/L"
        return f"{self.kind.capitalize()} calcium {reading(said[0])}"


def _readings(chart: Reader, judge: Judge) -> tuple[Calcium, ...]:
    """Every calcium: ionised, adjusted as reported, and total, adjusted where an albumin is near."""
    made = [Calcium(lab.collected_at, "ionised", found, (fact,)) for fact, lab, found in results(chart[_IONISED])]
    reported = [Calcium(lab.collected_at, "adjusted", found, (fact,)) for fact, lab, found in results(chart[_ADJUSTED])]
    instants = {one.at for one in reported}
    totals = [one for one in results(chart[_TOTAL]) if one[1].collected_at not in instants]
    albumin = [fact for fact, _, _ in results(chart[_ALBUMIN])]
    made += reported
    made += (_adjusted(judge, fact, lab.collected_at, found, albumin) for fact, lab, found in totals)
    return tuple(sorted(made, key=lambda c: c.at))


def _adjusted(judge: Judge, fact: Fact, at: datetime, total: Allowed, albumin: Sequence[Fact]) -> Calcium:
    near = _nearest(albumin, at, judge.days("albumin_within") * _HOUR)
    known = allowed(near.payload) if near is not None and isinstance(near.payload, Lab) else None
    if near is None or known is None:
        return Calcium(at, "total", total, (fact,))
    return Calcium(at, "adjusted", total.plus(_correction(judge, known)), (fact, near))


def _nearest(facts: Sequence[Fact], at: datetime, within: timedelta) -> Fact | None:
    """The result collected nearest to an instant, the earlier of equals."""
    i = bisect_left(facts, at, key=_collected)
    near = [f for f in facts[max(0, i - 1) : i + 1] if abs(_collected(f) - at) <= within]
    return min(near, key=lambda f: abs(_collected(f) - at), default=None)


def _collected(fact: Fact) -> datetime:
    lab = fact.payload
    if not isinstance(lab, Lab):
        raise TypeError(f"{type(lab).__name__} is no result")
    return lab.collected_at


def _correction(judge: Judge, albumin: Allowed) -> Allowed:
    """What adjustment adds: 0.02 mmol/L for each g/L that albumin is below 40."""
    factor, normal = judge.limit("adjustment"), judge.limit("normal_albumin")
    most = factor * (normal - albumin.low)
    least = Decimal(0) if albumin.high is None else factor * (normal - albumin.high)
    return Allowed(least, most, albumin.open_high, albumin.open_low)


def _low(judge: Judge, one: Calcium) -> bool:
    return one.kind != "total" and below(judge, f"{one.kind}_low", one.found)


def _in_range(judge: Judge, one: Calcium) -> bool:
    low = "adjusted_low" if one.kind == "total" else f"{one.kind}_low"
    return at_least(judge, low, one.found) and at_most(judge, f"{one.kind}_high", one.found)


def _contaminated(chart: Reader, judge: Judge, at: datetime) -> bool:
    """Potassium high and alkaline phosphatase low in the same collection: the pattern of EDTA, which binds calcium."""
    potassium = any(
        more_than(judge, "potassium", v) for _, lab, v in results(chart[_POTASSIUM]) if lab.collected_at == at
    )
    return potassium and any(below(judge, "alp", v) for _, lab, v in results(chart[_ALP]) if lab.collected_at == at)


def _signs(chart: Reader, judge: Judge, p: Pregnancy, known: Sequence[Calcium]) -> Iterator[Sign]:
    for one in known:
        if not p.holds(one.at):
            continue
        judge.looks_at(chart.calendar.day(one.at))
        low, high = _low(judge, one), more_than(judge, f"{one.kind}_high", one.found)
        if high or (low and not _contaminated(chart, judge, one.at)):
            yield Sign(one.at, tuple(_shown(one)), (("calcium", one.words), ("kind", one.kind)))


def _shown(one: Calcium) -> Iterator[Evidence]:
    """The calcium as it was reported, and the albumin that adjusted it."""
    calcium, *albumin = one.facts
    yield evidence(calcium, "total calcium" if albumin else f"{one.kind} calcium")
    yield from (evidence(f, "albumin") for f in albumin)


def _cal_01(chart: Reader, judge: Judge) -> Intervals:
    pregnancies = chart[PREGNANCIES].episodes
    if not pregnancies:
        judge.out_of_scope("not in a pregnancy episode")
        return ()
    known = _readings(chart, judge)
    if not known:
        judge.out_of_scope("no calcium measured")
    made: list[Interval] = []
    for p in pregnancies:
        signs = tuple(_signs(chart, judge, p, known))
        normal = [(one.at, one.kind) for one in known if p.holds(one.at) and _in_range(judge, one)] if signs else []
        found = runs(signs, partial(_repeated, normal=normal), p.ended)
        made += (msgspec.structs.replace(i, episode=p.episode) for i in found)
    return tuple(made)


def _repeated(run: Sequence[Sign], *, normal: Sequence[tuple[datetime, Kind]]) -> datetime | None:
    """The next value in range; a total alone counts only where totals alone were critical."""
    totals = all(dict(sign.details)["kind"] == "total" for sign in run)
    return next((at for at, kind in normal if at > run[-1].at and (totals or kind != "total")), None)


def _asks(chart: Reader, judge: Judge, interval: Interval, now: datetime) -> Iterator[str]:
    known = [one for one in _readings(chart, judge) if interval.began <= one.at <= now]
    if known and known[-1].kind == "total":
        yield f"albumin not measured within {judge.days('albumin_within')} h"
    ionised_since = any(one.kind == "ionised" for one in known)
    albumin = [v for _, lab, v in results(chart[_ALBUMIN]) if lab.collected_at <= now]
    if albumin and not ionised_since and below(judge, "albumin_low", albumin[-1]):
        yield "ionised calcium not measured, and albumin too low to adjust for"
    day = chart.calendar.day(interval.began)
    if not any(
        chart.calendar.day(lab.collected_at) >= day and lab.collected_at <= now for _, lab, _ in results(chart[_PTH])
    ):
        yield "PTH not measured"


_READS = (_IONISED, _ADJUSTED, _TOTAL, _ALBUMIN, _POTASSIUM, _ALP, PREGNANCIES)

RULES = (Rule("CAL-01", _READS, _cal_01, _asks, (_PTH,)),)
