"""The second reading at its boundaries: examples computed by hand, both sides of each limit."""

import random
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from .codes import LOINC, RXNORM
from .histories import history, instants
from .standing import NAMES, alerts, standing

Event = dict[str, Any]
ZONE = ZoneInfo("UTC")
DAY_ZERO = date(2025, 1, 6)
UFH = {"system": RXNORM, "code": "5224"}
ENOXAPARIN = {"system": RXNORM, "code": "67108"}


def at(day: float, hour: float = 8) -> datetime:
    """An hour of a day counted from the LMP."""
    return datetime.combine(DAY_ZERO, datetime.min.time(), UTC) + timedelta(days=day, hours=hour)


def event(kind: str, record: str, recorded: datetime, **payload: Any) -> Event:
    plain = {n: v.isoformat() if isinstance(v, (date, datetime)) else v for n, v in payload.items()}
    return {
        "event_id": f"{record}@{recorded.isoformat()}",
        "kind": kind,
        "patient_id": "MRN-1",
        "source": "test",
        "record_id": record,
        "recorded_at": recorded.isoformat(),
        **plain,
    }


def pregnant(**payload: Any) -> Event:
    said = {"status": "pregnant", "last_menstrual_period": DAY_ZERO, "observed_at": at(30), **payload}
    return event("pregnancy", "pregnancy", at(30, 9), **said)


def delivered(day: int = 280, **payload: Any) -> Event:
    ended = DAY_ZERO + timedelta(days=day)
    said = {"status": "delivered", "last_menstrual_period": DAY_ZERO, "ended_on": ended, **payload}
    return event("pregnancy", "pregnancy", at(day, 9), **said)


def order(day: float, dose: int = 5000, times: int = 2, **payload: Any) -> Event:
    said = {"drug": UFH, "dose": {"value": dose, "unit": "[IU]"}, "doses_per_day": times, "starts_at": at(day)}
    return event("prescription", "order", at(day, 7), **{"status": "active", **said, **payload})


def stop(day: float, start: float, **payload: Any) -> Event:
    said = {"drug": UFH, "starts_at": at(start), "ends_at": at(day), "status": "stopped"}
    return event("prescription", "order", at(day, 9), **said, **payload)


def pain(day: float, score: int, **payload: Any) -> Event:
    said = {"symptom": "back_pain", "score": score, "observed_at": at(day), **payload}
    return event("symptom", f"pain-{day}", at(day, 9), **said)


def lab(day: float, code: str, value: float, unit: str, **payload: Any) -> Event:
    said = {"code": {"system": LOINC, "code": code}, "value": value, "unit": unit, "collected_at": at(day)}
    said |= {"status": "final", "fasting": True, "laboratory": "L", "assay": "A"}
    return event("lab_result", f"lab-{code}-{day}", at(day, 9), **{**said, **payload})


def feeding(day: int, how: str) -> Event:
    since = DAY_ZERO + timedelta(days=day)
    return event("lactation", "feeding", at(day, 9), feeding=how, since=since, observed_at=at(day))


def answer(rule: str, action: str, recorded: datetime, record: str = "pregnancy", **payload: Any) -> Event:
    alert_id = NAMES.alert_id("MRN-1", NAMES.episode_id("test", record), rule)
    said = {"alert_id": alert_id, "action": action, "by": "dr", **payload}
    return event("alert_response", f"answer-{rule}-{recorded.isoformat()}", recorded, **said)


def stands(events: list[Event], when: datetime, rule: str) -> set[tuple[str, str, datetime, str]]:
    """Severity, state, effective_at and episode of a rule's alerts."""
    known = [e for e in events if datetime.fromisoformat(e["recorded_at"]) <= when]
    return {tuple(s[2:]) for s in standing(known, when, ZONE) if s[1] == rule}  # type: ignore[misc]


def began(events: list[Event], when: datetime, rule: str) -> set[datetime]:
    return {effective for _, _, effective, _ in stands(events, when, rule)}


def test_the_28th_ordered_day_begins_at_midnight_and_one_day_less_is_nothing() -> None:
    events = [pregnant(), order(10, times=1)]
    assert not began(events, at(36, 23), "HEP-01")
    assert began(events, at(37, 0), "HEP-01") == {at(37, 0)}


def test_a_mean_below_5000_is_nothing() -> None:
    assert not began([pregnant(), order(10, dose=4999, times=1)], at(90), "HEP-01")


def test_the_28th_administered_day_begins_at_its_first_dose() -> None:
    doses = [
        event("administration", f"d{d}-{h}", at(d, h), status="completed", drug=UFH,
              dose={"value": 5000, "unit": "[IU]"}, given_at=at(d, h))
        for d in range(10, 38)
        for h in (9, 21)
    ]  # fmt: skip
    assert began([pregnant(), *doses], at(38), "HEP-01") == {at(37, 9)}


