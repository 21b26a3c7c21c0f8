"""Risk-factor score S19: items that gate and grade other rules, each with the time over which it holds."""

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Final

import msgspec

from schemas.definitions import Name
from schemas.intervals import Intervals, Severity, holds


class RiskItems(msgspec.Struct, frozen=True):
    """The items with the intervals in which each holds, and what was never asked.

    Names: prior_fragility_fracture, prior_plo, low_z_score, ufh_tier, family_history, low_body_mass_index, smoking,
    vitamin_d_deficiency, glucocorticoid, lmwh_days, long_lactation, low_weight_gain.
    """

    items: tuple[tuple[str, Intervals], ...] = ()
    asked: tuple[tuple[str, datetime], ...] = ()
    """What was said present or absent, or measured, and when first."""

    def _others(self, without: frozenset[str]) -> Iterable[Intervals]:
        return (intervals for name, intervals in self.items if name not in without)

    def any_at(self, at: datetime, without: frozenset[str] = frozenset()) -> bool:
        """An item other than these holds at the instant."""
        return any(holds(intervals, at) for intervals in self._others(without))

    def first_from(self, at: datetime, without: frozenset[str] = frozenset()) -> datetime | None:
        """The first instant from `at` on at which an item other than these holds; None if none ever does."""
        found = (max(i.began, at) for intervals in self._others(without) for i in intervals if i.ended > at)
        return min(found, default=None)

    def steps(
        self, began: datetime, ended: datetime, without: frozenset[str] = frozenset()
    ) -> tuple[tuple[datetime, Severity], ...]:
        """Severities over [began, ended): advisory while an item other than these holds, else info."""
        edges = {i for intervals in self._others(without) for one in intervals for i in (one.began, one.ended)}
        made: list[tuple[datetime, Severity]] = []
        for at in (began, *sorted(e for e in edges if began < e < ended)):
            severity: Severity = "advisory" if self.any_at(at, without) else "info"
            if not made or made[-1][1] != severity:
                made.append((at, severity))
        return tuple(made)

    def score(self, at: datetime) -> int:
        """The sum of the weights of the items that hold at an instant: for display, no rule reads it.

        Source: docs/evidence.md 7, heuristic.
        """
        return sum(WEIGHTS.get(name, 0) for name, intervals in self.items if holds(intervals, at))

    def never_asked(self, now: datetime) -> Iterator[str]:
        """The items that nobody ever said present or absent, and that nothing else shows."""
        known = {name for name, at in self.asked if at <= now}
        known |= {name for name, intervals in self.items if holds(intervals, now)}
        for name, words in _QUESTIONS.items():
            if name not in known:
                yield words


WEIGHTS: Final = {
    "prior_fragility_fracture": 3,
    "prior_plo": 3,
    "low_z_score": 3,
    "ufh_tier": 2,
    "glucocorticoid": 2,
    "family_history": 1,
    "low_body_mass_index": 1,
    "smoking": 1,
    "vitamin_d_deficiency": 1,
    "lmwh_days": 1,
    "long_lactation": 1,
    "low_weight_gain": 1,
}


_QUESTIONS: Final = {
    "smoking": "smoking never asked",
    "family_history": "family history of osteoporosis never asked",
    "prior_fragility_fracture": "prior fragility fracture never asked",
    "low_body_mass_index": "body mass index not measured",
}

RISK_ITEMS: Final[Name[RiskItems]] = Name("risk_items")
