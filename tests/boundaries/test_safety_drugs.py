"""SAF-01 and SAF-02 at the boundaries of their limits."""

from decimal import Decimal
from math import inf

import pytest

from schemas.facts import Diagnosis, Lab, PregnancyRecord, ProcedureDone, Risk
from tests.boundaries.clinic import (
    HOUR_8,
    answered,
    asked,
    delivered,
    dose,
    held,
    order,
    person,
    pregnant,
    stood,
    supply,
)
from tests.support import Patient, day, on

ALENDRONATE = ("alendronate", "bisphosphonate")
DENOSUMAB = ("denosumab", "rankl_inhibitor")
LONGEST = 308


# ---- SAF-01


@pytest.mark.parametrize(
    ("drug", "drug_class"),
    [
        ALENDRONATE,
        DENOSUMAB,
        ("romosozumab", "sclerostin_inhibitor"),
        ("strontium ranelate", "dual"),
        ("raloxifene", "serm"),
        ("teriparatide", "anabolic"),
    ],
)
def test_each_bone_drug_ordered_in_pregnancy_is_found(drug: str, drug_class: str) -> None:
    p = order(pregnant(), drug, drug_class, 100, ends=110)
    assert held(p, "SAF-01") == [(100 + HOUR_8, 110 + HOUR_8)]
    assert dict(p.finding("SAF-01")[0].details)["drug"] == drug


@pytest.mark.parametrize(
    ("starts", "expected"),
    [(-1, [(0, LONGEST)]), (0, [(HOUR_8, LONGEST)]), (307, [(307 + HOUR_8, LONGEST)]), (308, [])],
)
def test_an_order_counts_from_the_lmp_to_the_day_before_the_longest_pregnancy(
    starts: int, expected: list[tuple[float, float]]
) -> None:
    assert held(order(pregnant(), *ALENDRONATE, starts), "SAF-01") == expected


def test_an_order_that_ended_before_the_lmp_is_none_of_the_pregnancy() -> None:
    assert held(order(pregnant(), *ALENDRONATE, -60, ends=-1), "SAF-01") == []


@pytest.mark.parametrize(("given", "found"), [(-184, False), (-183, True), (-1, True)])
def test_denosumab_of_half_a_year_before_the_lmp_counts_from_midnight_of_the_lmp(given: int, found: bool) -> None:
    expected = [(0.0, LONGEST)] if found else []
    assert held(dose(pregnant(), *DENOSUMAB, given), "SAF-01") == expected
    assert held(supply(pregnant(), *DENOSUMAB, given, None), "SAF-01") == expected


def test_a_denosumab_order_that_ended_before_the_lmp_is_no_dose() -> None:
    assert held(order(pregnant(), *DENOSUMAB, -100, ends=-99), "SAF-01") == []


def test_denosumab_on_the_day_of_the_lmp_counts_from_its_dose() -> None:
    assert held(dose(pregnant(), *DENOSUMAB, 0), "SAF-01") == [(HOUR_8, LONGEST)]


def test_another_drug_given_before_the_lmp_does_not_count() -> None:
    assert held(dose(pregnant(), *ALENDRONATE, -1), "SAF-01") == []


def test_a_dose_without_an_order_ends_with_the_delivery_only() -> None:
    p = dose(pregnant(), *ALENDRONATE, 100)
    assert held(p, "SAF-01") == [(100 + HOUR_8, LONGEST)]
    assert held(delivered(p, 270), "SAF-01") == [(100 + HOUR_8, 270)]


def test_a_dose_under_an_active_order_ends_with_the_order() -> None:
    p = dose(order(pregnant(), *ALENDRONATE, 100, ends=110), *ALENDRONATE, 101)
    assert held(p, "SAF-01") == [(100 + HOUR_8, 110 + HOUR_8)]


def test_a_dose_under_the_number_of_an_order_on_hold_is_governed_by_that_order() -> None:
    p = order(pregnant(), *ALENDRONATE, 100, record="rx", placer_order="A1")
    order(p, *ALENDRONATE, 100, record="rx", placer_order="A1", status="on_hold", effective=110, recorded=110)
    assert held(dose(p, *ALENDRONATE, 115, placer_order="A1"), "SAF-01") == [(100 + HOUR_8, 110 + HOUR_8)]
    assert held(dose(p, *ALENDRONATE, 116), "SAF-01")[1] == (116 + HOUR_8, LONGEST)


