"""Clients that nobody here wrote against a whole node: curl, python-hl7's command, the library of Standard Webhooks."""

import gzip
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from tests.delivery.receiving import SECRET, Request, Server, server
from tests.node.kill_clinic import Life, site
from tests.node.kill_feeds import PATIENCE, HttpLine, Payload

CURL: Final = shutil.which("curl")
MLLP_SEND: Final = Path(sys.executable).with_name("mllp_send")
NUMBER: Final = "4711008"
NOW: Final = datetime.now(UTC).replace(microsecond=0)
AT: Final = (NOW - timedelta(hours=2)).isoformat()
EVENT: Final[dict[str, Any]] = {
    "kind": "lab_result",
    "event_id": "C-1",
    "patient_id": NUMBER,
    "source": "LAB",
    "record_id": "C-1",
    "recorded_at": NOW.isoformat(),
    "collected_at": AT,
    "status": "final",
    "code": {"system": "http://loinc.org", "code": "17861-6"},
    "value": 14.2,
    "unit": "mg/dL",
}
PREGNANT: Final[dict[str, Any]] = {
    "kind": "pregnancy",
    "source": "LAB",
    "recorded_at": AT,
    "observed_at": AT,
    "status": "pregnant",
    "last_menstrual_period": (NOW - timedelta(days=140)).date().isoformat(),
}
PATIENT: Final[dict[str, Any]] = {"resourceType": "Patient", "id": "p1", "birthDate": "1993-05-04"}
RESULT: Final[dict[str, Any]] = {
    "resourceType": "Observation",
    "id": "o1",
    "status": "final",
    "subject": {"reference": "Patient/p1"},
    "code": {"coding": [{"system": "http://loinc.org", "code": "17861-6"}]},
    "valueQuantity": {"value": 9.1, "unit": "mg/dL"},
    "effectiveDateTime": "2026-01-02T08:00:00Z",
    "issued": "2026-01-02T09:00:00Z",
}
ORU: Final = (
    f"MSH|^~\\&|LAB|HOSP|T|H|20260102090000||ORU^R01|C-9|P|2.5.1\rPID|1||{NUMBER}^^^HOSP^MR||Example^Ada||19930504|F\r"
    "OBR|1|PL-9|FI-9|62292-8^25-OH vitamin D^LN|||20260102080000\r"
    "OBX|1|NM|62292-8^25-OH vitamin D^LN||24|ng/mL|20-50|L|||F\r"
).encode()
WRONG_ORU: Final = ORU.replace(b"ORU^R01", b"").replace(b"C-9", b"C-8")


@dataclass(frozen=True, slots=True)
class Running:
    """A node, and who is told."""

    http: str
    mllp: str
    receiver: Server


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("clients")
    with server() as receiver:
        site(folder, receiver.url)
        life = Life(folder)
        try:
            addresses = life.ready()
            yield Running(f"http://{addresses['http']}", addresses["mllp"], receiver)
            life.stop()
        finally:
            life.end()


# ---- curl


@dataclass(frozen=True, slots=True)
class Answer:
    """What curl was told."""

    status: int
    kind: str
    body: str


def curl(url: str, *options: str, body: bytes | None = None) -> Answer:
    """One request of the command curl."""
    assert CURL is not None
    written = "\n%{http_code} %{content_type}"
    sends = () if body is None else ("--data-binary", "@-")
    command = [CURL, "--silent", "--show-error", "--max-time", "30", "--write-out", written, *sends, *options, url]
    ran = subprocess.run(command, input=body or b"", capture_output=True, timeout=60, check=True)
    said, _, last = ran.stdout.decode().rpartition("\n")
    status, _, kind = last.partition(" ")
    return Answer(int(status), kind, said)


def typed(kind: str) -> tuple[str, str]:
    return "--header", f"Content-Type: {kind}"


needs_curl = pytest.mark.skipif(CURL is None and not os.environ.get("CI"), reason="curl is not installed")
JSON: Final = typed("application/json")
FHIR: Final = typed("application/fhir+json")
HL7: Final = typed("application/hl7-v2")
LINES: Final = typed("application/x-ndjson")


def encoded(given: object) -> bytes:
    return json.dumps(given).encode()


def bundle(kind: str, *resources: dict[str, Any]) -> bytes:
    requests = ({"method": "PUT", "url": f"{each['resourceType']}/{each['id']}"} for each in resources)
    entries = [{"resource": each, "request": asked} for each, asked in zip(resources, requests, strict=True)]
    return encoded({"resourceType": "Bundle", "type": kind, "entry": entries})


