"""SEC-02 and SEC-04: each figure one below, at, and one above; phases, courses for fetal lungs, routes."""

import pytest

from tests.boundaries.mothers import Mother

EIGHT = 8 / 24
END = 280 + 366


@pytest.mark.parametrize(("tsh", "began"), [("0.09", [200 + EIGHT]), ("0.10", []), ("0.11", [])])
def test_suppressed_tsh_with_high_free_t4(tsh: str, began: list[float]) -> None:
    assert Mother().lab("TSH", 200, tsh).lab("fT4", 200, 25).starts("SEC-02") == began


@pytest.mark.parametrize(("day", "limit"), [(60, 26.49), (150, 19.33), (230, 19.21)])
def test_free_t4_has_a_limit_in_each_trimester(day: int, limit: float) -> None:
    for value, began in ((limit - 0.01, []), (limit, []), (round(limit + 0.01, 2), [day + EIGHT])):
        assert Mother().lab("TSH", day, "0.05").lab("fT4", day, value).starts("SEC-02") == began


def test_after_delivery_the_laboratory_s_own_limit_counts_and_without_one_nothing() -> None:
    assert Mother().lab("TSH", 320, "0.05").lab("fT4", 320, 23, high=22).starts("SEC-02") == [320 + EIGHT]
    assert Mother().lab("TSH", 320, "0.05").lab("fT4", 320, 22, high=22).starts("SEC-02") == []
    assert Mother().lab("TSH", 320, "0.05").lab("fT4", 320, 40).starts("SEC-02") == []


@pytest.mark.parametrize(("apart", "found"), [(29, True), (30, True), (31, False)])
def test_tsh_and_free_t4_may_be_30_days_apart(apart: int, found: bool) -> None:
    """It begins with the later of the two, whichever that is."""
    began = [200 + apart + EIGHT] if found else []
    assert Mother().lab("TSH", 200, "0.05").lab("fT4", 200 + apart, 25).starts("SEC-02") == began
    assert Mother().lab("fT4", 200, 25).lab("TSH", 200 + apart, "0.05").starts("SEC-02") == began


def test_a_tsh_in_between_does_not_part_them() -> None:
    """The sheet asks for two results of 30 days, and ends the finding by the next TSH only."""
    mother = Mother().lab("TSH", 200, "0.05").lab("TSH", 210, 2).lab("fT4", 220, 25).lab("TSH", 230, 2)
    assert mother.spans("SEC-02") == [(220 + EIGHT, 230 + EIGHT)]


@pytest.mark.parametrize(("first", "last", "began"), [(201, 300, []), (200, 300, [200 + EIGHT]), (100, 199, [])])
def test_suppressed_tsh_on_a_day_with_levothyroxine(first: int, last: int, began: list[float]) -> None:
    mother = Mother().ordered("levothyroxine", "thyroid", first, last, dose=0.1).lab("TSH", 200, "0.05")
    assert mother.starts("SEC-02") == began


@pytest.mark.parametrize(
    ("tsh_day", "ft4_day", "ft4", "began"),
    [
        (60, 60, 20, []),
        (60, 30, 20, []),
        (60, 29, 20, [60 + EIGHT]),
        (60, 61, 20, [60 + EIGHT]),
        (150, 150, 15, [150 + EIGHT]),
    ],
)
def test_in_the_first_trimester_a_normal_free_t4_of_30_days_excuses(
    tsh_day: int, ft4_day: int, ft4: float, began: list[float]
) -> None:
    mother = Mother().ordered("levothyroxine", "thyroid", 0, dose=0.1)
    assert mother.lab("TSH", tsh_day, "0.05").lab("fT4", ft4_day, ft4).starts("SEC-02") == began


@pytest.mark.parametrize(
    ("day", "tsh", "ends"),
    [
        (80, "0.09", False),
        (80, "0.10", True),
        (150, "0.46", False),
        (150, "0.47", True),
        (250, "0.54", False),
        (250, "0.55", True),
        (330, "0.33", False),
        (330, "0.34", True),
    ],
)
def test_a_tsh_in_the_range_of_its_phase_ends_it(day: int, tsh: str, ends: bool) -> None:
    mother = Mother().lab("TSH", 70, "0.05").lab("fT4", 70, 30).lab("TSH", day, tsh)
    assert mother.spans("SEC-02") == [(70 + EIGHT, day + EIGHT if ends else END)]


def test_thyroid_excess_asks_for_free_t4_and_a_repeat_in_the_first_trimester() -> None:
    mother = Mother().ordered("levothyroxine", "thyroid", 0, dose=0.1).lab("TSH", 60, "0.05")
    assert mother.questions("SEC-02", 61) == [
        "free T4 not resulted within 30 days of the low TSH",
        "TSH to be repeated in 4-6 weeks (first trimester)",
    ]


