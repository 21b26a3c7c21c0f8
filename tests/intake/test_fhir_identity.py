"""Who the patient of a FHIR resource is."""

from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from schemas.events import LabResult, Patient, PatientMerge
from streams.intake.site import MemoryDirectory
from tests.intake.fhir_clinic import (
    LATER,
    MRN,
    SITE,
    Resource,
    bundle,
    calcium,
    of_kind,
    only,
    patient,
    refusal,
    translate,
)

UNKNOWN = "fhir|https://ehr.example/fhir/Patient/anna"


def whose(resource: Resource, directory: MemoryDirectory | None = None) -> str:
    return only(LabResult, translate(resource, directory)).patient_id


def test_the_identifier_in_the_same_bundle_names_the_patient_wherever_the_patient_stands() -> None:
    assert whose(bundle(calcium(), patient())) == "CLINIC|0042"


def test_the_default_assigner_is_written_bare() -> None:
    outcome = translate(bundle(patient(), calcium()), site=replace(SITE, default_assigner="CLINIC"))
    assert only(LabResult, outcome).patient_id == "0042"


def test_a_contained_patient_names_itself() -> None:
    inside = {"resourceType": "Patient", "id": "p", "identifier": [{"system": MRN, "value": "7"}]}
    assert whose(calcium(contained=[inside], subject={"reference": "#p"})) == "CLINIC|7"


def test_a_contained_patient_without_a_mapped_identifier_is_refused() -> None:
    inside = {"resourceType": "Patient", "id": "p", "identifier": [{"system": "urn:other", "value": "7"}]}
    assert refusal(translate(calcium(contained=[inside], subject={"reference": "#p"})))[0] == "Observation.subject"


def test_the_identifier_of_the_reference_names_the_patient() -> None:
    assert whose(calcium(subject={"identifier": {"system": MRN, "value": "7"}})) == "CLINIC|7"


def test_a_conditional_reference_names_the_patient() -> None:
    assert whose(calcium(subject={"reference": f"Patient?identifier={MRN}|7"})) == "CLINIC|7"


def test_a_patient_seen_before_is_known_in_later_messages() -> None:
    directory = MemoryDirectory()
    translate(patient(), directory)
    assert whose(calcium(), directory) == "CLINIC|0042"


@pytest.mark.parametrize(
    "reference",
    [
        "Patient/anna",
        "Patient/anna/_history/2",
        "https://ehr.example/fhir/Patient/anna",
        "https://ehr.example/fhir/Patient/anna/_history/7",
    ],
)
def test_every_form_of_a_reference_is_the_same_patient(reference: str) -> None:
    directory = MemoryDirectory()
    assert whose(calcium(subject={"reference": reference}), directory) == UNKNOWN
    translate(patient(), directory)
    assert whose(calcium(subject={"reference": reference}, id="o2"), directory) == "CLINIC|0042"


def test_a_patient_of_another_server_is_somebody_else() -> None:
    other = calcium(subject={"reference": "https://elsewhere.example/fhir/Patient/anna"})
    assert whose(bundle(patient(), other)) == "fhir|https://elsewhere.example/fhir/Patient/anna"


def test_a_relative_reference_is_of_the_server_that_the_entry_lives_on() -> None:
    there = "https://there.example/r4"
    entries = [{"fullUrl": f"{there}/Observation/o1", "resource": calcium()}]
    assert whose({"resourceType": "Bundle", "type": "searchset", "entry": entries}) == f"fhir|{there}/Patient/anna"


def test_a_urn_uuid_is_resolved_in_its_bundle() -> None:
    url = "urn:uuid:6b3f1f9e-0000-4000-8000-000000000001"
    entries = [
        {"fullUrl": "urn:uuid:1", "resource": calcium(subject={"reference": url})},
        {"fullUrl": url, "resource": patient()},
    ]
    assert whose({"resourceType": "Bundle", "type": "transaction", "entry": entries}) == "CLINIC|0042"


def test_a_urn_uuid_of_a_patient_without_a_mapped_identifier_is_that_patients_address() -> None:
    entries = [
        {"fullUrl": "urn:uuid:1", "resource": calcium(subject={"reference": "urn:uuid:2"})},
        {"fullUrl": "urn:uuid:2", "resource": patient(None)},
    ]
    outcome = translate({"resourceType": "Bundle", "type": "transaction", "entry": entries})
    assert {event.patient_id for event in outcome.events} == {UNKNOWN}


def test_the_patient_that_tells_the_number_links_it_with_what_was_written_until_then() -> None:
    directory = MemoryDirectory()
    assert whose(calcium(), directory) == UNKNOWN
    merge = only(PatientMerge, translate(patient(), directory))
    assert (merge.patient_id, merge.into) == (UNKNOWN, "CLINIC|0042")


def test_a_number_told_again_links_nothing_anew() -> None:
    directory = MemoryDirectory()
    translate(patient(), directory)
    assert of_kind(translate(patient(), directory).events, PatientMerge) == []