RIGHT: Final = [
    ("/v1/events", JSON, encoded(EVENT), '"outcome":"accepted"'),
    ("/v1/events", JSON, encoded([{**EVENT, "event_id": "C-2"}]), '"outcome":"accepted"'),
    ("/v1/events", LINES, encoded({**EVENT, "event_id": "C-3"}) + b"\n", '"outcome":"accepted"'),
    ("/v1/events", (*LINES, "--header", "Transfer-Encoding: chunked"), encoded(EVENT) + b"\n", '"outcome":"duplicate"'),
    (
        "/v1/events",
        (*JSON, "--header", "Content-Encoding: gzip"),
        gzip.compress(encoded({**EVENT, "event_id": "C-4"})),
        '"outcome":"accepted"',
    ),
    ("/fhir", FHIR, encoded(PATIENT), '"severity":"information"'),
    ("/fhir/Observation", FHIR, encoded(RESULT), '"severity":"information"'),
    ("/fhir", FHIR, bundle("transaction", PATIENT, {**RESULT, "id": "o2"}), '"transaction-response"'),
    ("/fhir", FHIR, bundle("collection", PATIENT, RESULT), '"severity":"information"'),
    ("/hl7v2", HL7, ORU, "MSA|AA|C-9"),
    ("/hl7v2", HL7, ORU.replace(b"\r", b"\r\n"), "MSA|AA|C-9"),
]


@needs_curl
@pytest.mark.parametrize(("path", "options", "body", "says"), RIGHT)
def test_curl_posts_what_is_right(node: Running, path: str, options: Sequence[str], body: bytes, says: str) -> None:
    answer = curl(node.http + path, *options, body=body)
    assert answer.status == 200, answer.body
    assert says in answer.body


NOT_R4: Final = {**RESULT, "id": "o9", "effectiveDateTime": "2026"}
WRONG: Final = [
    ("/v1/events", JSON, b'{"kind": "lab_result", "patient_id": "4711008"', 400, "no JSON object"),
    ("/v1/events", JSON, b"", 400, "empty"),
    ("/v1/events", JSON, b"[4711008]", 200, '"outcome":"refused"'),
    ("/v1/events", JSON, encoded({**EVENT, "kind": "horoscope"}), 200, "kind"),
    ("/v1/events", JSON, encoded({**EVENT, "value": NUMBER}), 200, "$.value: expected a number"),
    (
        "/v1/events",
        JSON,
        encoded({**EVENT, "collected_at": "2026-01-02T08:00:00"}),
        200,
        "$.collected_at: expected an instant with an offset",
    ),
    ("/v1/events", JSON, b'{"patient_id": "4711008", "note": "\xff"}', 400, "JSON"),
    ("/v1/events", (), encoded(EVENT), 415, "application/json"),
    ("/v1/events", (*JSON, "--header", "Content-Encoding: gzip"), b"4711008", 400, "gzip"),
    ("/v1/events", (*JSON, "--request", "DELETE"), encoded(EVENT), 405, "Method Not Allowed"),
    ("/v1/event", JSON, encoded(EVENT), 404, "Not Found"),
    ("/fhir", FHIR, b"<Patient/>", 400, "OperationOutcome"),
    ("/fhir", FHIR, encoded({"resourceType": "Horoscope", "id": NUMBER}), 422, "OperationOutcome"),
    ("/fhir", FHIR, encoded(NOT_R4), 422, "effectiveDateTime"),
    ("/fhir/Patient", FHIR, encoded(RESULT), 400, "another type"),
    ("/fhir", typed("text/xml"), b"<Patient/>", 415, "application/fhir+json"),
    ("/hl7v2", HL7, b" ", 400, "no HL7 v2 message"),
    ("/hl7v2", HL7, b"hello 4711008", 200, "MSA|AR|"),
    ("/hl7v2", HL7, WRONG_ORU, 200, "MSA|AR|C-8"),
    ("/hl7v2", JSON, ORU, 415, "application/hl7-v2"),
]


@needs_curl
@pytest.mark.parametrize(("path", "options", "body", "status", "says"), WRONG)
def test_curl_posts_what_is_wrong_and_is_told_what_would_be_right(
    node: Running, path: str, options: Sequence[str], body: bytes, status: int, says: str
) -> None:
    answer = curl(node.http + path, *options, body=body)
    assert answer.status == status, answer.body
    assert says in answer.body
    assert NUMBER not in answer.body, "the answer has what was sent"
    assert status == 200 or answer.kind.split(";")[0] in {"application/problem+json", "application/fhir+json"}


