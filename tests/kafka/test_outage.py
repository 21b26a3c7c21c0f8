"""Notify and console while no broker answers: what needs none goes on, nothing is acknowledged, both can end."""

import asyncio
import sys
import time
from asyncio.subprocess import PIPE, create_subprocess_exec
from pathlib import Path

import pytest

from streams.kafka.connection import Connection
from tests.delivery.receiving import server
from tests.house.places import ROOT
from tests.kafka.broker import Cluster
from tests.kafka.console_clinic import Clinic, until


async def test_without_brokers_the_console_shows_and_takes_nothing_and_both_end_in_time(
    one_broker: Cluster, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("CRITICAL", "aiokafka")  # as the processes do: it says so thousands of times
    clinic = Clinic(Connection(one_broker.bootstrap), tmp_path)
    await clinic.open()
    await clinic.begin()
    await clinic.close()
    with server() as ward:
        child = ("-m", "tests.kafka.notify_child", one_broker.bootstrap, "", str(tmp_path / "notify"), ward.url)
        process = await create_subprocess_exec(sys.executable, *child, cwd=ROOT, stdout=PIPE)
        async with clinic.console() as (_, client):
            await until(lambda: ward.taken)
            one_broker.brokers[0].kill()
            alert = (await client.get("/v1/alerts")).json()["items"][0]
            answered = await client.post(f"/v1/alerts/{alert['alert_id']}/responses", json={"action": "acknowledge"})
            assert answered.status_code == 503
            assert (await client.get(f"/alerts/{alert['alert_id']}")).status_code == 200
            process.terminate()
            await asyncio.wait_for(process.communicate(), 10)
            assert process.returncode == 0
            began = time.monotonic()
        assert time.monotonic() - began < 10
