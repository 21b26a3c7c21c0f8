"""A laboratory result.

Source: http://hl7.org/fhir/R4/observation.html
"""

from schemas import events
from streams.intake.fhir.codes import code, codes_of, named, shown, unit
from streams.intake.fhir.datatypes import Quantity
from streams.intake.fhir.measured import COMPARATORS, Reading, reading
from streams.intake.fhir.references import address
from streams.intake.fhir.resources import ReferenceRange
from streams.intake.fhir.said import Events, Said, name_of


def lab_result(said: Said) -> Events:
    """A laboratory result; the specimen's collection goes before the effective time."""
    value = reading(said.given) or Reading()
    if value.comparator is not None and value.comparator not in COMPARATORS:
        raise said.entry.refused("unknown comparator; accepted are < <= > >=", "valueQuantity.comparator")
    fasting = said.fasting if said.fasting is not None else said.specimen.fasting
    return (
        said.event(
            events.LabResult,
            code=code(said.coding, said.entry.document.tables),
            value=value.number,
            value_text=shown(value.text),
            comparator=value.comparator,
            unit=value.unit,
            reference_range=_reference_range(said.given.reference_range, said.given.value_quantity),
            status=said.status,
            collected_at=said.specimen.at or said.when(),
            fasting=fasting,
            specimen=said.specimen.kind,
            quality=said.specimen.quality,
            laboratory=_laboratory(said),
            assay=named(said.observation.method) or name_of(said, said.observation.device, "Device"),
        ),
    )


def _reference_range(given: tuple[ReferenceRange, ...], result: Quantity | None) -> events.ReferenceRange | None:
    """The one normal range in the unit of the result; of several that differ by age or sex none is chosen."""
    usual = [each for each in given if _is_normal(each) and _in_unit_of(result, each)]
    if len(usual) != 1:
        return None
    low, high = usual[0].low, usual[0].high
    return events.ReferenceRange(low=low.value if low else None, high=high.value if high else None)


def _is_normal(given: ReferenceRange) -> bool:
    plain = given.type is None or "normal" in codes_of([given.type]) or not given.type.coding
    return plain and (given.low is not None or given.high is not None)


def _in_unit_of(result: Quantity | None, given: ReferenceRange) -> bool:
    units = {unit(end) for end in (given.low, given.high) if end is not None} - {None}
    return result is not None and units <= {unit(result)}


def _laboratory(said: Said) -> str | None:
    """The Organization among the performers."""
    for performer in said.observation.performer:
        where = address(performer.reference or "")
        if (where.type if where else performer.type) == "Organization" or said.entry.find(performer, "Organization"):
            return name_of(said, performer, "Organization")
    return None
