"""The drug, dose, rate and route of the RX segments.

Source: HL7 v2.5.1 chapter 4.14.1 (RXO), 4.14.2 (RXR), 4.14.4 (RXE), 4.14.7 (RXA).
"""

import re
from decimal import Decimal
from typing import Final

from schemas.events import Code, Quantity
from streams.intake.hl7v2.coding import coded, word, wording
from streams.intake.hl7v2.coding import unit as said_unit
from streams.intake.hl7v2.groups import Order
from streams.intake.hl7v2.message import Segment
from streams.intake.hl7v2.reading import Reading, decimal

_PER: Final = re.compile(r"([SMHD])(\d{1,3})", re.ASCII)
_UCUM: Final = {"S": "s", "M": "min", "H": "h", "D": "d"}


def drug(reading: Reading, segment: Segment, field: int) -> Code:
    """The give code, in the coding that the tables know; an unknown one is counted and still told.

    Errors: UntranslatableError where there is no code.
    """
    code, known = coded(segment, field, reading.tables, reading.tables.drug)
    reading.counted["unmapped_code"] += known is None
    return code


def quantity(segment: Segment, amount: int, unit: int) -> Quantity | None:
    """An amount with its unit; None where the amount is empty."""
    value = decimal(segment, amount)
    return None if value is None else Quantity(value=value, unit=said_unit(segment, unit))


def rate(segment: Segment, amount: int, unit: int, per: int) -> Quantity | None:
    """A rate: its unit says per what, or else the time unit beside it does (`H1`: an hour)."""
    value, name = decimal(segment, amount), said_unit(segment, unit)
    if value is None:
        return None
    return Quantity(value=value, unit=name) if name and "/" in name else per_time(value, name, segment.value(per))


def per_time(value: Decimal, unit: str | None, time_unit: str) -> Quantity:
    """A number by time: `25 mL` with `H1` is 25 mL/h."""
    found = _PER.fullmatch(time_unit.upper())
    count = int(found[2]) if found else 0
    if not found or not count or not unit:
        return Quantity(value=value, unit=unit)
    return Quantity(value=value / count, unit=f"{unit}/{_UCUM[found[1]]}"[:256])


def route(order: Order, after: Segment | None) -> str | None:
    """The route of the segment that it follows; the request's where that has none."""
    routes = order.named("RXR")
    own = [each for each in routes if after and each.ordinal > after.ordinal]
    first = next(iter(own or routes), None)
    return word(first, 1) if first else None


def indication(segment: Segment, field: int) -> str | None:
    return "; ".join(filter(None, map(wording, segment.each(field)))) or None
