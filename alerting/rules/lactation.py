"""Lactation: six months of it, with a strong risk factor, and recovery after weaning.

Source: intervals.csv LAC-01, LAC-02, LAC-04. The words are neutral on breast-feeding.
"""

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta

import msgspec

from alerting.judge import Judge
from alerting.rule import Rule
from alerting.rules.density import low_z, scans, z_evidence
from alerting.rules.feeding import CONTINUOUS_LACTATION, long_lactation
from alerting.rules.fractures import in_episode
from alerting.rules.risk_score import RISK_ITEMS
from schemas.days import FOREVER
from schemas.definitions import Reader, finding
from schemas.facts import Density, Fact
from schemas.intervals import Evidence, Interval, Intervals
from schemas.views import ANSWERS, PREGNANCIES, Pregnancy, winners

_DENSITY = winners("bone_density")
_HEP_02, _HEP_04 = finding("HEP-02"), finding("HEP-04")
_PLANNED = tuple(finding(rule) for rule in ("SPN-02", "BMD-01", "HEP-04", "HEP-05"))
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
    reports = (_reported_on(chart, fact, span) for fact, span in _feedings(chart))
    last = max((day for day in reports if day <= today), default=None)
    if last is None or (today - last).days > judge.days("report_due"):
        yield f"feeding not reported in {judge.days('report_due')} days"
