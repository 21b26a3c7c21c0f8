"""When the fortnight is, and where."""

from datetime import datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

ZONE: Final = "Europe/Berlin"
STARTS: Final = datetime(2026, 3, 1, tzinfo=ZoneInfo(ZONE))
ENDS: Final = STARTS + timedelta(days=15)
"""A fortnight and the Sunday after it: that day brings what two weeks of waiting were for."""
