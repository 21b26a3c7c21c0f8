"""Diagnoses, procedures, imaging, orders, appointments and encounters."""

from datetime import date
from typing import Any

import pytest

from schemas.events import (
    CareOrder,
    Condition,
    Encounter,
    Imaging,
    LabOrder,
    LabResult,
    Lactation,
    Pregnancy,
    Procedure,
)
from streams.intake.site import MemoryDirectory
from tests.intake.fhir_clinic import (
    LATER,
    LOINC,
    SNOMED,
    TIME,
    Resource,
    calcium,
    coded,
    condition,
    of_kind,
    only,
    quantity,
    refusal,
    translate,
)

COLLAPSE = coded(SNOMED, "240198002")
PREGNANT = coded(SNOMED, "72892002")
VERIFICATION = "http://terminology.hl7.org/CodeSystem/condition-ver-status"


def diagnosis(status: str = "active", code: Resource = COLLAPSE, **more: Any) -> Condition:
    return only(Condition, translate(condition(code, status, **more)))


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ("active", "active"),
        ("recurrence", "active"),
        ("relapse", "active"),
        ("inactive", "resolved"),
        ("remission", "resolved"),
        ("resolved", "resolved"),
    ],
)
def test_each_clinical_status_is_active_or_resolved(status: str, expected: str) -> None:
    assert diagnosis(status).status == expected


def test_a_clinical_status_of_another_version_is_refused() -> None:
    assert refusal(translate(condition(COLLAPSE, "unknown")))[0] == "Condition.clinicalStatus"


def test_without_a_clinical_status_an_abatement_resolves() -> None:
    assert diagnosis(clinicalStatus=None).status == "active"
    assert diagnosis(clinicalStatus=None, abatementDateTime=LATER).status == "resolved"


@pytest.mark.parametrize("verification", ["unconfirmed", "provisional", "differential"])
def test_what_is_not_confirmed_opens_nothing(verification: str) -> None:
    outcome = translate(condition(COLLAPSE, verificationStatus=coded(VERIFICATION, verification)))
    assert (outcome.events, dict(outcome.ignored)) == ((), {"Condition unconfirmed": 1})


def test_what_was_told_and_is_no_longer_confirmed_is_taken_back() -> None:
    directory = MemoryDirectory()
    translate(condition(PREGNANT), directory)
    doubtful = condition(PREGNANT, verificationStatus=coded(VERIFICATION, "differential"), meta={"lastUpdated": LATER})
    events = translate(doubtful, directory).events
    assert [each.status for each in of_kind(events, Condition)] == ["entered_in_error"]
    assert [each.record_status for each in of_kind(events, Pregnancy)] == ["entered_in_error"]


def test_what_is_refuted_says_so() -> None:
    assert diagnosis(verificationStatus=coded(VERIFICATION, "refuted")).status == "refuted"


def test_a_diagnosis_in_error_is_taken_back_even_if_it_comes_first() -> None:
    assert diagnosis(verificationStatus=coded(VERIFICATION, "entered-in-error")).status == "entered_in_error"


def test_onset_and_abatement_are_told() -> None:
    told = diagnosis("resolved", onsetDateTime=None, onsetPeriod={"start": TIME}, abatementDateTime=LATER)
    assert told.onset_at is not None
    assert told.abated_at is not None
    assert (told.onset_at.isoformat(), told.abated_at.isoformat()) == (TIME, LATER)


@pytest.mark.parametrize("field", ["onsetDateTime", "abatementDateTime"])
def test_a_year_of_onset_or_abatement_is_refused(field: str) -> None:
    assert refusal(translate(condition(COLLAPSE, **{field: "2019"})))[0] == f"Condition.{field}"


@pytest.mark.parametrize(
    ("site", "expected"),
    [
        ("7771000", "left"),
        ("24028007", "right"),
        ("51440002", "both"),
        ("71341001:272741003=7771000", "left"),
        ("71341001", None),
    ],
)
def test_the_side_is_that_of_the_body_site(site: str, expected: str | None) -> None:
    assert diagnosis(bodySite=[coded(SNOMED, site)]).side == expected


def test_an_unmapped_diagnosis_is_still_an_event_and_counted() -> None:
    outcome = translate(condition(coded(SNOMED, "10509002")))
    assert (len(outcome.events), outcome.counted["unmapped_code"]) == (1, 1)


