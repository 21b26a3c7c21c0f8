"""A bone drug begun in a woman who may become pregnant: what makes the beginning safe, and what ends the question.

Source: docs/intervals.md SAF-02.
"""

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any, Final

import msgspec

from alerting.judge import Judge
from alerting.rules.bone_drugs import READS, Use, given, spans, supplied
from alerting.rules.order_runs import Run, order_runs
from alerting.rules.results import allowed, below
from alerting.rules.woman import born_on, completed_years, factor_at, present_from, sex
from schemas.days import FOREVER
from schemas.definitions import Name, Reader, records
from schemas.facts import Diagnosis, Fact, Lab, ProcedureDone
from schemas.intervals import Evidence, Interval, Intervals
from schemas.views import ANSWERS, EPISODES, PREGNANCIES, labs, winners

_TESTS, _FACTORS, _PATIENT = labs("hCG"), winners("risk_factor"), winners("patient")
_PROCEDURES, _CONDITIONS = winners("procedure"), records("condition")
_STERILE: Final = frozenset({"sterilisation", "hysterectomy"})

saf_02_reads: Final[tuple[Name[Any], ...]] = (
    *READS,
    _TESTS,
    _FACTORS,
    _PATIENT,
    _PROCEDURES,
    _CONDITIONS,
    PREGNANCIES,
    EPISODES,
    ANSWERS,
)


class _Begun(msgspec.Struct, frozen=True):
    """An order, or a supply or dose without one, at the instant at which it is judged."""

    use: Use
    at: datetime
    ended: datetime


def _begun(chart: Reader) -> Iterator[_Begun]:
    """Every use at its beginning, and at the end of each pregnancy that it outlasts."""
    found = spans(chart)
    runs = tuple(order_runs(found))
    ends = [chart.calendar.midnight(p.until) for p in chart[PREGNANCIES].episodes]
    for run in runs:
        use = Use("order", run.drug, run.begins, run.ends, run.facts[0])
        for at in (run.begins, *(e for e in ends if run.begins < e and run.holds(e))):
            yield _Begun(use, at, run.ends or FOREVER)
    for use in (*supplied(chart, found), *given(chart)):
        if any(_ordered(run, use) for run in runs):
            continue
        outlasted = (e for e in ends if use.ends is not None and use.begins < e < use.ends)
        for at in (use.begins, *outlasted):
            yield _Begun(use, at, FOREVER)


def _ordered(run: Run, use: Use) -> bool:
    """The use belongs to an order: given or supplied while one of the drug runs, or under its number."""
    placer = getattr(use.fact.payload, "placer_order", None)
    numbers = {getattr(f.payload, "placer_order", None) for f in run.facts}
    return run.drug == use.drug and (run.holds(use.begins) or (placer is not None and placer in numbers))


def saf_02(chart: Reader, judge: Judge) -> Intervals:
    """From the beginning of a bone drug until pregnancy is excluded and prevented, or no longer the question."""
    sterile = _sterile_from(chart)
    made: list[Interval] = []
    found = tuple(_begun(chart))
    if not found:
        judge.out_of_scope("no bone drug ordered, supplied or given")
    for begun in found:
        judge.looks_at(chart.calendar.day(begun.at))
        if not _in_scope(chart, judge, begun.at) or _excused(chart, judge, begun.at, sterile):
            continue
        safe = _both_from(chart, judge, begun.at)
        ended = min(begun.ended, sterile or FOREVER, _next_pregnancy(chart, begun.at), safe)
        if ended > begun.at:
            made.append(_interval(chart, judge, begun, ended))
    return tuple(made)


def _in_scope(chart: Reader, judge: Judge, at: datetime) -> bool:
    """A woman of childbearing age who is not pregnant; what is unknown counts where a pregnancy is on record."""
    pregnancies = chart[PREGNANCIES]
    recorded = bool(pregnancies.episodes or pregnancies.undated)
    day, known, born = chart.calendar.day(at), sex(chart[_PATIENT]), born_on(chart[_PATIENT])
    if known != "female" and not (known is None and recorded):
        judge.out_of_scope("not known to be a woman")
        return False
    if born is None:
        if not recorded:
            judge.out_of_scope("age unknown, and no pregnancy on record")
        return recorded and not _pregnant(chart, judge, at)
    years = completed_years(born, day)
    of_age = judge.at_least("youngest", years) & judge.at_most("oldest", years)
    return of_age and not _pregnant(chart, judge, at)


def _pregnant(chart: Reader, judge: Judge, at: datetime) -> bool:
    day = chart.calendar.day(at)
    pregnant = any(p.pregnant_on(day) for p in chart[PREGNANCIES].episodes)
    judge.condition("not pregnant on the day", not pregnant, day.isoformat())
    return pregnant


