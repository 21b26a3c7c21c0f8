"""A monoclonal protein or a skewed light chain ratio together with a fragility fracture.

Source: docs/intervals.md SEC-03.
"""

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Final

import msgspec

from alerting.judge import Judge
from alerting.rule import Rule
from alerting.rules import coded, results
from alerting.rules.coded import CODED
from alerting.rules.fractures import in_episode
from schemas.definitions import Reader, finding
from schemas.facts import Fact, Lab
from schemas.intervals import Evidence, Interval, Intervals
from schemas.views import ANSWERS, PREGNANCIES, labs

_SPN_02 = finding("SPN-02")
_M_PROTEIN, _FLC, _SPEP = labs("M_protein"), labs("FLC_ratio"), labs("SPEP")


class _Series(msgspec.Struct, frozen=True):
    """The results of one analyte in clinical time, and how they are judged at an instant."""

    what: str
    found: tuple[tuple[Fact, Lab, results.Allowed], ...]
    abnormal: Callable[[results.Allowed, datetime], bool]

    def first_abnormal(self, began: datetime) -> tuple[datetime, Evidence, str] | None:
        """The first instant from one on at which the latest result is abnormal, with that result."""
        known = [r for r in self.found if r[1].collected_at <= began]
        for fact, lab, values in (*known[-1:], *self.found[len(known) :]):
            at = max(began, lab.collected_at)
            if self.abnormal(values, at):
                return at, results.evidence(fact, self.what), f"{self.what} {results.reading(lab)}"
        return None


def _series(chart: Reader, judge: Judge) -> tuple[_Series, _Series]:
    """The M proteins and the light chain ratios."""
    kidney = [c.at for c in coded.of(chart[CODED], "chronic_kidney_disease")]

    def protein(found: results.Allowed, at: datetime) -> bool:
        judge.looks_at(chart.calendar.day(at))
        return results.more_than(judge, "m_protein", found)

    def ratio(found: results.Allowed, at: datetime) -> bool:
        judge.looks_at(chart.calendar.day(at))
        prefix = "kidney_" if judge.condition("chronic kidney disease coded", any(k <= at for k in kidney)) else ""
        low = results.below(judge, f"{prefix}ratio_low", found)
        return results.more_than(judge, f"{prefix}ratio_high", found) or low

    return (
        _Series("M protein", tuple(results.results(chart[_M_PROTEIN])), protein),
        _Series("free light chain ratio", tuple(results.results(chart[_FLC])), ratio),
    )


def _sec_03(chart: Reader, judge: Judge) -> Intervals:
    made: list[Interval] = []
    reviewed = list(coded.of(chart[CODED], "monoclonal_gammopathy", "myeloma"))
    for p in chart[PREGNANCIES].episodes:
        fractured = min((i.began for i in in_episode(chart[_SPN_02], p)), default=None)
        if fractured is None:
            continue
        firsts = [first for one in _series(chart, judge) if (first := one.first_abnormal(fractured)) is not None]
        if not firsts:
            continue
        began, evidence, words = min(firsts, key=lambda f: f[0])
        ended = min((c.at for c in reviewed if began <= c.at < p.ended), default=p.ended)
        if began < ended:
            closed = chart[ANSWERS].closing("SEC-03", p.episode, began, frozenset({"plan"}))
            made.append(Interval(began, ended, closed, (), p.episode, (evidence,), (("result", words),)))
    if not chart[_SPN_02]:
        judge.out_of_scope("no fracture (SPN-02) in a pregnancy episode")
    return tuple(made)


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
