"""The engine: outcomes, duplicates, dead letters, time."""

from datetime import timedelta
from pathlib import Path
from typing import Any, NoReturn

import pytest

from schemas.events import AnyEvent
from schemas.wire import encode
from streams.node.clock import SetClock
from streams.node.engine_clock import CORRECTED, Trust, follow
from streams.node.port import Incoming, NotDurableError, Outcome
from streams.node.store import Store
from streams.ward import Ward
from tests.events import back_pain, heparin, lab, merge, pregnancy
from tests.node.engine_clinic import SOON, incoming, node
from tests.support import on

COURSE = (pregnancy(30), heparin(42, starts=42))
"""Heparin from week 6 on: HEP-02 is a warning once it has lasted."""
PAIN = back_pain(230, 8)


def outcome_of(found: Outcome) -> str:
    (item,) = found.items
    return item.outcome


# ---- outcomes


def test_an_event_is_accepted_and_the_very_same_message_again_is_a_duplicate_that_changes_nothing(
    tmp_path: Path,
) -> None:
    with node(tmp_path, on(231)) as made:
        assert outcome_of(made.take(PAIN)) == "accepted"
        told = made.outbox()
        again = made.take(PAIN)
        assert (again.duplicate, outcome_of(again)) == (True, "duplicate")
        assert made.outbox() == told
        assert len(list(made.store.rows.log())) == 1


def test_the_same_event_in_other_bytes_is_a_duplicate_event(tmp_path: Path) -> None:
    with node(tmp_path, on(231)) as made:
        made.take(PAIN)
        again = made.take(b" " + encode(PAIN))
        assert (again.duplicate, outcome_of(again)) == (False, "duplicate")
        assert len(list(made.store.rows.log())) == 1


def test_an_event_id_with_other_content_is_a_message_of_its_own_and_counted(tmp_path: Path) -> None:
    other = back_pain(230, 9)
    with node(tmp_path, on(231)) as made:
        made.take(PAIN)
        found = made.take(other)
        assert (outcome_of(found), found.counted) == ("accepted", {"event_id_reused": 1})


def test_an_array_keeps_the_place_of_each_event_whatever_became_of_it(tmp_path: Path) -> None:
    unmapped = lab(200, "99999-9", 1, "mg/dL", record="unmapped")
    body = b'[%s, {"event_id": "odd", "kind": "nonsense"}, 7, %s, %s]' % tuple(map(encode, (PAIN, unmapped, PAIN)))
    with node(tmp_path, on(231)) as made:
        found = made.take(body)
    assert [(i.event_id, i.outcome) for i in found.items] == [
        (PAIN.event_id, "accepted"),
        ("odd", "refused"),
        ("", "refused"),
        (unmapped.event_id, "accepted"),
        (PAIN.event_id, "duplicate"),
    ]
    assert found.items[3].reason == "unmapped_code"
    assert not found.refused_whole


def test_an_event_without_a_source_has_the_name_of_its_feed(tmp_path: Path) -> None:
    given = {k: v for k, v in PAIN.model_dump(mode="json", exclude_none=True).items() if k != "source"}
    with node(tmp_path, on(231)) as made:
        message = Incoming("http", "event", encode(given), on(231), feed="WARD-7")
        assert outcome_of(made.engine.submit(message).result(SOON)) == "accepted"
        assert [s.source for s in made.reading.sources()] == ["WARD-7"]


# ---- dead letters


def test_what_is_refused_is_kept_as_it_came_with_its_reason(tmp_path: Path) -> None:
    raw = b'{"kind": "lab_result", "event_id": "odd"}'
    with node(tmp_path, on(0)) as made:
        for _ in range(2):
            assert made.take(raw).refused_whole
        letters = made.reading.dead_letters()
        assert {one.times for one in letters} == {2}
        found = made.reading.dead_letter(letters[0].letter_id)
        assert found is not None
        assert found[1] == raw
        assert letters[0].refused == "event odd"


def test_an_event_recorded_more_than_a_day_ahead_is_a_dead_letter_that_can_be_taken_when_its_day_comes(
    tmp_path: Path,
) -> None:
    with node(tmp_path, on(228, 8)) as made:
        found = made.take(PAIN)
        assert (found.refused_whole, found.items[0].reason) == (True, "recorded_in_future")
        (letter,) = made.reading.dead_letters()
        assert letter.reason == "recorded_in_future"
        made.clock.at = on(230, 10)
        again = made.engine.redrive(letter.letter_id).result(SOON)
        assert again is not None
        assert outcome_of(again) == "accepted"
        assert made.reading.dead_letters() == []
        assert made.reading.dead_letters(taken=True)[0].taken_at == on(230, 10)