def test_a_day_on_which_every_dose_was_not_given_is_unexposed_though_the_order_runs() -> None:
    missed = event("administration", "d", at(20), status="not_done", drug=UFH, given_at=at(20))
    assert began([pregnant(), order(10), missed], at(60), "HEP-01") == {at(38, 0)}


def test_a_stepped_dose_is_seen_by_the_mean_of_the_last_28_days() -> None:
    step = event(
        "prescription", "order", at(41, 0), status="active", drug=UFH, dose={"value": 7500, "unit": "[IU]"},
        doses_per_day=2, starts_at=at(10), effective_from=at(41, 0),
    )  # fmt: skip
    events = [pregnant(), order(10), step]
    # days 10 to 40 have 10,000 IU; the last 28 days have 15,000 from day 68 on; the 49th day is day 58
    assert not began(events, at(67, 23), "HEP-02")
    assert began(events, at(68), "HEP-02") == {at(68, 0)}


def test_hep_04_is_lowered_90_days_after_the_last_dose_and_ends_after_180() -> None:
    events = [pregnant(), order(10, dose=10_000), stop(140, 10)]
    assert stands(events, at(140), "HEP-04") == {("critical", "open", at(128, 0), "pregnancy")}
    assert stands(events, at(229, 23), "HEP-04") == {("critical", "open", at(128, 0), "pregnancy")}
    assert stands(events, at(230, 0), "HEP-04") == {("advisory", "open", at(128, 0), "pregnancy")}
    assert stands(events, at(319, 23), "HEP-04")
    assert not stands(events, at(320, 0), "HEP-04")
    assert not stands(events, at(140), "HEP-02")
    assert not stands(events, at(140), "HEP-01")


def test_a_plan_ends_hep_04_and_does_not_bring_hep_02_back() -> None:
    events = [pregnant(), order(10, dose=10_000), answer("HEP-04", "plan", at(130))]
    assert not stands(events, at(131), "HEP-04")
    assert not stands(events, at(131), "HEP-02")
    assert stands([*events, answer("HEP-04", "reopen", at(131))], at(132), "HEP-04")


def test_an_answer_before_the_rise_in_severity_does_not_count() -> None:
    # LMWH alone and pain is a warning; the fracture makes it critical
    course = order(10) | {"drug": ENOXAPARIN, "dose": {"value": 40, "unit": "mg"}, "doses_per_day": 1}
    image = event(
        "imaging", "mri", at(240), status="final", modality="MRI", region="spine", performed_at=at(240),
        findings=[{"finding": "vertebral_fracture"}],
    )  # fmt: skip
    events = [pregnant(), course, pain(230, 8), answer("HEP-05", "acknowledge", at(231)), image]
    assert stands(events, at(239), "HEP-05") == {("warning", "acknowledged", at(230), "pregnancy")}
    assert stands(events, at(241), "HEP-05") == {("critical", "open", at(230), "pregnancy")}


@pytest.mark.parametrize(("days", "holds"), [(6, False), (7, True)])
def test_two_reports_of_4_count_from_seven_days_apart(days: int, holds: bool) -> None:
    events = [pregnant(), order(10), pain(200, 4), pain(200 + days, 4)]
    assert bool(began(events, at(220), "HEP-05")) is holds
    assert bool(began(events, at(220), "SPN-01")) is holds


def test_a_report_below_4_between_breaks_the_pair() -> None:
    assert not began([pregnant(), order(10), pain(200, 5), pain(203, 3), pain(210, 5)], at(220), "HEP-05")


def test_a_gate_that_comes_later_begins_the_back_pain_then() -> None:
    smokes = event("risk_factor", "smoking", at(215), factor="smoking", present=True, observed_at=at(215))
    events = [pregnant(), pain(200, 5), pain(208, 5), smokes]
    assert began(events, at(216), "SPN-01") == {at(215)}


def test_pain_is_over_after_two_calm_reports_14_days_apart() -> None:
    events = [pregnant(), pain(200, 8), pain(210, 3), pain(223, 2)]
    assert began(events, at(224), "SPN-01") == {at(200)}
    assert not began([*events, pain(224, 3)], at(225), "SPN-01")


@pytest.mark.parametrize(("height", "holds"), [(166.1, False), (166, True)])
def test_two_centimetres_are_a_loss(height: float, holds: bool) -> None:
    heights = [
        event("measurement", f"h{d}", at(d), measure="body_height", value=v, unit="cm", observed_at=at(d))
        for d, v in ((-40, 168), (200, height))
    ]
    assert bool(began([pregnant(), *heights], at(201), "SPN-03")) is holds


