"""SAF-04 and SAF-06 at the boundaries of their limits."""

from typing import Any

import pytest

from schemas.facts import Care, Diagnosis, Measured, Study
from tests.boundaries.clinic import HOUR_8, answered, asked, delivered, dose, held, order, pregnant, stood
from tests.support import Patient, number, on

LONGEST = 308


# ---- SAF-04


def dxa(p: Patient, ordered: float | None, *, recorded: float | None = None, **said: Any) -> Patient:
    """A version of a DXA study."""
    record, status = said.pop("record", "dxa"), said.pop("status", "ordered")
    at = ordered if recorded is None else recorded
    assert at is not None
    times: dict[str, Any] = {
        f"{name}_{word}": on(said[name]) for name, word in (("scheduled", "for"), ("performed", "at")) if name in said
    }
    study = Study(status, said.get("modality", "DXA"), "spine", None if ordered is None else on(ordered), **times)
    return p.say(study, record=record, recorded_at=on(at))


@pytest.mark.parametrize(
    ("ordered", "expected"),
    [(-1, [(0, LONGEST)]), (0, [(HOUR_8, LONGEST)]), (307, [(307 + HOUR_8, LONGEST)]), (308, [])],
)
def test_a_dxa_without_a_planned_date_counts_while_pregnant(ordered: int, expected: list[tuple[float, float]]) -> None:
    assert held(dxa(pregnant(), ordered), "SAF-04") == expected


@pytest.mark.parametrize(("planned", "found"), [(279, True), (280, False), (281, False)])
def test_the_due_date_stands_for_the_delivery_until_that_is_known(planned: int, found: bool) -> None:
    assert bool(dxa(pregnant(), 100, scheduled=planned).finding("SAF-04")) is found


@pytest.mark.parametrize(("planned", "found"), [(269, True), (270, False), (275, False)])
def test_once_the_delivery_is_known_it_decides(planned: int, found: bool) -> None:
    p = delivered(dxa(pregnant(), 100, scheduled=planned), 270)
    assert held(p, "SAF-04") == ([(100 + HOUR_8, 270)] if found else [])


def test_a_dxa_planned_between_due_date_and_a_late_delivery_was_in_pregnancy() -> None:
    assert held(delivered(dxa(pregnant(), 100, scheduled=285), 290), "SAF-04") == [(100 + HOUR_8, 290)]


def test_without_an_order_date_it_dates_from_its_first_record() -> None:
    p = dxa(pregnant(), None, recorded=90)
    dxa(p, None, recorded=95, status="booked", scheduled=120)
    assert held(p, "SAF-04") == [(90 + HOUR_8, LONGEST)]


def test_it_ends_when_the_dxa_is_performed() -> None:
    p = dxa(dxa(pregnant(), 100), 100, recorded=121, status="final", performed=120)
    assert held(p, "SAF-04") == [(100 + HOUR_8, 120 + HOUR_8)]


def test_a_dxa_performed_before_the_lmp_is_none_of_the_pregnancy() -> None:
    assert held(dxa(pregnant(), -20, recorded=-10, status="final", performed=-10), "SAF-04") == []


@pytest.mark.parametrize("change", [{"status": "cancelled"}, {"status": "booked", "scheduled": 280}])
def test_cancelled_or_moved_to_the_due_date_it_never_was(change: dict[str, Any]) -> None:
    p = dxa(pregnant(), 100, scheduled=150)
    assert p.finding("SAF-04")
    assert held(dxa(p, 100, recorded=110, **change), "SAF-04") == []


def test_another_modality_is_no_dxa() -> None:
    assert held(dxa(pregnant(), 100, modality="MRI"), "SAF-04") == []


def test_an_override_closes_it_and_a_later_order_begins_anew() -> None:
    p = answered(dxa(pregnant(), 100), "SAF-04", "override", 101)
    dxa(p, 120, record="another")
    assert sorted(stood(p, "SAF-04")) == [(100 + HOUR_8, 101 + HOUR_8), (120 + HOUR_8, LONGEST)]


def test_a_plan_does_not_close_it() -> None:
    p = answered(dxa(pregnant(), 100), "SAF-04", "plan", 101)
    assert stood(p, "SAF-04") == [(100 + HOUR_8, LONGEST)]


# ---- SAF-06


def rest(
    p: Patient, starts: float, ends: float | None = None, *, recorded: float | None = None, **said: Any
) -> Patient:
    """An order of bed rest."""
    care = Care(
        said.pop("status", "active"),
        said.pop("order", "bed_rest"),
        on(starts),
        None,
        None if ends is None else on(ends),
    )
    return p.say(care, recorded_at=on(starts if recorded is None else recorded), **said)


def test_rest_is_long_from_the_third_midnight_on() -> None:
    assert held(rest(pregnant(), 100), "SAF-06") == [(103, LONGEST + 43)]


@pytest.mark.parametrize(("ends", "expected"), [(102, []), (103, [(103, 103 + HOUR_8)]), (104, [(103, 104 + HOUR_8)])])
def test_days_of_rest_are_date_differences(ends: int, expected: list[tuple[float, float]]) -> None:
    assert held(rest(pregnant(), 100, ends), "SAF-06") == expected


@pytest.mark.parametrize(("again", "began"), [(103, 104), (106, 107), (107, 110), (120, 123)])
def test_stretches_of_the_last_seven_days_are_added(again: int, began: int) -> None:
    p = rest(rest(pregnant(), 100, 102), again)
    assert [b for b, _ in held(p, "SAF-06")] == [began]


