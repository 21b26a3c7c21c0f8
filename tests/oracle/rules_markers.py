"""MRK-01, MRK-02, MRK-05 and MRK-06: bone turnover markers."""

from datetime import date, datetime, timedelta
from fractions import Fraction
from typing import Final

from .clinic import FRACTURES, Clinic, Finding, holding
from .codes import ANABOLICS
from .days import Pregnancy, first_after, merged, sweep
from .facts import instant
from .heparin import active_spans, given, supplies
from .labs import MARKERS, PREMENOPAUSAL, MarkerSample, marker_series, samples

RISE: Final = {"CTX": "1.56", "NTX": "1.34", "NTX_urine": "1.50", "TRACP5b": "1.35", "CTX_urine": "1.80"}
IN_PREGNANCY: Final = {"T1": "462", "T2": "638", "T3": "698", "PPE": "1400", "LAC": "1400"}


def _upper(sample: MarkerSample) -> Fraction | None:
    """The phase upper limit; None where there is none and the rule is silent."""
    marker = sample.sample.analyte
    if sample.phase == "unknown":
        return None
    if sample.phase in IN_PREGNANCY:
        known = marker == "CTX" and sample.sample.quantity == "mass"
        return Fraction(IN_PREGNANCY[sample.phase]) if known else None
    return _premenopausal(sample)


def _premenopausal(sample: MarkerSample) -> Fraction | None:
    marker = sample.sample.analyte
    if sample.sample.high is not None:
        return sample.sample.high
    if marker == "CTX" and sample.sample.quantity != "mass":
        return None
    return Fraction(PREMENOPAUSAL[marker]) if marker in PREMENOPAUSAL else None


def _after_fracture(clinic: Clinic, when: datetime) -> bool:
    """Whether a fracture lies 0 to 183 days back."""
    meanings = ("vertebral_fracture", "ring_fracture", "femoral_neck_fracture")
    found = [i.when for i in clinic.images if i.found(*FRACTURES)]
    found += [d.when for d in clinic.new_fractures(*meanings)]
    return any(0 <= clinic.calendar.apart(w, when) <= 183 for w in found)


def _ratio(now: MarkerSample, base: MarkerSample, figure: Fraction) -> bool:
    return now.sample.value.ratio_to(base.sample.value).at_least(figure)


def mrk_01(clinic: Clinic) -> list[Finding]:
    findings = []
    for episode, pregnancy in clinic.pregnancy_episodes:
        for marker, figure in RISE.items():
            series = [s for s in marker_series(clinic.chart, marker, clinic.pregnancies) if s.comparable]
            spans: list[tuple[datetime, datetime]] = []
            for sample in series:
                when = sample.sample.collected
                if not pregnancy.within(when) or (spans and when < spans[-1][1]):
                    continue
                base = _risen_from(clinic, sample, series, Fraction(figure))
                if base is not None:
                    over = _settled(clinic, sample, base, series, Fraction(figure))
                    spans.append((when, min(over, episode.end)))
            findings += [holding(episode, began, ended, "advisory") for began, ended in spans]
    return findings


def _risen_from(
    clinic: Clinic, sample: MarkerSample, series: list[MarkerSample], figure: Fraction
) -> MarkerSample | None:
    upper = _upper(sample)
    if upper is None or not sample.sample.value.above(upper) or _after_fracture(clinic, sample.sample.collected):
        return None
    earlier = [
        s
        for s in series
        if s.group == sample.group
        and s.same_method(sample)
        and 14 <= clinic.calendar.apart(s.sample.collected, sample.sample.collected) <= 200
    ]
    return earlier[0] if earlier and _ratio(sample, earlier[0], figure) else None


def _settled(
    clinic: Clinic, sample: MarkerSample, base: MarkerSample, series: list[MarkerSample], figure: Fraction
) -> datetime:
    del clinic
    over = []
    for later in series:
        if later.sample.collected <= sample.sample.collected or not later.same_method(sample):
            continue
        upper = _upper(later)
        calm = later.sample.value.ratio_to(base.sample.value).below(figure)
        if calm or (upper is not None and later.sample.value.at_most(upper)):
            over.append(later.sample.collected)
    return first_after(over, sample.sample.collected)


def _anabolic(_: str, drug_class: str) -> bool:
    return drug_class in ANABOLICS


