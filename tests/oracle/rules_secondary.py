"""SEC-01 to SEC-04, BMD-01 and BMD-02: work-up, thyroid, monoclonal protein, glucocorticoids, bone density."""

from dataclasses import replace
from datetime import date, datetime, timedelta
from fractions import Fraction
from typing import Any, Final

from .clinic import WORK_UP, Clinic, Finding, holding
from .codes import PREDNISONE_MG
from .days import Pregnancy, first_after, merged
from .facts import FOREVER, Chart, Version, number
from .heparin import Day, courses, drug_of, exposure
from .labs import Sample, samples
from .risk import SITES

FT4_HIGH: Final = {"T1": "26.49", "T2": "19.33", "T3": "19.21"}
TSH_LOW: Final = {"T1": "0.02", "T2": "0.47", "T3": "0.55"}
LOCAL_ROUTES: Final = frozenset({"inhaled", "topical", "nasal", "ocular"})


def sec_01(clinic: Clinic) -> list[Finding]:
    findings = []
    for episode, _ in clinic.pregnancy_episodes:
        spans = []
        for rule in ("SPN-02", "BMD-01"):
            for finding in clinic.findings(rule):
                if finding.episode is episode:
                    began, complete = _gap(clinic, finding.began)
                    if began < min(finding.ended, complete):
                        spans.append((began, min(complete, episode.end)))
        findings += [holding(episode, began, ended, "warning") for began, ended in merged(spans)]
    return findings


def _gap(clinic: Clinic, began: datetime) -> tuple[datetime, datetime]:
    """From when tests are missing for 14 days, and when the last of them is there."""
    complete = clinic.workup_complete(began)
    due = clinic.calendar.after(began, 14)
    while due < complete:
        missing = [a for a in WORK_UP if clinic.resulted(a, clinic.calendar.after(began, 14)) > due]
        orders = [clinic.active_order(a, due) for a in missing]
        placed = [o for o in orders if o is not None]
        if len(placed) < len(missing):
            break
        due = clinic.calendar.after(min(placed), 7)
    return due, complete


def _ft4_limit(pregnancy: Pregnancy, sample: Sample) -> Fraction | None:
    phase = pregnancy.phase(sample.collected)
    return Fraction(FT4_HIGH[phase]) if phase in FT4_HIGH else sample.high


def sec_02(clinic: Clinic) -> list[Finding]:
    findings = []
    for episode, pregnancy in clinic.pregnancy_episodes:
        over = episode.start
        for began in sorted(_thyroid_excess(clinic, pregnancy)):
            if began >= over and episode.within(began):
                over = min(_thyroid_settled(clinic, pregnancy, began), episode.end)
                findings.append(holding(episode, began, over, "warning"))
    return findings


def _thyroid_excess(clinic: Clinic, pregnancy: Pregnancy) -> list[datetime]:
    found = []
    free = samples(clinic.chart, "fT4")
    levothyroxine = exposure(clinic.chart, lambda name, _: name == "levothyroxine", lambda _v, _d: None)
    for tsh in samples(clinic.chart, "TSH"):
        if not tsh.value.below(Fraction("0.1")):
            continue
        for ft4 in free:
            limit = _ft4_limit(pregnancy, ft4)
            near = abs(clinic.calendar.apart(ft4.collected, tsh.collected)) <= 30
            if near and limit is not None and ft4.value.above(limit):
                found.append(max(tsh.collected, ft4.collected))
        if clinic.calendar.day(tsh.collected) in levothyroxine and not _hcg_effect(clinic, pregnancy, tsh, free):
            found.append(tsh.collected)
    return found


def _hcg_effect(clinic: Clinic, pregnancy: Pregnancy, tsh: Sample, free: list[Sample]) -> bool:
    """In the first trimester a normal fT4 of the last 30 days explains a low TSH."""
    if not pregnancy.within(tsh.collected) or pregnancy.phase(tsh.collected) != "T1":
        return False
    recent = [
        f for f in free if f.collected <= tsh.collected and clinic.calendar.apart(f.collected, tsh.collected) <= 30
    ]
    if not recent:
        return False
    limit = _ft4_limit(pregnancy, recent[-1])
    return limit is not None and recent[-1].value.at_most(limit)


def _thyroid_settled(clinic: Clinic, pregnancy: Pregnancy, began: datetime) -> datetime:
    normal = []
    for tsh in samples(clinic.chart, "TSH"):
        lower = Fraction(TSH_LOW.get(pregnancy.phase(tsh.collected), "0.34"))
        if tsh.value.at_least(Fraction("0.1")) and tsh.value.at_least(lower):
            normal.append(tsh.collected)
    return first_after(normal, began)


def sec_03(clinic: Clinic) -> list[Finding]:
    findings = []
    diagnosed = [d.when for d in clinic.coded("gammopathy", "myeloma")]
    for fracture in clinic.findings("SPN-02"):
        moments = [s.collected for s in samples(clinic.chart, "M_protein", "FLC_ratio")]
        moments = sorted({fracture.began, *(m for m in moments if fracture.holds(m))})
        began = next((m for m in moments if _monoclonal(clinic, m)), FOREVER)
        ended = min(first_after(diagnosed, began, including=True), fracture.ended)
        findings.append(holding(fracture.episode, began, ended, "critical"))
    return findings


def _monoclonal(clinic: Clinic, when: datetime) -> bool:
    protein = [s for s in samples(clinic.chart, "M_protein") if s.collected <= when]
    ratio = [s for s in samples(clinic.chart, "FLC_ratio") if s.collected <= when]
    kidney = any(d.when <= when for d in clinic.coded("ckd"))
    low, high = (Fraction("0.37"), Fraction("3.1")) if kidney else (Fraction("0.26"), Fraction("1.65"))
    strange = bool(ratio) and (ratio[-1].value.below(low) or ratio[-1].value.above(high))
    return strange or (bool(protein) and protein[-1].value.above(Fraction(0)))


