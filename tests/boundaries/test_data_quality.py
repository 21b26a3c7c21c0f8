"""DQ-01 to DQ-05 at the boundaries of their limits."""

from itertools import permutations
from typing import Any

import pytest

from schemas.definitions import LATE
from schemas.facts import Dose, Lab, Measured, Order, Person, PregnancyRecord
from schemas.views import UNCLEAR
from streams.chart.fold import Facts
from tests.boundaries.clinic import HOUR_8, asked, delivered, dose, fed, held, order, pregnant
from tests.support import Patient, day, number, on, pack

UFH = ("heparin", "heparin_ufh")
ENOXAPARIN = ("enoxaparin", "lmwh")


@pytest.mark.parametrize("rule_id", ["DQ-01", "DQ-02", "DQ-03", "DQ-04", "DQ-05", "BMD-02"])
def test_data_quality_is_recorded_and_delivered_to_nobody(rule_id: str) -> None:
    text = pack().rules[rule_id]
    assert (text.priority, text.severity, text.delivery) == ("data", "info", "record")


# ---- DQ-01


def known(
    p: Patient,
    at: float,
    *,
    record: str = "pregnancy",
    observed: float | None = None,
    state: str = "pregnant",
    **said: Any,
) -> Patient:
    """A version of a pregnancy record."""
    seen = None if observed is None else on(observed)
    return p.say(PregnancyRecord("active", state, observed_at=seen, **said), record=record, recorded_at=on(at))


def test_an_undated_pregnancy_is_found_from_midnight_of_day_14_to_day_308() -> None:
    assert held(known(Patient(), 50), "DQ-01") == [(64, 358)]


def test_it_counts_from_the_observation_where_that_is_known() -> None:
    assert held(known(Patient(), 50, observed=45), "DQ-01") == [(59, 353)]


@pytest.mark.parametrize(
    "dating", [{"last_menstrual_period": day(0)}, {"estimated_due_date": day(280)}, {"gestational_age_days": 50}]
)
@pytest.mark.parametrize(("dated", "expected"), [(63, []), (64, [(64, 64 + HOUR_8)]), (65, [(64, 65 + HOUR_8)])])
def test_dating_by_then_silences_it_and_later_ends_it(
    dating: dict[str, Any], dated: int, expected: list[tuple[float, float]]
) -> None:
    p = known(known(Patient(), 50, observed=50), dated, observed=50, **dating)
    assert held(p, "DQ-01") == expected


def test_dating_by_another_record_of_the_pregnancy_counts() -> None:
    p = known(known(Patient(), 50), 70, record="clinic", last_menstrual_period=day(0))
    assert held(p, "DQ-01") == [(64, 70 + HOUR_8)]


@pytest.mark.parametrize("state", ["delivered", "ended", "refuted"])
def test_it_ends_when_the_pregnancy_is_over_or_refuted(state: str) -> None:
    p = known(known(Patient(), 50, observed=50), 70, state=state, observed=50)
    assert held(p, "DQ-01") == [(64, 70 + HOUR_8)]


def test_a_record_entered_in_error_never_was() -> None:
    p = known(Patient(), 50)
    p.say(PregnancyRecord("entered_in_error", "pregnant"), record="pregnancy", recorded_at=on(70))
    assert held(p, "DQ-01") == []


def test_several_undated_visits_are_one_question_and_a_refuted_record_answers_none() -> None:
    p = known(known(Patient(), 50, record="a"), 80, record="b")
    assert held(p, "DQ-01") == [(64, 358)]
    known(known(p, 10, record="c", observed=10), 12, record="c", state="refuted", observed=10)
    assert held(p, "DQ-01") == [(64, 358)]


# ---- DQ-02


def mother(outcome: str | None = "live_birth") -> Patient:
    """Delivered on day 270."""
    return delivered(pregnant(), 270, outcome=outcome)


def test_feeding_is_asked_from_day_29_after_delivery_to_day_366() -> None:
    assert held(mother(), "DQ-02") == [(299, 270 + 366)]


