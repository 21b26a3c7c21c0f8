"""The scalar types of every model: instants, local days and numbers, strict at the edge.

pydantic's own JSON mode turns 0.50 into 0.5 and takes "1700000000" for an instant and "1" for a number,
so the wire form is decoded first (decimals kept) and each scalar is judged here.
"""

import re
from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Final

from pydantic import BeforeValidator, PlainSerializer, StringConstraints, WithJsonSchema

_INSTANT: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d{1,9})?)?(Z|[+-]\d\d:\d\d)\Z")
_DAY: Final = re.compile(r"\d{4}-\d\d-\d\d\Z")
_LARGEST_EXPONENT: Final = 30  # no measurement is larger; 1e400 is an attack or an error
_FIRST_YEAR, _LAST_YEAR = 1850, 2200  # room for time zones and for 730 days added to any instant


class NotWhatWasExpectedError(ValueError):
    """A scalar that cannot be read; the message says what would be accepted and never quotes the input."""


def instant(given: object) -> datetime:
    """Read an RFC 3339 instant that carries an offset.

    Errors: NotWhatWasExpectedError for anything else, a naive time included.
    """
    if isinstance(given, datetime):
        read = given
    elif isinstance(given, str) and _INSTANT.match(given):
        try:
            read = datetime.fromisoformat(given)
        except ValueError:
            raise NotWhatWasExpectedError("no such day or time; expected e.g. 2026-01-31T08:00:00+01:00") from None
    else:
        raise NotWhatWasExpectedError("expected an instant with an offset, e.g. 2026-01-31T08:00:00+01:00")
    if read.tzinfo is None:
        raise NotWhatWasExpectedError("the time has no offset; expected e.g. 2026-01-31T08:00:00+01:00")
    if not _FIRST_YEAR <= read.year <= _LAST_YEAR:
        raise NotWhatWasExpectedError(f"expected a year from {_FIRST_YEAR} to {_LAST_YEAR}")
    return read


def day(given: object) -> date:
    """Read a local calendar day, YYYY-MM-DD.

    Errors: NotWhatWasExpectedError for anything else, an instant included.
    """
    if isinstance(given, date) and not isinstance(given, datetime):
        read = given
    elif isinstance(given, str) and _DAY.match(given):
        try:
            read = date.fromisoformat(given)
        except ValueError:
            raise NotWhatWasExpectedError("no such day; expected a calendar day, e.g. 2026-01-31") from None
    else:
        raise NotWhatWasExpectedError("expected a calendar day, e.g. 2026-01-31")
    if not _FIRST_YEAR <= read.year <= _LAST_YEAR:
        raise NotWhatWasExpectedError(f"expected a year from {_FIRST_YEAR} to {_LAST_YEAR}")
    return read


def number(given: object) -> Decimal:
    """Read a JSON number with all its digits.

    Errors: NotWhatWasExpectedError for text, booleans, NaN, infinities and magnitudes beyond 1e30.
    """
    if isinstance(given, Decimal):
        read = given
    elif isinstance(given, int) and not isinstance(given, bool):
        read = Decimal(given)
    elif isinstance(given, float):
        read = Decimal(repr(given))
    else:
        raise NotWhatWasExpectedError("expected a number (not text)")
    if not read.is_finite() or (read and abs(read.adjusted()) > _LARGEST_EXPONENT):
        raise NotWhatWasExpectedError("expected a finite number of ordinary size")
    return read


def _plain(value: Decimal) -> int | float:
    return int(value) if value == value.to_integral_value() else float(value)


Instant = Annotated[datetime, BeforeValidator(instant), WithJsonSchema({"type": "string", "format": "date-time"})]
Day = Annotated[date, BeforeValidator(day), WithJsonSchema({"type": "string", "format": "date"})]
Number = Annotated[
    Decimal,
    BeforeValidator(number),
    PlainSerializer(_plain, return_type=int | float, when_used="json"),
    WithJsonSchema({"type": "number"}),
]
Identifier = Annotated[str, StringConstraints(min_length=1, max_length=256)]
Text = Annotated[str, StringConstraints(max_length=65_536)]
