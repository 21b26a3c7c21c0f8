"""Bone drugs in pregnancy, and in a woman who may become pregnant.

Source: docs/intervals.md SAF-01 and SAF-02; docs/evidence.md 1.2 (caution, and the exposures that were reassuring).
"""

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Final

import msgspec

from alerting.judge import Judge
from alerting.rule import Rule
from alerting.rules.bone_drugs import READS, Use, given, ordered, spans, supplied
from alerting.rules.childbearing import asks_saf_02, saf_02, saf_02_reads
from alerting.rules.order_runs import drug_of
from schemas.days import FOREVER
from schemas.definitions import Reader
from schemas.facts import Diagnosis, Dose
from schemas.intervals import Interval, Intervals, united
from schemas.views import ANSWERS, PREGNANCIES, Pregnancy, winners

_CONDITIONS = winners("condition")
_DENOSUMAB: Final = "denosumab"


def _in_force(chart: Reader) -> tuple[Use, ...]:
    """Orders, supplies, and the doses that no order governs: nothing ends those."""
    found = spans(chart)
    by_order = ordered(found)
    numbers = {(s.order, drug_of(s)) for s in found}
    return (*by_order, *supplied(chart, found), *(d for d in given(chart) if not _governed(d, by_order, numbers)))


def _governed(dose: Use, by_order: Iterable[Use], numbers: set[tuple[str, str]]) -> bool:
    """The dose has an order: under its number, or active when it was given."""
    said = dose.fact.payload
    if isinstance(said, Dose) and said.placer_order is not None and (said.placer_order, dose.drug) in numbers:
        return True
    return any(o.drug == dose.drug and _active(o, dose.begins) for o in by_order)


def _active(use: Use, at: datetime) -> bool:
    return use.begins <= at and (use.ends is None or at < use.ends)


def _over(use: Use, began: datetime, ended: datetime) -> tuple[datetime, datetime] | None:
    """The part of a use that lies in [began, ended); without a known end only what begins there, orders aside."""
    if use.kind != "order" and use.ends is None and use.begins < began:
        return None
    begins, ends = max(use.begins, began), min(use.ends or FOREVER, ended)
    return (begins, ends) if begins < ends else None


def _denosumab_before(chart: Reader, judge: Judge, found: Iterable[Use], p: Pregnancy) -> Iterator[Use]:
    """Denosumab given or handed out in the days before the LMP; an order alone is no dose."""
    handed_out = (u for u in found if u.kind == "supply")
    for use in (*given(chart), *handed_out):
        days = (p.start - chart.calendar.day(use.begins)).days
        if use.drug == _DENOSUMAB and days > 0 and judge.at_most("denosumab_days", days):
            yield msgspec.structs.replace(use, ends=None)


def _saf_01(chart: Reader, judge: Judge) -> Intervals:
    found = _in_force(chart)
    pregnancies = chart[PREGNANCIES].episodes
    if not pregnancies:
        judge.out_of_scope("not in a pregnancy episode")
    return tuple(i for p in pregnancies for i in _of_pregnancy(chart, judge, found, p))


def _of_pregnancy(chart: Reader, judge: Judge, found: tuple[Use, ...], p: Pregnancy) -> Iterator[Interval]:
    began, ended = p.began, min(chart.calendar.midnight(p.until), p.ended)
    by_drug: dict[str, list[Interval]] = {}
    for use in found:
        if (over := _over(use, began, ended)) is not None:
            by_drug.setdefault(use.drug, []).append(_interval(chart, use, p, *over))
    for use in _denosumab_before(chart, judge, found, p):
        by_drug.setdefault(use.drug, []).append(_interval(chart, use, p, began, ended))
    judge.condition("a bone drug ordered, supplied or given in pregnancy", bool(by_drug), ", ".join(sorted(by_drug)))
    answers = chart[ANSWERS]
    reasons = frozenset(a.reason for a in answers.to("SAF-01", p.episode) if a.reason)
    united_by_drug = (interval for drug in sorted(by_drug) for interval in united(by_drug[drug]))
    for interval in sorted(united_by_drug, key=lambda i: i.began):
        closed = answers.closing("SAF-01", p.episode, interval.began, frozenset({"override"}), reasons)
        yield msgspec.structs.replace(interval, closed=closed)


def _interval(chart: Reader, use: Use, p: Pregnancy, began: datetime, ended: datetime) -> Interval:
    since = chart.calendar.day(use.begins).isoformat()
    before = use.ends is None and use.kind != "order" and use.begins < began
    when = "in the half year before the LMP" if before else "in pregnancy"
    details = (("drug", use.drug), ("kind", _WORDS[use.kind]), ("since", since), ("when", when))
    return Interval(began, ended, episode=p.episode, evidence=(use.evidence,), details=details)


_WORDS: Final = {"order": "ordered", "supply": "supplied", "dose": "given"}
_INDICATIONS: Final = ("osteoporosis", "fracture", "osteogenesis_imperfecta", "malignancy", "hypercalcaemia")


def _asks_saf_01(chart: Reader, _judge: Judge, interval: Interval, now: datetime) -> Iterator[str]:
    coded = (f.payload for f in chart[_CONDITIONS] if f.recorded_at <= now)
    concepts = {c for d in coded if isinstance(d, Diagnosis) and d.status != "refuted" for c in d.concepts}
    if not any(word in concept for word in _INDICATIONS for concept in concepts):
        yield f"no indication of {dict(interval.details)['drug']} is coded"
    if any(p.episode == interval.episode and p.lmp is None for p in chart[PREGNANCIES].episodes):
        yield "gestational age not known: the pregnancy is not dated"


RULES = (
    Rule("SAF-01", (*READS, PREGNANCIES, ANSWERS), _saf_01, _asks_saf_01, (_CONDITIONS,)),
    Rule("SAF-02", saf_02_reads, saf_02, asks_saf_02),
)