@pytest.mark.parametrize(("outcome", "found"), [(None, True), ("live_birth", True), ("stillbirth", False)])
def test_nobody_is_asked_after_a_loss(outcome: str | None, found: bool) -> None:
    assert bool(mother(outcome).finding("DQ-02")) is found


def test_nobody_is_asked_after_an_early_loss() -> None:
    assert held(delivered(pregnant(), 100, outcome="miscarriage"), "DQ-02") == []


@pytest.mark.parametrize("feeding", ["exclusive", "mixed"])
def test_it_is_asked_again_60_days_after_the_last_report(feeding: str) -> None:
    p = fed(mother(), feeding, 290)
    assert held(p, "DQ-02")[0][0] == 350
    assert held(fed(p, feeding, 349), "DQ-02")[0][0] == 349 + 60


def test_an_early_report_does_not_shorten_the_four_weeks() -> None:
    assert held(fed(mother(), "exclusive", 270, recorded=270.5), "DQ-02")[0][0] == 330


def test_a_report_ends_it_when_it_is_recorded() -> None:
    p = fed(mother(), "exclusive", 305, recorded=310)
    assert held(p, "DQ-02")[0] == (299, round(310 + 9 / 24, 4))
    assert held(p, "DQ-02")[1][0] == 365


def test_after_a_none_nobody_is_asked_again() -> None:
    assert held(fed(mother(), "none", 290), "DQ-02") == []
    assert held(fed(fed(mother(), "exclusive", 271), "none", 400), "DQ-02") == [(331, round(400 + 9 / 24, 4))]


def test_unknown_is_no_report() -> None:
    assert held(fed(mother(), "unknown", 290), "DQ-02") == [(299, 270 + 366)]


def test_the_child_before_is_no_report() -> None:
    p = fed(mother(), "none", 100)
    assert held(p, "DQ-02") == [(299, 270 + 366)]


def test_the_next_lmp_ends_it() -> None:
    assert held(pregnant(mother(), lmp=350), "DQ-02") == [(299, 350)]


# ---- DQ-03


def test_a_dose_without_a_unit_is_unclear_for_90_days() -> None:
    p = order(Patient(), *UFH, 10, dose=5000, doses_per_day=2)
    assert held(p, "DQ-03") == [(10 + HOUR_8, 100)]
    assert asked(p, "DQ-03", 11) == ["unit or dose of the heparin record record-0"]
    assert held(dose(Patient(), *UFH, 10, dose=5000), "DQ-03") == [(10 + HOUR_8, 100)]


@pytest.mark.parametrize(("drug", "found"), [(UFH, True), (ENOXAPARIN, False)])
def test_only_unfractionated_heparin_is_unclear_in_mg(drug: tuple[str, str], found: bool) -> None:
    assert bool(dose(Patient(), *drug, 10, dose=40, unit="mg").finding("DQ-03")) is found


@pytest.mark.parametrize(
    ("iu", "found"), [(999, True), (1000, False), (1001, False), (19999, False), (20000, False), (20001, True)]
)
def test_enoxaparin_in_iu_is_clear_from_1000_to_20000_a_dose(iu: int, found: bool) -> None:
    assert bool(dose(Patient(), *ENOXAPARIN, 10, dose=iu, unit="[IU]").finding("DQ-03")) is found


@pytest.mark.parametrize(("iu", "found"), [(29999, False), (30000, False), (30001, True)])
def test_more_than_60000_iu_a_day_is_unclear(iu: int, found: bool) -> None:
    p = order(Patient(), *UFH, 10, dose=iu, unit="[IU]", doses_per_day=2)
    assert bool(p.finding("DQ-03")) is found
    given = dose(dose(Patient(), *UFH, 10, dose=iu, unit="[IU]"), *UFH, 10.2, dose=iu, unit="[IU]")
    assert bool(given.finding("DQ-03")) is found


def test_an_infusion_beyond_60000_iu_a_day_is_unclear() -> None:
    assert held(order(Patient(), *UFH, 10, rate=2500, rate_unit="[IU]/h"), "DQ-03") == []
    assert held(order(Patient(), *UFH, 10, rate=2501, rate_unit="[IU]/h"), "DQ-03") == [(10 + HOUR_8, 100)]


