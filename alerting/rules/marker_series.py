"""Bone turnover markers as series of samples, each with its phase and with what makes it not comparable.

Source: docs/intervals.md MRK-06; docs/evidence.md 3.5 (phase groups) and 3.6 (pre-analytical).
"""

from collections.abc import Iterable, Iterator
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any, Final

import msgspec

from alerting.judge import Judge
from alerting.rules.results import Allowed, allowed, below, evidence, results
from schemas.definitions import Definition, Name, Reader, define
from schemas.facts import Fact, Lab
from schemas.intervals import Evidence
from schemas.rulepack import RulePack
from schemas.tables import Tables
from schemas.views import PREGNANCIES, Phase, Pregnancies, labs

ANALYTES: Final = ("CTX", "CTX_urine", "NTX", "NTX_urine", "TRACP5b", "P1NP", "BALP", "OC")
WORDS: Final = {
    "CTX": "CTX",
    "CTX_urine": "urine CTX",
    "NTX": "serum NTX",
    "NTX_urine": "urine NTX",
    "TRACP5b": "TRACP5b",
    "P1NP": "P1NP",
    "BALP": "bone ALP",
    "OC": "osteocalcin",
}
_FASTING: Final = frozenset({"CTX"})
_RENAL: Final = frozenset({"CTX", "OC"})
_SPOILT: Final = frozenset({"haemolysed", "clotted", "insufficient"})
_LACTATION: Final = frozenset({"PPE", "LAC"})
_EGFR: Final = labs("eGFR")
_HOUR: Final = timedelta(hours=1)


class Sample(msgspec.Struct, frozen=True):
    """One sample. `flaws`: what makes it comparable with none; `changed`: what differs from the method before."""

    fact: Fact
    lab: Lab
    found: Allowed
    day: date
    phase: Phase
    flaws: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()

    @property
    def at(self) -> datetime:
        """When it was collected."""
        return self.lab.collected_at

    @property
    def comparable(self) -> bool:
        """Nothing speaks against comparing it with earlier ones of its method."""
        return not self.flaws and not self.changed

    @property
    def group(self) -> str | None:
        """The phase group: early puerperium and lactation are one; None: unknown."""
        return None if self.phase == "unknown" else "lactation" if self.phase in _LACTATION else self.phase

    @property
    def evidence(self) -> Evidence:
        """The result."""
        return evidence(self.fact, WORDS.get(self.lab.analyte, self.lab.analyte))

    def same_method(self, other: "Sample") -> bool:
        """Same assay, laboratory and kind of unit."""
        return _method(self.lab) == _method(other.lab)


class Series(msgspec.Struct, frozen=True):
    """All samples of one marker, in clinical time."""

    analyte: str
    samples: tuple[Sample, ...]

    def baseline(self, sample: Sample, first: int, last: int | None, *, grouped: bool) -> Sample | None:
        """The earliest sample of the same method `first` to `last` days before; `grouped`: of the same phase group."""
        for earlier in self.samples:
            apart = (sample.day - earlier.day).days
            if earlier.flaws or apart < first or (last is not None and apart > last):
                continue
            if earlier.same_method(sample) and (not grouped or earlier.group == sample.group is not None):
                return earlier
        return None


MARKERS: Final[Name[tuple[Series, ...]]] = Name("markers")
"""The series of every marker that was measured."""


def _method(lab: Lab) -> tuple[str | None, str | None, str]:
    return lab.assay, lab.laboratory, lab.quantity


def _changed(lab: Lab, before: Lab | None) -> Iterator[str]:
    if before is None:
        return
    if lab.assay != before.assay:
        yield "another assay"
    if lab.laboratory != before.laboratory:
        yield "another laboratory"
    if lab.quantity != before.quantity:
        yield "another kind of unit"


