"""What was done: procedures and diagnostic reports."""

from datetime import date
from typing import Any

import pytest

from schemas.events import Imaging, LabResult, Pregnancy, Procedure
from streams.intake.site import MemoryDirectory
from tests.intake.fhir_clinic import (
    COLLAPSE,
    LATER,
    LOINC,
    MRI,
    SNOMED,
    TIME,
    Resource,
    calcium,
    coded,
    of_anna,
    of_kind,
    only,
    quantity,
    refusal,
    translate,
)


def procedure(code: str = "66348005", **more: Any) -> Resource:
    done = of_anna("Procedure", "p1", status="completed", code=coded(SNOMED, code), performedDateTime=TIME)
    return {**done, **more}


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


def report(**more: Any) -> Resource:
    final = of_anna("DiagnosticReport", "r1", status="final", code=MRI, effectiveDateTime=TIME, issued=LATER)
    return {**final, **more}


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
