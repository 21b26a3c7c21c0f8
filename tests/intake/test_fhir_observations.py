"""Observations beyond the laboratory: the code decides the kind."""

from datetime import date
from decimal import Decimal

import pytest

from schemas.events import BoneDensity, Event, Imaging, LabResult, Lactation, Measurement, Pregnancy, Symptom
from streams.intake.site import MemoryDirectory
from tests.intake.fhir_clinic import (
    LATER,
    LOINC,
    SNOMED,
    Resource,
    calcium,
    coded,
    observation,
    of_kind,
    only,
    quantity,
    refusal,
    translate,
)


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
