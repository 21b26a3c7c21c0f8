"""What stands at an instant: the findings of all rules, answered or not."""

import hashlib
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from .clinic import Clinic, Finding, Response
from .days import deceased_at
from .facts import FOREVER, Chart, Version, charts, distinct, records_of
from .heparin import HEPARINS, Episode, drug_of
from .risk import hip_fracture_signs
from .rules import RULES
from .rules_spine import ring_fractures

SUPERSEDED: Final[dict[str, tuple[str, ...]]] = {
    "HEP-01": ("HEP-02", "HEP-03", "HEP-04", "HEP-05"),
    "HEP-02": ("HEP-04", "HEP-05"),
    "HEP-03": ("HEP-02", "HEP-04", "HEP-05"),
}
ENDING: Final[dict[str, tuple[str, ...]]] = {
    "HEP-04": ("plan",),
    "HIP-04": ("plan",),
    "LAC-02": ("plan",),
    "SEC-03": ("plan",),
    "BMD-01": ("plan",),
    "SAF-01": ("override",),
    "SAF-02": ("plan",),
    "SAF-04": ("override",),
    "SAF-06": ("plan",),
}
Standing = tuple[str, str, str, str, datetime, str]


def _hash(*parts: str) -> str:
    return hashlib.sha256("\x1f".join(parts).encode()).hexdigest()[:32]


@dataclass(frozen=True)
class Names:
    """How alerts and episodes are named."""

    alert_id: Callable[[str, str, str], str] = _hash
    episode_id: Callable[[str, str], str] = _hash
    no_episode: str = "none"


@dataclass(frozen=True)
class Alert:
    """One standing alert with its id."""

    alert_id: str
    patient_id: str
    rule_id: str
    severity: str
    state: str
    effective_at: datetime
    episode: str

    def told(self) -> Standing:
        return (self.patient_id, self.rule_id, self.severity, self.state, self.effective_at, self.episode)


NAMES: Final = Names()


def standing(events: list[dict[str, Any]], at: datetime, zone: ZoneInfo, *, names: Names = NAMES) -> set[Standing]:
    """The alerts that stand at an instant: patient, rule, severity, state, effective_at in UTC, kind of episode."""
    return {alert.told() for alert in alerts(events, at, zone, names=names)}


def alerts(events: list[dict[str, Any]], at: datetime, zone: ZoneInfo, *, names: Names = NAMES) -> list[Alert]:
    """As `standing`, with the alert ids."""
    at = at.astimezone(UTC)
    versions = distinct(events, at)
    responses = _responses(versions)
    linked = _linked(versions)
    found = []
    for chart in charts(versions, at, zone):
        clinic = Clinic(chart, RULES, _answered(responses, names, linked))
        for rule in RULES:
            found += _standing_of(clinic, rule, names)
    return found


def _responses(versions: list[Version]) -> list[Response]:
    answers = records_of(v for v in versions if v.event["kind"] == "alert_response")
    found = [
        Response(v.get("alert_id"), v.get("action"), v.recorded, v.get("event_id"), v.at("until"), v.get("reason"))
        for v in (r.winner for r in answers if r.live)
    ]
    return sorted(found, key=lambda r: (r.recorded, r.event_id))


def _linked(versions: list[Version]) -> dict[str, set[str]]:
    """Identities that were ever merged, directly or over others."""
    groups: dict[str, set[str]] = defaultdict(set)
    for version in versions:
        if version.event["kind"] in {"patient_merge", "patient_unmerge"}:
            a, b = version.event["patient_id"], version.event["into"]
            joined = {a, b} | groups[a] | groups[b]
            for identity in joined:
                groups[identity] = joined
    return groups


def _answered(
    responses: list[Response], names: Names, linked: dict[str, set[str]]
) -> Callable[[Clinic, str, Finding], list[Response]]:
    def answered(clinic: Clinic, rule: str, finding: Finding) -> list[Response]:
        """The responses to an alert under any id that it can have had, up to now."""
        patient = clinic.chart.patient
        patients = clinic.chart.identities | (linked.get(patient, set()) if finding.episode else set())
        episodes = _episode_ids(clinic.chart, finding.episode, names)
        ids = {names.alert_id(p, e, rule) for p in patients for e in episodes}
        return [r for r in responses if r.alert_id in ids and r.recorded <= clinic.chart.at]

    return answered


