"""Bone turnover markers: a rise beyond the least significant change, resorption still high after weaning.

Topic: no marker diagnoses pregnancy- and lactation-associated osteoporosis; what counts is the trend in one phase.
Source: docs/intervals.md MRK-01, MRK-02; docs/evidence.md 3.1 to 3.5.
"""

from collections.abc import Iterator
from datetime import date, datetime
from decimal import Decimal
from typing import Final

from alerting.judge import Judge
from alerting.rule import Rule
from alerting.rules.feeding import reported_weaning
from alerting.rules.fractures import FRACTURES
from alerting.rules.marker_series import MARKERS, WORDS, Sample, Series, unknowns
from alerting.rules.results import at_most, exceeds, more_than, reading, within
from schemas.definitions import Reader
from schemas.intervals import Evidence, Interval, Intervals, Scalar
from schemas.views import PREGNANCIES, Ledger, Pregnancy, ledger

_RESORPTION: Final = ("CTX", "CTX_urine", "NTX", "NTX_urine", "TRACP5b")
_AFTER_WEANING: Final = ("CTX", "CTX_urine", "NTX", "NTX_urine")
_QUANTITY: Final = {"CTX": "mass", "NTX": "molar", "NTX_urine": "molar ratio", "TRACP5b": "activity"}
"""The kind of unit in which the published limits are; there are none for urine CTX."""
_LIMITED_BY_PHASE: Final = frozenset({"T1", "T2", "T3", "lactation"})
_ANABOLIC = (ledger("anabolic"), ledger("sclerostin_inhibitor"))


def _published(judge: Judge, sample: Sample, phase: str) -> str | None:
    """The pack's upper limit of a marker in a phase; None: none is published in this kind of unit."""
    name = f"high_{sample.lab.analyte}_{phase}"
    same_kind = _QUANTITY.get(sample.lab.analyte) == sample.lab.quantity
    return name if same_kind and name in judge.text.limits else None


def _own(sample: Sample) -> Decimal | None:
    """The upper limit sent with the result: of women neither pregnant nor lactating, whoever the patient is."""
    return sample.lab.high


def _above(judge: Judge, sample: Sample, phase: str) -> bool:
    """Above the upper limit of a phase; without one no value is."""
    if phase not in _LIMITED_BY_PHASE and (high := _own(sample)) is not None:
        words = f"{WORDS[sample.lab.analyte]} above the laboratory's upper limit"
        return judge.condition(words, exceeds(sample.found, high), reading(sample.lab))
    name = _published(judge, sample, phase if phase in _LIMITED_BY_PHASE else "premenopausal")
    return name is not None and more_than(judge, name, sample.found)


def _inside(judge: Judge, sample: Sample, phase: str) -> bool:
    """At or below the upper limit of a phase; without one no value is."""
    if phase not in _LIMITED_BY_PHASE and (high := _own(sample)) is not None:
        return within(sample.found, high)
    name = _published(judge, sample, phase if phase in _LIMITED_BY_PHASE else "premenopausal")
    return name is not None and at_most(judge, name, sample.found)


def _unfractured(chart: Reader, judge: Judge, day: date) -> bool:
    """No fracture in the days before, as markers stay up while one heals."""
    days = judge.days("after_fracture")
    fractured = any(0 <= (day - chart.calendar.day(f.at)).days <= days for f in chart[FRACTURES] if not f.old)
    return judge.condition(f"no fracture in the {days} days before", not fractured)


class _Run:
    """A finding that goes on: the sample that began it, its baseline, and the samples that prolonged it."""

    def __init__(self, sample: Sample, baseline: Sample | None) -> None:
        self.first = sample
        self.baseline = baseline
        self.evidence: list[Evidence] = [*([baseline.evidence] if baseline else []), sample.evidence]

    def interval(self, p: Pregnancy, ended: datetime, *more: tuple[str, Scalar]) -> Interval:
        details = (
            *more,
            ("marker", WORDS[self.first.lab.analyte]),
            ("value", reading(self.first.lab)),
            ("baseline", reading(self.baseline.lab) if self.baseline else "none"),
            ("baseline_day", self.baseline.day.isoformat() if self.baseline else "none"),
        )
        return Interval(self.first.at, ended, episode=p.episode, evidence=tuple(self.evidence), details=details)


def _in_episode(series: Series, p: Pregnancy) -> Iterator[Sample]:
    return (s for s in series.samples if s.comparable and p.holds(s.at))


def _mrk_01(chart: Reader, judge: Judge) -> Intervals:
    series = [s for s in chart[MARKERS] if s.analyte in _RESORPTION]
    if not chart[PREGNANCIES].episodes:
        judge.out_of_scope("not in a pregnancy episode")
    if not series:
        judge.out_of_scope("no resorption marker measured")
    found = (i for p in chart[PREGNANCIES].episodes for one in series for i in _rises(chart, judge, p, one))
    return tuple(sorted(found, key=lambda i: i.began))