def test_orders_and_codes_on_the_same_days_count_once() -> None:
    p = rest(rest(pregnant(), 100, 102), 100, 102)
    p.say(Diagnosis("active", ("bed_confinement",), "Z74.01", onset_at=on(101), abated_at=on(102)), recorded_at=on(101))
    assert held(p, "SAF-06") == []


def test_a_code_of_confinement_counts_until_it_abates() -> None:
    coded = Diagnosis("resolved", ("bed_confinement",), "Z74.01", onset_at=on(100), abated_at=on(110))
    assert held(pregnant().say(coded, recorded_at=on(110)), "SAF-06") == [(103, 110 + HOUR_8)]


def test_a_refuted_code_or_another_order_is_no_rest() -> None:
    p = rest(pregnant(), 100, order="corset")
    p.say(Diagnosis("refuted", ("bed_confinement",), "Z74.01", onset_at=on(100)), recorded_at=on(100))
    assert held(p, "SAF-06") == []


def test_rest_that_runs_over_the_lmp_is_found_from_the_lmp_on() -> None:
    assert held(rest(pregnant(), -10), "SAF-06") == [(0, LONGEST + 43)]


@pytest.mark.parametrize(("starts", "found"), [(309, True), (310, False), (311, False)])
def test_the_early_puerperium_ends_at_midnight_of_day_43_after_delivery(starts: int, found: bool) -> None:
    p = rest(delivered(pregnant(), 270), starts)
    assert held(p, "SAF-06") == ([(starts + 3, 313)] if found else [])


def test_a_plan_closes_it() -> None:
    p = answered(rest(pregnant(), 100), "SAF-06", "plan", 104)
    assert stood(p, "SAF-06") == [(103, 104 + HOUR_8)]


@pytest.mark.parametrize(("iu", "treated"), [(9999, False), (10000, True), (10001, True)])
def test_unfractionated_heparin_is_therapeutic_from_twenty_thousand_a_day(iu: int, treated: bool) -> None:
    p = order(rest(pregnant(), 100, 120), "heparin", "heparin_ufh", 90, dose=iu, unit="[IU]", doses_per_day=2)
    assert (held(p, "SAF-06") == []) is treated


@pytest.mark.parametrize(("mg", "treated"), [(89, False), (90, True), (91, True)])
def test_enoxaparin_by_weight_is_therapeutic_from_150_iu_per_kg(mg: int, treated: bool) -> None:
    p = rest(pregnant(), 100, 120).say(Measured("active", "body_weight", on(80), number(60)), recorded_at=on(80))
    order(p, "enoxaparin", "lmwh", 90, dose=mg, unit="mg", doses_per_day=1)
    assert (held(p, "SAF-06") == []) is treated


@pytest.mark.parametrize(("mg", "treated"), [(99, False), (100, False), (101, True)])
def test_enoxaparin_without_a_weight_is_therapeutic_above_100_mg(mg: int, treated: bool) -> None:
    p = order(rest(pregnant(), 100, 120), "enoxaparin", "lmwh", 90, dose=mg, unit="mg", doses_per_day=1)
    assert (held(p, "SAF-06") == []) is treated


def test_another_low_molecular_weight_heparin_without_a_weight_is_not_therapeutic() -> None:
    p = order(rest(pregnant(), 100, 120), "dalteparin", "lmwh", 90, dose=18000, unit="[IU]", doses_per_day=1)
    assert held(p, "SAF-06") == [(103, 120 + HOUR_8)]


@pytest.mark.parametrize(("mg", "treated"), [("4.9", False), ("5", True), ("7.5", True)])
def test_fondaparinux_is_therapeutic_from_5_mg(mg: str, treated: bool) -> None:
    p = order(rest(pregnant(), 100, 120), "fondaparinux", "pentasaccharide", 90, dose=mg, unit="mg", doses_per_day=1)
    assert (held(p, "SAF-06") == []) is treated


def test_any_vitamin_k_antagonist_is_therapeutic() -> None:
    assert held(order(rest(pregnant(), 100, 120), "warfarin", "vka", 90), "SAF-06") == []


def test_therapeutic_anticoagulation_ends_it_and_its_end_begins_it_anew() -> None:
    p = order(rest(pregnant(), 100, 120), "warfarin", "vka", 105, ends=110)
    assert held(p, "SAF-06") == [(103, 105 + HOUR_8), (111, 120 + HOUR_8)]


def test_a_day_on_which_anticoagulation_begins_is_not_found() -> None:
    p = dose(rest(pregnant(), 100, 120), "enoxaparin", "lmwh", 103, dose=120, unit="mg")
    assert held(p, "SAF-06") == [(104, 120 + HOUR_8)]


def test_prophylaxis_and_weight_are_asked_for_while_they_are_open() -> None:
    p = rest(pregnant(), 100)
    assert asked(p, "SAF-06", 104) == ["prophylaxis of thrombosis not recorded"]
    order(p, "dalteparin", "lmwh", 102, dose=5000, unit="[IU]", doses_per_day=1)
    assert asked(p, "SAF-06", 104) == ["weight not measured: the dose of low-molecular-weight heparin cannot be judged"]
    p.say(Measured("active", "body_weight", on(103), number(60)), recorded_at=on(103))
    assert asked(p, "SAF-06", 104) == []


def test_the_planned_date_of_a_dxa_is_asked_for() -> None:
    assert asked(dxa(pregnant(), 100), "SAF-04", 101) == ["planned date of the DXA not known"]
    assert asked(dxa(pregnant(), 100, scheduled=150), "SAF-04", 101) == []
