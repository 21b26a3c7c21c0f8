"""Days of therapeutic anticoagulation, as far as doses tell.

Source: docs/evidence.md 2.3; docs/intervals.md SAF-06 (decided).
"""

from collections.abc import Callable, Iterable, Iterator
from datetime import date, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any, Final

import msgspec

from alerting.judge import Judge
from schemas.days import FOREVER, ONE_DAY, Calendar
from schemas.definitions import Name, Reader
from schemas.facts import Dose, Fact, Measured, Order, Supply
from schemas.views import Ledger, Stretch, ledger, winners

_UFH, _LMWH, _FONDAPARINUX, _VKA = ledger("heparin_ufh"), ledger("lmwh"), ledger("pentasaccharide"), ledger("vka")
WEIGHT: Final = winners("measurement/body_weight")
READS: Final[tuple[Name[Any], ...]] = (_UFH, _LMWH, _FONDAPARINUX, _VKA, WEIGHT)
PROPHYLAXIS: Final = (_UFH, _LMWH, _FONDAPARINUX, _VKA)
_IU_PER_MG: Final = Decimal(100)

Therapeutic = Callable[[Stretch, date], bool]


def _amount(s: Stretch) -> Decimal | None:
    """What was given; on a day that may be incomplete, at least what is ordered."""
    return max((a for a in (s.amount, s.floor) if a is not None), default=None)


def _is_enoxaparin(s: Stretch) -> bool:
    payloads = [f.payload for f in s.facts]
    return bool(payloads) and all(isinstance(p, Order | Dose | Supply) and p.drug == "enoxaparin" for p in payloads)


def weight_on(facts: Iterable[Fact], day: date, calendar: Calendar) -> Decimal | None:
    """The last weight measured on or before a local day, in kg."""
    known: Decimal | None = None
    for fact in facts:  # in the order of observation
        said = fact.payload
        if isinstance(said, Measured) and said.value is not None and calendar.day(said.observed_at) <= day:
            known = said.value
    return known


def therapeutic(chart: Reader, judge: Judge) -> tuple[tuple[Name[Ledger], Therapeutic], ...]:
    """The ledgers that are read, each with what a therapeutic day is."""

    def lmwh(s: Stretch, day: date) -> bool:
        amount, weight = _amount(s), weight_on(chart[WEIGHT], day, chart.calendar)
        if amount is not None and weight:
            return judge.at_least("lmwh_per_kg", amount / weight)
        return _is_enoxaparin(s) and judge.more_than(
            "enoxaparin_without_weight", None if amount is None else amount / _IU_PER_MG
        )

    return (
        (_UFH, lambda s, _: judge.at_least("ufh", _amount(s))),
        (_LMWH, lmwh),
        (_FONDAPARINUX, lambda s, _: judge.at_least("fondaparinux", _amount(s))),
        (_VKA, lambda _s, _d: judge.condition("a vitamin K antagonist is taken", True)),  # noqa: FBT003
    )


class Anticoagulated(msgspec.Struct, frozen=True):
    """Days [first, until) of therapeutic anticoagulation; `begins`: the instant of the first dose or order."""

    first: date
    until: date
    begins: datetime


def anticoagulated(chart: Reader, judge: Judge) -> tuple[Anticoagulated, ...]:
    """All stretches of therapeutic days of any anticoagulant, by their beginning."""
    weighed = {chart.calendar.day(f.payload.observed_at) for f in chart[WEIGHT] if isinstance(f.payload, Measured)}
    found = [
        Anticoagulated(first, until, s.begins if first == s.first else chart.calendar.midnight(first))
        for name, is_therapeutic in therapeutic(chart, judge)
        for s in chart[name].stretches
        for first, until in _parts(s, weighed if name is _LMWH else set())
        if is_therapeutic(s, first)
    ]
    return tuple(sorted(found, key=lambda a: (a.begins, a.until)))


def _parts(s: Stretch, cuts: set[date]) -> Iterator[tuple[date, date]]:
    """The stretch as [first, until), cut where a new weight may change what its dose means."""
    end = FOREVER.date() if s.last is None else s.last + ONE_DAY
    days = [s.first, *sorted(c for c in cuts if s.first < c < end), end]
    yield from pairwise(days)


def first_free_day(found: Iterable[Anticoagulated], day: date) -> date | None:
    """The first day, from `day` on, that is not therapeutically anticoagulated; None: no end of it is known."""
    for one in sorted(found, key=lambda a: a.first):
        if one.first <= day < one.until:
            day = one.until
    return None if day >= FOREVER.date() - timedelta(days=1) else day
