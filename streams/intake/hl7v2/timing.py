"""How often, from when and until when an order is to be given.

Source: HL7 v2.5.1 chapter 4.5.4 (TQ1), 4.3.1 (TQ), table 0335 (repeat pattern).
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Final

from streams.intake.hl7v2.groups import Order
from streams.intake.hl7v2.message import Segment
from streams.intake.hl7v2.reading import Reading

_NAMED: Final = {
    "BID": Decimal(2), "TID": Decimal(3), "QID": Decimal(4), "QD": Decimal(1), "QDAY": Decimal(1), "DAILY": Decimal(1),
    "QOD": Decimal("0.5"), "QAM": Decimal(1), "QPM": Decimal(1), "QHS": Decimal(1), "HS": Decimal(1), "OD": Decimal(1),
    "BD": Decimal(2), "TDS": Decimal(3), "QDS": Decimal(4),
}  # fmt: skip
_EVERY: Final = re.compile(r"Q(\d{1,3})?(S|M|H|D|W)", re.ASCII)
_TIMES: Final = re.compile(r"(\d{1,2})(?:ID|X?(D|W))", re.ASCII)
_SECONDS: Final = {"S": 1, "M": 60, "H": 3600, "D": 86_400, "W": 604_800}
_DAY: Final = 86_400
_ONCE: Final = frozenset({"ONCE", "1X", "X1"})
_AS_NEEDED: Final = "PRN"
_PERIODS: Final = {"S": "S", "MIN": "M", "H": "H", "HR": "H", "D": "D", "WK": "W"}


@dataclass(frozen=True, slots=True)
class Timing:
    """When an order is to be given; None where it was not said."""

    doses_per_day: Decimal | None = None
    starts_at: datetime | None = None
    ends_at: datetime | None = None
    as_needed: bool = False
    once: bool = False


def timing(reading: Reading, order: Order) -> Timing:
    """TQ1 (that of the encoded order before that of the request), else RXE-1, else ORC-7."""
    quantities = _encoded(order)
    if quantities:
        return _merged(reading, [_of_tq1(reading, tq1) for tq1 in quantities], quantities)
    for segment, field in ((order.find("RXE"), 1), (order.common, 7)):
        if segment and segment.raw(field):
            return _of_tq(reading, segment, field)
    return Timing()


def _encoded(order: Order) -> list[Segment]:
    encoded = order.find("RXE") or order.find("RXD")
    after = [tq1 for tq1 in order.named("TQ1") if encoded and tq1.ordinal > encoded.ordinal]
    return after or order.named("TQ1")


def _merged(reading: Reading, timings: Sequence[Timing], quantities: Sequence[Segment]) -> Timing:
    """Several TQ1 at the same time add up; one after the other, they are no one frequency."""
    first = timings[0]
    if len(timings) == 1:
        return first
    frequencies = [each.doses_per_day for each in timings]
    together = {(each.starts_at, each.ends_at) for each in timings} == {(first.starts_at, first.ends_at)}
    sequential = any(tq1.value(12) == "S" for tq1 in quantities)
    known = [frequency for frequency in frequencies if frequency is not None]
    if together and not sequential and len(known) == len(frequencies):
        return replace(first, doses_per_day=sum(known, Decimal(0)))
    reading.counted["complex_timing"] += 1
    return replace(first, doses_per_day=None, ends_at=None if sequential else first.ends_at)


def _of_tq1(reading: Reading, tq1: Segment) -> Timing:
    patterns = [element.part(1) for element in tq1.each(3)] or [_period(tq1)]
    frequency = _sum(reading, [pattern or _period(tq1) for pattern in patterns])
    needed = any(_needed(text) for text in (*patterns, tq1.value(9), tq1.value(9, 2)))
    once = all(_once(pattern) for pattern in patterns) or tq1.value(14) == "1"
    return Timing(frequency, reading.moment(tq1, 7), reading.moment(tq1, 8), as_needed=needed, once=once)


def _period(tq1: Segment) -> str:
    unit = _PERIODS.get(tq1.value(3, 6).upper())
    every = tq1.value(3, 5)
    return f"Q{every}{unit}" if unit and every.isascii() and every.isdigit() else ""


def _of_tq(reading: Reading, segment: Segment, field: int) -> Timing:
    quantity = segment.first(field)
    pattern = quantity.part(2)
    start, end = (
        reading.read_moment(text, "", segment.where(field)) if (text := quantity.part(n)) else None for n in (4, 5)
    )
    needed = any(_needed(text) for text in (pattern, quantity.part(6)))
    return Timing(_sum(reading, [pattern]), start, end, as_needed=needed, once=_once(pattern))


def _sum(reading: Reading, patterns: Sequence[str]) -> Decimal | None:
    """Several patterns of one order are all meant."""
    found = [doses_per_day(pattern) for pattern in patterns if pattern]
    unknown = [pattern for pattern, frequency in zip(filter(None, patterns), found, strict=True) if frequency is None]
    reading.counted["unknown_frequency"] += sum(not _needed(pattern) for pattern in unknown)
    known = [frequency for frequency in found if frequency is not None]
    return sum(known, Decimal(0)) if known and not unknown else None


def doses_per_day(pattern: str) -> Decimal | None:
    """The frequency of a repeat pattern, e.g. BID, Q8H, Q2D, 3ID, 2XD; None where it names none."""
    text = pattern.upper().replace(" ", "").removesuffix("PRN").removeprefix("PRN")
    if text in _NAMED or text in _ONCE:
        return _NAMED.get(text, Decimal(1))
    times = _TIMES.fullmatch(text)
    if times:
        return Decimal(times[1]) / (7 if times[2] == "W" else 1)
    every = _EVERY.fullmatch(text)
    if every is None or every[1] in ("0", "00", "000"):
        return None
    return Decimal(_DAY) / (int(every[1] or 1) * _SECONDS[every[2]])


def _needed(text: str) -> bool:
    return _AS_NEEDED in text.upper()


def _once(pattern: str) -> bool:
    return pattern.upper().strip() in _ONCE
