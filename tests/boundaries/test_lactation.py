"""LAC-01, LAC-02 and LAC-04: each figure one below, at, and one above; what begins, ends and closes them."""

import pytest

from alerting.rules.feeding import spells
from schemas.facts import SymptomReport
from schemas.views import PREGNANCIES
from tests.boundaries.mothers import Mother
from tests.support import days_from_zero, number, on

S = 281
"""The day on which feeding begins in these charts, one day after delivery."""


def nursing() -> Mother:
    """A mother who feeds from day S on."""
    return Mother().fed("exclusive", S)


@pytest.mark.parametrize(("weaned", "began"), [(S + 182, []), (S + 183, []), (S + 184, [S + 183])])
def test_lactation_counts_from_its_183rd_day(weaned: int, began: list[int]) -> None:
    """Weaning on the very day leaves nothing; a day later the finding lasted a day."""
    assert nursing().fed("none", weaned).starts("LAC-01") == began


@pytest.mark.parametrize(("gap", "began"), [(13, S + 183), (14, S + 183), (15, S + 100 + 15 + 183)])
@pytest.mark.parametrize("word", ["none", "unknown"])
def test_a_gap_of_14_days_is_bridged_and_a_longer_one_begins_anew(gap: int, began: int, word: str) -> None:
    """Bridged days count, whether nobody fed or nobody knew."""
    mother = nursing().fed(word, S + 100).fed("mixed", S + 100 + gap)
    assert mother.starts("LAC-01") == [began]


def test_feeding_from_before_delivery_counts_from_delivery() -> None:
    assert Mother().fed("mixed", 200).starts("LAC-01") == [280 + 183]


def test_without_a_delivery_record_delivery_is_day_308() -> None:
    assert Mother(delivered=None).fed("exclusive", 300).starts("LAC-01") == [308 + 183]


def test_unknown_stops_the_clock_as_none_does() -> None:
    assert nursing().fed("unknown", S + 200).spans("LAC-01") == [(S + 183, S + 200)]


def test_lactation_lapses_730_days_after_the_last_report() -> None:
    assert nursing().fed("mixed", S + 300).spans("LAC-01") == [(S + 183, S + 1030)]


def test_an_early_loss_has_no_lactation() -> None:
    chart = Mother(delivered=100).fed("exclusive", 101).chart()
    known = chart[PREGNANCIES]
    assert spells(known, known.episodes[0], 14) == ()


def test_lactation_alone_is_info_and_an_item_makes_it_advisory() -> None:
    """An item told absent takes it back."""
    mother = nursing().told("smoking", S + 200).told("smoking", S + 220, present=False)
    steps = [(days_from_zero(at), severity) for at, severity in mother.one("LAC-01").steps]
    assert steps == [(S + 183, "info"), (S + 200 + 8 / 24, "advisory"), (S + 220 + 8 / 24, "info")]


@pytest.mark.parametrize(("days", "asked"), [(60, False), (61, True)])
def test_feeding_is_asked_about_after_60_days(days: int, asked: bool) -> None:
    questions = nursing().fed("mixed", S + 200).questions("LAC-01", S + 200 + days)
    assert ("feeding not reported in 60 days" in questions) is asked
    assert "smoking never asked" in questions


def test_an_item_that_was_asked_is_not_asked_again() -> None:
    mother = nursing().told("smoking", 50, present=False).told("family_history", 50).weighed(50, 22)
    questions = mother.questions("LAC-01", S + 184)
    assert questions == ["prior fragility fracture never asked", "feeding not reported in 60 days"]


@pytest.mark.parametrize(("z", "began"), [(-1.9, []), (-2.0, [S + 183]), (-2.1, [S + 183])])
def test_a_low_z_score_with_long_lactation(z: float, began: list[int]) -> None:
    assert nursing().dxa(S + 30, z=z).starts("LAC-02") == began


def test_a_z_score_at_another_site_does_not_count() -> None:
    assert nursing().dxa(S + 30, z=-3, site="other").starts("LAC-02") == []


