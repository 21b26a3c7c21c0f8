"""The true days of one pregnancy, and where a day lies in it."""

from typing import Final, NamedTuple

_REDATED: Final = 6
"""Days. A scan that differs by less does not move the told period."""
_LATE: Final = 196
_CORE_WINDOW: Final = 92
_YEAR: Final = 365


class Pregnancy(NamedTuple):
    """The true days of one pregnancy; without a birth it was lost."""

    period: int
    told_period: int
    booked: int
    scanned: int
    birth: int | None
    lost: int | None
    outcome: str
    fed: tuple[tuple[int, str], ...]

    @property
    def dated_period(self) -> int:
        """Day 0 as it is dated in the end: by the scan where it moves the told period."""
        return self.period if abs(self.told_period - self.period) >= _REDATED else self.told_period

    @property
    def weaned(self) -> int | None:
        """The day on which feeding ended."""
        return next((day for day, how in self.fed if how == "none" and day != self.fed[0][0]), None)

    def lactating(self, day: int) -> bool:
        """Whether she breast-feeds on a day."""
        return bool(self.fed) and self.fed[0][1] != "none" and self.fed[0][0] <= day < (self.weaned or 1 << 30)


def in_back_pain_window(pregnancy: Pregnancy, day: int) -> bool:
    """From 28 weeks to three months after birth, to a year while she breast-feeds."""
    if pregnancy.birth is None or day < pregnancy.dated_period + _LATE:
        return False
    after = day - pregnancy.birth
    return after <= _CORE_WINDOW or (after <= _YEAR and pregnancy.lactating(day))
