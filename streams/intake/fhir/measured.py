"""The value of an observation: a number with its comparator and unit, or text."""

import re
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from streams.intake.fhir.codes import named, unit
from streams.intake.fhir.datatypes import Quantity, Range, Ratio, Value

_COMPARED: Final = re.compile(r"\s*(<=|>=|<|>|≤|≥)\s*(-?\d{1,20}(?:\.\d{1,20})?)\s*\Z")
_SPELLED: Final = {"≤": "<=", "≥": ">="}
COMPARATORS: Final = frozenset({"<", "<=", ">", ">="})


@dataclass(frozen=True, slots=True)
class Reading:
    """A number, or text."""

    number: Decimal | None = None
    comparator: str | None = None
    unit: str | None = None
    text: str | None = None


def reading(given: Value) -> Reading | None:
    """What a value says; None where there is none.

    A text such as `<5` is a number with a comparator; any other text stays text.
    """
    if given.value_quantity is not None:
        return _of_quantity(given.value_quantity)
    if given.value_integer is not None:
        return Reading(number=Decimal(given.value_integer))
    if given.value_string is not None:
        return _of_text(given.value_string)
    text = _as_text(given)
    return Reading(text=text) if text else None


def _of_quantity(given: Quantity) -> Reading | None:
    if given.value is None:
        return None
    return Reading(given.value, given.comparator, unit(given))


def _of_text(given: str) -> Reading | None:
    found = _COMPARED.match(given)
    if found is None:
        return Reading(text=given) if given.strip() else None
    return Reading(Decimal(found[2]), _SPELLED.get(found[1], found[1]))


def _as_text(given: Value) -> str | None:
    if given.value_boolean is not None:
        return "true" if given.value_boolean else "false"
    return (
        named(given.value_codeable_concept)
        or _range(given.value_range)
        or _ratio(given.value_ratio)
        or given.value_date_time
        or given.value_time
    )


def _range(given: Range | None) -> str | None:
    if given is None or (given.low is None and given.high is None):
        return None
    ends = [str(each.value) if each and each.value is not None else "" for each in (given.low, given.high)]
    return " - ".join(ends)


def _ratio(given: Ratio | None) -> str | None:
    over, under = (given.numerator, given.denominator) if given else (None, None)
    if over is None or under is None or over.value is None or under.value is None:
        return None
    return f"{over.value}:{under.value}"