@pytest.mark.parametrize("status", ["not_done", "on_hold"])
def test_a_dose_not_given_exposes_to_nothing(status: str) -> None:
    assert held(dose(pregnant(), *ALENDRONATE, 100, status=status), "SAF-01") == []


@pytest.mark.parametrize("status", ["draft", "on_hold"])
def test_a_draft_or_an_order_on_hold_is_not_active(status: str) -> None:
    assert held(order(pregnant(), *ALENDRONATE, 100, status=status), "SAF-01") == []


def test_a_hold_ends_the_finding_and_resuming_begins_it_anew() -> None:
    p = order(pregnant(), *ALENDRONATE, 100, record="rx")
    order(p, *ALENDRONATE, 100, record="rx", status="on_hold", effective=110, recorded=110)
    order(p, *ALENDRONATE, 100, record="rx", effective=120, recorded=120)
    assert held(p, "SAF-01") == [(100 + HOUR_8, 110 + HOUR_8), (120 + HOUR_8, LONGEST)]


def test_a_stop_ends_the_finding_but_not_while_a_supply_is_left() -> None:
    p = order(pregnant(), *ALENDRONATE, 100, record="rx")
    order(p, *ALENDRONATE, 100, record="rx", status="stopped", ends=110, recorded=110)
    assert held(p, "SAF-01") == [(100 + HOUR_8, 110 + HOUR_8)]
    assert held(supply(p, *ALENDRONATE, 101, 28), "SAF-01") == [(100 + HOUR_8, 129)]


def test_a_supply_ends_when_its_own_order_is_stopped() -> None:
    p = order(pregnant(), *ALENDRONATE, 100, record="rx", placer_order="A1")
    supply(p, *ALENDRONATE, 101, 28, placer_order="A1")
    order(p, *ALENDRONATE, 100, record="rx", status="stopped", ends=110, recorded=110, placer_order="A1")
    assert held(p, "SAF-01") == [(100 + HOUR_8, 110 + HOUR_8)]


@pytest.mark.parametrize(("days", "expected"), [(10, []), (11, [(0, 1)]), (20, [(0, 10)]), (None, [])])
def test_a_supply_reaches_over_the_lmp_by_its_days(days: int | None, expected: list[tuple[float, float]]) -> None:
    assert held(supply(pregnant(), *ALENDRONATE, -10, days), "SAF-01") == expected


def test_a_cancelled_order_was_none() -> None:
    p = order(pregnant(), *ALENDRONATE, 100, record="rx")
    order(p, *ALENDRONATE, 100, record="rx", status="cancelled", recorded=101)
    assert held(p, "SAF-01") == []


def test_an_early_loss_ends_it_at_the_midnight_after() -> None:
    p = delivered(order(pregnant(), *ALENDRONATE, 30), 60, outcome="miscarriage")
    assert held(p, "SAF-01") == [(30 + HOUR_8, 61)]


def test_an_override_with_its_reason_closes_the_alert_and_a_later_drug_begins_anew() -> None:
    p = order(pregnant(), *ALENDRONATE, 100)
    answered(p, "SAF-01", "override", 101, reason="benefit_outweighs")
    assert stood(p, "SAF-01") == [(100 + HOUR_8, 101 + HOUR_8)]
    order(p, "teriparatide", "anabolic", 120)
    assert stood(p, "SAF-01") == [(100 + HOUR_8, 101 + HOUR_8), (120 + HOUR_8, LONGEST)]


@pytest.mark.parametrize(("action", "reason"), [("override", None), ("plan", "seen"), ("acknowledge", "seen")])
def test_nothing_but_an_override_with_a_reason_closes_it(action: str, reason: str | None) -> None:
    p = answered(order(pregnant(), *ALENDRONATE, 100), "SAF-01", action, 101, reason=reason)
    assert stood(p, "SAF-01") == [(100 + HOUR_8, LONGEST)]


def test_one_order_number_from_two_sources_is_one_order() -> None:
    p = order(pregnant(), *ALENDRONATE, 100, record="omp", placer_order="A1")
    order(p, *ALENDRONATE, 100, record="rde", placer_order="A1", status="stopped", ends=105, recorded=105)
    assert held(p, "SAF-01") == [(100 + HOUR_8, 105 + HOUR_8)]


# ---- SAF-02


