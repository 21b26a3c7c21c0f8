"""Codings, quantities and sides: which of several codings counts, and how a unit is spelled.

A FHIR concept holds one meaning in several codings: the first that the tables map is taken, else the first whole one.
"""

import re
from collections.abc import Callable, Iterable
from typing import Final, Literal, TypeVar

from schemas.events import Code
from schemas.events import Quantity as Amount
from schemas.tables import Tables
from streams.intake.fhir.datatypes import CodeableConcept, Coding, Quantity, Ratio

T = TypeVar("T")
Side = Literal["left", "right", "both"]

SNOMED: Final = "http://snomed.info/sct"
LOINC: Final = "http://loinc.org"
UCUM: Final = "http://unitsofmeasure.org"
_SIDES: Final[dict[str, Side]] = {"7771000": "left", "24028007": "right", "51440002": "both"}
_LATERALITY: Final = re.compile(r"272741003\s*=\s*(\d+)")  # SNOMED CT attribute of a postcoordinated expression
_INVISIBLE: Final = re.compile("[\u200b\u200c\u200d\u2060\ufeff]")


def shown(text: str | None) -> str | None:
    """Text for display, without invisible characters."""
    cleaned = _INVISIBLE.sub("", text).strip() if text else ""
    return cleaned or None


def whole(concept: CodeableConcept | None) -> tuple[Coding, ...]:
    """The codings that have both a system and a code."""
    return tuple(each for each in (concept.coding if concept else ()) if each.system and each.code)


def code(coding: Coding, tables: Tables) -> Code:
    """A coding as an event says it."""
    display = shown(coding.display)
    return Code(system=tables.system(coding.system or ""), code=coding.code or "", display=display)


def mapped(
    concept: CodeableConcept | None, tables: Tables, ask: Callable[[str, str], T | None]
) -> tuple[Coding, T] | None:
    """The first coding that the tables map, with its meaning."""
    for coding in whole(concept):
        meaning = ask(tables.system(coding.system or ""), coding.code or "")
        if meaning:
            return coding, meaning
    return None


def concepts(given: Iterable[CodeableConcept | None], tables: Tables) -> frozenset[str]:
    """All clinical concepts that any coding means."""
    return frozenset(
        word
        for concept in given
        for coding in whole(concept)
        for word in tables.concepts(tables.system(coding.system or ""), coding.code or "")
    )


def named(concept: CodeableConcept | None) -> str | None:
    """The words of a concept, or its code."""
    if concept is None:
        return None
    words = (shown(concept.text), *(shown(each.display) for each in concept.coding))
    return next((each for each in (*words, *(c.code for c in concept.coding)) if each), None)


def codes_of(given: Iterable[CodeableConcept]) -> frozenset[str]:
    """Bare codes, for value sets that FHIR itself binds."""
    return frozenset(each.code for concept in given for each in concept.coding if each.code)


def structures(site: CodeableConcept | None) -> frozenset[str]:
    """The body structures of a site, without what a postcoordinated expression says of them."""
    return frozenset(each.partition(":")[0].strip() for each in codes_of([site])) if site else frozenset()


def unit(quantity: Quantity) -> str | None:
    """The UCUM code where there is one, else the unit as it is written, else the code of another system."""
    if quantity.code and quantity.system == UCUM:
        return quantity.code
    return quantity.unit or quantity.code or None


def amount(quantity: Quantity | None) -> Amount | None:
    """A quantity that is a plain number; one with a comparator is none."""
    if quantity is None or quantity.value is None or quantity.comparator:
        return None
    return Amount(value=quantity.value, unit=unit(quantity))


def rate(ratio: Ratio | None) -> Amount | None:
    """A ratio such as 1000 [IU] per 1 h as one quantity with the unit of both."""
    over, under = amount(ratio.numerator if ratio else None), amount(ratio.denominator if ratio else None)
    if over is None or under is None or not under.value or over.unit is None or under.unit is None:
        return None
    return Amount(value=over.value / under.value, unit=f"{over.unit}/{under.unit}")


def side(sites: Iterable[CodeableConcept | None]) -> Side | None:
    """The side that a body site names: a laterality code, or the laterality of a postcoordinated one."""
    for site in sites:
        for coding in whole(site):
            found = _LATERALITY.search(coding.code or "")
            if (said := _SIDES.get(found[1] if found else coding.code or "")) is not None:
                return said
    return None
