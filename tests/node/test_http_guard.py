"""Around every request: other sites, other names, what every answer carries, and nothing of the patient anywhere."""

import logging
import re
from typing import Any

import httpx
import pytest

from schemas.wire import decode, encode
from streams.node.access import access_of
from streams.node.access_audit import AuditEntry, MemoryAudit
from streams.node.access_keys import new_key
from streams.node.access_settings import AccessSettings
from streams.node.http import Metrics, Readiness, Sample
from streams.node.http.metrics import FAMILIES, MOST_MEMBERS
from streams.node.http.server import HttpServer
from streams.node.port import NotDurableError
from tests.node.http_clinic import MemoryNode, calcium, client, hospital, made

PATIENT = "Muster4711008"
JSON = {"content-type": "application/json"}


# ---- other sites


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"origin": "http://127.0.0.1"}, 200),
        ({"origin": "http://evil.example"}, 403),
        ({"origin": "http://127.0.0.1:9"}, 403),
        ({"origin": "null"}, 403),
        ({"sec-fetch-site": "same-origin"}, 200),
        ({"sec-fetch-site": "none"}, 200),
        ({"sec-fetch-site": "cross-site"}, 403),
        ({"sec-fetch-site": "same-site", "origin": "http://127.0.0.1"}, 403),
    ],
)
async def test_a_page_of_another_site_changes_nothing(headers: dict[str, str], status: int) -> None:
    node = MemoryNode()
    application, _, _ = made(node)
    async with client(application) as asking:
        answer = await asking.post("/v1/events", content=encode(calcium("a")), headers=JSON | headers)
    assert answer.status_code == status
    assert bool(node.received) is (status == 200)


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"host": "127.0.0.1:8080"}, 200),
        ({"host": "localhost"}, 200),
        ({"host": "[::1]:8080"}, 200),
        ({"host": "[::1]"}, 200),
        ({"host": "evil.example"}, 403),
        ({"host": "127.0.0.1.evil.example:80"}, 403),
        ({"host": ""}, 403),
        ({"x-forwarded-for": "192.168.1.7"}, 403),
        ({"forwarded": "for=192.168.1.7"}, 403),
    ],
)
async def test_without_authentication_only_this_machine_is_answered_by_its_own_name(
    headers: dict[str, str], status: int
) -> None:
    """A name that another site made lead to 127.0.0.1 (DNS rebinding), or a proxy that lets others in."""
    application, _, _ = made()
    async with client(application) as asking:
        assert (await asking.get("/v1/alerts", headers=headers)).status_code == status


async def test_no_other_site_reads_an_answer() -> None:
    application, _, _ = made()
    async with client(application) as asking:
        for path in ("/", "/v1/alerts", "/nowhere", "/healthz", "/v1/alerts?limit=0"):
            headers = (await asking.get(path, headers={"origin": "http://evil.example"})).headers
            assert not [name for name in headers if name.startswith("access-control")]
            assert headers["x-content-type-options"] == "nosniff"
            assert headers["x-frame-options"] == "DENY"
            assert headers["cache-control"] == "no-store"
            assert "default-src 'none'" in headers["content-security-policy"]
            assert "set-cookie" not in headers
            assert "server" not in headers


@pytest.mark.parametrize(
    ("method", "path", "status"), [("GET", "/nowhere", 404), ("DELETE", "/v1/alerts", 405), ("GET", "/v1/events", 405)]
)
async def test_what_is_not_there_is_a_problem_like_any_other(method: str, path: str, status: int) -> None:
    application, _, _ = made()
    async with client(application) as asking:
        answer = await asking.request(method, path)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("DELETE", "/v1/alerts", "GET, HEAD"),
        ("GET", "/v1/events", "POST"),
        ("PUT", "/alerts/a", "GET, HEAD, POST"),
        ("PATCH", "/fhir/Observation/1", "DELETE, PUT"),
        ("PUT", "/fhir/DetectedIssue", "GET, HEAD"),
        ("POST", "/v1/notices", "GET"),
        ("HEAD", "/v1/notices", "GET"),
        ("HEAD", "/v1/events", "POST"),
    ],
)
async def test_a_method_that_is_not_taken_is_answered_with_those_that_are(method: str, path: str, allowed: str) -> None:
    application, _, _ = made()
    async with client(application) as asking:
        answer = await asking.request(method, path)
    assert (answer.status_code, answer.headers["allow"]) == (405, allowed)


