"""The body weight in force on a day, for doses by the kilogram."""

from bisect import bisect_right
from datetime import date, datetime
from decimal import Decimal

from schemas.days import Calendar
from schemas.definitions import Records
from schemas.facts import Measured


class Weights:
    """Weights in kg: of a day counts the last one measured on or before it."""

    def __init__(self, facts: Records, calendar: Calendar) -> None:
        self._calendar = calendar
        found = (r.winner.payload for r in facts if r.winner is not None)
        seen = sorted((p.observed_at, p.value) for p in found if isinstance(p, Measured) and p.value is not None)
        self._by_day = {calendar.day(at): value for at, value in seen}
        self._days = sorted(self._by_day)

    def __call__(self, at: datetime) -> Decimal | None:
        """The weight in force on the local day of an instant; None if none is known by then."""
        i = bisect_right(self._days, self._calendar.day(at))
        return self._by_day[self._days[i - 1]] if i else None

    def changes(self, first: date, last: date | None) -> list[date]:
        """The days after the first, up to the last, on which another weight comes into force."""
        return [day for day in self._days if first < day and (last is None or day <= last)]
