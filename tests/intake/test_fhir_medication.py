"""Orders, doses and supplies."""

from decimal import Decimal
from typing import Any

import pytest

from schemas.events import Administration, AnyEvent, Dispense, Prescription
from streams.intake.site import MemoryDirectory
from tests.intake.fhir_clinic import (
    LATER,
    RXNORM,
    SNOMED,
    TIME,
    Resource,
    bundle,
    coded,
    dosage,
    enoxaparin,
    of_kind,
    only,
    quantity,
    refusal,
    translate,
)


def order(*instructions: Resource, **more: Any) -> Prescription:
    return only(Prescription, translate(enoxaparin(*instructions, **more)))


def versions(document: Resource, directory: MemoryDirectory | None = None) -> list[Prescription]:
    return of_kind(translate(document, directory).events, Prescription)


def test_an_order_is_told_with_dose_frequency_route_and_start() -> None:
    told = order(dosage(40, frequency=2, route=coded(SNOMED, "34206005", text="subcutaneous")))
    assert told.dose is not None
    assert (told.dose.value, told.dose.unit, told.doses_per_day) == (Decimal(40), "mg", Decimal(2))
    assert (told.route, told.starts_at.isoformat(), told.ends_at) == ("subcutaneous", TIME, None)
    assert (told.record_id, told.status, told.effective_from) == ("MedicationRequest/m1", "active", None)


@pytest.mark.parametrize("status", ["active", "draft", "cancelled", "entered-in-error"])
def test_a_status_that_closes_nothing_is_one_version(status: str) -> None:
    assert order(dosage(), status=status).status == status.replace("-", "_")


@pytest.mark.parametrize("status", ["unknown", "ended", None])
def test_an_unknown_status_is_refused(status: str | None) -> None:
    assert refusal(translate(enoxaparin(status=status)))[0] == "MedicationRequest.status"


@pytest.mark.parametrize("intent", ["proposal", "plan", "option"])
def test_what_is_only_proposed_opens_nothing(intent: str) -> None:
    outcome = translate(enoxaparin(dosage(), intent=intent))
    assert (outcome.events, dict(outcome.ignored)) == ((), {f"MedicationRequest {intent}": 1})


def test_an_order_not_to_give_says_so() -> None:
    assert order(dosage(), doNotPerform=True).do_not_perform


def test_bounds_give_start_and_end_and_the_last_day_is_included_whole() -> None:
    bounds = {"boundsPeriod": {"start": "2026-02-01", "end": "2026-02-10"}}
    told = order(dosage(repeat=bounds))
    assert told.starts_at.isoformat() == "2026-02-01T00:00:00+01:00"
    assert told.ends_at is not None
    assert told.ends_at.isoformat() == "2026-02-11T00:00:00+01:00"


@pytest.mark.parametrize(
    "bounds", [{"boundsDuration": quantity(10, "d")}, {"count": 10}], ids=["duration", "count of daily doses"]
)
def test_a_length_gives_the_end(bounds: Resource) -> None:
    told = order(dosage(repeat=bounds))
    assert told.ends_at is not None
    assert (told.ends_at - told.starts_at).days == 10


def test_how_long_a_pharmacy_may_dispense_is_no_end_of_the_treatment() -> None:
    assert order(dosage(), dispenseRequest={"validityPeriod": {"end": "2026-03-01"}}).ends_at is None


def test_an_order_that_nothing_dates_is_refused() -> None:
    assert refusal(translate(enoxaparin(dosage(), authoredOn=None)))[0] == "MedicationRequest.authoredOn"


@pytest.mark.parametrize("where", ["authoredOn", "boundsPeriod"])
def test_a_month_is_no_start(where: str) -> None:
    bounds = {"boundsPeriod": {"start": "2026-02"}} if where == "boundsPeriod" else {}
    more = {"authoredOn": "2026-02"} if where == "authoredOn" else {}
    assert where in refusal(translate(enoxaparin(dosage(repeat=bounds), **more)))[0]


