"""An imaging report: the parts of one study, told as one event.

Source: HL7 v2.5.1 chapter 7.4.1 (OBR-25), 7.4.2 (OBX).
"""

from collections.abc import Iterator, Sequence
from typing import Final, get_args

from schemas.events import Imaging, ImagingFinding
from schemas.tables import Tables
from streams.intake.hl7v2.coding import coded, codings
from streams.intake.hl7v2.groups import Order
from streams.intake.hl7v2.reading import Reading
from streams.intake.hl7v2.results import CODED
from streams.intake.hl7v2.seen import Seen, accession, placer

_WIDER: Final = {"femoral_head_fracture": "other_fracture"}
_FINDINGS: Final = frozenset(get_args(ImagingFinding.model_fields["finding"].annotation)) | _WIDER.keys()
_SAID: Final = {
    "preliminary": "performed",
    "final": "final",
    "corrected": "final",
    "cancelled": "cancelled",
    "entered_in_error": "entered_in_error",
}
_FIRMEST: Final = ("final", "performed", "cancelled", "entered_in_error")


def report(reading: Reading, order: Order, patient: str, pieces: Sequence[Seen]) -> None:
    """One event for each study of the order: its status is the firmest of its parts."""
    studies: dict[tuple[str, str], list[Seen]] = {}
    for piece in pieces:
        studies.setdefault(_study(reading.tables, piece), []).append(piece)
    for study, parts in studies.items():
        _tell(reading, order, patient, study, parts)


def _study(tables: Tables, piece: Seen) -> tuple[str, str]:
    request = piece.order.request
    by_order = coded(request, 4, tables, tables.imaging)[1] if request and request.value(4) else None
    if by_order is not None:
        return by_order
    modality, _, region = (piece.meaning.detail if piece.meaning else "").partition("/")
    return modality, region


def _tell(reading: Reading, order: Order, patient: str, study: tuple[str, str], parts: Sequence[Seen]) -> None:
    first = parts[0].obx
    statuses = {_SAID[part.status] for part in parts}
    performed = reading.first_moment((order.request, 7), (first, 14))
    modality, region = study
    reading.emit(
        Imaging,
        first,
        patient=patient,
        record=imaging_record(order) or parts[0].record(reading),
        status=next(status for status in _FIRMEST if status in statuses),
        modality=modality,
        region=region,
        performed_at=parts[0].at(reading, performed),
        findings=tuple(_findings(reading, parts)),
    )


def imaging_record(order: Order) -> str | None:
    """The study's own number, the same from its order to its report: the placer's, else the filler's."""
    number = placer(order) or accession(order)
    return f"imaging:{number}" if number else None


def _findings(reading: Reading, parts: Sequence[Seen]) -> Iterator[ImagingFinding]:
    """Findings are coded answers; the text of a report is read by people."""
    for part in parts:
        if part.obx.value(2) in CODED and not part.retracted:
            yield from _coded_findings(reading, part)


def _coded_findings(reading: Reading, part: Seen) -> Iterator[ImagingFinding]:
    for element in part.obx.each(5):
        concepts = [
            concept
            for code in codings(element, reading.tables)
            for concept in (*reading.tables.concepts(code.system, code.code), code.code)
        ]
        found = next((_WIDER.get(concept, concept) for concept in concepts if concept in _FINDINGS), None)
        if found is None:
            reading.counted["unmapped_code"] += 1
        else:
            yield ImagingFinding.model_validate({"finding": found})