@pytest.mark.parametrize(
    ("path", "status"),
    [("/healthz", 200), ("/readyz", 200), ("/metrics", 200), ("/", 200), ("/v1/alerts", 200), ("/v1/alerts/none", 404)],
)
async def test_head_answers_as_get_does_without_the_body(path: str, status: int) -> None:
    application, _, _ = made()
    async with client(application) as asking:
        head, got = await asking.head(path), await asking.get(path)
    assert (head.status_code, got.status_code) == (status, status)
    assert (head.content, head.headers["content-type"]) == (b"", got.headers["content-type"])
    assert int(head.headers["content-length"]) > 0


async def test_head_comes_over_the_wire_without_a_body_and_is_counted_as_what_it_is() -> None:
    async with HttpServer(made(port=0)[0]) as server, httpx.AsyncClient(base_url=f"http://{server.address}") as asking:
        assert [(await asking.head("/healthz")).status_code for _ in "12"] == [200, 200]
        text = (await asking.get("/metrics")).text
    assert 'trabecula_http_requests_total{method="HEAD",route="/healthz",status="200"} 2.0' in text


# ---- nothing of the patient


async def everything(asking: Any, alert_id: str) -> None:
    """Every route with the patient in it, well and badly."""
    event = encode(calcium("a", patient=PATIENT))
    hl7 = f"MSH|^~\\&|A|B|||20260303081500||ADT^A08|{PATIENT}|P|2.5\rPID|1||{PATIENT}^^^HOSPITAL^MR\r".encode()
    await asking.post("/v1/events", content=event, headers=JSON)
    await asking.post("/v1/events", content=event[:-3], headers=JSON)
    await asking.post("/v1/events", content=encode({"kind": PATIENT, "event_id": PATIENT}), headers=JSON)
    await asking.post("/fhir", content=encode({"resourceType": PATIENT}), headers=JSON)
    await asking.post(f"/fhir/{PATIENT}", content=b"{}", headers=JSON)
    await asking.post("/hl7v2", content=hl7, headers={"content-type": "text/plain"})
    await asking.post(f"/v1/alerts/{alert_id}/responses", content=b'{"action":"plan"}', headers=JSON)
    for path in ("/v1/patients/{}", "/v1/patients/{}/timeline", "/v1/patients/{}/explain", "/patients/{}", "/{}"):
        await asking.get(path.format(PATIENT))
        await asking.get(path.format(PATIENT), params={"at": PATIENT, "after": PATIENT})
    for path in ("/v1/alerts", "/", "/patients", "/v1/messages"):
        await asking.get(path, params={"patient": PATIENT, "source": "lab", "event_id": "a", "after": PATIENT})
    await asking.request(PATIENT[:6], "/v1/alerts")


async def test_no_log_line_has_anything_of_the_patient(caplog: pytest.LogCaptureFixture) -> None:
    node = hospital()
    application, _, _ = made(node)
    alert_id = node.told[-1].notice.alert_id
    with caplog.at_level(logging.DEBUG):
        async with client(application) as asking:
            await everything(asking, alert_id)
            node.failing = [KeyError(PATIENT), NotDurableError(PATIENT)]
            await asking.post("/v1/events", content=encode(calcium("b", patient=PATIENT)), headers=JSON)
            await asking.post("/v1/events", content=encode(calcium("c", patient=PATIENT)), headers=JSON)
    ours = [record for record in caplog.records if record.name.startswith(("trabecula", "uvicorn"))]
    assert len(ours) > 20
    assert [r.getMessage() for r in ours if PATIENT in r.getMessage() or alert_id in r.getMessage()] == []
    assert [r.getMessage() for r in ours if "KeyError" in r.getMessage()]
    assert [r for r in ours if r.exc_info] == []


async def test_no_metric_has_anything_of_the_patient() -> None:
    node = hospital()
    application, _, _ = made(node)
    async with client(application) as asking:
        await everything(asking, node.told[-1].notice.alert_id)
        text = (await asking.get("/metrics")).text
    assert PATIENT not in text
    known = {n.notice.patient_id for n in node.told} | {n.notice.alert_id for n in node.told}
    assert [name for name in known if name in re.findall(r"\w+", text)] == []
    assert 'trabecula_events_total{channel="events",kind="lab_result",outcome="accepted"} 1.0' in text
    assert 'trabecula_acknowledge_seconds_count{channel="events"} ' in text
    assert 'trabecula_alerts_open{severity="critical",state="acknowledged"} 1.0' in text
    assert 'route="/v1/patients/{patient_id}"' in text
    assert 'method="other"' in text


