"""FHIR dates and times as instants and local days; a date alone is a local day, a month or a year is no time.

Source: http://hl7.org/fhir/R4/datatypes.html#dateTime
"""

import re
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from schemas.values import NotWhatWasExpectedError, day, instant

_DAY: Final = re.compile(r"\d{4}-\d\d-\d\d\Z")
_PARTIAL: Final = re.compile(r"\d{4}(-\d\d)?\Z")


@dataclass(frozen=True, slots=True)
class Moment:
    """An instant; `whole_day` where the source gave a day, and the instant is its local midnight."""

    at: datetime
    whole_day: bool = False


def moment(text: str, zone: ZoneInfo) -> Moment:
    """Read a dateTime, date or instant.

    Errors: NotWhatWasExpectedError for a year, a month, a time without an offset and for what is no time.
    """
    if _PARTIAL.match(text):
        raise NotWhatWasExpectedError("a year or a month alone is no day; expected YYYY-MM-DD or an instant")
    if _DAY.match(text):
        return Moment(midnight(day(text), zone), whole_day=True)
    return Moment(instant(text))


def end(text: str, zone: ZoneInfo) -> Moment:
    """Read the end of a Period: a day is included whole, so that it ends with the next midnight."""
    read = moment(text, zone)
    return Moment(midnight(day(text) + timedelta(days=1), zone), whole_day=True) if read.whole_day else read


def local_day(text: str, zone: ZoneInfo) -> date:
    """The site's calendar day of a dateTime or date."""
    return moment(text, zone).at.astimezone(zone).date()


def midnight(given: date, zone: ZoneInfo) -> datetime:
    """The instant at which a day begins at the site."""
    return datetime.combine(given, time(), zone)


def is_partial(text: str) -> bool:
    """A year or a month, which FHIR allows as a date."""
    return _PARTIAL.match(text) is not None