def test_another_device_needs_a_second_low_height() -> None:
    heights = [
        event("measurement", f"h{d}", at(d), measure="body_height", value=v, unit="cm", device=x, observed_at=at(d))
        for d, v, x in ((-40, 168, "one"), (200, 165, "two"), (210, 165, "two"))
    ]
    assert not began([pregnant(), *heights], at(209), "SPN-03")
    assert began([pregnant(), *heights], at(211), "SPN-03") == {at(210)}


def test_the_imaging_gap_waits_for_an_appointment_within_7_days() -> None:
    booked = event(
        "imaging", "mri", at(205), status="booked", modality="MRI", region="spine", scheduled_for=at(219),
    )  # fmt: skip
    assert began([pregnant(), pain(200, 8)], at(214, 0), "SPN-04") == {at(214, 0)}
    events = [pregnant(), pain(200, 8), booked]
    assert not began(events, at(219), "SPN-04")
    assert began(events, at(220, 0), "SPN-04") == {at(220, 0)}


@pytest.mark.parametrize(("gap", "expected"), [(14, 280 + 183), (15, 395 + 183)])
def test_a_gap_in_feeding_is_bridged_up_to_14_days(gap: int, expected: int) -> None:
    resumed = 380 + gap
    events = [pregnant(), delivered(), feeding(280, "exclusive"), feeding(380, "none"), feeding(resumed, "mixed")]
    assert began(events, at(expected, 1), "LAC-01") == {at(expected, 0)}
    assert not began(events, at(expected, -1), "LAC-01")


@pytest.mark.parametrize(
    ("code", "value", "unit", "holds"),
    [("62292-8", 19.9, "ng/mL", True), ("62292-8", 20, "ng/mL", False), ("62292-8", 49.9, "nmol/L", True)],
)
def test_vitamin_d_is_judged_in_the_unit_that_was_reported(
    code: str,
    value: float,
    unit: str,
    holds: bool,
) -> None:
    assert bool(began([pregnant(), lab(100, code, value, unit)], at(101), "VIT-01")) is holds


def test_a_comparator_meets_a_limit_only_with_every_value_it_allows() -> None:
    assert began([pregnant(), lab(100, "62292-8", 20, "ng/mL", comparator="<")], at(101), "VIT-01")
    assert not began([pregnant(), lab(100, "62292-8", 21, "ng/mL", comparator="<")], at(101), "VIT-01")


def test_d2_and_d3_of_one_sample_are_added() -> None:
    d3, d2 = lab(100, "1989-3", 15, "ng/mL"), lab(100, "49054-0", 5, "ng/mL")
    assert began([pregnant(), d3], at(101), "VIT-01")
    assert not began([pregnant(), d3, d2], at(101), "VIT-01")


def test_total_calcium_is_adjusted_by_the_albumin_of_24_hours() -> None:
    low, albumin = lab(100, "2000-8", 1.7, "mmol/L"), lab(100, "1751-7", 30, "g/L")
    assert not began([pregnant(), low], at(101), "CAL-01")
    assert not began([pregnant(), low, albumin], at(101), "CAL-01")  # 1.7 + 0.02 x 10 = 1.9
    lower = lab(100, "2000-8", 1.59, "mmol/L")
    assert began([pregnant(), lower, albumin], at(101), "CAL-01") == {at(100)}  # 1.79


@pytest.mark.parametrize(("later", "value", "holds"), [(13, 710, False), (14, 710, True), (14, 698, False)])
def test_a_marker_rises_beyond_chance_and_beyond_its_phase(later: int, value: float, holds: bool) -> None:
    series = [lab(200, "41171-0", 447, "ng/L"), lab(200 + later, "41171-0", value, "ng/L")]
    assert bool(began([pregnant(), *series], at(240), "MRK-01")) is holds


def test_rest_of_three_days_counts_date_differences() -> None:
    rest = event("care_order", "rest", at(100), order="bed_rest", status="active", starts_at=at(100, 20))
    assert not began([pregnant(), rest], at(102, 23), "SAF-06")
    assert began([pregnant(), rest], at(103, 0), "SAF-06") == {at(103, 0)}


def test_a_dxa_for_a_day_before_the_due_date_is_asked_about_and_vanishes_when_moved() -> None:
    common = {"modality": "DXA", "region": "other", "ordered_at": at(50)}
    first = event("imaging", "dxa", at(50), status="ordered", scheduled_for=at(279), **common)
    moved = event("imaging", "dxa", at(60), status="booked", scheduled_for=at(280), **common)
    assert began([pregnant(), first], at(55), "SAF-04") == {at(50)}
    assert not began([pregnant(), first, moved], at(61), "SAF-04")


