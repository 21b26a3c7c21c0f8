"""Heparin courses from the first dose to the last, told in the language of the clinic."""

import pytest

from schemas.identity import alert_id, episode_id
from tests.events import heparin, lab, pregnancy, response
from tests.support import days_from_zero
from tests.wards import told

EPISODE = episode_id("feed", "pregnancy")


def test_time_alone_raises_the_published_fracture_range_on_the_day_it_is_crossed() -> None:
    """An open order of 20,000 IU a day from day 42: 28 days on day 69, 49 on day 90, 119 on day 160; no event comes."""
    found = told([pregnancy(30), heparin(42, starts=42)], 161)
    raised = {n.rule_id: days_from_zero(n.effective_at) for n in found.notices if n.transition == "raised"}
    assert raised == {"HEP-01": 69, "HEP-02": 90, "HEP-04": 160}


def test_a_lower_tier_is_superseded_by_the_higher_one_and_does_not_stand_beside_it() -> None:
    found = told([pregnancy(30), heparin(42, starts=42)], 161)
    assert set(found.standing()) == {"HEP-04"}
    assert found.of("HEP-02") == [("raised", "warning"), ("escalated", "warning"), ("superseded", "warning")]


def test_a_dose_corrected_to_a_tenth_takes_the_alert_back_and_names_the_correction() -> None:
    """20,000 IU a day was 2,000: everyone who was told is told that it never was."""
    order = [pregnancy(30), heparin(42, starts=42)]
    correction = heparin(92, starts=42, iu=1_000, effective_from="2025-02-17T08:00:00Z", event_id="correction")
    found = told([*order, correction], 93)
    assert found.standing() == {}
    back = [(n.rule_id, n.transition, n.corrects) for n in found.notices if n.transition == "withdrawn"]
    assert sorted(back) == [("HEP-01", "withdrawn", "correction"), ("HEP-02", "withdrawn", "correction")]


def test_a_later_lower_dose_does_not_undo_a_tier_once_reached() -> None:
    order = [pregnancy(30), heparin(42, starts=42), heparin(95, starts=42, iu=2_500)]
    assert "HEP-02" in told(order, 150).standing()


@pytest.mark.parametrize(("hours", "transitions"), [(71, ["raised"]), (73, ["raised", "escalated"])])
def test_an_unanswered_warning_escalates_after_72_hours(hours: int, transitions: list[str]) -> None:
    found = told([pregnancy(30), heparin(42, starts=42)], 90 + (hours - 8) / 24)
    assert [t for t, _ in found.of("HEP-02")] == transitions


def test_an_acknowledged_warning_does_not_escalate() -> None:
    answer = response(91, alert_id("P", EPISODE, "HEP-02"), "acknowledge")
    found = told([pregnancy(30), heparin(42, starts=42), answer], 120)
    assert [t for t, _ in found.of("HEP-02")] == ["raised", "acknowledged"]


def test_a_snooze_ends_with_a_reminder() -> None:
    answer = response(91, alert_id("P", EPISODE, "HEP-02"), "snooze", until="2025-04-14T00:00:00Z")
    found = told([pregnancy(30), heparin(42, starts=42), answer], 98.1)
    assert [t for t, _ in found.of("HEP-02")] == ["raised", "snoozed", "reminded"]


def test_heparin_paged_before_the_pregnancy_was_known_is_transferred_not_paged_again() -> None:
    """Paged in week 10 of a pregnancy that is recorded in week 13."""
    found = told([heparin(14, starts=14), pregnancy(92)], 93)
    hep = [(n.rule_id, n.transition) for n in found.notices if n.rule_id == "HEP-02"]
    assert hep[0] == ("HEP-02", "raised")
    assert ("HEP-02", "transferred") in hep
    assert [t for _, t in hep].count("raised") == 1
    assert found.standing()["HEP-02"].episode_id == EPISODE


def test_the_same_message_twice_changes_nothing() -> None:
    order = heparin(42, starts=42)
    found = told([pregnancy(30), order, order], 70)
    assert found.replay.ward.counts["duplicate"] == 1
    assert found.of("HEP-01") == [("raised", "advisory")]


def test_what_a_rule_asks_is_asked_only_while_it_is_open() -> None:
    asked = told([pregnancy(30), heparin(42, starts=42)], 70).standing()["HEP-01"].open_questions
    assert "25-OH vitamin D not resulted in 180 days" in asked
    measured = lab(60, "62292-8", 36, "ng/mL", record="d")
    answered = told([pregnancy(30), heparin(42, starts=42), measured], 70).standing()["HEP-01"].open_questions
    assert "25-OH vitamin D not resulted in 180 days" not in answered
    assert "order without a planned end" in answered
