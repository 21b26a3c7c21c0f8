"""The console on a real Kafka: the topics as rows, a node's pages on them, and answers that go to the events."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import apsw
import httpx
import pytest

from schemas.alerts import STANDING
from schemas.events import AnyEvent, Erasure
from schemas.topics import ALERTS, CHANGELOG, EVENTS, NOTICES, RAW_HL7V2
from schemas.wire import decode, encode
from streams.inputs import Intake
from streams.intake.hl7v2 import split_hl7v2
from streams.intake.site import MemoryDirectory
from streams.kafka.connection import Connection
from streams.kafka.console import Options, running
from streams.kafka.console_answers import Answers
from streams.kafka.console_projection import Projection
from streams.kafka.console_rows import NO_EVIDENCE
from streams.kafka.intake_records import MESSAGE, digest_of, raw_record
from streams.kafka.publisher import Publisher
from streams.kafka.work import Given, Sent
from streams.kafka.writing import Writer
from streams.node.access_keys import append_entry, new_key
from streams.node.access_settings import AccessError, AccessSettings
from streams.node.http.chart_facts import held
from streams.node.port import Incoming, NotDurableError
from streams.node.store import Store
from streams.node.store_audit import verify
from tests.fortnight.days import ENDS
from tests.fortnight.hospital import files
from tests.house.places import ROOT
from tests.kafka.console_clinic import Clinic, fortnight, service


@pytest.fixture
async def clinic(bootstrap: str, prefix: str, tmp_path: Path) -> AsyncIterator[Clinic]:
    made = Clinic(Connection(bootstrap, prefix), tmp_path)
    await made.open()
    try:
        yield made
    finally:
        await made.close()


async def alerts_of(client: httpx.AsyncClient) -> dict[str, dict[str, Any]]:
    """All that the console shows of alerts, standing or not."""
    answer = await client.get("/v1/alerts", params={"state": "all", "limit": 1000})
    assert answer.status_code == 200, answer.text
    return {alert["alert_id"]: alert for alert in answer.json()["items"]}


async def notices_of(client: httpx.AsyncClient, count: int, after: int = 0) -> list[tuple[int, dict[str, Any]]]:
    """So many notices of the stream, with their numbers."""
    found: list[tuple[int, dict[str, Any]]] = []
    async with client.stream("GET", "/v1/notices", headers={"Last-Event-ID": str(after)}) as stream:
        number = 0
        async for line in stream.aiter_lines():
            name, _, said = line.partition(": ")
            if name == "id":
                number = int(said)
            elif name == "data":
                found.append((number, json.loads(said)))
                if len(found) == count:
                    break
    return found


# ---- what is shown


async def test_the_console_shows_what_the_partitions_know(clinic: Clinic) -> None:
    """Alerts, charts and notices of the invented fortnight, over two partitions, with its merges."""
    await clinic.begin()
    known = clinic.ward.alerts
    assert len(known) > 10
    async with clinic.console() as (_, client):
        shown = await alerts_of(client)
        assert shown.keys() == known.keys()
        assert {key: (a["state"], a["sequence"]) for key, a in shown.items()} == {
            key: (alert.state, alert.sequence) for key, alert in known.items()
        }
        standing = (await client.get("/v1/alerts", params={"limit": 1000})).json()["items"]
        assert {a["alert_id"] for a in standing} == {key for key, a in known.items() if a.state in STANDING}
        for shard in clinic.ward.shards:
            for chart in shard.charts:
                page = (await client.get(f"/v1/patients/{chart.patient_id}")).json()
                assert set(page["patient_ids"]) >= set(chart.patient_ids)
                assert len(page["facts"]) == len(list(held(service().monitor.calendar, chart)))
        notices = await clinic.read(NOTICES.name)
        told = await notices_of(client, len(notices))
        ids = [decode(notice.value or b"")["notice_id"] for notice in notices]
        assert sorted(said["notice_id"] for _, said in told) == sorted(ids)
        assert [number for number, _ in told] == sorted({number for number, _ in told})


async def test_a_nodes_pages_are_served_and_what_feeds_send_is_not_taken(clinic: Clinic) -> None:
    await clinic.begin()
    async with clinic.console() as (_, client):
        alert = next(iter((await alerts_of(client)).values()))
        patient = alert["patient_id"]
        for path in (
            "/",
            f"/alerts/{alert['alert_id']}",
            f"/patients/{patient}",
            f"/v1/patients/{patient}/timeline",
            f"/v1/patients/{patient}/explain",
            f"/fhir/DetectedIssue?patient={patient}",
            "/cds-services",
            "/docs",
            "/healthz",
            "/readyz",
        ):
            assert (await client.get(path)).status_code == 200, path
        for path in ("/v1/events", "/hl7v2", "/fhir", "/fhir/Observation"):
            assert (await client.post(path, content=b"{}")).status_code in {404, 405}, path
        assert (await client.get("/v1/dead-letters")).status_code == 404
        metrics = (await client.get("/metrics")).text
        assert f'trabecula_projection_behind_records{{topic="{ALERTS.name}"}} 0.0' in metrics
        assert "trabecula_alerts_open{" in metrics


async def test_notices_are_told_as_they_come(clinic: Clinic) -> None:
    async with clinic.console() as (_, client):
        listening = asyncio.create_task(notices_of(client, 1))
        await clinic.begin()
        assert (await asyncio.wait_for(listening, 10))[0][0] == 1


async def test_a_record_that_cannot_be_read_is_counted_and_costs_no_other(clinic: Clinic) -> None:
    await clinic.write(Sent(ALERTS.name, b"bad", b"{]"), Sent(CHANGELOG.name, b"chart/X", b"no page", (), 0))
    await clinic.begin()
    async with clinic.console() as (made, client):
        assert (await alerts_of(client)).keys() == clinic.ward.alerts.keys()
        assert +made.projection.unreadable == {ALERTS.name: 1, CHANGELOG.name: 1}


# ---- rows and offsets


async def test_a_console_goes_on_where_its_rows_are(clinic: Clinic) -> None:
    await clinic.begin(0.5)
    async with clinic.console() as (_, client):
        before = await alerts_of(client)
    events = fortnight()
    await clinic.take(events[len(events) // 2 :])
    async with clinic.console() as (_, client):
        after = await alerts_of(client)
        assert before != after
        assert after.keys() == clinic.ward.alerts.keys()


async def test_a_console_that_is_killed_while_it_reads_shows_the_same_as_one_that_never_was(
    clinic: Clinic, tmp_path: Path
) -> None:
    await clinic.begin()
    command = [sys.executable, "-m", "streams.cli", "console", "--http=127.0.0.1:0", f"--data={tmp_path / 'console'}"]
    environment = {
        **os.environ,
        "TRABECULA_BOOTSTRAP": clinic.connection.bootstrap,
        "TRABECULA_TOPIC_PREFIX": clinic.connection.prefix,
    }
    said = await asyncio.to_thread(killed, command, environment)
    assert json.loads(said)["http"]
    async with clinic.console() as (_, client):
        assert (await alerts_of(client)).keys() == clinic.ward.alerts.keys()
        notices = await clinic.read(NOTICES.name)
        told = await notices_of(client, len(notices))
        assert len({said["notice_id"] for _, said in told}) == len(notices)


def killed(command: list[str], environment: dict[str, str]) -> bytes:
    """Start a process and kill it as soon as it has said something; what that was."""
    process = subprocess.Popen(command, env=environment, cwd=ROOT, stdout=subprocess.PIPE)
    assert process.stdout is not None
    said = process.stdout.readline()
    process.kill()
    process.wait()
    process.stdout.close()
    return said


async def test_a_rebuild_makes_the_same_anew_and_keeps_the_audit_and_the_numbers(clinic: Clinic) -> None:
    """A reader of notices who comes again after it hears some twice, and never takes one for another."""
    await clinic.begin()
    async with clinic.console() as (made, client):
        before = await alerts_of(client)
        told = await notices_of(client, len(await clinic.read(NOTICES.name)))
        del made
    damage(clinic.folder, "DELETE FROM alert WHERE stands = 1", "UPDATE chart SET page = x''")
    async with clinic.console(rebuild=True) as (_, client):
        assert await alerts_of(client) == before
        again = await notices_of(client, len(told), told[-1][0])
        assert min(number for number, _ in again) > max(number for number, _ in told)
        assert {said["notice_id"] for _, said in again} == {said["notice_id"] for _, said in told}
        patient = next(iter(before.values()))["patient_id"]
        assert (await client.get(f"/v1/patients/{patient}")).status_code == 200
    assert verify(clinic.folder).broken_at is None
    assert verify(clinic.folder).lines >= 4


def damage(folder: Path, *statements: str) -> None:
    db = apsw.Connection(str(folder / "trabecula.sqlite"))
    for sql in statements:
        db.execute(sql)
    db.close()


# ---- answers


async def test_an_answer_is_with_the_brokers_when_it_is_acknowledged_and_shown_when_it_is_decided(
    clinic: Clinic,
) -> None:
    await clinic.begin()
    await clinic.decide()
    open_ = next(key for key, alert in clinic.ward.alerts.items() if alert.state == "open")

    async def decide() -> None:
        found: list[Given] = []
        while not found:
            found = await clinic.answers()
        await clinic.decide(found[0])

    async with clinic.console() as (_, client):
        deciding = asyncio.create_task(decide())
        answer = await client.post(f"/v1/alerts/{open_}/responses", json={"action": "acknowledge", "text": "seen"})
        await deciding
        assert (answer.status_code, answer.json()["outcome"]) == (200, "accepted")
        (given,) = await clinic.answers()
        event = decode(given.value or b"")
        assert (event["alert_id"], event["event_id"]) == (open_, answer.json()["event_id"])
        assert given.key == event["patient_id"].encode()
        assert clinic.ward.alerts[open_].state == "acknowledged"
        assert answer.json()["alert"]["state"] == "acknowledged"


async def test_an_answer_that_no_broker_has_is_not_acknowledged(tmp_path: Path) -> None:
    nowhere = Connection("127.0.0.1:1")
    writer = Writer(Store(tmp_path))
    answers = Answers(Publisher(nowhere, {EVENTS.name: 1}), Projection(nowhere, writer))
    said = {"event_id": "1", "kind": "alert_response", "patient_id": "P", "source": "trabecula", "alert_id": "A"}
    raw = encode(said | {"recorded_at": "2026-03-01T08:00:00Z", "action": "acknowledge", "by": "nurse"})
    with pytest.raises(NotDurableError, match="no broker answers"):
        await answers.receive(Incoming("http", "event", raw, datetime.now(UTC)))
    refused = await answers.receive(Incoming("http", "event", b"{}", datetime.now(UTC)))
    assert refused.refused_whole
    writer.close()


# ---- evidence


async def test_evidence_leads_to_the_raw_message_as_long_as_the_topics_have_it(clinic: Clinic) -> None:
    raw, by_feed, *_ = split_hl7v2(files()["story-3-calcium.hl7"])
    message = Incoming("mllp", "hl7v2", raw, datetime.now(UTC), "laboratory")
    digest = digest_of(message)
    events = Intake(service().settings.site, service().tables, MemoryDirectory()).hl7v2(raw).events
    kept = raw_record(message, digest)
    assert kept is not None
    await clinic.write(kept)
    await clinic.take(events, ((MESSAGE, digest.encode()),))
    await clinic.write(Sent(RAW_HL7V2.name, b"any", by_feed))
    published = Intake(service().settings.site, service().tables, MemoryDirectory()).hl7v2(by_feed).events
    digest = digest_of(Incoming("kafka", "hl7v2", by_feed, datetime.now(UTC)))
    await clinic.take(published, ((MESSAGE, digest.encode()),))
    native = [event for event in fortnight() if event.kind == "lab_result"][:1]
    await clinic.take(native)
    async with clinic.console() as (_, client):
        (event, *_) = [event for event in events if event.kind not in NO_EVIDENCE]
        (found,) = (await client.get("/v1/messages", params=named(event))).json()["items"]
        assert found["body"].encode() == raw
        assert (found["channel"], found["format"], found["feed"]) == ("mllp", "hl7v2", "laboratory")
        (event, *_) = [event for event in published if event.kind not in NO_EVIDENCE]
        (found,) = (await client.get("/v1/messages", params=named(event))).json()["items"]
        assert (found["body"].encode(), found["channel"]) == (by_feed, "kafka")
        (found,) = (await client.get("/v1/messages", params=named(native[0]))).json()["items"]
        assert (found["format"], json.loads(found["body"])["event_id"]) == ("event", native[0].event_id)
        assert (await client.get("/v1/messages", params={"source": "x", "event_id": "x"})).status_code == 404


def named(event: AnyEvent) -> dict[str, str]:
    return {"source": event.source, "event_id": event.event_id}


# ---- who is forgotten


async def test_whoever_is_forgotten_is_shown_no_more_nor_after_a_rebuild(clinic: Clinic) -> None:
    await clinic.begin()
    alert = next(iter(clinic.ward.alerts.values()))
    erasure = Erasure(
        kind="erasure",
        event_id="e",
        patient_id=alert.patient_id,
        source="office",
        record_id="e",
        recorded_at=ENDS,
    )
    theirs = next(e for e in fortnight() if e.patient_id == alert.patient_id and e.kind not in NO_EVIDENCE)
    async with clinic.console() as (_, client):
        path = f"/v1/patients/{alert.patient_id}"
        assert (await client.get(path)).status_code == 200
        assert (await client.get("/v1/messages", params=named(theirs))).status_code == 200
        assert alert.sentence.encode() in kept(clinic.folder)
        await clinic.take([erasure])
        await until_gone(client, path)
    for rebuild in (False, True):
        async with clinic.console(rebuild=rebuild) as (_, client):
            assert (await client.get(path)).status_code == 404
            assert (await client.get("/v1/messages", params=named(theirs))).status_code == 404
            assert alert.patient_id not in {shown["patient_id"] for shown in (await alerts_of(client)).values()}
            assert alert.alert_id not in notices_in(clinic.folder)
    assert alert.sentence.encode() not in kept(clinic.folder)


def kept(folder: Path) -> bytes:
    """Every byte that the console has on its disk."""
    return b"".join(path.read_bytes() for path in folder.glob("trabecula.sqlite*"))


async def until_gone(client: httpx.AsyncClient, path: str) -> None:
    ends = asyncio.get_running_loop().time() + 10
    while (await client.get(path)).status_code != 404:
        assert asyncio.get_running_loop().time() < ends
        await asyncio.sleep(0.02)


def notices_in(folder: Path) -> set[str]:
    db = apsw.Connection(str(folder / "trabecula.sqlite"), flags=apsw.SQLITE_OPEN_READONLY)
    try:
        return {alert_id for (alert_id,) in db.execute("SELECT alert_id FROM notice")}
    finally:
        db.close()


# ---- access


async def test_whoever_asks_must_say_who_they_are_where_keys_are_set(clinic: Clinic, tmp_path: Path) -> None:
    key, entry = new_key("ward", "clinician")
    append_entry(tmp_path / "keys.toml", entry)
    await clinic.begin()
    async with clinic.console(access=AccessSettings(keys=tmp_path / "keys.toml")) as (_, client):
        assert (await client.get("/v1/alerts")).status_code == 401
        answer = await client.get("/v1/alerts", headers={"Authorization": f"Bearer {key}"})
        assert answer.status_code == 200
        assert (await client.get("/metrics", headers={"Authorization": f"Bearer {key}"})).status_code == 403
    assert verify(clinic.folder).lines == 2


async def test_off_this_machine_it_does_not_start_without_keys(clinic: Clinic, tmp_path: Path) -> None:
    options = Options(clinic.connection, tmp_path / "console", "0.0.0.0:0", AccessSettings(keys=None))
    with pytest.raises(AccessError, match="TRABECULA_KEYS"):
        async with running(service(), options):
            pass
