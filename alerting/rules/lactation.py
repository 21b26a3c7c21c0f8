"""Lactation: six months of it, and six months of it with a strong risk factor.

Source: docs/intervals.md LAC-01 and LAC-02. The words are neutral on breast-feeding.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import pairwise

import msgspec

from alerting.judge import Judge
from alerting.rule import Rule
from alerting.rules.density import low_z, scans, z_evidence
from alerting.rules.feeding import CONTINUOUS_LACTATION, last_report, long_lactation
from alerting.rules.fractures import in_episode
from alerting.rules.risk_score import RISK_ITEMS
from schemas.days import FOREVER
from schemas.definitions import Reader, finding
from schemas.facts import Density
from schemas.intervals import Evidence, Interval, Intervals
from schemas.views import ANSWERS, PREGNANCIES, Pregnancy, winners

_DENSITY = winners("bone_density")
_TIERS = (finding("HEP-02"), finding("HEP-04"))
_PLANNED = {rule: finding(rule) for rule in ("SPN-02", "BMD-01", "HEP-04", "HEP-05")}
_LACTATION_ITEM = frozenset({"long_lactation"})


def _lac_01(chart: Reader, judge: Judge) -> Intervals:
    items = chart[RISK_ITEMS]
    return tuple(
        msgspec.structs.replace(i, steps=items.steps(i.began, i.ended, _LACTATION_ITEM))
        for i in long_lactation(chart, judge)
    )


def _asks_lac_01(chart: Reader, judge: Judge, _interval: Interval, now: datetime) -> Iterator[str]:
    yield from chart[RISK_ITEMS].never_asked(now)
    today = chart.calendar.day(now)
    last = last_report(chart[PREGNANCIES], today, chart.calendar)
    if last is None or (today - last).days > judge.days("report_due"):
        yield f"feeding not reported in {judge.days('report_due')} days"


_Factor = tuple[str, Intervals]


def _factors(chart: Reader, judge: Judge, p: Pregnancy) -> Iterator[_Factor]:
    """The strong risk factors, and when each holds."""
    items = dict(chart[RISK_ITEMS].items)
    yield "fragility fracture", items.get("prior_fragility_fracture", ())
    yield "earlier pregnancy- and lactation-associated osteoporosis", items.get("prior_plo", ())
    yield "low Z-score", tuple(_low_z(chart, judge))
    tier = (i for name in _TIERS for i in in_episode(chart[name], p))
    yield "heparin in the published fracture range", tuple(Interval(i.began, evidence=i.evidence[:1]) for i in tier)
    yield "long glucocorticoid exposure", items.get("glucocorticoid", ())


def _low_z(chart: Reader, judge: Judge) -> Iterator[Interval]:
    """From one DXA to the next, while the latest Z-score of a site is low."""
    found = tuple(scans(chart[_DENSITY]))
    instants = sorted({dxa.performed_at for _, dxa in found})
    for at, until in pairwise((*instants, FOREVER)):
        low = low_z(judge, (one for one in found if one[1].performed_at <= at))
        if low is not None:
            yield Interval(at, until, evidence=(z_evidence(*low),))


def _lac_02(chart: Reader, judge: Judge) -> Intervals:
    made: list[Interval] = []
    for p in chart[PREGNANCIES].episodes:
        for lactation in in_episode(chart[CONTINUOUS_LACTATION], p):
            found = _with_factor(chart, judge, p, lactation)
            if found is not None:
                made.append(found)
    if not chart[CONTINUOUS_LACTATION]:
        judge.out_of_scope("no continuous lactation of six months")
    return tuple(made)


def _with_factor(chart: Reader, judge: Judge, p: Pregnancy, lactation: Interval) -> Interval | None:
    """The finding from the first strong factor on, not before 30 days after a plan elsewhere."""
    first: tuple[datetime, str, tuple[Evidence, ...]] | None = None
    for words, intervals in _factors(chart, judge, p):
        there = [i for i in intervals if i.ended > lactation.began and i.began < lactation.ended]
        judge.condition(words, met=bool(there))
        for i in there:
            at = max(i.began, lactation.began)
            if first is None or at < first[0]:
                first = (at, words, i.evidence)
    if first is None:
        return None
    began = _after_plans(chart, judge, p, first[0])
    if began >= lactation.ended:
        return None
    return Interval(
        began,
        lactation.ended,
        chart[ANSWERS].closing("LAC-02", p.episode, began, frozenset({"plan"})),
        episode=p.episode,
        evidence=(*first[2], *lactation.evidence),
        details=(*lactation.details, ("factor", first[1])),
    )


def _after_plans(chart: Reader, judge: Judge, p: Pregnancy, began: datetime) -> datetime:
    """Not before midnight of P+30: a plan recorded up to then for another finding gives it time."""
    quiet = judge.days("quiet_after_plan")
    for planned in sorted(_plans(chart, p)):
        if planned <= began:
            began = max(began, chart.calendar.midnight(chart.calendar.day(planned), quiet))
    return began


def _plans(chart: Reader, p: Pregnancy) -> Iterator[datetime]:
    """Plans that count: recorded when the finding had begun, and not reopened since."""
    for rule, name in _PLANNED.items():
        began = min((i.began for i in in_episode(chart[name], p)), default=None)
        if began is None:
            continue
        answers = chart[ANSWERS].to(rule, p.episode)
        reopened = max((a.recorded_at for a in answers if a.action == "reopen"), default=began - timedelta.resolution)
        yield from (a.recorded_at for a in answers if a.action == "plan" and began <= a.recorded_at > reopened)


def _asks_lac_02(chart: Reader, _judge: Judge, interval: Interval, now: datetime) -> Iterator[str]:
    p = chart[PREGNANCIES].at(interval.began)
    delivery = p.puerperium if p else None
    scanned = (f.payload.performed_at for f in chart[_DENSITY] if isinstance(f.payload, Density))
    if delivery and not any(chart.calendar.midnight(delivery) <= at <= now for at in scanned):
        yield "no DXA after delivery"
    if now < interval.closed:
        yield "no plan recorded"


RULES = (
    Rule("LAC-01", (PREGNANCIES, RISK_ITEMS), _lac_01, _asks_lac_01),
    Rule(
        "LAC-02",
        (PREGNANCIES, CONTINUOUS_LACTATION, RISK_ITEMS, _DENSITY, ANSWERS, *_TIERS, *_PLANNED.values()),
        _lac_02,
        _asks_lac_02,
    ),
)
