"""A fragility fracture or low bone density whose work-up is not complete after two weeks.

Source: docs/intervals.md SEC-01.
"""

from collections.abc import Iterable, Iterator
from datetime import date, datetime

from alerting.judge import Judge
from alerting.rule import Rule
from alerting.rules.fractures import in_episode
from alerting.rules.work_up import TESTS, WORK_UP
from schemas.definitions import Reader, Record, finding, records
from schemas.facts import Fact, Risk, TestOrder
from schemas.intervals import Evidence, Interval, Intervals, united
from schemas.views import PREGNANCIES, Pregnancy, winners

_SPN_02, _BMD_01 = finding("SPN-02"), finding("BMD-01")
_ORDERS, _RISKS = records("lab_order"), winners("risk_factor")


def _waiting_since(chart: Reader, judge: Judge, tests: Iterable[str], at: datetime) -> date | None:
    """The day of the oldest of the tests' latest orders, if each has a fresh one, active and known at an instant."""
    fresh: list[datetime] = []
    orders = [order for record in chart[_ORDERS] if (order := _order(record, at)) is not None]
    today = chart.calendar.day(at)
    for test in tests:
        own = [
            o.ordered_at
            for o in orders
            if o.analyte in TESTS[test] and judge.below("order_days", (today - chart.calendar.day(o.ordered_at)).days)
        ]
        if not own:
            return None
        fresh.append(max(own))
    return chart.calendar.day(min(fresh)) if fresh else None


def _order(record: Record, at: datetime) -> TestOrder | None:
    """The order as it was known at an instant, if it was active."""
    version = record.as_of(at)
    order = version.payload if version is not None else None
    return order if isinstance(order, TestOrder) and order.status == "active" and order.ordered_at <= at else None


def _gap(chart: Reader, judge: Judge, cause: Interval, p: Pregnancy) -> Interval | None:
    """The gap in the work-up of one finding; None where there is none."""
    calendar, work_up = chart.calendar, chart[WORK_UP]
    day = calendar.day(cause.began)
    began = calendar.midnight(work_up.due(day))
    judge.looks_at(work_up.due(day))
    missing = work_up.missing(day, began)
    if not judge.condition("a test of the work-up is missing", bool(missing), ", ".join(missing) or None):
        return None
    waiting = _waiting_since(chart, judge, missing, began)
    if waiting is not None:
        began = calendar.midnight(waiting, judge.days("order_days"))
        missing = work_up.missing(day, began)
    held = judge.condition("the fracture or low bone density still holds", cause.holds(began) and began < p.ended)
    if not missing or not held:
        return None
    evidence = (Evidence("finding to be worked up", begins=cause.began), *cause.evidence)
    details = (("missing", ", ".join(missing)), ("since", day.isoformat()), ("number", len(missing)))
    return Interval(began, min(work_up.complete(day), p.ended), episode=p.episode, evidence=evidence, details=details)


def _sec_01(chart: Reader, judge: Judge) -> Intervals:
    made: list[Interval] = []
    causes = (*chart[_SPN_02], *chart[_BMD_01])
    if not any(in_episode(causes, p) for p in chart[PREGNANCIES].episodes):
        judge.out_of_scope("no fracture (SPN-02) or low bone density (BMD-01) in a pregnancy episode")
    for p in chart[PREGNANCIES].episodes:
        found = (_gap(chart, judge, cause, p) for cause in in_episode(causes, p))
        made += united(gap for gap in found if gap is not None)
    return tuple(made)


def _asks_sec_01(chart: Reader, _judge: Judge, interval: Interval, now: datetime) -> Iterator[str]:
    causes = [c for c in (*chart[_SPN_02], *chart[_BMD_01]) if c.began < interval.began and c.holds(interval.began)]
    missing = {t for c in causes for t in chart[WORK_UP].missing(chart.calendar.day(c.began), now)}
    yield from (f"{test} not resulted" for test in TESTS if test in missing)
    if not any(_asked_calcium(f, now) for f in chart[_RISKS]):
        yield "dietary calcium unknown"


def _asked_calcium(fact: Fact, now: datetime) -> bool:
    risk = fact.payload
    return isinstance(risk, Risk) and risk.factor == "low_calcium_intake" and risk.observed_at <= now


RULES = (Rule("SEC-01", (PREGNANCIES, WORK_UP, _SPN_02, _BMD_01, _ORDERS), _sec_01, _asks_sec_01, (_RISKS,)),)
