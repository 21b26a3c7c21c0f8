"""FHIR resources in the words of the clinic, and what becomes of them."""

from collections.abc import Iterable
from functools import cache
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

from schemas.events import AnyEvent
from schemas.tables import Tables
from streams.intake.fhir import translate_fhir
from streams.intake.outcome import Translation
from streams.intake.site import Directory, MemoryDirectory, Site

E = TypeVar("E")
Resource = dict[str, Any]

MRN = "urn:oid:1.2.3.4"
SITE = Site(time_zone=ZoneInfo("Europe/Berlin"), fhir_authorities={MRN: "CLINIC"}, fhir_base="https://ehr.example/fhir")
LOINC, SNOMED, RXNORM = "http://loinc.org", "http://snomed.info/sct", "http://www.nlm.nih.gov/research/umls/rxnorm"
UCUM = "http://unitsofmeasure.org"
TIME = "2026-01-31T08:00:00+01:00"
LATER = "2026-02-03T09:30:00+01:00"


@cache
def tables() -> Tables:
    return Tables.load()


def translate(document: object, directory: Directory | None = None, site: Site = SITE) -> Translation:
    return translate_fhir(document, site=site, tables=tables(), directory=directory or MemoryDirectory())


def bundle(*resources: Resource, kind: str = "collection") -> Resource:
    return {"resourceType": "Bundle", "type": kind, "entry": [{"resource": each} for each in resources]}


def coded(system: str, code: str, **more: Any) -> Resource:
    return {"coding": [{"system": system, "code": code}], **more}


MRI = coded(LOINC, "24968-0")
COLLAPSE = coded(SNOMED, "240198002")


def quantity(value: Any, unit: str, **more: Any) -> Resource:
    return {"value": value, "unit": unit, "system": UCUM, "code": unit, **more}


def patient(number: str | None = "0042", **more: Any) -> Resource:
    identifiers = [{"system": MRN, "value": number}] if number else []
    return {
        "resourceType": "Patient",
        "id": "anna",
        "meta": {"lastUpdated": TIME},
        "identifier": identifiers,
        "birthDate": "1994-05-06",
        **more,
    }


def of_anna(kind: str, name: str, **said: Any) -> Resource:
    """A resource whose subject is the one patient of these tests."""
    return {"resourceType": kind, "id": name, "subject": {"reference": "Patient/anna"}, **said}


def observation(code: Resource, **more: Any) -> Resource:
    return {**of_anna("Observation", "o1", status="final", code=code, effectiveDateTime=TIME), **more}


def calcium(value: Any = 9.5, **more: Any) -> Resource:
    return observation(**{"code": coded(LOINC, "17861-6"), "valueQuantity": quantity(value, "mg/dL"), **more})


def enoxaparin(*instructions: Resource, **more: Any) -> Resource:
    said = {"medicationCodeableConcept": coded(RXNORM, "67108"), "dosageInstruction": list(instructions)}
    request = of_anna("MedicationRequest", "m1", status="active", intent="order", authoredOn=TIME, **said)
    return {**request, **more}


def dosage(value: Any = 40, unit: str = "mg", *, frequency: int = 1, **more: Any) -> Resource:
    repeat = {"frequency": frequency, "period": 1, "periodUnit": "d", **more.pop("repeat", {})}
    return {"timing": {"repeat": repeat}, "doseAndRate": [{"doseQuantity": quantity(value, unit)}], **more}


def condition(code: Resource, status: str = "active", **more: Any) -> Resource:
    clinical = coded("http://terminology.hl7.org/CodeSystem/condition-clinical", status)
    diagnosis = of_anna("Condition", "c1", clinicalStatus=clinical, code=code, onsetDateTime=TIME, recordedDate=TIME)
    return {**diagnosis, **more}


def of_kind(events: Iterable[AnyEvent], model: type[E]) -> list[E]:
    return [each for each in events if isinstance(each, model)]


def only(model: type[E], outcome: Translation) -> E:
    """The one event of a kind, with nothing refused."""
    assert outcome.refusals == ()
    (event,) = of_kind(outcome.events, model)
    return event


def refusal(outcome: Translation) -> tuple[str, str]:
    """(place, reason) of the one refusal of an outcome that has no events."""
    assert outcome.events == ()
    (refused,) = outcome.refusals
    return refused.where, refused.reason
