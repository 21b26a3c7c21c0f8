"""What a laboratory result allows: a result `<x` or `>x` meets a limit only if every value that it allows does.

Source: docs/intervals.md, Comparators.
"""

from collections.abc import Iterator
from decimal import Decimal
from typing import Final

import msgspec

from alerting.judge import Judge
from schemas.facts import Fact, Lab
from schemas.intervals import Evidence

_NONE: Final = Decimal(0)


class Allowed(msgspec.Struct, frozen=True):
    """All values between `low` and `high` (None: no bound); an `open_low` or `open_high` bound is not one of them."""

    low: Decimal
    high: Decimal | None
    open_low: bool = False
    open_high: bool = False

    def plus(self, other: "Allowed") -> "Allowed":
        """The values that a sum allows."""
        high = None if self.high is None or other.high is None else self.high + other.high
        open_low, open_high = self.open_low or other.open_low, self.open_high or other.open_high
        return Allowed(self.low + other.low, high, open_low, open_high)

    def least_ratio(self, baseline: "Allowed") -> Decimal | None:
        """The smallest ratio to a baseline that both allow; None: it may be any."""
        return self.low / baseline.high if baseline.high else None

    def largest_ratio(self, baseline: "Allowed") -> Decimal | None:
        """The largest ratio to a baseline that both allow; None: it may be any."""
        return self.high / baseline.low if self.high is not None and baseline.low else None


def allowed(lab: Lab) -> Allowed | None:
    """The values that a result allows, in its canonical unit; None for a text."""
    if lab.value is None:
        return None
    match lab.comparator:
        case "<" | "<=":
            return Allowed(_NONE, lab.value, open_high=lab.comparator == "<")
        case ">" | ">=":
            return Allowed(lab.value, None, open_low=lab.comparator == ">")
        case _:
            return Allowed(lab.value, lab.value)


def below(judge: Judge, name: str, found: Allowed) -> bool:
    """Every value is < the limit."""
    if found.open_high and found.high == judge.limit(name):
        return judge.at_most(name, found.high)
    return judge.below(name, found.high)


def more_than(judge: Judge, name: str, found: Allowed) -> bool:
    """Every value is > the limit."""
    if found.open_low and found.low == judge.limit(name):
        return judge.at_least(name, found.low)
    return judge.more_than(name, found.low)


def at_least(judge: Judge, name: str, found: Allowed) -> bool:
    """Every value is >= the limit."""
    return judge.at_least(name, found.low)


def at_most(judge: Judge, name: str, found: Allowed) -> bool:
    """Every value is <= the limit."""
    return judge.at_most(name, found.high)


def exceeds(found: Allowed, figure: Decimal) -> bool:
    """Every value is > a figure that came with the result."""
    return found.low > figure or (found.open_low and found.low == figure)


def within(found: Allowed, figure: Decimal) -> bool:
    """Every value is <= a figure that came with the result."""
    return found.high is not None and found.high <= figure


def results(facts: tuple[Fact, ...]) -> Iterator[tuple[Fact, Lab, Allowed]]:
    """The results that are numbers, in clinical time."""
    for fact in facts:
        lab = fact.payload
        if isinstance(lab, Lab) and (found := allowed(lab)) is not None:
            yield fact, lab, found


def reading(lab: Lab) -> str:
    """A result as it was reported: `<12 ng/mL`."""
    number = "" if lab.reported is None else f"{lab.reported:f}"
    return f"{lab.comparator or ''}{number or lab.text or ''} {lab.unit or ''}".strip()


def evidence(fact: Fact, what: str) -> Evidence:
    """The result that a finding rests on."""
    lab = fact.payload
    if not isinstance(lab, Lab):
        raise TypeError(f"{type(lab).__name__} is no result")
    value = None if lab.reported is None else float(lab.reported)
    said = f"{lab.comparator}{lab.reported:f}" if lab.comparator and lab.reported is not None else value
    return Evidence(what, fact.record_id, fact.event_id, fact.source, said, lab.unit, lab.collected_at)
