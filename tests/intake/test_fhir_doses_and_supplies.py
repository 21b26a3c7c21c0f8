"""Doses that are given and supplies that are handed over."""

from decimal import Decimal
from typing import Any

import pytest

from schemas.events import Administration, Dispense
from streams.intake.site import MemoryDirectory
from tests.intake.fhir_clinic import (
    LATER,
    RXNORM,
    TIME,
    Resource,
    bundle,
    coded,
    dosage,
    enoxaparin,
    of_anna,
    of_kind,
    only,
    quantity,
    refusal,
    translate,
)


def administration(**more: Any) -> Resource:
    dose = {"dose": quantity(5000, "[IU]"), "route": {"text": "subcutaneous"}}
    said = {"medicationCodeableConcept": coded(RXNORM, "5224"), "effectiveDateTime": TIME, "dosage": dose}
    return {**of_anna("MedicationAdministration", "a1", status="completed", **said), **more}


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
    drug = {"medicationCodeableConcept": coded(RXNORM, "67108"), "dosageInstruction": [dosage(40)]}
    amount = {"quantity": quantity(30, "{syringe}"), "daysSupply": quantity(30, "d")}
    said = {"whenHandedOver": TIME, "authorizingPrescription": [REQUEST]}
    return {**of_anna("MedicationDispense", "d1", status="completed", **drug, **amount, **said), **more}


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
