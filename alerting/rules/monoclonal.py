"""A monoclonal protein or a skewed light chain ratio together with a fragility fracture.

Source: intervals.csv SEC-03.
"""

from collections.abc import Iterator
from datetime import datetime
from typing import Final

import msgspec

from alerting.judge import Judge
from alerting.rule import Rule
from alerting.rules import coded, results
from alerting.rules.coded import CODED
from alerting.rules.fractures import in_episode
from schemas.definitions import Reader, finding
from schemas.facts import Lab
from schemas.intervals import Evidence, Interval, Intervals
from schemas.views import ANSWERS, PREGNANCIES, labs

_SPN_02 = finding("SPN-02")
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
    reviewed = list(coded.of(chart[CODED], "monoclonal_gammopathy", "myeloma"))
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

RULES = (Rule("SEC-03", (PREGNANCIES, _SPN_02, ANSWERS, CODED, _M_PROTEIN, _FLC), _sec_03, _asks_sec_03, (_SPEP,)),)
