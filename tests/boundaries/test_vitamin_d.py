"""VIT-01 and VIT-02: both units one below, at, and one above; repeats, comparators, D2 and D3."""

import pytest

from tests.boundaries.mothers import Mother

EIGHT = 8 / 24
END = 280 + 366


@pytest.mark.parametrize(
    ("value", "quantity", "deficient", "severe"),
    [
        (49.9, "molar", True, False),
        (50, "molar", False, False),
        (50.1, "molar", False, False),
        (19.9, "mass", True, False),
        (20, "mass", False, False),
        (20.1, "mass", False, False),
        (29.9, "molar", True, True),
        (30, "molar", True, False),
        (30.1, "molar", True, False),
        (11.9, "mass", True, True),
        (12, "mass", True, False),
        (12.1, "mass", True, False),
    ],
)
def test_a_result_is_judged_in_its_reported_unit(value: float, quantity: str, deficient: bool, severe: bool) -> None:
    """20 ng/mL is 49.9 nmol/L and not below its limit."""
    mother = Mother().lab("25OHD", 100, value, quantity=quantity)
    assert [bool(mother.starts(rule)) for rule in ("VIT-01", "VIT-02")] == [deficient, severe]


@pytest.mark.parametrize(
    ("value", "comparator", "begins"),
    [(50, "<", True), (50, "<=", False), (51, "<", False), (12, "<", True), (40, ">", False), (10, ">=", False)],
)
def test_a_comparator_counts_only_where_every_value_does(value: float, comparator: str, begins: bool) -> None:
    assert bool(Mother().lab("25OHD", 100, value, comparator=comparator).starts("VIT-01")) is begins


@pytest.mark.parametrize(("day", "began"), [(-181, []), (-180, [0]), (-1, [0]), (0, [EIGHT])])
def test_a_low_result_of_the_180_days_before_begins_it_at_the_lmp(day: int, began: list[float]) -> None:
    assert Mother().lab("25OHD", day, 30).starts("VIT-01") == began


def test_only_the_latest_result_before_the_lmp_counts() -> None:
    assert Mother().lab("25OHD", -100, 30).lab("25OHD", -50, 60).starts("VIT-01") == []


def test_the_next_sufficient_result_ends_it_and_a_low_one_prolongs() -> None:
    mother = Mother().lab("25OHD", 50, 30).lab("25OHD", 100, 49).lab("25OHD", 150, 50).lab("25OHD", 300, 40)
    assert mother.spans("VIT-01") == [(50 + EIGHT, 150 + EIGHT), (300 + EIGHT, END)]


def test_age_of_the_result_does_not_end_it() -> None:
    assert Mother().lab("25OHD", 5, 30).spans("VIT-01") == [(5 + EIGHT, END)]


def test_a_result_that_may_be_either_ends_nothing() -> None:
    mother = Mother().lab("25OHD", 50, 30).lab("25OHD", 100, 60, comparator="<")
    assert mother.spans("VIT-01") == [(50 + EIGHT, END)]


@pytest.mark.parametrize(("started", "again"), [(111, []), (110, []), (109, [200 + EIGHT])])
def test_a_repeat_is_excused_for_90_days_after_vitamin_d_was_started(started: int, again: list[float]) -> None:
    mother = Mother().lab("25OHD", 50, 30).lab("25OHD", 100, 55).ordered("cholecalciferol", "vitamin_d", started)
    assert mother.lab("25OHD", 200, 40).starts("VIT-01") == [50 + EIGHT, *again]


def test_a_first_low_result_counts_although_vitamin_d_was_just_started() -> None:
    assert Mother().ordered("cholecalciferol", "vitamin_d", 80).lab("25OHD", 100, 40).starts("VIT-01") == [100 + EIGHT]


def test_monthly_doses_are_one_course() -> None:
    """Otherwise each dose would excuse the next three months."""
    mother = Mother().lab("25OHD", 20, 30).lab("25OHD", 40, 55)
    for dose_day in range(45, 200, 31):
        mother.given("cholecalciferol", "vitamin_d", dose_day)
    assert mother.lab("25OHD", 190, 40).starts("VIT-01") == [20 + EIGHT, 190 + EIGHT]


@pytest.mark.parametrize(("d2", "began"), [(19.9, [100 + EIGHT]), (20, []), (None, [100 + EIGHT])])
def test_d2_and_d3_of_one_collection_are_added(d2: float | None, began: list[float]) -> None:
    mother = Mother().lab("25OHD3", 100, 30)
    if d2 is not None:
        mother.lab("25OHD2", 100, d2)
    assert mother.starts("VIT-01") == began


def test_d2_alone_says_nothing_and_the_total_goes_first() -> None:
    assert Mother().lab("25OHD2", 100, 5).starts("VIT-01") == []
    assert Mother().lab("25OHD", 100, 60).lab("25OHD3", 100, 30).starts("VIT-01") == []


def test_an_undetectable_d2_is_added_as_what_it_may_be() -> None:
    """`<4` of D2: with 46 of D3 the sum may be anything from 46 to below 50."""
    assert Mother().lab("25OHD3", 100, 46).lab("25OHD2", 100, 4, comparator="<").starts("VIT-01") == [100 + EIGHT]
    assert Mother().lab("25OHD3", 100, 47).lab("25OHD2", 100, 4, comparator="<").starts("VIT-01") == []


def test_vit_01_stands_under_vit_02() -> None:
    mother = Mother().lab("25OHD", 100, 20).lab("25OHD", 150, 35)
    assert mother.spans("VIT-01") == [(100 + EIGHT, END)]
    assert mother.spans("VIT-02") == [(100 + EIGHT, 150 + EIGHT)]


@pytest.mark.parametrize(("days", "asked"), [(179, False), (180, True)])
def test_a_repeat_is_asked_for_after_180_days(days: int, asked: bool) -> None:
    questions = Mother().lab("25OHD", 10, 40).questions("VIT-01", 10 + days)
    assert bool(questions) is asked


def test_severe_deficiency_asks_for_what_was_not_measured_with_it() -> None:
    mother = Mother().lab("25OHD", 100, 20).lab("PTH", 100, 5).lab("Ca_total", 101, 2.3)
    assert mother.questions("VIT-02", 110) == [
        "calcium not measured with it",
        "alkaline phosphatase not measured with it",
    ]


def test_outside_a_pregnancy_episode_nobody_is_told() -> None:
    assert Mother().lab("25OHD", 280 + 366, 20).starts("VIT-01") == []
