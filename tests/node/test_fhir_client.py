"""A FHIR client that nobody here wrote: fhirpy posts, puts and deletes, and reads what it is answered."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from fhirpy import AsyncFHIRClient
from fhirpy.base.exceptions import MultipleResourcesFound, OperationOutcome

from streams.node.http.server import HttpServer
from tests.node.engine_clinic import Node
from tests.node.http_clinic import NOW, service
from tests.node.test_http_raw import PATIENT, WRONG
from tests.node.test_http_store import over
from tests.node.test_http_transactions import RIGHT, bundle, posted

URN = "urn:uuid:0c3151bd-1cbf-4d64-b04d-cd9187a4c6e0"


@pytest.fixture
async def node(tmp_path: Path) -> AsyncIterator[Node]:
    made = Node(tmp_path / "data", NOW, rules=service().monitor, site=service().settings.site)
    yield made
    made.close()


@pytest.fixture
async def url(node: Node) -> AsyncIterator[str]:
    application = over(node)
    application.state.node.settings = application.state.node.settings.__class__(port=0)
    async with HttpServer(application) as server:
        yield f"http://{server.address}/fhir"


def known(fhir: AsyncFHIRClient, content: dict[str, Any]) -> Any:
    """A resource of the client."""
    return fhir.resource(content["resourceType"], **content)


def events(node: Node) -> list[tuple[str, str | None]]:
    """The results that the node knows of, and their status."""
    told = (item["event"] for item in node.reading.timeline("4711008").items)
    return [(each["record_id"], each.get("status")) for each in told if each["kind"] == "lab_result"]


async def test_a_resource_is_saved_and_comes_back_as_the_client_knows_it(node: Node, url: str) -> None:
    fhir = AsyncFHIRClient(url, extra_headers={"Prefer": "return=representation"})
    await known(fhir, PATIENT).save()
    result = await known(fhir, RIGHT).save()  # it has an id: the client puts it
    assert (result.id, result["valueQuantity"]["value"]) == ("o2", 3.4)
    nameless = {name: value for name, value in RIGHT.items() if name != "id"}
    await known(fhir, nameless).save()  # it has none: the client posts it
    assert [status for _, status in events(node)] == ["final", "final"]


async def test_what_became_of_a_resource_is_read_as_an_operation_outcome(node: Node, url: str) -> None:
    fhir = AsyncFHIRClient(url)
    answer = await fhir.execute("Patient", data=PATIENT)
    assert (answer.resourceType, answer.issue[0].severity) == ("OperationOutcome", "information")
    with pytest.raises(OperationOutcome) as refused:
        await fhir.execute("Observation", data=WRONG)
    (issue,) = refused.value.resource["issue"]
    assert issue["expression"] == ["Observation.effectiveDateTime"]
    assert events(node) == []


async def test_a_resource_is_deleted(node: Node, url: str) -> None:
    fhir = AsyncFHIRClient(url)
    await fhir.execute("", data=bundle(posted(PATIENT), posted(RIGHT)))
    await fhir.delete("Observation", "o2")
    assert events(node) == [("Observation/o2", "final"), ("Observation/o2", "entered_in_error")]


async def test_a_transaction_is_taken_with_its_references(node: Node, url: str) -> None:
    fhir = AsyncFHIRClient(url)
    woman = known(fhir, {name: value for name, value in PATIENT.items() if name != "id"})
    result = known(fhir, RIGHT | {"subject": {"reference": URN}})
    document: Any = bundle(posted(woman.serialize()) | {"fullUrl": URN}, posted(result.serialize()))
    answer = await known(fhir, document).save()
    assert answer["type"] == "transaction-response"
    assert [entry["response"]["status"] for entry in answer["entry"]] == ["201 Created", "201 Created"]
    assert events(node) == [("Observation/o2", "final")]


async def test_a_transaction_that_is_refused_raises_and_names_the_entry(node: Node, url: str) -> None:
    fhir = AsyncFHIRClient(url)
    with pytest.raises(OperationOutcome) as refused:
        await known(fhir, bundle(posted(PATIENT), posted(RIGHT), posted(WRONG))).save()
    (issue,) = refused.value.resource["issue"]
    assert issue["expression"] == ["Bundle.entry[2].resource.effectiveDateTime"]
    assert node.charts() == {}


async def test_a_batch_is_taken_entry_by_entry(node: Node, url: str) -> None:
    fhir = AsyncFHIRClient(url)
    answer = await fhir.execute("", data=bundle(posted(PATIENT), posted(WRONG), posted(RIGHT), kind="batch"))
    assert [entry["response"]["status"][:3] for entry in answer["entry"]] == ["201", "422", "201"]
    assert events(node) == [("Observation/o2", "final")]


async def test_a_conditional_create_of_one_resource_is_refused(node: Node, url: str) -> None:
    fhir = AsyncFHIRClient(url, extra_headers={"If-None-Exist": "identifier=a|b"})
    with pytest.raises(MultipleResourcesFound):  # what the client makes of any 412
        await known(fhir, PATIENT).save()
    assert node.charts() == {}