def _rises(chart: Reader, judge: Judge, p: Pregnancy, series: Series) -> Iterator[Interval]:
    run: _Run | None = None
    for sample in _in_episode(series, p):
        judge.looks_at(sample.day)
        if run is not None and run.baseline is not None and _fallen(judge, sample, run.baseline):
            yield run.interval(p, sample.at)
            run = None
        baseline = _risen_from(chart, judge, series, sample)
        if baseline is not None and run is None:
            run = _Run(sample, baseline)
        elif baseline is not None and run is not None:
            run.evidence.append(sample.evidence)
    if run is not None:
        yield run.interval(p, p.ended)


def _risen_from(chart: Reader, judge: Judge, series: Series, sample: Sample) -> Sample | None:
    """The baseline from which a sample has risen significantly, above the limit of its phase."""
    if not judge.condition("phase known", sample.group is not None):
        return None
    first, last = judge.days("baseline_from"), judge.days("baseline_to")
    baseline = series.baseline(sample, first, last, grouped=True)
    there = judge.condition(
        f"a comparable {WORDS[series.analyte]} of the same phase {first}-{last} days before", baseline is not None
    )
    if not there or baseline is None:
        return None
    rise = judge.at_least(f"rise_{series.analyte}", sample.found.least_ratio(baseline.found))
    above = _above(judge, sample, sample.group or "")
    return baseline if rise and above and _unfractured(chart, judge, sample.day) else None


def _fallen(judge: Judge, sample: Sample, baseline: Sample) -> bool:
    """Back within the least significant change of the baseline, or within the limit of the sample's own phase."""
    if not sample.same_method(baseline):
        return False
    ratio, rise = sample.found.largest_ratio(baseline.found), judge.limit(f"rise_{sample.lab.analyte}")
    back = ratio is not None and (ratio < rise or (ratio == rise and sample.found.open_high))
    return back or (sample.group is not None and _inside(judge, sample, sample.group))


def _mrk_02(chart: Reader, judge: Judge) -> Intervals:
    series = [s for s in chart[MARKERS] if s.analyte in _AFTER_WEANING]
    known = chart[PREGNANCIES]
    if not any(reported_weaning(known, p, chart.calendar.day(p.ended)) for p in known.episodes):
        judge.out_of_scope("no weaning reported")
    if not series:
        judge.out_of_scope("no CTX or NTX measured")
    found = (i for p in known.episodes for one in series for i in _high(chart, judge, p, one))
    return tuple(sorted(found, key=lambda i: i.began))


def _high(chart: Reader, judge: Judge, p: Pregnancy, series: Series) -> Iterator[Interval]:
    run: _Run | None = None
    stop, weaned = p.ended, ("days", judge.days("weaned_from"))
    for sample in _in_episode(series, p):
        judge.looks_at(sample.day)
        if run is not None and (sample.at >= stop or _inside(judge, sample, "premenopausal")):
            yield run.interval(p, min(sample.at, stop), weaned)
            run = None
        met, baseline = _still_high(chart, judge, p, series, sample)
        if met and run is None:
            run, stop = _Run(sample, baseline), min(p.ended, _anabolic_from(chart, sample.at) or p.ended)
        elif met and run is not None:
            run.evidence.append(sample.evidence)
    if run is not None:
        yield run.interval(p, stop, weaned)


def _still_high(
    chart: Reader, judge: Judge, p: Pregnancy, series: Series, sample: Sample
) -> tuple[bool, Sample | None]:
    """High, or risen since weaning, in the window after a reported weaning; with the baseline of the rise."""
    weaned = reported_weaning(chart[PREGNANCIES], p, sample.day)
    since = (sample.day - weaned).days if weaned else None
    if weaned is None or not (judge.at_least("weaned_from", since) & judge.at_most("weaned_to", since)):
        return False, None
    high = _above(judge, sample, "premenopausal")
    baseline = series.baseline(sample, judge.days("baseline_from"), since, grouped=False)
    ratio = sample.found.least_ratio(baseline.found) if baseline else None
    risen = judge.at_least(f"rise_{series.analyte}", ratio)
    free = judge.condition("not on an anabolic drug", not _exposed(chart, sample.day))
    met = (high or risen) and free and _unfractured(chart, judge, sample.day)
    return met, baseline if risen else None


def _exposed(chart: Reader, day: date) -> bool:
    return any(chart[name].on(day) is not None for name in _ANABOLIC)


def _anabolic_from(chart: Reader, at: datetime) -> datetime | None:
    """When an anabolic drug is started after an instant."""
    exposures: list[Ledger] = [chart[name] for name in _ANABOLIC]
    return min((s.begins for one in exposures for s in one.stretches if s.begins > at), default=None)


def _asks_mrk_01(chart: Reader, _judge: Judge, interval: Interval, now: datetime) -> Iterator[str]:
    yield from unknowns(chart, interval.evidence, now)
    if chart[PREGNANCIES].phase(chart.calendar.day(now)) == "unknown":
        yield "phase or feeding unknown"


def _asks_mrk_02(chart: Reader, _judge: Judge, interval: Interval, now: datetime) -> Iterator[str]:
    yield from unknowns(chart, interval.evidence, now)


RULES = (
    Rule("MRK-01", (MARKERS, PREGNANCIES, FRACTURES), _mrk_01, _asks_mrk_01),
    Rule("MRK-02", (MARKERS, PREGNANCIES, FRACTURES, *_ANABOLIC), _mrk_02, _asks_mrk_02),
)
