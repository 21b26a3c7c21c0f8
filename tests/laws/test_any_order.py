"""Law 1: any order, any repeats, one answer."""

import itertools
from collections.abc import Sequence

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schemas.events import AnyEvent
from schemas.identity import alert_id, episode_id
from tests.events import back_pain, heparin, lab, merge, pregnancy, response, unmerge
from tests.wards import told

UNTIL = 400
HEP_02 = alert_id("P", episode_id("feed", "pregnancy"), "HEP-02")

POOL: Sequence[AnyEvent] = (
    pregnancy(30),
    pregnancy(60, lmp=14),
    pregnancy(282, delivered=280),
    pregnancy(40, record="second-booking", lmp=3),
    pregnancy(90, status="refuted"),
    heparin(42, starts=42),
    heparin(80, starts=42, iu=5_000),
    heparin(120, starts=45),
    heparin(150, starts=42, status="on_hold"),
    heparin(170, starts=42, iu=12_500),
    heparin(240, starts=42, status="stopped", ends_at="2025-09-01T08:00:00Z"),
    heparin(245, starts=42, status="cancelled"),
    heparin(246, starts=42, iu=9_000),
    back_pain(230, 3),
    back_pain(238, 9, sudden=True),
    back_pain(239, 2, event_id="later word"),
    back_pain(241, 2, record_status="entered_in_error"),
    lab(100, "62292-8", 8, "ng/mL", record="d"),
    lab(101, "62292-8", 32, "ng/mL", record="d", collected=100, status="corrected"),
    lab(104, "62292-8", 32, "ng/mL", record="d", collected=100, status="entered_in_error"),
    lab(50, "17861-6", 13.5, "mg/dL", record="ca", patient="Q"),
    heparin(50, starts=50, record="other heparin", patient="Q"),
    pregnancy(35, record="pregnancy of Q", patient="Q"),
    merge(110, "Q", "P"),
    merge(112, "P", "Q"),
    merge(114, "R", "Q"),
    unmerge(130, "Q", "P"),
    back_pain(236, 8, record="pain of R", patient="R"),
    response(95, HEP_02, "acknowledge"),
    response(96, HEP_02, "snooze", until="2026-05-01T00:00:00Z"),
    response(200, HEP_02, "reopen"),
)


def _same_day(events: Sequence[AnyEvent]) -> list[AnyEvent]:
    """The events as a feed repeats them: the first one comes twice."""
    return [*events, events[0]]


@given(st.lists(st.sampled_from(POOL), min_size=2, max_size=5, unique=True))
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_every_permutation_of_a_few_events_and_a_duplicate_ends_in_the_same_charts_and_alerts(
    events: list[AnyEvent],
) -> None:
    """Each order is decided as it comes, with the clock at the greatest recorded_at so far."""
    expected = told(events, UNTIL)
    for order in itertools.permutations(events):
        found = told(_same_day(order), UNTIL, as_given=True)
        assert found.state == expected.state
        assert found.facts == expected.facts


@given(st.permutations(POOL[:6]))
@settings(max_examples=40, deadline=None)
def test_six_events_of_one_pregnancy_and_one_order_end_the_same_in_any_order(order: list[AnyEvent]) -> None:
    assert told(_same_day(order), UNTIL, as_given=True).state == told(POOL[:6], UNTIL).state


@given(st.permutations(POOL), st.integers(0, len(POOL)))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_a_long_history_ends_the_same_in_any_order_with_any_repeats(order: list[AnyEvent], repeated: int) -> None:
    found = told([*order, *order[:repeated]], UNTIL, as_given=True)
    expected = told(POOL, UNTIL)
    assert found.facts == expected.facts
    assert found.state == expected.state


@given(st.permutations(POOL), st.floats(60, 700))
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_what_stands_does_not_depend_on_when_the_clock_was_looked_at(order: list[AnyEvent], until: float) -> None:
    """Events recorded after the instant are not there yet; ticks on the way leave no trace in what stands."""
    known = [e for e in order if e.recorded_at <= told([], until).replay.until]  # type: ignore[operator]
    assert told(known, until, as_given=True).state == told(known, until).state
