"""The same questions to a node in memory and to one with a store: the same answers."""

from collections.abc import AsyncIterator, Iterator
from datetime import UTC
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from schemas.wire import encode
from streams.node.access import Access
from streams.node.http import HttpSettings, app
from streams.node.http.store_reads import StoreReads
from streams.node.store_audit import verify
from tests.node.engine_clinic import Node
from tests.node.http_clinic import NOW, calcium, client, fortnight, hospital, made, service


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    """The hospital after its fortnight, in a store; read only."""
    node = Node(tmp_path_factory.mktemp("data"), rules=service().monitor, site=service().settings.site)
    for event, _ in fortnight():
        node.clock.at = event.recorded_at.astimezone(UTC)
        node.take(event)
    node.clock.at = NOW
    node.take(calcium("the last", patient="nobody before"))
    yield node
    node.close()


def over(node: Node) -> FastAPI:
    """The application on a store."""
    reads = StoreReads(node.reading, node.engine, node.monitor, node.clock)
    access = Access(None, None, node.engine)
    return app(
        node.engine, reads, HttpSettings(), access, monitor=node.monitor, clock=node.clock, site=service().settings.site
    )


@pytest.fixture
async def both(stored: Node) -> AsyncIterator[tuple[httpx.AsyncClient, httpx.AsyncClient]]:
    """A client of either."""
    memory = hospital()
    memory.told = list(memory.told)
    async with client(made(memory)[0]) as one, client(over(stored)) as other:
        await one.post("/v1/events", content=encode(calcium("the last", patient="nobody before")), headers=JSON)
        yield one, other


JSON = {"content-type": "application/json"}
IN_ITS_OWN_WAY = {"next_check_at", "decided_at", "next"}


def plain(answer: Any) -> Any:
    """An answer without opaque words, and what depends on how often the clock was looked at."""
    if isinstance(answer, dict):
        return {name: plain(value) for name, value in answer.items() if name not in IN_ITS_OWN_WAY}
    return [plain(each) for each in answer] if isinstance(answer, list) else answer


@pytest.mark.parametrize(
    "path",
    [
        "/v1/alerts",
        "/v1/alerts?severity=warning",
        "/v1/alerts?rule=HEP-02",
        "/v1/alerts?patient=30998",
        "/v1/alerts?limit=1",
        "/v1/alerts?patient=nobody",
        "/v1/patients/30405",
        "/v1/patients/30998",
        "/v1/patients/30388",
        "/v1/patients/nobody",
        "/v1/patients/30405/explain?rule=HEP-02",
        "/v1/patients/30405/explain?at=2026-02-20T08:00:00Z",
        "/v1/alerts/none",
        "/readyz",
    ],
)
async def test_memory_and_store_answer_alike(path: str, both: tuple[httpx.AsyncClient, httpx.AsyncClient]) -> None:
    one, other = both
    expected, found = await one.get(path), await other.get(path)
    assert found.status_code == expected.status_code
    assert plain(found.json()) == plain(expected.json())


async def test_every_alert_and_its_pages_are_there(stored: Node) -> None:
    async with client(over(stored)) as asking:
        whole = (await asking.get("/v1/alerts?state=all&limit=1000")).json()
        assert whole["next"] is None
        paged = []
        after = ""
        for _ in range(len(whole["items"])):
            page = (await asking.get(f"/v1/alerts?state=all&limit=3{after}")).json()
            paged += page["items"]
            if page["next"] is None:
                break
            after = f"&after={page['next']}"
        assert paged == whole["items"]
        for alert in whole["items"]:
            assert (await asking.get(f"/v1/alerts/{alert['alert_id']}")).json() == alert
            assert (await asking.get(f"/alerts/{alert['alert_id']}")).status_code == 200
        for patient in {alert["patient_id"] for alert in whole["items"]}:
            assert (await asking.get(f"/patients/{patient}")).status_code == 200
            assert (await asking.get(f"/v1/patients/{patient}/timeline")).json()["items"]


async def test_evidence_leads_to_the_raw_message(stored: Node) -> None:
    async with client(over(stored)) as asking:
        (alert,) = (await asking.get("/v1/alerts?rule=HEP-02")).json()["items"]
        item = next(each for each in alert["evidence"] if each["event_id"])
        query = {"source": item["source"], "event_id": item["event_id"]}
        found = (await asking.get("/v1/messages", params=query)).json()["items"]
    assert item["event_id"] in found[0]["body"]


async def test_an_answer_is_durable_before_it_is_told_and_who_looked_is_in_the_chained_audit(tmp_path: Path) -> None:
    node = Node(tmp_path / "data", rules=service().monitor, site=service().settings.site)
    try:
        for event, _ in fortnight():
            node.clock.at = event.recorded_at.astimezone(UTC)
            node.take(event)
        async with client(over(node)) as asking:
            alert = next(a for a in (await asking.get("/v1/alerts")).json()["items"] if a["state"] == "open")
            path = f"/v1/alerts/{alert['alert_id']}"
            answer = await asking.post(f"{path}/responses", content=b'{"action": "acknowledge"}', headers=JSON)
            assert answer.json()["alert"]["state"] == "acknowledged"
            assert (await asking.get(path)).json()["state"] == "acknowledged"
            metrics = (await asking.get("/metrics")).text
        noted = [line.said for line in node.reading.audit()]
    finally:
        node.close()
    assert [line["action"] for line in noted][-3:] == ["read", "changed", "read"]
    assert noted[-2]["patients"] == [alert["patient_id"]]
    assert verify(tmp_path / "data").broken_at is None
    assert 'trabecula_alerts_open{severity="critical",state="acknowledged"} ' in metrics
    assert 'trabecula_events_total{channel="events",kind="prescription",outcome="accepted"}' in metrics
    assert "trabecula_rulepack_info{" in metrics
