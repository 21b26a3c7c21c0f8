"""A gateway on a real broker: what is acknowledged can be read by anybody, and whatever is refused is kept with why."""

import asyncio
import json
import random
import string
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn

import pytest
from confluent_kafka import Producer

from schemas.topics import DEAD_LETTERS, EVENTS, PATIENTS, RAW_FHIR, RAW_HL7V2, topics_of_site
from schemas.wire import encode
from streams.kafka.connection import Connection
from streams.kafka.topics import create
from streams.kafka.translating import Translator
from streams.service import Service
from streams.settings import Settings
from tests.kafka.gateway_clinic import PARTITIONS, Clinic, eventually, gateway, publish
from tests.node.http_clinic import calcium
from tests.node.mllp_clinic import block
from tests.node.serving import JSON

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"
RESULTS = (EXAMPLES / "laboratory-results.hl7").read_bytes()
ORDER = json.loads((EXAMPLES / "heparin-order.json").read_text())
CITY = Service(Settings(default_assigner="CITY", fhir_authorities={"urn:oid:2.999.1": "CITY"}))
PATIENT = ORDER["entry"][0]["resource"]
SCORE = {
    "resourceType": "Observation",
    "id": "o2",
    "status": "final",
    "issued": "2026-03-03T08:00:00+01:00",
    "code": {"coding": [{"system": "http://loinc.org", "code": "72514-3"}]},
    "bodySite": {"coding": [{"system": "http://snomed.info/sct", "code": "77568009"}]},
    "subject": {"reference": "Patient/p1"},
    "effectiveDateTime": "2026-03-03T07:00:00+01:00",
    "valueQuantity": {"value": 7, "code": "{score}", "system": "http://unitsofmeasure.org"},
}


@pytest.fixture
def connection(bootstrap: str, prefix: str) -> Connection:
    return Connection(bootstrap, prefix)


# ---- events


async def test_an_acknowledged_event_can_be_read_where_its_patient_is_kept(connection: Connection) -> None:
    async with gateway(connection) as clinic:
        sent = [calcium(f"e{n}", patient=f"patient {n}") for n in range(50)]
        assert await clinic.post(*sent) == ["accepted"] * 50
        found = clinic.records(EVENTS)
    assert sorted(record.said["event_id"] for record in found) == sorted(event["event_id"] for event in sent)
    assert all(record.key == record.said["patient_id"].encode() for record in found)
    assert {str(record.said["value"]) for record in found} == {"3.4"}
    assert len({record.partition for record in found}) > 1


async def test_a_patient_is_in_the_partition_in_which_java_has_it(connection: Connection) -> None:
    """librdkafka's murmur2 is that of the Java client; names of any script, and of any length, agree."""
    names = ["1", "12", "123", "1234", "CITY|4711", "Müller-Ünal", "患者 7", "x" * 200, "\N{GRINNING FACE}|9"]
    async with gateway(connection) as clinic:
        await clinic.post(*(calcium(f"e{n}", patient=name) for n, name in enumerate(names)))
        ours = {record.key: record.partition for record in clinic.records(EVENTS)}
    assert ours == theirs(connection, [name.encode() for name in names])


def theirs(connection: Connection, keys: list[bytes]) -> dict[bytes | None, int | None]:
    found: dict[bytes | None, int | None] = {}
    producer = Producer({"bootstrap.servers": connection.bootstrap, "partitioner": "murmur2_random"})
    for key in keys:
        producer.produce(
            connection.name(EVENTS.name),
            b"{}",
            key,
            on_delivery=lambda _, told: found.update({told.key(): told.partition()}),
        )
    assert producer.flush(20) == 0
    return found


async def test_of_many_events_each_has_its_outcome_and_what_is_refused_is_kept_as_it_came(
    connection: Connection,
) -> None:
    wrong = calcium("wrong", status="perhaps")
    late = calcium("late", recorded_at="2100-01-01T00:00:00Z")
    async with gateway(connection) as clinic:
        assert await clinic.post(calcium("right"), wrong, late) == ["accepted", "refused", "refused"]
        letters = clinic.records(DEAD_LETTERS)
        assert clinic.events() == ["right"]
        metrics = await clinic.metrics()
    assert [json.loads(letter.value or b"") for letter in letters] == [wrong, late]
    first, second = letters
    assert first.header("refused") == "event wrong"
    assert "preliminary" in first.header("reason")
    assert (first.header("where"), first.header("format"), first.header("origin")) == ("$.status", "event", "events/")
    assert (second.header("reason"), second.header("where")) == ("recorded_in_future", "recorded_at")
    assert metrics.of("trabecula_dead_letters_total", reason="recorded_in_future") == 1
    assert metrics.of("trabecula_events_total", channel="events", kind="lab_result", outcome="accepted") == 1


