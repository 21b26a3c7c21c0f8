"""Law 4: a merge moves everything, an un-merge moves it back."""

import itertools
import time
from collections.abc import Sequence

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schemas.events import AnyEvent
from schemas.identity import alert_id, episode_id
from streams.intake.ownership import claim
from streams.intake.site import MemoryDirectory
from streams.people import Link, People, link_of
from tests.events import back_pain, event, heparin, lab, merge, pregnancy, recorded, response, unmerge
from tests.support import days_from_zero, on
from tests.wards import told

UNTIL = 320

A: Sequence[AnyEvent] = (
    pregnancy(30, record="pregnancy", patient="A"),
    heparin(42, starts=42, record="first half", patient="A"),
    heparin(80, starts=42, record="first half", patient="A", status="stopped", ends_at="2025-03-27T08:00:00Z"),
    back_pain(230, 3, record="pain", patient="A"),
)
B: Sequence[AnyEvent] = (
    heparin(81, starts=81, record="second half", patient="B"),
    back_pain(238, 9, record="worse pain", patient="B"),
    lab(100, "62292-8", 8, "ng/mL", record="d", patient="B"),
)


def _as_one(events: Sequence[AnyEvent], patient: str) -> list[AnyEvent]:
    return [e.model_copy(update={"patient_id": patient}) for e in events]


@given(st.floats(40, 300), st.randoms())
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_merged_is_as_if_it_had_never_been_split(at: float, rng: object) -> None:
    events = [*A, *B, merge(at, "B", "A")]
    rng.shuffle(events)  # type: ignore[attr-defined]
    merged = told(events, UNTIL, as_given=True)
    never_split = told([*A, *_as_one(B, "A")], UNTIL)
    assert merged.state == never_split.state
    assert set(merged.facts) == {"A"}


@given(st.floats(40, 200), st.floats(1, 100), st.randoms())
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_unmerged_is_as_before(at: float, later: float, rng: object) -> None:
    events = [*A, *B, merge(at, "B", "A"), unmerge(at + later, "B", "A")]
    rng.shuffle(events)  # type: ignore[attr-defined]
    apart = told([*A, *B], UNTIL)
    found = told(events, UNTIL, as_given=True)
    assert found.state == apart.state
    assert found.facts == apart.facts


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_a_chain_is_followed_to_its_final_survivor_in_any_order(order: tuple[int, ...]) -> None:
    links = [merge(1, "A", "B"), merge(2, "B", "C"), merge(3, "C", "D")]
    people = People(link for i in order if (link := link_of(links[i])))  # type: ignore[arg-type]
    assert {people.survivor(p) for p in "ABCD"} == {"D"}


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_a_cycle_loses_its_latest_link(order: tuple[int, ...]) -> None:
    links = [merge(1, "A", "B"), merge(2, "B", "C"), merge(3, "C", "A")]
    people = People(link for i in order if (link := link_of(links[i])))  # type: ignore[arg-type]
    assert {people.survivor(p) for p in "ABC"} == {"C"}


def test_the_latest_word_on_a_retired_identity_is_its_link() -> None:
    links = [merge(1, "A", "B"), unmerge(3, "A", "B"), merge(2, "A", "C")]
    assert People(link for e in links if (link := link_of(e))).survivor("A") == "A"  # type: ignore[arg-type]
    links.append(merge(4, "A", "C"))
    assert People(link for e in links if (link := link_of(e))).survivor("A") == "C"  # type: ignore[arg-type]


def _link(event: AnyEvent) -> Link:
    link = link_of(event)  # type: ignore[arg-type]
    assert link is not None
    return link


@given(st.lists(st.tuples(*[st.integers(0, 9)] * 3, st.booleans(), st.integers(0, 12)), max_size=14))
@settings(max_examples=200, deadline=None)
def test_one_link_after_the_other_gives_the_people_of_all_links(said: list[tuple[int, int, int, bool, int]]) -> None:
    """Also where versions of one record speak of several people, and as of any instant."""
    links = [
        _link((merge if merged else unmerge)(at, f"p{a}", f"p{b}", record=f"r{record}"))
        for a, b, at, merged, record in said
        if a != b
    ]
    grown = People()
    for link in links:
        grown = grown.with_link(link)
    names = [f"p{i}" for i in range(10)]
    whole = People(links)
    assert grown.links() == whole.links() == sorted(set(links))
    assert all(link in grown for link in links)
    assert [grown.survivor(n) for n in names] == [whole.survivor(n) for n in names]
    assert [grown.kin(n) for n in names] == [whole.kin(n) for n in names]
    for day in range(-1, 11):
        then, known = grown.as_of(on(day, 10)), People(link for link in links if link.recorded_at <= on(day, 10))
        assert [then.survivor(n) for n in names] == [known.survivor(n) for n in names]


