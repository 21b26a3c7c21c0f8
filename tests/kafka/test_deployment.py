"""The services of docker-compose.yml as processes of this machine, on a real Kafka: a dose in, a notice out."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import httpx
import pytest
import yaml

from streams.node.access_keys import append_entry, new_key
from tests.house.places import ROOT, text
from tests.kafka.broker import free_port

SERVICES: Final[dict[str, dict[str, Any]]] = yaml.safe_load(text("docker-compose.yml"))["services"]
LONG_RUNNING: Final = ("gateway", "worker-1", "worker-2", "notify", "console")
SOON: Final = 60.0


def until(holds: Callable[[], Any], seconds: float = SOON) -> Any:
    """What something becomes, once it is anything."""
    ends = time.monotonic() + seconds
    while not (found := holds()):
        assert time.monotonic() < ends, "it never came to that"
        time.sleep(0.1)
    return found


class Deployment:
    """Every service, its folders and addresses those of a test."""

    def __init__(self, bootstrap: str, prefix: str, folder: Path) -> None:
        self.bootstrap, self.prefix, self.folder = bootstrap, prefix, folder
        self.keys = {role: new_key(role, role) for role in ("feed", "clinician", "operator")}
        for _, entry in self.keys.values():
            append_entry(folder / "keys.toml", entry)
        receivers = text("deploy/receivers.toml").replace("/var/lib/trabecula", str(folder))
        (folder / "receivers.toml").write_text(receivers, "utf-8")
        self.running: dict[str, subprocess.Popen[bytes]] = {}
        self.addresses: dict[str, str] = {}

    def environment(self, name: str) -> dict[str, str]:
        """What the file says, with the places of this machine."""
        ours = {
            "kafka:9092": self.bootstrap,
            "0.0.0.0:8080": "127.0.0.1:0",
            "/run/trabecula/access/keys.toml": str(self.folder / "keys.toml"),
            "/etc/trabecula/receivers.toml": str(self.folder / "receivers.toml"),
        }
        said = {key: ours.get(value, value) for key, value in SERVICES[name]["environment"].items()}
        own = {"TRABECULA_TOPIC_PREFIX": self.prefix, "TRABECULA_DATA": str(self.folder / name)}
        kept = {key: value for key, value in os.environ.items() if not key.startswith("TRABECULA_")}
        own |= {"TRABECULA_PARTITIONS": "4"}
        return {**kept, **said, **own, "TRABECULA_SESSION_SECONDS": "3", "TRABECULA_MLLP": f"127.0.0.1:{free_port()}"}

    def start(self, name: str) -> None:
        command = [sys.executable, "-m", "streams.cli", *SERVICES[name]["command"]]
        with (self.folder / f"{name}.log").open("wb") as log:
            self.running[name] = subprocess.Popen(
                command, cwd=ROOT, env=self.environment(name), stdout=subprocess.PIPE, stderr=log
            )

    def ready(self) -> None:
        """Wait for every address, and until each says that it is ready."""
        for name, process in self.running.items():
            assert process.stdout is not None
            line = process.stdout.readline()
            assert line, (self.folder / f"{name}.log").read_text("utf-8")
            self.addresses[name] = json.loads(line)["http"]
        for name in self.running:
            until(lambda name=name: self.ask(name, "/readyz")[0] == 200)  # type: ignore[misc]

    def ask(self, name: str, path: str, role: str | None = None, body: bytes | None = None) -> tuple[int, bytes]:
        """What a service answers."""
        headers = {"Content-Type": "application/json"}
        if role is not None:
            headers["Authorization"] = f"Bearer {self.keys[role][0]}"
        method = "GET" if body is None else "POST"
        answer = httpx.request(
            method, f"http://{self.addresses[name]}{path}", content=body, headers=headers, timeout=10
        )
        return answer.status_code, answer.content

    def standing(self) -> list[dict[str, Any]]:
        """The alerts that the console shows."""
        found: list[dict[str, Any]] = json.loads(self.ask("console", "/v1/alerts", "clinician")[1])["items"]
        return found

    def kill(self, name: str) -> None:
        """End one at once."""
        process = self.running.pop(name)
        process.kill()
        process.communicate()

    def end(self) -> dict[str, int]:
        """Tell all to end; their exit statuses."""
        for process in self.running.values():
            process.terminate()
        return {name: process.wait(15) for name, process in self.running.items()}

    def close(self) -> None:
        for process in self.running.values():
            if process.poll() is None:
                process.kill()
            process.wait()
            assert process.stdout is not None
            process.stdout.close()


@contextmanager
def deployed(bootstrap: str, prefix: str, folder: Path) -> Iterator[Deployment]:
    """All services of the file, ready."""
    made = Deployment(bootstrap, prefix, folder)
    try:
        command = [sys.executable, "-m", "streams.cli", *SERVICES["topics"]["command"]]
        subprocess.run(command, cwd=ROOT, env=made.environment("topics"), check=True, capture_output=True)
        for name in LONG_RUNNING:
            made.start(name)
        made.ready()
        yield made
    finally:
        made.close()


@pytest.fixture
def deployment(bootstrap: str, prefix: str, tmp_path: Path) -> Iterator[Deployment]:
    with deployed(bootstrap, prefix, tmp_path) as made:
        yield made


def test_a_dose_that_comes_in_is_an_alert_and_a_notice_and_an_answer_comes_back(deployment: Deployment) -> None:
    """The heparin course of the README over all processes; the worker that decided it is killed in between."""
    events = [json.loads(line) for line in text("docs/examples/heparin-course.ndjson").splitlines()]
    assert deployment.ask("gateway", "/v1/events", None, b"[]")[0] == 401
    status, said = deployment.ask("gateway", "/v1/events", "feed", json.dumps(events).encode())
    assert status == 200
    assert [item["outcome"] for item in json.loads(said)["items"]] == ["accepted"] * len(events)
    alerts = until(deployment.standing)
    notices = until(lambda: told(deployment.folder))
    assert {notice["patient_id"] for notice in notices} == {alert["patient_id"] for alert in alerts} == {"MRN-1"}
    evidence = f"/v1/messages?source=pharmacy&event_id={events[1]['event_id']}"
    (message,) = json.loads(deployment.ask("console", evidence, "clinician")[1])["items"]
    assert json.loads(message["body"])["event_id"] == "rx-1"

    deployment.kill("worker-1")
    path = f"/v1/alerts/{alerts[0]['alert_id']}/responses"
    status, said = deployment.ask("console", path, "clinician", b'{"action": "acknowledge"}')
    assert (status, json.loads(said)["outcome"]) == (200, "accepted")
    until(lambda: any(alert["state"] == "acknowledged" for alert in deployment.standing()))
    assert b"trabecula_deliveries_total" in deployment.ask("notify", "/metrics")[1]
    assert deployment.ask("console", "/metrics", "operator")[0] == 200

    assert deployment.end() == dict.fromkeys(deployment.running, 0)


def told(folder: Path) -> list[dict[str, Any]]:
    """The notices in the file of the receiver."""
    file = folder / "notices.ndjson"
    return [json.loads(line) for line in file.read_text("utf-8").splitlines()] if file.exists() else []
