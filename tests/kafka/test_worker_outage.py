"""Brokers go away and come back: the worker waits, and nothing is lost or done twice."""

import asyncio
from pathlib import Path

from tests.kafka.broker import Cluster
from tests.kafka.test_worker_dance import Load, everything_once, got_on
from tests.kafka.worker_clinic import Clinic, many, until

_AWAY = 8.0
"""Seconds; longer than the session of the tests, and than the client waits for an answer."""


async def test_a_broker_that_was_killed_and_one_that_was_frozen_are_waited_for(
    one_broker: Cluster, tmp_path: Path
) -> None:
    (broker,) = one_broker.brokers
    clinic = await Clinic(one_broker.bootstrap, "", tmp_path).open()
    try:
        worker = clinic.worker().ready()
        clinic.publish(many(20_000))
        broker.kill()
        await asyncio.sleep(_AWAY)
        broker.start()
        one_broker.wait()
        until(clinic.done)
        clinic.publish(many(20_000))
        broker.suspend()
        await asyncio.sleep(_AWAY)
        broker.resume()
        until(clinic.done)
        clinic.publish(many(100))
        until(clinic.done)
        assert clinic.counts() == clinic.sent
        assert worker.is_running, worker.words
    finally:
        clinic.close()


async def test_a_leader_that_is_killed_and_one_that_is_restarted_under_load(
    three_brokers: Cluster, tmp_path: Path
) -> None:
    first, second, _ = three_brokers.brokers
    clinic = await Clinic(three_brokers.bootstrap, "", tmp_path).open(copies=3)
    load = Load(clinic)
    try:
        workers = [clinic.worker(session=6.0).ready() for _ in range(2)]
        with load.running():
            got_on(clinic)
            first.kill()
            got_on(clinic)
            first.start()
            three_brokers.wait()
            second.stop()
            got_on(clinic)
            second.start()
            three_brokers.wait()
            got_on(clinic)
        everything_once(clinic, load)
        assert [worker.is_running for worker in workers] == [True, True]
    finally:
        clinic.close()
