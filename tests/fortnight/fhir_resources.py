"""FHIR R4 resources as the invented hospital's antenatal clinic sends them."""

from datetime import datetime
from typing import Any, Final

LOINC: Final = "http://loinc.org"
UCUM: Final = "http://unitsofmeasure.org"
NUMBERS: Final = "https://hospital.example/patient-number"

Resource = dict[str, Any]


def subject(number: str) -> Resource:
    """Whom a resource is about."""
    return {"identifier": {"system": NUMBERS, "value": number}}


def patient(number: str, born: str, at: datetime) -> Resource:
    """A patient."""
    return {
        "resourceType": "Patient",
        "id": f"p{number}",
        "meta": {"lastUpdated": at.isoformat()},
        "identifier": [{"system": NUMBERS, "value": number}],
        "gender": "female",
        "birthDate": born,
    }


def observation(name: str, number: str, code: str, at: datetime, **value: Any) -> Resource:
    """A final observation."""
    return {
        "resourceType": "Observation",
        "id": name,
        "meta": {"lastUpdated": at.isoformat()},
        "status": "final",
        "code": {"coding": [{"system": LOINC, "code": code}]},
        "subject": subject(number),
        "effectiveDateTime": at.isoformat(),
        "issued": at.isoformat(),
        **value,
    }


def quantity(value: float, unit: str) -> Resource:
    """A measured value."""
    return {"valueQuantity": {"value": value, "unit": unit, "system": UCUM, "code": unit}}


def bundle(resources: list[Resource], at: datetime) -> Resource:
    """What was documented at one visit."""
    entries = [{"resource": resource} for resource in resources]
    return {"resourceType": "Bundle", "type": "collection", "timestamp": at.isoformat(), "entry": entries}
