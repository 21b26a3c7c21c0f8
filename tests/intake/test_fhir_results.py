"""Observations of the laboratory: values, statuses, panels, specimens, times and ranges."""

from datetime import datetime
from decimal import Decimal
from typing import Any

import pytest

from schemas.events import LabResult
from schemas.wire import decode
from streams.intake.site import MemoryDirectory
from tests.intake.fhir_clinic import (
    LATER,
    LOINC,
    SNOMED,
    TIME,
    Resource,
    bundle,
    calcium,
    coded,
    observation,
    only,
    quantity,
    refusal,
    translate,
)


def lab(**more: Any) -> LabResult:
    return only(LabResult, translate(calcium(**more)))


def test_a_result_keeps_every_digit() -> None:
    document = decode(b'{"v": 9.50}')
    assert str(lab(valueQuantity=quantity(document["v"], "mg/dL")).value) == "9.50"


@pytest.mark.parametrize("comparator", ["<", "<=", ">", ">="])
def test_a_comparator_is_kept(comparator: str) -> None:
    told = lab(valueQuantity=quantity(5, "mg/dL", comparator=comparator))
    assert (told.value, told.comparator) == (Decimal(5), comparator)


def test_a_comparator_of_another_version_is_refused() -> None:
    where, reason = refusal(translate(calcium(valueQuantity=quantity(5, "mg/dL", comparator="ad"))))
    assert (where, "< <= > >=" in reason) == ("Observation.valueQuantity.comparator", True)


@pytest.mark.parametrize(
    ("text", "value", "comparator", "value_text"),
    [
        ("<5", Decimal(5), "<", None),
        (" >= 0.50 ", Decimal("0.50"), ">=", None),
        ("≤5", Decimal(5), "<=", None),
        ("<5 mg", None, None, "<5 mg"),
        ("5.2", None, None, "5.2"),
        ("haemo\u200blysed", None, None, "haemolysed"),
    ],
)
def test_a_text_is_a_number_only_behind_a_comparator(
    text: str, value: Decimal | None, comparator: str | None, value_text: str | None
) -> None:
    told = lab(valueQuantity=None, valueString=text)
    assert (told.value, told.comparator, told.value_text) == (value, comparator, value_text)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"valueCodeableConcept": coded(SNOMED, "10828004", text="positive")}, "positive"),
        ({"valueBoolean": False}, "false"),
        ({"valueRange": {"low": {"value": 2}, "high": {"value": 5}}}, "2 - 5"),
        ({"valueRatio": {"numerator": {"value": 1}, "denominator": {"value": 128}}}, "1:128"),
        ({"valueDateTime": "2026-01-31"}, "2026-01-31"),
    ],
)
def test_a_value_that_is_no_number_is_text(value: Resource, expected: str) -> None:
    assert lab(valueQuantity=None, **value).value_text == expected


def test_an_integer_is_a_number_without_a_unit() -> None:
    told = lab(valueQuantity=None, valueInteger=7)
    assert (told.value, told.unit) == (Decimal(7), None)


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ("preliminary", "preliminary"),
        ("final", "final"),
        ("amended", "corrected"),
        ("corrected", "corrected"),
        ("cancelled", "cancelled"),
        ("entered-in-error", "entered_in_error"),
    ],
)
def test_every_status_has_its_word(status: str, expected: str) -> None:
    assert lab(status=status).status == expected


def test_a_registered_result_is_ignored() -> None:
    outcome = translate(calcium(status="registered"))
    assert (outcome.events, dict(outcome.ignored)) == ((), {"Observation registered": 1})


@pytest.mark.parametrize("status", ["unknown", "done", None])
def test_an_unknown_status_is_refused_with_the_accepted_ones(status: str | None) -> None:
    where, reason = refusal(translate(calcium(status=status)))
    assert (where, "amended" in reason) == ("Observation.status", True)


def test_each_component_is_a_record_of_its_own() -> None:
    parts = [{"code": coded(LOINC, each), "valueQuantity": quantity(9, "mg/dL")} for each in ("17861-6", "2000-8")]
    outcome = translate(observation(coded(LOINC, "24323-8"), component=parts))
    assert [event.record_id for event in outcome.events] == ["Observation/o1#17861-6", "Observation/o1#2000-8"]
    assert len({event.event_id for event in outcome.events}) == 2


