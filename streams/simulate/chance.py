"""Seeded chance: the same name and seed give the same course, whatever else is simulated beside it."""

from collections.abc import Sequence
from random import Random
from typing import TypeVar

T = TypeVar("T")


class Chance:
    """What may happen, drawn from a seed."""

    __slots__ = ("_random",)

    def __init__(self, seed: int, name: str) -> None:
        self._random = Random(f"{seed}/{name}")  # noqa: S311 - a reproducible course, no secret

    def happens(self, probability: float) -> bool:
        """True with a probability."""
        return self._random.random() < probability

    def whole(self, least: int, most: int) -> int:
        """A whole number between two limits, both included."""
        return least + int(self._random.random() * (most - least + 1))

    def near(self, mean: float, spread: float, least: float, most: float) -> float:
        """A number of a normal distribution, cut at two limits."""
        return min(max(self._random.gauss(mean, spread), least), most)

    def skewed(self, median: float, spread: float, least: float, most: float) -> float:
        """A number whose logarithm is normal, cut at two limits."""
        return min(max(median * self._random.lognormvariate(0, spread), least), most)

    def one_of(self, choices: Sequence[T]) -> T:
        """One of several, each as likely as the others."""
        return choices[int(self._random.random() * len(choices))]

    def by_weight(self, choices: Sequence[tuple[T, float]]) -> T:
        """One of several, each as likely as its weight says."""
        left = self._random.random() * sum(weight for _, weight in choices)
        for choice, weight in choices:
            left -= weight
            if left < 0:
                return choice
        return choices[-1][0]
