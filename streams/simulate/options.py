"""What a simulation is asked for."""

from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Final
from zoneinfo import ZoneInfo

FORMATS: Final = ("events", "hl7v2", "fhir")
MIXES: Final = ("courses", "hospital")
FIRST_DAY: Final = date(2026, 1, 5)
"""A Monday; without `start` every run begins here, so that it is the same run."""


@dataclass(frozen=True, slots=True)
class Imperfections:
    """Shares of what goes wrong between a hospital's systems; each from 0 to 1."""

    late: float = 0.0
    """Of messages: sent hours to days after they were recorded, so out of order."""
    duplicated: float = 0.0
    """Of messages: sent twice, byte by byte."""
    corrected: float = 0.0
    """Of laboratory reports: wrong at first, corrected hours later."""
    cancelled: float = 0.0
    """Of laboratory reports and doses: another patient's, or never given, taken back hours later."""
    merged: float = 0.0
    """Of patients: known under a temporary number first, merged later."""
    unmerged: float = 0.0
    """Of patients: merged with somebody else by mistake, and parted again."""


@dataclass(frozen=True, slots=True)
class Options:
    """What is simulated. The same options give the same messages."""

    seed: int = 1
    patients: int = 200
    start: date = FIRST_DAY
    days: int = 365
    run_in: int = 300
    """Days before `start` over which courses already began; what was recorded then comes first."""
    zone: ZoneInfo = field(default_factory=lambda: ZoneInfo("UTC"))
    mix: str = "courses"
    messages: int = 219_564
    """Of the general hospital on a weekday, with `mix` hospital."""
    enrich: float = 1.0
    imperfections: Imperfections = field(default_factory=Imperfections)

    @property
    def first(self) -> int:
        """The first day, as an ordinal."""
        return self.start.toordinal()

    @property
    def end(self) -> int:
        """The day after the last one."""
        return (self.start + timedelta(days=self.days)).toordinal()