def test_two_components_of_one_code_stay_two_records() -> None:
    parts = [{"code": coded(LOINC, "17861-6"), "valueQuantity": quantity(each, "mg/dL")} for each in (9, 10)]
    events = translate(observation(coded(LOINC, "24323-8"), component=parts)).events
    assert len({event.record_id for event in events}) == 2


def test_an_own_value_stands_beside_the_components() -> None:
    part = {"code": coded(LOINC, "2000-8"), "valueQuantity": quantity(2, "mmol/L")}
    assert len(translate(calcium(component=[part])).events) == 2


@pytest.mark.parametrize("panel", [{"hasMember": [{"reference": "Observation/x"}]}, {"component": []}])
def test_a_panel_without_a_value_is_ignored(panel: Resource) -> None:
    outcome = translate(observation(coded(LOINC, "17861-6"), **panel))
    assert (outcome.events, dict(outcome.ignored), outcome.refusals) == ((), {"Observation panel": 1}, ())


def test_an_absent_value_is_counted() -> None:
    outcome = translate(calcium(valueQuantity=None, dataAbsentReason=coded("x", "unknown")))
    assert (outcome.events, dict(outcome.counted)) == ((), {"data_absent": 1})


def test_a_correction_that_leaves_no_value_takes_back_the_one_that_was_told() -> None:
    directory = MemoryDirectory()
    translate(calcium(), directory)
    absent = calcium(status="corrected", valueQuantity=None, dataAbsentReason=coded("x", "error"))
    assert only(LabResult, translate(absent, directory)).status == "cancelled"


def test_the_first_coding_that_the_tables_map_is_taken() -> None:
    code = {"coding": [{"system": "urn:lab", "code": "CA"}, {"system": LOINC, "code": "17861-6"}]}
    assert lab(code=code).code.code == "17861-6"


LABORATORY = [coded("http://terminology.hl7.org/CodeSystem/observation-category", "laboratory")]
VITAL_SIGNS = [coded("http://terminology.hl7.org/CodeSystem/observation-category", "vital-signs")]


@pytest.mark.parametrize(
    ("system", "category", "is_told"),
    [
        ("urn:lab", LABORATORY, True),
        (LOINC, [], True),
        (LOINC, VITAL_SIGNS, False),
        ("urn:lab", [], False),
    ],
)
def test_an_unmapped_code_is_a_result_of_the_laboratory_and_else_counted(
    system: str, category: list[Resource], *, is_told: bool
) -> None:
    outcome = translate(calcium(code=coded(system, "99999-9"), category=category))
    assert (len(outcome.events), outcome.counted["unmapped_code"]) == (int(is_told), 1)


def test_what_matters_to_nobody_needs_neither_patient_nor_time() -> None:
    pulse = observation(coded("urn:ward", "pulse"), valueQuantity=quantity(70, "/min"), subject=None)
    outcome = translate({**pulse, "effectiveDateTime": None})
    assert (outcome.events, outcome.refusals, dict(outcome.counted)) == ((), (), {"unmapped_code": 1})


SPECIMEN = {
    "resourceType": "Specimen",
    "id": "s1",
    "type": {"text": "serum"},
    "collection": {
        "collectedDateTime": "2026-01-30T07:00:00+01:00",
        "fastingStatusCodeableConcept": coded("http://terminology.hl7.org/CodeSystem/v2-0916", "F"),
    },
    "condition": [coded("http://terminology.hl7.org/CodeSystem/v2-0493", "HEM")],
}


@pytest.mark.parametrize("where", ["contained", "bundled"])
def test_the_specimen_says_when_it_was_drawn_and_in_what_state(where: str) -> None:
    if where == "contained":
        outcome = translate(calcium(contained=[SPECIMEN], specimen={"reference": "#s1"}))
    else:
        outcome = translate(bundle(calcium(specimen={"reference": "Specimen/s1"}), SPECIMEN))
    told = only(LabResult, outcome)
    assert told.collected_at == datetime.fromisoformat("2026-01-30T07:00:00+01:00")
    assert (told.fasting, told.quality, told.specimen) == (True, "haemolysed", "serum")


