"""`trabecula gateway` as an operator runs it: what it says when it is ready, and how it ends."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from schemas.topics import EVENTS
from schemas.wire import encode
from streams.kafka.connection import Connection
from tests.kafka.broker import Cluster
from tests.kafka.gateway_clinic import records
from tests.node.http_clinic import calcium
from tests.node.serving import JSON

ROOT = Path(__file__).parents[2]
FREE = ("--http", "127.0.0.1:0", "--mllp", "127.0.0.1:0")


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "streams.cli", *arguments]


def environment(prefix: str) -> dict[str, str]:
    return os.environ | {"TRABECULA_TOPIC_PREFIX": prefix, "TRABECULA_LOG_FORM": "json"}


def run(prefix: str, *arguments: str) -> tuple[int, str, str]:
    ran = subprocess.run(
        command(*arguments),
        cwd=ROOT,
        env=environment(prefix),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return ran.returncode, ran.stdout, ran.stderr


@contextmanager
def started(bootstrap: str, prefix: str, log: Path) -> Iterator[tuple["subprocess.Popen[str]", dict[str, str]]]:
    assert run(prefix, "topics", "create", "--bootstrap", bootstrap, "--replication", "1", "--partitions", "2")[0] == 0
    with log.open("w") as err:
        gateway = subprocess.Popen(
            command("gateway", "--bootstrap", bootstrap, *FREE),
            cwd=ROOT,
            env=environment(prefix),
            stdout=subprocess.PIPE,
            stderr=err,
            text=True,
        )
    try:
        assert gateway.stdout is not None
        yield gateway, json.loads(gateway.stdout.readline())
    finally:
        gateway.kill()
        gateway.communicate()


def ended(gateway: "subprocess.Popen[str]") -> tuple[int, float]:
    """The exit status after SIGTERM, and the seconds that it took."""
    began = time.monotonic()
    gateway.send_signal(signal.SIGTERM)
    return gateway.wait(20), time.monotonic() - began


def test_it_says_where_it_listens_and_ends_with_0_when_it_is_told_to(
    bootstrap: str, prefix: str, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    with started(bootstrap, prefix, log) as (gateway, addresses):
        assert addresses.keys() == {"http", "mllp"}
        url = f"http://{addresses['http']}"
        answer = httpx.post(
            f"{url}/v1/events", content=encode(calcium("e", patient="SECRET")), headers=JSON, timeout=30
        )
        assert answer.json()["items"][0]["outcome"] == "accepted"
        refused = calcium("f", patient="SECRET", status="perhaps")
        assert httpx.post(f"{url}/v1/events", content=encode(refused), headers=JSON, timeout=30).status_code == 200
        status, took = ended(gateway)
        assert (status, took < 10) == (0, True), log.read_text()
        assert gateway.stdout is not None
        assert gateway.stdout.read() == "", "nothing else goes to stdout"
    (event,) = records(Connection(bootstrap, prefix), EVENTS)
    assert event.said["event_id"] == "e"
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    assert [line["event"] for line in lines] == ["started", "stopping", "stopped"]
    assert "SECRET" not in log.read_text()


@pytest.mark.parametrize("harm", ["suspend", "kill"])
def test_it_ends_in_time_and_says_little_also_while_no_broker_answers(
    one_broker: Cluster, tmp_path: Path, harm: str
) -> None:
    log = tmp_path / "log"
    with started(one_broker.bootstrap, "", log) as (gateway, addresses):
        getattr(one_broker.brokers[0], harm)()
        with httpx.Client(base_url=f"http://{addresses['http']}", timeout=30) as client:
            assert client.post("/v1/events", content=encode(calcium("e")), headers=JSON).status_code == 503
            assert client.get("/readyz").status_code == 503
            assert client.get("/healthz").status_code == 200
        status, took = ended(gateway)
        assert (status, took < 10) == (0, True), log.read_text()
    lines = log.read_text().splitlines()
    assert {"started", "not_taking", "stopped"} <= {json.loads(line)["event"] for line in lines}
    assert len(lines) < 12, lines


def test_without_topics_it_says_which_and_how_to_make_them(bootstrap: str, prefix: str) -> None:
    status, out, err = run(prefix, "gateway", "--bootstrap", bootstrap, *FREE)
    assert (status, out) == (2, "")
    assert f"trabecula: not there: {prefix}trabecula.events.v1" in err
    assert "trabecula topics create" in err


def test_without_a_broker_it_says_where_it_looked() -> None:
    status, out, err = run("", "gateway", "--bootstrap", "127.0.0.1:1", *FREE)
    assert (status, out) == (2, "")
    assert err.splitlines()[-1] == "trabecula: no broker answers at 127.0.0.1:1 (KafkaConnectionError)"


@pytest.mark.parametrize("listen", [("--http", "0.0.0.0:0"), ("--mllp", "0.0.0.0:0")])
def test_where_others_reach_it_it_refuses_to_start_without_asking_who_they_are(
    bootstrap: str, prefix: str, listen: tuple[str, str]
) -> None:
    run(prefix, "topics", "create", "--bootstrap", bootstrap, "--replication", "1", "--partitions", "1")
    status, out, err = run(prefix, "gateway", "--bootstrap", bootstrap, *FREE, *listen)
    assert (status, out) == (2, "")
    assert "--keys" in err or "--mllp-certificate" in err or "TRABECULA_KEYS" in err
