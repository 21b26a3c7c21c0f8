"""What the metrics say of a node with traffic, and that they say nothing of a patient."""

import asyncio
import os
import shutil
import socket
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from alerting.delivery.settings import DeliverySettings, FileSettings
from streams.node.http.store_reads import LAST_NOTICE, StoreReads
from streams.node.schema import migrate
from streams.node.store import Store
from streams.node.watch_metrics import Tally, WatchMetrics
from tests.events import heparin
from tests.events import pregnancy as pregnancy_of
from tests.node.engine_clinic import node
from tests.node.http_clinic import NOW, calcium, service
from tests.node.serving import JSON, Metrics, Served, served, until
from tests.support import on

PATIENT = "4711008"
NOBODY_ELSE = "NAME-OF-NOBODY-ELSE"


def ago(**time: float) -> str:
    """An instant so long ago."""
    return (datetime.now(UTC) - timedelta(**time)).isoformat()


def result(name: str, patient: str = PATIENT, **more: Any) -> dict[str, Any]:
    """A critical calcium of today."""
    return calcium(name, patient=patient, value=4.2, recorded_at=ago(hours=1), collected_at=ago(hours=2)) | more


def pregnancy(patient: str = PATIENT) -> dict[str, Any]:
    """The pregnancy in which a calcium is looked at."""
    begun = (datetime.now(UTC) - timedelta(days=150)).date().isoformat()
    told = {"patient_id": patient, "source": "obstetrics", "recorded_at": ago(days=2)}
    said = {"kind": "pregnancy", "event_id": f"{patient} lmp", "record_id": f"{patient} lmp", "status": "pregnant"}
    return told | said | {"last_menstrual_period": begun}


def hl7v2(at: Served, message: bytes) -> bytes:
    """A message over MLLP, and its acknowledgement."""
    host, port = at.running.mllp.split(":")
    with socket.create_connection((host, int(port)), timeout=10) as sender:
        sender.sendall(b"\x0b" + message + b"\x1c\r")
        return sender.recv(65_536)


# ---- how old events are, how long decisions take


async def test_the_age_of_a_new_event_is_observed_once_and_that_of_old_data_never(tmp_path: Path) -> None:
    async with served(tmp_path) as at:
        again = result("again")
        assert await at.post(result("new"), again, again) == ["accepted", "accepted", "duplicate"]
        assert await at.post(result("old", source="archive", history=True)) == ["accepted"]
        seen = await at.metrics()
    assert seen.of("trabecula_event_age_seconds_count") == 2
    assert 7_200 <= (seen.of("trabecula_event_age_seconds_sum") or 0) < 7_300
    assert seen.of("trabecula_event_age_seconds_bucket", le="900.0") == 0
    assert seen.of("trabecula_event_age_seconds_bucket", le="14400.0") == 2


async def test_every_message_is_a_decision_that_took_its_time(tmp_path: Path) -> None:
    async with served(tmp_path) as at:
        await at.post(result("one"), result("two"))
        seen = await at.metrics()
    assert seen.of("trabecula_decision_seconds_count") == 2
    assert 0 < (seen.of("trabecula_decision_seconds_sum") or 0) < 10


def test_a_crossing_of_time_is_a_decision_without_an_event(tmp_path: Path) -> None:
    watch = WatchMetrics(registry := CollectorRegistry())
    with node(tmp_path, on(43), watch=watch) as at:
        at.take_all([pregnancy_of(30), heparin(42, starts=42)])
        taken = registry.get_sample_value("trabecula_decision_seconds_count")
        at.wait_until(on(100))
        assert "raised" in at.transitions("HEP-02")
    assert taken == 2
    assert (registry.get_sample_value("trabecula_decision_seconds_count") or 0) > taken
    assert registry.get_sample_value("trabecula_event_age_seconds_count") == 2


def test_a_value_at_a_bound_is_counted_below_it_and_one_beyond_the_last_in_the_total() -> None:
    tally = Tally("seconds", "Some.", (0.5, 1.0))
    tally.add([0.5, 0.500001, 1.0, 7.0])
    (family,) = tally.collect()
    found = {s.labels.get("le", s.name): s.value for s in family.samples}
    assert found == {"0.5": 1, "1.0": 3, "+Inf": 4, "seconds_count": 4, "seconds_sum": pytest.approx(9.000001)}


async def test_an_acknowledgement_is_timed_on_every_channel(tmp_path: Path) -> None:
    day = datetime.now(UTC).strftime("%Y%m%d080000")
    message = f"MSH|^~\\&|LAB|HOSP|T|H|{day}||ORU^R01|M-1|P|2.5.1\rPID|1||{PATIENT}^^^HOSP^MR\r".encode()
    async with served(tmp_path) as at:
        await at.post(result("one"))
        await at.http.post("/hl7v2", content=message, headers={"content-type": "application/hl7-v2"})
        await asyncio.to_thread(hl7v2, at, message)
        await at.http.post("/fhir", content=b'{"resourceType": "Provenance"}', headers=JSON)
        seen = await at.metrics()
    timed = {labels["channel"] for labels in seen.members("trabecula_acknowledge_seconds_count")}
    assert timed == {"events", "http", "mllp", "fhir"}


# ---- what stands, what was said, who is silent


