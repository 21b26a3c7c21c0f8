"""The brokers of the tests are real, take what happens to brokers, and never outlive the tests."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from tests.kafka import jars as jars_module
from tests.kafka.broker import Cluster
from tests.kafka.conftest import need_jars
from tests.kafka.jars import FOLDER, NoKafka, jars

ROOT = Path(__file__).parents[2]


async def create(bootstrap: str, topic: str, copies: int = 1) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        await admin.create_topics([NewTopic(topic, 1, copies)])
    finally:
        await admin.close()


async def write(bootstrap: str, topic: str, value: bytes) -> None:
    async with AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all") as producer:
        await producer.send_and_wait(topic, value)


async def read(bootstrap: str, topic: str, count: int) -> list[bytes | None]:
    async with AIOKafkaConsumer(topic, bootstrap_servers=bootstrap, auto_offset_reset="earliest") as consumer:
        return [(await consumer.getone()).value for _ in range(count)]


def wait_for_end(pid: int) -> bool:
    """Whether a process that is not ours ends soon."""
    for _ in range(200):
        state = Path(f"/proc/{pid}/stat")
        if not state.exists() or state.read_text().rpartition(")")[2].split()[0] == "Z":
            return True
        time.sleep(0.05)
    return False


async def test_a_record_is_read_as_it_was_written(bootstrap: str, prefix: str) -> None:
    topic = f"{prefix}records"
    await create(bootstrap, topic)
    await write(bootstrap, topic, b"written")
    assert await read(bootstrap, topic, 1) == [b"written"]


async def test_a_broker_that_was_killed_and_started_again_has_its_records(one_broker: Cluster) -> None:
    (broker,) = one_broker.brokers
    await create(one_broker.bootstrap, "records")
    await write(one_broker.bootstrap, "records", b"before")
    broker.kill()
    broker.start()
    one_broker.wait()
    await write(one_broker.bootstrap, "records", b"between")
    broker.suspend()
    broker.resume()
    broker.stop()
    broker.start()
    one_broker.wait()
    assert await read(one_broker.bootstrap, "records", 2) == [b"before", b"between"]


async def test_three_brokers_go_on_without_one(three_brokers: Cluster) -> None:
    await create(three_brokers.bootstrap, "records", copies=3)
    three_brokers.brokers[0].kill()
    left = three_brokers.brokers[1].address
    await write(left, "records", b"with two")
    assert await read(left, "records", 1) == [b"with two"]
    three_brokers.brokers[0].start()
    three_brokers.wait()


def test_brokers_end_with_whoever_started_them_however_that_ends() -> None:
    need_jars()
    held = subprocess.Popen([sys.executable, "-m", "tests.kafka.broker"], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert held.stdout is not None
    assert held.stdout.readline().startswith("127.0.0.1:")
    (java,) = (int(p.parent.name) for p in Path("/proc").glob("[0-9]*/cmdline") if _child(p, held.pid, b"kafka.Kafka"))
    folder = Path((Path(f"/proc/{java}/cmdline").read_bytes().split(b"\0"))[-2].decode()).parent
    assert folder.is_dir()
    held.send_signal(signal.SIGKILL)
    held.communicate(timeout=10)
    assert wait_for_end(java)
    for _ in range(200):
        if not folder.exists():
            break
        time.sleep(0.05)
    assert not folder.exists()


def _child(cmdline: Path, parent: int, word: bytes) -> bool:
    try:
        status = (cmdline.parent / "stat").read_text().rpartition(")")[2].split()
        return int(status[1]) == parent and word in cmdline.read_bytes()
    except OSError:
        return False


def test_jars_that_are_there_are_not_fetched_again(monkeypatch: pytest.MonkeyPatch) -> None:
    folder = need_jars()
    monkeypatch.setattr(jars_module, "_maven", lambda *_: pytest.fail("fetched again"))
    monkeypatch.setenv(FOLDER, str(folder.parent))
    assert jars() == folder


def test_what_maven_did_not_bring_is_said_and_leaves_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Maven's exit code alone says little: what counts is what is there."""
    monkeypatch.setenv(FOLDER, str(tmp_path))
    monkeypatch.setattr(jars_module, "_maven", lambda *_: "no route")
    monkeypatch.setattr("shutil.which", lambda name: f"/usr/bin/{name}")
    with pytest.raises(NoKafka, match="no route"):
        jars()
    assert [path.name for path in tmp_path.iterdir()] == ["lock"]
