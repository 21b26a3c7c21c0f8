"""Dosage.timing as doses a day; None wherever the timing leaves a choice.

Source: http://hl7.org/fhir/R4/datatypes.html#Timing and http://hl7.org/fhir/R4/valueset-timing-abbreviation.html
"""

import re
from datetime import timedelta
from decimal import Decimal
from typing import Final

from streams.intake.fhir.codes import codes_of
from streams.intake.fhir.datatypes import Quantity, Repeat, Timing

_A_DAY: Final = {
    "s": Decimal(86_400),
    "min": Decimal(1_440),
    "h": Decimal(24),
    "d": Decimal(1),
    "wk": 1 / Decimal(7),
}
"""Periods a day. A month and a year have no fixed number of days."""
_DAYS: Final[dict[str, Decimal]] = {
    "s": 1 / Decimal(86_400),
    "min": 1 / Decimal(1_440),
    "h": 1 / Decimal(24),
    "d": Decimal(1),
    "wk": Decimal(7),
}
_ABBREVIATIONS: Final = {
    "QD": Decimal(1),
    "BID": Decimal(2),
    "TID": Decimal(3),
    "QID": Decimal(4),
    "QOD": Decimal("0.5"),
    "AM": Decimal(1),
    "PM": Decimal(1),
    "BED": Decimal(1),
    "WK": 1 / Decimal(7),
}
_EVERY: Final = re.compile(r"Q(\d{1,2})H\Z")
_MEALS: Final = frozenset({"C", "AC", "PC"})  # at every meal, however many there are
_LONGEST_BOUND: Final = Decimal(36_500)
_WEEK: Final = 7


def doses_per_day(timing: Timing | None) -> Decimal | None:
    """How many doses a day the timing says.

    A code is a whole statement and goes before `repeat`, as FHIR has it.
    """
    if timing is None:
        return None
    by_code = (
        [found for each in sorted(codes_of([timing.code])) if (found := _abbreviated(each))] if timing.code else []
    )
    return by_code[0] if by_code else _repeated(timing.repeat) if timing.repeat else None


def _abbreviated(code: str) -> Decimal | None:
    every = _EVERY.match(code)
    return Decimal(24) / int(every[1]) if every and int(every[1]) else _ABBREVIATIONS.get(code)


def _repeated(given: Repeat) -> Decimal | None:
    if _is_a_range(given) or _MEALS & set(given.when):
        return None
    a_day = _times_a_day(given)
    if a_day is None or not given.day_of_week:
        return a_day
    return _on_some_days(given, a_day)


def _is_a_range(given: Repeat) -> bool:
    more_often = given.frequency_max is not None and given.frequency_max != (given.frequency or 1)
    return more_often or (given.period_max is not None and given.period_max != given.period)


def _times_a_day(given: Repeat) -> Decimal | None:
    """By frequency and period; `timeOfDay` and `when` list the times of each day, and a frequency must agree."""
    named = len(given.time_of_day) or len(given.when)
    periods = _A_DAY.get(given.period_unit or "")
    if given.period is None or periods is None or given.period <= 0:
        alone = given.period is None and given.period_unit is None and given.frequency in {None, named}
        return Decimal(named) if named and alone else None
    frequency = given.frequency or 1
    if named > 1 and frequency not in {1, named}:
        return None
    return max(frequency, named) * periods / given.period


def _on_some_days(given: Repeat, a_day: Decimal) -> Decimal | None:
    days = len(set(given.day_of_week))
    if given.period_unit == "wk":
        agrees = given.period == 1 and given.frequency in {None, 1, days}
        return Decimal(max(days, len(given.time_of_day) * days)) / _WEEK if agrees else None
    return a_day * days / _WEEK


def duration(given: Quantity | None) -> timedelta | None:
    """A Duration in days, hours, weeks; months and years have no fixed length."""
    days = _DAYS.get((given.code or given.unit or "") if given else "")
    if given is None or given.value is None or days is None or not 0 < given.value * days <= _LONGEST_BOUND:
        return None
    return timedelta(seconds=int(given.value * days * 86_400))


def counted(given: Repeat) -> timedelta | None:
    """How long `count` doses last at the frequency that is said."""
    a_day = _repeated(given)
    if given.count is None or given.count_max is not None or not a_day or given.count <= 0:
        return None
    days = given.count / a_day
    return timedelta(seconds=int(days * 86_400)) if days <= _LONGEST_BOUND else None