async def test_what_stands_is_counted_by_severity_and_state(tmp_path: Path) -> None:
    async with served(tmp_path) as at:
        await at.post(pregnancy(), result("critical"))
        before = await at.metrics()
        alerts = (await at.http.get("/v1/alerts?severity=critical")).json()["items"]
        await at.http.post(
            f"/v1/alerts/{alerts[0]['alert_id']}/responses", content=b'{"action": "acknowledge"}', headers=JSON
        )
        after = await at.metrics()
    assert len(alerts) == 1
    name = "trabecula_alerts_open"
    assert before.of(name, severity="critical", state="open") == 1
    assert after.of(name, severity="critical", state="open") is None
    assert after.of(name, severity="critical", state="acknowledged") == 1
    assert after.of("trabecula_notices_total", rule="CAL-01", transition="raised", mode="live") == 1
    assert after.of("trabecula_notices_total", rule="CAL-01", transition="acknowledged") == 1


async def test_a_rule_that_never_said_anything_is_as_much_to_be_seen_as_one_that_did(tmp_path: Path) -> None:
    began = datetime.now(UTC).timestamp()
    async with served(tmp_path) as at:
        await at.post(pregnancy(), result("critical"))
        seen = await at.metrics()
    assert {labels["rule"] for labels in seen.members(LAST_NOTICE)} == set(service().monitor.pack.rules)
    assert began - 1 <= (seen.of(LAST_NOTICE, rule="CAL-01") or 0) <= datetime.now(UTC).timestamp()
    assert seen.of(LAST_NOTICE, rule="HEP-04") == 0


def test_a_store_of_a_former_version_knows_when_each_rule_last_said_something(tmp_path: Path) -> None:
    with node(tmp_path, NOW) as at:
        at.take(pregnancy("MRN-1") | {"last_menstrual_period": "2025-10-20", "recorded_at": NOW.isoformat()})
        at.take(calcium("critical", patient="MRN-1"))
        said = at.reading.rules_said()
    assert said.keys() >= {"CAL-01"}
    former = Store(tmp_path)
    migrate(former.rows.db, 4)
    former.close()
    again = Store(tmp_path)
    assert again.upgraded_from == 4
    assert dict(again.rows.db.execute("SELECT rule_id, said_at / 1000000 FROM rule_said")) == {
        rule_id: int(at.timestamp()) for rule_id, at in said.items()
    }
    again.close()


def test_a_feed_that_says_nothing_grows_silent_and_the_others_do_not(tmp_path: Path) -> None:
    with node(tmp_path, on(0)) as at:
        reads = StoreReads(at.reading, at.engine, at.monitor, at.clock)
        at.take(calcium("first", recorded_at=on(0).isoformat(), source="laboratory"))
        at.clock.at = on(1)
        at.take(calcium("second", recorded_at=on(1).isoformat(), source="pharmacy"))
        samples = {s.labels["source"]: s.value for s in reads.samples() if s.family == "trabecula_feed_silence_seconds"}
    assert samples == {"laboratory": 86_400.0, "pharmacy": 0.0}


async def test_a_delivery_is_counted_by_receiver_and_outcome_and_a_lag_is_shown_once(tmp_path: Path) -> None:
    told = tmp_path / "told.ndjson"
    receivers = DeliverySettings(receivers=(FileSettings(name="ward", kind="file", path=told),))
    async with served(tmp_path / "data", delivery=receivers) as at:
        await at.post(pregnancy(), result("critical"))
        await until(lambda: any(c.family == "deliveries" for c in at.running.reading.counters()))
        seen = await at.metrics()
    assert seen.of("trabecula_deliveries_total", receiver="ward", outcome="taken") == 1
    assert seen.of("trabecula_delivery_lag_seconds", receiver="ward") == 0
    assert seen.text.count("# TYPE trabecula_delivery_lag_seconds") == 1


async def test_the_rule_pack_and_the_charts_are_there_and_what_has_no_broker_has_no_lag(tmp_path: Path) -> None:
    async with served(tmp_path) as at:
        await at.post(pregnancy("MRN-1"), pregnancy("MRN-2"))
        seen = await at.metrics()
    pack = service().monitor.pack
    assert seen.of("trabecula_rulepack_info", version=pack.version, sha256=pack.sha256) == 1
    assert seen.of("trabecula_patients") == 2
    assert seen.members("trabecula_consumer_lag_seconds") == []


# ---- for whoever scrapes


async def test_nothing_of_a_patient_is_in_it(tmp_path: Path) -> None:
    async with served(tmp_path) as at:
        await at.post(
            pregnancy(NOBODY_ELSE), result("critical", NOBODY_ELSE), result("refused", NOBODY_ELSE, value="x")
        )
        await at.http.get(f"/v1/patients/{NOBODY_ELSE}")
        seen = await at.metrics()
    assert seen.of("trabecula_dead_letters_total", reason="refused") == 1
    assert NOBODY_ELSE not in seen.text


@pytest.mark.skipif(
    not shutil.which("promtool") and not os.environ.get("CI"), reason="promtool is not installed (Debian: prometheus)"
)
async def test_promtool_finds_nothing_to_say_about_it(tmp_path: Path) -> None:
    async with served(tmp_path) as at:
        await at.post(pregnancy(), result("critical"))
        seen = await at.metrics()
    assert await asyncio.to_thread(promtool, seen) == ""


def promtool(seen: Metrics) -> str:
    """What `promtool check metrics` says."""
    run = subprocess.run(["promtool", "check", "metrics"], input=seen.text, capture_output=True, text=True, timeout=60)  # noqa: S607, PLW1510 - what it says is judged
    return run.stdout + run.stderr
