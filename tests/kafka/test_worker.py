"""One worker on a real broker: each chunk is one transaction, and whatever ends it, nothing is lost or done twice."""

import signal
import socket
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiokafka import AIOKafkaProducer

from schemas.topics import EVENTS
from tests.kafka.counting import RAISE
from tests.kafka.worker_clinic import PARTITIONS, Clinic, many, until


@pytest.fixture
async def clinic(bootstrap: str, prefix: str, tmp_path: Path) -> AsyncIterator[Clinic]:
    opened = await Clinic(bootstrap, prefix, tmp_path).open()
    yield opened
    opened.close()


def test_everything_is_counted_once_and_a_worker_that_is_told_to_ends_with_0(clinic: Clinic) -> None:
    worker = clinic.worker().ready()
    clinic.publish(many(20_000))
    clinic.publish((b"key-%d" % number, b"notice %d" % number) for number in range(500))
    until(clinic.done)
    began = time.monotonic()
    worker.signal(signal.SIGTERM)
    assert worker.ended() == 0
    assert time.monotonic() - began < 10
    assert clinic.counts() == clinic.sent
    assert sorted(clinic.notices()) == sorted((b"key-%d" % number, b"notice %d" % number) for number in range(500))


def test_a_quiet_topic_is_answered_at_once_and_a_backlog_in_few_transactions(clinic: Clinic) -> None:
    worker = clinic.worker().ready()
    clinic.publish([(b"alone", b"notice")])
    until(clinic.done, within=5)
    quiet = worker.metric("trabecula_transactions_total")
    assert quiet == 1
    clinic.publish(many(20_000))
    until(clinic.done)
    assert worker.metric("trabecula_records_total") == 20_001
    assert worker.metric("trabecula_transactions_total") < 200


async def test_what_a_feed_took_back_is_never_read(clinic: Clinic) -> None:
    """A feed may publish in transactions; the stream engine reads what is aborted too, unless it uses its own."""
    clinic.worker().ready()
    topic = clinic.prefix + EVENTS.name
    async with AIOKafkaProducer(bootstrap_servers=clinic.bootstrap, transactional_id=clinic.prefix) as feed:
        await feed.begin_transaction()
        await feed.send_and_wait(topic, b"notice taken back", b"key", partition=0)
        await feed.abort_transaction()
        async with feed.transaction():
            await feed.send_and_wait(topic, b"notice kept", b"key", partition=0)
    until(lambda: bool(clinic.notices()))
    assert (clinic.notices(), clinic.counts()) == ([(b"key", b"notice kept")], {b"key": 1})


def test_more_workers_than_partitions_stand_by(clinic: Clinic) -> None:
    workers = [clinic.worker() for _ in range(PARTITIONS + 1)]
    clinic.publish(many(1_000))
    until(clinic.done)
    for worker in workers:
        worker.ready()
    until(lambda: sum(worker.metric("trabecula_partition_ready") for worker in workers) == PARTITIONS)
    assert clinic.counts() == clinic.sent


def test_time_alone_is_told_when_it_has_come_also_by_the_next_worker(clinic: Clinic) -> None:
    first = clinic.worker().ready()
    clinic.publish([(b"soon", b"due 300"), (b"later", b"due 4000")])
    until(lambda: clinic.notices() == [(b"soon", b"due")], within=10)
    first.signal(signal.SIGKILL)
    clinic.worker()
    until(lambda: sorted(clinic.notices()) == [(b"later", b"due"), (b"soon", b"due")], within=20)


def test_a_shard_that_fails_ends_the_worker_loudly_and_its_record_stays(clinic: Clinic) -> None:
    clinic.publish([*many(100), (b"key-1", RAISE)])
    for _ in range(2):
        worker = clinic.worker()
        assert worker.ended() == 1
        assert "trabecula: failed: RuntimeError" in worker.words
        assert not clinic.done()
        assert sum(clinic.counts().values()) == clinic.committed()


def test_nobody_but_metrics_and_probes_listens(clinic: Clinic) -> None:
    """The stream engine would serve the tables on all interfaces, port 6066."""
    worker = clinic.worker().ready()
    with socket.socket() as tried:
        assert tried.connect_ex(("127.0.0.1", 6066)) != 0
    assert worker.get("/readyz") == "ready\n"
    assert worker.get("/healthz") == "ok\n"
    assert worker.http.startswith("127.0.0.1:")


def test_a_partition_that_stands_still_ends_the_process(clinic: Clinic) -> None:
    """A loop that hangs does not end itself."""
    worker = clinic.worker(stalled_after=2.0).ready()
    clinic.publish([(b"key", b"hang")])
    assert worker.ended() == 1
    assert "no progress for 2 s in partition" in worker.words
    assert not clinic.done()
