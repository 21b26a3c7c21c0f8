"""Laboratory results as values with what their comparators allow; marker series; vitamin D as measured."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from fractions import Fraction
from typing import Final

from .codes import ANALYTES, PLAUSIBLE, UNITS
from .days import Pregnancy
from .facts import Chart, Record, Version, instant, number

BAD_QUALITY: Final = frozenset({"haemolysed", "clotted", "insufficient"})
PREMENOPAUSAL: Final = {"CTX": "791", "NTX": "19", "NTX_urine": "68.9", "TRACP5b": "4.8"}
MARKERS: Final = ("CTX", "CTX_urine", "NTX", "NTX_urine", "TRACP5b", "P1NP", "BALP", "OC")


@dataclass(frozen=True)
class Bounds:
    """What a result allows: at least `low`, at most `high`, each left out where open."""

    low: Fraction
    high: Fraction | None
    low_open: bool = False
    high_open: bool = False

    def below(self, limit: Fraction) -> bool:
        return self.high is not None and (self.high < limit or (self.high == limit and self.high_open))

    def above(self, limit: Fraction) -> bool:
        return self.low > limit or (self.low == limit and self.low_open)

    def at_least(self, limit: Fraction) -> bool:
        return self.low >= limit

    def at_most(self, limit: Fraction) -> bool:
        return self.high is not None and self.high <= limit

    def plus(self, other: "Bounds") -> "Bounds":
        high = None if self.high is None or other.high is None else self.high + other.high
        return Bounds(self.low + other.low, high, self.low_open or other.low_open, self.high_open or other.high_open)

    def ratio_to(self, other: "Bounds") -> "Bounds":
        low = Fraction(0) if other.high is None or other.high == 0 else self.low / other.high
        high = None if self.high is None or other.low == 0 else self.high / other.low
        return Bounds(low, high, self.low_open or other.high_open, self.high_open or other.low_open)


@dataclass(frozen=True)
class Sample:
    """One result in the unit of the limits."""

    record: Record
    version: Version
    analyte: str
    value: Bounds
    quantity: str
    collected: datetime

    @property
    def high(self) -> Fraction | None:
        """The upper limit that the laboratory sent, in the unit of the limits."""
        interval = self.version.get("reference_range") or {}
        if interval.get("high") is None:
            return None
        return number(interval["high"]) * _factor(self.analyte, self.version.get("unit"))


def _factor(analyte: str, unit: str | None) -> Fraction:
    return Fraction(UNITS[analyte][unit or ""][0])


def analyte_of(version: Version) -> str | None:
    return ANALYTES.get(version.get("code")["code"])


def bounds(value: Fraction, comparator: str | None) -> Bounds:
    match comparator:
        case "<" | "<=":
            return Bounds(Fraction(0), value, high_open=comparator == "<")
        case ">" | ">=":
            return Bounds(value, None, low_open=comparator == ">")
        case _:
            return Bounds(value, value)


def converts(version: Version) -> bool:
    """Whether a numeric result has a unit that its analyte knows, and a value that is no unit error."""
    analyte = analyte_of(version)
    if analyte is None or version.get("value") is None or analyte not in UNITS:
        return True
    if version.get("unit") not in UNITS[analyte]:
        return False
    factor, quantity = UNITS[analyte][version.get("unit")]
    limits = PLAUSIBLE.get((analyte, quantity)) or PLAUSIBLE.get((analyte, "any"))
    if limits is None or version.get("comparator"):
        return True
    value = number(version.get("value")) * Fraction(factor)
    return Fraction(limits[0]) / 100 <= value <= Fraction(limits[1]) * 100


def samples(chart: Chart, *analytes: str) -> list[Sample]:
    """The numeric results of some analytes, by the time of collection."""
    found = []
    for record, version in chart.facts("lab_result"):
        analyte = analyte_of(version)
        if analyte not in analytes or version.get("value") is None or not converts(version):
            continue
        factor, quantity = UNITS[analyte][version.get("unit")]
        value = bounds(number(version.get("value")) * Fraction(factor), version.get("comparator"))
        found.append(Sample(record, version, analyte, value, quantity, instant(version.get("collected_at"))))
    return sorted(found, key=lambda s: (s.collected, s.record.key))


def results(chart: Chart, *analytes: str) -> list[tuple[Record, Version]]:
    """All results of some analytes that can be read, text included."""
    return [(r, v) for r, v in chart.facts("lab_result") if analyte_of(v) in analytes and converts(v)]


@dataclass(frozen=True)
class VitaminD:
    """25-OH vitamin D at one time, in the unit in which it was reported."""

    collected: datetime
    value: Bounds
    mass: bool

    def below(self, molar: str, mass: str) -> bool:
        return self.value.below(Fraction(mass if self.mass else molar))

    def at_least(self, molar: str, mass: str) -> bool:
        return self.value.at_least(Fraction(mass if self.mass else molar))


def vitamin_d(chart: Chart) -> list[VitaminD]:
    """Totals as they are; D2 and D3 of one time of collection added."""
    found = [VitaminD(s.collected, s.value, s.quantity == "mass") for s in samples(chart, "25OHD")]
    d2 = samples(chart, "25OHD2")
    for d3 in samples(chart, "25OHD3"):
        value = d3.value
        for other in d2:
            if other.collected == d3.collected and other.quantity == d3.quantity:
                value = value.plus(other.value)
        found.append(VitaminD(d3.collected, value, d3.quantity == "mass"))
    return sorted(found, key=lambda v: v.collected)


@dataclass(frozen=True)
class MarkerSample:
    """A marker sample with its phase, and whether it can be compared."""

    sample: Sample
    phase: str
    comparable: bool

    @property
    def group(self) -> str:
        return "LAC" if self.phase == "PPE" else self.phase

    def same_method(self, other: "MarkerSample") -> bool:
        mine, theirs = self.sample, other.sample
        return mine.quantity == theirs.quantity and all(
            mine.version.get(name) == theirs.version.get(name) for name in ("assay", "laboratory")
        )


def marker_series(chart: Chart, marker: str, pregnancies: list[Pregnancy]) -> list[MarkerSample]:
    """All samples of one marker in time."""
    series = samples(chart, marker)
    rates = samples(chart, "eGFR")
    made = []
    for i, sample in enumerate(series):
        former = series[i - 1] if i else None
        phase = phase_at(pregnancies, sample.collected)
        comparable = not (
            _ill_drawn(chart, sample) or _changed(sample, former) or _failing_kidney(chart, sample, rates, pregnancies)
        )
        made.append(MarkerSample(sample, phase, comparable))
    return made


def phase_at(pregnancies: Iterable[Pregnancy], when: datetime) -> str:
    """The phase of a day; PRE outside every pregnancy episode."""
    for pregnancy in pregnancies:
        if pregnancy.within(when):
            return pregnancy.phase(when)
    return "PRE"


def _ill_drawn(chart: Chart, sample: Sample) -> bool:
    version = sample.version
    if version.get("quality") in BAD_QUALITY:
        return True
    if sample.analyte != "CTX":
        return False
    late = sample.collected.astimezone(chart.calendar.zone).time() > time(10)
    return version.get("fasting") is False or late


def _changed(sample: Sample, former: Sample | None) -> bool:
    if former is None:
        return False
    return former.quantity != sample.quantity or any(
        former.version.get(name) is not None
        and sample.version.get(name) is not None
        and former.version.get(name) != sample.version.get(name)
        for name in ("assay", "laboratory")
    )


def _failing_kidney(chart: Chart, sample: Sample, rates: list[Sample], pregnancies: list[Pregnancy]) -> bool:
    if sample.analyte not in {"CTX", "OC"}:
        return False
    recent = [
        r
        for r in rates
        if r.collected <= sample.collected
        and chart.calendar.apart(r.collected, sample.collected) <= 90
        and not any(p.before_delivery(r.collected) for p in pregnancies)
    ]
    return bool(recent) and recent[-1].value.below(Fraction(60))


def nearest(options: Iterable[Sample], when: datetime, within: timedelta) -> Sample | None:
    """The sample nearest in time, the earlier of two."""
    near = [s for s in options if abs(s.collected - when) <= within]
    return min(near, key=lambda s: (abs(s.collected - when), s.collected), default=None)
