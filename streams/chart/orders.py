"""Orders as the rules read them: every version with the span over which it is in force.

Source: docs/intervals.md, Orders; docs/evidence.md 2.5.1.
"""

from collections.abc import Iterable

from schemas.definitions import Definition, Reader, Record, Records, define, records
from schemas.facts import Care, Fact, Order
from schemas.views import CARE_ORDERS, OrderSpan, orders
from streams.chart.timeline import Span, spans


def timelines(found: Iterable[Record]) -> dict[str, tuple[Span, ...]]:
    """Timelines by order: one placer order number is one order, from any source."""
    pooled: dict[str, list[Fact]] = {}
    for record in found:
        for version in record.live:
            match version.payload:
                case Order(placer_order=placer):
                    pooled.setdefault(placer or _own(record), []).append(version)
                case Care():
                    pooled.setdefault(_own(record), []).append(version)
    return {name: spans(versions) for name, versions in pooled.items()}


def _own(record: Record) -> str:
    return "\x1f".join(record.key)


def _spans(found: Records) -> Iterable[OrderSpan]:
    for name, timeline in sorted(timelines(found).items()):
        for span in timeline:
            yield OrderSpan(span.fact, span.begins, span.ends, span.fact.payload.status, name)


def orders_of(drug_class: str) -> Definition[tuple[OrderSpan, ...]]:
    """The definition of the order spans of a class of drugs."""
    source = records(f"drug/{drug_class}")

    def derive(chart: Reader) -> tuple[OrderSpan, ...]:
        return tuple(s for s in _spans(chart[source]) if _of_class(s.fact, drug_class))

    return Definition(orders(drug_class), (source,), derive)


def _of_class(fact: Fact, drug_class: str) -> bool:
    return isinstance(fact.payload, Order) and fact.payload.drug_class == drug_class


@define(CARE_ORDERS, records("care_order"))
def care_orders(chart: Reader) -> tuple[OrderSpan, ...]:
    """The spans of all care orders."""
    return tuple(_spans(chart[records("care_order")]))