def test_a_diagnosis_in_words_only_is_refused() -> None:
    assert refusal(translate(condition({"text": "pregnant"})))[0] == "Condition.code"


@pytest.mark.parametrize("status", ["active", "resolved"])
def test_a_pregnancy_as_a_diagnosis_says_pregnant_at_its_onset_and_nothing_of_its_end(status: str) -> None:
    outcome = translate(condition(PREGNANT, status, abatementDateTime=LATER if status == "resolved" else None))
    told = only(Pregnancy, outcome)
    assert (told.status, told.ended_on, told.last_menstrual_period, told.record_id) == (
        "pregnant",
        None,
        None,
        "Condition/c1#pregnancy",
    )
    assert told.observed_at is not None
    assert told.observed_at.isoformat() == TIME
    assert len(of_kind(outcome.events, Condition)) == 1


def test_a_refuted_pregnancy_never_was() -> None:
    outcome = translate(condition(PREGNANT, verificationStatus=coded(VERIFICATION, "refuted")))
    assert only(Pregnancy, outcome).status == "refuted"


def test_a_coded_delivery_ends_the_pregnancy_on_its_day() -> None:
    told = only(Pregnancy, translate(condition(coded(SNOMED, "289256000"))))
    assert (told.status, told.ended_on) == ("delivered", date(2026, 1, 31))


def test_a_delivery_without_a_day_is_a_diagnosis_only() -> None:
    outcome = translate(condition(coded(SNOMED, "289256000"), onsetDateTime=None))
    assert [each.kind for each in outcome.events] == ["condition"]


def test_a_miscarriage_ended_the_pregnancy() -> None:
    told = only(Pregnancy, translate(condition(coded(SNOMED, "19169002"))))
    assert (told.status, told.outcome, told.ended_on) == ("ended", "miscarriage", date(2026, 1, 31))


def test_breast_feeding_as_a_diagnosis_says_nothing_of_how_exclusively() -> None:
    outcome = translate(condition(coded(SNOMED, "866041003")))
    assert [each.kind for each in outcome.events] == ["condition"]


@pytest.mark.parametrize(
    ("code", "feeding"), [("1258999009", "exclusive"), ("1258998001", "mixed"), ("200441004", "none")]
)
def test_feeding_that_is_coded_is_told_from_its_onset(code: str, feeding: str) -> None:
    told = only(Lactation, translate(condition(coded(SNOMED, code))))
    assert (told.feeding, told.since) == (feeding, date(2026, 1, 31))


def test_feeding_that_is_resolved_is_not_told_as_going_on() -> None:
    outcome = translate(condition(coded(SNOMED, "1258999009"), "resolved", abatementDateTime=LATER))
    assert [each.kind for each in outcome.events] == ["condition"]


def procedure(code: str = "66348005", **more: Any) -> Resource:
    return {
        "resourceType": "Procedure",
        "id": "p1",
        "status": "completed",
        "code": coded(SNOMED, code),
        "subject": {"reference": "Patient/anna"},
        "performedDateTime": TIME,
        **more,
    }


@pytest.mark.parametrize(
    ("status", "expected"),
    [("completed", "completed"), ("not-done", "not_done"), ("entered-in-error", "entered_in_error")],
)
def test_a_procedure_is_told_as_done_or_not(status: str, expected: str) -> None:
    assert only(Procedure, translate(procedure("112943005", status=status))).status == expected


@pytest.mark.parametrize("status", ["preparation", "in-progress", "on-hold", "stopped"])
def test_a_procedure_that_is_not_done_yet_opens_nothing(status: str) -> None:
    outcome = translate(procedure(status=status))
    assert (outcome.events, outcome.ignored[f"Procedure {status}"]) == ((), 1)


def test_a_delivery_is_a_procedure_and_ends_the_pregnancy() -> None:
    outcome = translate(procedure())
    told = only(Pregnancy, outcome)
    assert (told.status, told.ended_on, told.record_id) == ("delivered", date(2026, 1, 31), "Procedure/p1#pregnancy")
    assert len(of_kind(outcome.events, Procedure)) == 1


def test_a_delivery_in_error_takes_both_back() -> None:
    directory = MemoryDirectory()
    translate(procedure(), directory)
    events = translate(procedure(status="entered-in-error", meta={"lastUpdated": LATER}), directory).events
    assert [each.status for each in of_kind(events, Procedure)] == ["entered_in_error"]
    assert [each.record_status for each in of_kind(events, Pregnancy)] == ["entered_in_error"]