def test_a_message_that_makes_us_fail_is_parked_and_costs_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    poison = back_pain(229, 5, record="poison")
    receive = Ward.receive

    def failing(ward: Ward, given: AnyEvent, now: Any) -> Any:
        found = receive(ward, given, now)
        if given.record_id == "poison":
            raise ZeroDivisionError("with a name in it")
        return found

    monkeypatch.setattr(Ward, "receive", failing)
    with node(tmp_path, on(231)) as made:
        futures = [made.engine.submit(incoming(e, on(231))) for e in (*COURSE, poison, PAIN)]
        outcomes = [f.result(SOON) for f in futures]
        assert [o.refused_whole for o in outcomes] == [False, False, True, False]
        assert {f.record_id for f in made.charts()["P"].facts} == {"pregnancy", "heparin", "pain"}
        (letter,) = made.reading.dead_letters()
        assert letter.reason == "failed: ZeroDivisionError; kept as a dead letter"
        assert "name" not in letter.place
        monkeypatch.undo()
        assert made.engine.redrive(letter.letter_id).result(SOON).items[0].outcome == "accepted"  # type: ignore[union-attr]
        assert len(made.charts()["P"].facts) == 4


def test_a_merge_that_makes_us_fail_leaves_no_link_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(*_: Any) -> NoReturn:
        raise ZeroDivisionError

    with node(tmp_path, on(250)) as made:
        made.take(PAIN)
        made.take(back_pain(231, 2, record="other", patient="Q"))
        monkeypatch.setattr(Ward, "_regroup", failing)
        assert made.take(merge(240, "Q", "P")).refused_whole
        monkeypatch.undo()
        assert set(made.charts()) == {"P", "Q"}
        made.take(back_pain(241, 2, record="later", patient="Q"))
        assert len(made.charts()["Q"].facts) == 2


# ---- time


def test_time_alone_raises_an_alert_at_the_instant_of_crossing(tmp_path: Path) -> None:
    with node(tmp_path, on(43)) as made:
        for given in COURSE:
            made.take(given)
        before = made.transitions("HEP-02")
        made.wait_until(on(100))
        notices = [n for n in made.outbox() if n.rule_id == "HEP-02"]
        assert "raised" not in before
        assert notices[0].transition == "raised"
        assert notices[0].decided_at == notices[0].effective_at < on(100)


def test_after_a_long_stop_what_was_crossed_is_told_in_order_with_the_instants_of_crossing(tmp_path: Path) -> None:
    with node(tmp_path, on(43)) as made:
        for given in COURSE:
            made.take(given)
        made.take(heparin(43, starts=43, patient="Q", record="other"))
    with node(tmp_path, on(400)) as made:
        made.wait_until(on(400))
        late = [n.decided_at for n in made.outbox() if n.decided_at > on(43)]
        assert len(late) > 2
        assert late == sorted(late)
        assert late[-1] < on(400)


def test_a_clock_that_goes_back_a_little_is_not_followed(tmp_path: Path) -> None:
    with node(tmp_path, on(100)) as made:
        for given in COURSE:
            made.take(given)
        standing = made.standing()
        made.clock.at = on(100) - timedelta(minutes=4)
        made.take(lab(99, "2823-3", 4.1, "mmol/L", record="potassium"))
        assert standing == made.standing()
        assert made.engine.now() == on(100)
        assert [at for at, _ in made.store.rows.log()][-1] == on(100)


def test_a_node_whose_clock_is_far_behind_what_it_decided_takes_nothing_until_it_is_right(tmp_path: Path) -> None:
    """Nobody but a person knows whether the clock is wrong now or was wrong then."""
    with node(tmp_path, on(100)) as made:
        for given in COURSE:
            made.take(given)
        standing = made.standing()
        made.clock.at = on(50)
        with pytest.raises(NotDurableError, match="follow-clock"):
            made.take(PAIN)
        assert "follow-clock" in str(made.engine.why)
        assert made.engine.call(lambda desk: desk.now).result(SOON) == on(100)
        made.clock.at = on(101)
        assert outcome_of(made.take(back_pain(49, 3))) == "accepted"
        assert str(made.engine.why) == "None"
        assert standing <= made.standing()


def test_a_node_whose_clock_was_ahead_comes_back_and_takes_back_what_it_told_falsely(tmp_path: Path) -> None:
    """The clock of a machine was a year ahead for a moment: heparin begun last week had been given for a year."""
    with node(tmp_path, on(49)) as made:
        for given in COURSE:
            made.take(given)
        right = made.standing()
        made.wait_until(on(414))
        assert "HEP-04" in {notice.rule_id for notice in made.outbox()}
    store = Store(tmp_path)
    assert follow(store, on(50)) == 1
    store.close()
    with node(tmp_path, on(50)) as made:
        while made.engine.to_examine:
            made.engine.call(lambda _desk: None).result(SOON)
        assert made.standing() == right
        assert made.transitions("HEP-04")[-1] == "withdrawn"
        assert all(notice.because is None for notice in made.outbox())
        assert outcome_of(made.take(back_pain(49, 3))) == "accepted"
        assert made.store.rows.setting(CORRECTED) is None


def test_a_clock_that_jumps_ahead_by_days_while_the_node_runs_is_not_believed() -> None:
    steady = [0.0]
    clock = SetClock(on(49))
    trust = Trust(clock, lambda: steady[0])
    clock.at, steady[0] = on(49) + timedelta(hours=30), 7 * 3600.0
    assert trust.doubt(on(49)) is None
    clock.at = on(51)
    assert "jumped ahead by 1 d" in str(trust.doubt(on(49)))
    steady[0] = 48 * 3600.0
    assert trust.doubt(on(49)) is None
