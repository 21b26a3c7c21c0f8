"""Which words stand in the labels of metrics, and which are `other`."""

from collections.abc import Iterable

import pytest

from streams.intake.outcome import Refusal
from streams.node.engine_taken import word_of
from streams.node.http.metrics import MOST_MEMBERS, Metrics
from streams.node.http.reads import Sample
from streams.node.port import Format, Incoming
from tests.node.http_clinic import NOW, MemoryNode

IGNORED = "trabecula_ignored_total"
SILENCE = "trabecula_feed_silence_seconds"


def shown(family: str, samples: Iterable[tuple[dict[str, str], float]]) -> dict[tuple[str, ...], float]:
    """The members of a family after a scrape, by their labels."""
    metrics = Metrics()
    given = [Sample(family, labels, value) for labels, value in samples]
    metrics.asks(lambda: given)
    (found,) = (each for each in metrics.registry.collect() if each.name == family.removesuffix("_total"))
    return {tuple(sample.labels.values()): sample.value for sample in found.samples}


@pytest.mark.parametrize("name", ["LAB", "Labor Süd", "Лаборатория 2", "検査室", "LAB|Main Hospital", "a" * 128])
def test_a_feed_is_named_in_any_script_and_with_spaces(name: str) -> None:
    assert shown(SILENCE, [({"source": name}, 5.0)]) == {(name,): 5.0}


@pytest.mark.parametrize("name", ["", "4711008", " LAB", "LAB\nx", "LAB\u202e", "a" * 129])
def test_what_is_no_name_of_a_feed_is_other(name: str) -> None:
    assert shown(SILENCE, [({"source": name}, 5.0)]) == {("other",): 5.0}


def test_of_several_silent_feeds_without_a_name_the_longest_silence_is_shown() -> None:
    """Their sum would be the silence of nobody, and would wake somebody."""
    assert shown(SILENCE, [({"source": each}, 40.0 + int(each)) for each in ("1", "3", "2")]) == {("other",): 43.0}


def test_feeds_beyond_the_most_are_one_member_with_the_longest_silence() -> None:
    found = shown(SILENCE, [({"source": f"feed {n}"}, float(n)) for n in range(MOST_MEMBERS + 3)])
    assert len(found) == MOST_MEMBERS + 1
    assert found["other",] == MOST_MEMBERS + 2


@pytest.mark.parametrize("outcome", ["accepted", "partly refused", "refused", "duplicate"])
def test_what_became_of_a_message_is_said(outcome: str) -> None:
    found = shown("trabecula_messages_total", [({"channel": "mllp", "format": "hl7v2", "outcome": outcome}, 1)])
    assert found == {("mllp", "hl7v2", outcome): 1}


@pytest.mark.parametrize(
    "what",
    [
        "OBX-11 N",
        "OBX-2 ED",
        "ORC-1 SC",
        "MSH-11 T",
        "ZPV",
        "ADT^A01",
        "fasting_status",
        "merge into itself",
        "order of another service",
        "entry without resource",
        "DELETE",
        "Provenance",
        "Condition unconfirmed",
        "MedicationDispense on-hold",
        "ServiceRequest doNotPerform",
        "Observation panel",
    ],
)
def test_what_matters_to_nobody_is_named(what: str) -> None:
    assert shown(IGNORED, [({"what": what}, 2)]) == {(what,): 2}


@pytest.mark.parametrize(
    "what", ["SMITH^JOHN", "MRN4711008", "MRN|4711008", "Smith John", "OBX-11 4711008", "ORC-1 N7"]
)
def test_what_a_feed_may_have_written_in_the_wrong_place_is_not(what: str) -> None:
    """A message type is what a feed writes in MSH-9, and a feed may write a name there."""
    assert shown(IGNORED, [({"what": what}, 1), ({"what": "4711008"}, 1)]) == {("other",): 2}


# ---- dead letters


@pytest.mark.parametrize(
    ("message", "form", "word"),
    [
        (b'{"kind": "4711008", "event_id": "1"}', "event", "unknown_kind"),
        (b'{"resourceType": "Maria Muster"}', "fhir", "unknown_kind"),
        (b"MSH|^~\\&|L|H|T|H|20260316080000||ADT^A08|1|P|2.5.1\rPV1|1|I\r", "hl7v2", "no_patient"),
        (b"MSH|^~\\&|L|H|T|H|||ORU^R01|1|P|2.5.1\rPID|1||4711008\r", "hl7v2", "no_time"),
        (b"{]", "event", "refused"),
    ],
)
def test_a_dead_letter_is_counted_by_the_kind_of_its_reason(message: bytes, form: Format, word: str) -> None:
    refusals = MemoryNode().translated(Incoming("http", form, message, NOW)).refusals
    assert {word_of(refusal) for refusal in refusals} == {word}


@pytest.mark.parametrize(
    ("reason", "word"),
    [
        ("recorded_in_future", "recorded_in_future"),
        ("failed: KeyError; kept as a dead letter", "failed"),
        ("oversize: 5 bytes; up to 4 an event", "oversize"),
        ("4711008: Maria Muster", "refused"),
    ],
)
def test_a_reason_of_the_engine_is_counted_by_its_own_word_and_no_other_is_told(reason: str, word: str) -> None:
    assert word_of(Refusal("event", reason, "")) == word