@pytest.mark.parametrize(
    ("dose", "unit", "value"),
    [
        ({"rateQuantity": quantity(1000, "[IU]/h")}, "[IU]/h", 1000),
        ({"rateRatio": {"numerator": quantity(24000, "[IU]"), "denominator": quantity(24, "h")}}, "[IU]/h", 1000),
    ],
)
def test_an_infusion_has_its_rate(dose: Resource, unit: str, value: int) -> None:
    told = order({"doseAndRate": [dose]})
    assert told.rate is not None
    assert (told.rate.value, told.rate.unit) == (Decimal(value), unit)


def test_a_rate_over_nothing_is_no_rate() -> None:
    ratio = {"numerator": quantity(1, "[IU]"), "denominator": quantity(0, "h")}
    assert order({"doseAndRate": [{"rateRatio": ratio}]}).rate is None


def test_a_range_is_no_dose() -> None:
    span = {"doseRange": {"low": quantity(1, "mg"), "high": quantity(2, "mg")}}
    outcome = translate(enoxaparin({"doseAndRate": [span]}))
    assert only(Prescription, outcome).dose is None
    assert outcome.counted["dose_range"] == 1


@pytest.mark.parametrize("needed", [{"asNeededBoolean": True}, {"asNeededCodeableConcept": {"text": "pain"}}])
def test_a_dose_as_needed_says_so(needed: Resource) -> None:
    assert order(dosage(**needed)).as_needed
    assert not order(dosage()).as_needed


def test_two_equal_instructions_of_one_time_are_given_twice_as_often() -> None:
    told = order(dosage(40), dosage(40))
    assert told.dose is not None
    assert (told.dose.value, told.doses_per_day) == (Decimal(40), Decimal(2))


def test_two_different_doses_of_one_time_are_added_to_the_amount_of_a_day() -> None:
    told = order(dosage(40), dosage(60))
    assert told.dose is not None
    assert (told.dose.value * (told.doses_per_day or 0), told.dose.unit) == (Decimal(100), "mg")


def test_what_is_taken_only_when_needed_is_added_to_nothing() -> None:
    told = order(dosage(40), dosage(60, asNeededBoolean=True))
    assert told.dose is not None
    assert (told.dose.value, told.doses_per_day, told.as_needed) == (Decimal(40), Decimal(1), False)


@pytest.mark.parametrize("second", [dosage(1, "mL"), {"doseAndRate": [{"doseQuantity": quantity(20, "mg")}]}])
def test_doses_that_cannot_be_added_leave_the_dose_unknown(second: Resource) -> None:
    outcome = translate(enoxaparin(dosage(40), second))
    assert only(Prescription, outcome).dose is None
    assert outcome.counted["unplaced_dosage"] == 1


def step(value: int, start: str, end: str, sequence: int) -> Resource:
    return dosage(value, sequence=sequence, repeat={"boundsPeriod": {"start": start, "end": end}})


STEPS = (step(60, "2026-02-01", "2026-02-07", 1), step(40, "2026-02-08", "2026-02-28", 2))


def spans(told: list[Prescription]) -> list[tuple[str, Decimal | None, str, str]]:
    def text(at: Any) -> str:
        return at.date().isoformat() if at else ""

    return [(e.status, e.dose.value if e.dose else None, text(e.effective_from), text(e.ends_at)) for e in told]


@pytest.mark.parametrize("order_of_steps", [STEPS, STEPS[::-1]])
def test_each_step_is_a_version_from_its_own_first_day(order_of_steps: tuple[Resource, ...]) -> None:
    told = versions(enoxaparin(*order_of_steps))
    assert spans(told) == [
        ("active", Decimal(60), "2026-02-01", "2026-02-08"),
        ("active", Decimal(40), "2026-02-08", "2026-03-01"),
    ]
    assert {each.starts_at.date().isoformat() for each in told} == {"2026-02-01"}
    assert (len({each.event_id for each in told}), len({each.record_id for each in told})) == (2, 1)


def test_steps_of_a_length_follow_one_another_from_the_start() -> None:
    first = dosage(60, sequence=1, repeat={"boundsDuration": quantity(7, "d")})
    told = versions(enoxaparin(first, dosage(40, sequence=2)))
    assert spans(told) == [
        ("active", Decimal(60), "2026-01-31", "2026-02-07"),
        ("active", Decimal(40), "2026-02-07", ""),
    ]


