"""The node as an operator runs it: start, feed, look, stop, start again."""

import json
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from schemas.events import EVENT
from schemas.wire import encode
from tests.events import IU, UFH

NOW = datetime.now(UTC).replace(microsecond=0)
FREE = ("--http", "127.0.0.1:0", "--mllp", "127.0.0.1:0")


def ago(days: float) -> str:
    """An instant so many days ago."""
    return (NOW - timedelta(days=days)).isoformat()


def course(patient: str = "MRN-1") -> bytes:
    """Heparin of 20,000 IU a day for fifty days, as NDJSON."""
    order = {
        "event_id": f"{patient}-order",
        "kind": "prescription",
        "patient_id": patient,
        "source": "pharmacy",
        "record_id": f"{patient}-order",
        "recorded_at": ago(50),
        "drug": UFH,
        "status": "active",
        "dose": {"value": 10_000, "unit": IU},
        "doses_per_day": 2,
        "starts_at": ago(50),
    }
    return encode(EVENT.validate_python(order))


class Node:
    """A node in a process of its own."""

    def __init__(self, process: subprocess.Popen[bytes], addresses: dict[str, str]) -> None:
        self.process = process
        self.addresses = addresses

    def get(self, path: str) -> Any:
        with urllib.request.urlopen(f"http://{self.addresses['http']}{path}", timeout=10) as answer:
            body = answer.read()
        return json.loads(body) if answer.headers["content-type"].startswith("application/json") else body.decode()

    def post(self, path: str, body: bytes, kind: str = "application/x-ndjson") -> Any:
        request = urllib.request.Request(
            f"http://{self.addresses['http']}{path}", data=body, headers={"Content-Type": kind}
        )
        with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310 - the node under test
            return json.loads(answer.read())

    def mllp(self, message: bytes) -> bytes:
        host, port = self.addresses["mllp"].split(":")
        with socket.create_connection((host, int(port)), timeout=10) as sender:
            sender.sendall(b"\x0b" + message + b"\x1c\r")
            return sender.recv(65_536)


def command(data: Path, *more: str) -> list[str]:
    """The command that starts a node."""
    return [sys.executable, "-m", "streams.cli", "serve", "--data", str(data), *FREE, *more]


@contextmanager
def node(data: Path, *more: str) -> Iterator[Node]:
    """A running node; ended at the end, whatever happens."""
    process = subprocess.Popen(command(data, *more), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        assert process.stdout is not None
        yield Node(process, json.loads(process.stdout.readline()))
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate(timeout=20)


def test_notices_are_delivered_to_a_file_in_order_and_once(tmp_path: Path) -> None:
    told = tmp_path / "notices.ndjson"
    receivers = tmp_path / "receivers.toml"
    receivers.write_text(f'[[receivers]]\nname = "file"\nkind = "file"\npath = "{told}"\nbegins = "beginning"\n')
    with node(tmp_path / "data", "--receivers", str(receivers)) as first:
        first.post("/v1/events", course())
        assert [n["rule_id"] for n in lines(told, 1)] == ["HEP-02"]
        assert 'trabecula_delivery_lag_seconds{receiver="file"} 0.0' in first.get("/metrics")
    with node(tmp_path / "data", "--receivers", str(receivers)) as second:
        second.post("/v1/events", course("MRN-2"))
        assert [n["patient_id"] for n in lines(told, 2)] == ["MRN-1", "MRN-2"]


def lines(path: Path, count: int) -> list[dict[str, Any]]:
    """The lines of a file once there are so many; waits at most ten seconds."""
    for _ in range(100):
        found = path.read_text().splitlines() if path.exists() else []
        if len(found) >= count:
            break
        time.sleep(0.1)
    return [json.loads(line) for line in found]


def message(control: str, value: str) -> bytes:
    """A 25-OH vitamin D result in HL7 v2."""
    day = (NOW - timedelta(days=1)).strftime("%Y%m%d080000")
    return (
        f"MSH|^~\\&|LAB|HOSP|T|H|{day}||ORU^R01|{control}|P|2.5.1\r"
        "PID|1||4711^^^HOSP^MR||Example^Ada||19900101|F\r"
        f"OBR|1|PL-1|FI-{control}|62292-8^25-OH vitamin D^LN|||{day}\r"
        f"OBX|1|NM|62292-8^25-OH vitamin D^LN||{value}|ng/mL|20-50|L|||F\r"
    ).encode()


def test_what_comes_in_over_http_and_mllp_stands_on_the_pages_and_outlives_a_kill(tmp_path: Path) -> None:
    with node(tmp_path / "data") as first:
        answer = first.post("/v1/events", course())
        assert [item["outcome"] for item in answer["items"]] == ["accepted"]
        assert first.post("/v1/events", course())["items"][0]["outcome"] == "duplicate"
        assert b"MSA|AA|M-1" in first.mllp(message("M-1", "24"))
        assert b"MSA|AR|" in first.mllp(b"MSH|^~\\&|LAB|HOSP|T|H|20250101|||M-2|P|2.5.1\r")
        (alert,) = first.get("/v1/alerts")["items"]
        assert (alert["rule_id"], alert["severity"], alert["state"]) == ("HEP-02", "warning", "open")
        assert "fracture range" in first.get("/")
        assert first.get("/readyz")["state"] == "ready"
        first.process.kill()
    with node(tmp_path / "data") as second:
        assert [a["alert_id"] for a in second.get("/v1/alerts")["items"]] == [alert["alert_id"]]
        answered = second.post(
            f"/v1/alerts/{alert['alert_id']}/responses", b'{"action": "acknowledge"}', "application/json"
        )
        assert answered
        assert second.get(f"/v1/alerts/{alert['alert_id']}")["state"] == "acknowledged"
        assert "MRN-1" not in second.get("/metrics")
        second.process.send_signal(signal.SIGTERM)
        assert second.process.wait(timeout=10) == 0


def test_a_second_node_on_the_same_folder_is_refused_in_one_plain_line(tmp_path: Path) -> None:
    with node(tmp_path / "data"):
        ran = subprocess.run(command(tmp_path / "data"), capture_output=True, text=True, timeout=30, check=False)
    assert ran.returncode == 2
    assert ran.stdout == ""
    assert "Traceback" not in ran.stderr
    assert len(ran.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    ("more", "says"),
    [
        (("--http", "0.0.0.0:0"), "TRABECULA_KEYS"),
        (("--mllp", "0.0.0.0:0"), "--mllp-authority"),
        (("--receivers", "absent.toml"), "absent.toml"),
        (("--mllp-certificate", "c.pem"), "--mllp-key"),
        (("--http", "everywhere"), "HOST:PORT"),
        (("--keys", "absent.toml"), "absent.toml"),
    ],
)
def test_what_cannot_be_started_says_what_would_be_accepted(tmp_path: Path, more: tuple[str, ...], says: str) -> None:
    ran = subprocess.run(command(tmp_path / "data", *more), capture_output=True, text=True, timeout=30, check=False)
    assert ran.returncode == 2
    assert says in ran.stderr
    assert "Traceback" not in ran.stderr
