"""Orders as runs: from the first active version to the stop, holds included.

Source: docs/intervals.md, Orders; a hold says nothing of the days before and does not end an order.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from itertools import groupby
from typing import Final

import msgspec

from schemas.facts import Care, Fact, Order
from schemas.views import OrderSpan

_RUNNING: Final = frozenset({"active", "on_hold"})


class Run(msgspec.Struct, frozen=True):
    """One order of one drug from its start until it stops; `ends` None: nothing known stops it."""

    drug: str
    begins: datetime
    ends: datetime | None
    facts: tuple[Fact, ...]

    def holds(self, at: datetime) -> bool:
        """The order runs at the instant."""
        return self.begins <= at and (self.ends is None or at < self.ends)


def drug_of(span: OrderSpan) -> str:
    """The drug, or the kind of care, that a version orders; empty for an order not to give it."""
    match span.fact.payload:
        case Order(drug=drug, excluded=False):
            return drug
        case Care(order=care):
            return care
    return ""


def order_runs(spans: Iterable[OrderSpan]) -> Iterator[Run]:
    """The runs of all orders; an order reopened after its stop, or of another drug, runs anew."""
    for _, timeline in groupby(spans, key=lambda s: s.order):
        run: list[OrderSpan] = []
        for span in timeline:
            if run and not _goes_on(run[-1], span):
                yield _run(run)
                run = []
            if (span.active and drug_of(span)) or (run and span.status in _RUNNING):
                run.append(span)
        if run:
            yield _run(run)


def _goes_on(before: OrderSpan, span: OrderSpan) -> bool:
    return before.ends == span.begins and span.status in _RUNNING and drug_of(span) == drug_of(before)


def _run(spans: Sequence[OrderSpan]) -> Run:
    return Run(drug_of(spans[0]), spans[0].begins, spans[-1].ends, tuple(s.fact for s in spans))
