"""Notify and console while no broker answers: what needs none goes on, nothing is acknowledged, both can end."""

import asyncio
import sys
import time
from asyncio.subprocess import PIPE, create_subprocess_exec
from pathlib import Path

import pytest
from aiokafka import AIOKafkaProducer

from schemas.alerts import Notice
from streams.kafka.connection import Connection
from streams.kafka.records import notice_record
from tests.delivery.receiving import notice, server
from tests.house.places import ROOT
from tests.kafka.broker import Cluster
from tests.kafka.console_clinic import Clinic, until


async def test_without_brokers_what_needs_none_goes_on_and_with_them_all_does_and_both_end_in_time(
    one_broker: Cluster, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("CRITICAL", "aiokafka")  # as the processes do: it says so thousands of times
    (broker,) = one_broker.brokers
    clinic = Clinic(Connection(one_broker.bootstrap), tmp_path)
    await clinic.open()
    await clinic.begin()
    await clinic.close()
    with server() as ward:
        child = ("-m", "tests.kafka.notify_child", one_broker.bootstrap, "", str(tmp_path / "notify"), ward.url)
        process = await create_subprocess_exec(sys.executable, *child, cwd=ROOT, stdout=PIPE)
        async with clinic.console() as (_, client):
            await until(lambda: ward.taken)
            broker.kill()
            alert = (await client.get("/v1/alerts")).json()["items"][0]["alert_id"]
            answer = {"action": "acknowledge"}
            assert (await client.post(f"/v1/alerts/{alert}/responses", json=answer)).status_code == 503
            assert (await client.get(f"/alerts/{alert}")).status_code == 200

            broker.start()
            await asyncio.to_thread(one_broker.wait)
            await told(one_broker.bootstrap, notice(1, alert="after"))
            await until(lambda: "after-1" in ward.ids(), 40)
            assert (await client.post(f"/v1/alerts/{alert}/responses", json=answer)).status_code == 200
            assert len(await clinic.answers()) >= 1

            broker.kill()
            process.terminate()
            await asyncio.wait_for(process.communicate(), 10)
            assert process.returncode == 0
            began = time.monotonic()
        assert time.monotonic() - began < 10
    assert len(set(ward.ids())) == len(ward.ids()), "what was committed or in the spool is not sent again"


async def told(bootstrap: str, one: Notice) -> None:
    """Publish a notice."""
    sent = notice_record(one)
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all")
    await producer.start()
    await producer.send_and_wait(sent.topic, sent.value, sent.key, headers=list(sent.headers))
    await producer.stop()