def test_a_clear_version_ends_it() -> None:
    p = order(Patient(), *UFH, 10, record="rx", dose=5000, doses_per_day=2)
    order(p, *UFH, 10, record="rx", recorded=12, dose=5000, unit="[IU]", doses_per_day=2)
    assert held(p, "DQ-03") == [(10 + HOUR_8, 12 + HOUR_8)]


def test_the_stop_of_the_order_ends_it() -> None:
    p = order(Patient(), *UFH, 10, record="rx", dose=5000, doses_per_day=2)
    order(p, *UFH, 10, record="rx", status="stopped", ends=20, recorded=20)
    assert held(p, "DQ-03") == [(10 + HOUR_8, 20 + HOUR_8)]


def test_a_version_that_becomes_unclear_is_found_from_its_recording() -> None:
    p = order(Patient(), *UFH, 10, record="rx", dose=5000, unit="[IU]", doses_per_day=2)
    order(p, *UFH, 10, record="rx", recorded=15, dose=5000, doses_per_day=2)
    assert held(p, "DQ-03") == [(15 + HOUR_8, 105)]


def test_a_version_that_becomes_unclear_from_a_day_on_is_found_from_that_day() -> None:
    p = order(Patient(), *UFH, 10, record="rx", dose=5000, unit="[IU]", doses_per_day=2)
    order(p, *UFH, 10, record="rx", effective=14, recorded=15, dose=5000, doses_per_day=2)
    assert held(p, "DQ-03") == [(14 + HOUR_8, 104)]


def test_flushes_drafts_and_doses_not_given_are_not_judged() -> None:
    p = dose(Patient(), *UFH, 10, dose=5, excluded=True)
    order(dose(p, *UFH, 10, dose=5000, status="not_done"), *UFH, 10, dose=5000, status="draft")
    assert held(p, "DQ-03") == []


def test_enoxaparin_by_weight_beyond_any_therapy_is_unclear() -> None:
    p = Patient().say(Measured("active", "body_weight", on(5), number(100)), recorded_at=on(5))
    assert held(order(p, *ENOXAPARIN, 10, dose=3.1, unit="mg/kg", doses_per_day=2), "DQ-03") == [(10 + HOUR_8, 100)]


# ---- DQ-04


def ctx(p: Patient, at: float, *, record: str | None = None, recorded: float | None = None, **said: Any) -> Patient:
    """A version of a CTX result: convertible unless it says otherwise."""
    value = said.pop("value", "500")
    lab = {"reported": number(500), "unit": "ng/L", "quantity": "mass"} | said
    result = Lab(lab.pop("status", "final"), lab.pop("analyte", "CTX"), on(at), number(value), **lab)
    return p.say(result, record=record, recorded_at=on(at if recorded is None else recorded))


UNKNOWN: dict[str, Any] = {"value": None, "unit": "furlong"}
IMPLAUSIBLE: dict[str, Any] = {"plausible": False}


@pytest.mark.parametrize("unclear", [UNKNOWN, IMPLAUSIBLE])
def test_an_unclear_result_is_found_for_90_days(unclear: dict[str, Any]) -> None:
    assert held(ctx(Patient(), 10, **unclear), "DQ-04") == [(10 + HOUR_8, 100)]


@pytest.mark.parametrize(
    "clear",
    [
        {},
        UNKNOWN | {"comparator": "<"},
        UNKNOWN | {"status": "preliminary"},
        UNKNOWN | {"reported": None, "text": "see note"},
    ],
)
def test_a_clear_preliminary_or_compared_result_or_a_text_is_not_judged(clear: dict[str, Any]) -> None:
    assert held(ctx(Patient(), 10, **clear), "DQ-04") == []


@pytest.mark.parametrize("unclear", [UNKNOWN, IMPLAUSIBLE])
def test_a_version_that_converts_ends_it(unclear: dict[str, Any]) -> None:
    p = ctx(ctx(Patient(), 10, record="a", **unclear), 10, record="a", recorded=12, status="corrected")
    assert held(p, "DQ-04") == [(10 + HOUR_8, 12 + HOUR_8)]


