"""DiagnosticReport: imaging with its coded conclusions, and the results that it contains.

Results that it refers to are read where they stand. A report that is neither is ignored.
Source: http://hl7.org/fhir/R4/diagnosticreport.html
"""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from schemas.events import AnyEvent, Imaging
from streams.intake.fhir.codes import codes_of, mapped
from streams.intake.fhir.findings import findings
from streams.intake.fhir.identity import patient_of
from streams.intake.fhir.observations import observation_events
from streams.intake.fhir.reading import Entry, NotTranslatableError
from streams.intake.fhir.references import Content
from streams.intake.fhir.resources import DiagnosticReport
from streams.intake.fhir.slots import inheriting

_STATUSES: Final = {
    "partial": "performed",
    "preliminary": "performed",
    "final": "final",
    "amended": "final",
    "corrected": "final",
    "appended": "final",
    "cancelled": "cancelled",
    "entered-in-error": "entered_in_error",
}
_RADIOLOGY: Final = frozenset({"RAD", "RX", "CT", "NMR", "NUS", "RUS", "imaging"})
"""HL7 table 0074."""


def report_events(entry: Entry) -> tuple[AnyEvent, ...]:
    """The events of a report."""
    seen = entry.read(DiagnosticReport)
    if seen.status == "registered":
        return entry.document.ignore("DiagnosticReport registered")
    status = _STATUSES.get(seen.status or "")
    if status is None:
        raise entry.refused(f"unknown status; accepted are registered, {', '.join(_STATUSES)}", "status")
    results = tuple(_contained_results(entry))
    tables = entry.document.tables
    study = mapped(seen.code, tables, tables.imaging)
    if study is not None:
        told = entry.told_or_withdrawn(status, lambda: _imaging(entry, seen, status, study[1]))
        return (*results, *told)
    if codes_of(seen.category) & _RADIOLOGY:
        entry.document.count("unmapped_code")
    return results or entry.document.ignore("DiagnosticReport")


def _imaging(entry: Entry, seen: DiagnosticReport, status: str, study: tuple[str, str]) -> tuple[AnyEvent, ...]:
    patient_id = patient_of(entry, seen.subject)
    if patient_id is None:
        return ()
    at = _effective(entry, seen)
    if at is None:
        raise entry.refused("no clinical time; expected a date or an instant", "effective[x]")
    modality, region = study
    event = entry.event(
        Imaging,
        patient_id=patient_id,
        recorded_at=entry.recorded_at(at, issued=entry.at(seen.issued, "issued"), revised=seen.status != "final"),
        status=status,
        modality=modality,
        region=region,
        performed_at=at,
        findings=findings(seen.conclusion_code, None, entry.document.tables),
    )
    return (event,)


def _effective(entry: Entry, seen: DiagnosticReport) -> datetime | None:
    period = seen.effective_period
    return entry.at(seen.effective_date_time, "effectiveDateTime") or entry.at(
        period.start if period else None, "effectivePeriod.start"
    )


def _contained_results(entry: Entry) -> Iterator[AnyEvent]:
    """Contained Observations, which take from the report what they do not say themselves."""
    listed = entry.content.get("contained")
    for i, each in enumerate(listed if isinstance(listed, list) else []):
        if isinstance(each, dict) and each.get("resourceType") == "Observation":
            yield from _contained_result(entry, each, i)


def _contained_result(entry: Entry, given: Content, place: int) -> tuple[AnyEvent, ...]:
    own = given.get("id") if isinstance(given.get("id"), str) else str(place)
    within: dict[str, Any] = {
        "meta": entry.content.get("meta"),
        "contained": entry.content.get("contained"),
        **inheriting(given, entry.content),
    }
    inner = replace(
        entry,
        resource_type="Observation",
        content=within,
        record_id=f"{entry.record_id}#{own}",
        event_id=f"{entry.event_id}#{own}",
        name=f"{entry.name}#{own}",
    )
    try:
        return observation_events(inner)
    except NotTranslatableError as error:
        inner.refuse(NotTranslatableError(error.reason, f"DiagnosticReport.contained[{place}].{error.where}"))
        return ()
