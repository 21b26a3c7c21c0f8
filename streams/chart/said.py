"""What was said of doses, version by version, with the amount a day that each comes to.

Source: docs/intervals.md DQ-03, which reads all versions.
"""

from collections import defaultdict
from collections.abc import Iterator
from decimal import Decimal
from typing import Final

from schemas.days import Calendar
from schemas.definitions import Definition, Reader, Records, records
from schemas.facts import Dose, Fact, Order, RecordKey, Supply
from schemas.views import SaidDose, said_doses
from streams.chart.amounts import WeightAt, a_day, by_the_kilogram, hourly, one_dose
from streams.chart.weights import Weights

_GIVEN: Final = frozenset({"completed", "in_progress", "stopped"})
_SECONDS_AN_HOUR: Final = Decimal(3600)
_HOURS_A_DAY: Final = Decimal(24)


def _given(dose: Dose, weight: WeightAt) -> Decimal | None:
    """What one administration came to; of an infusion at most a day."""
    weighs = weight(dose.given_at) if by_the_kilogram(dose) else None
    rate = hourly(dose, weighs)
    if rate is None or dose.ends_at is None:
        return one_dose(dose, weighs)
    hours = Decimal((dose.ends_at - dose.given_at).total_seconds()) / _SECONDS_AN_HOUR
    return rate * max(Decimal(0), min(hours, _HOURS_A_DAY))


def _sums(found: Records, weight: WeightAt, calendar: Calendar) -> dict[RecordKey, Decimal]:
    """By administration: what was given on its day up to and with it."""
    given = [
        (dose.given_at, record.key, amount)
        for record in found
        if record.winner and isinstance(dose := record.winner.payload, Dose) and dose.status in _GIVEN
        if not dose.excluded and (amount := _given(dose, weight)) is not None
    ]
    sums: dict[RecordKey, Decimal] = {}
    totals: defaultdict[object, Decimal] = defaultdict(Decimal)
    for at, key, amount in sorted(given):
        day = calendar.day(at)
        totals[day] += amount
        sums[key] = totals[day]
    return sums


def _daily(fact: Fact, weight: WeightAt) -> Decimal | None:
    match fact.payload:
        case Order() as order:
            return a_day(order, weight(order.effective_from or order.starts_at))
        case Supply() as supply:
            return a_day(supply, weight(supply.dispensed_at))
        case Dose() as dose:
            return _given(dose, weight)
        case _:
            return None


def said_of(drug_class: str) -> Definition[tuple[SaidDose, ...]]:
    """The definition of what was said of the doses of a class."""
    drugs, weights = records(f"drug/{drug_class}"), records("measurement/body_weight")

    def said(chart: Reader) -> Iterator[SaidDose]:
        weight = Weights(chart[weights], chart.calendar)
        sums = _sums(chart[drugs], weight, chart.calendar)
        for record in chart[drugs]:
            for fact in record.live:
                summed = sums.get(record.key) if fact is record.winner else None
                yield SaidDose(fact, _daily(fact, weight) if summed is None else summed)

    return Definition(said_doses(drug_class), (drugs, weights), lambda chart: tuple(said(chart)))
