"""What becomes of messages at a gateway, without a broker: records, outcomes, and what is known of Patients."""

from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta

import pytest

from schemas.topics import DEAD_LETTERS, EVENTS, PATIENTS, RAW_FHIR, RAW_HL7V2
from schemas.wire import encode
from streams.intake.outcome import Refusal
from streams.kafka.intake_records import MESSAGE, digest_of, incoming_of, is_translated
from streams.kafka.patients import KnownPatients, MessageDirectory
from streams.kafka.translating import Translated, Translator
from streams.kafka.work import Given, Sent
from streams.node.port import Format, Incoming
from tests.kafka.test_gateway import CITY, ORDER, PATIENT, RESULTS, SCORE, put
from tests.node.http_clinic import calcium

NOW = datetime(2026, 3, 16, 12, tzinfo=UTC)
DATED = PATIENT | {"meta": {"lastUpdated": "2026-03-01T00:00:00Z"}}


@pytest.fixture
def known() -> Iterator[KnownPatients]:
    with closing(KnownPatients()) as nobody_yet:
        yield nobody_yet


def incoming(content: object, form: Format = "fhir", feed: str | None = None) -> Incoming:
    raw = content if isinstance(content, bytes) else encode(content)
    return Incoming("fhir" if form == "fhir" else "mllp", form, raw, NOW, feed)


def translator(known: KnownPatients, *, keeps_raw: bool = True) -> Translator:
    return Translator(CITY.settings.site, CITY.tables, known, keeps_raw=keeps_raw)


def topics(translated: Translated) -> list[str]:
    return [sent.topic for sent in translated.sends]


def patients(translated: Translated) -> set[bytes | None]:
    return {sent.key for sent in translated.sends if sent.topic == EVENTS.name}


# ---- Patients


def test_what_a_message_teaches_is_known_to_the_next_and_to_all_once_it_is_kept(known: KnownPatients) -> None:
    ours, others = translator(known), translator(known)
    first, second = ours.take_all([incoming(DATED), incoming(SCORE)], NOW)
    assert PATIENTS.name in topics(first)
    assert patients(second) == {b"100234"}
    (meanwhile,) = others.take_all([incoming(SCORE)], NOW)
    assert patients(meanwhile) == {b"fhir|Patient/p1"}
    ours.settle(kept=True)
    (later,) = others.take_all([incoming(SCORE)], NOW)
    assert patients(later) == {b"100234"}


def test_what_is_not_kept_taught_nothing(known: KnownPatients) -> None:
    ours = translator(known)
    ours.take_all([incoming(DATED)], NOW)
    ours.settle(kept=False)
    (again, score) = ours.take_all([incoming(DATED), incoming(SCORE)], NOW)
    assert (known.patient("Patient/p1"), PATIENTS.name in topics(again)) == (None, True)
    assert patients(score) == {b"100234"}


def test_a_patient_that_is_known_is_not_linked_again(known: KnownPatients) -> None:
    """A link reaches every partition and is kept for ever; a hospital sends a Patient with every Bundle."""
    ours = translator(known)
    first, second = ours.take_all([incoming(DATED), incoming(DATED | {"gender": "female"})], NOW)
    kinds = [[sent.value for sent in each.sends if b"patient_merge" in (sent.value or b"")] for each in (first, second)]
    assert [len(each) for each in kinds] == [1, 0]


def test_a_transaction_that_is_refused_teaches_nothing(known: KnownPatients) -> None:
    bad = {"resource": SCORE | {"status": "perhaps"}, "request": put("Observation/o2")}
    bundle = {
        "resourceType": "Bundle",
        "type": "transaction",
        "entry": [{"resource": DATED, "request": put("Patient/p1")}, bad],
    }
    refused, score = translator(known).take_all([incoming(bundle), incoming(SCORE)], NOW)
    assert topics(refused) == [DEAD_LETTERS.name]
    assert refused.outcome.refused_whole
    assert refused.outcome.items == ()
    assert patients(score) == {b"fhir|Patient/p1"}


def test_an_address_is_forgotten_with_its_patient_and_known_again_when_it_is_told_again(known: KnownPatients) -> None:
    known.learn([("Patient/1", "A"), ("Patient/2", "A"), ("Patient/3", "B")])
    directory = MessageDirectory(known)
    assert directory.forget("A") == ["Patient/1", "Patient/2"]
    assert directory.forget("fhir|Patient/9") == ["Patient/9"]
    assert directory.patient("Patient/1") is None
    directory.settle(kept=True)
    assert [known.patient(f"Patient/{n}") for n in (1, 2, 3)] == [None, None, "B"]
    directory.begin()
    assert directory.know_patient("Patient/1", "A") is None
    directory.take()
    directory.settle(kept=True)
    assert known.patient("Patient/1") == "A"


