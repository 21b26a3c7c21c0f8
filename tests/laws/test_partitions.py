"""Laws 1 and 4 over partitions: however many there are, and whoever was faster, the answer is that of one ward."""

from collections.abc import Sequence
from datetime import datetime
from itertools import pairwise
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schemas.alerts import STANDING, Notice
from schemas.events import AnyEvent
from streams.kafka.records import header, live_record
from streams.kafka.work import Given
from tests.events import back_pain, event, heparin, merge, pregnancy, recorded, unmerge
from tests.laws.partitions import Partitions
from tests.laws.test_any_order import POOL
from tests.support import on
from tests.wards import told

UNTIL = 400


def _lived(events: Sequence[AnyEvent], partitions: int, seed: int) -> Partitions:
    """Events as they come, taken by partitions of which now one is ahead and now another."""
    rng = Random(seed)
    made = Partitions(partitions, rng)
    latest = recorded(events[0])
    for one in events:
        latest = max(latest, recorded(one))
        made.publish(one)
        for _ in range(rng.randint(0, 3)):
            made.step(latest)
    made.drain(latest)
    made.drain(on(UNTIL))
    return made


@given(st.permutations(POOL), st.integers(1, 4), st.integers(0, 2**32))
@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_partitions_end_in_the_charts_and_alerts_of_one_ward(order: list[AnyEvent], partitions: int, seed: int) -> None:
    found, expected = _lived(order, partitions, seed), told(order, UNTIL)
    assert found.facts == expected.facts
    assert found.state(on(UNTIL)) == expected.state
    assert found.dead_letters == []


@given(st.lists(st.sampled_from("ABCDE"), min_size=2, max_size=14), st.integers(2, 5), st.integers(0, 2**32))
@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_chains_cycles_and_unmerges_end_the_same_in_any_order_of_arrival(
    names: list[str], partitions: int, seed: int
) -> None:
    rng = Random(seed)
    said: list[AnyEvent] = [back_pain(100 + i, 8, record=f"pain {i}", patient=p) for i, p in enumerate("ABCDE")]
    for at, (one, other) in enumerate(pairwise(names)):
        link = unmerge if rng.random() < 0.3 else merge
        said.append(link(120 + at, one, other, record=f"link {at}"))
    rng.shuffle(said)
    found, expected = _lived(said, partitions, seed), told(said, UNTIL)
    assert found.facts == expected.facts
    assert found.state(on(UNTIL)) == expected.state


@given(st.permutations(POOL), st.integers(2, 4), st.integers(0, 2**32))
@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_the_topic_of_alerts_says_what_stands(order: list[AnyEvent], partitions: int, seed: int) -> None:
    found = _lived(order, partitions, seed)
    standing = {key: (patient, severity, state) for patient, key, severity, _, state in found.state(on(UNTIL))}
    written = {
        key: (alert.patient_id, alert.severity, alert.state)
        for key, alert in found.alerts.items()
        if alert is not None and alert.state in STANDING
    }
    assert written == standing


@given(st.permutations(POOL), st.integers(2, 4), st.integers(0, 2**32))
@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_a_notice_is_told_once_and_in_the_order_of_its_alert(order: list[AnyEvent], partitions: int, seed: int) -> None:
    notices = _lived(order, partitions, seed).notices
    assert len({n.notice_id for n in notices}) == len(notices)
    for alert in {n.alert_id for n in notices}:
        sequences = [n.sequence for n in notices if n.alert_id == alert]
        assert sequences == sorted(sequences)


COURSE: Sequence[AnyEvent] = (pregnancy(30, patient="Q"), heparin(42, starts=42, patient="Q"))


def _quietly(partitions: int = 3) -> Partitions:
    return Partitions(partitions, Random(1), aborts=0, restarts=0)


def test_an_alert_moves_with_a_merge_and_is_not_raised_again() -> None:
    made = _quietly()
    for one in COURSE:
        made.publish(one, wrongly=0)
    made.drain(on(100))
    made.publish(merge(110, "Q", "P"), wrongly=0)
    made.drain(on(111))
    said = [(n.transition, n.patient_id) for n in made.notices if n.rule_id == "HEP-02"]
    assert said[:2] == [("raised", "Q"), ("transferred", "Q")]
    assert {transition for transition, _ in said[2:]} <= {"escalated"}
    assert {a[0] for a in made.state(on(111))} == {"P"}


