"""VIT-01, VIT-02 and CAL-01: vitamin D and critical calcium."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from fractions import Fraction
from typing import Final

from .clinic import Clinic, Finding, holding
from .days import first_after, sweep
from .heparin import courses, exposure
from .labs import Bounds, Sample, VitaminD, nearest, samples, vitamin_d

LOW, HIGH = Fraction("1.80"), Fraction("3.00")
IONISED_LOW, IONISED_HIGH = Fraction("0.80"), Fraction("1.60")
A_DAY: Final = timedelta(hours=24)


def vit_01(clinic: Clinic) -> list[Finding]:
    return _deficiency(clinic, "50", "20", "advisory")


def vit_02(clinic: Clinic) -> list[Finding]:
    return _deficiency(clinic, "30", "12", "warning")


def _deficiency(clinic: Clinic, molar: str, mass: str, severity: str) -> list[Finding]:
    results = vitamin_d(clinic.chart)
    normal = [v.collected for v in results if v.at_least(molar, mass)]
    counting = [v for v in results if v.below(molar, mass) and not _excused(clinic, v, results, molar, mass)]
    findings = []
    for episode, _ in clinic.pregnancy_episodes:
        signs = [v.collected for v in counting if episode.within(v.collected)]
        before = [v for v in results if v.collected < episode.start]
        if before and before[-1] in counting and clinic.calendar.apart(before[-1].collected, episode.start) <= 180:
            signs.append(episode.start)
        spans = sweep(signs, lambda last, end=episode.end: min(first_after(normal, last), end))  # type: ignore[misc]
        findings += [holding(episode, began, ended, severity) for began, ended in spans]
    return findings


def _excused(clinic: Clinic, result: VitaminD, results: list[VitaminD], molar: str, mass: str) -> bool:
    """A repeat within 90 days of the start of vitamin D; the first low result always counts."""
    earlier = [v for v in results if v.collected < result.collected and v.below(molar, mass)]
    if not earlier:
        return False
    day = clinic.calendar.day(result.collected)
    days = exposure(clinic.chart, lambda _, drug_class: drug_class == "vitamin_d", lambda _v, _d: None)
    return any(0 <= (day - course[0]).days <= 90 for course in courses(days))


@dataclass(frozen=True)
class Calcium:
    """One calcium as it is judged."""

    collected: datetime
    critical: bool
    in_range: bool
    alone: bool


def cal_01(clinic: Clinic) -> list[Finding]:
    judged = sorted(_judged(clinic), key=lambda c: (c.collected, c.alone))
    findings: list[Finding] = []
    for episode, _ in clinic.pregnancy_episodes:
        spans: list[tuple[datetime, datetime]] = []
        for calcium in judged:
            if not calcium.critical or not episode.within(calcium.collected):
                continue
            if spans and calcium.collected < spans[-1][1]:
                continue
            spans.append((calcium.collected, min(_in_range(judged, calcium), episode.end)))
        findings += [holding(episode, began, ended, "critical") for began, ended in spans]
    return findings


def _in_range(judged: list[Calcium], began: Calcium) -> datetime:
    ending = [c.collected for c in judged if c.in_range and (not c.alone or began.alone)]
    return first_after(ending, began.collected)


def _judged(clinic: Clinic) -> list[Calcium]:
    ionised, adjusted = samples(clinic.chart, "Ca_ionised"), samples(clinic.chart, "Ca_adjusted")
    found = [_judge(clinic, s, s.value, (IONISED_LOW, IONISED_HIGH)) for s in ionised]
    found += [_judge(clinic, s, s.value, (LOW, HIGH)) for s in adjusted]
    albumins = samples(clinic.chart, "Albumin")
    for sample in samples(clinic.chart, "Ca_total"):
        albumin = nearest(albumins, sample.collected, A_DAY)
        if albumin is None:
            above, within = sample.value.above(HIGH), sample.value.at_most(HIGH)
            found.append(Calcium(sample.collected, above, within, alone=True))
        else:
            found.append(_judge(clinic, sample, _adjusted(sample.value, albumin.value), (LOW, HIGH)))
    return found


def _adjusted(total: Bounds, albumin: Bounds) -> Bounds:
    """Total + 0.02 x (40 - albumin g/L)."""
    each = Fraction("0.02")
    low = None if albumin.high is None else total.low + each * (40 - albumin.high)
    high = None if total.high is None else total.high + each * (40 - albumin.low)
    return Bounds(Fraction(0) if low is None else low, high, total.low_open, total.high_open)


def _judge(clinic: Clinic, sample: Sample, value: Bounds, limits: tuple[Fraction, Fraction]) -> Calcium:
    low = value.below(limits[0]) and not _edta(clinic, sample.collected)
    spoiled = value.below(limits[0]) and not low
    within = value.at_least(limits[0]) and value.at_most(limits[1])
    return Calcium(sample.collected, low or value.above(limits[1]), within and not spoiled, alone=False)


def _edta(clinic: Clinic, when: datetime) -> bool:
    """High potassium and low alkaline phosphatase of the same sample: the wrong tube."""
    potassium = [s for s in samples(clinic.chart, "Potassium") if s.collected == when]
    alp = [s for s in samples(clinic.chart, "ALP_total") if s.collected == when]
    high = any(s.value.above(Fraction(6)) for s in potassium)
    return high and any(s.value.below(Fraction(33)) for s in alp)
