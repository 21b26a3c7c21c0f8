"""HL7 times, strictly: a time that was not sent is not made up.

A day without a time is that day's first local instant and is counted (`day_precision`). A local time that an
autumn change repeats is its first occurrence; one that a spring change leaves out does not exist and is refused.
Source: HL7 v2.5.1 chapter 2A.77 (TS), 2A.22 (DTM).
"""

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Final
from zoneinfo import ZoneInfo

_TIME: Final = re.compile(
    r"(?P<year>\d{4})(?:(?P<month>\d\d)(?:(?P<day>\d\d)(?:(?P<hour>\d\d)(?:(?P<minute>\d\d)"
    r"(?:(?P<second>\d\d)(?:\.(?P<fraction>\d{1,6})\d*)?)?)?)?)?)?(?P<offset>[+-]\d{4})?",
    re.ASCII,
)
EXPECTED: Final = "accepted: YYYYMMDD[HHMM[SS[.S]]][+/-ZZZZ]"
_FIRST_YEAR: Final = 1850
_LAST_YEAR: Final = 2200
_LARGEST_OFFSET: Final = timedelta(hours=14)


class UnreadableTimeError(ValueError):
    """A time that cannot be read; the message says why and quotes nothing."""


@dataclass(frozen=True, slots=True)
class Moment:
    """An instant, and whether only its day was said."""

    at: datetime
    day_only: bool


def moment(text: str, precision: str, zone: ZoneInfo) -> Moment:
    """Read a TS or DTM as an instant with an offset.

    Errors: UnreadableTimeError for anything that names no day, or no existing time.
    """
    found = _TIME.fullmatch(text)
    if found is None:
        raise UnreadableTimeError(f"not a time; {EXPECTED}")
    if found["day"] is None or precision in ("Y", "L"):
        raise UnreadableTimeError(f"no day in it, and none is made up; {EXPECTED}")
    day_only = found["hour"] is None or precision == "D"
    return Moment(_placed(_local(found, day_only=day_only), found["offset"], zone, day_only=day_only), day_only)


def day(text: str) -> date:
    """The calendar day of a DT, TS or DTM, as it was written.

    Errors: UnreadableTimeError where no existing day is named.
    """
    found = _TIME.fullmatch(text)
    if found is None or found["day"] is None:
        raise UnreadableTimeError("not a day; accepted: YYYYMMDD")
    return _local(found, day_only=True).date()


def _local(found: re.Match[str], *, day_only: bool) -> datetime:
    hour, minute, second = (0 if day_only else int(found[name] or 0) for name in ("hour", "minute", "second"))
    date_of = int(found["year"]), int(found["month"]), int(found["day"])
    try:
        read = datetime(*date_of, hour, minute, second)  # noqa: DTZ001 placed next
    except ValueError:
        raise UnreadableTimeError(f"no such day or time; {EXPECTED}") from None
    if not _FIRST_YEAR <= read.year <= _LAST_YEAR:
        raise UnreadableTimeError(f"no such year; accepted: {_FIRST_YEAR} to {_LAST_YEAR}")
    fraction = "" if day_only else found["fraction"]
    return read.replace(microsecond=int(fraction.ljust(6, "0"))) if fraction else read


def _placed(local: datetime, offset: str | None, zone: ZoneInfo, *, day_only: bool) -> datetime:
    if offset:
        return local.replace(tzinfo=_fixed(offset))
    placed = local.replace(tzinfo=zone)
    there = placed.astimezone(UTC).astimezone(zone)
    if there.replace(tzinfo=None) != local and not day_only:
        raise UnreadableTimeError("the clocks skip this local time; accepted: an existing time, or one with its offset")
    # A fixed offset: two times of one ZoneInfo are compared by their clock faces, whatever their fold.
    return there.replace(tzinfo=timezone(there.utcoffset() or timedelta()))


def _fixed(offset: str) -> timezone:
    size = timedelta(hours=int(offset[1:3]), minutes=int(offset[3:]))
    if size > _LARGEST_OFFSET:
        raise UnreadableTimeError("no such offset; accepted: -1400 to +1400")
    return timezone(-size if offset[0] == "-" else size)