def test_a_course_that_outlasts_a_lost_pregnancy_is_watched_as_a_heparin_episode() -> None:
    lost = delivered(100, status="ended", outcome="miscarriage")
    events = [pregnant(), order(10, dose=7500), lost]
    assert stands(events, at(99), "HEP-02") == {("warning", "open", at(58, 0), "pregnancy")}
    assert stands(events, at(101), "HEP-02") == {("warning", "open", at(101, 0), "heparin")}


def test_a_finding_begun_before_the_lmp_is_not_begun_again() -> None:
    events = [pregnant(), order(-100, dose=7500)]
    assert stands(events, at(31), "HEP-02") == {("warning", "open", at(-52, 0), "heparin")}


def test_a_stop_voids_what_was_said_before_of_later_days() -> None:
    planned = event(
        "prescription", "order", at(12), status="active", drug=UFH, dose={"value": 5000, "unit": "[IU]"},
        doses_per_day=2, starts_at=at(10), effective_from=at(20),
    )  # fmt: skip
    assert not began([pregnant(), order(10), planned, stop(15, 10)], at(90), "HEP-01")


def test_a_pregnancy_without_dates_is_asked_about_after_14_days_until_it_is_dated() -> None:
    undated = pregnant(last_menstrual_period=None)
    del undated["last_menstrual_period"]
    dated = event("pregnancy", "pregnancy", at(60), status="pregnant", estimated_due_date=DAY_ZERO + timedelta(280))
    assert began([undated], at(44, 0), "DQ-01") == {at(44, 0)}
    assert not began([undated], at(43, 23), "DQ-01")
    assert not began([undated, dated], at(61), "DQ-01")


def test_feeding_is_asked_about_after_28_days_and_after_60_without_a_report() -> None:
    events = [pregnant(), delivered(outcome="live_birth")]
    assert began(events, at(309, 0), "DQ-02") == {at(309, 0)}
    fed = [*events, feeding(281, "exclusive")]
    assert not began(fed, at(340), "DQ-02")
    assert began(fed, at(341, 0), "DQ-02") == {at(341, 0)}
    assert not began([*fed, feeding(350, "none")], at(500), "DQ-02")


def _merge(retired: str, into: str, day: int, kind: str = "patient_merge") -> Event:
    return {**event(kind, f"{kind}-{retired}-{into}-{day}", at(day)), "patient_id": retired, "into": into}


def test_a_chain_of_merges_ends_at_its_survivor_and_a_circle_loses_its_latest_link() -> None:
    events = [pregnant(), pain(200, 8), _merge("MRN-1", "B", 201), _merge("B", "C", 202)]
    assert {s[0] for s in standing(events, at(210), ZONE) if s[1] == "SPN-01"} == {"C"}
    circle = [*events, _merge("C", "MRN-1", 203)]
    assert {s[0] for s in standing(circle, at(210), ZONE) if s[1] == "SPN-01"} == {"C"}
    apart = [*events, _merge("MRN-1", "B", 204, "patient_unmerge")]
    assert {s[0] for s in standing(apart, at(210), ZONE) if s[1] == "SPN-01"} == {"MRN-1"}


def test_an_acknowledgement_follows_a_merge() -> None:
    events = [pregnant(), pain(200, 8), answer("SPN-01", "acknowledge", at(201)), _merge("MRN-1", "B", 202)]
    found = {(s[0], s[3]) for s in standing(events, at(210), ZONE) if s[1] == "SPN-01"}
    assert found == {("B", "acknowledged")}


def test_a_snooze_ends_with_its_time() -> None:
    events = [pregnant(), pain(200, 8), answer("SPN-01", "snooze", at(201), until=at(203))]
    assert {s[1] for s in stands(events, at(202), "SPN-01")} == {"snoozed"}
    assert {s[1] for s in stands(events, at(203), "SPN-01")} == {"open"}


@pytest.mark.parametrize("seed", range(8))
def test_any_order_and_any_repeats_give_one_answer(seed: int) -> None:
    rng = random.Random(seed)
    zone = ZoneInfo("Europe/Berlin")
    events = history(rng, zone=zone)
    for when in instants(rng, events, zone, 2):
        known = [e for e in events if datetime.fromisoformat(e["recorded_at"]) <= when]
        again = rng.sample(known + known[:5], len(known) + len(known[:5]))
        assert standing(known, when, zone) == standing(again, when, zone)


def test_a_seed_gives_the_same_history_each_time() -> None:
    assert history(random.Random(3)) == history(random.Random(3))
    assert alerts(history(random.Random(3)), at(900), ZONE) == alerts(history(random.Random(3)), at(900), ZONE)
