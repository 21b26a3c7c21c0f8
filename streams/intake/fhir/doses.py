"""MedicationAdministration and MedicationDispense: a dose given, a supply handed out.

Source: http://hl7.org/fhir/R4/medicationadministration.html and http://hl7.org/fhir/R4/medicationdispense.html
"""

from decimal import Decimal
from typing import Final

from schemas.events import Administration, AnyEvent, Dispense
from streams.intake.fhir.codes import amount, named, rate
from streams.intake.fhir.dosage import Step, steps
from streams.intake.fhir.identity import patient_of
from streams.intake.fhir.medications import drug, order_of
from streams.intake.fhir.reading import Entry
from streams.intake.fhir.resources import MedicationAdministration, MedicationDispense
from streams.intake.fhir.timing import duration

_GIVEN: Final = {
    "in-progress": "in_progress",
    "not-done": "not_done",
    "on-hold": "on_hold",
    "completed": "completed",
    "entered-in-error": "entered_in_error",
    "stopped": "stopped",
}
_DISPENSED: Final = {"completed": "completed", "cancelled": "cancelled", "entered-in-error": "entered_in_error"}
_NOT_HANDED_OVER: Final = frozenset({"preparation", "in-progress", "on-hold", "declined", "stopped"})
_SECONDS_A_DAY: Final = 86_400


def administration_events(entry: Entry) -> tuple[AnyEvent, ...]:
    """A dose given, or not given."""
    seen = entry.read(MedicationAdministration)
    status = _GIVEN.get(seen.status or "")
    if status is None:
        raise entry.refused(f"unknown status; accepted are {', '.join(_GIVEN)}", "status")
    return entry.told_or_withdrawn(status, lambda: _given(entry, seen, status))


def _given(entry: Entry, seen: MedicationAdministration, status: str) -> tuple[AnyEvent, ...]:
    patient_id = patient_of(entry, seen.subject)
    if patient_id is None:
        return ()
    period, dosage = seen.effective_period, seen.dosage
    given_at = entry.at(seen.effective_date_time, "effectiveDateTime") or entry.at(
        period.start if period else None, "effectivePeriod.start"
    )
    if given_at is None:
        raise entry.refused("no clinical time; expected a date or an instant", "effective[x]")
    ends_at = entry.end(period.end if period else None, "effectivePeriod.end")
    event = entry.event(
        Administration,
        patient_id=patient_id,
        recorded_at=entry.recorded_at(ends_at, given_at),
        drug=drug(entry, seen),
        status=status,
        dose=amount(dosage.dose) if dosage else None,
        rate=(amount(dosage.rate_quantity) or rate(dosage.rate_ratio)) if dosage else None,
        given_at=given_at,
        ends_at=ends_at,
        route=named(dosage.route) if dosage else None,
        placer_order=order_of(entry, seen.request),
    )
    return (event,)


def dispense_events(entry: Entry) -> tuple[AnyEvent, ...]:
    """A supply handed out; what is being prepared, held, declined or stopped was not."""
    seen = entry.read(MedicationDispense)
    if seen.status in _NOT_HANDED_OVER:
        return entry.document.ignore(f"MedicationDispense {seen.status}")
    status = _DISPENSED.get(seen.status or "")
    if status is None:
        accepted = (*_DISPENSED, *sorted(_NOT_HANDED_OVER))
        raise entry.refused(f"unknown status; accepted are {', '.join(accepted)}", "status")
    return entry.told_or_withdrawn(status, lambda: _dispensed(entry, seen, status))


def _dispensed(entry: Entry, seen: MedicationDispense, status: str) -> tuple[AnyEvent, ...]:
    patient_id = patient_of(entry, seen.subject)
    if patient_id is None:
        return ()
    dispensed_at = entry.at(seen.when_handed_over, "whenHandedOver")
    if dispensed_at is None:
        raise entry.refused("nothing says when it was handed over; expected a date or an instant", "whenHandedOver")
    taken = steps(entry, seen.dosage_instruction, dispensed_at, "dosageInstruction")
    step = taken[0] if len(taken) == 1 else Step()
    orders = seen.authorizing_prescription
    event = entry.event(
        Dispense,
        patient_id=patient_id,
        recorded_at=entry.recorded_at(dispensed_at),
        drug=drug(entry, seen),
        status=status,
        quantity=amount(seen.quantity),
        days_supply=_days(seen),
        dose=step.dose,
        doses_per_day=step.doses_per_day,
        route=step.route,
        dispensed_at=dispensed_at,
        placer_order=order_of(entry, orders[0]) if orders else None,
    )
    return (event,)


def _days(seen: MedicationDispense) -> Decimal | None:
    """daysSupply in days; a bare number is of days, as the element says."""
    given = seen.days_supply
    if given is None or given.value is None:
        return None
    if not given.unit and not given.code:
        return given.value
    lasting = duration(given) or duration(given.model_copy(update={"code": _spelled(given.unit)}))
    return Decimal(int(lasting.total_seconds())) / _SECONDS_A_DAY if lasting else None


def _spelled(unit: str | None) -> str | None:
    return {"day": "d", "days": "d", "week": "wk", "weeks": "wk"}.get((unit or "").lower())
