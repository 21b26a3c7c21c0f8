"""State, notices and the committed offset never part, whatever fails between any two steps of a transaction."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.kafka.failing_child import STEPS
from tests.kafka.worker_clinic import Clinic, until

FAILING = "tests.kafka.failing_child"


@pytest.fixture
async def clinic(bootstrap: str, prefix: str, tmp_path: Path) -> AsyncIterator[Clinic]:
    opened = await Clinic(bootstrap, prefix, tmp_path).open()
    yield opened
    opened.close()


def records(first: int, count: int) -> list[tuple[bytes, bytes]]:
    """Each tenth is told."""
    numbers = range(first, first + count)
    return [(b"key-%d" % (n % 97), b"notice %d" % n if n % 10 == 0 else b"counted") for n in numbers]


def everything_once(clinic: Clinic, count: int) -> None:
    until(clinic.done)
    assert clinic.counts() == clinic.sent
    assert sorted(str(value) for _, value in clinic.notices()) == sorted(
        str(b"notice %d" % n) for n in range(0, count, 10)
    )


@pytest.mark.parametrize("step", STEPS)
def test_an_error_of_the_broker_at_any_step_loses_and_repeats_nothing(clinic: Clinic, step: str) -> None:
    worker = clinic.worker(FAILING, step=step, how="raise", most=200)
    for first in range(0, 6_000, 1_000):
        clinic.publish(records(first, 1_000))
    everything_once(clinic, 6_000)
    assert worker.is_running
    assert step == "started" or "aborted" in worker.ready().get("/metrics")


@pytest.mark.parametrize("step", STEPS)
def test_a_worker_that_is_gone_at_any_step_has_lost_and_repeated_nothing(clinic: Clinic, step: str) -> None:
    clinic.publish(records(0, 3_000))
    assert clinic.worker(FAILING, step=step, how="exit", most=200).ended() == 9
    clinic.publish(records(3_000, 1_000))
    clinic.worker()
    everything_once(clinic, 4_000)


def test_a_slow_broker_keeps_nobody_from_joining(clinic: Clinic) -> None:
    clinic.worker(FAILING, step="written", how="slow", most=200).ready()
    clinic.publish(records(0, 4_000))
    clinic.worker().ready()
    clinic.publish(records(4_000, 1_000))
    everything_once(clinic, 5_000)