async def test_an_event_that_no_record_holds_is_a_dead_letter_and_costs_no_other(connection: Connection) -> None:
    large = calcium("large", kind="imaging", modality="MRI", region="spine", status="final")
    large |= {
        "performed_at": "2026-03-16T07:00:00Z",
        "findings": [{"finding": "normal", "levels": ["L1"] * 32}] * 9_000,
    }
    async with gateway(connection) as clinic:
        outcomes = await clinic.post(calcium("before"), large, calcium("after"))
        assert (outcomes, clinic.events()) == (["accepted", "refused", "accepted"], ["before", "after"])
        (letter,) = clinic.records(DEAD_LETTERS)
    assert letter.header("reason").startswith("oversize: ")
    assert json.loads(letter.value or b"") == large


# ---- HL7 v2


async def test_a_message_over_mllp_is_events_that_lead_back_to_it(connection: Connection) -> None:
    async with gateway(connection, of=CITY) as clinic:
        assert await clinic.hl7(RESULTS) == ("AA", "MSG-4711")
        events, (raw,), (letter,) = clinic.records(EVENTS), clinic.records(RAW_HL7V2), clinic.records(DEAD_LETTERS)
    assert {record.said["patient_id"] for record in events} == {"100234"}
    assert {record.headers["trabecula-message"] for record in events} == {raw.headers["trabecula-message"]}
    assert raw.value == RESULTS
    assert raw.header("trabecula-channel") == "mllp"
    # One result of the message has a comma in its number: the message is taken, and that part is a dead letter.
    assert letter.value == RESULTS
    assert json.loads(letter.headers["refusals"]) == [
        {
            "refused": "ORU^R01 MSG-4711",
            "reason": "no number; accepted: e.g. 5.2 or <5, or ST in OBX-2 for text",
            "where": "OBX[4]-5",
        }
    ]


async def test_many_messages_of_many_connections_are_all_there_once(connection: Connection) -> None:
    async with gateway(connection) as clinic:

        async def feed(name: int) -> list[tuple[str, str]]:
            async with clinic.mllp() as sender:
                told = []
                for n in range(20):
                    await sender.send(block(RESULTS.replace(b"MSG-4711", f"F{name}N{n}".encode())))
                    told.append(await sender.told())
                return told

        told = [one for some in await asyncio.gather(*map(feed, range(10))) for one in some]
        assert Counter(code for code, _ in told) == {"AA": 200}
        found = Counter(record.headers["trabecula-message"] for record in clinic.records(RAW_HL7V2))
        assert len(found) == 200
        assert set(found.values()) == {1}


# ---- FHIR


async def test_who_a_patient_is_told_to_one_gateway_is_known_to_the_others_and_after_a_start(
    connection: Connection,
) -> None:
    async with gateway(connection, of=CITY) as clinic, gateway(connection, of=CITY) as another:
        assert (await clinic.fhir(PATIENT | {"meta": {"lastUpdated": "2026-03-01T00:00:00Z"}})).status_code == 200
        assert [record.key for record in clinic.records(PATIENTS)] == [b"Patient/p1"]
        await known_as(another, "100234")
    async with gateway(connection, of=CITY) as later:
        assert (await later.fhir(SCORE | {"id": "o9"})).status_code == 200
        (event,) = (r.said for r in later.records(EVENTS) if r.said["record_id"] == "Observation/o9")
    assert event["patient_id"] == "100234"


async def known_as(clinic: Clinic, patient_id: str) -> None:
    """A gateway hears in a moment what another one learned; until then the address stands for the patient."""

    async def is_known() -> bool:
        await clinic.fhir(SCORE)
        latest = [r.said["patient_id"] for r in clinic.records(EVENTS) if r.said["record_id"] == "Observation/o2"]
        assert set(latest) <= {"fhir|Patient/p1", patient_id}
        return patient_id in latest

    await eventually(is_known)


