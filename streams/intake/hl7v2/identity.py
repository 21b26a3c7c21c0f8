"""Who the patient is: PID-3 and its like, by the site's preferences.

Source: HL7 v2.5.1 chapter 3.4.2 (PID), 2A.14 (CX), table 0203.
"""

from typing import Final

from streams.intake.hl7v2.message import Element, Segment
from streams.intake.hl7v2.untranslatable import UntranslatableError
from streams.intake.site import Site

_MEDICAL_RECORD: Final = "MR"
_MOST_IDENTIFIERS: Final = 100
_LONGEST_LIST: Final = 20_000  # characters
_OLD_FIELDS: Final = {"PID": (2, 4), "MRG": (4,)}
_LIST_FIELD: Final = {"PID": 3, "MRG": 1}


def patient_id(segment: Segment, site: Site) -> str:
    """The one name of the patient.

    Errors: UntranslatableError where the segment has no identifier.
    """
    return patient_ids(segment, site)[0]


def patient_ids(segment: Segment, site: Site) -> list[str]:
    """Every identifier that names the patient as well as the first: of the same authority rank and type.

    Errors: UntranslatableError where the segment has no identifier.
    """
    given = _identifiers(segment)
    if not given:
        field = _LIST_FIELD[segment.name]
        raise UntranslatableError("no patient identifier; accepted: NUMBER^^^AUTHORITY^MR", segment.where(field))
    if len(given) == 1:
        return [name(given[0], site)]
    ranked = [(_rank(element, site), element) for element in given]
    best, first = max(ranked, key=lambda one: one[0])  # of equals the first
    like_best = [e for rank, e in ranked if rank == best and e.part(5) == first.part(5)]
    return list(dict.fromkeys(name(element, site) for element in like_best))


def all_names(segment: Segment, site: Site) -> set[str]:
    """Every identifier of the segment, whatever its type."""
    return {name(element, site) for element in _identifiers(segment)}


def name(identifier: Element, site: Site) -> str:
    """`AUTHORITY|number`: the authority is the namespace, else the universal id, of CX.4."""
    return site.name(identifier.part(1), _authority(identifier, site))


def _authority(identifier: Element, site: Site) -> str:
    namespace, universal = identifier.part(4, 1), identifier.part(4, 2)
    return universal if universal and universal == site.default_assigner else namespace or universal


def _identifiers(segment: Segment) -> list[Element]:
    listed = _each(segment, _LIST_FIELD[segment.name])
    return listed or [element for field in _OLD_FIELDS[segment.name] for element in _each(segment, field)]


def _each(segment: Segment, field: int) -> list[Element]:
    text = segment.raw(field)
    if len(text) > _LONGEST_LIST or text.count(segment.notation.repetition) >= _MOST_IDENTIFIERS:
        raise UntranslatableError(f"too many identifiers; accepted: up to {_MOST_IDENTIFIERS}", segment.where(field))
    return [element for element in segment.each(field) if element.part(1)]


def _rank(identifier: Element, site: Site) -> tuple[bool, bool, bool]:
    wanted, kind = site.preferred_authority, identifier.part(5)
    named = wanted is not None and wanted in (identifier.part(4, 1), identifier.part(4, 2))
    return named, kind == site.preferred_identifier_type, kind == _MEDICAL_RECORD
