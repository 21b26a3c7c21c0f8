"""How a rule compares: against the limits of its pack, by name, so that each comparison can be told.

`explain` runs the same rule with a trace; nothing is judged in a second place.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Literal, TypeAlias

from schemas.rulepack import Limit, RuleText

Comparison = Literal[">=", ">", "<=", "<", "is"]
Known: TypeAlias = Decimal | int | None


@dataclass(frozen=True, slots=True)
class Condition:
    """One comparison that a rule made. `distance` is how far the value is from meeting the limit (0: met)."""

    name: str
    comparison: Comparison
    met: bool
    value: str | None = None
    limit: str | None = None
    unit: str | None = None
    flag: str | None = None
    citation: str | None = None
    distance: str | None = None
    on: date | None = None


@dataclass(slots=True)
class Trace:
    """What a rule compared, by condition; of each the comparison that came nearest to being met, the latest of equals.

    `until`: the day that is asked about; what is compared for later days, as time alone will bring them, is left out.
    """

    until: date | None = None
    conditions: dict[str, Condition] = field(default_factory=dict)
    out_of_scope: list[str] = field(default_factory=list)
    on: date | None = None
    """The day that the rule is looking at, where it counts by days."""

    def add(self, condition: Condition) -> None:
        """Keep the comparison if it is nearer than what is known of this condition."""
        if self.until is not None and condition.on is not None and condition.on > self.until:
            return
        known = self.conditions.get(condition.name)
        if known is None or condition.met or not known.met:
            nearer = known is None or condition.met or _distance(condition) <= _distance(known)
            if nearer:
                self.conditions[condition.name] = condition

    def add_together(self, conditions: Iterable[Condition]) -> None:
        """Keep comparisons that must be met at once, as they were the last time that no more of them were met."""
        made = [c for c in conditions if self.until is None or c.on is None or c.on <= self.until]
        known = [self.conditions[c.name] for c in made if c.name in self.conditions]
        if sum(c.met for c in made) >= sum(c.met for c in known):
            self.conditions |= {c.name: c for c in made}


def _distance(condition: Condition) -> Decimal:
    return Decimal(condition.distance) if condition.distance is not None else Decimal("Infinity")


class Judge:
    """A rule's limits, and the comparisons with them.

    Errors: KeyError for a limit that the pack does not have (the tests hold rules and pack to each other).
    """

    __slots__ = ("_values", "text", "trace")

    def __init__(self, text: RuleText, trace: Trace | None = None) -> None:
        self.text = text
        self.trace = trace
        self._values = {name: limit.value for name, limit in text.limits.items()}

    def limit(self, name: str) -> Decimal:
        """The figure itself."""
        return self._values[name]

    def days(self, name: str) -> int:
        """A figure that is a whole number (days, exposed days, reports)."""
        return int(self._values[name])

    def at_least(self, name: str, value: Known) -> bool:
        """value >= limit; an unknown value meets nothing."""
        limit = self._values[name]
        met = value is not None and value >= limit
        return self._told(name, ">=", value, met) if self.trace else met

    def more_than(self, name: str, value: Known) -> bool:
        """value > limit; an unknown value meets nothing."""
        limit = self._values[name]
        met = value is not None and value > limit
        return self._told(name, ">", value, met) if self.trace else met

    def at_most(self, name: str, value: Known) -> bool:
        """value <= limit; an unknown value meets nothing."""
        limit = self._values[name]
        met = value is not None and value <= limit
        return self._told(name, "<=", value, met) if self.trace else met

    def below(self, name: str, value: Known) -> bool:
        """value < limit; an unknown value meets nothing."""
        limit = self._values[name]
        met = value is not None and value < limit
        return self._told(name, "<", value, met) if self.trace else met

    def together(self, least: Iterable[tuple[str, Known]]) -> bool:
        """Every value >= its limit; when told, all of them of one and the same day, met or not."""
        if self.trace is None:
            return all(self.at_least(name, value) for name, value in least)
        made = [
            self._compared(name, ">=", value, value is not None and value >= self._values[name])
            for name, value in least
        ]
        self.trace.add_together(made)
        return all(c.met for c in made)

    def condition(self, name: str, met: bool, value: str | None = None) -> bool:  # noqa: FBT001 - it is what is told
        """A condition that is no comparison of numbers, in the clinic's words."""
        if self.trace:
            self.trace.add(Condition(name, "is", met, value, on=self.trace.on, distance="0" if met else None))
        return met

    def out_of_scope(self, words: str) -> None:
        """What puts the rule out of scope."""
        if self.trace and words not in self.trace.out_of_scope:
            self.trace.out_of_scope.append(words)

    def looks_at(self, day: date) -> None:
        """The day that the following comparisons speak of."""
        if self.trace:
            self.trace.on = day

    def _told(self, name: str, comparison: Comparison, value: Known, met: bool) -> bool:  # noqa: FBT001 - as above
        if self.trace:
            self.trace.add(self._compared(name, comparison, value, met))
        return met

    def _compared(self, name: str, comparison: Comparison, value: Known, met: bool) -> Condition:  # noqa: FBT001 - as above
        limit: Limit = self.text.limits[name]
        return Condition(
            limit.name,
            comparison,
            met,
            value=None if value is None else str(value),
            limit=str(limit.value),
            unit=limit.unit,
            flag=limit.flag,
            citation=limit.citation,
            distance=None if value is None else "0" if met else str(abs(limit.value - value)),
            on=self.trace.on if self.trace else None,
        )