def test_a_procedure_that_was_not_done_delivers_nobody() -> None:
    assert of_kind(translate(procedure(status="not-done")).events, Pregnancy) == []


def test_an_imaging_procedure_is_imaging_performed() -> None:
    told = only(Imaging, translate({**procedure(), "code": MRI}))
    assert (told.status, told.modality, told.region) == ("performed", "MRI", "spine")


def test_a_procedure_without_a_time_is_refused() -> None:
    assert refusal(translate(procedure(performedDateTime=None)))[0] == "Procedure.performed[x]"


MRI = coded(LOINC, "24968-0")


def report(**more: Any) -> Resource:
    return {
        "resourceType": "DiagnosticReport",
        "id": "r1",
        "status": "final",
        "code": MRI,
        "subject": {"reference": "Patient/anna"},
        "effectiveDateTime": TIME,
        "issued": LATER,
        **more,
    }


def test_an_imaging_report_has_its_coded_findings_once_each() -> None:
    told = only(Imaging, translate(report(conclusionCode=[COLLAPSE, COLLAPSE, coded(SNOMED, "10509002")])))
    assert (told.status, told.modality, told.region, told.recorded_at.isoformat()) == ("final", "MRI", "spine", LATER)
    assert [each.finding for each in told.findings] == ["vertebral_fracture"]


def test_the_words_of_a_report_are_not_read() -> None:
    assert only(Imaging, translate(report(conclusion="vertebral fracture T12"))).findings == ()


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ("partial", "performed"),
        ("preliminary", "performed"),
        ("amended", "final"),
        ("corrected", "final"),
        ("appended", "final"),
        ("cancelled", "cancelled"),
        ("entered-in-error", "entered_in_error"),
    ],
)
def test_each_status_of_a_report_has_its_word(status: str, expected: str) -> None:
    assert only(Imaging, translate(report(status=status))).status == expected


def test_an_unmapped_imaging_report_is_counted() -> None:
    radiology = [coded("http://terminology.hl7.org/CodeSystem/v2-0074", "RAD")]
    outcome = translate(report(code=coded("urn:ris", "X"), category=radiology))
    assert (outcome.events, outcome.counted["unmapped_code"]) == ((), 1)


def test_a_laboratory_report_that_refers_to_its_results_is_ignored() -> None:
    outcome = translate(report(code=coded(LOINC, "24323-8")))
    assert (outcome.events, dict(outcome.ignored)) == ((), {"DiagnosticReport": 1})


def test_contained_results_take_from_the_report_what_they_do_not_say() -> None:
    inside = {
        "resourceType": "Observation",
        "id": "ca",
        "status": "final",
        "code": coded(LOINC, "17861-6"),
        "valueQuantity": quantity(9.5, "mg/dL"),
    }
    outcome = translate(report(code=coded(LOINC, "24323-8"), contained=[inside]))
    told = only(LabResult, outcome)
    assert (told.record_id, told.collected_at.isoformat()) == ("DiagnosticReport/r1#ca", TIME)


def test_a_wrong_contained_result_is_refused_at_its_place_and_the_others_stand() -> None:
    good = {**calcium(), "id": "good"}
    bad = {**calcium(status="odd"), "id": "bad"}
    outcome = translate(report(code=coded(LOINC, "24323-8"), contained=[bad, good]))
    assert [each.record_id for each in outcome.events] == ["DiagnosticReport/r1#good"]
    (refused,) = outcome.refusals
    assert (refused.refused, refused.where) == (
        "DiagnosticReport/r1#bad",
        "DiagnosticReport.contained[0].Observation.status",
    )


def request(code: Resource = MRI, **more: Any) -> Resource:
    return {
        "resourceType": "ServiceRequest",
        "id": "q1",
        "status": "active",
        "intent": "order",
        "code": code,
        "subject": {"reference": "Patient/anna"},
        "authoredOn": TIME,
        "occurrenceDateTime": LATER,
        **more,
    }


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
    return {
        "resourceType": "Encounter",
        "id": "e1",
        "status": "in-progress",
        "subject": {"reference": "Patient/anna"},
        "period": {"start": TIME},
        "location": [
            {"location": {"display": "Labour ward"}, "status": "active"},
            {"location": {"display": "ER"}, "status": "completed"},
        ],
        **more,
    }


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
