"""Delivery on a real Kafka: a group a receiver, what was delivered is committed, and what was refused is kept."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from aiokafka import AIOKafkaProducer

from schemas.alerts import Notice
from schemas.topics import DEAD_LETTERS, NOTICES, topics_of_site
from schemas.wire import encode
from streams.kafka.connection import Connection, NoBrokerError
from streams.kafka.notify_parking import sent_again
from streams.kafka.records import alert_record, notice_record
from streams.kafka.topics import create
from streams.kafka.work import Given, Sent
from tests.delivery.receiving import AT, SECRET, Reply, file, notice, server, webhook
from tests.house.places import ROOT
from tests.kafka.notify_clinic import PARTITIONS, Deployment, forgotten, in_spool, ready, status, until


@pytest.fixture
async def deployment(bootstrap: str, prefix: str, tmp_path: Path) -> AsyncIterator[Deployment]:
    connection = Connection(bootstrap, prefix)
    await create(connection, topics_of_site(PARTITIONS, 1))
    producer = AIOKafkaProducer(**connection.arguments(), acks="all", enable_idempotence=True)
    await producer.start()
    try:
        yield Deployment(connection, tmp_path, producer)
    finally:
        await producer.stop()


def many(count: int, alert: str = "A") -> list[Notice]:
    return [notice(n, alert=alert, transition="raised" if n == 1 else "reminded") for n in range(1, count + 1)]


# ---- all is well


async def test_notices_arrive_in_order_of_each_alert_and_are_committed_then(deployment: Deployment) -> None:
    said = [one for alert in "ABC" for one in many(5, alert)]
    with server() as ward:
        await deployment.say(*said)
        async with deployment.notifying(webhook(ward.url), file(deployment.folder / "out")):
            await until(lambda: len(ward.taken) == len(said))
        for alert in "ABC":
            assert [i for i in ward.ids() if i.startswith(alert)] == [f"{alert}-{n}" for n in range(1, 6)]
        assert all(request.verified for request in ward.requests)
        assert {request.raw for request in ward.taken} == {encode(one) for one in said}
        assert len((deployment.folder / "out").read_text("utf-8").splitlines()) == len(said)
        assert await deployment.committed("ward") == await deployment.committed("log") == len(said)


async def test_a_receiver_that_is_new_begins_now_or_with_all_there_is(deployment: Deployment) -> None:
    with server() as late, server() as whole:
        await deployment.say(notice(1, alert="before"))
        receivers = webhook(late.url, name="late", begins="now"), webhook(whole.url, name="whole")
        async with deployment.notifying(*receivers):
            await until(lambda: whole.taken)
            await until(lambda: ready(deployment))
            await deployment.say(notice(1, alert="after"))
            await until(lambda: late.taken and len(whole.taken) == 2)
        assert late.ids() == ["after-1"]
        assert whole.ids() == ["before-1", "after-1"]


async def test_what_was_taken_is_not_sent_again_after_a_start(deployment: Deployment) -> None:
    with server() as ward:
        for last in (2, 4):
            async with deployment.notifying(webhook(ward.url)):
                await deployment.say(*many(last)[last - 2 :])
                await until(lambda last=last: len(ward.taken) == last)  # type: ignore[misc]
        assert ward.ids() == [f"A-{n}" for n in range(1, 5)]


async def test_a_spool_that_is_lost_costs_nothing_and_keeps_whom_the_receiver_was_told_of(
    deployment: Deployment,
) -> None:
    """The end of an alert is told to whoever heard of it, though its severity alone would not go there."""
    with server() as ward:
        async with deployment.notifying(webhook(ward.url)):
            await deployment.say(notice(1), notice(1, alert="B", severity="info"))
            await until(lambda: ward.taken)
        assert await deployment.committed("ward") == 2
        async with deployment.notifying(webhook(ward.url), data="another disk"):
            ended = {"transition": "resolved", "severity": "info"}
            await deployment.say(notice(2, **ended), notice(2, alert="B", **ended))
            await until(lambda: len(ward.taken) == 2)
        assert ward.ids() == ["A-1", "A-2"]


async def test_what_is_told_together_after_a_load_is_one_message_the_critical_first(deployment: Deployment) -> None:
    told = [("A", "advisory"), ("B", "critical"), ("C", "warning")]
    with server() as ward:
        said = [notice(1, alert=alert, severity=severity, patient_id="P") for alert, severity in told]
        await deployment.say(*[notice_record(one, AT) for one in said])
        async with deployment.notifying(webhook(ward.url)):
            await until(lambda: ward.taken)
        (request,) = ward.taken
        assert [one["notice_id"] for one in request.body["notices"]] == ["B-1", "C-1", "A-1"]
        assert await deployment.committed("ward") == 3


# ---- receivers that fail


async def test_a_dead_receiver_holds_up_nobody_and_loses_nothing(deployment: Deployment) -> None:
    is_dead = [True]
    with server() as well, server(lambda _r, _b: Reply(503 if is_dead[0] else 204)) as dead:
        receivers = webhook(well.url, name="well"), webhook(dead.url, name="dead", retry_at_most=1.0)
        async with deployment.notifying(*receivers):
            await deployment.say(*many(20))
            await until(lambda: len(well.taken) == 20)
            assert await deployment.committed("dead") == 0
            taken = 'trabecula_deliveries_total{outcome="taken",receiver="well"} 20.0'
            await until(lambda: taken in status(deployment, "/metrics")[1])
            assert 'trabecula_deliveries_total{outcome="failing",receiver="dead"}' in status(deployment, "/metrics")[1]
            is_dead[0] = False
            await until(lambda: len(dead.taken) == 20)
        assert dead.ids() == well.ids()
        assert await deployment.committed("dead") == 20


async def test_what_is_refused_for_good_is_a_dead_letter_and_goes_again_when_asked_for(deployment: Deployment) -> None:
    refusing = [True]
    with server(lambda r, _b: Reply(410 if refusing[0] and r.message_id == "A-2" else 204)) as ward:
        async with deployment.notifying(webhook(ward.url), file(deployment.folder / "out")):
            await deployment.say(*many(3))
            await until(lambda: ward.ids() == ["A-1", "A-3"])
            letters: list[Given] = []
            while not letters:
                letters = await deployment.read(DEAD_LETTERS.name)
            (letter,) = letters
            said = {name: value.decode() for name, value in letter.headers}
            assert (said["refused"], said["reason"]) == ("notice A-2", "refused (status 410)")
            assert (said["where"], letter.key, letter.value) == ("receiver ward", b"P-A", encode(many(3)[1]))
            refusing[0] = False
            again = sent_again(letter)
            assert again is not None
            await deployment.say(again, again)
            await until(lambda: len(ward.taken) == 3)
            await deployment.say(notice(1, alert="last"))
            await until(lambda: "last-1" in ward.ids())
        assert ward.ids() == ["A-1", "A-3", "A-2", "last-1"]
        lines = [json.loads(line)["notice_id"] for line in (deployment.folder / "out").read_text("utf-8").splitlines()]
        assert sorted(lines) == ["A-1", "A-2", "A-3", "last-1"]
        assert await deployment.committed("ward") == await deployment.committed("log") == 6
        assert len(await deployment.read(DEAD_LETTERS.name)) == 1


async def test_a_record_that_is_no_notice_is_a_dead_letter_and_costs_no_other(deployment: Deployment) -> None:
    with server() as ward:
        async with deployment.notifying(webhook(ward.url)):
            await deployment.say(Sent(NOTICES.name, b"P", b"{]"), notice(1))
            await until(lambda: ward.taken)
        (letter,) = await deployment.read(DEAD_LETTERS.name)
        assert (letter.value, dict(letter.headers)["reason"]) == (b"{]", b"no notice as it is declared")
        assert await deployment.committed("ward") == 2


# ---- whoever ends and takes over


async def test_a_second_process_takes_over_where_the_first_was(deployment: Deployment) -> None:
    """What each took is committed when partitions change hands, so that nothing is sent twice."""
    with server() as ward:
        async with deployment.notifying(webhook(ward.url)):
            await deployment.say(*many(3, "A"), *many(3, "B"), *many(3, "C"))
            await until(lambda: len(ward.taken) == 9)
            async with deployment.notifying(webhook(ward.url), data="second"):
                await until(lambda: ready(deployment))
                await deployment.say(*[notice(4, alert=alert) for alert in "ABC"])
                await until(lambda: len(ward.taken) == 12)
            await deployment.say(*[notice(5, alert=alert) for alert in "ABC"])
            await until(lambda: len(ward.taken) == 15)
        for alert in "ABC":
            assert [i for i in ward.ids() if i.startswith(alert)] == [f"{alert}-{n}" for n in range(1, 6)]


async def test_a_digest_waits_through_a_stop_and_is_delivered_once(deployment: Deployment) -> None:
    digest_at = (datetime.now(ZoneInfo("UTC")) + timedelta(hours=2)).time().replace(microsecond=0)
    with server() as ward:
        settings = webhook(ward.url, digest="daily", digest_at=digest_at)
        async with deployment.notifying(settings):
            await deployment.say(notice(1, delivery="daily_digest", severity="advisory"), notice(1, alert="B"))
            await until(lambda: ward.taken)
        assert ward.ids() == ["B-1"]
        assert await deployment.committed("ward") < 2, "what waits for a digest is not delivered"
        async with deployment.notifying(settings):
            await deployment.say(notice(2, severity="critical"))
            await until(lambda: len(ward.taken) == 3)
        assert ward.ids() == ["B-1", "A-1", "A-2"]


Start = Callable[..., subprocess.Popen[bytes]]


@pytest.fixture
def start() -> Iterator[Start]:
    """Starts processes, and ends them."""
    running: list[subprocess.Popen[bytes]] = []

    def start_one(*command: Any, **environment: str) -> subprocess.Popen[bytes]:
        said = [sys.executable, "-m", *map(str, command)]
        running.append(subprocess.Popen(said, env={**os.environ, **environment}, stdout=subprocess.PIPE, cwd=ROOT))
        return running[-1]

    yield start_one
    for process in running:
        if process.poll() is None:
            process.kill()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()


async def test_a_process_that_is_killed_sends_the_rest_after_the_next_start_under_the_same_ids(
    deployment: Deployment, start: Start
) -> None:
    kafka = deployment.connection.bootstrap, deployment.connection.prefix
    with server(lambda _r, _b: Reply(204, after=0.01)) as ward:
        child = ("tests.kafka.notify_child", *kafka, deployment.folder / "child", ward.url)
        await deployment.say(*[one for n in range(40) for one in many(5, f"A{n}")])
        process = start(*child)
        await until(lambda: len(ward.taken) > 30, 30)
        process.kill()
        process = start(*child)
        await until(lambda: len(set(ward.ids())) == 200, 30)
        process.terminate()
        assert await asyncio.to_thread(process.wait, 10) == 0
        for n in range(40):
            first = list(dict.fromkeys(i for i in ward.ids() if i.startswith(f"A{n}-")))
            assert first == [f"A{n}-{number}" for number in range(1, 6)]
        assert len(ward.ids()) < 300, "what was known as taken is not sent again"
        assert await deployment.committed("ward") == 200


async def test_the_command_delivers_and_ends_in_order_when_it_is_told_to(deployment: Deployment, start: Start) -> None:
    with server() as ward:
        receivers = deployment.folder / "receivers.toml"
        said = {"name": "ward", "kind": "webhook", "url": ward.url, "secret": SECRET, "begins": "beginning"}
        receivers.write_text("[[receivers]]\n" + "".join(f'{k} = "{v}"\n' for k, v in said.items()), "utf-8")
        flags = {
            "bootstrap": deployment.connection.bootstrap,
            "data": deployment.folder / "cli",
            "receivers": receivers,
        }
        command = [f"--{name}={value}" for name, value in {**flags, "http": "127.0.0.1:0"}.items()]
        process = start("streams.cli", "notify", *command, TRABECULA_TOPIC_PREFIX=deployment.connection.prefix)
        await deployment.say(notice(1))
        await until(lambda: ward.taken, 30)
        process.terminate()
        assert await asyncio.to_thread(process.wait, 10) == 0
        assert process.stdout is not None
        deployment.addresses.append(json.loads(process.stdout.read())["http"])
        assert await deployment.committed("ward") == 1


async def test_a_backlog_waits_in_the_topic_and_not_in_the_process(
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("streams.kafka.notify_mailbox.MOST_UNREAD", 200)
    monkeypatch.setattr("streams.node.delivery_courier.MOST_WAITING", 50)
    monkeypatch.setattr("streams.kafka.notify_intake.AT_ONCE", 20)
    is_dead = [True]
    with server(lambda _r, _b: Reply(503 if is_dead[0] else 204)) as ward:
        await deployment.say(*many(50, "first"))
        async with deployment.notifying(webhook(ward.url)):
            spool = deployment.folder / "notify" / "ward"
            await until(lambda: in_spool(spool) >= 50)
            await deployment.say(*[notice(1, alert=f"A{n}") for n in range(750)])
            await until(lambda: in_spool(spool) > 100)
            calls = len(ward.requests)
            await until(lambda: len(ward.requests) > calls + 2)  # it is tried on and on, and nothing more comes
            assert in_spool(spool) <= 50 + 200 + 256 + 20
            is_dead[0] = False
            await until(lambda: len(ward.taken) == 800, 40)


async def test_a_process_without_brokers_says_so_in_one_line(deployment: Deployment) -> None:
    nowhere = replace(deployment, connection=replace(deployment.connection, bootstrap="127.0.0.1:1"))
    with pytest.raises(NoBrokerError, match=r"no broker answers at 127\.0\.0\.1:1"):
        async with nowhere.notifying(webhook()):
            pass


# ---- who was forgotten


async def test_whoever_is_forgotten_is_taken_out_of_what_waits(deployment: Deployment) -> None:
    is_dead = [True]
    with server(lambda _r, _b: Reply(503 if is_dead[0] else 204)) as ward:
        async with deployment.notifying(webhook(ward.url), file(deployment.folder / "out")):
            await deployment.say(notice(1, alert="A"), notice(1, alert="B"))
            await until(lambda: len({r.message_id for r in ward.requests}) == 2 or len(ward.requests) > 3)
            await deployment.say(alert_record("A", None))
            await until(lambda: forgotten(deployment.folder / "notify" / "ward", "A"))
            is_dead[0] = False
            await until(lambda: ward.taken)
            await deployment.say(notice(2, alert="B"))
            await until(lambda: len(ward.taken) == 2)
        assert ward.ids() == ["B-1", "B-2"]