def _anabolic_starts(clinic: Clinic) -> list[datetime]:
    found = [s.began for s in active_spans(clinic.chart, _anabolic)]
    found += [instant(v.get("given_at")) for _, v in given(clinic.chart, _anabolic)]
    return sorted(found + [instant(v.get("dispensed_at")) for _, v, _, _ in supplies(clinic.chart, _anabolic)])


def _on_anabolic(clinic: Clinic, when: datetime) -> bool:
    day = clinic.calendar.day(when)
    midnight, following = clinic.calendar.midnight(day), clinic.calendar.midnight(day + timedelta(days=1))
    ordered = any(s.began < following and s.ended > midnight for s in active_spans(clinic.chart, _anabolic))
    doses = [clinic.calendar.day(instant(v.get("given_at"))) for _, v in given(clinic.chart, _anabolic)]
    supplied = any(first <= day <= last for _, _, first, last in supplies(clinic.chart, _anabolic))
    return ordered or supplied or day in doses


def mrk_02(clinic: Clinic) -> list[Finding]:
    findings = []
    for episode, pregnancy in clinic.pregnancy_episodes:
        for marker in ("CTX", "NTX", "NTX_urine"):
            series = [s for s in marker_series(clinic.chart, marker, clinic.pregnancies) if s.comparable]
            over = episode.start
            for sample in series:
                when = sample.sample.collected
                if when >= over and pregnancy.within(when) and _still_high(clinic, pregnancy, sample, series):
                    over = min(_low_again(sample, series), first_after(_anabolic_starts(clinic), when), episode.end)
                    findings.append(holding(episode, when, over, "warning"))
    return findings


def _weaned(clinic: Clinic, pregnancy: Pregnancy, when: datetime) -> date | None:
    """The reported weaning that is in force at a time."""
    day = clinic.calendar.day(when)
    weaned = [w for w in pregnancy.weanings() if w <= day]
    fed_again = weaned and any(
        f.feeding in {"exclusive", "mixed"} and weaned[-1] < f.since <= day for f in pregnancy.feeds
    )
    return None if not weaned or fed_again else weaned[-1]


def _still_high(clinic: Clinic, pregnancy: Pregnancy, sample: MarkerSample, series: list[MarkerSample]) -> bool:
    when = sample.sample.collected
    weaned = _weaned(clinic, pregnancy, when)
    if weaned is None or not 90 <= (clinic.calendar.day(when) - weaned).days <= 365:
        return False
    if _after_fracture(clinic, when) or _on_anabolic(clinic, when):
        return False
    upper = _premenopausal(sample)
    if upper is not None and sample.sample.value.above(upper):
        return True
    earlier = [
        s
        for s in series
        if s.same_method(sample)
        and clinic.calendar.apart(s.sample.collected, when) >= 14
        and clinic.calendar.day(s.sample.collected) >= weaned
    ]
    return bool(earlier) and _ratio(sample, earlier[0], Fraction(RISE[sample.sample.analyte]))


def _low_again(sample: MarkerSample, series: list[MarkerSample]) -> datetime:
    low = []
    for later in series:
        upper = _premenopausal(later)
        if later.same_method(sample) and upper is not None and later.sample.value.at_most(upper):
            low.append(later.sample.collected)
    return first_after(low, sample.sample.collected)


def mrk_05(clinic: Clinic) -> list[Finding]:
    findings = []
    better = [s.collected for s in samples(clinic.chart, "BALP", "P1NP")]
    days = {clinic.calendar.day(w) for w in better}
    for episode, pregnancy in clinic.pregnancy_episodes:
        signs = [
            s.collected
            for s in samples(clinic.chart, "ALP_total")
            if pregnancy.dated_within(s.collected, 98, 42) and clinic.calendar.day(s.collected) not in days
        ]
        spans = sweep(signs, lambda last, end=episode.end: min(first_after(better, last), end))  # type: ignore[misc]
        findings += [holding(episode, began, ended, "info") for began, ended in spans]
    return findings


def mrk_06(clinic: Clinic) -> list[Finding]:
    findings = []
    for episode, pregnancy in clinic.pregnancy_episodes:
        spans: list[tuple[datetime, datetime]] = []
        for marker in MARKERS:
            series = marker_series(clinic.chart, marker, clinic.pregnancies)
            good = [s.sample.collected for s in series if s.comparable]
            for sample in series:
                when = sample.sample.collected
                if not sample.comparable and pregnancy.within(when):
                    spans.append((when, min(first_after(good, when), episode.end)))
        findings += [holding(episode, began, ended, "info") for began, ended in merged(spans)]
    return findings
