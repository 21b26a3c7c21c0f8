"""Observations: the code decides the kind."""

from datetime import date, datetime
from decimal import Decimal
from typing import Any

import pytest

from schemas.events import (
    BoneDensity,
    Event,
    Imaging,
    LabResult,
    Lactation,
    Measurement,
    Pregnancy,
    Symptom,
)
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
    of_kind,
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


def test_height_is_a_measurement() -> None:
    told = only(Measurement, translate(observation(coded(LOINC, "8302-2"), valueQuantity=quantity(165, "cm"))))
    assert (told.measure, told.value, told.unit, told.self_reported) == ("body_height", Decimal(165), "cm", None)


def test_a_measurement_by_the_patient_is_self_reported() -> None:
    weight = observation(
        coded(LOINC, "29463-7"), valueQuantity=quantity(61, "kg"), performer=[{"reference": "Patient/anna"}]
    )
    assert only(Measurement, translate(weight)).self_reported is True


@pytest.mark.parametrize("value", [{"value": 165}, quantity(165, "cm", comparator="<")])
def test_a_measurement_without_unit_or_with_a_bound_is_refused(value: Resource) -> None:
    assert refusal(translate(observation(coded(LOINC, "8302-2"), valueQuantity=value)))


@pytest.mark.parametrize(
    ("code", "unit", "site", "field"),
    [
        ("38267-1", "1", "lumbar_spine", "t_score"),
        ("85394-5", "1", "lumbar_spine", "z_score"),
        ("46278-8", "g/cm2", "total_hip", "density_g_cm2"),
    ],
)
def test_each_dxa_value_has_its_site_and_field(code: str, unit: str, site: str, field: str) -> None:
    told = only(BoneDensity, translate(observation(coded(LOINC, code), valueQuantity=quantity(0.8, unit))))
    assert (told.site, getattr(told, field)) == (site, Decimal("0.8"))


def test_a_dxa_panel_is_told_component_by_component() -> None:
    parts = [
        {"code": coded(LOINC, "38267-1"), "valueQuantity": quantity(-2.6, "1")},
        {"code": coded(LOINC, "24966-4"), "valueQuantity": quantity(0.75, "g/cm2")},
    ]
    told = of_kind(translate(observation(coded(LOINC, "38268-9"), component=parts)).events, BoneDensity)
    assert [(each.t_score, each.density_g_cm2) for each in told] == [(Decimal("-2.6"), None), (None, Decimal("0.75"))]


def test_the_body_site_says_where_a_bone_is_that_the_code_leaves_open() -> None:
    density = observation(
        coded(LOINC, "46383-6"), valueQuantity=quantity(0.8, "g/cm2"), bodySite=coded(SNOMED, "29627003")
    )
    assert only(BoneDensity, translate(density)).site == "femoral_neck"


def test_a_density_in_an_unknown_unit_is_refused() -> None:
    outcome = translate(observation(coded(LOINC, "46278-8"), valueQuantity=quantity(0.8, "furlong")))
    assert refusal(outcome)[0] == "Observation.valueQuantity.unit"


PAIN = coded(LOINC, "72514-3")


@pytest.mark.parametrize(
    ("site", "symptom", "side"),
    [
        ("77568009", "back_pain", None),
        ("29836001:272741003=7771000", "hip_pain", "left"),
        ("24136001", "hip_pain", None),
        ("26893007", "groin_pain", None),
    ],
)
def test_a_pain_score_is_of_the_site_that_is_coded(site: str, symptom: str, side: str | None) -> None:
    outcome = translate(observation(PAIN, valueQuantity=quantity(7, "{score}"), bodySite=coded(SNOMED, site)))
    told = of_kind(outcome.events, Symptom)
    assert [(each.symptom, each.score, each.side) for each in told] == [(symptom, Decimal(7), side)]


def test_the_side_of_a_pain_is_read_beside_its_site() -> None:
    site = {"coding": [{"system": SNOMED, "code": "24136001"}, {"system": SNOMED, "code": "7771000"}]}
    pain = observation(PAIN, valueQuantity=quantity(7, "{score}"), bodySite=site)
    assert only(Symptom, translate(pain)).side == "left"


def test_a_pain_without_a_site_is_counted() -> None:
    outcome = translate(observation(PAIN, valueQuantity=quantity(7, "{score}")))
    assert (outcome.events, dict(outcome.counted)) == ((), {"pain_without_site": 1})


def test_a_score_beyond_ten_is_refused() -> None:
    pain = observation(PAIN, valueQuantity=quantity(11, "{score}"), bodySite=coded(SNOMED, "77568009"))
    assert refusal(translate(pain))[0].endswith(".score")


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        (coded(SNOMED, "77386006"), "pregnant"),
        (coded(LOINC, "LA15173-0"), "pregnant"),
        (coded(SNOMED, "60001007"), "refuted"),
    ],
)
def test_pregnancy_status_is_read_from_its_code(answer: Resource, status: str) -> None:
    assert (
        only(Pregnancy, translate(observation(coded(LOINC, "82810-3"), valueCodeableConcept=answer))).status == status
    )


