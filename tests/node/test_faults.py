"""A whole node on a disk that fails, over HTTP and MLLP: no wrong acknowledgement, and what it says of itself."""

import http.client
import json
import random
import re
import shutil
import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from email.message import Message
from pathlib import Path
from typing import Any, Final

import pytest

from streams.node.store import Store
from streams.node.store_folder import FILE
from tests.node.faults import Fault, FaultyLife
from tests.node.kill_clinic import Campaign, Life, site
from tests.node.kill_feeds import PATIENCE, MllpLine, NotTakenError, Payload

PATIENTS: Final = 24
MOST_GROWN: Final = 150
"""MiB that a node may hold more while it can store nothing: its queue is bounded, whatever is sent."""


class Faults(Campaign):
    """A disk that gets a fault while the feeds send; the node stops taking, is restarted on a disk that works again."""

    def __init__(self, folder: Path, seed: int, fault: Fault, says: str) -> None:
        super().__init__(folder, seed, PATIENTS)
        self._fault = fault
        self._says = says

    def live(self) -> None:
        life = FaultyLife(self.folder)
        try:
            addresses = life.ready()
            self.ward.node_is(addresses)
            self.wait_for(self.messages // 4)
            life.has(self._fault)
            assert self._says in wait_until_failed(addresses)
            kept = len(self.ward.acknowledged)
            refuses(addresses)
            assert life.mebibytes() < MOST_GROWN + grows(addresses, life)
            assert len(self.ward.acknowledged) == kept, "acknowledged after the disk had failed"
        finally:
            self.ward.node_is(None)
            life.end()


def get(addresses: dict[str, str], path: str) -> tuple[int, dict[str, Any]]:
    """Status and body of a probe."""
    with closing(http.client.HTTPConnection(*address(addresses, "http"), timeout=PATIENCE)) as line:
        line.request("GET", path)
        answer = line.getresponse()
        told: dict[str, Any] = json.loads(answer.read())
        return answer.status, told


def post(addresses: dict[str, str], path: str, kind: str, body: bytes) -> tuple[int, Message, bytes]:
    """Status, headers and body of the answer to a body."""
    with closing(http.client.HTTPConnection(*address(addresses, "http"), timeout=3 * PATIENCE)) as line:
        line.request("POST", path, body, {"Content-Type": kind})
        answer = line.getresponse()
        return answer.status, answer.headers, answer.read()


def address(addresses: dict[str, str], which: str) -> tuple[str, int]:
    host, _, port = addresses[which].rpartition(":")
    return host, int(port)


def wait_until_failed(addresses: dict[str, str]) -> str:
    """What /readyz says once the node is no longer ready."""
    wait_for(lambda: get(addresses, "/readyz")[0] != 200)
    found = get(addresses, "/readyz")
    assert found[0] == 503
    assert found[1]["state"] == "failed"
    assert get(addresses, "/healthz")[0] == 200
    return str(found[1]["reason"])


ONE_RESULT: Final = (
    b"MSH|^~\\&|LAB|HOSP|T|H|20260101||ORU^R01|F-1|P|2.5.1\rPID|1||4711^^^HOSP^MR||Example^Ada||19900101|F\r"
    b"OBR|1|PL-1|FI-1|62292-8^25-OH vitamin D^LN|||20260101080000\r"
    b"OBX|1|NM|62292-8^25-OH vitamin D^LN||24|ng/mL|20-50|L|||F\r"
)
BODIES: Final = {
    "/v1/events": ("application/json", b'[{"event_id": "F-1"}]'),
    "/fhir": ("application/fhir+json", b'{"resourceType": "Patient", "id": "F-1"}'),
    "/hl7v2": ("application/hl7-v2", ONE_RESULT),
}


def refuses(addresses: dict[str, str]) -> None:
    """Every way in says that it could not be stored and may be sent again."""
    for path, (kind, body) in BODIES.items():
        status, headers, said = post(addresses, path, kind, body)
        assert status == 503
        assert int(headers["Retry-After"]) >= 1
        assert b"4711" not in said
        assert path != "/hl7v2" or b"MSA|AE|F-1" in said
        assert path != "/fhir" or json.loads(said)["issue"][0]["code"] == "transient"
    with socket.create_connection(address(addresses, "mllp"), PATIENCE) as sender:
        sender.sendall(b"\x0b" + ONE_RESULT + b"\x1c\r")
        assert b"MSA|AE|F-1" in sender.recv(65_536)


def grows(addresses: dict[str, str], life: FaultyLife) -> float:
    """The memory before a thousand more messages are sent of which none can be kept."""
    before = life.mebibytes()
    with socket.create_connection(address(addresses, "mllp"), PATIENCE) as sender:
        for _ in range(20):
            sender.sendall((b"\x0b" + ONE_RESULT + b"\x1c\r") * 50)
            read = b""
            while read.count(b"\x1c\r") < 50:
                read += sender.recv(65_536)
            assert read.count(b"MSA|AE|") == 50
    return before


@pytest.mark.parametrize(
    ("seed", "fault", "says"),
    [
        (1, Fault("full", "xWrite", 9), "the disk is full"),
        (2, Fault("failed", "xWrite", 3), "the disk failed"),
        (3, Fault("failed", "xSync", 0), "the disk failed"),
        (4, Fault("failed", "xSync", 4), "the disk failed"),
    ],
)
def test_a_disk_that_fails_under_load_costs_no_acknowledged_message(
    tmp_path: Path, seed: int, fault: Fault, says: str
) -> None:
    outcome = Faults(tmp_path, seed, fault, says).run()
    print(f"\n{outcome}")
    assert not outcome.became.keys() - {"AA", "accepted", "duplicate", "200 OK"}
    assert outcome.proof.notices


def test_a_node_whose_disk_is_full_at_the_start_says_so_and_starts_once_there_is_room(tmp_path: Path) -> None:
    site(tmp_path, "http://127.0.0.1:1/")
    life = FaultyLife(tmp_path, Fault("full", "xWrite"))
    assert life.process.wait(PATIENCE) == 2
    said = life.said().splitlines()
    assert "the disk is full" in said[-1]
    assert not [line for line in said if "Traceback" in line]
    life = FaultyLife(tmp_path)
    try:
        assert get(life.ready(), "/readyz")[0] == 200
        life.stop()
    finally:
        life.end()


# ---- a log that is torn at its end


@contextmanager
def slow(folder: Path, seconds: float) -> Iterator[tuple[FaultyLife, dict[str, str]]]:
    """A node on a disk whose every sync takes so long."""
    site(folder, "http://127.0.0.1:1/")
    life = FaultyLife(folder)
    try:
        addresses = life.ready()
        life.has(Fault(slow=seconds))
        yield life, addresses
    finally:
        life.end()


def torn(rng: random.Random, how: str, log: Path, safe: int) -> None:
    """What a machine that lost its power may leave of what was not synced: less, zeros, or anything."""
    whole = log.read_bytes()
    at = rng.randrange(safe, len(whole))
    rest = {"cut": b"", "zeroed": bytes(len(whole) - at), "garbled": rng.randbytes(len(whole) - at)}
    log.write_bytes(whole[:at] + rest[how])


def message(number: int) -> Payload:
    """A result of a patient of its own."""
    raw = re.sub(rb"(F|PL|FI)-1", rb"\g<1>-%d" % number, ONE_RESULT).replace(b"4711", b"%d" % number)
    return Payload("mllp", (raw,), body=b"\x0b" + raw + b"\x1c\r")


def test_a_torn_tail_of_the_log_costs_only_what_was_not_acknowledged(tmp_path: Path) -> None:
    log = tmp_path / "data" / f"{FILE}-wal"
    with slow(tmp_path, 0) as (life, addresses):
        with closing(MllpLine(address(addresses, "mllp"))) as line:
            acknowledged = {raw for n in range(60) for raw, _ in line.send(message(n))}
        safe = log.stat().st_size
        life.has(Fault(slow=PATIENCE))
        with socket.create_connection(address(addresses, "mllp"), PATIENCE) as sender:
            sender.sendall(b"".join(message(n).body for n in range(60, 90)))
            wait_for(lambda: log.stat().st_size > safe)
            life.kill()
            assert sender.recv(65_536) == b"", "acknowledged before it was durable"
    rng = random.Random(1)
    for how in ("cut", "zeroed", "garbled") * 5:
        copy = tmp_path / "torn"
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(tmp_path / "data", copy)
        torn(rng, how, copy / log.name, safe)
        store = Store(copy)
        kept = {body for (body,) in store.rows.db.execute("SELECT body FROM raw")}
        store.close()
        assert acknowledged <= kept
    torn(rng, "garbled", log, safe)
    again = Life(tmp_path)
    try:
        with closing(MllpLine(address(again.ready(), "mllp"))) as line:
            for n in range(90):
                line.send(message(n))
        again.stop()
    finally:
        again.end()
    holds_once(tmp_path / "data", 90)


def wait_for(is_so: Callable[[], bool]) -> None:
    """Look until it is so."""
    ends = time.monotonic() + PATIENCE
    while not is_so():
        assert time.monotonic() < ends, "it never was"
        time.sleep(0.005)


def holds_once(data: Path, count: int) -> None:
    """So many messages, each with one event of a patient of its own."""
    store = Store(data)
    try:
        events = "SELECT count(*), count(DISTINCT patient_id) FROM event WHERE kind = 'lab_result'"
        assert store.rows.db.execute("SELECT count(*) FROM raw").get == count
        assert next(iter(store.rows.db.execute(events))) == (count, count)
    finally:
        store.close()


# ---- a slow disk, and more than the node can take


@pytest.mark.parametrize("seconds", [0.05, 0.2])
def test_a_slow_disk_gathers_what_many_senders_sent_into_one_sync(tmp_path: Path, seconds: float) -> None:
    senders, each = 24, 5
    with slow(tmp_path, seconds) as (life, addresses):
        before, began = life.syncs(), time.monotonic()

        def send(sender: int) -> None:
            with closing(MllpLine(address(addresses, "mllp"))) as line:
                for nth in range(each):
                    assert [how for _, how in line.send(message(sender * each + nth))] == ["AA"]

        with ThreadPoolExecutor(senders) as pool:
            list(pool.map(send, range(senders)))
        syncs, took = life.syncs() - before, time.monotonic() - began
        print(f"\n{senders * each} acknowledgements, {syncs} syncs of {seconds:g} s, {took:.2f} s")
        assert syncs <= senders * each / 4
        assert took >= each * seconds, "acknowledged without a sync"
        life.has(Fault())
        life.stop()
    holds_once(tmp_path / "data", senders * each)


def events(sender: int, count: int) -> bytes:
    """A body of results."""
    one = {"kind": "lab_result", "source": "LAB", "recorded_at": "2026-01-01T09:00:00Z", "value": 24, "unit": "ng/mL"}
    one |= {"collected_at": "2026-01-01T08:00:00Z", "status": "final"}
    coded = {"code": {"system": "http://loinc.org", "code": "62292-8"}}
    names = (f"{sender}-{n}" for n in range(count))
    return json.dumps([{**one, **coded, "event_id": n, "record_id": n, "patient_id": n} for n in names]).encode()


def test_more_than_the_node_can_take_is_refused_for_now_and_taken_later(tmp_path: Path) -> None:
    senders, each = 40, 256
    with slow(tmp_path, 0) as (life, addresses):
        before = life.mebibytes()
        life.has(Fault(slow=4.0))
        statuses: list[int] = []

        def send(sender: int) -> None:
            for _ in range(200):
                status, headers, _ = post(addresses, "/v1/events", "application/json", events(sender, each))
                statuses.append(status)
                if status == 200:
                    return
                assert status == 429
                assert int(headers["Retry-After"]) >= 1
                time.sleep(0.2)
            raise AssertionError("never taken")

        with ThreadPoolExecutor(senders + 1) as pool:
            sent = [pool.submit(send, n) for n in range(senders)]
            wait_for(lambda: statuses.count(429) >= 20)
            with closing(MllpLine(address(addresses, "mllp"))) as line, pytest.raises(NotTakenError):
                line.send(message(1))
            assert 200 not in statuses
            assert life.mebibytes() < before + MOST_GROWN
            assert get(addresses, "/readyz")[0] == 200
            life.has(Fault())
            for future in sent:
                future.result(3 * PATIENCE)
        life.stop()
    holds_once(tmp_path / "data", senders * each)
