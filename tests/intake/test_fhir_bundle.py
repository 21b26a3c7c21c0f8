"""Bundles of every type, other versions of FHIR, and the names of what is told."""

import json
from typing import Any

import pytest

from schemas.events import LabResult, Patient
from schemas.wire import LARGEST_MESSAGE
from streams.intake.fhir import LARGEST_BUNDLE, translate_fhir_bytes
from streams.intake.outcome import Translation
from streams.intake.site import MemoryDirectory
from tests.intake.fhir_clinic import (
    LATER,
    LOINC,
    SITE,
    SNOMED,
    TIME,
    Resource,
    bundle,
    calcium,
    coded,
    condition,
    enoxaparin,
    of_kind,
    only,
    patient,
    refusal,
    tables,
    translate,
)

TYPES = ["searchset", "collection", "transaction", "batch", "history", "document", "message"]


def from_bytes(raw: bytes) -> Translation:
    return translate_fhir_bytes(raw, site=SITE, tables=tables(), directory=MemoryDirectory())


@pytest.mark.parametrize("kind", TYPES)
def test_a_bundle_of_any_type_is_read(kind: str) -> None:
    assert only(LabResult, translate(bundle(calcium(), patient(), kind=kind))).patient_id == "CLINIC|0042"


@pytest.mark.parametrize("kind", ["transaction-response", "batch-response"])
def test_a_response_without_resources_is_counted(kind: str) -> None:
    entries = [{"response": {"status": "201 Created", "location": "Observation/1"}}]
    outcome = translate({"resourceType": "Bundle", "type": kind, "entry": entries})
    assert (outcome.events, outcome.refusals, dict(outcome.ignored)) == ((), (), {"entry without resource": 1})


def test_an_empty_bundle_says_nothing() -> None:
    assert translate({"resourceType": "Bundle", "type": "searchset"}) == Translation()


def test_types_that_matter_to_nobody_are_ignored_and_counted() -> None:
    others = [{"resourceType": each} for each in ("Provenance", "CarePlan", "CarePlan")]
    assert dict(translate(bundle(*others)).ignored) == {"Provenance": 1, "CarePlan": 2}


def test_a_bundle_within_a_bundle_is_read() -> None:
    assert only(LabResult, translate(bundle(bundle(calcium()), kind="batch-response")))


def nested(depth: int) -> Resource:
    inner = bundle(calcium())
    for _ in range(depth - 1):
        inner = bundle(inner)
    return inner


@pytest.mark.parametrize(("depth", "is_read"), [(4, True), (5, False)])
def test_bundles_are_nested_four_deep_at_most(depth: int, *, is_read: bool) -> None:
    outcome = translate(nested(depth))
    assert (bool(outcome.events), outcome.refused_whole) == (is_read, not is_read)


def entry(method: str, url: str, resource: Resource | None = None, **response: str) -> Resource:
    request = {"method": method, "url": url}
    return {"request": request, **({"resource": resource} if resource else {}), "response": response}


def test_a_delete_takes_back_what_was_told() -> None:
    directory = MemoryDirectory()
    translate(bundle(calcium(), patient()), directory)
    deletion = entry("DELETE", "Observation/o1", lastModified=LATER)
    told = only(LabResult, translate({"resourceType": "Bundle", "type": "transaction", "entry": [deletion]}, directory))
    assert (told.status, told.patient_id, told.recorded_at.isoformat()) == ("entered_in_error", "CLINIC|0042", LATER)


def test_a_delete_takes_back_every_part() -> None:
    directory = MemoryDirectory()
    translate(condition(coded(SNOMED, "72892002")), directory)
    deletion = entry("DELETE", "Condition/c1", lastModified=LATER)
    outcome = translate({"resourceType": "Bundle", "type": "batch", "entry": [deletion]}, directory)
    assert [each.record_id for each in outcome.events] == ["Condition/c1", "Condition/c1#pregnancy"]