def test_a_version_that_is_unclear_as_well_does_not() -> None:
    p = ctx(ctx(Patient(), 10, record="a", **UNKNOWN), 10, record="a", recorded=12, status="corrected", **UNKNOWN)
    assert held(p, "DQ-04") == [(10 + HOUR_8, 100)]


def test_the_next_result_of_the_analyte_that_converts_ends_it() -> None:
    p = ctx(ctx(Patient(), 10, **UNKNOWN), 9)
    assert held(p, "DQ-04") == [(10 + HOUR_8, 100)]
    ctx(ctx(p, 20, analyte="P1NP"), 25, **IMPLAUSIBLE)
    assert held(p, "DQ-04") == [(10 + HOUR_8, 100), (25 + HOUR_8, 115)]
    assert held(ctx(p, 30), "DQ-04") == [(10 + HOUR_8, 30 + HOUR_8), (25 + HOUR_8, 30 + HOUR_8)]


def test_a_cancelled_result_never_was_unclear() -> None:
    p = ctx(ctx(Patient(), 10, record="a", **UNKNOWN), 10, record="a", recorded=11, status="cancelled", **UNKNOWN)
    assert held(p, "DQ-04") == []


def test_a_version_that_finalises_what_was_sent_is_final_with_its_number() -> None:
    p = ctx(Patient(), 10, record="a", status="preliminary", **UNKNOWN)
    assert held(ctx(p, 10, record="a", recorded=11, **UNKNOWN | {"reported": None}), "DQ-04") == [(10 + HOUR_8, 100)]


def test_what_is_unclear_or_late_is_the_same_in_any_order_of_arrival() -> None:
    p = ctx(ctx(Patient(), 10, record="a", **UNKNOWN), 10, record="a", recorded=12, status="corrected")
    ctx(ctx(ctx(p, 20, record="b", **IMPLAUSIBLE), 30, record="c", recorded=50), 5, record="d", recorded=6)
    whole = Facts.of(p.facts).base_values()
    for order_of_arrival in permutations(p.facts):
        facts, values = Facts(), {LATE.key: (), UNCLEAR.key: ()}
        for fact in order_of_arrival:
            facts, changed = facts.with_fact(fact)
            values |= changed
        assert values == whole


# ---- DQ-05


def test_a_corrected_version_is_found_until_the_next_local_midnight() -> None:
    p = ctx(ctx(Patient(zone="Europe/Berlin"), 10, record="a"), 10, record="a", recorded=12, status="corrected")
    assert held(p, "DQ-05") == [(12 + HOUR_8, round(13 - 1 / 24, 4))]


@pytest.mark.parametrize("status", ["cancelled", "entered_in_error", "corrected"])
def test_each_kind_of_correction_counts(status: str) -> None:
    p = ctx(ctx(Patient(), 10, record="a"), 10, record="a", recorded=12, status=status)
    assert held(p, "DQ-05") == [(12 + HOUR_8, 13)]


@pytest.mark.parametrize(("recorded", "found"), [(16, False), (17, False), (18, True)])
def test_a_first_version_is_late_more_than_seven_days_after_its_clinical_time(recorded: int, found: bool) -> None:
    assert bool(ctx(Patient(), 10, recorded=recorded).finding("DQ-05")) is found


def test_a_later_version_is_not_late_and_a_patient_has_no_clinical_time() -> None:
    p = ctx(ctx(Patient(), 10, record="a"), 10, record="a", recorded=40)
    p.say(Person("entered_in_error"), recorded_at=on(40))
    assert held(p, "DQ-05") == []


def test_a_day_of_late_records_is_one_finding() -> None:
    p = Patient()
    for hour in range(20):
        ctx(p, 10, recorded=30 + hour / 100)
    found = p.finding("DQ-05")
    assert held(p, "DQ-05") == [(30 + HOUR_8, 31)]
    assert (dict(found[0].details)["count"], len(found[0].evidence)) == (20, 12)


@pytest.mark.parametrize("payload", [Order("stopped", *UFH, on(0)), Dose("not_done", *UFH, on(29))])
def test_other_statuses_are_no_corrections(payload: Any) -> None:
    assert held(Patient().say(payload, recorded_at=on(5 if isinstance(payload, Order) else 30)), "DQ-05") == []
