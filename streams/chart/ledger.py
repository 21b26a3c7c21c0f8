"""The exposure ledger of a class of drugs, day by day: administered before dispensed before ordered, never added.

Source: docs/evidence.md 2.5 (counting); all of it heuristic, and said so in docs/counting.md.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from itertools import islice
from typing import Any, Final

import msgspec

from schemas.days import ONE_DAY, Calendar
from schemas.definitions import Definition, Reader, Record, Records, records
from schemas.facts import Dose, Fact, Order, Supply
from schemas.views import Layer, Ledger, Stretch, ledger
from streams.chart.amounts import HEPARINS, MOST_IU_A_DAY, Drug, a_day, by_the_kilogram, hourly, one_dose
from streams.chart.orders import timelines
from streams.chart.timeline import Span
from streams.chart.weights import Weights

LONGEST_ASSUMED: Final = 14
LONGEST_SUPPLY: Final = 730
"""Days. A supply beyond it is an error of the number, and how long it lasts is not known."""
LONGEST_INFUSION: Final = timedelta(days=31)
"""An infusion that ends later has a wrong end: it exposes its first day, to an unknown amount."""
_GIVEN: Final = frozenset({"completed", "in_progress", "stopped"})
_SECONDS_AN_HOUR: Final = Decimal(3600)

Worth = Callable[[str, Decimal], Decimal | None]
"""What an amount of a drug is worth in the ledger's unit (mg prednisone), by the drug's name; None: unknown."""


def as_it_is(_drug: str, found: Decimal) -> Decimal:
    """The amount itself."""
    return found


class _Cover(msgspec.Struct, frozen=True):
    """Days covered by one thing said: `ends_with` and `starts_with` tell a switch day."""

    first: date
    last: date | None
    begins: datetime
    amount: Decimal | None
    fact: Fact
    order: str
    no_dose: bool = False
    as_of: datetime | None = None


class _Ledger:
    """One building of a ledger."""

    def __init__(self, drug_class: str, calendar: Calendar, weight: Weights, worth: Worth) -> None:
        self.drug_class = drug_class
        self.calendar = calendar
        self.weight = weight
        self.worth = worth
        self.most = MOST_IU_A_DAY if drug_class in HEPARINS else None

    def worthy(self, drug: str, found: Decimal | None) -> Decimal | None:
        return None if found is None else self.worth(drug, found)

    def sane(self, found: Decimal | None) -> Decimal | None:
        """An amount a day beyond any therapy is an error of unit: unknown."""
        return None if found is not None and self.most is not None and found > self.most else found

    def _exposes(self, drug: Drug) -> bool:
        return drug.drug_class == self.drug_class and not drug.excluded

    # ---- ordered

    def ordered(self, order_id: str, timeline: Sequence[Span]) -> Iterator[_Cover]:
        for span in timeline:
            order = span.fact.payload
            if not isinstance(order, Order) or not self._exposes(order) or not span.active or order.as_needed:
                continue
            first, last = self._days(span.begins, span.ends)
            if last is not None and last < first:
                continue
            yield from self._by_weight(order, span, order_id, first, last)

    def _by_weight(self, order: Order, span: Span, order_id: str, first: date, last: date | None) -> Iterator[_Cover]:
        """One cover, or one for each weight in force where the dose is by the kilogram."""
        by_weight = by_the_kilogram(order)
        no_dose = order.dose is None and order.rate is None
        cuts = [first, *(self.weight.changes(first, last) if by_weight else ())]
        for i, day in enumerate(cuts):
            begins = span.begins if i == 0 else self.calendar.midnight(day)
            until = cuts[i + 1] - ONE_DAY if i + 1 < len(cuts) else last
            daily = self.sane(self.worthy(order.drug, a_day(order, self.weight(begins))))
            if daily != 0:
                yield _Cover(day, until, begins, daily, span.fact, order_id, no_dose)

    def _days(self, begins: datetime, ends: datetime | None) -> tuple[date, date | None]:
        """The local days that [begins, ends) touches."""
        first = self.calendar.day(begins)
        if ends is None:
            return first, None
        last = self.calendar.day(ends)
        return first, last - ONE_DAY if self.calendar.midnight(last) == ends and last > first else last

    def _ordered_amount(self, order: Order, span: Span) -> Decimal | None:
        return self.worthy(order.drug, a_day(order, self.weight(span.begins)))

    # ---- dispensed

    def dispensed(self, fact: Fact, orders: dict[str, tuple[Span, ...]]) -> _Cover | None:
        supply = fact.payload
        if not isinstance(supply, Supply) or not self._exposes(supply):
            return None
        if supply.days_supply is None or not 1 <= supply.days_supply <= LONGEST_SUPPLY:
            return None
        first = self.calendar.day(supply.dispensed_at)
        last = first + timedelta(days=int(supply.days_supply) - 1)
        for span in orders.get(supply.placer_order or "", ()):
            if span.fact.payload.status != "active" and span.begins > supply.dispensed_at:
                held, until = self._days(supply.dispensed_at, span.begins)
                last = min(last, until or held)
                break
        found = self.sane(self._supplied_amount(supply, first, orders))
        return _Cover(
            first, last, supply.dispensed_at, found, fact, supply.placer_order or "", as_of=supply.dispensed_at
        )

    def _supplied_amount(self, supply: Supply, day: date, orders: dict[str, tuple[Span, ...]]) -> Decimal | None:
        said = a_day(supply, self.weight(supply.dispensed_at))
        if said is not None:
            return self.worthy(supply.drug, said)
        for span in orders.get(supply.placer_order or "", ()):
            order = span.fact.payload
            if isinstance(order, Order) and span.active and self.calendar.day(span.begins) <= day:
                return self._ordered_amount(order, span)
        return None

    # ---- administered

    def administered(self, facts: Iterable[Fact]) -> tuple[dict[date, Stretch], set[date]]:
        """Exposed days by doses given, and days on which every administration was not done."""
        given: dict[date, list[tuple[datetime, Decimal | None, Fact]]] = {}
        not_given: set[date] = set()
        for fact in facts:
            dose = fact.payload
            if not isinstance(dose, Dose) or not self._exposes(dose):
                continue
            if dose.status in _GIVEN and dose.dose != 0:
                for day, begins, part in self._parts(dose):
                    given.setdefault(day, []).append((begins, part, fact))
            elif dose.status in _GIVEN or dose.status == "not_done":
                not_given.add(self.calendar.day(dose.given_at))
        days = {day: self._day(day, parts) for day, parts in given.items()}
        return days, not_given - days.keys()

    def _day(self, day: date, parts: Sequence[tuple[datetime, Decimal | None, Fact]]) -> Stretch:
        known = [part for _, part, _ in parts if part is not None]
        total = self.sane(sum(known, Decimal(0))) if len(known) == len(parts) else None
        begins = min(begins for begins, _, _ in parts)
        return Stretch(day, day, begins, total, "administered", facts=tuple(fact for _, _, fact in parts))

    def _parts(self, dose: Dose) -> Iterator[tuple[date, datetime, Decimal | None]]:
        """An infusion is integrated over its days; anything else is of the day on which it was given."""
        weight = self.weight(dose.given_at) if by_the_kilogram(dose) else None
        rate = hourly(dose, weight)
        first = self.calendar.day(dose.given_at)
        if dose.ends_at is None or dose.ends_at <= dose.given_at or (rate is None and dose.rate is None):
            yield first, dose.given_at, self.worthy(dose.drug, one_dose(dose, weight))
            return
        if dose.ends_at - dose.given_at > LONGEST_INFUSION:
            yield first, dose.given_at, None
            return
        begins = dose.given_at
        while begins < dose.ends_at:
            day = self.calendar.day(begins)
            ends = min(dose.ends_at, self.calendar.midnight(day, 1))
            hours = Decimal((ends - begins).total_seconds()) / _SECONDS_AN_HOUR
            yield day, begins, self.worthy(dose.drug, None if rate is None else rate * hours)
            begins = ends


def _sum(covers: Sequence[_Cover]) -> Decimal | None:
    known = [c.amount for c in covers if c.amount is not None]
    return sum(known, Decimal(0)) if len(known) == len(covers) else None


def _counting(covers: Sequence[_Cover], day: date) -> list[_Cover]:
    """The orders that count on a day: on a switch day only what starts, else all together."""
    starting = [c for c in covers if c.first == day]
    if starting:
        covers = [c for c in covers if c.first == day or c.last != day]
        latest = {c.order: c for c in sorted(covers, key=lambda c: c.begins)}
        return list(latest.values())
    return list(covers)


def _cuts(covers: Sequence[_Cover]) -> list[date]:
    """The days on which the set of covering orders may differ from the day before."""
    days: set[date] = set()
    for c in covers:
        days |= {c.first, c.first + ONE_DAY}
        if c.last is not None:
            days |= {c.last, c.last + ONE_DAY}
    return sorted(days)


def _there(covers: Sequence[_Cover], cuts: Iterable[date]) -> Iterator[list[_Cover]]:
    """For each cut, in order, the covers of that day, in the order in which they were said."""
    coming = sorted(enumerate(covers), key=lambda c: c[1].first, reverse=True)
    there: list[tuple[int, _Cover]] = []
    for day in cuts:
        there = [c for c in there if c[1].last is None or day <= c[1].last]
        come = len(there)
        while coming and coming[-1][1].first <= day:
            there.append(coming.pop())
        if len(there) > come:
            there = sorted((c for c in there if c[1].last is None or day <= c[1].last), key=lambda c: c[0])
        yield [cover for _, cover in there]


def _layered(covers: Sequence[_Cover], layer: Layer, building: "_Ledger") -> list[Stretch]:
    """Stretches of one layer from things that overlap."""
    calendar = building.calendar
    made = []
    cuts = _cuts(covers)
    for i, (day, found) in enumerate(zip(cuts, _there(covers, cuts), strict=True)):
        last = cuts[i + 1] - ONE_DAY if i + 1 < len(cuts) else None
        if not found:
            continue
        there = [max(found, key=lambda c: (c.begins, c.fact.rank))] if layer == "dispensed" else _counting(found, day)
        begins = min((c.begins for c in there if c.first == day), default=None)
        earlier = any(c.first < day for c in there)
        begins = calendar.midnight(day) if begins is None or earlier else begins
        facts = tuple(c.fact for c in there)
        no_dose = any(c.no_dose for c in there)
        daily = building.sane(_sum(there))
        made.append(Stretch(day, last, begins, daily, layer, assumed=no_dose, facts=facts))
    return made


_Days = tuple[date, date | None]
"""From a day to another, both of them in; None: without end."""


def _runs(days: Iterable[date]) -> list[_Days]:
    """Days as runs of days that follow one another."""
    made: list[tuple[date, date]] = []
    for day in sorted(days):
        if made and day - made[-1][1] == ONE_DAY:
            made[-1] = (made[-1][0], day)
        else:
            made.append((day, day))
    return list(made)


def _minus(stretches: Iterable[Stretch], taken: Sequence[_Days], calendar: Calendar) -> list[Stretch]:
    """The stretches less some days; both in order, and each without overlaps."""
    made: list[Stretch] = []
    i = 0
    for s in stretches:
        while i < len(taken) and (last := taken[i][1]) is not None and last < s.first:
            i += 1
        rest: Stretch | None = s
        for first, last in islice(taken, i, None):
            if rest is None or (rest.last is not None and rest.last < first):
                break
            if rest.first < first:
                made.append(msgspec.structs.replace(rest, last=first - ONE_DAY))
            rest = _after(rest, last, calendar)
        if rest is not None:
            made.append(rest)
    return made


def _after(s: Stretch, last: date | None, calendar: Calendar) -> Stretch | None:
    """What of a stretch comes after a day."""
    if last is None or (s.last is not None and s.last <= last):
        return None
    return msgspec.structs.replace(s, first=last + ONE_DAY, begins=calendar.midnight(last, 1))


def _assume(stretches: Sequence[Stretch], calendar: Calendar) -> Iterator[Stretch]:
    """Orders without a dose take the last known amount for at most 14 days; after that it is unknown."""
    known: Decimal | None = None
    left = LONGEST_ASSUMED
    for s in stretches:
        if not (s.assumed and s.amount is None):
            if s.amount is not None:
                known, left = s.amount, LONGEST_ASSUMED
            yield msgspec.structs.replace(s, assumed=False) if s.assumed else s
            continue
        length = None if s.last is None else (s.last - s.first).days + 1
        covered = 0 if known is None else left if length is None else min(left, length)
        if covered:
            last = s.first + timedelta(days=covered - 1)
            yield msgspec.structs.replace(s, last=last, amount=known)
            left -= covered
        if length is None or covered < length:
            first = s.first + timedelta(days=covered)
            begins = s.begins if not covered else calendar.midnight(first)
            yield msgspec.structs.replace(s, first=first, begins=begins, assumed=False)


def _winning(found: Iterable[Record]) -> list[Fact]:
    return [r.winner for r in found if r.winner is not None]


def build(found: Records, drug_class: str, calendar: Calendar, weight: Weights, worth: Worth) -> Ledger:
    """The ledger of the records of one class.

    Topic: `found` may hold orders whose other versions are of another class; those versions expose to nothing here.
    """
    building = _Ledger(drug_class, calendar, weight, worth)
    orders = timelines(found)
    facts = _winning(found)
    ordered = _layered([c for name, t in orders.items() for c in building.ordered(name, t)], "ordered", building)
    supplies = [c for f in facts if (c := building.dispensed(f, orders)) is not None]
    dispensed = _layered(supplies, "dispensed", building)
    given, not_given = building.administered(facts)
    lower = dispensed + _minus(ordered, [(s.first, s.last) for s in dispensed], calendar)
    lower = _minus(sorted(lower, key=lambda s: s.first), _runs(not_given | given.keys()), calendar)
    by_order = Ledger(tuple(ordered))
    doses = [
        msgspec.structs.replace(s, floor=at.amount) if (at := by_order.on(day)) is not None else s
        for day, s in given.items()
    ]
    stretches = sorted((*lower, *doses), key=lambda s: s.first)
    return Ledger(tuple(_assume(stretches, calendar)))


def ledger_of(drug_class: str, worth: Worth = as_it_is) -> Definition[Ledger]:
    """The definition of the ledger of a class: [IU] a day for heparins, else mg a day times `worth`."""
    drugs, weights = records(f"drug/{drug_class}"), records("measurement/body_weight")

    def derive(chart: Reader) -> Ledger:
        found = chart[drugs]
        return (
            build(found, drug_class, chart.calendar, Weights(chart[weights], chart.calendar), worth)
            if found
            else Ledger()
        )

    reads: tuple[Any, ...] = (drugs, weights)
    return Definition(ledger(drug_class), reads, derive)
