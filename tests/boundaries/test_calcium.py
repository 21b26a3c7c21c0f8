"""CAL-01: each limit one below, at, and one above; adjustment, EDTA, and what ends it."""

import pytest

from tests.boundaries.mothers import Mother

EIGHT = 8 / 24
END = 280 + 366
BEGAN = [100 + EIGHT]


@pytest.mark.parametrize(
    ("analyte", "value", "began"),
    [
        ("Ca_albcorr", "1.79", BEGAN),
        ("Ca_albcorr", "1.80", []),
        ("Ca_albcorr", "1.81", []),
        ("Ca_albcorr", "2.99", []),
        ("Ca_albcorr", "3.00", []),
        ("Ca_albcorr", "3.01", BEGAN),
        ("Ca_ionised", "0.79", BEGAN),
        ("Ca_ionised", "0.80", []),
        ("Ca_ionised", "0.81", []),
        ("Ca_ionised", "1.59", []),
        ("Ca_ionised", "1.60", []),
        ("Ca_ionised", "1.61", BEGAN),
        ("Ca_total", "3.00", []),
        ("Ca_total", "3.01", BEGAN),
        ("Ca_total", "1.20", []),
    ],
)
def test_each_calcium_has_its_limits_and_a_low_total_alone_has_none(
    analyte: str, value: str, began: list[float]
) -> None:
    assert Mother().lab(analyte, 100, value).starts("CAL-01") == began


@pytest.mark.parametrize(
    ("total", "albumin", "began"),
    [("2.59", 20, []), ("2.60", 20, []), ("2.61", 20, BEGAN), ("1.59", 30, BEGAN), ("1.60", 30, []), ("3.10", 46, [])],
)
def test_total_calcium_is_adjusted_by_albumin(total: str, albumin: int, began: list[float]) -> None:
    """total + 0.02 x (40 - albumin)."""
    assert Mother().lab("Ca_total", 100, total).lab("Albumin", 100, albumin).starts("CAL-01") == began


@pytest.mark.parametrize(("hour", "began"), [(-16, BEGAN), (-16.01, []), (32, BEGAN), (32.01, [])])
def test_albumin_counts_within_24_hours(hour: float, began: list[float]) -> None:
    assert Mother().lab("Ca_total", 100, "2.7").lab("Albumin", 100, 20, hour=hour).starts("CAL-01") == began


def test_the_nearest_albumin_adjusts() -> None:
    mother = Mother().lab("Ca_total", 100, "2.7").lab("Albumin", 100, 20, hour=4).lab("Albumin", 100, 40, hour=10)
    assert mother.starts("CAL-01") == []


def test_a_reported_adjusted_calcium_goes_before_a_computed_one() -> None:
    mother = Mother().lab("Ca_total", 100, "2.7").lab("Albumin", 100, 20).lab("Ca_albcorr", 100, "2.9")
    assert mother.starts("CAL-01") == []


def test_an_albumin_below_a_bound_is_adjusted_for_as_what_it_may_be() -> None:
    """`<20`: at least 0.40 is added."""
    mother = Mother().lab("Ca_total", 100, "2.60").lab("Albumin", 100, 20, comparator="<")
    assert mother.starts("CAL-01") == BEGAN


@pytest.mark.parametrize(
    ("potassium", "alp", "began"), [("6.0", 20, BEGAN), ("6.1", 32, []), ("6.1", 33, BEGAN), ("6.1", None, BEGAN)]
)
def test_a_low_value_with_the_pattern_of_edta_is_not_judged(
    potassium: str, alp: int | None, began: list[float]
) -> None:
    mother = Mother().lab("Ca_albcorr", 100, "1.2").lab("Potassium", 100, potassium)
    if alp is not None:
        mother.lab("ALP_total", 100, alp, quantity="activity")
    assert mother.starts("CAL-01") == began


def test_the_pattern_counts_in_one_collection_only_and_for_low_values_only() -> None:
    other = Mother().lab("Ca_albcorr", 100, "1.2").lab("Potassium", 100, 7, hour=9)
    assert other.lab("ALP_total", 100, 20, hour=9, quantity="activity").starts("CAL-01") == BEGAN
    high = (
        Mother().lab("Ca_albcorr", 100, "3.2").lab("Potassium", 100, 7).lab("ALP_total", 100, 20, quantity="activity")
    )
    assert high.starts("CAL-01") == BEGAN


@pytest.mark.parametrize(
    ("analyte", "value", "ended"),
    [
        ("Ca_albcorr", "1.80", 101 + EIGHT),
        ("Ca_albcorr", "1.79", END),
        ("Ca_ionised", "1.60", 101 + EIGHT),
        ("Ca_ionised", "1.61", END),
        ("Ca_total", "2.4", END),
    ],
)
def test_the_next_ionised_or_adjusted_value_in_range_ends_it(analyte: str, value: str, ended: float) -> None:
    assert Mother().lab("Ca_albcorr", 100, "3.2").lab(analyte, 101, value).spans("CAL-01") == [(100 + EIGHT, ended)]


def test_a_total_alone_ends_only_what_a_total_began() -> None:
    assert Mother().lab("Ca_total", 100, "3.2").lab("Ca_total", 101, "2.4").spans("CAL-01") == [
        (100 + EIGHT, 101 + EIGHT)
    ]
    both = Mother().lab("Ca_total", 100, "3.2").lab("Ca_ionised", 101, "1.7").lab("Ca_total", 102, "2.4")
    assert both.spans("CAL-01") == [(100 + EIGHT, END)]


def test_it_says_what_is_missing() -> None:
    mother = Mother().lab("Ca_total", 100, "3.2")
    assert mother.questions("CAL-01", 101) == ["albumin not measured within 24 h", "PTH not measured"]
    low = Mother().lab("Ca_total", 100, "2.9").lab("Albumin", 100, 24).lab("PTH", 100, 5)
    assert low.questions("CAL-01", 101) == ["ionised calcium not measured, and albumin too low to adjust for"]