async def test_a_bundle_is_translated_whole_and_kept_as_it_came(connection: Connection) -> None:
    async with gateway(connection, of=CITY) as clinic:
        assert (await clinic.fhir(ORDER)).status_code == 200
        kinds = {record.said["kind"] for record in clinic.records(EVENTS)}
        (raw,) = clinic.records(RAW_FHIR)
    assert {"patient", "prescription", "patient_merge"} <= kinds
    assert json.loads(raw.value or b"") == ORDER


async def test_of_a_transaction_that_is_refused_nothing_is_written_but_its_dead_letter(connection: Connection) -> None:
    good = {"resource": PATIENT | {"meta": {"lastUpdated": "2026-03-01T00:00:00Z"}}, "request": put("Patient/p1")}
    bad = {"resource": SCORE | {"status": "perhaps"}, "request": put("Observation/o2")}
    bundle = {"resourceType": "Bundle", "type": "transaction", "entry": [good, bad]}
    async with gateway(connection, of=CITY) as clinic:
        assert (await clinic.fhir(bundle)).status_code == 422
        assert (clinic.records(EVENTS), clinic.records(RAW_FHIR), clinic.records(PATIENTS)) == ([], [], [])
        (letter,) = clinic.records(DEAD_LETTERS)
        assert json.loads(letter.value or b"") == bundle
        whole = bundle | {"entry": [good, {**bad, "resource": SCORE}]}
        assert (await clinic.fhir(whole)).status_code == 200
        assert {record.said["patient_id"] for record in clinic.records(EVENTS)} >= {"100234"}


def put(url: str) -> dict[str, str]:
    return {"method": "PUT", "url": url}


async def test_what_takes_back_something_that_it_does_not_say_is_refused_by_name(connection: Connection) -> None:
    """Whose record it was is known where the patient is kept; to pass over it would lose a correction in silence."""
    async with gateway(connection, of=CITY) as clinic:
        answer = await clinic.http.delete("/fhir/Observation/o2")
        assert answer.status_code == 422
        assert "entered-in-error" in answer.text
        stripped = {"resourceType": "Observation", "id": "o2", "status": "entered-in-error", "code": SCORE["code"]}
        answer = await clinic.fhir(stripped)
        assert answer.status_code == 422
        assert len(clinic.records(DEAD_LETTERS)) == 2
        said: dict[str, Any] = SCORE | {"status": "entered-in-error"}
        assert (await clinic.fhir(said)).status_code == 200
        (event,) = clinic.records(EVENTS)
    assert event.said["record_status"] == "entered_in_error"


async def test_whoever_is_to_be_forgotten_has_no_address_any_more(connection: Connection) -> None:
    erasure = {
        "kind": "erasure",
        "event_id": "forget",
        "patient_id": "100234",
        "source": "desk",
        "record_id": "forget",
        "recorded_at": "2026-03-04T00:00:00Z",
    }
    async with gateway(connection, of=CITY) as clinic:
        await clinic.fhir(PATIENT | {"meta": {"lastUpdated": "2026-03-01T00:00:00Z"}})
        assert await clinic.post(erasure) == ["accepted"]
        said = [(record.key, record.value) for record in clinic.records(PATIENTS)]
        await clinic.fhir(SCORE)
        (event,) = (r.said for r in clinic.records(EVENTS) if r.said["record_id"] == "Observation/o2")
    assert said == [(b"Patient/p1", b"100234"), (b"Patient/p1", None)]
    assert event["patient_id"] == "fhir|Patient/p1"


# ---- raw topics


