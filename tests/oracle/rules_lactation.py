"""LAC-01, LAC-02 and LAC-04: long lactation, and recovery after it."""

from datetime import date, datetime, timedelta
from fractions import Fraction

from .clinic import Clinic, Finding, holding
from .days import Pregnancy, first_after
from .facts import FOREVER, Version, number
from .heparin import Episode
from .risk import SITES, Spans, factor_spans, hip_fracture_signs, low_z_spans, risk_items, with_items
from .rules_spine import ring_fractures


def lac_01(clinic: Clinic) -> list[Finding]:
    findings = []
    for episode, pregnancy in clinic.pregnancy_episodes:
        for since, until in pregnancy.stretches():
            began = clinic.calendar.midnight(since + timedelta(days=183))
            ended = episode.end if until == date.max else min(clinic.calendar.midnight(until), episode.end)
            if episode.start <= began < ended:
                finding = Finding(episode, began, ended, ())
                findings.append(with_items(finding, risk_items(clinic, episode, without=("LAC-01",))))
    return findings


def _own_fractures(clinic: Clinic, episode: Episode) -> list[datetime]:
    """The fragility fractures of an episode."""
    own = [when for e, when in ring_fractures(clinic) if e is episode]
    return sorted(own + [when for e, when, fracture in hip_fracture_signs(clinic) if e is episode and fracture])


def _strong_factors(clinic: Clinic, episode: Episode) -> Spans:
    spans = [(when, FOREVER) for when in _own_fractures(clinic, episode)]
    spans += factor_spans(clinic, "prior_fragility_fracture") + factor_spans(clinic, "prior_plo")
    spans += low_z_spans(clinic)
    for rule in ("HEP-02", "HEP-04"):
        spans += [(f.began, FOREVER) for f in clinic.findings(rule) if f.episode is episode]
    return spans + [(f.began, f.ended) for f in clinic.findings("SEC-04")]


def lac_02(clinic: Clinic) -> list[Finding]:
    findings = []
    for lactation in clinic.findings("LAC-01"):
        episode = lactation.episode
        if episode is None:
            continue
        spans = _strong_factors(clinic, episode)
        began = min((max(a, lactation.began) for a, b in spans if b > lactation.began), default=FOREVER)
        began = _after_plans(clinic, episode, began)
        if began < lactation.ended:
            findings.append(holding(episode, began, lactation.ended, "warning"))
    return findings


def _after_plans(clinic: Clinic, episode: Episode, began: datetime) -> datetime:
    """Not before 30 days after a plan for the fracture, the bone density or the heparin."""
    plans = []
    for rule in ("SPN-02", "BMD-01", "HEP-04", "HEP-05"):
        for finding in clinic.findings(rule):
            if finding.episode is episode:
                answered = clinic.answered(clinic, rule, finding)
                plans += [r.recorded for r in answered if r.action == "plan" and r.recorded >= finding.began]
    for plan in sorted(plans):
        if plan <= began < clinic.calendar.after(plan, 30):
            began = clinic.calendar.after(plan, 30)
    return began


def lac_04(clinic: Clinic) -> list[Finding]:
    findings = []
    for episode, pregnancy in clinic.pregnancy_episodes:
        for weaned in pregnancy.weanings():
            due = clinic.calendar.midnight(weaned + timedelta(days=365))
            again = [f.since for f in pregnancy.feeds if f.feeding in {"exclusive", "mixed"} and f.since > weaned]
            if any(clinic.calendar.midnight(since) <= due for since in again):
                continue
            findings += _not_recovered(clinic, episode, pregnancy, due)
    return findings


def _not_recovered(clinic: Clinic, episode: Episode, pregnancy: Pregnancy, due: datetime) -> list[Finding]:
    scans = [when for when, _ in clinic.densities()]
    moments = [due, *(w for w in [*scans, *_own_fractures(clinic, episode)] if w > due)]
    findings: list[Finding] = []
    for moment in sorted(moments):
        if findings and moment < findings[-1].ended:
            continue
        if episode.within(moment) and _unrecovered(clinic, episode, pregnancy, moment):
            well = [w for w in scans if w > moment and not _unrecovered(clinic, episode, pregnancy, w)]
            ended = min(first_after(well, moment), episode.end)
            findings.append(holding(episode, moment, ended, "advisory"))
    return findings


def _unrecovered(clinic: Clinic, episode: Episode, pregnancy: Pregnancy, when: datetime) -> bool:
    low = any(began <= when < ended for began, ended in low_z_spans(clinic))
    scans = [(w, v) for w, v in clinic.densities() if w <= when]
    broken = [w for w in _own_fractures(clinic, episode) if w <= when]
    unseen = bool(broken) and not any(w > broken[-1] for w, _ in scans)
    return low or unseen or _no_gain(clinic, pregnancy, scans)


def _no_gain(clinic: Clinic, pregnancy: Pregnancy, scans: list[tuple[datetime, Version]]) -> bool:
    """Less than 3 % more than the first density after delivery, at the first site that was measured twice."""
    for site in SITES:
        measured = [
            number(v.get("density_g_cm2"))
            for w, v in scans
            if v.get("site") == site
            and v.get("density_g_cm2") is not None
            and clinic.calendar.day(w) >= pregnancy.delivery
        ]
        if len(measured) >= 2:
            return measured[-1] < measured[0] * Fraction("1.03")
    return False
