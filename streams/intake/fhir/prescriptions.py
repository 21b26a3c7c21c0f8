"""MedicationRequest and MedicationStatement as the versions of a prescription.

A resource shows an order as it stands. Each step of its dosage is a version with its own `effective_from`; a closing
status is a version of the moment at which it was closed. A stopped, completed or held order of which nothing was told
yet was active before: that is told first, where the resource says when it was closed.
Source: http://hl7.org/fhir/R4/medicationrequest.html and http://hl7.org/fhir/R4/medicationstatement.html
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from schemas.events import AnyEvent, Prescription
from streams.intake.fhir.codes import named
from streams.intake.fhir.dosage import Step, steps
from streams.intake.fhir.identity import patient_of
from streams.intake.fhir.medications import drug, order_of, placer_order
from streams.intake.fhir.reading import WITHDRAWN, Entry
from streams.intake.fhir.resources import MedicationRequest, MedicationStatement

_REQUESTED: Final = {
    "active": "active",
    "on-hold": "on_hold",
    "cancelled": "cancelled",
    "completed": "completed",
    "entered-in-error": "entered_in_error",
    "stopped": "stopped",
    "draft": "draft",
}
_NO_ORDER: Final = frozenset({"proposal", "plan", "option"})
_STATED: Final = {
    "active": "active",
    "completed": "completed",
    "entered-in-error": "entered_in_error",
    "stopped": "stopped",
    "on-hold": "on_hold",
}
_NOT_TAKEN: Final = frozenset({"intended", "not-taken", "unknown"})
_CLOSING: Final = frozenset({"stopped", "completed", "on_hold"})


@dataclass(frozen=True, slots=True)
class _Order:
    """An order as its resource shows it."""

    entry: Entry
    status: str
    patient_id: str
    recorded_at: datetime
    is_dated: bool
    starts_at: datetime
    ends_at: datetime | None
    steps: tuple[Step, ...]
    common: dict[str, Any]

    def version(self, status: str, step: Step, name: str = "", **payload: Any) -> AnyEvent:
        """One version; `name` tells it from the others of the same resource."""
        said = {
            "dose": step.dose,
            "doses_per_day": step.doses_per_day,
            "rate": step.rate,
            "route": step.route,
            "as_needed": step.as_needed,
            **self.common,
            **payload,
        }
        return self.entry.event(
            Prescription,
            version=name,
            status=status,
            patient_id=self.patient_id,
            recorded_at=self.recorded_at,
            starts_at=self.starts_at,
            **said,
        )


def request_events(entry: Entry) -> tuple[AnyEvent, ...]:
    """The versions that a MedicationRequest tells."""
    seen = entry.read(MedicationRequest)
    if seen.intent in _NO_ORDER:
        return entry.document.ignore(f"MedicationRequest {seen.intent}")
    status = _REQUESTED.get(seen.status or "")
    if status is None:
        raise entry.refused(f"unknown status; accepted are {', '.join(_REQUESTED)}", "status")
    return entry.told_or_withdrawn(status, lambda: _requested(entry, seen, status))


def _requested(entry: Entry, seen: MedicationRequest, status: str) -> tuple[AnyEvent, ...]:
    patient_id = patient_of(entry, seen.subject)
    if patient_id is None:
        return ()
    authored = entry.at(seen.authored_on, "authoredOn")
    taken = steps(entry, seen.dosage_instruction, authored, "dosageInstruction")
    common = {
        "drug": drug(entry, seen),
        "do_not_perform": seen.do_not_perform is True,
        "indication": named(seen.reason_code[0]) if seen.reason_code else None,
        "placer_order": placer_order(seen.identifier, seen.group_identifier, entry.record_id),
    }
    return _versions(_order(entry, status, patient_id, authored=authored, taken=taken, common=common))


def statement_events(entry: Entry) -> tuple[AnyEvent, ...]:
    """The versions that a MedicationStatement tells; what is intended or not taken opens nothing."""
    seen = entry.read(MedicationStatement)
    if seen.status in _NOT_TAKEN:
        entry.document.ignore(f"MedicationStatement {seen.status}")
        return entry.withdrawn("cancelled", entry.last_updated()) if seen.status == "not-taken" else ()
    status = _STATED.get(seen.status or "")
    if status is None:
        raise entry.refused(f"unknown status; accepted are {', '.join((*_STATED, *sorted(_NOT_TAKEN)))}", "status")
    return entry.told_or_withdrawn(status, lambda: _stated(entry, seen, status))


def _stated(entry: Entry, seen: MedicationStatement, status: str) -> tuple[AnyEvent, ...]:
    patient_id = patient_of(entry, seen.subject)
    if patient_id is None:
        return ()
    period = seen.effective_period
    asserted = entry.at(seen.date_asserted, "dateAsserted")
    start = entry.at(seen.effective_date_time, "effectiveDateTime") or entry.at(
        period.start if period else None, "effectivePeriod.start"
    )
    until = entry.end(period.end if period else None, "effectivePeriod.end")
    taken = steps(entry, seen.dosage, start or asserted, "dosage")
    based_on = order_of(entry, seen.based_on[0] if seen.based_on else None)
    common = {
        "drug": drug(entry, seen),
        "indication": named(seen.reason_code[0]) if seen.reason_code else None,
        "placer_order": based_on or entry.record_id,
    }
    return _versions(
        _order(entry, status, patient_id, authored=asserted or start, taken=taken, common=common, until=until)
    )


def _order(
    entry: Entry,
    status: str,
    patient_id: str,
    *,
    authored: datetime | None,
    taken: tuple[Step, ...],
    common: dict[str, Any],
    until: datetime | None = None,
) -> _Order:
    starts_at = taken[0].since
    if starts_at is None:
        raise entry.refused("nothing says when it starts; expected boundsPeriod.start or authoredOn", "authoredOn")
    ends_at = until or (taken[-1].until if all(each.until for each in taken) else None)
    recorded = entry.recorded_at(authored, starts_at)
    is_dated = entry.last_updated() is not None
    return _Order(entry, status, patient_id, recorded, is_dated, starts_at, ends_at, taken, common)


def _versions(order: _Order) -> tuple[AnyEvent, ...]:
    if order.status in _CLOSING:
        return _closed(order)
    if len(order.steps) == 1 or order.status in WITHDRAWN:
        return (order.version(order.status, order.steps[0], ends_at=order.ends_at),)
    return _stepped(order, order.status)


def _stepped(order: _Order, status: str, before: datetime | None = None) -> tuple[AnyEvent, ...]:
    """A version for each step that begins before an instant; each ends with its step."""
    return tuple(
        order.version(status, step, f"#step{i}", effective_from=step.since, ends_at=step.until or order.ends_at)
        for i, step in enumerate(order.steps, 1)
        if step.since is not None and (before is None or step.since < before)
    )


def _closed(order: _Order) -> tuple[AnyEvent, ...]:
    """The closing version, after what was active before it if nothing of the order was told yet."""
    closed_at = _closed_at(order)
    if closed_at is None:
        order.entry.document.count("end_unknown")
        return (order.version(order.status, order.steps[-1], ends_at=order.ends_at),)
    closing = order.version(order.status, order.steps[-1], effective_from=closed_at, ends_at=_until(order, closed_at))
    active = _stepped(order, "active", closed_at) if order.entry.told() is None else ()
    return (*active, closing)


def _closed_at(order: _Order) -> datetime | None:
    """When it was closed: at its end, or when the source says so if that is sooner; unknown where nothing dates it."""
    end = order.ends_at if order.status != "on_hold" else None
    said = order.recorded_at if order.is_dated else None
    found = min((each for each in (end, said) if each is not None), default=None)
    return found if found is not None and found > order.starts_at else None


def _until(order: _Order, closed_at: datetime) -> datetime | None:
    return closed_at if order.status == "stopped" else order.ends_at