def test_a_history_load_tells_nothing_until_its_feed_is_live_also_where_patients_merge_meanwhile() -> None:
    made = _quietly()
    for one in COURSE:
        made.publish(one.model_copy(update={"history": True}), wrongly=0)
    made.publish(merge(110, "Q", "P").model_copy(update={"history": True}), wrongly=0)
    made.drain(on(111))
    assert made.notices == []
    for number in range(made.count):
        made.write(live_record("feed", number))
    made.drain(on(112))
    assert {(n.transition, n.rule_id, n.patient_id) for n in made.notices if n.rule_id == "HEP-02"} == {
        ("raised", "HEP-02", "P")
    }


def test_an_erasure_reaches_every_partition_and_facts_that_were_on_their_way() -> None:
    made = _quietly()
    for one in (*COURSE, back_pain(100, 8, patient="P"), merge(110, "Q", "P")):
        made.publish(one, wrongly=0)
    made.drain(on(111))
    made.publish(event("erasure", "erasure", 120, patient="Q"), wrongly=0)
    made.publish(event("erasure", "erasure of P", 120, patient="P"), wrongly=0)
    made.drain(on(121))
    assert made.facts == {}
    assert made.state(on(121)) == frozenset()
    assert all(alert is None for alert in made.alerts.values())
    made.publish(COURSE[0], wrongly=0)
    made.drain(on(122))
    assert made.facts == {}


@pytest.mark.parametrize("value", [None, b"", b"{", b"[1]", b'{"kind":"unknown"}', b"\xff"])
def test_what_is_no_event_is_a_dead_letter_as_it_came_and_costs_no_other(value: bytes | None) -> None:
    made = _quietly(1)
    made.logs[0].append(Given(0, 0, 0, b"P", value, (("trace", b"1"),)))
    made.publish(back_pain(100, 8), wrongly=0)
    made.drain(on(101))
    (letter,) = made.dead_letters
    assert (letter.key, letter.value) == (b"P", value)
    assert header(Given(0, 0, 0, None, None, letter.headers), "origin") == "trabecula.events.v1/0/0"
    assert set(made.facts) == {"P"}


def test_a_record_that_makes_us_fail_is_parked_and_the_rest_of_its_chunk_is_taken(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made = _quietly(1)
    decide = made.shards[0].ward.receive

    def failing(given: AnyEvent, now: datetime) -> list[Notice]:
        found = decide(given, now)
        if given.record_id == "poison":
            raise ZeroDivisionError("with a name in it")
        return found

    monkeypatch.setattr(made.shards[0].ward, "receive", failing)
    for one in (back_pain(100, 8), back_pain(101, 9, record="poison"), back_pain(102, 9, record="later")):
        made.publish(one, wrongly=0)
    work = made.shards[0].take(made.logs[0], on(103))
    made.commit(0, work, 3)
    (letter,) = made.dead_letters
    assert header(Given(0, 0, 0, None, None, letter.headers), "reason") == (
        "failed: ZeroDivisionError; kept as a dead letter"
    )
    assert {fact.record_id for fact in made.facts["P"]} == {"pain", "later"}


def test_a_piece_of_a_large_move_that_was_a_dead_letter_is_taken_though_the_last_one_went_before(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It would have waited for ever for a last piece that does not come again."""
    monkeypatch.setattr("streams.kafka.shard._MOST_FACTS", 2)
    made = _quietly(2)
    apart = next(n for n in range(99) if made.partition_of(b"P") != made.partition_of(b"R%d" % n))
    pains = [back_pain(100 + n, 8, record=f"pain {n}", patient=f"R{apart}") for n in range(5)]
    for one in pains:
        made.publish(one, wrongly=0)
    made.drain(on(106))
    made.publish(merge(110, f"R{apart}", "P"), wrongly=0)
    made.step(on(111))
    while not any(header(given, "trabecula-moved") for given in _waiting(made, b"P")):
        made.step(on(111))
    log = made.logs[made.partition_of(b"P")]
    lost = next(i for i, given in enumerate(log) if header(given, "trabecula-moved") == "1/3")
    piece, log[lost] = log[lost], Given(log[lost].partition, lost, 0, b"P", b"{")
    made.drain(on(111))
    assert len(made.facts["P"]) == 3
    log.append(piece)
    made.drain(on(112))
    assert {fact.record_id for fact in made.facts["P"]} == {f"pain {n}" for n in range(5)}


def _waiting(made: Partitions, key: bytes) -> Sequence[Given]:
    number = made.partition_of(key)
    return made.logs[number][made.positions[number] :]