def hcg(
    p: Patient, at: float, value: str | None = "1", *, comparator: str | None = None, text: str | None = None
) -> Patient:
    """A pregnancy test."""
    number = None if value is None or text else Decimal(value)
    lab = Lab("final", "hCG", on(at), number, "arbitrary", comparator, number, "[IU]/L", text)
    return p.say(lab, recorded_at=on(at))


def factor(p: Patient, name: str, at: float, *, present: bool = True) -> Patient:
    """A risk factor said to be present or absent."""
    return p.say(Risk("active", name, present, on(at)), recorded_at=on(at))


def woman(**known: object) -> Patient:
    """A woman of 30 with a contraceptive."""
    return factor(person(Patient(), **known), "contraception", -100)  # type: ignore[arg-type]


START = 100 + HOUR_8


def test_without_a_test_the_order_is_found_until_it_stops() -> None:
    assert held(order(woman(), *ALENDRONATE, 100), "SAF-02") == [(START, inf)]
    assert held(order(woman(), *ALENDRONATE, 100, ends=130), "SAF-02") == [(START, 130 + HOUR_8)]


@pytest.mark.parametrize(("collected", "found"), [(85, True), (86, False), (100, False)])
def test_a_negative_test_counts_from_fourteen_days_before(collected: int, found: bool) -> None:
    p = order(hcg(woman(), collected), *ALENDRONATE, 100)
    assert bool(p.finding("SAF-02")) is found


@pytest.mark.parametrize(
    ("value", "comparator", "text", "negative"),
    [
        ("4.9", None, None, True),
        ("5", None, None, False),
        ("5.1", None, None, False),
        ("5", "<", None, True),
        ("5", "<=", None, False),
        ("25", "<", None, False),
        (None, None, "Negative", True),
        (None, None, "NEG", True),
        (None, None, "positive", False),
    ],
)
def test_a_test_is_negative_below_five_units_or_in_words(
    value: str | None,
    comparator: str | None,
    text: str | None,
    negative: bool,
) -> None:
    p = order(hcg(woman(), 99, value, comparator=comparator, text=text), *ALENDRONATE, 100)
    assert bool(p.finding("SAF-02")) is not negative


def test_a_test_without_contraception_is_not_enough() -> None:
    p = order(hcg(person(Patient()), 99), *ALENDRONATE, 100)
    assert held(p, "SAF-02") == [(START, inf)]
    assert dict(p.finding("SAF-02")[0].details)["lacking"] == "no contraception recorded"


def test_it_ends_when_test_and_contraception_are_both_there() -> None:
    p = order(person(Patient()), *ALENDRONATE, 100)
    assert held(hcg(p, 110), "SAF-02") == [(START, inf)]
    assert held(factor(p, "contraception", 115), "SAF-02") == [(START, 115 + HOUR_8)]


def test_contraception_that_ended_is_not_there() -> None:
    p = factor(hcg(woman(), 99), "contraception", 50, present=False)
    assert held(order(p, *ALENDRONATE, 100), "SAF-02") == [(START, inf)]


def test_a_positive_test_takes_the_negative_one_before_it_back() -> None:
    p = hcg(hcg(woman(), 90), 95, "200")
    assert held(order(p, *ALENDRONATE, 100), "SAF-02") == [(START, inf)]


@pytest.mark.parametrize(("years", "found"), [(14, False), (15, True), (50, True), (51, False)])
def test_women_of_fifteen_to_fifty_completed_years(years: int, found: bool) -> None:
    p = order(person(Patient(), years=years), *ALENDRONATE, 1)
    assert bool(p.finding("SAF-02")) is found


@pytest.mark.parametrize(
    ("sex", "years", "recorded_pregnancy", "found"),
    [
        ("male", 30, False, False),
        (None, 30, False, False),
        (None, 30, True, True),
        (None, None, True, True),
        ("female", None, True, True),
        ("female", None, False, False),
    ],
)
def test_an_unknown_sex_or_age_counts_only_with_a_pregnancy_on_record(
    sex: str | None,
    years: int | None,
    recorded_pregnancy: bool,
    found: bool,
) -> None:
    p = person(Patient(), sex=sex, years=years)
    if recorded_pregnancy:
        p = delivered(pregnant(p, lmp=-1000), -720, lmp=-1000)
    assert bool(order(p, *ALENDRONATE, 100).finding("SAF-02")) is found