def test_ten_thousand_merges_of_strangers_take_no_second() -> None:
    links = [_link(merge(1, f"old {i}", f"new {i}")) for i in range(10_000)]
    people, began = People(), time.process_time()
    for link in links:
        people = people.with_link(link)
    assert time.process_time() - began < 1
    assert all(people.as_of(link.recorded_at).survivor(link.retired) == link.into for link in links)
    assert len(people.links()) == 10_000


def test_a_link_that_is_said_of_somebody_else_after_all_lets_the_first_go() -> None:
    """The record that merged B into A is corrected: it was C."""
    wrong, right = merge(70, "B", "A", record="merge"), merge(80, "C", "A", record="merge")
    course = heparin(10, starts=10, record="heparin", patient="B")
    found = told([course, wrong, right], 90)
    assert found.state == told([course], 90).state


def test_a_merge_that_was_entered_in_error_never_was() -> None:
    wrong = merge(1, "B", "A", record="merge")
    taken_back = event("patient_merge", "merge", 2, patient="B", into="A", record_status="entered_in_error")
    found = told([*A, *B, wrong, taken_back], UNTIL)
    assert found.state == told([*A, *B], UNTIL).state


def test_an_alert_that_moves_in_a_merge_is_transferred_with_its_answer_and_never_told_again() -> None:
    """HEP-02 of B, acknowledged there, goes on under A."""
    events = [
        heparin(10, starts=10, record="heparin", patient="B"),
        pregnancy(30, record="pregnancy", patient="B"),
        response(60, alert_id("B", episode_id("feed", "pregnancy"), "HEP-02"), "acknowledge", patient="B"),
        merge(70, "B", "A"),
    ]
    found = told(events, 71)
    assert found.of("HEP-02") == [
        ("raised", "warning"),
        ("acknowledged", "warning"),
        ("transferred", "warning"),
    ]
    moved = next(n for n in found.notices if n.transition == "transferred" and n.rule_id == "HEP-02")
    now = found.standing()["HEP-02"]
    assert (moved.patient_id, now.patient_id) == ("B", "A")
    assert moved.into == now.alert_id
    assert now.state == "acknowledged"


def test_an_unmerge_gives_the_alert_back_to_whom_it_belongs() -> None:
    events = [
        heparin(10, starts=10, record="heparin", patient="B"),
        merge(70, "B", "A"),
        unmerge(80, "B", "A"),
    ]
    found = told(events, 81)
    assert [n.transition for n in found.notices if n.rule_id == "HEP-02"].count("raised") == 1
    assert found.standing()["HEP-02"].patient_id == "B"
    assert {n.patient_id for n in found.notices if n.transition == "transferred"} == {"A", "B"}


def test_a_response_that_comes_before_its_alert_counts_once_the_alert_is_there() -> None:
    """The alert is of day 58; the answer of day 59 is received before the order that raises it."""
    order = heparin(60, starts=10, record="heparin")
    early = response(59, alert_id("P", episode_id("feed", "heparin"), "HEP-02"), "acknowledge")
    assert told([early, order], 61, as_given=True).standing()["HEP-02"].state == "acknowledged"


def test_a_later_event_of_the_retired_identity_goes_to_the_survivor() -> None:
    found = told([*A, merge(100, "B", "A"), *B], UNTIL, as_given=True)
    assert set(found.facts) == {"A"}
    assert max(map(recorded, B)) > recorded(merge(100, "B", "A"))


def test_an_answer_given_while_two_were_one_goes_back_with_the_alert_when_they_are_parted() -> None:
    """B's alert is acknowledged under A, to which B was merged; the un-merge gives alert and answer back."""
    events = [
        heparin(10, starts=10, record="heparin", patient="B"),
        merge(70, "B", "A"),
        response(72, alert_id("A", episode_id("feed", "heparin"), "HEP-02"), "acknowledge", patient="A"),
        unmerge(80, "B", "A"),
    ]
    for order in itertools.permutations(events):
        now = told(order, 81, as_given=True).standing()["HEP-02"]
        assert (now.patient_id, now.state) == ("B", "acknowledged")


def test_a_record_that_comes_again_under_the_survivor_keeps_its_days_before_the_merge() -> None:
    """An order of B goes on under A after an A40: the intake takes it back from B, but B and A are one person."""
    directory = MemoryDirectory()
    before = heparin(10, starts=10, record="order", patient="B")
    after = heparin(80, starts=10, record="order", patient="A", effective_from="2025-03-27T08:00:00Z")
    claimed = [*claim(before, directory), *claim(after, directory)]
    assert [e.moved_to for e in claimed] == [None, None, "A"]
    link = merge(70, "B", "A")
    for order in itertools.permutations([*claimed, link]):
        found = told(order, 90, as_given=True)
        assert days_from_zero(found.standing()["HEP-02"].effective_at) == 58
    apart = told(claimed, 90)
    assert "B" not in {a.patient_id for a in apart.replay.standing()}
