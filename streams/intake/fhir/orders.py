"""ServiceRequest and Appointment: imaging, laboratory tests and care that are asked for or booked.

Source: http://hl7.org/fhir/R4/servicerequest.html and http://hl7.org/fhir/R4/appointment.html
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from schemas import events
from schemas.events import AnyEvent
from streams.intake.fhir.codes import LOINC, code, codes_of, mapped, whole
from streams.intake.fhir.datatypes import Coding
from streams.intake.fhir.identity import patient_of
from streams.intake.fhir.reading import Entry
from streams.intake.fhir.references import address
from streams.intake.fhir.resources import Appointment, ServiceRequest

_REQUESTED: Final = {
    "active": "active",
    "on-hold": "on_hold",
    "completed": "completed",
    "revoked": "cancelled",
    "entered-in-error": "entered_in_error",
}
_IMAGING: Final = {"active": "ordered", "on_hold": "ordered", "completed": "performed"}
_LAB: Final = {"on_hold": "active"}
_NO_ORDER: Final = frozenset({"proposal", "plan", "option"})
_LABORATORY: Final = frozenset({"108252007", "laboratory", "LAB"})
"""SNOMED CT: laboratory procedure; HL7 observation category; HL7 table 0074."""


@dataclass(frozen=True, slots=True)
class _Asked:
    """A request with its times."""

    entry: Entry
    seen: ServiceRequest
    status: str
    authored: datetime | None
    begins: datetime | None
    ends: datetime | None
    common: dict[str, Any]

    @property
    def asked_at(self) -> datetime:
        """When it was asked for."""
        return self.authored or self.common["recorded_at"]


def request_events(entry: Entry) -> tuple[AnyEvent, ...]:
    """An order of imaging, of a laboratory test or of care; what is only proposed or drafted is none."""
    seen = entry.read(ServiceRequest)
    if seen.intent in _NO_ORDER or seen.status == "draft":
        return entry.document.ignore(f"ServiceRequest {'draft' if seen.status == 'draft' else seen.intent}")
    if seen.do_not_perform:
        entry.document.ignore("ServiceRequest doNotPerform")
        return entry.withdrawn("cancelled", entry.last_updated())
    status = _REQUESTED.get(seen.status or "")
    if status is None:
        raise entry.refused(f"unknown status; accepted are draft, {', '.join(_REQUESTED)}", "status")
    return entry.told_or_withdrawn(status, lambda: _requested(entry, seen, status))


def _requested(entry: Entry, seen: ServiceRequest, status: str) -> tuple[AnyEvent, ...]:
    patient_id = patient_of(entry, seen.subject)
    if patient_id is None:
        return ()
    period = seen.occurrence_period
    begins = entry.at(seen.occurrence_date_time, "occurrenceDateTime") or entry.at(
        period.start if period else None, "occurrencePeriod.start"
    )
    ends = entry.end(period.end if period else None, "occurrencePeriod.end")
    authored = entry.at(seen.authored_on, "authoredOn")
    common = {"patient_id": patient_id, "recorded_at": entry.recorded_at(authored)}
    return _coded(_Asked(entry, seen, status, authored, begins, ends, common))


def _coded(asked: _Asked) -> tuple[AnyEvent, ...]:
    tables, concept = asked.entry.document.tables, asked.seen.code
    if (study := mapped(concept, tables, tables.imaging)) is not None:
        return _imaging(asked, *study[1])
    if (care := mapped(concept, tables, tables.care_order)) is not None:
        return _care(asked, care[1])
    test = mapped(concept, tables, tables.observation)
    if test is not None and test[1].kind == "lab_result":
        return _lab(asked, test[0])
    asked.entry.document.count("unmapped_code")
    first = next(iter(whole(concept)), None)
    return _lab(asked, first) if first is not None and _is_laboratory(asked.seen, first) else ()


def _is_laboratory(seen: ServiceRequest, first: Coding) -> bool:
    categories = codes_of(seen.category)
    return bool(categories & _LABORATORY) or (not categories and first.system == LOINC)


def _imaging(asked: _Asked, modality: str, region: str) -> tuple[AnyEvent, ...]:
    event = asked.entry.event(
        events.Imaging,
        **asked.common,
        status=_IMAGING.get(asked.status, asked.status),
        modality=modality,
        region=region,
        ordered_at=asked.asked_at,
        scheduled_for=asked.begins,
        performed_at=asked.begins if asked.status == "completed" else None,
    )
    return (event,)


def _care(asked: _Asked, order: str) -> tuple[AnyEvent, ...]:
    event = asked.entry.event(
        events.CareOrder,
        **asked.common,
        order=order,
        status=asked.status,
        starts_at=asked.begins or asked.asked_at,
        ends_at=asked.ends,
    )
    return (event,)


def _lab(asked: _Asked, coding: Coding) -> tuple[AnyEvent, ...]:
    event = asked.entry.event(
        events.LabOrder,
        **asked.common,
        code=code(coding, asked.entry.document.tables),
        status=_LAB.get(asked.status, asked.status),
        ordered_at=asked.asked_at,
    )
    return (event,)


_BOOKED: Final = {
    "booked": "booked",
    "arrived": "booked",
    "checked-in": "booked",
    "fulfilled": "booked",
    "cancelled": "cancelled",
    "noshow": "cancelled",
    "entered-in-error": "entered_in_error",
}
_NOT_BOOKED: Final = frozenset({"proposed", "pending", "waitlist"})


def appointment_events(entry: Entry) -> tuple[AnyEvent, ...]:
    """An imaging appointment; that it is fulfilled says that somebody came, not what was done."""
    seen = entry.read(Appointment)
    if seen.status in _NOT_BOOKED:
        return entry.document.ignore(f"Appointment {seen.status}")
    status = _BOOKED.get(seen.status or "")
    if status is None:
        raise entry.refused(f"unknown status; accepted are {', '.join((*_BOOKED, *sorted(_NOT_BOOKED)))}", "status")
    return entry.told_or_withdrawn(status, lambda: _booked(entry, seen, status))


def _booked(entry: Entry, seen: Appointment, status: str) -> tuple[AnyEvent, ...]:
    tables = entry.document.tables
    services = (mapped(each, tables, tables.imaging) for each in (*seen.service_type, *seen.reason_code))
    study = next((each[1] for each in services if each is not None), None)
    if study is None:
        return entry.document.ignore("Appointment")
    patient_id = patient_of(entry, _patient_among(seen), "participant.actor")
    if patient_id is None:
        return ()
    event = entry.event(
        events.Imaging,
        patient_id=patient_id,
        recorded_at=entry.recorded_at(entry.at(seen.created, "created")),
        status=status,
        modality=study[0],
        region=study[1],
        scheduled_for=entry.at(seen.start, "start"),
    )
    return (event,)


def _patient_among(seen: Appointment) -> Any:
    for each in seen.participant:
        where = address(each.actor.reference or "") if each.actor else None
        if each.actor and (where.type if where else each.actor.type or "Patient") == "Patient":
            return each.actor
    return None
