"""What OBX-5 says: a number with its comparator, coded answers, text or a day.

Source: HL7 v2.5.1 chapter 7.4.2 (OBX), 2A.70 (SN), table 0125.
"""

import re
from dataclasses import dataclass
from decimal import Decimal
from typing import Final, Literal, cast

from schemas.events import ReferenceRange
from streams.intake.hl7v2.coding import wording
from streams.intake.hl7v2.message import Element, Segment
from streams.intake.hl7v2.reading import number
from streams.intake.hl7v2.untranslatable import UntranslatableError

Comparator = Literal["<", "<=", ">", ">="]

_DIGITS: Final = r"[+-]?(?:\d{1,18}(?:\.\d{0,25})?|\.\d{1,25})"
_COMPARED: Final = re.compile(rf"(?P<comparator><=|>=|<|>|≤|≥|)\s*(?P<number>{_DIGITS})", re.ASCII)
_RANGE: Final = re.compile(rf"({_DIGITS})\s*(?:-|\u2013|to)\s*({_DIGITS})", re.ASCII)
_LONGEST_TEXT: Final = 65_536
_WRITTEN: Final = {"≤": "<=", "≥": ">="}
_LOWER_LIMITS: Final = frozenset({">", ">="})
CODED: Final = frozenset({"CE", "CWE", "CNE", "CF", "IS", "ID"})
NOT_READ: Final = frozenset({"ED", "RP"})
"""Value types that hold a document or point to one: no result can be read from them."""


@dataclass(frozen=True, slots=True)
class Result:
    """The value of an OBX: a number with its comparator, or text."""

    value: Decimal | None = None
    comparator: Comparator | None = None
    text: str | None = None


def result(obx: Segment) -> Result:
    """Read OBX-5 by its type in OBX-2.

    Errors: UntranslatableError where it is empty, or is not of its type.
    """
    said = [element for element in obx.each(5) if element.whole()]
    if not said:
        raise UntranslatableError("no value; accepted: a value, or X in OBX-11", obx.where(5))
    match obx.value(2):
        case "NM":
            return _number(_only(said, obx), obx)
        case "SN":
            return _structured(_only(said, obx), obx)
        case kind if kind in CODED:
            return _text("; ".join(filter(None, map(wording, said))), obx)
        case _:
            return _comparable("\n".join(element.whole() for element in said), obx)


def as_sent(obx: Segment) -> Result:
    """The value of a code that nobody reads: where it is not of its type, its text."""
    try:
        return result(obx)
    except UntranslatableError:
        text = "; ".join(filter(None, (element.whole() for element in obx.each(5))))
        return _text(text[:_LONGEST_TEXT], obx)


def _only(said: list[Element], obx: Segment) -> Element:
    if len(said) > 1:
        raise UntranslatableError(
            f"{len(said)} numbers in one OBX; accepted: one, and an OBX with its own OBX-4 for each", obx.where(5)
        )
    return said[0]


def _number(element: Element, obx: Segment) -> Result:
    found = compared(element.whole())
    if found is None:
        raise UntranslatableError("no number; accepted: e.g. 5.2 or <5, or ST in OBX-2 for text", obx.where(5))
    return found


def compared(text: str) -> Result | None:
    """A number, with a comparator before it or none; None for anything else."""
    found = _COMPARED.fullmatch(text.strip())
    if found is None:
        return None
    comparator = _WRITTEN.get(found["comparator"], found["comparator"])
    return Result(Decimal(found["number"]), cast("Comparator", comparator) if comparator else None)


def _comparable(text: str, obx: Segment) -> Result:
    return compared(text) or _text(text, obx)


def _text(text: str, obx: Segment) -> Result:
    if not text:
        raise UntranslatableError("no value; accepted: a code or its text", obx.where(5))
    return Result(text=text)


def _structured(element: Element, obx: Segment) -> Result:
    comparator, first, separator, second = (element.part(n) for n in range(1, 5))
    if separator or second or comparator not in ("", "=", "<", "<=", ">", ">="):
        return _text(" ".join(filter(None, (comparator, f"{first}{separator}{second}"))), obx)
    value = number(first, obx.where(5))
    return Result(value, None if comparator in ("", "=") else cast("Comparator", comparator))


def reference_range(text: str) -> ReferenceRange | None:
    """The interval of OBX-7, e.g. `3.5-5.0`, `<5`, `>=10`, `3.5 to 5`; None where it is none of these."""
    between = _RANGE.fullmatch(text.strip())
    if between:
        return ReferenceRange(low=Decimal(between[1]), high=Decimal(between[2]))
    limit = compared(text)
    if limit is None or limit.comparator is None:
        return None
    at_least = limit.comparator in _LOWER_LIMITS
    return ReferenceRange(low=limit.value if at_least else None, high=None if at_least else limit.value)
