"""FHIR transactions and batches on a node with a store: what is taken, what is answered, what is kept."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from schemas.wire import encode
from tests.node.engine_clinic import SOON, Node
from tests.node.http_clinic import NOW, client, service
from tests.node.test_http_raw import FHIR, PATIENT, WRONG, severities
from tests.node.test_http_store import over

Json = dict[str, Any]
RIGHT: Json = WRONG | {"id": "o2", "effectiveDateTime": "2026-03-16T07:00:00Z", "issued": "2026-03-16T08:00:00Z"}
LATE: Json = RIGHT | {"id": "o3", "issued": (NOW + timedelta(days=3)).isoformat()}


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Node]:
    made = Node(tmp_path / "data", NOW, rules=service().monitor, site=service().settings.site)
    yield made
    made.close()


def posted(resource: Json, **request: Any) -> Json:
    return {"resource": resource, "request": {"method": "POST", "url": resource["resourceType"], **request}}


def asked(method: str, url: str, resource: Json | None = None) -> Json:
    return {"request": {"method": method, "url": url}} | ({"resource": resource} if resource else {})


def bundle(*entries: Json, kind: str = "transaction") -> Json:
    return {"resourceType": "Bundle", "type": kind, "timestamp": NOW.isoformat(), "entry": list(entries)}


async def sent(node: Node, document: Json, path: str = "/fhir", method: str = "POST", **headers: str) -> Any:
    async with client(over(node)) as asking:
        return await asking.request(method, path, content=encode(document), headers=FHIR | headers)


def statuses(answer: Any) -> list[str]:
    return [entry["response"]["status"] for entry in answer.json()["entry"]]


def places(answer: Any) -> list[str]:
    return [issue["expression"][0] for issue in answer.json()["issue"]]


async def test_a_transaction_is_taken_whole_and_each_entry_says_what_it_became(node: Node) -> None:
    coverage = {"resourceType": "Coverage", "id": "c"}
    document = bundle(posted(PATIENT), asked("PUT", "Observation/o2", RIGHT), posted(coverage))
    answer = await sent(node, document)
    assert (answer.status_code, answer.json()["type"]) == (200, "transaction-response")
    assert statuses(answer) == ["201 Created", "200 OK", "200 OK"]
    first, second, third = (entry["response"] for entry in answer.json()["entry"])
    assert first["location"].startswith("Patient/p1/_history/")
    assert second["etag"] == f'W/"{second["location"].rpartition("/")[2]}"'
    assert severities(third["outcome"]) == ["information"]
    assert set(node.charts()) == {"4711008"}


async def test_of_a_transaction_with_one_wrong_entry_nothing_is_taken(node: Node) -> None:
    answer = await sent(node, bundle(posted(PATIENT), posted(RIGHT), posted(WRONG)))
    assert (answer.status_code, severities(answer.json())) == (422, ["error"])
    assert places(answer) == ["Bundle.entry[2].resource.effectiveDateTime"]
    assert (node.charts(), node.reading.timeline("4711008").items) == ({}, ())
    assert node.store.rows.db.execute("SELECT count(*) FROM reference").get == 0
    assert node.store.rows.db.execute("SELECT count(*) FROM record").get == 0


async def test_what_only_the_engine_refuses_takes_the_whole_transaction_back(node: Node) -> None:
    """An Observation that was recorded three days from now is found out when its event is decided."""
    answer = await sent(node, bundle(posted(PATIENT), posted(RIGHT), posted(LATE)))
    assert (answer.status_code, places(answer)) == (422, ["Bundle.entry[2].resource"])
    assert "recorded_in_future" in answer.json()["issue"][0]["diagnostics"]
    assert (node.charts(), node.outbox()) == ({}, [])


async def test_a_refused_transaction_is_kept_and_can_be_taken_later(node: Node) -> None:
    document = bundle(posted(PATIENT), posted(LATE))
    assert (await sent(node, document)).status_code == 422
    (letter,) = node.reading.dead_letters()
    assert (letter.reason, letter.format) == ("recorded_in_future", "fhir")
    kept = node.reading.dead_letter(letter.letter_id)
    assert kept is not None
    assert kept[1] == encode(document)
    node.clock.at = NOW + timedelta(days=4)
    outcome = node.engine.redrive(letter.letter_id).result(SOON)
    assert outcome is not None
    assert not outcome.refusals
    assert (set(node.charts()), node.reading.dead_letters()) == ({"4711008"}, [])


async def test_a_transaction_that_comes_again_changes_nothing(node: Node) -> None:
    document = bundle(posted(PATIENT), posted(RIGHT))
    await sent(node, document)
    before = node.reading.timeline("4711008")
    assert statuses(await sent(node, document)) == ["200 OK", "200 OK"]
    assert node.reading.timeline("4711008") == before


async def test_of_somebody_who_was_forgotten_nothing_is_taken_and_nothing_kept(node: Node) -> None:
    erasure = {"event_id": "e", "kind": "erasure", "patient_id": "4711008", "source": "office", "record_id": "e"}
    node.take(erasure | {"recorded_at": NOW.isoformat()})
    answer = await sent(node, bundle(posted(PATIENT), posted({"resourceType": "Coverage", "id": "c"})))
    assert (answer.status_code, places(answer)) == (422, ["Bundle.entry[0].resource"])
    assert "erased" in answer.json()["issue"][0]["diagnostics"]
    assert node.reading.dead_letters() == []
    assert node.store.rows.db.execute("SELECT count(*) FROM raw WHERE body LIKE '%4711008%'").get == 0


async def test_a_batch_takes_what_it_can(node: Node) -> None:
    answer = await sent(node, bundle(posted(PATIENT), posted(WRONG), posted(LATE), posted(RIGHT), kind="batch"))
    assert statuses(answer) == [
        "201 Created",
        "422 Unprocessable Entity",
        "422 Unprocessable Entity",
        "201 Created",
    ]
    assert set(node.charts()) == {"4711008"}


async def test_deletes_go_before_everything_else(node: Node) -> None:
    await sent(node, bundle(posted(PATIENT), posted(RIGHT)))
    other = RIGHT | {"id": "o9"}
    answer = await sent(node, bundle(asked("PUT", "Observation/o9", other), asked("DELETE", "Observation/o2")))
    assert statuses(answer) == ["200 OK", "204 No Content"]
    told = [item["event"] for item in node.reading.timeline("4711008").items[-2:]]
    assert [(each["record_id"], each["status"]) for each in told] == [
        ("Observation/o2", "entered_in_error"),
        ("Observation/o9", "final"),
    ]


@pytest.mark.parametrize(
    ("entry", "place", "in_a_batch"),
    [
        (asked("GET", "Patient/p1"), "Bundle.entry[1].request.method", "405"),
        (posted(RIGHT, ifNoneExist="identifier=a|b"), "Bundle.entry[1].request.ifNoneExist", "412"),
        (posted(RIGHT, ifMatch='W/"1"'), "Bundle.entry[1].request.ifMatch", "412"),
        (asked("DELETE", "Observation?code=x"), "Bundle.entry[1].request.url", "412"),
        (asked("PATCH", "Observation/o2", RIGHT), "Bundle.entry[1].resource", "422"),
    ],
)
async def test_what_is_not_kept_to_is_said(node: Node, entry: Json, place: str, in_a_batch: str) -> None:
    whole = await sent(node, bundle(posted(PATIENT), entry))
    assert (whole.status_code, places(whole), node.charts()) == (422, [place], {})
    batch = await sent(node, bundle(posted(PATIENT), entry, kind="batch"))
    assert statuses(batch)[0] == "201 Created"
    assert statuses(batch)[1].startswith(in_a_batch)
    assert severities(batch.json()["entry"][1]["response"]["outcome"]) == ["error"]


async def test_a_version_is_put_and_taken_back_at_its_address(node: Node) -> None:
    await sent(node, PATIENT)
    assert (await sent(node, RIGHT, "/fhir/Observation/o2", "PUT")).status_code == 200
    assert (await sent(node, RIGHT, "/fhir/Observation/o7", "PUT")).status_code == 400
    answer = await sent(node, {}, "/fhir/Observation/o2", "DELETE")
    assert (answer.status_code, severities(answer.json())) == (200, ["information"])
    told = node.reading.timeline("4711008").items[-1]["event"]
    assert (told["record_id"], told["status"]) == ("Observation/o2", "entered_in_error")


@pytest.mark.parametrize("name", ["If-None-Exist", "If-Match", "If-None-Match"])
async def test_a_condition_on_one_resource_is_412(node: Node, name: str) -> None:
    answer = await sent(node, PATIENT, **{name: "identifier=a|b"})
    assert (answer.status_code, severities(answer.json()), node.charts()) == (412, ["error"], {})


@pytest.mark.parametrize(
    ("preferred", "kind"), [("return=representation", "Patient"), ("return=OperationOutcome", "OperationOutcome")]
)
async def test_a_sender_gets_back_what_it_prefers(node: Node, preferred: str, kind: str) -> None:
    assert (await sent(node, PATIENT, Prefer=preferred)).json()["resourceType"] == kind


async def test_a_sender_may_prefer_to_get_nothing_back_unless_something_is_wrong(node: Node) -> None:
    assert (await sent(node, PATIENT, Prefer="return=minimal")).content == b""
    assert (await sent(node, WRONG, Prefer="return=minimal")).json()["resourceType"] == "OperationOutcome"
