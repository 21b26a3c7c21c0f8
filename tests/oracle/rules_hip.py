"""HIP-01 to HIP-04: hip pain, femoral neck fracture, transient osteoporosis of the hip."""

from dataclasses import dataclass
from datetime import datetime

from .clinic import NO_FRACTURE, Clinic, Finding, Image, Report, holding, resolution
from .days import Pregnancy, first_after, sweep
from .facts import FOREVER
from .heparin import Episode
from .risk import hip_fracture_signs

SIDES = ("left", "right")


def hip_01(clinic: Clinic) -> list[Finding]:
    findings = []
    for episode, pregnancy in clinic.pregnancy_episodes:
        signs = [r.when for r in clinic.hip_pain if _is_sign(clinic, pregnancy, r)]
        spans = sweep(signs, lambda last, end=episode.end: min(_settled(clinic, last), end))  # type: ignore[misc]
        findings += [holding(episode, began, ended, "warning") for began, ended in spans]
    return findings


def _is_sign(clinic: Clinic, pregnancy: Pregnancy, report: Report) -> bool:
    version = report.version
    if not pregnancy.dated_within(report.when, 140, 183) or version.get("injury") not in {None, "none"}:
        return False
    limps = version.get("weight_bearing") in {"limited", "unable"} or version.get("gait") == "antalgic"
    healthy = version.get("gait") == "normal" and version.get("weight_bearing") == "full"
    girdle = any(d.when <= report.when for d in clinic.coded("girdle_pain"))
    return (report.scores(5) or limps) and not (girdle and healthy)


def _settled(clinic: Clinic, last: datetime) -> datetime:
    normal = [i.when for i in clinic.hip_mris() if i.found(*NO_FRACTURE) and not _edema(i)]
    return min(first_after(normal, last), resolution(clinic.hip_pain, clinic.calendar, last, bearing=True))


def _edema(image: Image) -> set[str]:
    """The sides on which there is marrow edema; an empty text where no side is said."""
    sides = [f.get("side") or "" for f in image.version.get("findings") or () if f["finding"] == "marrow_edema"]
    return {side for said in sides for side in (SIDES if said == "both" else (said,))}


def hip_02(clinic: Clinic) -> list[Finding]:
    findings = []
    for episode, _ in clinic.pregnancy_episodes:
        own = [when for e, when, _ in hip_fracture_signs(clinic) if e is episode]
        findings += [holding(episode, when, episode.end, "critical") for when in own[:1]]
    return findings


@dataclass(frozen=True)
class Transient:
    """One transient osteoporosis of one hip, from its confirmation to its resolution."""

    episode: Episode
    side: str
    confirmed: datetime
    onset: datetime
    resolved: datetime
    other_side: datetime


def _confirmations(clinic: Clinic) -> list[tuple[datetime, str]]:
    found = [(i.when, side) for i in clinic.hip_mris() for side in _edema(i) if side in SIDES]
    for diagnosis in clinic.coded("hip_toh"):
        said = diagnosis.version.get("side")
        found += [(diagnosis.when, side) for side in (SIDES if said == "both" else (said,)) if side in SIDES]
    return sorted(found)


def transients(clinic: Clinic) -> list[Transient]:
    confirmed = _confirmations(clinic)
    found: list[Transient] = []
    for when, side in confirmed:
        episode = clinic.episode_at(when)
        if episode is None or episode.pregnancy is None:
            continue
        if any(t.side == side and t.confirmed <= when < t.resolved for t in found):
            continue
        other = min((w for w, s in confirmed if s != side), default=FOREVER)
        found.append(Transient(episode, side, when, _onset(clinic, side, when), _resolved(clinic, when), other))
    return found


def _onset(clinic: Clinic, side: str, confirmed: datetime) -> datetime:
    reports = [
        r
        for r in clinic.hip_pain
        if r.when <= confirmed
        and clinic.calendar.apart(r.when, confirmed) <= 183
        and r.version.get("side") in {side, "both"}
    ]
    return (reports[0].version.at("onset_at") or reports[0].when) if reports else confirmed


def _resolved(clinic: Clinic, confirmed: datetime) -> datetime:
    clear = [i.when for i in clinic.hip_mris() if not _edema(i)]
    return min(first_after(clear, confirmed), resolution(clinic.hip_pain, clinic.calendar, confirmed, bearing=True))


def hip_03(clinic: Clinic) -> list[Finding]:
    findings = []
    for toh in transients(clinic):
        if toh.other_side <= toh.confirmed:
            continue
        latest = max(toh.episode.end, clinic.calendar.after(toh.onset, 730))
        year = clinic.calendar.after(toh.onset, 365)
        ended = min(year, toh.other_side, toh.resolved, latest)
        findings.append(holding(toh.episode, toh.confirmed, ended, "advisory"))
    return findings


def hip_04(clinic: Clinic) -> list[Finding]:
    findings = []
    for toh in transients(clinic):
        facts = [r.when for r in clinic.hip_pain if r.scores(4) or _limited(r)]
        facts += [i.when for i in clinic.hip_mris() if _edema(i)]
        late = [w for w in facts if w >= toh.confirmed and clinic.calendar.apart(toh.onset, w) >= 365]
        began = min(late, default=FOREVER)
        latest = max(toh.episode.end, clinic.calendar.after(toh.onset, 730))
        if began >= min(toh.resolved, latest):
            continue
        other = first_after((d.when for d in clinic.coded("other_hip_diagnosis")), began, including=True)
        findings.append(holding(toh.episode, began, min(_resolved(clinic, began), other, latest), "advisory"))
    return findings


def _limited(report: Report) -> bool:
    return report.version.get("weight_bearing") in {"limited", "unable"}