# ---- records


def test_a_message_is_kept_where_its_format_is_and_an_event_is_its_own_record(known: KnownPatients) -> None:
    hl7, fhir, event = translator(known).take_all(
        [incoming(RESULTS, "hl7v2"), incoming(ORDER), incoming(calcium("e"), "event")], NOW
    )
    assert topics(hl7).count(RAW_HL7V2.name) == topics(fhir).count(RAW_FHIR.name) == 1
    assert topics(event) == [EVENTS.name]


def test_a_message_of_which_nothing_is_an_event_is_not_kept_as_it_came(known: KnownPatients) -> None:
    nothing = RESULTS.split(b"\r")[0].replace(b"ORU^R01^ORU_R01", b"MFN^M02")
    (ignored,) = translator(known).take_all([incoming(nothing, "hl7v2")], NOW)
    assert (ignored.sends, ignored.outcome.ignored) == ((), 1)


def test_what_came_from_a_raw_topic_is_not_kept_there_again(known: KnownPatients) -> None:
    (hl7,) = translator(known, keeps_raw=False).take_all([incoming(RESULTS, "hl7v2")], NOW)
    assert RAW_HL7V2.name not in topics(hl7)
    assert {dict(sent.headers)[MESSAGE] for sent in hl7.sends} == {digest_of(incoming(RESULTS, "hl7v2")).encode()}


def test_a_message_reads_from_its_raw_topic_as_it_came(known: KnownPatients) -> None:
    (hl7,) = translator(known).take_all([incoming(RESULTS, "hl7v2", "lab.north")], NOW)
    (raw,) = (sent for sent in hl7.sends if sent.topic == RAW_HL7V2.name)
    given = as_given(raw)
    assert is_translated(given)
    assert incoming_of(RAW_HL7V2.name, given) == incoming(RESULTS, "hl7v2", "lab.north")


def as_given(sent: Sent) -> Given:
    return Given(0, 0, int(NOW.timestamp() * 1000), sent.key, sent.value, sent.headers)


def test_a_feed_that_says_nothing_of_itself_is_of_kafka() -> None:
    read = incoming_of(RAW_FHIR.name, Given(0, 7, int(NOW.timestamp() * 1000), None, b"{}", (("other", b"\xff"),)))
    assert read == Incoming("kafka", "fhir", b"{}", NOW)


# ---- refused


def test_a_mistake_of_ours_in_one_message_is_a_dead_letter_and_costs_no_other(known: KnownPatients) -> None:
    known.close()  # whoever asks for a Patient fails now
    event, fhir, last = translator(known).take_all(
        [incoming(calcium("e"), "event"), incoming(SCORE), incoming(calcium("f"), "event")], NOW
    )
    assert (topics(event), topics(fhir), topics(last)) == ([EVENTS.name], [DEAD_LETTERS.name], [EVENTS.name])
    (refusal,) = fhir.outcome.refusals
    assert refusal.reason.startswith("failed: ProgrammingError")
    assert refusal.where.startswith("patients.py:")
    assert fhir.outcome.refused_whole


def test_a_day_ahead_is_taken_and_a_moment_more_is_refused(known: KnownPatients) -> None:
    at = [calcium(name, recorded_at=(NOW + timedelta(hours=24) + late).isoformat()) for name, late in MOMENTS.items()]
    exactly, beyond = translator(known).take_all([incoming(each, "event") for each in at], NOW)
    assert [item.outcome for item in (*exactly.outcome.items, *beyond.outcome.items)] == ["accepted", "refused"]
    assert beyond.outcome.refusals == (Refusal("event beyond", "recorded_in_future", "recorded_at"),)


MOMENTS = {"exactly": timedelta(), "beyond": timedelta(microseconds=1)}


def test_what_came_of_a_message_that_broke_off_is_a_dead_letter(known: KnownPatients) -> None:
    refusal = Refusal("HL7 v2 message", "broken_off: the connection closed before its end", "")
    part = Incoming("mllp", "part", RESULTS[:40], NOW, "lab", refusal)
    (translated,) = translator(known).take_all([part], NOW)
    (letter,) = translated.sends
    said = dict(letter.headers)
    assert (letter.topic, letter.value) == (DEAD_LETTERS.name, RESULTS[:40])
    assert (said["reason"], said["format"], said["origin"]) == (refusal.reason.encode(), b"part", b"mllp/lab")
    assert translated.counts["dead_letters", (("reason", "broken_off"),)] == 1
