"""The items of the risk-factor score S19: when each holds, and what they weigh."""

import pytest

from alerting.rules.risk_score import RISK_ITEMS, WEIGHTS, RiskItems
from schemas.days import FOREVER
from tests.boundaries.mothers import Mother
from tests.support import days_from_zero, on


def items(mother: Mother) -> RiskItems:
    """The items of a chart."""
    mother.found("HEP-06")
    return mother.chart()[RISK_ITEMS]


def spans(mother: Mother, name: str) -> list[tuple[float, float | None]]:
    """When an item holds, in days from day 0; None: without end."""
    found = dict(items(mother).items).get(name, ())
    return [(days_from_zero(i.began), None if i.ended == FOREVER else days_from_zero(i.ended)) for i in found]


EIGHT = 8 / 24


@pytest.mark.parametrize(
    "factor", ["prior_fragility_fracture", "prior_plo", "family_history", "smoking", "low_weight_gain"]
)
def test_a_factor_holds_from_present_until_told_absent(factor: str) -> None:
    mother = Mother().told(factor, 50).told(factor, 60).told(factor, 70, present=False)
    assert spans(mother, factor) == [(50 + EIGHT, 70 + EIGHT)]


@pytest.mark.parametrize("factor", ["contraception", "underweight", "low_calcium_intake", "vte_history"])
def test_other_factors_are_no_items(factor: str) -> None:
    assert items(Mother().told(factor, 50)).items == ()


def test_codes_do_not_count() -> None:
    assert (
        items(Mother().coded("smoking", 20).coded("underweight", 20).coded("prior_fragility_fracture", 20)).items == ()
    )


@pytest.mark.parametrize(("index", "holds"), [(18.4, True), (18.5, False), (18.6, False)])
def test_a_measured_body_mass_index_below_18_5(index: float, holds: bool) -> None:
    assert bool(spans(Mother().weighed(20, index), "low_body_mass_index")) is holds


def test_the_latest_body_mass_index_counts_and_a_reported_one_does_not() -> None:
    mother = Mother().weighed(20, 18).weighed(50, 24, self_reported=True).weighed(80, 19)
    assert spans(mother, "low_body_mass_index") == [(20 + EIGHT, 80 + EIGHT)]


@pytest.mark.parametrize(("value", "holds"), [(49.9, True), (50, False), (50.1, False)])
def test_vitamin_d_below_50(value: float, holds: bool) -> None:
    """However old: the latest value counts."""
    assert bool(spans(Mother().lab("25OHD", -900, value), "vitamin_d_deficiency")) is holds


@pytest.mark.parametrize(("z", "holds"), [(-1.9, False), (-2.0, True), (-2.1, True)])
def test_a_z_score_at_a_named_site(z: float, holds: bool) -> None:
    assert bool(spans(Mother().dxa(-100, z=z, site="total_hip"), "low_z_score")) is holds
    assert not spans(Mother().dxa(-100, z=z, site="other"), "low_z_score")


def test_each_site_keeps_its_latest_z_score() -> None:
    mother = Mother().dxa(10, z=-2.5).dxa(20, z=-1, site="total_hip").dxa(30, z=-1)
    assert spans(mother, "low_z_score") == [(10 + EIGHT, 30 + EIGHT)]


def test_an_old_fracture_on_a_report_is_a_prior_fracture() -> None:
    assert spans(Mother().imaged(100, age="old"), "prior_fragility_fracture") == [(100 + EIGHT, None)]


def test_a_fracture_of_the_episode_is_an_item_until_told_absent() -> None:
    mother = Mother().imaged(200)
    assert spans(mother, "prior_fragility_fracture") == [(200 + EIGHT, None)]
    mother.told("prior_fragility_fracture", 250, present=False)
    assert spans(mother, "prior_fragility_fracture") == [(200 + EIGHT, 250 + EIGHT)]


def test_hep_02_once_begun_lasts_to_the_end_of_the_episode() -> None:
    mother = Mother().ordered("heparin", "heparin_ufh", 100, 160, dose=20_000, unit="[IU]")
    assert spans(mother, "ufh_tier") == [(148, 280 + 366)]


def test_hep_02_begun_before_the_pregnancy_is_no_item_in_it() -> None:
    mother = Mother().ordered("heparin", "heparin_ufh", -100, 60, dose=20_000, unit="[IU]")
    assert mother.starts("HEP-02") == [-52]
    assert spans(mother, "ufh_tier") == []


@pytest.mark.parametrize(("last", "began"), [(188, []), (189, [189]), (190, [189])])
def test_lmwh_counts_from_its_90th_day(last: int, began: list[int]) -> None:
    """Once there, to the end of the episode."""
    mother = Mother().ordered("enoxaparin", "lmwh", 100, last, dose=4_000, unit="[IU]")
    assert spans(mother, "lmwh_days") == [(b, 280 + 366) for b in began]


def test_lmwh_and_heparin_tier_do_not_grade_hep_06() -> None:
    mother = Mother().ordered("enoxaparin", "lmwh", 100, 200, dose=4_000, unit="[IU]")
    assert [severity for _, severity in mother.one("HEP-06").steps] == ["info"]
    mother.told("smoking", 50)
    assert [severity for _, severity in mother.one("HEP-06").steps] == ["advisory"]


def test_long_lactation_and_glucocorticoids_hold_while_their_findings_do() -> None:
    mother = Mother().fed("exclusive", 281).fed("none", 500).ordered("prednisone", "glucocorticoid", 100, 200)
    assert spans(mother, "long_lactation") == [(281 + 183, 500)]
    assert spans(mother, "glucocorticoid") == [(189, 380)]


def test_the_score_is_the_sum_of_the_weights_that_hold() -> None:
    mother = Mother().told("prior_plo", 10).told("smoking", 20).told("smoking", 40, present=False).dxa(30, z=-2)
    known = items(mother)
    assert [known.score(on(at)) for at in (9, 11, 21, 31, 41)] == [0, 3, 4, 7, 6]
    assert sum(WEIGHTS.values()) == 20


def test_what_was_never_asked_is_asked_until_somebody_says() -> None:
    mother = Mother().told("smoking", 50, present=False)
    assert "smoking never asked" in list(items(mother).never_asked(on(40)))
    assert "smoking never asked" not in list(items(mother).never_asked(on(60)))
