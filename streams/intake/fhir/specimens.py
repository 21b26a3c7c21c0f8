"""What the specimen says of a result: when it was drawn, from a fasting patient or not, and in what state it is.

Source: http://hl7.org/fhir/R4/specimen.html, HL7 tables 0493 and 0916
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from streams.intake.fhir.codes import codes_of, named
from streams.intake.fhir.datatypes import Reference
from streams.intake.fhir.reading import Entry, read_part
from streams.intake.fhir.resources import Collection, Specimen

_QUALITIES: Final = {"HEM": "haemolysed", "CLOT": "clotted", "CON": "contaminated", "SNR": "not_received"}
_FASTING: Final = {"F": True, "NF": False}


@dataclass(frozen=True, slots=True)
class Drawn:
    """A specimen, as far as results speak of it."""

    at: datetime | None = None
    kind: str | None = None
    quality: str | None = None
    fasting: bool | None = None


def drawn(entry: Entry, reference: Reference | None) -> Drawn:
    """The specimen that a resource refers to, contained or in the same Bundle; empty where it is not there."""
    found = entry.find(reference, "Specimen")
    if found is None:
        return Drawn()
    seen = read_part(Specimen, found, "Specimen")
    return Drawn(_collected_at(entry, seen.collection), named(seen.type), _quality(seen), _fasting(seen.collection))


def _collected_at(entry: Entry, collection: Collection | None) -> datetime | None:
    if collection is None:
        return None
    period = collection.collected_period
    return entry.at(collection.collected_date_time, "specimen.collection.collectedDateTime") or entry.at(
        period.start if period else None, "specimen.collection.collectedPeriod.start"
    )


def _quality(seen: Specimen) -> str | None:
    conditions = codes_of(seen.condition)
    if (known := next((_QUALITIES[each] for each in sorted(conditions) if each in _QUALITIES), None)) is not None:
        return known
    return "unsatisfactory" if seen.status == "unsatisfactory" else next(iter(sorted(conditions)), None)


def _fasting(collection: Collection | None) -> bool | None:
    said = collection.fasting_status_codeable_concept if collection else None
    return next((_FASTING[each] for each in sorted(codes_of([said])) if each in _FASTING), None) if said else None