def test_only_the_latest_z_score_of_a_site_counts() -> None:
    assert nursing().dxa(S + 30, z=-3).dxa(S + 90, z=-1.5).starts("LAC-02") == []


def test_a_factor_that_comes_later_begins_it_then() -> None:
    assert nursing().dxa(S + 250, z=-2.5).starts("LAC-02") == [S + 250 + 8 / 24]


@pytest.mark.parametrize("factor", ["prior_fragility_fracture", "prior_plo"])
def test_a_prior_fracture_or_plo_with_long_lactation(factor: str) -> None:
    assert nursing().told(factor, 50).starts("LAC-02") == [S + 183]


@pytest.mark.parametrize("factor", ["smoking", "family_history", "low_weight_gain"])
def test_a_weak_item_is_no_strong_factor(factor: str) -> None:
    assert nursing().told(factor, 50).starts("LAC-02") == []


def test_heparin_in_the_fracture_range_counts_once_begun() -> None:
    """Stopped at birth, HEP-02 would end three days before six months of lactation."""
    mother = nursing().ordered("heparin", "heparin_ufh", 100, 280, dose=20_000, unit="[IU]")
    assert mother.spans("HEP-02")[0][1] < S + 183
    assert mother.starts("LAC-02") == [S + 183]


def test_glucocorticoids_count_while_sec_04_holds() -> None:
    mother = nursing().ordered("prednisone", "glucocorticoid", 100, S + 4)
    assert mother.spans("SEC-04")[0][1] == S + 184
    assert mother.starts("LAC-02") == [S + 183]
    earlier = nursing().ordered("prednisone", "glucocorticoid", 100, S + 3)
    assert earlier.starts("LAC-02") == []


@pytest.mark.parametrize(
    ("planned", "began"), [(S + 183 - 30, S + 183), (S + 183 - 29, S + 184), (S + 183 - 1, S + 212)]
)
def test_a_plan_elsewhere_keeps_it_quiet_for_30_days(planned: int, began: int) -> None:
    mother = nursing().ordered("heparin", "heparin_ufh", 60, 280, dose=20_000, unit="[IU]")
    mother.answered("HEP-04", "plan", on(planned))
    assert mother.starts("LAC-02") == [began]


def test_a_plan_recorded_after_it_began_takes_nothing_back() -> None:
    mother = nursing().ordered("heparin", "heparin_ufh", 60, 280, dose=20_000, unit="[IU]")
    mother.answered("HEP-04", "plan", on(S + 190))
    assert mother.starts("LAC-02") == [S + 183]


def test_a_plan_closes_the_alert_and_leaves_the_finding() -> None:
    mother = nursing().told("prior_plo", 50).answered("LAC-02", "plan", on(S + 200))
    found = mother.one("LAC-02")
    assert (found.closed, found.ended > on(S + 300)) == (on(S + 200), True)
    assert mother.questions("LAC-02", S + 199) == ["no DXA after delivery", "no plan recorded"]
    assert mother.questions("LAC-02", S + 201) == ["no DXA after delivery"]


def test_it_ends_with_the_lactation() -> None:
    assert nursing().told("prior_plo", 50).fed("none", S + 240).spans("LAC-02") == [(S + 183, S + 240)]


W = S + 200


def weaned() -> Mother:
    """A mother who weaned on day W."""
    return nursing().fed("none", W)


@pytest.mark.parametrize(("z", "began"), [(-1.9, []), (-2.0, [W + 365]), (-2.1, [W + 365])])
def test_a_year_after_weaning_a_low_z_score_is_due(z: float, began: list[int]) -> None:
    assert weaned().dxa(S + 30, z=z).starts("LAC-04") == began


@pytest.mark.parametrize(("density", "began"), [("1.029", [W + 365]), ("1.03", []), ("1.031", [])])
def test_less_than_three_per_cent_gained_since_delivery_is_due(density: str, began: list[int]) -> None:
    assert weaned().dxa(S + 30, density=1).dxa(W + 300, density=density).starts("LAC-04") == began


