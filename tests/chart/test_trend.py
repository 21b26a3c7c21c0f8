"""The Theil-Sen slope against scipy."""

from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import theilslopes

from streams.chart.trend import theil_sen

_POINTS = st.lists(st.tuples(st.integers(0, 400), st.integers(1, 2000)), min_size=2, max_size=25)


# scipy also makes a confidence interval, whose variance is negative for many points of one day
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@settings(deadline=timedelta(seconds=5))
@given(_POINTS.filter(lambda points: len({x for x, _ in points}) > 1))
def test_the_slope_is_that_of_scipy(points: list[tuple[float, float]]) -> None:
    """Days may repeat: two samples of one day have no slope between them."""
    expected = theilslopes([y for _, y in points], [x for x, _ in points])[0]
    assert theil_sen(points) == pytest.approx(expected)


def test_one_outlier_does_not_bend_it() -> None:
    line = [(float(x), 2.0 * x) for x in range(9)]
    assert theil_sen([*line, (9.0, 500.0)]) == 2.0


@pytest.mark.parametrize("points", [[], [(1.0, 2.0)], [(1.0, 2.0), (1.0, 3.0)]])
def test_without_two_days_there_is_no_slope(points: list[tuple[float, float]]) -> None:
    assert theil_sen(points) is None
