"""Bone drugs as orders, supplies and doses: when each is active, and what has no order to end it.

Source: docs/intervals.md SAF-01 and SAF-02. A class holds the named drug and its kin: teriparatide and abaloparatide,
raloxifene and bazedoxifene.
"""

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any, Final, Literal

import msgspec

from alerting.rules.order_runs import drug_of
from schemas.days import Calendar
from schemas.definitions import Name, Reader
from schemas.facts import Dose, Fact, Order, Supply
from schemas.intervals import Evidence
from schemas.views import OrderSpan, orders, winners

CLASSES: Final = ("bisphosphonate", "rankl_inhibitor", "sclerostin_inhibitor", "dual", "serm", "anabolic")
READS: Final[tuple[Name[Any], ...]] = tuple(
    name for drug_class in CLASSES for name in (orders(drug_class), winners(f"drug/{drug_class}"))
)
_GIVEN: Final = frozenset({"completed", "in_progress", "stopped"})


class Use(msgspec.Struct, frozen=True):
    """One thing said of a drug's use over [begins, ends); `ends` None: nothing known ends it."""

    kind: Literal["order", "supply", "dose"]
    drug: str
    begins: datetime
    ends: datetime | None
    fact: Fact

    @property
    def evidence(self) -> Evidence:
        """The record of the use."""
        said = self.fact.payload
        dose = said.dose if isinstance(said, Order | Dose | Supply) else None
        unit = said.unit if isinstance(said, Order | Dose | Supply) else None
        return Evidence(
            f"{self.drug} {self.kind}",
            self.fact.record_id,
            self.fact.event_id,
            self.fact.source,
            None if dose is None else float(dose),
            unit,
            self.begins,
            self.ends,
        )


def spans(chart: Reader) -> tuple[OrderSpan, ...]:
    """The spans of all orders of bone drugs."""
    return tuple(span for drug_class in CLASSES for span in chart[orders(drug_class)])


def ordered(found: Iterable[OrderSpan]) -> tuple[Use, ...]:
    """The active versions of orders; on hold is not active, and an order not to give is none."""
    return tuple(Use("order", drug, s.begins, s.ends, s.fact) for s in found if s.active and (drug := drug_of(s)))


def supplied(chart: Reader, found: Iterable[OrderSpan]) -> Iterator[Use]:
    """Supplies: over their days, cut where the order is held or stopped; without days nothing known ends them."""
    by_order: dict[str, list[OrderSpan]] = {}
    for span in found:
        by_order.setdefault(span.order, []).append(span)
    for fact in _facts(chart):
        supply = fact.payload
        if not isinstance(supply, Supply):
            continue
        pauses = (s.begins for s in by_order.get(supply.placer_order or "", ()) if not s.active)
        ends = [at for at in pauses if at > supply.dispensed_at]
        if supply.days_supply is not None and supply.days_supply >= 1:
            ends.append(_midnight_after(supply, int(supply.days_supply), chart.calendar))
        yield Use("supply", supply.drug, supply.dispensed_at, min(ends, default=None), fact)


def _midnight_after(supply: Supply, days: int, calendar: Calendar) -> datetime:
    return calendar.midnight(calendar.day(supply.dispensed_at), days)


def given(chart: Reader) -> Iterator[Use]:
    """Doses given."""
    for fact in _facts(chart):
        dose = fact.payload
        if isinstance(dose, Dose) and dose.status in _GIVEN:
            yield Use("dose", dose.drug, dose.given_at, None, fact)


def _facts(chart: Reader) -> Iterator[Fact]:
    for drug_class in CLASSES:
        yield from chart[winners(f"drug/{drug_class}")]