@pytest.mark.parametrize(("dose", "began"), [(2.4, []), (2.5, [189]), (2.6, [189])])
def test_glucocorticoids_count_from_2_5_mg(dose: float, began: list[int]) -> None:
    assert Mother().ordered("prednisone", "glucocorticoid", 100, dose=dose).starts("SEC-04") == began


@pytest.mark.parametrize(("last", "began"), [(188, []), (189, [189]), (190, [189])])
def test_glucocorticoids_count_from_the_90th_day(last: int, began: list[int]) -> None:
    assert Mother().ordered("prednisone", "glucocorticoid", 100, last).starts("SEC-04") == began


@pytest.mark.parametrize(("second", "began"), [(224, [263]), (225, [264]), (226, [])])
def test_the_days_lie_within_the_365_that_end_on_the_last(second: int, began: list[int]) -> None:
    """Fifty days from day -100 on and forty later: the first still counts on day 264."""
    mother = Mother().ordered("prednisone", "glucocorticoid", -100, -51)
    assert mother.ordered("prednisone", "glucocorticoid", second, second + 39).starts("SEC-04") == began


def test_days_add_up_over_gaps() -> None:
    mother = Mother().ordered("prednisone", "glucocorticoid", 20, 64).ordered("prednisone", "glucocorticoid", 120, 170)
    assert mother.spans("SEC-04") == [(164, 170 + 180)]


def test_a_finding_reached_before_the_pregnancy_begins_with_it() -> None:
    assert Mother().ordered("prednisone", "glucocorticoid", -200, -80).spans("SEC-04") == [(0, 100)]
    assert Mother().ordered("prednisone", "glucocorticoid", -300, -180).spans("SEC-04") == []


def test_a_later_day_prolongs_it_while_it_is_recent() -> None:
    mother = Mother().ordered("prednisone", "glucocorticoid", 50, 149).ordered("prednisone", "glucocorticoid", 320, 320)
    assert mother.spans("SEC-04") == [(139, 500)]


def test_after_its_end_90_days_are_needed_again() -> None:
    mother = Mother(delivered=280).ordered("prednisone", "glucocorticoid", 10, 99)
    mother.ordered("prednisone", "glucocorticoid", 500, 560)
    assert mother.spans("SEC-04") == [(99, 99 + 180)]


def test_an_open_order_has_no_end() -> None:
    assert Mother().ordered("prednisone", "glucocorticoid", 100).spans("SEC-04") == [(189, END)]


def test_drugs_of_one_day_are_added() -> None:
    """Hydrocortisone 20 mg stands for 5 mg of prednisone."""
    mother = Mother().ordered("prednisone", "glucocorticoid", 100, dose=1)
    assert mother.starts("SEC-04") == []
    assert mother.ordered("hydrocortisone", "glucocorticoid", 100, dose=6).starts("SEC-04") == [189]


def test_courses_for_fetal_lungs_are_left_out() -> None:
    """Up to 7 days in pregnancy; a longer one counts."""
    mother = Mother().ordered("prednisone", "glucocorticoid", 100, 187)
    for day in (192, 193):
        mother.given("betamethasone", "glucocorticoid", day, dose=12)
    assert mother.starts("SEC-04") == []
    longer = Mother().ordered("prednisone", "glucocorticoid", 100, 181)
    assert longer.ordered("dexamethasone", "glucocorticoid", 185, 191).starts("SEC-04") == []
    longer = Mother().ordered("prednisone", "glucocorticoid", 100, 181)
    assert longer.ordered("dexamethasone", "glucocorticoid", 185, 192).starts("SEC-04") == [192]


@pytest.mark.parametrize(
    ("route", "counts"),
    [("PO", True), (None, True), ("IH", False), ("Inhalation", False), ("topical", False), ("NS", False)],
)
def test_local_routes_are_not_systemic_and_an_unknown_one_counts(route: str | None, counts: bool) -> None:
    mother = Mother().ordered("prednisone", "glucocorticoid", 100, route=route)
    assert bool(mother.starts("SEC-04")) is counts
    if route is None:
        assert mother.questions("SEC-04", 200) == ["route of a glucocorticoid unknown"]


def test_a_day_of_unknown_dose_does_not_count() -> None:
    mother = (
        Mother()
        .ordered("prednisone", "glucocorticoid", 100, 189)
        .ordered("prednisone", "glucocorticoid", 200, dose=None)
    )
    assert mother.questions("SEC-04", 230) == ["dose of a glucocorticoid unknown on some days"]
