"""An alert as FHIR R4 says it: a DetectedIssue, and the Bundle of a search.

Topic: severity here is urgency; FHIR's is of harm. Both are told: ours as a tag, FHIR's as near as it comes. Limits
with their citations, open questions and the rule pack have no element in R4 and are extensions; `mitigation` is what
somebody did about an issue, which an alert does not know. An issue that no longer stands is cancelled, one that was
taken back because a record was wrong is entered in error: R4 has no other words for "not currently valid".
Source: http://hl7.org/fhir/R4/detectedissue.html, http://hl7.org/fhir/R4/bundle.html
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any, Final
from urllib.parse import quote

from schemas.alerts import STANDING, Alert, EvidenceItem, LimitItem, State
from schemas.intervals import Severity

URN: Final = "urn:trabecula"
UCUM: Final = "http://unitsofmeasure.org"
SEVERITY: Final[Mapping[Severity, str]] = {"critical": "high", "warning": "moderate", "advisory": "low", "info": "low"}
STATUS: Final[Mapping[State, str]] = {
    "open": "final",
    "acknowledged": "final",
    "snoozed": "final",
    "resolved": "cancelled",
    "superseded": "cancelled",
    "transferred": "cancelled",
    "withdrawn": "entered-in-error",
}
_ACTS: Final = (
    "MedicationRequest/",
    "MedicationAdministration/",
    "MedicationDispense/",
    "MedicationStatement/",
    "ServiceRequest/",
    "Procedure/",
)
"""Resources of what is done: they are implicated in an issue; what is seen is its evidence."""
_RESOURCE: Final = re.compile(r"([A-Z][A-Za-z]{1,63})/[A-Za-z0-9\-.]{1,64}(?=#|\Z)")
"""A record that was a resource; what follows a # is a part of it."""
Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Subject:
    """How a patient is named to others. `system`: of the identifier, where the site has one for its authority.

    `address`: where the Patient lives, if a FHIR server has told of one.
    """

    value: str
    system: str | None = None
    address: str | None = None


def subject_reference(subject: Subject) -> Json:
    """The reference to a patient: by identifier, and by address where there is one."""
    identifier = {"value": subject.value} | ({"system": subject.system} if subject.system else {})
    known = {"reference": subject.address} if subject.address else {}
    return known | {"type": "Patient", "identifier": identifier}


def detected_issue(alert: Alert, subject: Subject, records: str = "") -> Json:
    """The resource. `records`: the base address of the server that the records of FHIR feeds live on."""
    implicated = [_record(e, records) for e in alert.evidence if (e.record_id or "").startswith(_ACTS)]
    evidence = [_evidence(each, records) for each in alert.evidence]
    issue = {
        "resourceType": "DetectedIssue",
        "id": alert.alert_id,
        "meta": {"versionId": str(alert.sequence), "tag": _tags(alert)},
        "text": {"status": "generated", "div": _narrative(alert)},
        "extension": [*map(_limit, alert.limits), *map(_question, alert.open_questions), _pack(alert)],
        "identifier": [{"system": f"{URN}:alert", "value": alert.alert_id}],
        "status": STATUS[alert.state],
        "code": {
            "coding": [{"system": f"{URN}:rule", "code": alert.rule_id, "display": alert.title}],
            "text": alert.title,
        },
        "severity": SEVERITY[alert.severity],
        "patient": subject_reference(subject),
        "identifiedDateTime": alert.effective_at,
        "author": {"type": "Device", "display": "Trabecula"},
        "detail": alert.sentence,
    }
    return issue | ({"implicated": implicated} if implicated else {}) | ({"evidence": evidence} if evidence else {})


def _tags(alert: Alert) -> list[Json]:
    said = {"severity": alert.severity, "state": alert.state, "mode": alert.mode}
    return [{"system": f"{URN}:{name}", "code": code} for name, code in said.items()]


def _narrative(alert: Alert) -> str:
    since = alert.effective_at.isoformat(sep=" ", timespec="minutes")
    stands = "since" if alert.state in STANDING else f"{alert.state}; began"
    return (
        '<div xmlns="http://www.w3.org/1999/xhtml">'
        f"<p><b>{escape(alert.title)}</b> ({alert.severity}, {stands} {since})</p><p>{escape(alert.sentence)}</p></div>"
    )


# ---- what it rests on


def _evidence(item: EvidenceItem, records: str) -> Json:
    found: Json = {"code": [{"text": item.what}]}
    said = [*_value(item), *_period(item)]
    if said:
        found["extension"] = said
    if item.record_id:
        found["detail"] = [_record(item, records)]
    return found


def _record(item: EvidenceItem, records: str) -> Json:
    """A record by the name it came under, and by its address where it came as a resource and the server is known."""
    name = item.record_id or ""
    found = _RESOURCE.match(name)
    known: Json = {"reference": f"{records}/{found[0]}"} if found and records else {}
    kind = {"type": found[1]} if found else {}
    system = {"system": f"{URN}:source:{quote(item.source, safe='')}"} if item.source else {}
    return known | kind | {"identifier": system | {"value": name}, "display": item.what}


def _value(item: EvidenceItem) -> list[Json]:
    url = f"{URN}:evidence-value"
    match item.value:
        case None | "":
            return []
        case str():
            return [{"url": url, "valueString": item.value}]
        case _:
            return [{"url": url, "valueQuantity": quantity(item.value, item.unit)}]


def _period(item: EvidenceItem) -> list[Json]:
    ends = {name: at for name, at in (("start", item.begins), ("end", item.ends)) if at is not None}
    return [{"url": f"{URN}:evidence-period", "valuePeriod": ends}] if ends else []


def quantity(value: float, unit: str | None) -> Json:
    """A number with its UCUM unit."""
    return {"value": value} | ({"unit": unit, "system": UCUM, "code": unit} if unit else {})


def _limit(limit: LimitItem) -> Json:
    parts: list[Json] = [
        {"url": "name", "valueString": limit.name},
        {"url": "value", "valueQuantity": quantity(limit.value, limit.unit)},
        {"url": "flag", "valueString": limit.flag},
        {"url": "citation", "valueString": limit.citation},
    ]
    if limit.reason:
        parts.append({"url": "reason", "valueString": limit.reason})
    return {"url": f"{URN}:limit", "extension": parts}


def _question(question: str) -> Json:
    return {"url": f"{URN}:open-question", "valueString": question}


def _pack(alert: Alert) -> Json:
    said = {"version": alert.rulepack.version, "sha256": alert.rulepack.sha256}
    return {"url": f"{URN}:rule-pack", "extension": [{"url": k, "valueString": v} for k, v in said.items()]}


# ---- a search


def searchset(issues: Sequence[Json], total: int, base: str, links: Iterable[tuple[str, str]]) -> Json:
    """The answer to a search: a page, how many there are in all, and where it goes on. An array is never empty."""
    entries = [
        {"fullUrl": f"{base}/DetectedIssue/{issue['id']}", "resource": issue, "search": {"mode": "match"}}
        for issue in issues
    ]
    bundle: Json = {"resourceType": "Bundle", "type": "searchset", "total": total}
    bundle["link"] = [{"relation": relation, "url": url} for relation, url in links]
    return bundle | ({"entry": entries} if entries else {})
