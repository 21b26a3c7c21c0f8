"""Workers come, are killed, come and go under load: nothing is lost, nothing is done twice, nobody is written over."""

import signal
import threading
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from streams.kafka.changelog import partition_of
from tests.kafka.worker_clinic import PARTITIONS, SESSION, Clinic, until

_EACH = 500
"""Records at once; each tenth is told."""


class Load:
    """Records that come on and on."""

    def __init__(self, clinic: Clinic) -> None:
        self._clinic = clinic
        self.told: list[tuple[bytes, bytes]] = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._next = 0

    def _run(self) -> None:
        while not self._stop.wait(0.05):
            self._clinic.publish([self._record(self._next + n) for n in range(_EACH)])
            self._next += _EACH

    def _record(self, n: int) -> tuple[bytes, bytes]:
        key = b"key-%d" % (n % 997)
        if n % 10:
            return key, b"counted"
        self.told.append((key, b"notice %d" % n))
        return self.told[-1]

    @contextmanager
    def running(self) -> Iterator[None]:
        self._thread.start()
        try:
            yield
        finally:
            self._stop.set()
            self._thread.join()


@pytest.fixture
async def clinic(bootstrap: str, prefix: str, tmp_path: Path) -> AsyncIterator[Clinic]:
    opened = await Clinic(bootstrap, prefix, tmp_path).open()
    yield opened
    opened.close()


def everything_once(clinic: Clinic, load: Load) -> None:
    """Every record is counted once, every notice is told once, and in order for each key."""
    until(clinic.done)
    assert clinic.counts() == clinic.sent
    notices = clinic.notices()
    assert sorted(notices, key=repr) == sorted(load.told, key=repr)
    told = defaultdict(list)
    for key, value in notices:
        assert isinstance(value, bytes)
        told[key].append(int(value.split()[1]))
    assert all(numbers == sorted(numbers) for numbers in told.values())


def got_on(clinic: Clinic) -> None:
    """Wait until more is committed than now."""
    now = clinic.committed()
    until(lambda: clinic.committed() > now + _EACH)


def test_workers_come_are_killed_and_go_under_load(clinic: Clinic) -> None:
    load = Load(clinic)
    with load.running():
        first = clinic.worker().ready()
        got_on(clinic)
        second = clinic.worker().ready()
        got_on(clinic)
        first.signal(signal.SIGKILL)
        until(lambda: second.metric("trabecula_partition_ready") == PARTITIONS)
        third = clinic.worker().ready()
        got_on(clinic)
        second.signal(signal.SIGTERM)
        assert second.ended() == 0
        until(lambda: third.metric("trabecula_partition_ready") == PARTITIONS)
        got_on(clinic)
    everything_once(clinic, load)


def test_a_worker_that_was_away_too_long_is_fenced_and_writes_nothing_over_its_successor(clinic: Clinic) -> None:
    load = Load(clinic)
    with load.running():
        away = clinic.worker().ready()
        got_on(clinic)
        successor = clinic.worker().ready()
        away.signal(signal.SIGSTOP)
        until(lambda: successor.metric("trabecula_partition_ready") == PARTITIONS, within=5 * SESSION)
        got_on(clinic)
        away.signal(signal.SIGCONT)
        assert away.ended() == 1
        assert "nothing was written over" in away.words
        got_on(clinic)
        assert successor.is_running
    everything_once(clinic, load)


def test_a_worker_that_comes_back_idle_ends_as_well(clinic: Clinic) -> None:
    """It has nothing to commit that could be refused, and what it holds is no longer true."""
    away = clinic.worker().ready()
    clinic.publish([(b"key-%d" % n, b"counted") for n in range(100)])
    until(clinic.done)
    away.signal(signal.SIGSTOP)
    successor = clinic.worker().ready()
    clinic.publish([(b"key-%d" % n, b"counted") for n in range(100)])
    until(clinic.done)
    away.signal(signal.SIGCONT)
    assert away.ended() == 1
    assert "nothing was written over" in away.words
    assert successor.is_running
    assert clinic.counts() == clinic.sent


def test_a_standby_takes_over_from_where_it_stands(clinic: Clinic) -> None:
    owner = clinic.worker().ready()
    clinic.publish([(b"key-%d" % n, b"counted") for n in range(20_000)])
    until(clinic.done)
    standby = clinic.worker().ready()
    until(lambda: standby.metric("trabecula_partitions_followed") + standby.metric("trabecula_partition_ready") == 4)
    time.sleep(0)
    owner.signal(signal.SIGTERM)
    assert owner.ended() == 0
    until(lambda: standby.metric("trabecula_partition_ready") == PARTITIONS)
    assert standby.metric("trabecula_recovered_records") == 20_000
    assert clinic.counts() == clinic.sent


def test_keys_are_placed_as_the_broker_s_own_clients_place_them(clinic: Clinic) -> None:
    clinic.publish([(b"key-%d" % n, b"counted") for n in range(200)])
    for message in clinic.read(f"{clinic.prefix}trabecula.events.v1"):
        key = message.key()
        assert isinstance(key, bytes)
        assert partition_of(key, PARTITIONS) == message.partition()