def _excused(chart: Reader, judge: Judge, at: datetime, sterile: datetime | None) -> bool:
    fertile = judge.condition("no sterilisation or hysterectomy coded by then", sterile is None or sterile > at)
    menopause = factor_at(chart[_FACTORS], "menopause", at) is not None
    return not (judge.condition("no menopause reported by then", not menopause) and fertile)


def _sterile_from(chart: Reader) -> datetime | None:
    """When a sterilisation or hysterectomy was done, or coded as a condition; None: neither."""
    done = [
        p.performed_at
        for f in chart[_PROCEDURES]
        if isinstance(p := f.payload, ProcedureDone) and p.procedure in _STERILE and p.status == "completed"
    ]
    coded = [
        d.onset_at or r.versions[0].recorded_at
        for r in chart[_CONDITIONS]
        if r.winner and isinstance(d := r.winner.payload, Diagnosis) and d.status != "refuted"
        if not _STERILE.isdisjoint(d.concepts)
    ]
    return min((*done, *coded), default=None)


def _next_pregnancy(chart: Reader, at: datetime) -> datetime:
    return min((p.began for p in chart[PREGNANCIES].episodes if p.began > at), default=FOREVER)


def _negative(judge: Judge, lab: Lab) -> bool:
    """Below the limit with every value that the result allows, or called negative."""
    found = allowed(lab)
    if found is not None:
        return below(judge, "hcg", found)
    return (lab.text or "").strip().casefold().startswith("neg")


def _tests_since(chart: Reader, judge: Judge, at: datetime) -> Iterator[tuple[datetime, bool]]:
    """(collected, negative) of the pregnancy tests from the limit's days before on."""
    first = chart.calendar.midnight(chart.calendar.day(at), -judge.days("test_days"))
    for fact in chart[_TESTS]:
        lab = fact.payload
        if isinstance(lab, Lab) and lab.collected_at >= first:
            yield lab.collected_at, _negative(judge, lab)


def _both_from(chart: Reader, judge: Judge, at: datetime) -> datetime:
    """The first instant, not before `at`, at which the latest test since is negative and contraception is there."""
    tests = list(_tests_since(chart, judge, at))
    found = FOREVER
    for i, (collected, negative) in enumerate(tests):
        until = tests[i + 1][0] if i + 1 < len(tests) else FOREVER
        if not negative or until <= at:
            continue
        both = present_from(chart[_FACTORS], "contraception", max(collected, at))
        if both is not None and both < until:
            found = min(found, both)
    judge.condition("no negative pregnancy test with contraception, both there", found > at)
    return found


def _lacking(chart: Reader, judge: Judge, at: datetime) -> Iterator[str]:
    tests = [negative for collected, negative in _tests_since(chart, judge, at) if collected <= at]
    if not tests or not tests[-1]:
        yield f"no negative pregnancy test in the {judge.days('test_days')} days before"
    if factor_at(chart[_FACTORS], "contraception", at) is None:
        yield "no contraception recorded"


def _interval(chart: Reader, judge: Judge, begun: _Begun, ended: datetime) -> Interval:
    lacking = " and ".join(_lacking(chart, judge, begun.at))
    details = (
        ("drug", begun.use.drug),
        ("since", chart.calendar.day(begun.use.begins).isoformat()),
        ("lacking", lacking),
    )
    closed = chart[ANSWERS].closing("SAF-02", chart[EPISODES].at(begun.at), begun.at, frozenset({"plan"}))
    tests = tuple(_test_evidence(f) for f in chart[_TESTS] if f.payload.collected_at <= begun.at)[-1:]  # type: ignore[union-attr]
    return Interval(begun.at, ended, closed, evidence=(begun.use.evidence, *tests), details=details)


def _test_evidence(fact: Fact) -> Evidence:
    return Evidence("pregnancy test", fact.record_id, fact.event_id, fact.source)


def asks_saf_02(chart: Reader, judge: Judge, interval: Interval, now: datetime) -> Iterable[str]:
    """The test and contraception that are still lacking, and what is not known of the patient."""
    tests = [negative for collected, negative in _tests_since(chart, judge, interval.began) if collected <= now]
    if not tests or not tests[-1]:
        yield "no negative pregnancy test"
    if factor_at(chart[_FACTORS], "contraception", now) is None:
        yield "contraception not recorded"
    if born_on(chart[_PATIENT]) is None:
        yield "age unknown"
    if sex(chart[_PATIENT]) is None:
        yield "sex unknown"
