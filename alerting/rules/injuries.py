"""Major injuries as patients reported them: a fracture after one is no fragility fracture.

Source: docs/intervals.md SPN-02 and HIP-02 (an `injury` of a symptom report).
"""

from bisect import bisect_right
from collections.abc import Iterable
from datetime import date, datetime

from schemas.days import Calendar
from schemas.definitions import Reader
from schemas.facts import Fact, SymptomReport
from schemas.views import winners

SYMPTOMS = (winners("symptom/back"), winners("symptom/hip"))


class Injuries:
    """The days of reports with a major injury."""

    __slots__ = ("_calendar", "_days")

    def __init__(self, chart: Reader) -> None:
        self._calendar = chart.calendar
        self._days = sorted(_days(chart.calendar, (f for name in SYMPTOMS for f in chart[name])))

    def explain(self, at: datetime, within: int) -> bool:
        """A major injury is dated on the day of an instant or up to so many days before."""
        day = self._calendar.day(at)
        i = bisect_right(self._days, day)
        return bool(i) and (day - self._days[i - 1]).days <= within


def _days(calendar: Calendar, facts: Iterable[Fact]) -> set[date]:
    said = (f.payload for f in facts)
    return {calendar.day(s.observed_at) for s in said if isinstance(s, SymptomReport) and s.injury == "major"}


def injury_stated(chart: Reader, began: datetime, within: int, now: datetime) -> bool:
    """A report of the days before a sign, or since, says whether there was an injury."""
    day = chart.calendar.day(began)
    said = (f.payload for name in SYMPTOMS for f in chart[name])
    return any(
        s.injury is not None and s.observed_at <= now and (day - chart.calendar.day(s.observed_at)).days <= within
        for s in said
        if isinstance(s, SymptomReport)
    )
