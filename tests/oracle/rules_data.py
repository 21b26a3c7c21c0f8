"""DQ-01 to DQ-05: what makes the other rules blind."""

from collections.abc import Iterable
from datetime import date, datetime, timedelta
from typing import Final

from .clinic import Clinic, Finding, holding
from .codes import PROCEDURES, condition_meanings
from .facts import FOREVER, STOPS, Record, Version, instant, timelines
from .heparin import HEPARINS, drug_of, is_flush, unclear
from .labs import analyte_of, converts, results

CLINICAL_TIME: Final[dict[str, tuple[str, ...]]] = {
    "lab_result": ("collected_at",),
    "prescription": ("starts_at",),
    "administration": ("given_at",),
    "dispense": ("dispensed_at",),
    "lab_order": ("ordered_at",),
    "procedure": ("performed_at",),
    "pregnancy": ("observed_at",),
    "lactation": ("observed_at",),
    "symptom": ("observed_at",),
    "measurement": ("observed_at",),
    "bone_density": ("performed_at",),
    "imaging": ("performed_at", "ordered_at"),
    "condition": ("onset_at",),
    "risk_factor": ("observed_at",),
    "care_order": ("starts_at",),
}


def _placed(clinic: Clinic, began: datetime, ended: datetime) -> Finding:
    return holding(clinic.episode_at(began), began, ended, "info")


def _dating(version: Version) -> bool:
    return any(
        version.get(name) is not None
        for name in ("last_menstrual_period", "estimated_due_date", "gestational_age_days")
    )


def _first(versions: Iterable[Version]) -> datetime:
    return min((v.recorded for v in versions), default=FOREVER)


def dq_01(clinic: Clinic) -> list[Finding]:
    findings = []
    for records in _spoken_of(clinic):
        versions = sorted((v for r in records for v in r.live), key=lambda v: v.order)
        said = [v for v in versions if v.get("status") == "pregnant"]
        if not said:
            continue
        first = said[0].at("observed_at") or said[0].recorded
        began = clinic.calendar.after(first, 14)
        dated = _first(v for v in versions if _dating(v))
        over = _first(v for v in versions if v.get("status") != "pregnant")
        ended = min(dated, over, clinic.calendar.after(first, 308))
        if began < ended:
            findings.append(_placed(clinic, began, ended))
    return findings


def _spoken_of(clinic: Clinic) -> list[list[Record]]:
    """Pregnancy records by the pregnancy that they speak of; an undated one by its day."""
    groups = [list(p.records) for p in clinic.pregnancies]
    keys = {r.key for records in groups for r in records}
    for record in clinic.chart.all("pregnancy"):
        if record.key in keys:
            continue
        seen = record.live[0].at("observed_at") or record.live[0].recorded
        place = next((i for i, p in enumerate(clinic.pregnancies) if p.before_delivery(seen)), None)
        if place is None or record.winner.get("status") == "refuted":
            groups.append([record])
        else:
            groups[place].append(record)
    return groups


def dq_02(clinic: Clinic) -> list[Finding]:
    findings = []
    for episode, pregnancy in clinic.pregnancy_episodes:
        if pregnancy.ended_on is None or pregnancy.lost or _no_live_birth(pregnancy.records):
            continue
        reports = _feeding_reports(clinic, pregnancy.ended_on.isoformat())
        started = clinic.calendar.midnight(pregnancy.delivery + timedelta(days=29))
        began = started
        year = clinic.calendar.midnight(pregnancy.delivery + timedelta(days=366))
        ends = [recorded for _, _, recorded in reports]
        for i in range(len(reports) + 1):
            known = reports[:i]
            if any(feeding == "none" for _, feeding, _ in known):
                break
            if known:
                last = max(reported for reported, _, _ in known)
                began = max(started, clinic.calendar.after(last, 60), known[-1][2])
            ended = min(ends[i] if i < len(ends) else FOREVER, FOREVER if known else year, episode.end)
            if began < ended:
                findings.append(holding(episode, began, ended, "info"))
    return findings


def _no_live_birth(records: list[Record]) -> bool:
    outcomes = [(v.order, v.get("outcome")) for v in (r.winner for r in records) if v.get("outcome")]
    return bool(outcomes) and max(outcomes)[1] != "live_birth"


