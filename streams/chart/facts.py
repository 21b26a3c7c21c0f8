"""Events to facts: canonical codes, units and instants; only what a rule or view reads.

Law: the fact of an event is a function of the event and the tables.
"""

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, Final

import msgspec

from schemas import events, facts
from schemas.days import to_utc
from schemas.events import AnyEvent, Code, Event, Quantity
from schemas.tables import Observation, Tables

FLUSH_WORDS: Final = ("flush", "lock", "heplock", "catheter", "line patency")
_LINE_WORDS: Final = ("line", "lock", "catheter")
_LARGEST_FLUSH: Final = Decimal(500)
_WEAKEST_PRODUCT: Final = Decimal(250)
_HEPARINS: Final = frozenset({"heparin_ufh", "lmwh"})


class Left(msgspec.Struct, frozen=True):
    """An event of which no fact is kept, and why: unmapped_code (with its system) or not_read."""

    why: str
    system: str = ""


Kept = facts.Payload | Left


def _utc(given: Any) -> Any:
    return None if given is None else to_utc(given)


def _lab(e: events.LabResult, tables: Tables) -> Kept:
    seen = tables.observation(e.code.system, e.code.code)
    if seen is None or seen.kind != "lab_result":
        if e.status == "corrected":
            return facts.Unread(e.status, tables.system(e.code.system))
        return Left("not_read") if seen else Left("unmapped_code", tables.system(e.code.system))
    measured = None if e.value is None else tables.measure(seen, e.value, e.unit)
    return facts.Lab(
        status=e.status,
        analyte=seen.name,
        collected_at=to_utc(e.collected_at),
        value=measured.value if measured else None,
        quantity=measured.quantity if measured else "",
        comparator=e.comparator,
        reported=e.value,
        unit=e.unit,
        text=e.value_text,
        low=_limit(e.reference_range.low if e.reference_range else None, e.unit, seen, tables),
        high=_limit(e.reference_range.high if e.reference_range else None, e.unit, seen, tables),
        fasting=e.fasting,
        quality=e.quality,
        laboratory=e.laboratory,
        assay=e.assay,
        code=seen.loinc or e.code.code,
        plausible=measured is None or e.comparator is not None or tables.plausible(seen, measured),
    )


def has_unknown_unit(payload: facts.Payload) -> bool:
    """It is a result with a number that no rule can read, as its unit is none of its code's."""
    return isinstance(payload, facts.Lab) and payload.reported is not None and payload.value is None


def _limit(value: Decimal | None, unit: str | None, seen: Observation, tables: Tables) -> Decimal | None:
    measured = None if value is None else tables.measure(seen, value, unit)
    return measured.value if measured else None


class _Drug(msgspec.Struct, frozen=True):
    name: str
    drug_class: str
    product: tuple[Decimal | None, Decimal | None, str] | None


def _drug(code: Code, tables: Tables) -> _Drug | Left:
    found = tables.drug(code.system, code.code)
    if found is None:
        return Left("unmapped_code", tables.system(code.system))
    product = found.product
    held = None if product is None else (product.total, product.per_ml, product.unit)
    return _Drug(found.name, found.drug_class, held)


def _says(words: tuple[str, ...], *texts: str | None) -> bool:
    return any(word in text.casefold() for text in texts if text for word in words)


def _flush(drug: _Drug, dose: Quantity | None, route: str | None, unit: str | None, *texts: str | None) -> bool:
    """A flush or lock: said so, a product weaker than 250 IU/mL, or at most 500 IU into a line.

    Source: docs/evidence.md 2.5.1 and 2.5.2.
    """
    if drug.drug_class not in _HEPARINS:
        return False
    if _says(FLUSH_WORDS, route, *texts):
        return True
    if (
        drug.product
        and drug.product[1] is not None
        and drug.product[2] == "[IU]"
        and drug.product[1] < _WEAKEST_PRODUCT
    ):
        return True
    return dose is not None and unit == "[IU]" and dose.value <= _LARGEST_FLUSH and _says(_LINE_WORDS, route)


def _dose_unit(dose: Quantity | None, tables: Tables) -> str | None:
    """The UCUM unit of a dose; a unit that the tables do not know stays as it was said."""
    if dose is None or dose.unit is None:
        return None
    return _unit_of(dose.unit, tables)