def test_a_delete_of_what_was_never_told_is_counted() -> None:
    deletion = entry("DELETE", "Observation/o9")
    outcome = translate({"resourceType": "Bundle", "type": "transaction", "entry": [deletion]})
    assert (outcome.events, dict(outcome.counted)) == ((), {"delete_of_unknown": 1})


def test_a_patch_is_refused_for_the_resource_is_not_there() -> None:
    patch = entry("PATCH", "Observation/o1", {"resourceType": "Binary"})
    outcome = translate({"resourceType": "Bundle", "type": "transaction", "entry": [patch]})
    assert "PATCH" in refusal(outcome)[1]


def test_a_get_is_ignored() -> None:
    batch = {"resourceType": "Bundle", "type": "batch", "entry": [entry("GET", "Patient?name=x")]}
    assert dict(translate(batch).ignored) == {"GET": 1}


def test_a_history_tells_every_version_the_oldest_first() -> None:
    versions = [
        calcium(value, meta={"versionId": name, "lastUpdated": at})
        for value, name, at in ((10, "2", LATER), (9, "1", TIME))
    ]
    told = of_kind(translate(bundle(*versions, kind="history")).events, LabResult)
    assert [(each.event_id, each.recorded_at.isoformat()) for each in told] == [
        ("Observation/o1/1", TIME),
        ("Observation/o1/2", LATER),
    ]


def test_a_result_takes_from_its_report_in_the_bundle_what_it_does_not_say() -> None:
    report = {
        "resourceType": "DiagnosticReport",
        "id": "r1",
        "status": "final",
        "code": coded(LOINC, "24323-8"),
        "subject": {"reference": "Patient/anna"},
        "effectiveDateTime": TIME,
        "result": [{"reference": "Observation/o1"}],
    }
    bare = {name: value for name, value in calcium().items() if name not in {"subject", "effectiveDateTime"}}
    told = only(LabResult, translate(bundle(report, bare)))
    assert (told.collected_at.isoformat(), told.record_id) == (TIME, "Observation/o1")
    own = only(LabResult, translate(bundle(report, calcium(effectiveDateTime=LATER))))
    assert own.collected_at.isoformat() == LATER


def test_one_wrong_entry_is_refused_and_the_others_stand() -> None:
    outcome = translate(bundle(calcium(status="odd"), calcium(id="o2")))
    assert [each.record_id for each in outcome.events] == ["Observation/o2"]
    assert [(each.refused, each.where) for each in outcome.refusals] == [("Observation/o1", "Observation.status")]


def test_a_resource_without_an_id_is_refused_by_its_place() -> None:
    wrong = {name: value for name, value in calcium(status="odd").items() if name != "id"}
    (refused,) = translate(bundle(wrong)).refusals
    assert refused.refused == "Observation (Bundle.entry[0])"


@pytest.mark.parametrize("entries", [{}, "x", 7, [7], [None], [{"resource": 7}], [{"resource": {}}]])
def test_a_bundle_of_no_entries_that_can_be_read_is_refused(entries: Any) -> None:
    assert translate({"resourceType": "Bundle", "type": "batch", "entry": entries}).refused_whole


@pytest.mark.parametrize(
    ("kind", "field", "version"),
    [
        ("Observation", "comments", "DSTU2"),
        ("Observation", "comment", "STU3"),
        ("MedicationRequest", "medication", "R5"),
        ("MedicationStatement", "taken", "STU3"),
        ("MedicationAdministration", "occurrenceDateTime", "R5"),
        ("Procedure", "occurrencePeriod", "R5"),
        ("Condition", "assertedDate", "STU3"),
        ("Encounter", "actualPeriod", "R5"),
        ("Patient", "animal", "STU3"),
    ],
)
def test_a_resource_of_another_version_is_refused_by_name(kind: str, field: str, version: str) -> None:
    where, reason = refusal(translate({"resourceType": kind, "id": "x", field: {}}))
    assert where == f"{kind}.{field}"
    assert version in reason
    assert "R4" in reason