def test_steps_that_nothing_dates_leave_the_dose_unknown() -> None:
    outcome = translate(enoxaparin(dosage(60, sequence=1), dosage(40, sequence=2)))
    assert only(Prescription, outcome).dose is None
    assert outcome.counted["unplaced_dosage"] == 1


@pytest.mark.parametrize("status", ["stopped", "completed", "on-hold"])
def test_a_closed_order_that_is_first_seen_was_active_until_the_source_closed_it(status: str) -> None:
    told = versions(enoxaparin(dosage(), status=status, meta={"lastUpdated": LATER}))
    assert [(each.status, each.effective_from) for each in told] == [
        ("active", told[0].starts_at),
        (status.replace("-", "_"), told[1].recorded_at),
    ]
    assert len({each.event_id for each in told}) == 2


def test_a_closed_order_that_was_told_before_only_closes() -> None:
    directory = MemoryDirectory()
    translate(enoxaparin(dosage()), directory)
    told = versions(enoxaparin(dosage(80), status="stopped", meta={"lastUpdated": LATER}), directory)
    assert [each.status for each in told] == ["stopped"]


def test_a_completed_order_ended_when_its_period_did() -> None:
    told = versions(enoxaparin(*STEPS, status="completed", meta={"lastUpdated": "2026-05-01T08:00:00Z"}))
    assert [each[0] for each in spans(told)] == ["active", "active", "completed"]
    assert spans(told)[-1][2] == "2026-03-01"


def test_a_stop_within_the_first_step_tells_no_later_step() -> None:
    told = versions(enoxaparin(*STEPS, status="stopped", meta={"lastUpdated": LATER}))
    assert spans(told)[0][1] == Decimal(60)
    assert [each.status for each in told] == ["active", "stopped"]


def test_a_stop_that_nothing_dates_is_counted_and_claims_no_exposure() -> None:
    outcome = translate(enoxaparin(dosage(), status="stopped"))
    assert only(Prescription, outcome).status == "stopped"
    assert outcome.counted["end_unknown"] == 1


def test_an_order_that_was_stopped_before_it_began_was_never_active() -> None:
    bounds = {"boundsPeriod": {"start": "2026-03-01"}}
    told = versions(enoxaparin(dosage(repeat=bounds), status="stopped", meta={"lastUpdated": LATER}))
    assert [each.status for each in told] == ["stopped"]


def test_instructions_whose_periods_overlap_are_no_steps_and_leave_the_dose_unknown() -> None:
    outcome = translate(enoxaparin(step(60, "2026-02-01", "2026-02-20", 1), step(40, "2026-02-10", "2026-02-28", 1)))
    told = only(Prescription, outcome)
    assert (told.dose, told.starts_at.date().isoformat()) == (None, "2026-02-01")
    assert outcome.counted["unplaced_dosage"] == 1


MEDICATION = {"resourceType": "Medication", "id": "med", "code": coded(RXNORM, "67108")}


@pytest.mark.parametrize("where", ["contained", "bundled"])
def test_a_medication_by_reference_is_contained_or_in_the_bundle(where: str) -> None:
    reference = {"reference": "#med" if where == "contained" else "Medication/med"}
    request = enoxaparin(dosage(), medicationCodeableConcept=None, medicationReference=reference)
    document = {**request, "contained": [MEDICATION]} if where == "contained" else bundle(request, MEDICATION)
    assert only(Prescription, translate(document)).drug.code == "67108"


def test_a_medication_that_is_elsewhere_is_refused_with_the_reason() -> None:
    request = enoxaparin(medicationCodeableConcept=None, medicationReference={"reference": "Medication/med"})
    where, reason = refusal(translate(request))
    assert (where, "contained" in reason) == ("MedicationRequest.medicationReference", True)


def test_the_only_ingredient_speaks_for_a_medication_that_no_table_knows() -> None:
    medication = {
        **MEDICATION,
        "code": coded("urn:site", "X"),
        "ingredient": [{"itemCodeableConcept": coded(RXNORM, "67108")}],
    }
    request = enoxaparin(
        medicationCodeableConcept=None, medicationReference={"reference": "#med"}, contained=[medication]
    )
    assert only(Prescription, translate(request)).drug.code == "67108"