def _unit_of(said: str, tables: Tables) -> str:
    known = tables.unit(said, "dose")
    if known is not None:
        return known
    for mark in ("/kg", "/h", "/hr", "/min", "/d", "/24h", "/day"):
        if said.casefold().endswith(mark):
            return _unit_of(said[: -len(mark)], tables) + _RATES.get(mark, mark)
    return said


_RATES: Final[Mapping[str, str]] = {"/hr": "/h", "/24h": "/d", "/day": "/d"}


def _prescription(e: events.Prescription, tables: Tables) -> Kept:
    drug = _drug(e.drug, tables)
    if isinstance(drug, Left):
        return drug
    unit = _dose_unit(e.dose, tables)
    return facts.Order(
        status=e.status,
        drug=drug.name,
        drug_class=drug.drug_class,
        starts_at=to_utc(e.starts_at),
        effective_from=_utc(e.effective_from),
        ends_at=_utc(e.ends_at),
        dose=e.dose.value if e.dose else None,
        unit=unit,
        doses_per_day=e.doses_per_day,
        rate=e.rate.value if e.rate else None,
        rate_unit=_dose_unit(e.rate, tables),
        route=e.route,
        as_needed=e.as_needed,
        excluded=e.do_not_perform or _flush(drug, e.dose, e.route, unit, e.drug.display, e.indication, e.note),
        placer_order=e.placer_order,
        product=drug.product,
    )


def _administration(e: events.Administration, tables: Tables) -> Kept:
    drug = _drug(e.drug, tables)
    if isinstance(drug, Left):
        return drug
    unit = _dose_unit(e.dose, tables)
    return facts.Dose(
        status=e.status,
        drug=drug.name,
        drug_class=drug.drug_class,
        given_at=to_utc(e.given_at),
        ends_at=_utc(e.ends_at),
        dose=e.dose.value if e.dose else None,
        unit=unit,
        rate=e.rate.value if e.rate else None,
        rate_unit=_dose_unit(e.rate, tables),
        route=e.route,
        excluded=_flush(drug, e.dose, e.route, unit, e.drug.display, e.note),
        placer_order=e.placer_order,
        product=drug.product,
    )


def _dispense(e: events.Dispense, tables: Tables) -> Kept:
    drug = _drug(e.drug, tables)
    if isinstance(drug, Left):
        return drug
    unit = _dose_unit(e.dose, tables)
    return facts.Supply(
        status=e.status,
        drug=drug.name,
        drug_class=drug.drug_class,
        dispensed_at=to_utc(e.dispensed_at),
        days_supply=e.days_supply,
        dose=e.dose.value if e.dose else None,
        unit=unit,
        doses_per_day=e.doses_per_day,
        quantity=e.quantity.value if e.quantity else None,
        quantity_unit=_dose_unit(e.quantity, tables),
        route=e.route,
        excluded=_flush(drug, e.dose, e.route, unit, e.drug.display, e.note),
        placer_order=e.placer_order,
        product=drug.product,
    )


def _lab_order(e: events.LabOrder, tables: Tables) -> Kept:
    seen = tables.observation(e.code.system, e.code.code)
    if seen is None:
        return Left("unmapped_code", tables.system(e.code.system))
    if seen.kind != "lab_result":
        return Left("not_read")
    return facts.TestOrder(status=e.status, analyte=seen.name, ordered_at=to_utc(e.ordered_at))


def _procedure(e: events.Procedure, tables: Tables) -> Kept:
    found = tables.procedure(e.code.system, e.code.code)
    if found is None:
        return Left("unmapped_code", tables.system(e.code.system))
    return facts.ProcedureDone(status=e.status, procedure=found, performed_at=to_utc(e.performed_at))


def _pregnancy(e: events.Pregnancy, _tables: Tables) -> Kept:
    return facts.PregnancyRecord(
        status=e.record_status,
        state=e.status,
        outcome=e.outcome,
        last_menstrual_period=e.last_menstrual_period,
        estimated_due_date=e.estimated_due_date,
        gestational_age_days=e.gestational_age_days,
        observed_at=_utc(e.observed_at),
        ended_on=e.ended_on,
    )


def _lactation(e: events.Lactation, _tables: Tables) -> Kept:
    return facts.Feeding(status=e.record_status, feeding=e.feeding, since=e.since, observed_at=_utc(e.observed_at))


def _symptom(e: events.Symptom, _tables: Tables) -> Kept:
    return facts.SymptomReport(
        status=e.record_status,
        symptom=e.symptom,
        observed_at=to_utc(e.observed_at),
        score=e.score,
        sudden=e.sudden,
        injury=e.injury,
        side=e.side,
        weight_bearing=e.weight_bearing,
        gait=e.gait,
        onset_at=_utc(e.onset_at),
    )


