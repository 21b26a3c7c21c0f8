"""Samples that say nothing about bone: total alkaline phosphatase in pregnancy, markers that cannot be compared.

Source: docs/intervals.md MRK-05 and MRK-06; docs/evidence.md 3.6. Raised as info, delivered to nobody.
"""

from collections.abc import Iterator, Sequence
from datetime import date, datetime

import msgspec

from alerting.judge import Judge
from alerting.rule import Rule
from alerting.rules.marker_series import MARKERS, READS, WORDS, Sample, Series, all_series, unknowns
from alerting.rules.results import evidence, reading
from schemas.definitions import Reader
from schemas.facts import Fact, Lab
from schemas.intervals import Interval, Intervals, Sign, runs, united
from schemas.views import PREGNANCIES, Pregnancy, labs

_ALP, _BONE_ALP, _P1NP = labs("ALP_total"), labs("BALP"), labs("P1NP")


def _collected(facts: Sequence[Fact]) -> Iterator[tuple[Fact, Lab]]:
    return ((f, f.payload) for f in facts if isinstance(f.payload, Lab))


def _mrk_05(chart: Reader, judge: Judge) -> Intervals:
    known = chart[PREGNANCIES].episodes
    if not known:
        judge.out_of_scope("not in a pregnancy episode")
    bone = sorted(lab.collected_at for name in (_BONE_ALP, _P1NP) for _, lab in _collected(chart[name]))
    drawn = {chart.calendar.day(at) for at in bone}

    def next_bone_marker(signs: Sequence[Sign]) -> datetime | None:
        return next((at for at in bone if at > signs[-1].at), None)

    if known and not chart[_ALP]:
        judge.out_of_scope("no total alkaline phosphatase measured")
    made: list[Interval] = []
    for p in known:
        found = runs(_placental(chart, judge, p, drawn), next_bone_marker, p.ended)
        made += (msgspec.structs.replace(i, episode=p.episode) for i in found)
    return tuple(made)


def _placental(chart: Reader, judge: Judge, p: Pregnancy, drawn: set[date]) -> Iterator[Sign]:
    """Total ALP while the placental isoenzyme is in it, without a bone marker of that day."""
    for fact, lab in _collected(chart[_ALP]):
        day = chart.calendar.day(lab.collected_at)
        judge.looks_at(day)
        if not p.holds(lab.collected_at) or not _while_placental(judge, p, day):
            continue
        if judge.condition("no bone ALP or P1NP collected that day", day not in drawn):
            days = ("days", judge.days("after_delivery"))
            yield Sign(lab.collected_at, (evidence(fact, "total ALP"),), (("value", reading(lab)), days))


def _while_placental(judge: Judge, p: Pregnancy, day: date) -> bool:
    """From the second trimester to some weeks after delivery; after an early loss no longer."""
    if p.puerperium is not None and day >= p.puerperium:
        return judge.at_most("after_delivery", (day - p.puerperium).days)
    pregnant = p.lmp is not None and p.pregnant_on(day)
    return judge.at_least("from_day", (day - p.lmp).days if p.lmp and pregnant else None)


def _mrk_06(chart: Reader, judge: Judge) -> Intervals:
    known = chart[PREGNANCIES].episodes
    if not known:
        judge.out_of_scope("not in a pregnancy episode")
    found = all_series(chart, judge)
    if not found:
        judge.out_of_scope("no bone turnover marker measured")
    made: list[Interval] = []
    for p in known:
        whole = united(i for series in found for i in _not_comparable(series, p))
        made += (msgspec.structs.replace(i, episode=p.episode) for i in whole)
    return tuple(made)


def _not_comparable(series: Series, p: Pregnancy) -> Intervals:
    comparable = [s.at for s in series.samples if s.comparable]
    signs = (_sign(s) for s in series.samples if not s.comparable and p.holds(s.at))
    return runs(signs, lambda run: next((at for at in comparable if at > run[-1].at), None), p.ended)


def _sign(sample: Sample) -> Sign:
    why = ", ".join((*sample.flaws, *sample.changed))
    return Sign(sample.at, (sample.evidence,), (("marker", WORDS[sample.lab.analyte]), ("why", why)))


def _asks_mrk_05(_chart: Reader, _judge: Judge, _interval: Interval, _now: datetime) -> Iterator[str]:
    yield "bone ALP or P1NP not measured"


def _asks_mrk_06(chart: Reader, _judge: Judge, interval: Interval, now: datetime) -> Iterator[str]:
    yield from unknowns(chart, interval.evidence, now)


RULES = (
    Rule("MRK-05", (_ALP, _BONE_ALP, _P1NP, PREGNANCIES), _mrk_05, _asks_mrk_05),
    Rule("MRK-06", READS, _mrk_06, _asks_mrk_06, (MARKERS,)),
)