def test_one_dxa_gives_no_gain_to_judge() -> None:
    assert weaned().dxa(S + 30, density="0.8").starts("LAC-04") == []


def test_a_density_from_before_delivery_is_no_baseline() -> None:
    assert weaned().dxa(279, density=1).dxa(W + 300, density="0.9").starts("LAC-04") == []


def test_the_lumbar_spine_is_judged_before_the_hip() -> None:
    mother = weaned()
    for site, after in (("lumbar_spine", "1.05"), ("total_hip", "0.99")):
        mother.dxa(S + 30, density=1, site=site).dxa(W + 300, density=after, site=site)
    assert mother.starts("LAC-04") == []


def test_different_sites_are_not_compared_and_asked_about() -> None:
    mother = weaned().dxa(S + 30, density=1).dxa(W + 300, density="0.8", z=-2.5, site="total_hip")
    assert mother.starts("LAC-04") == [W + 365]
    assert mother.questions("LAC-04", W + 366) == ["the sites of the DXA after delivery differ"]


def test_a_dxa_that_documents_recovery_ends_it() -> None:
    mother = weaned().dxa(S + 30, z=-2.5).dxa(W + 400, z=-1.5)
    assert mother.spans("LAC-04") == [(W + 365, W + 400 + 8 / 24)]


def test_a_later_low_dxa_begins_it_when_performed() -> None:
    assert weaned().dxa(W + 400, z=-2.2).starts("LAC-04") == [W + 400 + 8 / 24]


def test_it_ends_with_the_episode() -> None:
    assert weaned().dxa(S + 30, z=-2.5).spans("LAC-04") == [(W + 365, W + 731)]


def test_without_a_delivery_record_weaning_counts_after_day_308() -> None:
    mother = Mother(delivered=None).fed("exclusive", 300).fed("none", W).dxa(S + 60, z=-2.5)
    assert mother.starts("LAC-04") == [W + 365]


def test_without_a_reported_weaning_it_is_silent() -> None:
    assert Mother().dxa(S + 30, z=-3).starts("LAC-04") == []
    assert nursing().dxa(S + 30, z=-3).starts("LAC-04") == []


def test_a_fracture_of_the_episode_counts_as_a_strong_factor() -> None:
    assert nursing().imaged(S + 40).starts("LAC-02") == [S + 183]
    assert nursing().imaged(S + 40, "femoral_neck_fracture", region="hip").starts("LAC-02") == [S + 183]


def test_a_hip_that_bears_no_weight_is_no_fracture_yet() -> None:
    """HIP-02 holds for it; the factor is the fracture."""
    mother = nursing()
    mother.say(
        SymptomReport("active", "hip_pain", on(S + 40), number(8), weight_bearing="unable"), recorded_at=on(S + 40)
    )
    assert mother.starts("HIP-02") == [S + 40 + 8 / 24]
    assert mother.starts("LAC-02") == []


def test_a_plan_for_the_fracture_keeps_it_quiet() -> None:
    mother = nursing().imaged(S + 40).answered("SPN-02", "plan", on(S + 170))
    assert mother.starts("LAC-02") == [S + 200]
    reopened = (
        nursing().imaged(S + 40).answered("SPN-02", "plan", on(S + 170)).answered("SPN-02", "reopen", on(S + 171))
    )
    assert reopened.starts("LAC-02") == [S + 183]


def test_a_fracture_without_a_later_dxa_is_due_and_a_dxa_after_it_ends_it() -> None:
    assert weaned().imaged(S + 40).starts("LAC-04") == [W + 365]
    assert weaned().imaged(S + 40).dxa(S + 39, z=0).starts("LAC-04") == [W + 365]
    assert weaned().imaged(S + 40).dxa(S + 60, z=0).starts("LAC-04") == []
    assert weaned().imaged(S + 40).dxa(W + 380, z=0).spans("LAC-04") == [(W + 365, W + 380 + 8 / 24)]
    assert weaned().imaged(S + 40, age="old").starts("LAC-04") == []