_MEASURES: Final = {
    name: Observation(kind="measurement", name=name) for name in ("body_height", "body_weight", "body_mass_index")
}


def _measurement(e: events.Measurement, tables: Tables) -> Kept:
    seen = _MEASURES[e.measure]
    measured = tables.measure(seen, e.value, e.unit)
    if measured is not None and not tables.plausible(seen, measured):
        measured = None  # 1.65 cm is a height in metres: no rule can tell, so none reads it
    return facts.Measured(
        status=e.record_status,
        measure=e.measure,
        observed_at=to_utc(e.observed_at),
        value=measured.value if measured else None,
        self_reported=e.self_reported,
        device=e.device,
    )


def _bone_density(e: events.BoneDensity, _tables: Tables) -> Kept:
    return facts.Density(
        status=e.record_status,
        site=e.site,
        performed_at=to_utc(e.performed_at),
        z_score=e.z_score,
        t_score=e.t_score,
        density=e.density_g_cm2,
    )


def _imaging(e: events.Imaging, _tables: Tables) -> Kept:
    found = tuple(facts.StudyFinding(f.finding, f.levels, f.count, f.side, f.age) for f in e.findings)
    return facts.Study(
        status=e.status,
        modality=e.modality,
        region=e.region,
        ordered_at=_utc(e.ordered_at),
        scheduled_for=_utc(e.scheduled_for),
        performed_at=_utc(e.performed_at),
        findings=found,
    )


def _condition(e: events.Condition, tables: Tables) -> Kept:
    concepts = tables.concepts(e.code.system, e.code.code)
    if not concepts:
        return Left("unmapped_code", tables.system(e.code.system))
    return facts.Diagnosis(
        status=e.status,
        concepts=concepts,
        code=e.code.code,
        side=e.side,
        onset_at=_utc(e.onset_at),
        abated_at=_utc(e.abated_at),
    )


def _risk_factor(e: events.RiskFactor, _tables: Tables) -> Kept:
    if e.factor not in events.RISK_FACTORS:
        return Left("unmapped_code", "risk_factor")
    return facts.Risk(status=e.record_status, factor=e.factor, present=e.present, observed_at=to_utc(e.observed_at))


def _care_order(e: events.CareOrder, _tables: Tables) -> Kept:
    return facts.Care(
        status=e.status,
        order=e.order,
        starts_at=to_utc(e.starts_at),
        effective_from=_utc(e.effective_from),
        ends_at=_utc(e.ends_at),
    )


def _patient(e: events.Patient, _tables: Tables) -> Kept:
    return facts.Person(status=e.record_status, birth_date=e.birth_date, sex=e.sex, deceased_at=_utc(e.deceased_at))


def _alert_response(e: events.AlertResponse, _tables: Tables) -> Kept:
    return facts.Response(
        status=e.record_status, alert_id=e.alert_id, action=e.action, until=_utc(e.until), reason=e.reason, by=e.by
    )


_PAYLOADS: Final[Mapping[str, Callable[[Any, Tables], Kept]]] = {
    "lab_result": _lab,
    "prescription": _prescription,
    "administration": _administration,
    "dispense": _dispense,
    "lab_order": _lab_order,
    "procedure": _procedure,
    "pregnancy": _pregnancy,
    "lactation": _lactation,
    "symptom": _symptom,
    "measurement": _measurement,
    "bone_density": _bone_density,
    "imaging": _imaging,
    "condition": _condition,
    "risk_factor": _risk_factor,
    "care_order": _care_order,
    "patient": _patient,
    "alert_response": _alert_response,
}
"""Kinds that carry facts; encounters, merges and erasures are none."""


def fact_of(event: AnyEvent, tables: Tables) -> facts.Fact | Left:
    """The fact of an event, or why none is kept."""
    payload_of = _PAYLOADS.get(event.kind)
    if payload_of is None:
        return Left("not_read")
    payload = payload_of(event, tables)
    if isinstance(payload, Left):
        return payload
    return _fact(event, payload)


def _fact(event: Event, payload: facts.Payload) -> facts.Fact:
    return facts.Fact(
        origin=event.patient_id,
        source=event.source,
        record_id=event.record_id,
        event_id=event.event_id,
        recorded_at=to_utc(event.recorded_at),
        payload=payload,
        history=event.history,
        moved_to=event.moved_to,
    )
