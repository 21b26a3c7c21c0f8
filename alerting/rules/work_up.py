"""The work-up of a fragility fracture: nine tests, when each was first resulted, and what is still missing.

Source: intervals.csv SEC-01 and SEC-03; evidence sheet 7; AACE 2010 table 17.
"""

from collections.abc import Iterable, Iterator
from datetime import date, datetime, timedelta
from typing import Any, Final

import msgspec

from alerting.judge import Judge
from alerting.rule import Rule
from alerting.rules import coded, results
from alerting.rules.coded import CODED
from alerting.rules.fractures import in_episode
from schemas.days import FOREVER, Calendar
from schemas.definitions import Definition, Name, Reader, Record, finding, records
from schemas.facts import Fact, Lab, Risk, TestOrder
from schemas.intervals import Evidence, Interval, Intervals, holds, united
from schemas.rulepack import RulePack
from schemas.tables import Tables
from schemas.views import ANSWERS, PREGNANCIES, Pregnancy, labs, winners

TESTS: Final = {
    "25-OH vitamin D": ("25OHD", "25OHD3"),
    "calcium": ("Ca_total", "Ca_albcorr", "Ca_ionised"),
    "phosphate": ("Phosphate",),
    "creatinine": ("Creatinine",),
    "alkaline phosphatase": ("ALP_total", "BALP"),
    "parathyroid hormone": ("PTH",),
    "TSH": ("TSH",),
    "serum protein electrophoresis": ("SPEP", "M_protein"),
    "blood count": ("CBC", "Hemoglobin"),
}
"""The nine, with the analytes that count as each. Free light chains stand for no electrophoresis."""

_ONCE: Final = frozenset({"serum protein electrophoresis"})
_PANELS: Final = frozenset({"CBC", "SPEP"})
_FINAL: Final = frozenset({"final", "corrected"})
_ANALYTES: Final = tuple(analyte for analytes in TESTS.values() for analyte in analytes)


class Resulted(msgspec.Struct, frozen=True):
    """A result: when its first final version was recorded, and the day on which it was collected."""

    at: datetime
    collected: date


class WorkUp(msgspec.Struct, frozen=True):
    """The results of each of the nine tests in the order in which they became final.

    A finding that began on a day counts what was collected from `recent` days before the day + `gap` on.
    """

    gap: int
    recent: int
    results: tuple[tuple[str, tuple[Resulted, ...]], ...] = ()

    def due(self, day: date) -> date:
        """The day from which a work-up of a finding of a day is missed."""
        return day + timedelta(days=self.gap)

    def resulted(self, day: date) -> Iterator[tuple[str, datetime]]:
        """Each test with the instant from which it counts as resulted for a finding of a day; FOREVER: not yet."""
        since = self.due(day) - timedelta(days=self.recent)
        for test, found in self.results:
            counting = (r.at for r in found if test in _ONCE or r.collected >= since)
            yield test, next(counting, FOREVER)

    def complete(self, day: date) -> datetime:
        """When the last of the nine was resulted for a finding of a day; FOREVER: not yet."""
        return max((at for _, at in self.resulted(day)), default=FOREVER)

    def missing(self, day: date, at: datetime) -> tuple[str, ...]:
        """The tests not resulted by an instant for a finding of a day."""
        return tuple(test for test, resulted in self.resulted(day) if resulted > at)


WORK_UP: Final[Name[WorkUp]] = Name("work_up")


def _results(found: Iterable[Record], analytes: tuple[str, ...], calendar: Calendar) -> Iterator[Resulted]:
    for record in found:
        said_something = False
        for version in record.live:
            lab = version.payload
            if not isinstance(lab, Lab) or lab.analyte not in analytes:
                continue
            said_something = said_something or lab.analyte in _PANELS or lab.reported is not None or lab.text is not None
            if lab.status in _FINAL and said_something:
                yield Resulted(version.recorded_at, calendar.day(lab.collected_at))
                break


def definitions(pack: RulePack, _tables: Tables) -> Iterable[Definition[Any]]:
    """The work-up, with the figures of SEC-01."""
    judge = Judge(pack.rules["SEC-01"])
    gap, recent = judge.days("gap_days"), judge.days("recent_days")

    def derive(chart: Reader) -> WorkUp:
        def of(analytes: tuple[str, ...]) -> tuple[Resulted, ...]:
            found = (_results(chart[records(f"lab/{a}")], analytes, chart.calendar) for a in analytes)
            return tuple(sorted((r for one in found for r in one), key=lambda r: (r.at, r.collected)))

        return WorkUp(gap, recent, tuple((test, of(analytes)) for test, analytes in TESTS.items()))

    return (Definition(WORK_UP, tuple(records(f"lab/{a}") for a in _ANALYTES), derive),)


