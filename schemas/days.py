"""Instants and the site's local days."""

from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

FOREVER: Final = datetime(9999, 12, 31, tzinfo=UTC)
"""The end of what has no end."""

ONE_DAY: Final = timedelta(days=1)


def to_utc(instant: datetime) -> datetime:
    """The same instant in UTC, so that instants compare without asking a zone."""
    return instant if instant.tzinfo is UTC else instant.astimezone(UTC)


class Calendar:
    """The site's time zone: which local day an instant is in, and when a day begins.

    Topic: a day that begins in a gap of the clock begins at the gap's end, one whose midnight comes twice at the first.
    """

    def __init__(self, zone: ZoneInfo) -> None:
        self.zone = zone
        self._day = lru_cache(maxsize=65_536)(self._find_day)
        self._midnight = lru_cache(maxsize=16_384)(self._find_midnight)

    def _find_day(self, instant: datetime) -> date:
        return instant.astimezone(self.zone).date()

    def _find_midnight(self, day: date) -> datetime:
        return datetime(day.year, day.month, day.day, tzinfo=self.zone).astimezone(UTC)

    def day(self, instant: datetime) -> date:
        """The local day of an instant."""
        return self._day(instant)

    def midnight(self, day: date, plus: int = 0) -> datetime:
        """The instant, in UTC, that begins the local day `plus` days after `day`."""
        return self._midnight(day + timedelta(days=plus) if plus else day)

    def local(self, instant: datetime) -> datetime:
        """The instant with the site's offset, as people read it."""
        return instant.astimezone(self.zone)