@pytest.mark.parametrize(
    ("content", "where"),
    [
        ({"resourceType": "Condition", "clinicalStatus": "active"}, "Condition.clinicalStatus"),
        ({"resourceType": "Encounter", "class": [{}]}, "Encounter.class"),
        ({"resourceType": "ServiceRequest", "code": {"concept": {}}}, "ServiceRequest.code.concept"),
        ({"resourceType": "MedicationOrder"}, "MedicationOrder"),
        ({"resourceType": "NutritionIntake"}, "resourceType"),
    ],
)
def test_the_shape_of_another_version_is_refused(content: Resource, where: str) -> None:
    assert refusal(translate(content))[0] == where


def test_tags_extensions_and_narrative_change_nothing() -> None:
    more = {"extension": [{"url": "x", "valueCode": "y"}], "text": {"div": "<div/>"}, "modifierExtension": []}
    plain, decorated = translate(calcium()).events[0], translate(calcium(**more)).events[0]
    assert plain.model_dump(exclude={"event_id"}) == decorated.model_dump(exclude={"event_id"})


def test_a_message_is_named_by_its_version_else_by_its_content() -> None:
    def name(**more: Any) -> str:
        return translate(calcium(**more)).events[0].event_id

    assert name(meta={"versionId": "3"}) == "Observation/o1/3"
    assert name() == name()
    assert name() != name(valueQuantity={"value": 9.6, "unit": "mg/dL"})
    assert name().startswith("Observation/o1/")


def test_the_order_of_the_fields_is_not_content() -> None:
    turned = dict(reversed(calcium().items()))
    assert translate(turned).events[0].event_id == translate(calcium()).events[0].event_id


@pytest.mark.parametrize(("identifier", "expected"), [([{"value": "A17"}], "Observation/A17"), ([], "Observation/")])
def test_a_record_without_an_id_is_named_by_its_identifier_else_by_its_content(
    identifier: list[Resource], expected: str
) -> None:
    bare = {name: value for name, value in calcium(identifier=identifier).items() if name != "id"}
    first, again = translate(bare).events[0], translate(bare).events[0]
    assert first.record_id.startswith(expected)
    assert first.record_id == again.record_id
    assert len(first.record_id) > len("Observation/")


def test_the_source_is_that_of_the_site_or_fhir() -> None:
    assert translate(calcium()).events[0].source == "fhir"


def test_the_same_document_twice_tells_the_same() -> None:
    document = bundle(patient(), calcium(), enoxaparin(), condition(coded(SNOMED, "72892002")))
    assert translate(document) == translate(document)


def test_ten_thousand_entries_are_read() -> None:
    outcome = translate(bundle(patient(), *(calcium(id=str(i)) for i in range(10_000))))
    assert len(of_kind(outcome.events, LabResult)) == 10_000
    assert {each.patient_id for each in of_kind(outcome.events, LabResult)} == {"CLINIC|0042"}


def test_bytes_are_read_with_every_digit() -> None:
    raw = json.dumps(calcium()).encode().replace(b"9.5", b"9.500")
    assert str(only(LabResult, from_bytes(raw)).value) == "9.500"


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"<Observation/>",
        b"NaN",
        b"[]",
        b"null",
        b"\xff",
        b'{"resourceType":' * 50_000,
        b'{"resourceType":"\\ud800"}',
    ],
    ids=["empty", "xml", "nan", "list", "null", "no-utf8", "depth", "surrogate"],
)
def test_what_is_no_fhir_json_is_refused(raw: bytes) -> None:
    assert from_bytes(raw).refused_whole


@pytest.mark.parametrize(
    ("document", "most"),
    [(calcium(), LARGEST_MESSAGE), (bundle(calcium()), LARGEST_BUNDLE)],
    ids=["resource", "bundle"],
)
def test_a_bundle_may_be_larger_than_a_resource_and_both_have_a_bound(document: Resource, most: int) -> None:
    raw = json.dumps(document).encode()
    assert from_bytes(raw.ljust(most)).events
    assert "larger" in refusal(from_bytes(raw.ljust(most + 1)))[1]


def test_a_patient_is_told_before_anything_of_it() -> None:
    events = translate(bundle(calcium(), patient())).events
    assert isinstance(events[0], Patient)
