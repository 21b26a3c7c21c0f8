"""What a patient is called: shown to those who may see the chart, and nowhere else."""

import html
import logging
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final

import httpx
import pytest

from schemas.wire import encode
from streams.node.http.names import name_of
from streams.node.http.store_reads import StoreReads
from tests.node.engine_clinic import node
from tests.node.http_clinic import NOW, MemoryNode, client, hospital, made

HEPARIN: Final = "30405"
MERGED, SURVIVOR = "30998", "30417"
NAME: Final = 'Muster <script>alert(1)</script> & "Maria"'


def called(name: str | None, hour: int = 8, **more: Any) -> dict[str, Any]:
    """A feed's word of who somebody is."""
    said = {"kind": "patient", "patient_id": HEPARIN, "source": "adt", "recorded_at": f"2026-03-16T{hour:02}:00:00Z"}
    return said | {"event_id": f"who {hour}", "name": name} | more


@pytest.fixture
async def asking() -> AsyncIterator[httpx.AsyncClient]:
    async with client(made(hospital())[0]) as asking:
        await asking.post("/v1/events", json=called(NAME))
        yield asking


async def test_the_name_is_on_the_chart_and_on_the_pages_as_text_and_never_as_markup(asking: httpx.AsyncClient) -> None:
    chart = (await asking.get(f"/v1/patients/{HEPARIN}")).json()
    assert chart["name"] == NAME
    for path in (f"/patients/{HEPARIN}", f"/alerts/{chart['alerts'][0]['alert_id']}"):
        text = (await asking.get(path)).text
        assert "<script" not in text
        (shown,) = (part.partition("</bdi>")[0] for part in text.split("<bdi>")[1:])
        assert html.unescape(shown) == NAME


async def test_the_name_is_in_no_list_no_metric_and_no_log(
    asking: httpx.AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        await asking.get(f"/v1/patients/{HEPARIN}")
        for path in (
            "/",
            "/v1/alerts",
            "/metrics",
            f"/v1/patients/{HEPARIN}/explain",
            "/fhir/DetectedIssue?patient=30405",
        ):
            assert "Muster" not in (await asking.get(path)).text, path
    assert "Muster" not in caplog.text


async def test_a_name_told_under_a_former_number_is_that_of_the_person() -> None:
    memory = hospital()
    async with client(made(memory)[0]) as asking:
        await asking.post("/v1/events", json=called("Maria Muster", patient_id=MERGED))
        assert (await asking.get(f"/v1/patients/{SURVIVOR}")).json()["name"] == "Maria Muster"


async def test_nobody_is_called_anything_before_a_name_is_told() -> None:
    memory = MemoryNode()
    async with client(made(memory)[0]) as asking:
        await asking.post("/v1/events", content=encode(called(None)), headers={"content-type": "application/json"})
        answer = await asking.get(f"/v1/patients/{HEPARIN}")
    assert answer.status_code == 404 or answer.json()["name"] is None


@pytest.mark.parametrize(
    ("told", "name"),
    [
        ([], None),
        ([called("A", 8), called("B", 9)], "B"),
        ([called("B", 9), called("A", 8)], "B"),
        ([called("A", 8), called(None, 9)], None),
        ([called("A", 8), called(None, 9, source="other")], "A"),
        ([called("A", 8), called("A", 9, record_status="entered_in_error")], None),
        ([called("A", 8), called("A", 8, record_status="entered_in_error", event_id="a")], None),
        ([called("A", 8, source="other"), called("B", 9, record_status="cancelled")], "A"),
        ([called("A", 8, recorded_at="2026-03-16T10:30:00+02:00"), called("B", 9)], "B"),
    ],
)
def test_the_name_is_the_latest_that_holds(told: list[dict[str, Any]], name: str | None) -> None:
    kept = [{"record_id": "who", "record_status": "active"} | each for each in told]
    assert name_of(kept) == name


def test_a_store_finds_the_name_by_an_index_and_forgets_it_with_the_patient(tmp_path: Path) -> None:
    with node(tmp_path, NOW) as at:
        reads = StoreReads(at.reading, at.engine, at.monitor, at.clock)
        at.take(called("Maria Muster"))
        at.take(called("Erika Muster", 9))
        assert reads.name([HEPARIN, "another"]) == "Erika Muster"
        assert reads.name(["another"]) is None
        erasure = {"kind": "erasure", "patient_id": HEPARIN, "source": "adt", "event_id": "erase"}
        at.take(erasure | {"recorded_at": "2026-03-16T11:00:00Z"})
        assert reads.name([HEPARIN]) is None
