"""The items of the risk score S19: when each of them holds."""

from datetime import datetime
from typing import Final

from .clinic import FRACTURES, Clinic, Finding
from .days import merged
from .facts import FOREVER, instant, number
from .heparin import Episode
from .labs import vitamin_d

FACTORS: Final = ("prior_fragility_fracture", "prior_plo", "family_history", "smoking", "low_weight_gain")
SITES: Final = ("lumbar_spine", "total_hip", "femoral_neck")
Spans = list[tuple[datetime, datetime]]


def factor_spans(clinic: Clinic, name: str) -> Spans:
    """From when a factor was said to be there until it was said to be absent."""
    return _while([(when, present) for when, present in clinic.factor(name)])


def _while(said: list[tuple[datetime, bool]]) -> Spans:
    ends = [when for when, _ in said[1:]] + [FOREVER]
    return merged((when, end) for (when, yes), end in zip(said, ends, strict=False) if yes)


def low_z_spans(clinic: Clinic) -> Spans:
    """While the latest Z-score of a named site is -2.0 or lower."""
    spans: Spans = []
    for site in SITES:
        said = [
            (when, number(v.get("z_score")) <= -2)
            for when, v in clinic.densities()
            if v.get("site") == site and v.get("z_score") is not None
        ]
        spans += _while(said)
    return merged(spans)


def fracture_instants(clinic: Clinic) -> list[datetime]:
    """Fragility fractures: those of SPN-02 and HIP-02, and old ones on an image."""
    found = [f.began for f in clinic.findings("SPN-02")]
    found += hip_fractures(clinic)
    return sorted(found + [i.when for i in clinic.images if i.found(*FRACTURES, old=True)])


def hip_fractures(clinic: Clinic) -> list[datetime]:
    """Femoral neck fractures that HIP-02 reads, on an image or coded."""
    return sorted(when for _, when, fracture in hip_fracture_signs(clinic) if fracture)


def hip_fracture_signs(clinic: Clinic) -> list[tuple[Episode, datetime, bool]]:
    """Signs of HIP-02 with their episode, and whether they are a fracture."""
    signs = [
        (i.when, True) for i in clinic.images if i.region in {"hip", "pelvis"} and i.found("femoral_neck_fracture")
    ]
    signs += [(d.when, True) for d in clinic.new_fractures("femoral_neck_fracture")]
    signs += [
        (r.when, False)
        for r in clinic.hip_pain
        if r.version.get("weight_bearing") == "unable" and r.version.get("injury") != "major"
    ]
    return [
        (episode, when, fracture)
        for when, fracture in sorted(signs)
        for episode, pregnancy in clinic.pregnancy_episodes
        if pregnancy.dated_within(when, 140, 365) and not after_major_injury(clinic, when)
    ]


def after_major_injury(clinic: Clinic, when: datetime) -> bool:
    """Whether a report of the 14 days before, or of that day, tells of a major injury."""
    return any(
        r.version.get("injury") == "major" and 0 <= clinic.calendar.apart(r.when, when) <= 14 for r in clinic.reports
    )


def risk_items(clinic: Clinic, episode: Episode, without: tuple[str, ...] = ()) -> Spans:
    """When at least one item holds, some left out by name."""
    spans = [span for name in FACTORS for span in factor_spans(clinic, name)]
    spans += [(when, FOREVER) for when in fracture_instants(clinic)]
    spans += low_z_spans(clinic) + _thin(clinic) + _short_of_vitamin_d(clinic)
    spans += [(f.began, f.ended) for f in clinic.findings("SEC-04")]
    if "LAC-01" not in without:
        spans += [(f.began, f.ended) for f in clinic.findings("LAC-01")]
    if "HEP-02" not in without:
        spans += [(f.began, episode.end) for f in clinic.findings("HEP-02") if f.episode is episode]
    if "LMWH" not in without:
        spans += _long_lmwh(clinic, episode)
    return merged(spans)


def _long_lmwh(clinic: Clinic, episode: Episode) -> Spans:
    days = episode.counted["lmwh"]
    return [(max(clinic.heparin.lmwh[days[89]].begins, episode.start), episode.end)] if len(days) >= 90 else []


def _thin(clinic: Clinic) -> Spans:
    said = sorted(
        (instant(v.get("observed_at")), v.order, number(v.get("value")) < number("18.5"))
        for _, v in clinic.chart.facts("measurement")
        if v.get("measure") == "body_mass_index"
    )
    return _while([(when, thin) for when, _, thin in said])


def _short_of_vitamin_d(clinic: Clinic) -> Spans:
    return _while([(v.collected, v.below("50", "20")) for v in vitamin_d(clinic.chart)])


def with_items(finding: Finding, spans: Spans) -> Finding:
    """Info, and advisory while an item holds."""
    cuts = sorted({finding.began, *(c for span in spans for c in span if finding.began < c < finding.ended)})
    steps: list[tuple[datetime, str]] = []
    for cut in cuts:
        severity = "advisory" if any(began <= cut < ended for began, ended in spans) else "info"
        if not steps or steps[-1][1] != severity:
            steps.append((cut, severity))
    return Finding(finding.episode, finding.began, finding.ended, tuple(steps))