# ---- SEC-01

_SPN_02, _BMD_01 = finding("SPN-02"), finding("BMD-01")
_ORDERS, _RISKS = records("lab_order"), winners("risk_factor")


def _waiting_since(chart: Reader, judge: Judge, tests: Iterable[str], at: datetime) -> date | None:
    """The day of the oldest fresh order, if each test has one that was active and known at an instant."""
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
        fresh += own
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


# ---- SEC-03

_M_PROTEIN, _FLC, _SPEP = labs("M_protein"), labs("FLC_ratio"), labs("SPEP")


class _Judged(msgspec.Struct, frozen=True):
    """A result with what it says."""

    at: datetime
    abnormal: bool
    evidence: Evidence
    words: str


def _judged(chart: Reader, judge: Judge) -> Iterator[tuple[_Judged, ...]]:
    """The M proteins, then the light chain ratios, in clinical time."""
    kidney = [c.at for c in coded.of(chart[CODED], "chronic_kidney_disease")]

    def ratio(found: results.Allowed, at: datetime) -> bool:
        prefix = "kidney_" if judge.condition("chronic kidney disease coded", any(k <= at for k in kidney)) else ""
        low = results.below(judge, f"{prefix}ratio_low", found)
        return results.more_than(judge, f"{prefix}ratio_high", found) or low

    for name, what in ((_M_PROTEIN, "M protein"), (_FLC, "free light chain ratio")):
        made = []
        for fact, lab, found in results.results(chart[name]):
            judge.looks_at(chart.calendar.day(lab.collected_at))
            is_protein = name is _M_PROTEIN
            abnormal = results.more_than(judge, "m_protein", found) if is_protein else ratio(found, lab.collected_at)
            words = f"{what} {results.reading(lab)}"
            made.append(_Judged(lab.collected_at, abnormal, results.evidence(fact, what), words))
        yield tuple(made)


def _first_abnormal(found: tuple[_Judged, ...], began: datetime) -> tuple[datetime, _Judged] | None:
    """The first instant from one on at which the latest result is abnormal."""
    known = [j for j in found if j.at <= began]
    if known and known[-1].abnormal:
        return began, known[-1]
    return next(((j.at, j) for j in found if j.at > began and j.abnormal), None)


def _sec_03(chart: Reader, judge: Judge) -> Intervals:
    made: list[Interval] = []
    found = tuple(_judged(chart, judge))
    reviewed = [c for c in coded.of(chart[CODED], "monoclonal_gammopathy", "myeloma")]
    for p in chart[PREGNANCIES].episodes:
        fractured = min((i.began for i in in_episode(chart[_SPN_02], p)), default=None)
        if fractured is None:
            continue
        firsts = [first for one in found if (first := _first_abnormal(one, fractured)) is not None]
        began, judged = min(firsts, key=lambda f: f[0], default=(p.ended, None))
        if judged is None or began >= p.ended:
            continue
        ended = min((c.at for c in reviewed if began <= c.at < p.ended), default=p.ended)
        if began < ended:
            made.append(_monoclonal(chart, Interval(began, ended, episode=p.episode), judged))
    if not chart[_SPN_02]:
        judge.out_of_scope("no fracture (SPN-02) in a pregnancy episode")
    return tuple(made)


def _monoclonal(chart: Reader, interval: Interval, judged: _Judged) -> Interval:
    closed = chart[ANSWERS].closing("SEC-03", interval.episode or "", interval.began, frozenset({"plan"}))
    details = (("result", judged.words),)
    return msgspec.structs.replace(interval, closed=closed, evidence=(judged.evidence,), details=details)


def _asks_sec_03(chart: Reader, _judge: Judge, _interval: Interval, now: datetime) -> Iterator[str]:
    spep = [lab for f in chart[_SPEP] if isinstance(lab := f.payload, Lab) and lab.collected_at <= now]
    if any(lab.text is not None and lab.value is None for lab in spep):
        yield "protein electrophoresis reported as text: read it"
    if not any(lab.collected_at <= now for _, lab, _ in results.results(chart[_FLC])):
        yield "free light chains not measured"
    if not any(lab.code == _IMMUNOFIXATION for lab in spep):
        yield "immunofixation not done"


_IMMUNOFIXATION: Final = "14895-7"

RULES = (
    Rule("SEC-01", (PREGNANCIES, WORK_UP, _SPN_02, _BMD_01, _ORDERS), _sec_01, _asks_sec_01, (_RISKS,)),
    Rule(
        "SEC-03", (PREGNANCIES, _SPN_02, ANSWERS, CODED, _M_PROTEIN, _FLC), _sec_03, _asks_sec_03, (_SPEP,)
    ),
)