@needs_curl
def test_curl_sends_a_large_body_after_it_was_told_to_continue(node: Running) -> None:
    lines = b"".join(encoded({**EVENT, "event_id": f"L-{n}", "patient_id": f"L-{n}"}) + b"\n" for n in range(4_000))
    assert len(lines) > 1024 * 1024
    answer = curl(f"{node.http}/v1/events", *LINES, "--header", "Expect: 100-continue", body=lines)
    assert answer.body.count('"outcome":"accepted"') == 4_000


@needs_curl
def test_curl_reads_what_is_asked_for_and_follows_the_notices(node: Running) -> None:
    assert curl(f"{node.http}/v1/events", *LINES, body=b"\n".join(calcium("curl"))).status == 200
    assert json.loads(curl(f"{node.http}/readyz").body)["state"] == "ready"
    alerts = json.loads(curl(f"{node.http}/v1/alerts?patient=curl").body)["items"]
    assert {alert["rule_id"] for alert in alerts} == {"CAL-01"}
    assert CURL is not None
    follows = [CURL, "--silent", "--no-buffer", "--max-time", "30", f"{node.http}/v1/notices"]
    follows += ["--header", "Last-Event-ID: 0"]
    with subprocess.Popen(follows, stdout=subprocess.PIPE) as reading:
        assert reading.stdout is not None
        told = next(line for line in reading.stdout if line.startswith(b"data:") and b'"CAL-01"' in line)
        reading.kill()
    assert json.loads(told.removeprefix(b"data:"))["transition"] == "raised"


def calcium(patient: str) -> tuple[bytes, bytes]:
    """A pregnancy and a critical calcium in it."""
    return (
        encoded({**PREGNANT, "event_id": f"{patient}-1", "record_id": f"{patient}-1", "patient_id": patient}),
        encoded({**EVENT, "event_id": f"{patient}-2", "record_id": f"{patient}-2", "patient_id": patient}),
    )


# ---- python-hl7's command


def test_mllp_send_is_acknowledged_by_a_whole_node(node: Running, tmp_path: Path) -> None:
    file = tmp_path / "messages.hl7"
    messages = [ORU.replace(b"C-9", b"S-%d" % n).replace(b"|FI-9|", b"|FI-S%d|" % n) for n in range(20)]
    file.write_bytes(b"".join(b"\x0b" + each + b"\x1c\r" for each in (*messages, WRONG_ORU, messages[0])))
    host, _, port = node.mllp.rpartition(":")
    command = [str(MLLP_SEND), "--port", port, "--file", str(file), host]
    ran = subprocess.run(command, check=True, capture_output=True, timeout=60)
    said = [line for line in ran.stdout.decode().replace("\r", "\n").split("\n") if line.startswith("MSA|")]
    found = [tuple(line.split("|")[1:3]) for line in said]
    assert found == [*(("AA", f"S-{n}") for n in range(20)), ("AR", "C-8"), ("AA", "S-0")]


# ---- the library of Standard Webhooks


def test_the_library_of_standard_webhooks_verifies_what_is_delivered_and_nothing_else(node: Running) -> None:
    subscriber = Webhook(SECRET)
    request = delivered(node, "hook")
    assert subscriber.verify(request.raw, dict(request.headers))["notice_id"] == request.message_id
    with pytest.raises(WebhookVerificationError):
        subscriber.verify(request.raw.replace(b"critical", b"advisory"), dict(request.headers))
    with pytest.raises(WebhookVerificationError):
        subscriber.verify(request.raw, {**request.headers, "webhook-id": "another"})
    with pytest.raises(WebhookVerificationError):
        subscriber.verify(request.raw, {**request.headers, "webhook-timestamp": str(int(time.time()) - 3_600)})
    with pytest.raises(WebhookVerificationError):
        Webhook("whsec_" + "A" * 44).verify(request.raw, dict(request.headers))


def delivered(node: Running, patient: str) -> Request:
    """The notice of a critical calcium of a patient, as it was taken."""
    lines = calcium(patient)
    host, _, port = node.http.removeprefix("http://").rpartition(":")
    with closing(HttpLine((host, int(port)))) as sender:
        sender.send(Payload("events", lines, "/v1/events", "application/x-ndjson", b"\n".join(lines)))
    ends = time.monotonic() + PATIENCE
    while not (found := [r for r in node.receiver.taken if r.body["patient_id"] == patient]):
        assert time.monotonic() < ends, "nothing was delivered"
        time.sleep(0.02)
    return found[0]
