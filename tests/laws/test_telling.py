"""Laws 3 and 6: a correction reaches whoever was told, and an alert is told again only for a reason."""

import itertools
import random
from collections import defaultdict
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schemas.alerts import STANDING, Notice
from schemas.days import to_utc
from schemas.events import EVENT, AnyEvent
from schemas.identity import notice_id
from schemas.intervals import SEVERITIES
from schemas.wire import decode, encode
from tests.events import event, lab, pregnancy
from tests.oracle.histories import history
from tests.wards import Told, told

_ENDS = {"resolved", "withdrawn", "superseded", "transferred"}
COOL_DOWN = {"info": 28, "advisory": 28, "warning": 14, "critical": 0}


def _history(seed: int, *, erasures: bool = False) -> list[AnyEvent]:
    given = history(random.Random(seed), erasures=erasures)
    return [EVENT.validate_python(decode(encode({**e, "history": False}))) for e in given]


def _by_alert(notices: list[Notice]) -> dict[str, list[Notice]]:
    found: dict[str, list[Notice]] = defaultdict(list)
    for notice in notices:
        found[notice.alert_id].append(notice)
    return found


def _run(seed: int) -> Told:
    return told(_history(seed), 1400, as_given=True)


@given(st.integers(1000, 1200))
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_the_notices_of_an_alert_are_numbered_without_gaps_and_named_by_their_content(seed: int) -> None:
    for notices in _by_alert(_run(seed).notices).values():
        assert [n.sequence for n in notices] == list(range(notices[0].sequence, notices[0].sequence + len(notices)))
        for n in notices:
            assert n.notice_id == notice_id(
                n.alert_id, n.sequence, n.transition, n.severity, to_utc(n.effective_at), n.corrects
            )
    everything = [n.notice_id for n in _run(seed).notices]
    assert len(everything) == len(set(everything))


@given(st.integers(1200, 1400))
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_an_alert_is_told_again_only_for_a_reason(seed: int) -> None:
    """Raised once; again only after it ended: beyond its cool-down, more severe, or its end having been taken back."""
    told_notices = _run(seed).notices
    taken_back = {n.decided_at for n in told_notices if n.transition == "withdrawn"}
    for notices in _by_alert(told_notices).values():
        for before, after in itertools.pairwise(notices):
            assert after.transition != "raised" or before.transition == "transferred"
            if after.transition == "reopened" and before.transition in {"resolved", "superseded"}:
                cooled = before.decided_at + timedelta(days=COOL_DOWN[before.severity])
                risen = SEVERITIES.index(after.severity) > SEVERITIES.index(before.severity)
                same = after.effective_at == before.effective_at
                undone = same and (before.transition == "resolved" or after.decided_at in taken_back)
                assert after.decided_at >= cooled or risen or undone


@given(st.integers(1400, 1600))
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_whoever_was_told_of_an_alert_that_no_longer_stands_was_told_so(seed: int) -> None:
    found = _run(seed)
    standing = {a.alert_id: a for a in found.replay.standing()}
    for alert_id, notices in _by_alert(found.notices).items():
        if alert_id not in standing:
            assert notices[-1].transition in _ENDS, notices[-1]
        elif notices[-1].transition not in _ENDS:
            assert notices[-1].severity == standing[alert_id].severity


@given(st.integers(1600, 1700))
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_what_is_remembered_stands_exactly_where_something_stands(seed: int) -> None:
    found = _run(seed)
    remembered = {t.alert_id for c in found.replay.ward.charts for t in c.told.values() if t.state in STANDING}
    assert remembered == {a.alert_id for a in found.replay.standing()}


@given(st.integers(1700, 1800), st.randoms())
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_long_random_histories_end_the_same_in_any_order_with_any_repeats(seed: int, rng: random.Random) -> None:
    events = _history(seed)
    shuffled = [*events, *rng.sample(events, min(5, len(events)))]
    rng.shuffle(shuffled)
    in_order, out_of_order = told(events, 1400), told(shuffled, 1400, as_given=True)
    assert out_of_order.facts == in_order.facts
    assert out_of_order.state == in_order.state


@given(st.integers(1800, 1900), st.randoms())
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_an_erasure_ends_the_same_in_any_order(seed: int, rng: random.Random) -> None:
    """Facts recorded until the erasure are forgotten, and refused when they come again."""
    events = [e for e in _history(seed, erasures=True) if not e.kind.startswith("patient_")]
    shuffled = [*events, *events[:10]]
    rng.shuffle(shuffled)
    assert told(shuffled, 1400, as_given=True).facts == told(events, 1400).facts


def test_what_was_recorded_before_an_erasure_is_refused_when_it_comes_again() -> None:
    first = [pregnancy(30), lab(100, "62292-8", 8, "ng/mL", record="d")]
    forget = event("erasure", "erase", 120)
    found = told([*first, forget, *first], 200, as_given=True)
    assert found.facts == {}
    assert found.replay.ward.counts["erased"] == 2
    later = told([*first, forget, pregnancy(130, record="new")], 200)
    assert {f.record_id for f in later.facts["P"]} == {"new"}


@pytest.mark.parametrize(("until", "transition"), [(100.1, "raised"), (103.6, "withdrawn")])
def test_a_correction_withdraws_what_it_undoes_and_says_which_event_did_it(until: float, transition: str) -> None:
    """Ionised calcium of 1.70 mmol/L is corrected to 1.20 three days later."""
    events = [
        pregnancy(30),
        lab(100, "1995-0", 1.70, "mmol/L", record="calcium"),
        lab(103, "1995-0", 1.20, "mmol/L", record="calcium", collected=100, status="corrected", event_id="the fix"),
    ]
    found = [n for n in told(events, until).notices if n.rule_id == "CAL-01"]
    assert found[-1].transition == transition
    assert found[-1].corrects == ("the fix" if transition == "withdrawn" else None)


def test_a_reopening_within_the_cool_down_stands_again_untold() -> None:
    """An advisory that ended comes back after a week: it stands, and nobody is told twice."""
    events = [
        pregnancy(30),
        lab(100, "62292-8", 15, "ng/mL", record="first"),
        lab(103, "62292-8", 30, "ng/mL", record="second"),
        lab(110, "62292-8", 15, "ng/mL", record="third"),
    ]
    found = told(events, 111)
    assert [t for t, _ in found.of("VIT-01")] == ["raised", "resolved"]
    assert "VIT-01" in found.standing()
    later = told([*events[:3], lab(140, "62292-8", 15, "ng/mL", record="third")], 141)
    assert [t for t, _ in later.of("VIT-01")] == ["raised", "resolved", "reopened"]


def test_old_data_is_decided_silently_until_its_source_goes_live() -> None:
    """Two findings of a load stand when the source sends its first live event: one digest, the warning first."""
    load = [
        pregnancy(30, history=True),
        lab(100, "62292-8", 15, "ng/mL", record="d", history=True),
        lab(101, "62292-8", 15, "ng/mL", record="gone", history=True, status="cancelled"),
        lab(102, "62292-8", 8, "ng/mL", record="lower", history=True),
    ]
    assert told(load, 110).notices == []
    assert {"VIT-01", "VIT-02"} <= set(told(load, 110).standing())
    live = told([*load, lab(110, "2823-3", 4.1, "mmol/L", record="k")], 111)
    assert [(n.rule_id, n.severity) for n in live.notices if n.severity != "info"] == [
        ("VIT-02", "warning"),
        ("VIT-01", "advisory"),
    ]
