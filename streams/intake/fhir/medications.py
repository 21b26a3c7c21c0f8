"""Which drug a medication resource speaks of, and which order."""

from collections.abc import Iterable

from schemas.events import Code
from streams.intake.fhir.codes import code, mapped, whole
from streams.intake.fhir.datatypes import CodeableConcept, Identifier, Reference
from streams.intake.fhir.reading import Entry, read_part
from streams.intake.fhir.resources import Medicated, Medication, MedicationRequest


def drug(entry: Entry, seen: Medicated) -> Code:
    """The drug by its code, from the concept, the contained Medication or the one in the same Bundle.

    Errors: NotTranslatableError where the Medication is not there, or nothing codes it.
    """
    concept = seen.medication_codeable_concept or CodeableConcept()
    candidates = (concept,) if seen.medication_reference is None else _of_medication(entry, seen.medication_reference)
    tables = entry.document.tables
    for each in candidates:
        if (found := mapped(each, tables, tables.drug)) is not None:
            return code(found[0], tables)
    first = next((coding for each in candidates for coding in whole(each)), None)
    if first is None:
        raise entry.refused("no coding; expected a system and a code (RxNorm, ATC, SNOMED CT)", "medication[x]")
    entry.document.count("unmapped_code")
    return code(first, tables)


def _of_medication(entry: Entry, reference: Reference) -> tuple[CodeableConcept, ...]:
    found = entry.find(reference, "Medication")
    if found is None:
        raise entry.refused(
            "the Medication is neither contained nor in the same Bundle; expected it there, or a concept",
            "medicationReference",
        )
    seen = read_part(Medication, found, "Medication")
    only = seen.ingredient[0].item_codeable_concept if len(seen.ingredient) == 1 else None
    return tuple(each for each in (seen.code, only) if each is not None)


def placer_order(identifiers: Iterable[Identifier], group: Identifier | None, record_id: str) -> str:
    """The number by which the placer knows an order; without one, the order's own name."""
    given = [each for each in identifiers if each.value]
    placed = next((each for each in given if each.type and _is_placer(each.type)), given[0] if given else group)
    return (placed.value if placed else None) or record_id


def _is_placer(kind: CodeableConcept) -> bool:
    return any(each.code == "PLAC" for each in kind.coding)  # HL7 table 0203


def order_of(entry: Entry, reference: Reference | None) -> str | None:
    """The placer order of the request that a reference names: in the Bundle, by identifier, or told before."""
    if reference is None:
        return None
    found = entry.find(reference, "MedicationRequest")
    record = entry.record_of(reference)
    if found is not None:
        seen = read_part(MedicationRequest, found, "MedicationRequest")
        return placer_order(seen.identifier, seen.group_identifier, record or f"MedicationRequest/{seen.id}")
    if reference.identifier and reference.identifier.value:
        return reference.identifier.value
    told = entry.document.directory.last_version(entry.document.source, record) if record else None
    return getattr(told, "placer_order", None) or record