def _episode_ids(chart: Chart, episode: Episode | None, names: Names) -> set[str]:
    """The ids that an episode has or had before it was known as what it is."""
    records = [
        r
        for kind in ("prescription", "administration", "dispense")
        for r in chart.all(kind)
        if drug_of(r.winner)[1] in HEPARINS
    ]
    records += [] if episode is None else episode.records
    return {names.episode_id(*r.key) for r in records} | {names.no_episode}


def _own_id(episode: Episode | None, names: Names) -> str:
    if episode is None:
        return names.no_episode
    first = min(episode.records, key=lambda r: (r.first_recorded, r.key))
    return names.episode_id(*first.key)


def _standing_of(clinic: Clinic, rule: str, names: Names) -> list[Alert]:
    at, end = clinic.chart.at, deceased_at(clinic.chart)
    if at >= end or any(clinic.held(other, at) for other in SUPERSEDED.get(rule, ())):
        return []
    by_episode: dict[int, list[Finding]] = defaultdict(list)
    for finding in clinic.findings(rule):
        for interval in _alert_intervals(clinic, rule, finding):
            if interval.holds(at):
                by_episode[id(interval.episode)].append(interval)
    return [_alert(clinic, rule, min(held, key=lambda f: f.began), names) for held in by_episode.values()]


def _alert_intervals(clinic: Clinic, rule: str, finding: Finding) -> list[Finding]:
    """A finding as its alert stands: until a response ends it."""
    if rule in {"SPN-02", "HIP-02"}:
        return _fracture_alerts(clinic, rule, finding)
    if rule in ENDING:
        return [finding.until(clinic.answers(rule, finding, *ENDING[rule]))]
    return [finding]


def _fracture_alerts(clinic: Clinic, rule: str, finding: Finding) -> list[Finding]:
    """A fracture alert ends with its work-up and a plan, or an override for trauma; a later sign begins anew."""
    signs = _signs(clinic, rule, finding)
    made: list[Finding] = []
    for sign in signs:
        if made and sign < made[-1].ended:
            continue
        fresh = Finding(finding.episode, sign, finding.ended, ((sign, "critical"),))
        worked_up = _worked_up(clinic, rule, sign)
        planned = clinic.answers(rule, fresh, "plan")
        made.append(fresh.until(min(max(planned, worked_up), _trauma(clinic, rule, fresh))))
    return made


def _signs(clinic: Clinic, rule: str, finding: Finding) -> list[datetime]:
    if rule == "SPN-02":
        return [when for episode, when in ring_fractures(clinic) if episode is finding.episode]
    return [when for episode, when, _ in hip_fracture_signs(clinic) if episode is finding.episode]


def _worked_up(clinic: Clinic, rule: str, sign: datetime) -> datetime:
    if rule == "SPN-02":
        return clinic.workup_complete(sign)
    return min((i.when for i in clinic.images if i.region in {"hip", "pelvis"} and i.when >= sign), default=FOREVER)


def _trauma(clinic: Clinic, rule: str, finding: Finding) -> datetime:
    counting = [r for r in clinic.answered(clinic, rule, finding) if r.recorded >= finding.began]
    reopened = max((r.recorded for r in counting if r.action == "reopen"), default=finding.began)
    return min(
        (r.recorded for r in counting if r.action == "override" and r.reason == "trauma" and r.recorded >= reopened),
        default=FOREVER,
    )


def _alert(clinic: Clinic, rule: str, finding: Finding, names: Names) -> Alert:
    at = clinic.chart.at
    severity = finding.severity(at)
    episode = "none" if finding.episode is None else finding.episode.kind
    alert_id = names.alert_id(clinic.chart.patient, _own_id(finding.episode, names), rule)
    state = _state(clinic, rule, finding)
    return Alert(alert_id, clinic.chart.patient, rule, severity, state, finding.began, episode)


def _latest_rise(finding: Finding, at: datetime) -> datetime:
    ranks = ("info", "advisory", "warning", "critical")
    rises = [finding.began]
    for former, later in zip(finding.steps, finding.steps[1:], strict=False):
        if later[0] <= at and ranks.index(later[1]) > ranks.index(former[1]):
            rises.append(later[0])
    return max(rises)


def _state(clinic: Clinic, rule: str, finding: Finding) -> str:
    since = _latest_rise(finding, clinic.chart.at)
    counting = [r for r in clinic.answered(clinic, rule, finding) if r.recorded >= since]
    if not counting:
        return "open"
    last = counting[-1]
    if last.action == "reopen":
        return "open"
    if last.action == "snooze":
        return "snoozed" if last.until is None or clinic.chart.at < last.until else "open"
    return "acknowledged"
