"""How far the events of an HL7 v2 message agree with the FHIR bundle that another converter makes of it.

Only what both tell is compared: patient id, code, value, unit, status, time; never whole bundles.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final

from schemas.events import AnyEvent, Condition, Dispense, Encounter, LabOrder, LabResult, Patient, PatientMerge

Resource = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Comparison:
    """One field of one event beside what the other converter has."""

    file: str
    field: str
    ours: str
    theirs: str

    @property
    def agrees(self) -> bool:
        return self.ours == self.theirs


REVIEWED: Final[dict[tuple[str, str], str]] = {
    ("*", "lab_result text"): (
        "The samples' heart rate has two repetitions (`60~120`): the other converter makes components of them; "
        "we keep the text, as the code is unmapped and one OBX has one value."
    ),
    ("*", "lab_result status"): (
        "OBX-11 `S` is a partial result: preliminary here; the other converter has no word for it."
    ),
    ("RDS-O13-01", "dispense status"): (
        "RDS says that something was dispensed: completed; the other converter has no word for it."
    ),
    ("ADT-A04-01", "encounter end"): (
        "PV1-45 is empty: the patient is still there. The other converter takes the expected discharge (PV2-9) for one."
    ),
}
"""(file, field) of every difference, and why it is right that we differ; "*" stands for every file."""


def compare(file: str, events: tuple[AnyEvent, ...], bundle: Resource) -> list[Comparison]:
    """Every field that both sides have."""
    resources = [entry["resource"] for entry in bundle["entry"]]
    return [
        Comparison(file, f"{event.kind} {name}", _plain(_as_far_as(ours, theirs)), _plain(theirs))
        for event in events
        for name, ours, theirs in _fields(event, resources)
    ]


def _as_far_as(ours: object, theirs: object) -> object:
    """An instant as a day, where theirs is no finer."""
    coarse = isinstance(theirs, str) and len(theirs) == _DAY
    return ours.date() if isinstance(ours, datetime) and coarse else ours


_DAY: Final = len("2026-01-31")


def _of(resources: list[Resource], kind: str) -> list[Resource]:
    return [resource for resource in resources if resource["resourceType"] == kind]


def _fields(event: AnyEvent, resources: list[Resource]) -> Iterator[tuple[str, object, object]]:
    if not isinstance(event, PatientMerge):
        yield "patient id", event.patient_id.rpartition("|")[2], _number(event, _of(resources, "Patient"))
    match event:
        case PatientMerge():
            linked = {item["type"]: item["resource"]["identifier"] for item in _of(resources, "Linkage")[0]["item"]}
            yield "retired id", event.patient_id.rpartition("|")[2], linked["historical"]["value"]
            yield "surviving id", event.into.rpartition("|")[2], linked["source"]["value"]
        case Patient():
            (patient, *_) = _of(resources, "Patient")
            yield "birth date", event.birth_date, patient.get("birthDate")
            yield "sex", event.sex, patient.get("gender")
            yield "time of death", event.deceased_at, patient.get("deceasedDateTime")
        case Encounter():
            (encounter, *_) = _of(resources, "Encounter")
            yield "start", event.starts_at, encounter.get("period", {}).get("start")
            yield "end", event.ends_at, encounter.get("period", {}).get("end")
            yield "status", _FHIR_STATUS[event.status], encounter["status"]
        case Condition():
            theirs = _coded(_of(resources, "Condition"), event.code.code)
            yield "code", event.code.code, _first_code(theirs)
            yield "onset", event.onset_at, theirs.get("onsetDateTime")
        case LabResult():
            observed = _of(resources, "Observation")
            theirs = _coded([each for each in observed if _same_day(event, each)] or observed, event.code.code)
            yield "code", event.code.code, _first_code(theirs)
            yield from _result(event, theirs)
        case LabOrder():
            theirs = _coded(_of(resources, "ServiceRequest"), event.code.code)
            yield "code", event.code.code, _first_code(theirs)
            yield "status", event.status, theirs.get("status")
        case Dispense():
            yield from _dispense(event, _of(resources, "MedicationDispense")[0])
        case _:
            pass


_FHIR_STATUS: Final = {"active": "in-progress", "finished": "finished", "cancelled": "cancelled"}


def _result(event: LabResult, theirs: Resource) -> Iterator[tuple[str, object, object]]:
    quantity = theirs.get("valueQuantity", {})
    if event.value is not None:
        yield "value", event.value, quantity.get("value")
        yield "unit", event.unit, quantity.get("code") or quantity.get("unit")
    elif event.value_text:
        yield "text", event.value_text, theirs.get("valueString")
    yield "status", event.status, theirs.get("status")
    yield "time", event.collected_at, theirs.get("effectiveDateTime")


def _dispense(event: Dispense, theirs: Resource) -> Iterator[tuple[str, object, object]]:
    quantity = theirs.get("quantity", {})
    yield "quantity", event.quantity and event.quantity.value, quantity.get("value")
    yield "unit", event.quantity and event.quantity.unit, quantity.get("code")
    yield "status", event.status, theirs.get("status")
    yield "time", event.dispensed_at, theirs.get("whenHandedOver")


def _number(event: AnyEvent, patients: list[Resource]) -> object:
    """Ours, where it is one of their identifiers of the patient; else their first."""
    ours = event.patient_id.rpartition("|")[2]
    theirs = [identifier.get("value") for patient in patients for identifier in patient.get("identifier", ())]
    return ours if ours in theirs else next(iter(theirs), None)


def _same_day(event: LabResult, theirs: Resource) -> bool:
    return str(theirs.get("effectiveDateTime", ""))[:_DAY] == event.collected_at.date().isoformat()


def _coded(resources: list[Resource], code: str) -> Resource:
    return next((each for each in resources if code in _codes(each)), {})


def _codes(resource: Resource) -> list[str]:
    return [coding.get("code", "") for coding in resource.get("code", {}).get("coding", ())]


def _first_code(resource: Resource) -> str | None:
    return next(iter(_codes(resource)), None)


def _plain(value: object) -> str:
    match value:
        case None:
            return ""
        case datetime():
            return str(value.timestamp())
        case date():
            return value.isoformat()
        case Decimal() | int() | float():
            return f"{Decimal(str(value)).normalize():f}"
        case str() if "T" in value[10:11]:
            return str(datetime.fromisoformat(value).timestamp())
        case _:
            return str(value)