@pytest.mark.parametrize("done", [99, 100, 101])
def test_sterilisation_excuses_what_begins_after_it_and_ends_what_began_before(done: int) -> None:
    p = woman().say(ProcedureDone("completed", "sterilisation", on(done)), recorded_at=on(done))
    expected = [] if done <= 100 else [(START, done + HOUR_8)]
    assert held(order(p, *ALENDRONATE, 100), "SAF-02") == expected


def test_a_hysterectomy_coded_as_a_condition_counts() -> None:
    p = woman().say(Diagnosis("active", ("hysterectomy",), "Z90.710", onset_at=on(-50)), recorded_at=on(10))
    assert held(order(p, *ALENDRONATE, 100), "SAF-02") == []


def test_a_procedure_not_done_excuses_nothing() -> None:
    p = woman().say(ProcedureDone("not_done", "hysterectomy", on(50)), recorded_at=on(50))
    assert held(order(p, *ALENDRONATE, 100), "SAF-02") == [(START, inf)]


@pytest.mark.parametrize(("reported", "found"), [(99, False), (101, True)])
def test_menopause_reported_by_then_excuses(reported: int, found: bool) -> None:
    p = order(factor(woman(), "menopause", reported), *ALENDRONATE, 100)
    assert bool(p.finding("SAF-02")) is found


def test_a_plan_closes_each_order_that_had_begun_and_a_later_order_begins_anew() -> None:
    p = answered(order(woman(), *ALENDRONATE, 100), "SAF-02", "plan", 105)
    assert stood(p, "SAF-02") == [(START, 105 + HOUR_8)]
    order(p, *ALENDRONATE, 120)
    assert stood(p, "SAF-02") == [(START, 105 + HOUR_8), (120 + HOUR_8, inf)]


def test_the_next_lmp_ends_it_and_pregnancy_takes_over() -> None:
    p = order(pregnant(woman()), *ALENDRONATE, -50)
    assert held(p, "SAF-02")[0] == (-50 + HOUR_8, 0)
    assert held(p, "SAF-01") == [(0, LONGEST)]


def test_an_order_begun_in_pregnancy_is_found_again_from_the_delivery_on() -> None:
    p = delivered(order(pregnant(woman()), *ALENDRONATE, 100), 270)
    assert held(p, "SAF-01") == [(START, 270)]
    assert held(p, "SAF-02") == [(270, inf)]


def test_an_order_stopped_in_pregnancy_is_not_found_after_it() -> None:
    p = delivered(order(pregnant(woman()), *ALENDRONATE, 100, ends=150), 270)
    assert held(p, "SAF-02") == []


def test_a_refill_under_an_order_is_no_new_beginning() -> None:
    p = order(woman(), *ALENDRONATE, 100, placer_order="A1")
    supply(dose(p, *ALENDRONATE, 110), *ALENDRONATE, 120, 28, placer_order="A1")
    assert held(p, "SAF-02") == [(START, inf)]


def test_a_dose_without_an_order_is_found() -> None:
    assert held(dose(woman(), *DENOSUMAB, 100), "SAF-02") == [(START, inf)]


def test_a_pregnancy_that_was_refuted_is_none() -> None:
    p = person(Patient(), sex=None)
    p.say(PregnancyRecord("active", "refuted", last_menstrual_period=day(0)), recorded_at=on(10))
    assert held(order(p, *ALENDRONATE, 100), "SAF-02") == []


def test_the_test_and_contraception_are_asked_for_while_they_are_lacking() -> None:
    p = order(person(Patient()), *ALENDRONATE, 100)
    assert asked(p, "SAF-02", 101) == ["no negative pregnancy test", "contraception not recorded"]
    assert asked(hcg(p, 102), "SAF-02", 103) == ["contraception not recorded"]


def test_an_unknown_age_or_sex_is_asked_for() -> None:
    p = order(factor(delivered(pregnant(lmp=-1000), -720, lmp=-1000), "contraception", 0), *ALENDRONATE, 100)
    assert asked(p, "SAF-02", 101) == ["no negative pregnancy test", "age unknown", "sex unknown"]


def test_an_indication_is_asked_for_until_one_is_coded() -> None:
    p = order(pregnant(), *ALENDRONATE, 100)
    assert asked(p, "SAF-01", 101) == ["no indication of alendronate is coded"]
    p.say(Diagnosis("active", ("osteoporosis",), "64859006", onset_at=on(50)), recorded_at=on(50))
    assert asked(p, "SAF-01", 101) == []
