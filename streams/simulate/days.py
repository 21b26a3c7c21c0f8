"""Days of the site's zone as ordinal numbers, and the instants of their minutes."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

DAY: Final = 1440
"""Minutes."""
_KEPT: Final = 1024


class Days:
    """The site's calendar. A day is its ordinal number; a minute is counted from the day's midnight."""

    def __init__(self, zone: ZoneInfo) -> None:
        self._zone = zone
        self._midnights: dict[int, datetime] = {}

    def at(self, day: int, minute: int = 0) -> datetime:
        """The instant of a minute of a local day, in UTC; beyond 1,440 it is of a later day."""
        if minute >= DAY:
            day, minute = day + minute // DAY, minute % DAY
        midnight = self._midnights.get(day)
        if midnight is None:
            midnight = self._midnight(day)
        return midnight + timedelta(minutes=minute)

    def _midnight(self, day: int) -> datetime:
        if len(self._midnights) >= _KEPT:
            self._midnights.clear()
        found = datetime.combine(date.fromordinal(day), time(), self._zone).astimezone(UTC)
        self._midnights[day] = found
        return found


def named(day: int) -> str:
    """A day as it is written: 2026-01-31."""
    return date.fromordinal(day).isoformat()