@pytest.mark.parametrize("answer", [coded(LOINC, "LA4489-6"), coded(SNOMED, "86569001"), {"text": "pregnant"}])
def test_a_status_that_says_neither_is_counted(answer: Resource) -> None:
    outcome = translate(observation(coded(LOINC, "82810-3"), valueCodeableConcept=answer))
    assert (outcome.events, outcome.counted["unmapped_value"]) == ((), 1)


@pytest.mark.parametrize(("code", "field"), [("11778-8", "estimated_due_date"), ("8665-2", "last_menstrual_period")])
@pytest.mark.parametrize("value", ["2026-08-01", "2026-07-31T23:30:00Z"])
def test_a_dated_pregnancy_has_its_local_day(code: str, field: str, value: str) -> None:
    told = only(Pregnancy, translate(observation(coded(LOINC, code), valueDateTime=value)))
    assert (getattr(told, field), told.status) == (date(2026, 8, 1), "pregnant")


def test_a_month_is_no_due_date() -> None:
    assert refusal(translate(observation(coded(LOINC, "11778-8"), valueDateTime="2026-08")))


@pytest.mark.parametrize(
    ("value", "days"),
    [
        ({"valueQuantity": quantity(30, "wk")}, 210),
        ({"valueQuantity": quantity(212, "d")}, 212),
        ({"valueString": "38w5d"}, 271),
        ({"valueString": "38 weeks 5 days"}, 271),
    ],
)
def test_gestational_age_is_in_whole_days(value: Resource, days: int) -> None:
    assert only(Pregnancy, translate(observation(coded(LOINC, "18185-9"), **value))).gestational_age_days == days


@pytest.mark.parametrize(
    "value",
    [
        {"valueQuantity": quantity(38.5, "wk")},
        {"valueQuantity": quantity(9, "mo")},
        {"valueQuantity": quantity(1e30, "wk")},
        {"valueQuantity": quantity(46, "wk")},
        {"valueString": "term"},
    ],
)
def test_a_gestational_age_that_is_ambiguous_or_impossible_is_refused(value: Resource) -> None:
    assert refusal(translate(observation(coded(LOINC, "18185-9"), **value)))


@pytest.mark.parametrize(
    ("answer", "feeding"),
    [
        (coded(SNOMED, "1258999009"), "exclusive"),
        (coded(SNOMED, "1258998001"), "mixed"),
        (coded(SNOMED, "200441004"), "none"),
        (coded("urn:site:feeding", "exclusive"), "exclusive"),
    ],
)
def test_feeding_is_read_from_its_code(answer: Resource, feeding: str) -> None:
    told = only(Lactation, translate(observation(coded(LOINC, "63895-7"), valueCodeableConcept=answer)))
    assert (told.feeding, told.since) == (feeding, date(2026, 1, 31))


def test_breast_feeding_alone_does_not_say_whether_exclusively() -> None:
    feeding = observation(coded(LOINC, "63895-7"), valueCodeableConcept=coded(SNOMED, "866041003"))
    outcome = translate(feeding)
    assert (outcome.events, outcome.counted["feeding_not_said"]) == ((), 1)


def test_an_imaging_observation_has_its_coded_finding() -> None:
    collapse = observation(coded(LOINC, "24968-0"), valueCodeableConcept=coded(SNOMED, "240198002"))
    told = only(Imaging, translate(collapse))
    assert (told.modality, told.region, told.status) == ("MRI", "spine", "final")
    assert [each.finding for each in told.findings] == ["vertebral_fracture"]


@pytest.mark.parametrize(
    ("resource", "model"),
    [
        (calcium(), LabResult),
        (observation(coded(LOINC, "8302-2"), valueQuantity=quantity(165, "cm")), Measurement),
        (observation(coded(LOINC, "38267-1"), valueQuantity=quantity(-2, "1")), BoneDensity),
        (observation(coded(LOINC, "11778-8"), valueDateTime="2026-08-01"), Pregnancy),
    ],
)
@pytest.mark.parametrize("status", ["entered-in-error", "cancelled"])
def test_what_was_told_is_taken_back_though_the_resource_is_stripped(
    resource: Resource, model: type[Event], status: str
) -> None:
    directory = MemoryDirectory()
    translate(resource, directory)
    stripped = {name: resource[name] for name in ("resourceType", "id", "code", "subject")}
    taken_back = only(model, translate({**stripped, "status": status, "meta": {"lastUpdated": LATER}}, directory))
    said = getattr(taken_back, "record_status", None) or getattr(taken_back, "status", None)
    assert said == status.replace("-", "_")
    assert taken_back.recorded_at.isoformat() == LATER


def test_a_stripped_retraction_of_what_was_never_told_is_counted() -> None:
    height = observation(coded(LOINC, "8302-2"), status="entered-in-error")
    outcome = translate(height)
    assert (outcome.events, outcome.refusals, outcome.counted["retraction_of_unknown"]) == ((), (), 1)
