"""Orders as timelines: each version holds from its `effective_from` until the next.

Source: docs/intervals.md, Orders.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime

import msgspec

from schemas.facts import Care, Fact, Order

STOPS = frozenset({"stopped", "completed"})


class Span(msgspec.Struct, frozen=True):
    """One version in force: [begins, ends); `ends` None while nothing ends it."""

    fact: Fact
    begins: datetime
    ends: datetime | None

    @property
    def active(self) -> bool:
        """Something is taken or done under this version."""
        return self.fact.payload.status == "active"


def _order(fact: Fact) -> Order | Care:
    payload = fact.payload
    if not isinstance(payload, Order | Care):
        raise TypeError(f"{type(payload).__name__} has no timeline of orders")
    return payload


def effective_from(versions: Sequence[Fact]) -> list[tuple[datetime, Fact]]:
    """When each version takes effect; `versions` of one record in the order of their recording.

    Topic: a version that moves `starts_at` without an `effective_from` re-dates the order: its first version, and what
    took effect at the start that it replaces, takes effect at the new one. A change recorded before the start takes
    effect at the start.
    """
    dated: list[tuple[datetime, Fact, bool]] = []
    start: datetime | None = None
    for fact in versions:
        order = _order(fact)
        if order.effective_from is None and start is not None and order.starts_at != start:
            dated = [
                (order.starts_at if at_start or i == 0 else at, f, at_start)
                for i, (at, f, at_start) in enumerate(dated)
            ]
        at, at_start = _takes_effect(fact, order, start)
        start = order.starts_at if order.effective_from is None or start is None else start
        dated.append((at, fact, at_start))
    return [(at, fact) for at, fact, _ in dated]


def _takes_effect(fact: Fact, order: Order | Care, start: datetime | None) -> tuple[datetime, bool]:
    if order.effective_from is not None:
        return order.effective_from, False
    if order.status in STOPS:
        return order.ends_at or fact.recorded_at, False
    if start is None or start != order.starts_at:
        return order.starts_at, True
    if fact.recorded_at <= order.starts_at:
        return order.starts_at, True
    return fact.recorded_at, False


def _void(entry: tuple[datetime, Fact], stops: Sequence[tuple[datetime, Fact]]) -> bool:
    """A stop voids what was recorded before it and takes effect after it; another source does not reopen it.

    Topic: two sources that stop an order at one instant say the same thing; neither takes the other's word back.
    """
    at, fact = entry
    reopens = fact.payload.status not in STOPS
    return any(
        at >= stopped and fact is not stop and (fact.rank < stop.rank or (reopens and fact.source != stop.source))
        for stopped, stop in stops
    )


def spans(versions: Iterable[Fact]) -> tuple[Span, ...]:
    """The timeline of one order, whose live versions may come from several records and sources."""
    by_record: dict[tuple[str, str], list[Fact]] = {}
    for fact in sorted(versions, key=lambda f: f.rank):
        by_record.setdefault(fact.key, []).append(fact)
    dated = [entry for facts in by_record.values() for entry in effective_from(facts)]
    stops = [entry for entry in dated if entry[1].payload.status in STOPS]
    dated = [entry for entry in dated if not _void(entry, stops)]
    dated.sort(key=lambda entry: (entry[0], entry[1].rank))
    made = []
    for i, (begins, fact) in enumerate(dated):
        following = dated[i + 1][0] if i + 1 < len(dated) else None
        own_end = None if fact.payload.status in STOPS else _order(fact).ends_at
        ends = min((e for e in (following, own_end) if e is not None), default=None)
        if ends is None or ends > begins:
            made.append(Span(fact, begins, ends))
    return tuple(made)
