"""What is asked for and when the patient comes: requests, appointments and encounters."""

from typing import Any

import pytest

from schemas.events import CareOrder, Encounter, Imaging, LabOrder, Pregnancy
from streams.intake.site import MemoryDirectory
from tests.intake.fhir_clinic import (
    LATER,
    LOINC,
    MRI,
    SNOMED,
    TIME,
    Resource,
    coded,
    of_anna,
    of_kind,
    only,
    refusal,
    translate,
)


def request(code: Resource = MRI, **more: Any) -> Resource:
    said = {"code": code, "authoredOn": TIME, "occurrenceDateTime": LATER}
    return {**of_anna("ServiceRequest", "q1", status="active", intent="order", **said), **more}


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ("active", "ordered"),
        ("on-hold", "ordered"),
        ("completed", "performed"),
        ("revoked", "cancelled"),
        ("entered-in-error", "entered_in_error"),
    ],
)
def test_an_imaging_request_is_imaging_ordered_for_its_time(status: str, expected: str) -> None:
    told = only(Imaging, translate(request(status=status)))
    assert told.ordered_at is not None
    assert told.scheduled_for is not None
    assert (told.status, told.ordered_at.isoformat(), told.scheduled_for.isoformat()) == (expected, TIME, LATER)


@pytest.mark.parametrize(
    "more",
    [{"intent": "proposal"}, {"intent": "plan"}, {"intent": "option"}, {"status": "draft"}, {"doNotPerform": True}],
)
def test_a_request_that_asks_for_nothing_opens_nothing(more: Resource) -> None:
    outcome = translate(request(**more))
    assert (outcome.events, outcome.refusals, sum(outcome.ignored.values())) == ((), (), 1)


def test_a_request_that_is_not_to_be_done_after_all_is_cancelled() -> None:
    directory = MemoryDirectory()
    translate(request(), directory)
    told = only(Imaging, translate(request(doNotPerform=True, meta={"lastUpdated": LATER}), directory))
    assert told.status == "cancelled"


def test_a_request_of_unknown_status_is_refused() -> None:
    assert refusal(translate(request(status="unknown")))[0] == "ServiceRequest.status"


def test_a_laboratory_request_is_a_lab_order() -> None:
    told = only(LabOrder, translate(request(coded(LOINC, "17861-6"))))
    assert (told.code.code, told.status, told.ordered_at.isoformat()) == ("17861-6", "active", TIME)


@pytest.mark.parametrize(
    ("code", "category", "is_told"),
    [
        (coded("urn:lab", "X"), [coded(SNOMED, "108252007")], True),
        (coded(LOINC, "99999-9"), [], True),
        (coded(SNOMED, "91251008"), [], False),
    ],
)
def test_an_unmapped_request_is_a_lab_order_only_if_it_is_of_the_laboratory(
    code: Resource, category: list[Resource], *, is_told: bool
) -> None:
    outcome = translate(request(code, category=category))
    assert (len(outcome.events), outcome.counted["unmapped_code"]) == (int(is_told), 1)


def appointment(**more: Any) -> Resource:
    return {
        "resourceType": "Appointment",
        "id": "t1",
        "status": "booked",
        "serviceType": [MRI],
        "start": LATER,
        "created": TIME,
        "participant": [{"actor": {"reference": "Location/mri"}}, {"actor": {"reference": "Patient/anna"}}],
        **more,
    }


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ("booked", "booked"),
        ("arrived", "booked"),
        ("fulfilled", "booked"),
        ("cancelled", "cancelled"),
        ("noshow", "cancelled"),
        ("entered-in-error", "entered_in_error"),
    ],
)
def test_an_imaging_appointment_is_booked_or_cancelled(status: str, expected: str) -> None:
    told = only(Imaging, translate(appointment(status=status)))
    assert told.scheduled_for is not None
    assert (told.status, told.scheduled_for.isoformat(), told.recorded_at.isoformat()) == (expected, LATER, TIME)


@pytest.mark.parametrize("status", ["proposed", "pending", "waitlist"])
def test_an_appointment_that_is_not_booked_opens_nothing(status: str) -> None:
    assert translate(appointment(status=status)).ignored[f"Appointment {status}"] == 1


def test_the_reason_may_code_the_study() -> None:
    assert only(Imaging, translate(appointment(serviceType=[], reasonCode=[MRI]))).modality == "MRI"


def test_an_appointment_for_something_else_is_ignored() -> None:
    assert dict(translate(appointment(serviceType=[])).ignored) == {"Appointment": 1}


def test_a_future_appointment_that_nothing_dates_is_refused_and_not_recorded_in_the_future() -> None:
    assert refusal(translate(appointment(created=None)))[0] == "Appointment.meta.lastUpdated"


def encounter(**more: Any) -> Resource:
    wards = [
        {"location": {"display": "Labour ward"}, "status": "active"},
        {"location": {"display": "ER"}, "status": "completed"},
    ]
    return {**of_anna("Encounter", "e1", status="in-progress", period={"start": TIME}, location=wards), **more}


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ("arrived", "active"),
        ("triaged", "active"),
        ("in-progress", "active"),
        ("onleave", "active"),
        ("finished", "finished"),
        ("cancelled", "cancelled"),
        ("entered-in-error", "cancelled"),
    ],
)
def test_an_encounter_is_where_the_patient_is(status: str, expected: str) -> None:
    told = only(Encounter, translate(encounter(status=status)))
    assert (told.status, told.ward, told.starts_at.isoformat()) == (expected, "Labour ward", TIME)


def test_a_planned_encounter_is_ignored() -> None:
    assert dict(translate(encounter(status="planned")).ignored) == {"Encounter planned": 1}


def test_an_encounter_without_a_beginning_is_refused() -> None:
    assert refusal(translate(encounter(period=None)))[0] == "Encounter.period.start"


def test_a_prenatal_visit_says_pregnant_at_its_beginning() -> None:
    told = only(Pregnancy, translate(encounter(type=[coded(SNOMED, "424441002")])))
    assert told.observed_at is not None
    assert (told.status, told.observed_at.isoformat(), told.record_id) == ("pregnant", TIME, "Encounter/e1#pregnancy")


def test_a_cancelled_prenatal_visit_takes_back_what_it_said() -> None:
    directory = MemoryDirectory()
    visit = encounter(type=[coded(SNOMED, "424441002")])
    translate(visit, directory)
    events = translate({**visit, "status": "cancelled", "meta": {"lastUpdated": LATER}}, directory).events
    assert [each.record_status for each in of_kind(events, Pregnancy)] == ["entered_in_error"]


@pytest.mark.parametrize(
    ("status", "expected"), [("active", "active"), ("on-hold", "on_hold"), ("revoked", "cancelled")]
)
def test_bed_rest_is_a_care_order_from_its_occurrence_on(status: str, expected: str) -> None:
    period = {"start": TIME, "end": "2026-02-07"}
    rest = request(coded(SNOMED, "183051005"), occurrenceDateTime=None, occurrencePeriod=period, status=status)
    told = only(CareOrder, translate(rest))
    assert told.ends_at is not None
    assert (told.order, told.status, told.starts_at.isoformat()) == ("bed_rest", expected, TIME)
    assert told.ends_at.isoformat() == "2026-02-08T00:00:00+01:00"