def test_an_unmapped_drug_is_still_an_event_and_counted() -> None:
    outcome = translate(enoxaparin(medicationCodeableConcept=coded("urn:site", "X")))
    assert (only(Prescription, outcome).drug.code, outcome.counted["unmapped_code"]) == ("X", 1)


def test_a_drug_in_words_only_is_refused() -> None:
    assert refusal(translate(enoxaparin(medicationCodeableConcept={"text": "Clexane"})))[0].endswith("medication[x]")


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({}, "MedicationRequest/m1"),
        ({"identifier": [{"value": "F1"}, {"value": "P1", "type": coded("x", "PLAC")}]}, "P1"),
        ({"identifier": [{"value": "F1"}]}, "F1"),
        ({"groupIdentifier": {"value": "G1"}}, "G1"),
    ],
)
def test_the_placers_number_names_the_order(more: Resource, expected: str) -> None:
    assert order(**more).placer_order == expected


def administration(**more: Any) -> Resource:
    return {
        "resourceType": "MedicationAdministration",
        "id": "a1",
        "status": "completed",
        "medicationCodeableConcept": coded(RXNORM, "5224"),
        "subject": {"reference": "Patient/anna"},
        "effectiveDateTime": TIME,
        "dosage": {"dose": quantity(5000, "[IU]"), "route": {"text": "subcutaneous"}},
        **more,
    }


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ("completed", "completed"),
        ("in-progress", "in_progress"),
        ("not-done", "not_done"),
        ("on-hold", "on_hold"),
        ("stopped", "stopped"),
        ("entered-in-error", "entered_in_error"),
    ],
)
def test_a_dose_is_told_as_given_or_not(status: str, expected: str) -> None:
    told = only(Administration, translate(administration(status=status)))
    assert told.dose is not None
    assert (told.status, told.dose.value, told.dose.unit) == (expected, Decimal(5000), "[IU]")
    assert (told.given_at.isoformat(), told.route) == (TIME, "subcutaneous")


def test_an_administration_of_unknown_status_is_refused() -> None:
    assert refusal(translate(administration(status="unknown")))[0] == "MedicationAdministration.status"


def test_an_infusion_lasts_from_start_to_end_and_is_recorded_at_its_end() -> None:
    period = {"start": TIME, "end": "2026-01-31T20:00:00+01:00"}
    infusion = administration(
        effectiveDateTime=None, effectivePeriod=period, dosage={"rateQuantity": quantity(1000, "[IU]/h")}
    )
    told = only(Administration, translate(infusion))
    assert told.ends_at is not None
    assert (told.ends_at.isoformat(), told.recorded_at) == (period["end"], told.ends_at)
    assert told.rate is not None


def test_a_dose_without_a_time_is_refused() -> None:
    assert refusal(translate(administration(effectiveDateTime=None)))[0].endswith("effective[x]")


REQUEST = {"reference": "MedicationRequest/m1"}


@pytest.mark.parametrize("seen", ["nowhere", "bundle", "before"])
def test_a_dose_names_its_order_as_the_order_names_itself(seen: str) -> None:
    directory = MemoryDirectory()
    request = enoxaparin(identifier=[{"value": "P1"}])
    document: Resource = administration(request=REQUEST)
    if seen == "before":
        translate(request, directory)
    if seen == "bundle":
        document = bundle(document, request)
    (told,) = of_kind(translate(document, directory).events, Administration)
    assert told.placer_order == ("MedicationRequest/m1" if seen == "nowhere" else "P1")


def dispense(**more: Any) -> Resource:
    return {
        "resourceType": "MedicationDispense",
        "id": "d1",
        "status": "completed",
        "medicationCodeableConcept": coded(RXNORM, "67108"),
        "subject": {"reference": "Patient/anna"},
        "quantity": quantity(30, "{syringe}"),
        "daysSupply": quantity(30, "d"),
        "whenHandedOver": TIME,
        "authorizingPrescription": [REQUEST],
        "dosageInstruction": [dosage(40)],
        **more,
    }