def _feeding_reports(clinic: Clinic, delivered: str) -> list[tuple[datetime, str, datetime]]:
    """Feeding reports since delivery: their time, what they say, when they were recorded."""
    found = []
    for record in clinic.chart.all("lactation"):
        for version in record.live:
            since = clinic.calendar.midnight(_day(version))
            reported = max(since, version.at("observed_at") or since)
            if version.get("feeding") != "unknown" and clinic.calendar.day(reported).isoformat() >= delivered:
                found.append((reported, str(version.get("feeding")), version.recorded))
    return sorted(found, key=lambda f: (f[2], f[0]))


def _day(version: Version) -> date:
    return date.fromisoformat(version.get("since"))


def dq_03(clinic: Clinic) -> list[Finding]:
    findings = []
    stops = _stops(clinic)
    times = {"prescription": "starts_at", "administration": "given_at", "dispense": "dispensed_at"}
    for kind, name in times.items():
        for record in clinic.chart.all(kind):
            if drug_of(record.winner)[1] not in HEPARINS or is_flush(record.winner):
                continue
            for i, version in enumerate(record.live):
                if not unclear(version):
                    continue
                began = instant(version.get(name))
                clear = _first(v for v in record.live[i:] if not unclear(v))
                stopped = min((s for s in stops.get(record.key, []) if s >= began), default=FOREVER)
                ended = min(clear, stopped, clinic.calendar.after(began, 90))
                if began < ended:
                    findings.append(_placed(clinic, began, ended))
    return findings


def _stops(clinic: Clinic) -> dict[tuple[str, str], list[datetime]]:
    """When an order was stopped, by each of its records."""
    found: dict[tuple[str, str], list[datetime]] = {}
    for timeline in timelines(clinic.chart, "prescription"):
        stopped = [s.began for s in timeline if s.version.status in STOPS]
        stopped += [ends for s in timeline if (ends := s.version.at("ends_at")) and s.version.status == "active"]
        for stretch in timeline:
            found[stretch.record.key] = stopped
    return found


def dq_04(clinic: Clinic) -> list[Finding]:
    findings = []
    for record in clinic.chart.all("lab_result"):
        for i, version in enumerate(record.live):
            if version.status not in {"final", "corrected"} or converts(version):
                continue
            began = instant(version.get("collected_at"))
            clear = _first(v for v in record.live[i:] if converts(v))
            ended = min(clear, _next_result(clinic, version, began), clinic.calendar.after(began, 90))
            if began < ended:
                findings.append(_placed(clinic, began, ended))
    return findings


def _next_result(clinic: Clinic, version: Version, after: datetime) -> datetime:
    analyte = analyte_of(version)
    collected = [instant(v.get("collected_at")) for _, v in results(clinic.chart, analyte or "")]
    return min((c for c in collected if c > after), default=FOREVER)


def dq_05(clinic: Clinic) -> list[Finding]:
    findings = []
    for record in clinic.chart.records:
        if not _read(record.winner):
            continue
        for i, version in enumerate(record.versions):
            late = i == 0 and _late(clinic, version)
            revised = version.status in {"corrected", "cancelled", "entered_in_error"}
            if (late or revised) and not version.get("history"):
                ended = clinic.calendar.after(version.recorded, 1)
                findings.append(_placed(clinic, version.recorded, ended))
    return findings


def _read(version: Version) -> bool:
    """Whether any rule reads a fact of this kind and code."""
    match version.event["kind"]:
        case "lab_result" | "lab_order":
            return analyte_of(version) is not None
        case "condition":
            return bool(condition_meanings(version.get("code")))
        case "procedure":
            return version.get("code")["code"] in PROCEDURES
        case "prescription" | "administration" | "dispense":
            return drug_of(version)[1] != "unknown"
        case kind:
            return kind in CLINICAL_TIME


def _late(clinic: Clinic, version: Version) -> bool:
    names = CLINICAL_TIME[version.event["kind"]]
    when = next((w for w in (version.at(name) for name in names) if w is not None), None)
    return when is not None and clinic.calendar.apart(when, version.recorded) > 7
