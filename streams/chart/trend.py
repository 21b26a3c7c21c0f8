"""The trend of a series, for display: no rule reads it."""

from collections.abc import Sequence
from itertools import combinations
from statistics import median


def theil_sen(points: Sequence[tuple[float, float]]) -> float | None:
    """The Theil-Sen slope of (x, y) points: the median of the slopes of all pairs; one outlier does not bend it.

    Units: of y a unit of x.
    Returns: None where no two points differ in x.
    """
    slopes = [(y2 - y1) / (x2 - x1) for (x1, y1), (x2, y2) in combinations(points, 2) if x1 != x2]
    return median(slopes) if slopes else None
