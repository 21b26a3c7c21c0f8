"""Whatever a resource holds, the outcome is events, a count or a named refusal: never an exception."""

import copy
import math
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from streams.intake.outcome import Translation
from tests.intake.fhir_clinic import (
    LOINC,
    RXNORM,
    SNOMED,
    TIME,
    Resource,
    bundle,
    calcium,
    coded,
    condition,
    dosage,
    enoxaparin,
    observation,
    patient,
    quantity,
    translate,
)


def about_anna(kind: str, **more: Any) -> Resource:
    return {"resourceType": kind, "id": "x", "status": "completed", "subject": {"reference": "Patient/anna"}, **more}


HEPARIN = coded(RXNORM, "5224")
MRI = coded(LOINC, "24968-0")
RESOURCES: list[Resource] = [
    patient(name=[{"family": "Roe", "given": ["A"]}], link=[{"other": {"reference": "Patient/b"}, "type": "replaces"}]),
    calcium(
        referenceRange=[{"low": quantity(8, "mg/dL")}],
        contained=[{"resourceType": "Specimen", "id": "s", "collection": {"collectedDateTime": TIME}}],
        specimen={"reference": "#s"},
        performer=[{"reference": "Organization/1", "display": "Acme"}],
        component=[{"code": coded(LOINC, "2000-8"), "valueString": "<5"}],
    ),
    observation(coded(LOINC, "18185-9"), valueQuantity=quantity(30, "wk")),
    observation(coded(LOINC, "72514-3"), valueQuantity=quantity(7, "1"), bodySite=coded(SNOMED, "77568009")),
    enoxaparin(
        dosage(60, sequence=1, repeat={"boundsPeriod": {"start": "2026-02-01", "end": "2026-02-07"}}),
        dosage(40, sequence=2, repeat={"boundsDuration": quantity(7, "d"), "dayOfWeek": ["mon"], "count": 3}),
        meta={"lastUpdated": "2026-05-01T00:00:00Z"},
        status="completed",
        identifier=[{"value": "P1"}],
    ),
    about_anna(
        "MedicationAdministration",
        medicationCodeableConcept=HEPARIN,
        effectivePeriod={"start": TIME, "end": TIME},
        dosage={"rateRatio": {"numerator": quantity(24000, "[IU]"), "denominator": quantity(24, "h")}},
    ),
    about_anna(
        "MedicationDispense",
        medicationCodeableConcept=HEPARIN,
        whenHandedOver=TIME,
        daysSupply=quantity(4, "wk"),
        authorizingPrescription=[{"reference": "MedicationRequest/m1"}],
    ),
    about_anna("MedicationStatement", medicationCodeableConcept=HEPARIN, effectivePeriod={"start": "2026-01-01"}),
    condition(coded(SNOMED, "72892002"), "resolved", abatementDateTime=TIME, bodySite=[coded(SNOMED, "7771000")]),
    about_anna("Procedure", code=coded(SNOMED, "66348005"), performedDateTime=TIME),
    about_anna("ServiceRequest", intent="order", code=MRI, authoredOn=TIME, occurrencePeriod={"start": TIME}),
    about_anna("DiagnosticReport", code=MRI, effectiveDateTime=TIME, contained=[calcium()]) | {"status": "final"},
    {
        "resourceType": "Appointment",
        "id": "t",
        "status": "booked",
        "serviceType": [MRI],
        "start": TIME,
        "created": TIME,
        "participant": [{"actor": {"reference": "Patient/anna"}}],
    },
    about_anna("Encounter", period={"start": TIME}, type=[coded(SNOMED, "424441002")]) | {"status": "finished"},
]
ODD: list[Any] = [
    None,
    True,
    0,
    -1,
    10**40,
    1e400,
    math.nan,
    Decimal("1e400"),
    Decimal("NaN"),
    1e-300,
    "",
    "\ud800",
    "\x00",
    "x" * 70_000,
    "2026",
    "9999-12-31",
    "0001-01-01T00:00:00Z",
    "2200-12-31T23:59:59-12:00",
    "2026-01-31T08:00:00",
    "Patient/",
    "#",
    "#x",
    "urn:uuid:",
    "Patient?identifier=|",
    [],
    [[]],
    [None],
    {},
    {"coding": None},
    {"coding": [{"system": "s" * 300, "code": "c"}]},
    {"value": 5, "unit": "u" * 300},
    {"reference": "Patient/" + "9" * 300},
    {"start": "2026", "end": "x"},
]


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every place below a resource."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield (*path, key)
        yield from places(inner, (*path, key))


def with_put(resource: Resource, path: tuple[Any, ...], value: Any) -> Resource:
    changed = copy.deepcopy(resource)
    inner: Any = changed
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    return changed


def is_an_outcome(outcome: Translation) -> bool:
    return bool(outcome.events or outcome.refusals or outcome.ignored or outcome.counted)


@pytest.mark.parametrize("resource", RESOURCES, ids=lambda each: str(each["resourceType"]))
def test_the_resources_that_are_mutated_here_are_themselves_told(resource: Resource) -> None:
    outcome = translate(resource)
    assert outcome.events
    assert outcome.refusals == ()


@pytest.mark.parametrize("resource", RESOURCES, ids=lambda each: str(each["resourceType"]))
def test_an_odd_value_anywhere_gives_an_outcome(resource: Resource) -> None:
    for path in places(resource):
        for value in ODD:
            assert is_an_outcome(translate(with_put(resource, path, value))), (path, value)


@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_several_odd_values_in_a_bundle_give_an_outcome(data: st.DataObject) -> None:
    document = bundle(*RESOURCES)
    for _ in range(data.draw(st.integers(1, 6))):
        path = data.draw(st.sampled_from(sorted(places(document), key=repr)))
        document = with_put(document, path, data.draw(st.sampled_from(ODD)))
    assert is_an_outcome(translate(document)) or document == {**document, "entry": []}


@pytest.mark.parametrize("document", [None, 7, "x", [], {}, {"resourceType": 7}, {"resourceType": "x" * 10_000}])
def test_what_is_no_resource_is_refused_without_quoting_it(document: object) -> None:
    outcome = translate(document)
    assert outcome.refused_whole
    assert len(repr(outcome)) < 1_000


def deep(levels: int) -> Any:
    value: Any = "x"
    for _ in range(levels):
        value = {"extension": value}
    return value


def test_a_resource_nested_without_end_is_refused() -> None:
    assert translate(calcium(extension=deep(100_000))).refused_whole


@pytest.mark.parametrize("text", ["a/" * 1_000_000, "Patient?identifier=" * 100_000, "A" * 2_000_000])
def test_a_reference_of_any_length_takes_bounded_time(text: str) -> None:
    assert is_an_outcome(translate(calcium(subject={"reference": text})))


def test_no_refusal_quotes_a_name_or_a_value() -> None:
    wrong = patient(name=[{"family": 7, "text": "Jane Roe"}], birthDate="Jane Roe", gender="Jane Roe")
    assert "Jane" not in repr(translate(wrong))
