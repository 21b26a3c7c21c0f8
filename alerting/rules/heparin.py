"""Heparin: long exposure, the published fracture range, and prolonged low-molecular-weight heparin.

Source: docs/intervals.md HEP-01 to HEP-04 and HEP-06; docs/evidence.md 2.4 and 2.5.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final, NamedTuple

import msgspec

from alerting.judge import Judge
from alerting.rule import Rule
from alerting.rules.counting import (
    ROLLING,
    UFH_COUNTS,
    Count,
    Counted,
    CountedDays,
    Held,
    counted,
    counts,
    endless_from,
    held,
)
from alerting.rules.risk_score import RISK_ITEMS, RiskItems
from alerting.rules.vitamin_d import VITAMIN_D
from schemas.days import FOREVER
from schemas.definitions import Definition, Reader
from schemas.facts import Fact, RecordKey, clinical_time
from schemas.intervals import Evidence, Interval, Intervals, Severity
from schemas.rulepack import RulePack
from schemas.tables import Tables
from schemas.views import ANSWERS, EPISODES, PREGNANCIES, Ledger, Stretch, ledger, winners

_DENSITIES = winners("bone_density")
_UFH, _LMWH = ledger("heparin_ufh"), ledger("lmwh")


_MOST_RECORDS: Final = 12  # an alert is read by people: the latest records lead to the rest


def _course(count: Counted, first: Counted, exposure: Ledger, drug: str, unit: str) -> tuple[Evidence, ...]:
    """The course that a finding rests on, with the latest records of the days that were counted."""
    mean = None if count.mean is None else round(float(count.mean))
    course = Evidence(f"{drug} course", value=mean, unit=unit, begins=first.begins, ends=count.begins)
    counted_days = exposure.stretches[exposure.index(first.day) : exposure.index(count.day) + 1]
    records = tuple(
        Evidence(f"{drug} record", f.record_id, f.event_id, f.source) for f in _latest(counted_days, _MOST_RECORDS)
    )
    return (course, *records)


def _latest(stretches: Sequence[Stretch], most: int) -> list[Fact]:
    """The latest facts of some stretches by clinical time, of each record the latest."""
    known: dict[RecordKey, Fact] = {}
    for s in reversed(stretches):
        for fact in s.facts:
            if (before := known.get(fact.key)) is None or _when(before) < _when(fact):
                known[fact.key] = fact
        # Nothing that exposes on the days before has its time at or after the beginning of this one.
        if len(known) >= most and sum(_when(f)[0] >= s.begins for f in known.values()) >= most:
            break
    return sorted(known.values(), key=_when)[-most:]


def _when(fact: Fact) -> tuple[datetime, RecordKey, datetime]:
    return (clinical_time(fact.payload) or fact.recorded_at, fact.key, fact.recorded_at)


def _finding(
    count: Count, day: Counted, first: Counted, exposure: Ledger, recent: Held, mean: Decimal | None
) -> Interval | None:
    began = day.begins
    if began < count.began:
        if not count.taken_over or recent.ended <= count.began:
            return None
        began = count.began
    if began >= count.ended:
        return None
    stepped = mean is not None and mean != day.mean
    return Interval(
        began,
        min(recent.ended, count.ended),
        episode=count.episode,
        evidence=_course(day, first, exposure, "unfractionated heparin", "[IU]/d"),
        details=(
            ("mean", None if mean is None else round(float(mean))),
            (
                "over",
                f"over the last {ROLLING} of {day.days} exposed days" if stepped else f"on {day.days} exposed days",
            ),
            ("since", first.day.isoformat()),
        ),
    )


class _Tier(NamedTuple):
    """The names of the two limits that must be reached together."""

    days: str = "exposed_days"
    dose: str = "mean_daily_dose"

    def reached(self, judge: Judge, day: Counted, mean: Decimal | None) -> bool:
        if judge.trace is not None:  # both are told, as they are on one day
            return judge.together(((self.days, day.days), (self.dose, mean)))
        return judge.at_least(self.days, day.days) and judge.at_least(self.dose, mean)

    def may_come(self, judge: Judge, day: Counted, mean: Decimal | None) -> bool:
        return day.comes_to(mean, judge.limit(self.dose))


_TIER = (_Tier(),)
_LONGER = (*_TIER, _Tier("longer_exposed_days", "longer_mean_daily_dose"))


def _of_all(day: Counted) -> Decimal | None:
    return day.mean


def _larger(day: Counted) -> Decimal | None:
    """Of the mean of all days and that of the last 28: a stepped regimen is seen early."""
    return max((m for m in (day.mean, day.recent) if m is not None), default=None)


class _Counting(NamedTuple):
    """What a rule counts to: one of some tiers, by a mean of the days."""

    tiers: tuple[_Tier, ...] = _TIER
    mean: Callable[[Counted], Decimal | None] = _of_all

    def reached(self, judge: Judge, day: Counted) -> bool:
        # a list: each tier's comparison is told, also once another one is met
        return any([tier.reached(judge, day, self.mean(day)) for tier in self.tiers])  # noqa: C419

    def may_come(self, judge: Judge, day: Counted) -> bool:
        return not day.steady or any(tier.may_come(judge, day, self.mean(day)) for tier in self.tiers)

    def fewest(self, judge: Judge) -> int:
        """Before so many days no tier is reached."""
        return min(judge.days(tier.days) for tier in self.tiers)


_COUNTING: Final = {
    "HEP-01": _Counting(),
    "HEP-02": _Counting(mean=_larger),
    "HEP-03": _Counting(),
    "HEP-04": _Counting(_LONGER),
}


def definitions(pack: RulePack, _tables: Tables) -> Iterable[Definition[Any]]:
    """The days of unfractionated heparin, counted once for all rules that count them."""
    judges = {rule_id: Judge(pack.rules[rule_id]) for rule_id in _COUNTING}
    shortest = min(judge.days("recent_days") for judge in judges.values())
    fewest = min(counting.fewest(judges[rule_id]) for rule_id, counting in _COUNTING.items())

    def needed(days: Iterable[Counted], endless: date) -> Iterator[Counted]:
        """The days until each rule has reached what holds without end, or can no longer come to it."""
        waiting = [(judges[rule_id], counting) for rule_id, counting in _COUNTING.items()]
        for day in days:
            yield day
            if day.steady or (day.days >= fewest and day.day >= endless):
                waiting = [w for w in waiting if w[1].may_come(w[0], day) and not w[1].reached(w[0], day)]
                if not waiting:
                    return

    def derive(chart: Reader) -> CountedDays:
        exposure, calendar = chart[_UFH], chart.calendar
        if not exposure.stretches:
            return ()
        endless = endless_from(exposure, shortest, calendar)
        found = counts(chart[EPISODES], exposure, calendar)
        # An episode that takes a course over counts the same days as the one before.
        longest = {c.first: c for c in sorted(found, key=lambda c: c.until or date.max)}
        days = {c.first: tuple(needed(counted(exposure, c, calendar), endless)) for c in longest.values()}
        return tuple((c, _before(days[c.first], c.until)) for c in found)

    return (Definition(UFH_COUNTS, (_UFH, EPISODES), derive),)


def _before(days: tuple[Counted, ...], until: date | None) -> tuple[Counted, ...]:
    return days if until is None else days[: bisect_left(days, until, key=lambda c: c.day)]


def _reached(
    chart: Reader, judge: Judge, counting: _Counting, *, once: bool = False, pause: int = 90
) -> Iterator[tuple[Interval, Held]]:
    """The findings of a tier: from the first day that reaches it until exposure is no longer recent; then anew."""
    exposure, calendar = chart[_UFH], chart.calendar
    if not exposure.stretches:
        judge.out_of_scope("no unfractionated heparin")
        return
    recent_days = judge.days("recent_days")
    fewest = 0 if judge.trace else max(counting.fewest(judge) - 1, 0)
    for count, shared in chart[UFH_COUNTS]:
        # Whoever asks why not wants the day asked about, also where no day to come can change the answer.
        days = tuple(counted(exposure, count, calendar)) if judge.trace else shared
        ended: datetime | None = None
        for day in days[fewest:]:
            judge.looks_at(day.day)
            if ended is not None and day.begins < ended:
                continue
            if not counting.reached(judge, day):
                if not judge.trace and not counting.may_come(judge, day):
                    break
                continue
            recent = held(exposure, day.day, recent_days, pause, calendar)
            ended = recent.ended
            found = _finding(count, day, days[0], exposure, recent, counting.mean(day))
            if found is not None:
                yield found, recent
            if once or ended == FOREVER:
                break


def _hep_01(chart: Reader, judge: Judge) -> Intervals:
    return tuple(interval for interval, _ in _reached(chart, judge, _COUNTING["HEP-01"], once=True))


def _hep_02(chart: Reader, judge: Judge) -> Intervals:
    return tuple(interval for interval, _ in _reached(chart, judge, _COUNTING["HEP-02"]))


def _hep_03(chart: Reader, judge: Judge) -> Intervals:
    return tuple(interval for interval, _ in _reached(chart, judge, _COUNTING["HEP-03"]))


def _hep_04(chart: Reader, judge: Judge) -> Intervals:
    found = _reached(chart, judge, _COUNTING["HEP-04"], pause=judge.days("downgrade_days"))
    return tuple(_closed_by_plan(chart, msgspec.structs.replace(i, steps=_steps(i, recent))) for i, recent in found)


def _steps(interval: Interval, recent: Held) -> tuple[tuple[datetime, Severity], ...]:
    """Critical; advisory after a pause, critical again when exposure resumes."""
    steps: list[tuple[datetime, Severity]] = [(interval.began, "critical")]
    for pause, resumed in recent.pauses:
        if interval.began < pause < interval.ended:
            steps.append((pause, "advisory"))
        elif pause <= interval.began and (resumed is None or resumed > interval.began):
            steps[0] = (interval.began, "advisory")
        if resumed is not None and interval.began < resumed < interval.ended:
            steps.append((resumed, "critical"))
    return tuple(steps)


def _closed_by_plan(chart: Reader, interval: Interval) -> Interval:
    closed = chart[ANSWERS].closing("HEP-04", interval.episode or "", interval.began, frozenset({"plan"}))
    return msgspec.structs.replace(interval, closed=closed)


def _hep_06(chart: Reader, judge: Judge) -> Intervals:
    exposure, calendar = chart[_LMWH], chart.calendar
    made: list[Interval] = []
    if not chart[PREGNANCIES].episodes:
        judge.out_of_scope("not in a pregnancy episode")
    if not exposure.stretches:
        judge.out_of_scope("no low-molecular-weight heparin")
    for count in counts(chart[EPISODES], exposure, calendar):
        if not any(p.episode == count.episode and p.began == count.began for p in chart[PREGNANCIES].episodes):
            continue
        ended: datetime | None = None
        first: Counted | None = None
        for day in counted(exposure, count, calendar):
            first = first or day
            judge.looks_at(day.day)
            if (ended is not None and day.begins < ended) or not judge.at_least("exposed_days", day.days):
                continue
            recent = held(exposure, day.day, judge.days("recent_days"), judge.days("recent_days"), calendar)
            ended = recent.ended
            began = max(day.begins, count.began)
            if began < min(ended, count.ended):
                made.append(_lmwh(chart[RISK_ITEMS], began, min(ended, count.ended), count, day, first, exposure))
            if ended == FOREVER:
                break
    return tuple(made)


def _lmwh(
    items: RiskItems, began: datetime, ended: datetime, count: Count, day: Counted, first: Counted, exposure: Ledger
) -> Interval:
    return Interval(
        began,
        ended,
        steps=items.steps(began, ended, without=frozenset({"ufh_tier", "lmwh_days"})),
        episode=count.episode,
        evidence=_course(day, first, exposure, "low-molecular-weight heparin", "[IU]/d"),
        details=(("days", day.days), ("since", first.day.isoformat())),
    )


def _asks(chart: Reader, judge: Judge, _interval: Interval, now: datetime) -> Iterator[str]:
    exposure = chart[_UFH]
    today = chart.calendar.day(now)
    if any(s.amount is None or s.assumed for s in exposure.stretches if s.first <= today):
        yield "dose unknown or assumed on some of the counted days"
    lately = judge.days("vitamin_d_days")
    if not any(level.at <= now and (today - chart.calendar.day(level.at)).days <= lately for level in chart[VITAMIN_D]):
        yield f"25-OH vitamin D not resulted in {lately} days"


def _asks_open(chart: Reader, judge: Judge, interval: Interval, now: datetime) -> Iterator[str]:
    yield from _asks(chart, judge, interval, now)
    if chart[_UFH].open:
        yield "order without a planned end"


def _asks_hep_04(chart: Reader, judge: Judge, interval: Interval, now: datetime) -> Iterator[str]:
    yield from _asks_open(chart, judge, interval, now)
    p = next((p for p in chart[PREGNANCIES].episodes if p.episode == interval.episode), None)
    delivered = p is not None and p.delivery is not None and chart.calendar.midnight(p.delivery) <= now
    if p is not None and delivered and not any(p.began <= at <= now for at in _measured_at(chart)):
        yield "no bone density measured in the episode"


def _measured_at(chart: Reader) -> Iterator[datetime]:
    return (at for f in chart[_DENSITIES] if (at := clinical_time(f.payload)) is not None)


def _asks_hep_06(chart: Reader, _judge: Judge, _interval: Interval, now: datetime) -> Iterator[str]:
    yield from chart[RISK_ITEMS].never_asked(now)


_READS = (_UFH, EPISODES, UFH_COUNTS)

RULES = (
    Rule("HEP-01", _READS, _hep_01, _asks_open, (VITAMIN_D,), superseded_by=("HEP-02", "HEP-03", "HEP-04", "HEP-05")),
    Rule("HEP-02", _READS, _hep_02, _asks_open, (VITAMIN_D,), superseded_by=("HEP-04", "HEP-05")),
    Rule("HEP-03", _READS, _hep_03, _asks, (VITAMIN_D,), superseded_by=("HEP-02", "HEP-04", "HEP-05")),
    Rule("HEP-04", (*_READS, ANSWERS), _hep_04, _asks_hep_04, (VITAMIN_D, PREGNANCIES, _DENSITIES)),
    Rule("HEP-06", (_LMWH, EPISODES, PREGNANCIES, RISK_ITEMS), _hep_06, _asks_hep_06),
)