def _milligrams(version: Version, _: date) -> Fraction | None:
    dose: dict[str, Any] | None = version.get("dose")
    factor = {"mg": Fraction(1), "ug": Fraction(1, 1000), "g": Fraction(1000)}
    if dose is None or dose.get("unit") not in factor:
        return None
    return number(dose["value"]) * factor[dose["unit"]] * Fraction(PREDNISONE_MG[drug_of(version)[0]])


def glucocorticoid_days(clinic: Clinic) -> list[Day]:
    """Days of 2.5 mg prednisone equivalent or more, drugs added, without courses for the fetal lung."""
    totals: dict[date, Day] = {}
    for drug in PREDNISONE_MG:
        days = exposure(_systemic(clinic), lambda name, _, drug=drug: name == drug, _milligrams)  # type: ignore[misc]
        if drug in {"betamethasone", "dexamethasone"}:
            days = _without_lung_courses(clinic, days)
        for day, exposed in days.items():
            former = totals.get(day)
            amount = (exposed.amount or Fraction(0)) + ((former.amount or Fraction(0)) if former else 0)
            begins = min(exposed.begins, former.begins) if former else exposed.begins
            totals[day] = Day(day, begins, amount, None)
    return [totals[d] for d in sorted(totals) if (totals[d].amount or 0) >= Fraction("2.5")]


def _systemic(clinic: Clinic) -> Chart:
    """The chart without local routes."""
    kept = [r for r in clinic.chart.records if str(r.winner.get("route") or "").lower() not in LOCAL_ROUTES]
    return replace(clinic.chart, records=kept)


def _without_lung_courses(clinic: Clinic, days: dict[date, Day]) -> dict[date, Day]:
    kept = {}
    for course in courses(days):
        pregnant = any(p.before_delivery(clinic.calendar.midnight(course[0])) for p in clinic.pregnancies)
        if not (pregnant and (course[-1] - course[0]).days < 7):
            kept.update({d: days[d] for d in course})
    return kept


def sec_04(clinic: Clinic) -> list[Finding]:
    days = glucocorticoid_days(clinic)
    runs: list[tuple[datetime, date]] = []
    for i, day in enumerate(days):
        within = [d for d in days[: i + 1] if (day.day - d.day).days < 365]
        if len(within) < 90 or (runs and day.day < runs[-1][1] + timedelta(days=180)):
            continue
        last = day.day
        for later in days[i + 1 :]:
            if later.day < last + timedelta(days=180):
                last = later.day
        runs.append((day.begins, last))
    findings = []
    for episode, _ in clinic.pregnancy_episodes:
        for began, last in runs:
            ended = min(clinic.calendar.midnight(last + timedelta(days=180)), episode.end)
            start = max(began, episode.start)
            if start < ended:
                findings.append(holding(episode, start, ended, "advisory"))
    return findings


def _excused_by_age(clinic: Clinic, when: datetime) -> bool:
    """At 50 completed years, or with menopause present."""
    age = age_on(clinic, clinic.calendar.day(when))
    return (age is not None and age >= 50) or clinic.has_factor("menopause", when)


def age_on(clinic: Clinic, day: date) -> int | None:
    """Completed years."""
    said = [(v.order, v.day("birth_date")) for _, v in clinic.chart.facts("patient")]
    known = [(order, born) for order, born in said if born is not None]
    if not known:
        return None
    born = max(known)[1]
    return day.year - born.year - ((day.month, day.day) < (born.month, born.day))


def bmd_01(clinic: Clinic) -> list[Finding]:
    findings = []
    for episode in clinic.episodes:
        scans = [
            (when, v.get("site"), number(v.get("z_score")))
            for when, v in clinic.densities()
            if v.get("site") in SITES and v.get("z_score") is not None and episode.within(when)
        ]
        over = episode.start
        for when, _, z in scans:
            if z <= -2 and when >= over and not _excused_by_age(clinic, when):
                over = min(_normal_again(scans, when), episode.end)
                findings.append(holding(episode, when, over, "warning"))
    return findings


def _normal_again(scans: list[tuple[datetime, str, Fraction]], began: datetime) -> datetime:
    """The DXA by which every site that was low is above -2.0."""
    low: set[str] = set()
    for when, site, z in scans:
        if when < began:
            continue
        low = low | {site} if z <= -2 else low - {site}
        if not low and not any(w == when and other <= -2 for w, _, other in scans) and when > began:
            return when
    return FOREVER


def bmd_02(clinic: Clinic) -> list[Finding]:
    findings = []
    for episode in clinic.episodes:
        z = [w for w, v in clinic.densities() if v.get("z_score") is not None and v.get("site") in SITES]
        signs = [w for w in _t_scores(clinic) if episode.within(w) and not _excused_by_age(clinic, w)]
        over = episode.start
        for when in sorted(signs):
            if when >= over:
                over = min(first_after(z, when), episode.end)
                findings.append(holding(episode, when, over, "info"))
    return findings


def _t_scores(clinic: Clinic) -> list[datetime]:
    """Densities with a T-score alone, and diagnoses of osteoporosis that stand on such only."""
    alone = [w for w, v in clinic.densities() if v.get("t_score") is not None and v.get("z_score") is None]
    stated = []
    for diagnosis in clinic.coded("osteoporosis"):
        by_then = [v for w, v in clinic.densities() if w <= diagnosis.when]
        only_t = [v for v in by_then if v.get("t_score") is not None and v.get("z_score") is None]
        if by_then and len(only_t) == len(by_then):
            stated.append(diagnosis.when)
    return alone + stated