def test_labels_are_a_closed_set_whatever_is_counted() -> None:
    """A sender could put a name where a code system or a reason belongs."""
    counted = Metrics()
    many = [Sample("trabecula_unmapped_codes_total", {"system": f"s{n}"}, 1) for n in range(MOST_MEMBERS + 50)]
    strange = [
        Sample("trabecula_dead_letters_total", {"reason": "Maria Muster, 4.5.1993"}, 2),
        Sample("trabecula_dead_letters_total", {"reason": "4711008"}, 3),
        Sample("trabecula_events_total", {"channel": "mllp", "patient": "4711008"}, 1),
        Sample("trabecula_unheard_of_total", {"patient": "4711008"}, 1),
    ]
    counted.asks(lambda: [*many, *strange])
    text = counted.text().decode()
    assert 'trabecula_dead_letters_total{reason="other"} 5.0' in text
    assert 'trabecula_events_total{channel="mllp",kind="",outcome=""} 1.0' in text
    assert 'trabecula_unmapped_codes_total{system="other"} 50.0' in text
    assert "4711008" not in text
    assert "Muster" not in text
    assert all(f"# TYPE {name}" in text for name in FAMILIES)


# ---- the audit


async def test_who_read_or_changed_which_patient_is_noted_before_it_is_told(tmp_path: Any) -> None:
    key, entry = new_key("ward 3", "clinician", "feed")
    (tmp_path / "keys.toml").write_text(entry, "utf-8")
    audit = MemoryAudit()
    node = hospital()
    application, _, _ = made(node, access_of(AccessSettings(keys=tmp_path / "keys.toml"), audit))
    alert = node.told[-1].notice
    async with client(application, headers={"authorization": f"Bearer {key}"}) as asking:
        await asking.get(f"/v1/patients/{alert.patient_id}")
        await asking.get(f"/v1/alerts/{alert.alert_id}")
        await asking.get(f"/v1/alerts?patient={alert.patient_id}")
        await asking.post(f"/v1/alerts/{alert.alert_id}/responses", content=b'{"action":"plan"}', headers=JSON)
        await asking.get("/metrics")
    found = [(e.who, e.how, e.action, e.route.split(" ")[1], e.patients) for e in audit.entries]
    whom = (alert.patient_id,)
    assert found[0] == ("ward 3", "key", "read", "/v1/patients/{patient_id}", whom)
    assert found[1] == ("ward 3", "key", "read", "/v1/alerts/{alert_id}", whom)
    assert found[2][2:4] == ("read", "/v1/alerts")
    assert found[3] == ("ward 3", "key", "changed", "/v1/alerts/{alert_id}/responses", whom)
    assert found[4][2:] == ("refused", "/metrics", ())
    assert node.received[-1].feed == "ward 3"
    assert decode(node.received[-1].raw)["by"] == "ward 3"


async def test_what_cannot_be_noted_is_not_shown() -> None:
    class Full(MemoryAudit):
        async def record(self, entry: AuditEntry) -> None:
            del entry
            raise NotDurableError("the disk is full")

    node = hospital()
    application, _, _ = made(node)
    application.state.node.access.audit = Full()
    async with client(application) as asking:
        answer = await asking.get("/v1/alerts")
    assert answer.status_code == 503
    assert "30388" not in answer.text


# ---- probes


@pytest.mark.parametrize(
    ("ready", "status"),
    [(Readiness("ready"), 200), (Readiness("starting"), 503), (Readiness("failed", "the disk is full"), 503)],
)
async def test_readiness_is_that_of_the_engine_with_its_reason(ready: Readiness, status: int) -> None:
    node = MemoryNode()
    node.ready = ready
    application, _, _ = made(node)
    async with client(application) as asking:
        answer = await asking.get("/readyz")
        assert (await asking.get("/healthz")).json() == {"state": "alive", "reason": ""}
    assert answer.status_code == status
    assert answer.json() == {"state": ready.state, "reason": ready.reason}
