"""What is said of the specimen: when it was taken, what it is, how it was, and whether the patient had fasted.

Source: HL7 v2.5.1 chapter 7.4.3 (SPM), tables 0490, 0493; table 0916 (OBR-13).
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from streams.intake.hl7v2.coding import word, wording
from streams.intake.hl7v2.groups import Observed, Order
from streams.intake.hl7v2.message import Segment
from streams.intake.hl7v2.reading import Reading

_CONDITIONS: Final = {"HEM": "haemolysed", "CLOT": "clotted", "CON": "contaminated"}
_REJECTED: Final = {"RH": "haemolysed", "RC": "clotted", "QS": "insufficient", "RN": "contaminated"}
_WORDS: Final = (
    ("haemolysed", re.compile(r"\bha?emoly[sz]\w*\b(?!\W*ind(?:ex|ices))", re.IGNORECASE)),
    ("clotted", re.compile(r"\bclot(?:s|ted)?\b", re.IGNORECASE)),
    ("insufficient", re.compile(r"\binsufficient\b|\bquantity not sufficient\b|\bQNS\b", re.IGNORECASE)),
)
_DENIED: Final = re.compile(r"\b(?:no|not|non|without|free of|absence of)\W+(?:\w+\W+){0,2}$", re.IGNORECASE)
_FASTING: Final = {
    **dict.fromkeys(("f", "y", "yes", "fasting", "fasted", "la33-6"), True),
    **dict.fromkeys(("nf", "n", "no", "non-fasting", "not fasting", "nonfasting", "la32-8"), False),
}
FASTING_STATUS: Final = "49541-6"
"""LOINC: Fasting status - Reported."""


def collected_at(reading: Reading, order: Order, obx: Segment) -> datetime | None:
    """SPM-17, else OBR-7, else OBX-14.

    SPM-17 is the collection itself and OBR-7 stands for it; OBX-14 should, but many laboratories put the
    time of analysis there (which has its own field, OBX-19).
    """
    return reading.first_moment((order.specimen, 17), (order.request, 7), (obx, 14))


def observed_at(reading: Reading, order: Order, obx: Segment) -> datetime | None:
    """OBX-14, else OBR-7: what is observed on the patient may have a time for each line."""
    return reading.first_moment((obx, 14), (order.request, 7))


@dataclass(frozen=True, slots=True)
class Sample:
    """What every observation of an order shares."""

    type: str | None
    quality: str | None
    fasting: bool | None


def sampled(order: Order) -> Sample:
    return Sample(word(order.specimen, 4) if order.specimen else None, order_quality(order), fasting(order))


def order_quality(order: Order) -> str | None:
    """The first fault that SPM-24, SPM-21 or a comment on the whole order names."""
    if order.specimen:
        told = [(24, _CONDITIONS), (21, _REJECTED)]
        codes = ((names, element) for field, names in told for element in order.specimen.each(field))
        for names, element in codes:
            found = names.get(element.part(1).upper()) or _fault(wording(element))
            if found:
                return found
    return _first_fault(_comments(order.notes))


def quality(seen: Observed, text: str | None) -> str | None:
    """The first fault that the value's own text or a comment on it names."""
    return _first_fault((text or "", *_comments(seen.notes)))


def _comments(notes: Iterable[Segment]) -> Iterator[str]:
    return (part.whole() for note in notes for part in note.each(3))


def _first_fault(texts: Iterable[str]) -> str | None:
    return next((fault for fault in map(_fault, texts) if fault), None)


def _fault(text: str) -> str | None:
    for fault, pattern in _WORDS:
        found = pattern.search(text)
        if found and not _DENIED.search(text[max(0, found.start() - 60) : found.start()]):
            return fault
    return None


def fasting(order: Order) -> bool | None:
    """OBR-13 (table 0916 or the word), else an OBX of LOINC 49541-6 in the same order."""
    if order.request:
        element = order.request.first(13)
        said = _fasting_word(element.part(1), element.part(2))
        if said is not None:
            return said
    answers = (seen.obx.first(5) for seen in order.observed if is_fasting_status(seen.obx))
    return next((said for a in answers if (said := _fasting_word(a.part(1), a.part(2))) is not None), None)


def is_fasting_status(obx: Segment) -> bool:
    return FASTING_STATUS in (obx.value(3), obx.value(3, 4))


def _fasting_word(*said: str) -> bool | None:
    return next((_FASTING[text.lower()] for text in said if text.lower() in _FASTING), None)