def test_a_changed_number_moves_the_link_and_merges_no_two_numbers() -> None:
    directory = MemoryDirectory()
    first = translate(patient("0042"), directory)
    second = translate(patient("0043"), directory)
    merge = only(PatientMerge, second)
    assert (merge.patient_id, merge.into) == (UNKNOWN, "CLINIC|0043")
    assert ("patient_renumbered" in first.counted, second.counted["patient_renumbered"]) == (False, 1)


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("replaced-by", ("CLINIC|0042", "fhir|https://ehr.example/fhir/Patient/berta")),
        ("replaces", ("fhir|https://ehr.example/fhir/Patient/berta", "CLINIC|0042")),
    ],
)
def test_a_link_that_replaces_merges(kind: str, expected: tuple[str, str]) -> None:
    outcome = translate(patient(link=[{"other": {"reference": "Patient/berta"}, "type": kind}]))
    merges = {(merge.patient_id, merge.into) for merge in of_kind(outcome.events, PatientMerge)}
    assert expected in merges


@pytest.mark.parametrize("kind", ["seealso", "refer"])
def test_a_link_that_only_points_merges_nothing(kind: str) -> None:
    outcome = translate(patient(None, link=[{"other": {"reference": "Patient/berta"}, "type": kind}]))
    assert of_kind(outcome.events, PatientMerge) == []


def test_a_related_person_is_nobody_to_merge_with() -> None:
    link = {"other": {"reference": "RelatedPerson/r"}, "type": "replaced-by"}
    assert of_kind(translate(patient(None, link=[link])).events, PatientMerge) == []


def test_a_preferred_authority_goes_before_the_order_of_the_identifiers() -> None:
    site = replace(SITE, fhir_authorities={MRN: "CLINIC", "urn:state": "STATE"}, preferred_authority="STATE")
    both = [{"system": MRN, "value": "7"}, {"system": "urn:state", "value": "8"}]
    assert only(Patient, translate(patient(identifier=both), site=site)).patient_id == "STATE|8"


def test_an_old_identifier_names_nobody() -> None:
    old = [{"system": MRN, "value": "7", "use": "old"}]
    assert only(Patient, translate(patient(identifier=old))).patient_id == UNKNOWN


def test_a_patient_is_told_with_birth_date_sex_name_and_death() -> None:
    name = [{"use": "old", "text": "Gone"}, {"use": "official", "given": ["An\u200bna", None], "family": "Roe"}]
    told = only(Patient, translate(patient(gender="female", name=name, deceasedDateTime="2026-03-01T10:00:00+01:00")))
    assert (told.birth_date, told.sex, told.name) == (date(1994, 5, 6), "female", "Anna Roe")
    assert told.deceased_at is not None


def test_a_birth_year_is_no_birth_day() -> None:
    outcome = translate(patient(birthDate="1994"))
    assert only(Patient, outcome).birth_date is None
    assert outcome.counted["partial_date"] == 1


def test_a_month_of_death_is_refused_by_itself_and_the_identity_still_holds() -> None:
    outcome = translate(patient(deceasedDateTime="2026-03"))
    assert [refused.where for refused in outcome.refusals] == ["Patient.deceasedDateTime"]
    (told,) = of_kind(outcome.events, Patient)
    assert (told.patient_id, told.deceased_at) == ("CLINIC|0042", None)


def test_an_undated_patient_ranks_below_every_dated_one() -> None:
    undated = only(Patient, translate(patient(meta={})))
    assert undated.recorded_at < only(Patient, translate(patient())).recorded_at
    assert undated.recorded_at.date() == date(1994, 5, 6)


def test_a_patient_whom_nothing_dates_is_refused() -> None:
    assert refusal(translate(patient(meta={}, birthDate="1994")))[0] == "Patient.meta.lastUpdated"


def test_a_dated_bundle_dates_its_patients() -> None:
    dated = {**bundle(patient(meta={})), "timestamp": LATER}
    assert only(Patient, translate(dated)).recorded_at.isoformat() == LATER


@pytest.mark.parametrize("subject", [None, {}, {"display": "Anna Roe"}])
def test_a_result_of_nobody_is_refused_without_quoting(subject: Any) -> None:
    outcome = translate(calcium(subject=subject))
    assert refusal(outcome)[0] == "Observation.subject"
    assert "Roe" not in repr(outcome)


def test_a_result_of_a_device_or_group_is_counted() -> None:
    outcome = translate(calcium(subject={"reference": "Group/g1"}))
    assert (outcome.events, outcome.refusals, outcome.counted["subject_not_patient"]) == ((), (), 1)


def test_a_result_that_comes_again_under_another_patient_is_taken_back_from_the_former() -> None:
    directory = MemoryDirectory()
    translate(calcium(meta={"versionId": "1", "lastUpdated": TIME_ONE}), directory)
    moved = calcium(subject={"reference": "Patient/berta"}, meta={"versionId": "2", "lastUpdated": LATER})
    told = of_kind(translate(moved, directory).events, LabResult)
    assert [(event.patient_id[-5:], event.status) for event in told] == [
        ("berta", "final"),
        ("/anna", "entered_in_error"),
    ]


TIME_ONE = "2026-01-31T09:00:00+01:00"
