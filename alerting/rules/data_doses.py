"""Heparin whose unit or dose is not clear: its days count as exposed, its amount as unknown.

Source: docs/intervals.md DQ-03; docs/evidence.md 2.3 and 2.5.
"""

from collections.abc import Iterable, Iterator
from datetime import datetime
from decimal import Decimal
from itertools import groupby
from typing import Final

from alerting.judge import Judge
from alerting.rule import Rule
from alerting.rules.order_runs import Run, order_runs
from schemas.days import FOREVER
from schemas.definitions import Reader
from schemas.facts import Dose, Fact, Order, Supply, clinical_time
from schemas.intervals import Evidence, Interval, Intervals
from schemas.views import SaidDose, orders, said_doses

_CLASSES: Final = ("heparin_ufh", "lmwh")
_GIVEN: Final = frozenset({"completed", "in_progress", "stopped"})


def _dq_03(chart: Reader, judge: Judge) -> Intervals:
    made: list[Interval] = []
    most = judge.limit("most_a_day")
    for drug_class in _CLASSES:
        said_of_class = chart[said_doses(drug_class)]
        # Most doses are clear at a glance; with a trace all are judged, as each comparison is told.
        asked = {s.fact.key for s in said_of_class if judge.trace or not _plainly_clear(s, most)}
        if not asked:
            continue
        runs = tuple(order_runs(chart[orders(drug_class)]))
        for key, versions in groupby(said_of_class, key=lambda s: s.fact.key):
            if key in asked:
                made += _of_record(chart, judge, tuple(versions), runs)
    return tuple(sorted(made, key=lambda i: i.began))


def _plainly_clear(said: SaidDose, most: Decimal) -> bool:
    """A dose in IU of a believable size, of a drug that is given in IU; anything else is judged."""
    drug, daily = said.fact.payload, said.daily
    return (
        daily is not None
        and daily <= most
        and isinstance(drug, Order | Dose)
        and drug.unit == "[IU]"
        and drug.rate is None
        and drug.rate_unit is None
        and drug.drug != "enoxaparin"
    )


def _of_record(
    chart: Reader, judge: Judge, versions: tuple[SaidDose, ...], runs: tuple[Run, ...]
) -> Iterator[Interval]:
    """From an unclear version until a clear one is recorded, the order stops, or nobody clarified it in time."""
    opened: tuple[datetime, Fact, str] | None = None
    for i, said in enumerate(versions):
        if not _exposes(said.fact):
            continue
        why = _why(judge, said)
        if why is None and opened is not None:
            yield from _interval(chart, judge, opened, said.fact.recorded_at, runs)
            opened = None
        elif why is not None and opened is None:
            opened = (_from(said.fact, first=i == 0), said.fact, why)
    if opened is not None:
        yield from _interval(chart, judge, opened, FOREVER, runs)


def _from(fact: Fact, *, first: bool) -> datetime:
    """When the version takes effect: a later version of an order that does not say so, when it is recorded."""
    drug = fact.payload
    if isinstance(drug, Order) and drug.effective_from is None and not first:
        return fact.recorded_at
    return clinical_time(drug) or fact.recorded_at


def _exposes(fact: Fact) -> bool:
    match fact.payload:
        case Order(status="active", excluded=False) | Supply(excluded=False):
            return True
        case Dose(excluded=False, status=status):
            return status in _GIVEN
        case _:
            return False


def _why(judge: Judge, said: SaidDose) -> str | None:
    """What is not clear about a dose; None: it is clear."""
    drug = said.fact.payload
    if not isinstance(drug, Order | Dose | Supply):
        return None
    rate, rate_unit = (None, None) if isinstance(drug, Supply) else (drug.rate, drug.rate_unit)
    unitless = (drug.dose is not None and drug.unit is None) or (rate is not None and rate_unit is None)
    if judge.condition("a dose without a unit", unitless):
        return "a dose without a unit"
    in_mg = drug.drug_class == "heparin_ufh" and any((u or "").startswith("mg") for u in (drug.unit, rate_unit))
    if judge.condition("unfractionated heparin in mg", in_mg):
        return "unfractionated heparin in mg"
    if drug.drug == "enoxaparin" and drug.unit == "[IU]" and _outside(judge, drug):
        return "enoxaparin outside the doses in use"
    return "more a day than any therapy" if judge.more_than("most_a_day", said.daily) else None


def _outside(judge: Judge, drug: Order | Dose | Supply) -> bool:
    return judge.below("enoxaparin_least", drug.dose) | judge.more_than("enoxaparin_most", drug.dose)


def _interval(
    chart: Reader, judge: Judge, opened: tuple[datetime, Fact, str], clear: datetime, runs: Iterable[Run]
) -> Iterator[Interval]:
    began, fact, why = opened
    lapsed = chart.calendar.midnight(chart.calendar.day(began), judge.days("days"))
    own = (r for r in runs if any(f.key == fact.key for f in r.facts))
    stopped = next((r.ends for r in own if r.ends is not None and r.ends > began), FOREVER)
    ended = min(clear, lapsed, stopped)
    if began < ended:
        day = chart.calendar.day(began).isoformat()
        yield Interval(began, ended, evidence=(_evidence(fact),), details=(*_details(fact), ("why", why), ("day", day)))


def _details(fact: Fact) -> tuple[tuple[str, str], ...]:
    drug = fact.payload
    if not isinstance(drug, Order | Dose | Supply):
        return ()
    dose = "" if drug.dose is None else f"{drug.dose:f}"
    return (("drug", drug.drug), ("dose", f"{dose} {drug.unit or ''}".strip()))


def _evidence(fact: Fact) -> Evidence:
    drug = fact.payload
    if not isinstance(drug, Order | Dose | Supply):
        raise TypeError(f"{type(drug).__name__} is no dose")
    value = None if drug.dose is None else float(drug.dose)
    at = clinical_time(drug)
    return Evidence(f"{drug.drug} record", fact.record_id, fact.event_id, fact.source, value, drug.unit, at)


def _asks_dq_03(_chart: Reader, _judge: Judge, interval: Interval, _now: datetime) -> Iterator[str]:
    for shown in interval.evidence:
        yield f"unit or dose of the {shown.what} {shown.record_id}"


RULES = (Rule("DQ-03", tuple(name for c in _CLASSES for name in (orders(c), said_doses(c))), _dq_03, _asks_dq_03),)
