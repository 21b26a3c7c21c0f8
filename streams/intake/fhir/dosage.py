"""Dosage instructions as the steps of an order: what is taken from when to when.

Instructions of disjoint periods, or of different `sequence`, follow one another: each is a step. Those of one time are
taken side by side: their amounts of a day are added where all are known in one unit, and where not the dose is unknown.
A dose taken only when needed is added to nothing. A range is no dose. `dispenseRequest.validityPeriod` says until when
a pharmacy may dispense, which is no end of the treatment.
Source: http://hl7.org/fhir/R4/dosage.html
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import groupby, pairwise

from schemas.events import Quantity
from streams.intake.fhir.codes import amount, named, rate
from streams.intake.fhir.datatypes import Dosage, DoseAndRate, Range
from streams.intake.fhir.reading import Entry
from streams.intake.fhir.timing import counted, doses_per_day, duration


@dataclass(frozen=True, slots=True)
class Step:
    """What is taken over one span of an order; without `until` it is open."""

    since: datetime | None = None
    until: datetime | None = None
    dose: Quantity | None = None
    doses_per_day: Decimal | None = None
    rate: Quantity | None = None
    route: str | None = None
    as_needed: bool = False
    sequence: int | None = None
    lasting: timedelta | None = None

    @property
    def a_day(self) -> tuple[Decimal, str | None] | None:
        """The amount of a day with its unit, where both dose and frequency are known."""
        if self.dose is None or self.doses_per_day is None:
            return None
        return self.dose.value * self.doses_per_day, self.dose.unit


def steps(entry: Entry, given: Sequence[Dosage], start: datetime | None, where: str) -> tuple[Step, ...]:
    """The steps in order of time; one at least."""
    read = [_step(entry, each, f"{where}[{i}]") for i, each in enumerate(given)]
    if len(read) <= 1:
        return (_dated(read[0] if read else Step(), start),)
    if _are_disjoint(read):
        return tuple(sorted((_dated(each, None) for each in read), key=_begin))
    if len({each.sequence for each in read}) > 1:
        return _chained(entry, read, start)
    return (_dated(_side_by_side(entry, read), start),)


def _step(entry: Entry, given: Dosage, where: str) -> Step:
    repeat = given.timing.repeat if given.timing else None
    period = repeat.bounds_period if repeat else None
    since = entry.at(period.start if period else None, f"{where}.timing.repeat.boundsPeriod.start")
    until = entry.end(period.end if period else None, f"{where}.timing.repeat.boundsPeriod.end")
    dose, speed = _dose_and_rate(entry, given.dose_and_rate)
    lasting = (duration(repeat.bounds_duration) or counted(repeat)) if repeat else None
    return Step(
        since=since,
        until=until,
        dose=dose,
        doses_per_day=doses_per_day(given.timing),
        rate=speed,
        route=named(given.route),
        as_needed=bool(given.as_needed_boolean) or given.as_needed_codeable_concept is not None,
        sequence=given.sequence,
        lasting=lasting,
    )


def _dose_and_rate(entry: Entry, given: tuple[DoseAndRate, ...]) -> tuple[Quantity | None, Quantity | None]:
    if len(given) > 1:
        entry.document.count("several_doses")
    if len(given) != 1:
        return None, None
    one = given[0]
    if one.dose_range is not None or one.rate_range is not None:
        entry.document.count("dose_range")
    dose = amount(one.dose_quantity) or _both_ends(one.dose_range)
    return dose, amount(one.rate_quantity) or rate(one.rate_ratio) or _both_ends(one.rate_range)


def _both_ends(given: Range | None) -> Quantity | None:
    low, high = amount(given.low if given else None), amount(given.high if given else None)
    return low if low == high else None


def _dated(step: Step, start: datetime | None) -> Step:
    since = step.since or start
    until = step.until or (since + step.lasting if since and step.lasting else None)
    return replace(step, since=since, until=until)


def _begin(step: Step) -> float:
    return step.since.timestamp() if step.since else 0.0


def _are_disjoint(given: Sequence[Step]) -> bool:
    dated = sorted((_dated(each, None) for each in given), key=_begin)
    if any(each.since is None for each in dated):
        return False
    return all(a.until is not None and b.since is not None and a.until <= b.since for a, b in pairwise(dated))


def _chained(entry: Entry, given: Sequence[Step], start: datetime | None) -> tuple[Step, ...]:
    """Groups of one `sequence`, each beginning where the one before ends; undatable, the dose is unknown."""
    chain: list[Step] = []
    ordered = sorted(given, key=lambda each: each.sequence or 0)
    for _, group in groupby(ordered, key=lambda each: each.sequence or 0):
        begin = chain[-1].until if chain else start
        step = _dated(_side_by_side(entry, list(group)), begin)
        if step.since is None or (chain and begin is None):
            entry.document.count("unplaced_dosage")
            return (_dated(_unknown(given), start),)
        chain.append(step)
    return tuple(chain)


def _side_by_side(entry: Entry, given: Sequence[Step]) -> Step:
    """Instructions of one time as one: their amounts of a day are added."""
    regular = [each for each in given if not each.as_needed]
    if len(regular) <= 1:
        return regular[0] if regular else _unknown(given)
    if len({(each.since, each.until, each.lasting) for each in regular}) > 1:
        entry.document.count("unplaced_dosage")
        return _unknown(regular)
    return _added(entry, regular)


def _added(entry: Entry, given: Sequence[Step]) -> Step:
    amounts = [each.a_day for each in given]
    units = {each[1] for each in amounts if each is not None}
    if any(each is None for each in amounts) or len(units) != 1 or any(each.rate for each in given):
        entry.document.count("unplaced_dosage")
        return _unknown(given)
    total = sum((each[0] for each in amounts if each is not None), Decimal(0))
    entry.document.count("doses_added")
    alike = len({each.dose for each in given}) == 1
    times = sum((each.doses_per_day or Decimal(0) for each in given), Decimal(0))
    dose = given[0].dose if alike else Quantity(value=total, unit=units.pop())
    return replace(given[0], dose=dose, doses_per_day=times if alike else Decimal(1))


def _unknown(given: Sequence[Step]) -> Step:
    """One step of unknown dose over all that the instructions span."""
    sinces = [each.since for each in given]
    untils = [_dated(each, None).until for each in given]
    return Step(
        since=min((each for each in sinces if each), default=None),
        until=max(each for each in untils if each) if all(untils) else None,
        route=given[0].route,
        as_needed=all(each.as_needed for each in given),
    )