def test_a_supply_is_told_with_quantity_days_and_order() -> None:
    told = only(Dispense, translate(dispense()))
    assert told.quantity is not None
    assert (told.quantity.value, told.days_supply, told.placer_order) == (
        Decimal(30),
        Decimal(30),
        "MedicationRequest/m1",
    )
    assert (told.dispensed_at.isoformat(), told.doses_per_day) == (TIME, Decimal(1))


@pytest.mark.parametrize(
    ("supply", "days"),
    [({"value": 30}, 30), (quantity(4, "wk"), 28), ({"value": 30, "unit": "Days"}, 30), (quantity(1, "mo"), None)],
)
def test_the_days_of_a_supply_are_counted_in_days(supply: Resource, days: int | None) -> None:
    assert only(Dispense, translate(dispense(daysSupply=supply))).days_supply == days


@pytest.mark.parametrize("status", ["preparation", "in-progress", "on-hold", "declined", "stopped"])
def test_a_supply_that_was_not_handed_over_opens_nothing(status: str) -> None:
    outcome = translate(dispense(status=status))
    assert (outcome.events, outcome.refusals) == ((), ())
    assert outcome.ignored[f"MedicationDispense {status}"] == 1


@pytest.mark.parametrize("status", ["cancelled", "entered-in-error"])
def test_a_supply_is_taken_back(status: str) -> None:
    directory = MemoryDirectory()
    translate(dispense(), directory)
    stripped = {"resourceType": "MedicationDispense", "id": "d1", "status": status, "meta": {"lastUpdated": LATER}}
    told = only(Dispense, translate(stripped, directory))
    assert (told.status, told.recorded_at.isoformat()) == (status.replace("-", "_"), LATER)


def test_a_completed_supply_without_its_time_is_refused() -> None:
    assert refusal(translate(dispense(whenHandedOver=None)))[0] == "MedicationDispense.whenHandedOver"


def statement(**more: Any) -> Resource:
    return {
        "resourceType": "MedicationStatement",
        "id": "s1",
        "status": "active",
        "medicationCodeableConcept": coded(RXNORM, "67108"),
        "subject": {"reference": "Patient/anna"},
        "effectivePeriod": {"start": "2026-01-01"},
        "dateAsserted": TIME,
        "dosage": [dosage(40)],
        **more,
    }


def test_a_statement_of_what_is_taken_is_a_prescription() -> None:
    told = only(Prescription, translate(statement()))
    assert (told.status, told.starts_at.date().isoformat(), told.recorded_at.isoformat()) == (
        "active",
        "2026-01-01",
        TIME,
    )


def test_a_statement_of_what_was_taken_has_its_whole_period() -> None:
    told = versions(statement(status="completed", effectivePeriod={"start": "2026-01-01", "end": "2026-01-20"}))
    assert spans(told) == [
        ("active", Decimal(40), "2026-01-01", "2026-01-21"),
        ("completed", Decimal(40), "2026-01-21", "2026-01-21"),
    ]


@pytest.mark.parametrize("status", ["intended", "not-taken", "unknown"])
def test_what_is_intended_or_not_taken_opens_nothing(status: str) -> None:
    outcome = translate(statement(status=status))
    assert (outcome.events, outcome.ignored[f"MedicationStatement {status}"]) == ((), 1)


def test_what_turns_out_not_to_have_been_taken_is_taken_back() -> None:
    directory = MemoryDirectory()
    translate(statement(), directory)
    told = only(Prescription, translate(statement(status="not-taken", meta={"lastUpdated": LATER}), directory))
    assert told.status == "cancelled"


def test_a_stripped_order_in_error_takes_the_whole_order_back() -> None:
    directory = MemoryDirectory()
    translate(enoxaparin(*STEPS), directory)
    stripped = {"resourceType": "MedicationRequest", "id": "m1", "status": "entered-in-error", "intent": "order"}
    events: tuple[AnyEvent, ...] = translate(stripped, directory).events
    assert [(e.record_id, e.status) for e in of_kind(events, Prescription)] == [
        ("MedicationRequest/m1", "entered_in_error")
    ]
