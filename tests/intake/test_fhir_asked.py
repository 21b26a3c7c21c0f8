"""What the entries of a batch or transaction ask for: order, conditions, and one entry a resource."""

from typing import Any

import pytest

from schemas.events import LabResult, Patient
from schemas.wire import encode
from streams.intake.fhir import translate_fhir_bytes
from streams.intake.outcome import Translation
from streams.intake.site import Directory, MemoryDirectory
from tests.intake.fhir_clinic import LATER, MRN, SITE, Resource, calcium, of_kind, patient, tables, translate

LAB = "https://lab.example/results"
IDENTIFIED = [{"system": LAB, "value": "R-17"}]


def asked(*entries: Resource, kind: str = "transaction", directory: Directory | None = None) -> Translation:
    """A Bundle that somebody sends now."""
    raw = encode({"resourceType": "Bundle", "type": kind, "timestamp": LATER, "entry": list(entries)})
    return translate_fhir_bytes(raw, site=SITE, tables=tables(), directory=directory or MemoryDirectory())


def entry(method: str, resource: Resource | None = None, url: str | None = None, **request: Any) -> Resource:
    address = url or (f"{resource['resourceType']}" if resource else "")
    said: Resource = {"request": {"method": method, "url": address, **request}}
    return said | ({"resource": resource} if resource else {})


def nameless(**more: Any) -> Resource:
    """A result that is named by its identifier."""
    result = calcium(identifier=IDENTIFIED, subject={"identifier": {"system": MRN, "value": "0042"}}, **more)
    return {name: value for name, value in result.items() if name != "id"}


def reasons(outcome: Translation) -> list[tuple[str, str]]:
    return [(refused.refused, refused.where) for refused in outcome.refusals]


@pytest.mark.parametrize(("kind", "whole"), [("transaction", True), ("batch", False), ("collection", False)])
def test_only_a_transaction_is_all_or_nothing(kind: str, whole: bool) -> None:
    assert asked(entry("POST", calcium()), entry("POST", patient()), kind=kind).all_or_nothing is whole


def test_a_resource_is_deleted_before_others_are_taken() -> None:
    directory = MemoryDirectory()
    asked(entry("POST", calcium()), entry("POST", patient()), directory=directory)
    outcome = asked(
        entry("PUT", calcium(id="o2"), "Observation/o2"),
        entry("POST", patient()),
        entry("DELETE", url="Observation/o1"),
        directory=directory,
    )
    told = of_kind(outcome.events, LabResult)
    assert [(each.record_id, each.status) for each in told] == [
        ("Observation/o1", "entered_in_error"),
        ("Observation/o2", "final"),
    ]


def test_references_by_urn_are_kept_within_the_bundle() -> None:
    woman = {name: value for name, value in patient().items() if name != "id"}
    name = "urn:uuid:61ebe359-bfdc-4613-8bf2-c5e300945f0a"
    result = calcium(subject={"reference": name})
    outcome = asked(entry("POST", result), entry("POST", woman) | {"fullUrl": name})
    (told,) = of_kind(outcome.events, LabResult)
    assert (told.patient_id, outcome.refusals) == ("CLINIC|0042", ())


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (entry("PUT", calcium(), "Observation/o1"), entry("PUT", calcium(8.0), "Observation/o1")),
        (entry("DELETE", url="Observation/o1"), entry("POST", calcium())),
        (entry("POST", calcium()), entry("POST", calcium(8.0))),
    ],
)
def test_two_entries_about_one_resource_are_refused(first: Resource, second: Resource) -> None:
    places = reasons(asked(first, second, entry("POST", patient())))
    assert places in ([("Bundle.entry[1]", "request.url")], [("Bundle.entry[0]", "request.url")])


def test_two_entries_about_one_resource_that_matters_to_nobody_are_not() -> None:
    ward = {"resourceType": "Location", "id": "w"}
    assert asked(entry("PUT", ward, "Location/w"), entry("PUT", ward, "Location/w")).refusals == ()


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_what_is_read_refuses_a_transaction_and_is_ignored_in_a_batch(method: str) -> None:
    read = entry(method, url="Patient/anna")
    assert reasons(asked(read, entry("POST", patient()))) == [("Bundle.entry[0]", "request.method")]
    assert dict(asked(read, entry("POST", patient()), kind="batch").ignored) == {method: 1}


@pytest.mark.parametrize(
    ("given", "place"),
    [
        (entry("PUT", calcium(), "Observation/o1", ifMatch='W/"1"'), "request.ifMatch"),
        (entry("PUT", calcium(), "Observation/o1", ifNoneMatch="*"), "request.ifNoneMatch"),
        (entry("POST", calcium(), ifNoneExist=f"identifier={LAB}|R-17"), "request.ifNoneExist"),
        (entry("POST", nameless(), ifNoneExist=f"identifier={LAB}|R-18"), "request.ifNoneExist"),
        (entry("POST", nameless(), ifNoneExist="code=17861-6"), "request.ifNoneExist"),
        (entry("PUT", nameless(), "Observation?code=17861-6"), "request.url"),
        (entry("DELETE", url=f"Observation?identifier={LAB}|R-17"), "request.url"),
        (entry("FETCH", calcium()), "request.method"),
    ],
)
@pytest.mark.parametrize("kind", ["batch", "transaction"])
def test_a_condition_that_cannot_be_kept_to_is_refused_by_name(given: Resource, place: str, kind: str) -> None:
    assert reasons(asked(entry("POST", patient()), given, kind=kind)) == [("Bundle.entry[1]", place)]


def test_a_condition_on_what_matters_to_nobody_is_passed_over() -> None:
    clinic = {"resourceType": "Organization", "id": "c"}
    assert asked(entry("POST", clinic, ifNoneExist="identifier=x|y")).refusals == ()


def test_a_conditional_create_by_identifier_is_taken_once() -> None:
    directory = MemoryDirectory()
    create = entry("POST", nameless(), ifNoneExist=f"identifier={LAB}|R-17")
    again = entry("POST", nameless(issued=LATER), ifNoneExist=f"Observation?identifier={LAB}%7CR-17")
    assert len(asked(create, directory=directory).events) == 1
    outcome = asked(again, directory=directory)
    assert (outcome.events, outcome.refusals, dict(outcome.counted)) == ((), (), {"exists": 1})


def test_a_conditional_create_of_what_was_taken_back_is_taken() -> None:
    directory = MemoryDirectory()
    create = entry("POST", nameless(), ifNoneExist=f"identifier={LAB}|R-17")
    asked(create, directory=directory)
    asked(entry("DELETE", url="Observation/R-17"), directory=directory)
    assert len(asked(create, directory=directory).events) == 1


def test_a_conditional_update_by_identifier_is_a_version_of_the_same_record() -> None:
    directory = MemoryDirectory()
    asked(entry("POST", nameless()), directory=directory)
    (told,) = asked(
        entry("PUT", nameless(issued=LATER), f"Observation?identifier={LAB}|R-17"), directory=directory
    ).events
    assert told.record_id == "Observation/R-17"


def test_a_file_tells_what_happened_and_asks_for_nothing() -> None:
    bundle = {
        "resourceType": "Bundle",
        "type": "transaction",
        "entry": [entry("POST", patient(), ifNoneExist="name=anna"), entry("GET", url="Patient/x")],
    }
    outcome = translate(bundle)
    assert (len(of_kind(outcome.events, Patient)), outcome.refusals, outcome.all_or_nothing) == (1, (), False)