@pytest.mark.parametrize(("answer", "expected"), [("LA33-6", True), ("LA32-8", False), ("LA4489-6", None)])
def test_fasting_may_be_said_by_a_component(answer: str, expected: bool | None) -> None:
    part = {"code": coded(LOINC, "49541-6"), "valueCodeableConcept": coded(LOINC, answer)}
    assert lab(component=[part]).fasting is expected


@pytest.mark.parametrize(
    "effective",
    [
        {"effectiveDateTime": TIME},
        {"effectiveDateTime": None, "effectivePeriod": {"start": TIME}},
        {"effectiveDateTime": None, "effectiveInstant": TIME},
    ],
)
def test_each_form_of_the_effective_time_is_read(effective: Resource) -> None:
    assert lab(**effective).collected_at == datetime.fromisoformat(TIME)


def test_a_day_is_its_local_midnight_and_counted() -> None:
    outcome = translate(calcium(effectiveDateTime="2026-07-01"))
    assert only(LabResult, outcome).collected_at.isoformat() == "2026-07-01T00:00:00+02:00"
    assert outcome.counted["day_precision"] >= 1


@pytest.mark.parametrize("text", ["2026", "2026-01", "2026-01-31T08:00:00", "2026-02-30", "yesterday"])
def test_a_time_that_would_have_to_be_guessed_is_refused(text: str) -> None:
    assert refusal(translate(calcium(effectiveDateTime=text)))[0] == "Observation.effectiveDateTime"


def test_a_result_without_any_time_is_refused() -> None:
    where, _ = refusal(translate(calcium(effectiveDateTime=None, issued=LATER)))
    assert where == "Observation.effective[x]"


@pytest.mark.parametrize(
    ("status", "issued", "updated", "expected"),
    [
        ("final", LATER, "2026-02-09T10:00:00+01:00", LATER),
        ("final", None, LATER, LATER),
        ("final", None, None, TIME),
        ("corrected", LATER, "2026-02-09T10:00:00+01:00", "2026-02-09T10:00:00+01:00"),
    ],
)
def test_recorded_is_what_was_issued_then_updated_then_the_clinical_time(
    status: str, issued: str | None, updated: str | None, expected: str
) -> None:
    told = lab(status=status, issued=issued, meta={"lastUpdated": updated} if updated else None)
    assert told.recorded_at.isoformat() == expected


def range_of(low: Any, high: Any, unit: str = "mg/dL", **more: Any) -> Resource:
    return {"low": quantity(low, unit), "high": quantity(high, unit), **more}


@pytest.mark.parametrize(
    ("ranges", "expected"),
    [
        ([range_of(8, 10)], (Decimal(8), Decimal(10))),
        (
            [range_of(8, 10, type=coded("x", "normal")), range_of(7, 9, type=coded("x", "treatment"))],
            (Decimal(8), Decimal(10)),
        ),
        ([range_of(2, 3, unit="mmol/L")], None),
        ([range_of(8, 10), range_of(7, 9)], None),
        ([{"text": "8-10"}], None),
    ],
    ids=["one", "normal of two", "another unit", "two that apply", "text"],
)
def test_only_the_one_normal_range_in_the_unit_of_the_result_is_taken(
    ranges: list[Resource], expected: tuple[Decimal, Decimal] | None
) -> None:
    told = lab(referenceRange=ranges).reference_range
    assert (None if told is None else (told.low, told.high)) == expected


def test_laboratory_and_assay_are_named() -> None:
    performers = [
        {"reference": "Practitioner/1", "display": "Dr P"},
        {"reference": "Organization/9", "display": "Acme"},
    ]
    told = lab(performer=performers, method={"text": "ECLIA"})
    assert (told.laboratory, told.assay) == ("Acme", "ECLIA")


def test_the_ucum_code_goes_before_the_unit_as_it_is_written() -> None:
    assert (
        lab(
            valueQuantity={"value": 1, "unit": "milligram", "system": "http://unitsofmeasure.org", "code": "mg/dL"}
        ).unit
        == "mg/dL"
    )
    assert lab(valueQuantity={"value": 1, "unit": "mg/dl"}).unit == "mg/dl"
