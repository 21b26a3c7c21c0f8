"""Heparin: long exposure, the published fracture range, and prolonged low-molecular-weight heparin.

Source: docs/intervals.md HEP-01 to HEP-04 and HEP-06; docs/evidence.md 2.4 and 2.5.
"""

from collections.abc import Callable, Iterator
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

import msgspec

from alerting.judge import Judge
from alerting.rule import Rule
from alerting.rules.counting import ROLLING, Count, Counted, Held, counted, counts, held
from alerting.rules.risk_score import RISK_ITEMS, RiskItems
from alerting.rules.vitamin_d import VITAMIN_D
from schemas.days import FOREVER
from schemas.definitions import Reader
from schemas.facts import clinical_time
from schemas.intervals import Evidence, Interval, Intervals, Severity
from schemas.views import ANSWERS, EPISODES, PREGNANCIES, Ledger, ledger, winners

_DENSITIES = winners("bone_density")
_UFH, _LMWH = ledger("heparin_ufh"), ledger("lmwh")


def _course(count: Counted, first: Counted, exposure: Ledger, drug: str, unit: str) -> tuple[Evidence, ...]:
    """The course that a finding rests on, with the records that it was read from."""
    mean = None if count.mean is None else round(float(count.mean))
    course = Evidence(f"{drug} course", value=mean, unit=unit, begins=first.begins, ends=count.begins)
    facts = {f.key: f for s in exposure.stretches if s.first <= count.day for f in s.facts}
    records = tuple(
        Evidence(f"{drug} record", f.record_id, f.event_id, f.source) for _, f in sorted(facts.items())[-_MOST_RECORDS:]
    )
    return (course, *records)


_LATELY = 180
_MOST_RECORDS = 12  # an alert is read by people: the latest records lead to the rest


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
        return judge.at_least(self.days, day.days) and judge.at_least(self.dose, mean)

    def may_come(self, judge: Judge, day: Counted) -> bool:
        return day.comes_to(judge.days(self.days), judge.limit(self.dose))


_TIER = (_Tier(),)
_LONGER = (*_TIER, _Tier("longer_exposed_days", "longer_mean_daily_dose"))


def _of_all(day: Counted) -> Decimal | None:
    return day.mean


def _larger(day: Counted) -> Decimal | None:
    """Of the mean of all days and that of the last 28: a stepped regimen is seen early."""
    return max((m for m in (day.mean, day.recent) if m is not None), default=None)


def _reached(
    chart: Reader,
    judge: Judge,
    tiers: tuple[_Tier, ...] = _TIER,
    mean: Callable[[Counted], Decimal | None] = _of_all,
    *,
    once: bool = False,
    pause: int = 90,
) -> Iterator[tuple[Interval, Held]]:
    """The findings of a tier: from the first day that reaches it until exposure is no longer recent; then anew."""
    exposure, calendar = chart[_UFH], chart.calendar
    if not exposure.stretches:
        judge.out_of_scope("no unfractionated heparin")
        return
    recent_days = judge.days("recent_days")
    for count in counts(chart[EPISODES], exposure, calendar):
        ended: datetime | None = None
        first: Counted | None = None
        for day in counted(exposure, count, calendar):
            first = first or day
            judge.looks_at(day.day)
            if ended is not None and day.begins < ended:
                continue
            # `any` over a list: each tier's comparison is told, also once another one is met
            if not any([tier.reached(judge, day, mean(day)) for tier in tiers]):  # noqa: C419
                if not any(tier.may_come(judge, day) for tier in tiers):
                    break
                continue
            recent = held(exposure, day.day, recent_days, pause, calendar)
            ended = recent.ended
            found = _finding(count, day, first, exposure, recent, mean(day))
            if found is not None:
                yield found, recent
            if once or ended == FOREVER:
                break


def _hep_01(chart: Reader, judge: Judge) -> Intervals:
    return tuple(interval for interval, _ in _reached(chart, judge, once=True))


def _hep_02(chart: Reader, judge: Judge) -> Intervals:
    return tuple(interval for interval, _ in _reached(chart, judge, mean=_larger))


def _hep_03(chart: Reader, judge: Judge) -> Intervals:
    return tuple(interval for interval, _ in _reached(chart, judge))


def _hep_04(chart: Reader, judge: Judge) -> Intervals:
    found = _reached(chart, judge, _LONGER, pause=judge.days("downgrade_days"))
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


def _asks(chart: Reader, _judge: Judge, _interval: Interval, now: datetime) -> Iterator[str]:
    exposure = chart[_UFH]
    today = chart.calendar.day(now)
    if any(s.amount is None or s.assumed for s in exposure.stretches if s.first <= today):
        yield "dose unknown or assumed on some of the counted days"
    if not any(_lately(level.at, now, chart) for level in chart[VITAMIN_D]):
        yield f"25-OH vitamin D not resulted in {_LATELY} days"


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


def _lately(at: datetime, now: datetime, chart: Reader) -> bool:
    return at <= now and (chart.calendar.day(now) - chart.calendar.day(at)).days <= _LATELY


def _asks_hep_06(chart: Reader, _judge: Judge, _interval: Interval, now: datetime) -> Iterator[str]:
    yield from chart[RISK_ITEMS].never_asked(now)


_READS = (_UFH, EPISODES)

RULES = (
    Rule("HEP-01", _READS, _hep_01, _asks_open, (VITAMIN_D,), superseded_by=("HEP-02", "HEP-03", "HEP-04", "HEP-05")),
    Rule("HEP-02", _READS, _hep_02, _asks_open, (VITAMIN_D,), superseded_by=("HEP-04", "HEP-05")),
    Rule("HEP-03", _READS, _hep_03, _asks, (VITAMIN_D,), superseded_by=("HEP-02", "HEP-04", "HEP-05")),
    Rule("HEP-04", (*_READS, ANSWERS), _hep_04, _asks_hep_04, (VITAMIN_D, PREGNANCIES, _DENSITIES)),
    Rule("HEP-06", (_LMWH, EPISODES, PREGNANCIES, RISK_ITEMS), _hep_06, _asks_hep_06),
)
