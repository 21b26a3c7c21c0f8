"""Coded fields: the primary and the alternate triplet, and the one that the tables know.

Source: HL7 v2.5.1 chapter 2A.13 (CWE), 2A.28 (EI); table 0396.
"""

import re
from collections.abc import Callable, Iterator
from typing import Final, TypeVar

from schemas.events import Code
from schemas.tables import Tables
from streams.intake.hl7v2.message import Element, Segment
from streams.intake.hl7v2.untranslatable import UntranslatableError

_TRIPLETS: Final = ((1, 2, 3), (4, 5, 6), (10, 11, 12))
_LOCAL: Final = "L"  # table 0396: a code without a system is the sender's own
_LONGEST: Final = 256
_POWER: Final = re.compile(r"-?\d{1,2}(?:/\w{1,8})?")

Meaning = TypeVar("Meaning")


def coded(
    segment: Segment, field: int, tables: Tables, lookup: Callable[[str, str], Meaning | None], unsaid: str = ""
) -> tuple[Code, Meaning | None]:
    """The coding of a field that the tables know, and what it means; the first coding, and None, where they know none.
    `unsaid` is the system of a code that names none.

    Errors: UntranslatableError where there is no code.
    """
    given = list(_codings(segment.first(field), tables, unsaid))
    if not given:
        raise UntranslatableError("no code; accepted: CODE^TEXT^SYSTEM", segment.where(field))
    for code in given:
        meaning = lookup(code.system, code.code)
        if meaning is not None:
            return code, meaning
    return given[0], None


def codings(element: Element, tables: Tables) -> list[Code]:
    """Every coding of one repetition of a coded field."""
    return list(_codings(element, tables))


def _codings(element: Element, tables: Tables, unsaid: str = "") -> Iterator[Code]:
    for code, text, system in _TRIPLETS:
        value = element.part(code)
        if value:
            named = tables.system(element.part(system) or unsaid or _LOCAL)
            yield Code(system=named[:_LONGEST], code=value[:_LONGEST], display=element.part(text)[:_LONGEST] or None)


def wording(element: Element) -> str:
    """What a coded value says in words, else its code."""
    return next((text for text in map(element.part, (2, 5, 9, 1, 4)) if text), "")


def word(segment: Segment, field: int) -> str | None:
    """The identifier of a coded field, else its text, else those of the alternate coding."""
    if not segment.raw(field):
        return None
    element = segment.first(field)
    return next((text[:_LONGEST] for text in map(element.part, (1, 2, 4, 5)) if text), None)


def unit(segment: Segment, field: int) -> str | None:
    """A unit as it was sent. An unescaped `10^9/L` or `kg/m^2` falls apart at its power and is put together again."""
    first, second = segment.value(field), segment.value(field, 2)
    if first and _POWER.fullmatch(second):
        return f"{first}*{second}" if first.endswith("10") else f"{first}{second}"
    return word(segment, field)


def entity(segment: Segment, field: int) -> str | None:
    """An order or specimen number with the namespace that it was given in.

    Two systems behind one feed count from 1: without the namespace one would take the other's records.
    """
    element = segment.first(field)
    namespace = element.part(2) or element.part(3)
    number = element.part(1)
    return (f"{number}^{namespace}" if namespace else number) or None
