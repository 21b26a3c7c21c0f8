"""Dosage instructions as the steps of an order: what is taken from when to when.

Instructions of disjoint periods, or of different `sequence`, follow one another: each is a step. Those of one time are
taken side by side: their amounts of a day are added where all are known in one unit, and where not the dose is unknown.
A dose taken only when needed is added to nothing. A range is no dose. `dispenseRequest.validityPeriod` says until when a
pharmacy may dispense, which is no end of the treatment.
Source: http://hl7.org/fhir/R4/dosage.html
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal

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
        return tuple(sorted(read, key=_begin))
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
    step = Step(
        since=since,
        until=until,
        dose=dose,
        doses_per_day=doses_per_day(given.timing),
        rate=speed,
        route=named(given.route),
        as_needed=bool(given.as_needed_boolean) or given.as_needed_codeable_concept is not None,
        sequence=given.sequence,
    )
    return step if lasting is None or until else _Lasting.of(step, lasting)


@dataclass(frozen=True, slots=True)
class _Lasting(Step):
    """A step of known length whose beginning may still be open."""

    seconds: float = 0


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
