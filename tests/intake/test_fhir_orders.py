"""Orders of drugs: the drug, dose, frequency, start and end."""

from decimal import Decimal
from typing import Any

import pytest

from schemas.events import Prescription
from tests.intake.fhir_clinic import (
    RXNORM,
    SNOMED,
    TIME,
    Resource,
    bundle,
    coded,
    dosage,
    enoxaparin,
    only,
    quantity,
    refusal,
    translate,
)


def order(*instructions: Resource, **more: Any) -> Prescription:
    return only(Prescription, translate(enoxaparin(*instructions, **more)))


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