def _hours(chart: Reader, at: datetime) -> Decimal:
    """The local time of day in hours."""
    local = chart.calendar.local(at)
    since = timedelta(hours=local.hour, minutes=local.minute, seconds=local.second, microseconds=local.microsecond)
    return Decimal(str(since / _HOUR))


def _flaws(chart: Reader, judge: Judge, lab: Lab) -> Iterator[str]:
    if lab.analyte in _FASTING:
        if judge.condition("sample not fasting", met=lab.fasting is False):
            yield "not fasting"
        if judge.more_than("latest_hour", _hours(chart, lab.collected_at)):
            yield f"collected after {judge.days('latest_hour')}:00"
    quality = (lab.quality or "").casefold()
    if judge.condition("specimen haemolysed, clotted or insufficient", met=quality in _SPOILT):
        yield quality
    if lab.analyte in _RENAL and _kidney_poor(chart, judge, lab.collected_at):
        yield f"eGFR below {judge.days('egfr')}"


def _kidney_poor(chart: Reader, judge: Judge, at: datetime) -> bool:
    """The latest eGFR of 90 days is below the limit; one measured from LMP to delivery is not valid and not read."""
    latest: Allowed | None = None
    for fact, lab, found in results(chart[_EGFR]):
        age = (chart.calendar.day(at) - chart.calendar.day(lab.collected_at)).days
        if lab.collected_at <= at and age <= judge.days("egfr_age") and not _pregnant(chart, fact):
            latest = found
    return latest is not None and below(judge, "egfr", latest)


def _pregnant(chart: Reader, fact: Fact) -> bool:
    lab = fact.payload
    if not isinstance(lab, Lab):
        return False
    day = chart.calendar.day(lab.collected_at)
    return any(p.pregnant_on(day) for p in chart[PREGNANCIES].episodes)


def _series(chart: Reader, judge: Judge, analyte: str) -> Series:
    made: list[Sample] = []
    known: Pregnancies = chart[PREGNANCIES]
    before: Lab | None = None
    for fact in chart[labs(analyte)]:
        lab = fact.payload
        if not isinstance(lab, Lab) or (found := allowed(lab)) is None:
            continue
        day = chart.calendar.day(lab.collected_at)
        judge.looks_at(day)
        flaws, changed = tuple(_flaws(chart, judge, lab)), tuple(_changed(lab, before))
        judge.condition("assay, laboratory or kind of unit changed", met=bool(changed))
        made.append(Sample(fact, lab, found, day, known.phase(day), flaws, changed))
        before = lab
    return Series(analyte, tuple(made))


def all_series(chart: Reader, judge: Judge) -> tuple[Series, ...]:
    """The series of every marker that was measured, judged by the limits of MRK-06."""
    made = (_series(chart, judge, analyte) for analyte in ANALYTES)
    return tuple(series for series in made if series.samples)


READS: Final[tuple[Name[Any], ...]] = (*(labs(a) for a in ANALYTES), _EGFR, PREGNANCIES)


def unknowns(chart: Reader, interval: Evidence | Iterable[Evidence], now: datetime) -> Iterator[str]:
    """What is not known of the CTX samples that a finding rests on: fasting, and the time of day."""
    cited = {(e.source, e.record_id) for e in ([interval] if isinstance(interval, Evidence) else interval)}
    found = [s for series in chart[MARKERS] if series.analyte in _FASTING for s in series.samples]
    mine = [s for s in found if s.fact.key in cited and s.at <= now]
    if any(s.lab.fasting is None for s in mine):
        yield "fasting state of a CTX sample unknown"
    if any(s.at == chart.calendar.midnight(s.day) for s in mine):
        yield "time of collection of a CTX sample unknown"


def definitions(pack: RulePack, _tables: Tables) -> Iterable[Definition[Any]]:
    """The series by the limits of MRK-06."""
    judge = Judge(pack.rules["MRK-06"])
    return (define(MARKERS, *READS)(lambda chart: all_series(chart, judge)),)
