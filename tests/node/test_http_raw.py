"""FHIR and HL7 v2 over HTTP: the answers of either standard."""

import re
from typing import Any

import pytest

from schemas.wire import encode
from streams.node.port import NotDurableError, QueueFullError
from tests.node.http_clinic import MemoryNode, client, made

FHIR = {"content-type": "application/fhir+json"}
PATIENT = {
    "resourceType": "Patient",
    "id": "p1",
    "meta": {"lastUpdated": "2026-03-01T08:00:00Z"},
    "identifier": [{"system": "https://hospital.example/patient-number", "value": "4711008"}],
    "birthDate": "1993-05-04",
}
WRONG = {
    "resourceType": "Observation",
    "id": "o1",
    "status": "final",
    "subject": {"reference": "Patient/p1"},
    "code": {"coding": [{"system": "http://loinc.org", "code": "2000-8"}]},
    "valueQuantity": {"value": 3.4, "unit": "mmol/L"},
    "effectiveDateTime": "2026",
    "issued": "2026-03-01T08:00:00Z",
}


async def sent(path: str, content: Any, node: MemoryNode | None = None, headers: dict[str, str] = FHIR) -> Any:
    application, _, _ = made(node)
    raw = content if isinstance(content, bytes) else encode(content)
    async with client(application) as asking:
        return await asking.post(path, content=raw, headers=headers)


def severities(outcome: dict[str, Any]) -> list[str]:
    assert outcome["resourceType"] == "OperationOutcome"
    return [issue["severity"] for issue in outcome["issue"]]


@pytest.mark.parametrize("path", ["/fhir", "/fhir/Patient"])
async def test_a_resource_is_answered_by_an_operation_outcome(path: str) -> None:
    answer = await sent(path, PATIENT)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/fhir+json"
    assert severities(answer.json()) == ["information"]


async def test_a_resource_that_is_refused_is_422_and_says_where() -> None:
    answer = await sent("/fhir", WRONG)
    assert answer.status_code == 422
    assert severities(answer.json()) == ["error"]
    assert answer.json()["issue"][0]["expression"][0].startswith("Observation")


async def test_a_type_that_matters_to_nobody_is_taken_as_such() -> None:
    answer = await sent("/fhir", {"resourceType": "Coverage", "id": "c"})
    assert answer.status_code == 200
    assert "nothing of it" in answer.json()["issue"][0]["diagnostics"]


async def test_the_same_resource_again_changes_nothing() -> None:
    node = MemoryNode()
    await sent("/fhir", PATIENT, node)
    assert "before" in (await sent("/fhir", PATIENT, node)).json()["issue"][0]["diagnostics"]


async def test_a_batch_is_answered_entry_by_entry() -> None:
    entries = [{"resource": PATIENT}, {"resource": WRONG}, {"request": {"method": "GET", "url": "Patient"}}]
    answer = await sent("/fhir", {"resourceType": "Bundle", "type": "batch", "entry": entries})
    bundle = answer.json()
    assert (answer.status_code, bundle["type"]) == (200, "batch-response")
    assert [entry["response"]["status"][:3] for entry in bundle["entry"]] == ["200", "422", "405"]
    assert severities(bundle["entry"][1]["response"]["outcome"]) == ["error"]


async def test_an_entry_without_an_id_is_told_by_its_place() -> None:
    nameless = {name: value for name, value in WRONG.items() if name != "id"}
    entries = [{"resource": PATIENT}, {"resource": nameless}]
    bundle = (await sent("/fhir", {"resourceType": "Bundle", "type": "batch", "entry": entries})).json()
    assert [entry["response"]["status"][:3] for entry in bundle["entry"]] == ["200", "422"]


async def test_a_bundle_of_another_type_is_answered_as_a_whole() -> None:
    bundle = {"resourceType": "Bundle", "type": "message", "entry": [{"resource": PATIENT}, {"resource": WRONG}]}
    answer = await sent("/fhir", bundle)
    assert answer.status_code == 200
    assert severities(answer.json()) == ["information", "warning"]


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"5", b"{}", b'{"resourceType": 5}', b"\xff"])
async def test_what_is_no_resource_is_400(content: bytes) -> None:
    answer = await sent("/fhir", content)
    assert answer.status_code == 400
    assert severities(answer.json()) == ["error"]


async def test_a_resource_of_another_type_than_the_address_is_400() -> None:
    assert (await sent("/fhir/Observation", PATIENT)).status_code == 400


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [(QueueFullError("full"), 429, "throttled"), (NotDurableError("no space"), 503, "transient")],
)
async def test_what_is_not_durable_is_told_in_the_words_of_fhir(error: Exception, status: int, code: str) -> None:
    node = MemoryNode()
    node.failing = [error]
    answer = await sent("/fhir", PATIENT, node)
    assert (answer.status_code, answer.json()["issue"][0]["code"]) == (status, code)
    assert "retry-after" in answer.headers


async def test_xml_is_415_in_the_words_of_fhir() -> None:
    answer = await sent("/fhir", b"<Patient/>", headers={"content-type": "application/fhir+xml"})
    assert (answer.status_code, severities(answer.json())) == (415, ["error"])


# ---- HL7 v2


HL7 = {"content-type": "application/hl7-v2"}


def message(control: str, kind: str = "ADT^A08", version: str = "2.5.1") -> bytes:
    head = f"MSH|^~\\&|KIS|NORTH|TRABECULA|SOUTH|20260303081500+0100||{kind}|{control}|P|{version}"
    return f"{head}\rPID|1||4711008^^^HOSPITAL^MR||MUSTER^MARIA||19930504|F\r".encode()


def acknowledged(answer: Any) -> list[str]:
    return re.findall(r"MSA\|(\w\w\|\w+)", answer.text)


@pytest.mark.parametrize("kind", ["application/hl7-v2", "x-application/hl7-v2+er7; charset=utf-8", "text/plain"])
async def test_a_message_is_answered_by_its_acknowledgement(kind: str) -> None:
    answer = await sent("/hl7v2", message("M1"), headers={"content-type": kind})
    assert (answer.status_code, acknowledged(answer)) == (200, ["AA|M1"])
    assert answer.headers["content-type"] == "application/hl7-v2"


async def test_a_message_that_is_never_taken_is_ar_and_no_error_of_http() -> None:
    answer = await sent("/hl7v2", b"MSH|^~\\&|KIS||||||ADT^A08|M2|P|2.5.1\rPID|1\r", headers=HL7)
    assert (answer.status_code, acknowledged(answer)) == (200, ["AR|M2"])


async def test_each_message_of_a_batch_is_answered() -> None:
    batch = b"BHS|^~\\&|KIS\r" + message("M1") + message("M2") + b"BTS|2\r"
    assert acknowledged(await sent("/hl7v2", batch, headers=HL7)) == ["AA|M1", "AA|M2"]


@pytest.mark.parametrize(("error", "status"), [(QueueFullError("full"), 429), (NotDurableError("no space"), 503)])
async def test_what_is_not_durable_is_ae_and_an_error_of_http(error: Exception, status: int) -> None:
    node = MemoryNode()
    node.failing = [error]
    answer = await sent("/hl7v2", message("M1"), node, headers=HL7)
    assert (answer.status_code, acknowledged(answer)) == (status, ["AE|M1"])
    assert "retry-after" in answer.headers


@pytest.mark.parametrize("content", [b"", b"\r\n", b"\x0b\x1c\r"])
async def test_a_body_without_a_message_is_400(content: bytes) -> None:
    assert (await sent("/hl7v2", content, headers=HL7)).status_code == 400