async def test_raw_messages_that_feeds_publish_are_translated_once_and_what_is_our_own_never(
    connection: Connection,
) -> None:
    async with gateway(connection, of=CITY) as clinic:
        assert await clinic.hl7(RESULTS) == ("AA", "MSG-4711")
        own = len(clinic.records(EVENTS))
        publish(connection, RAW_HL7V2, RESULTS.replace(b"MSG-4711", b"MSG-1"), b"no message")
        publish(connection, RAW_FHIR, encode(ORDER), key=b"feed")

        async def are_there() -> bool:
            ids = clinic.events()
            return any(i.startswith("MSG-1:") for i in ids) and any("MedicationRequest" in i for i in ids)

        await eventually(are_there)
        await eventually(lambda: letters_of(clinic, b"no message"))
        events, raw = clinic.records(EVENTS), clinic.records(RAW_HL7V2)
    async with gateway(connection, of=CITY) as clinic:  # another one goes on where the first one was
        publish(connection, RAW_HL7V2, RESULTS.replace(b"MSG-4711", b"MSG-3"))

        async def is_there() -> bool:
            return any(i.startswith("MSG-3:") for i in clinic.events())

        await eventually(is_there)
        later = clinic.records(EVENTS)
    assert Counter(r.said["event_id"].partition(":")[0] for r in events)["MSG-4711"] == own
    assert len(raw) == 3, "what a feed published itself is not kept a second time"
    assert max(Counter(record.said["event_id"] for record in later).values()) == 1


async def letters_of(clinic: Clinic, value: bytes) -> bool:
    found = [letter for letter in clinic.records(DEAD_LETTERS) if letter.value == value]
    assert all(letter.header("trabecula-channel") == "kafka" for letter in found)
    return bool(found)


# ---- live before bulk


async def test_whoever_is_live_does_not_wait_for_a_load_of_old_data(connection: Connection) -> None:
    old = encode([calcium(f"old {n}", patient=f"p{n % 97}", history=True) for n in range(8_000)])
    async with gateway(connection) as clinic:
        load = asyncio.create_task(clinic.http.post("/v1/events", content=old, headers=JSON, timeout=120))
        await asyncio.sleep(0)
        live = 0
        while not load.done() and live < 20:
            assert await clinic.post(calcium(f"live {live}")) == ["accepted"]
            live += 1
        assert not load.done(), "twenty live events were taken before the load was through"
        assert {item["outcome"] for item in (await load).json()["items"]} == {"accepted"}
        assert len(clinic.events()) == 8_020


# ---- how it stands


async def test_a_gateway_of_which_a_part_fails_answers_nobody_and_ends_loudly(
    connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Mistakes in one message are dead letters; what fails beyond a message must not leave senders waiting."""

    def fail(*_: object) -> NoReturn:
        raise ZeroDivisionError

    async with gateway(connection) as clinic:
        monkeypatch.setattr(Translator, "take_all", fail)
        answer = await clinic.http.post("/v1/events", content=encode(calcium("e")), headers=JSON)
        assert answer.status_code == 503
        with pytest.raises(ZeroDivisionError):
            await clinic.running.fails
        assert not await clinic.is_ready()
        answer = await clinic.http.post("/v1/events", content=encode(calcium("f")), headers=JSON)
        assert answer.status_code == 503


async def test_a_record_that_brokers_do_not_take_costs_no_other_message(connection: Connection) -> None:
    """A topic that was made smaller than it is declared (`topics check` says so): whoever is small enough goes on."""
    small = topics_of_site(partitions=PARTITIONS, copies=1)
    await create(connection, [replace(topic, largest=4_096) if topic == small[1] else topic for topic in small])
    noise = "".join(random.Random(3).choices(string.ascii_letters + string.digits, k=200_000))
    large = RESULTS + f"NTE|1||{noise}\r".encode()
    async with gateway(connection, of=CITY) as clinic:
        names = [f"N{n}" for n in range(12)]
        bodies = [(large if n == 5 else RESULTS).replace(b"MSG-4711", name.encode()) for n, name in enumerate(names)]
        told = await asyncio.gather(*map(clinic.hl7, bodies))
        assert [code for code, _ in told] == ["AE" if n == 5 else "AA" for n in range(12)]
        kept = {(record.value or b"").split(b"|")[9].decode() for record in clinic.records(RAW_HL7V2)}
        assert kept == {*names} - {"N5"}
        await eventually(clinic.is_ready)


async def test_a_gateway_shows_nothing_of_a_patient(connection: Connection) -> None:
    async with gateway(connection) as clinic:
        paths: list[Any] = ["/v1/alerts", "/v1/patients/P", "/", "/patients", "/v1/notices", "/v1/messages"]
        assert {(await clinic.http.get(path)).status_code for path in paths} == {404}
        assert await clinic.is_ready()
        documented = (await clinic.http.get("/openapi.json")).json()["paths"]
    assert {"/v1/events", "/fhir", "/hl7v2", "/readyz"} <= documented.keys()
    assert "/v1/alerts" not in documented
