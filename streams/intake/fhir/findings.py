"""The findings of an imaging report: coded conclusions only, the text is not read."""

from collections.abc import Iterable
from typing import Final

from schemas.events import ImagingFinding
from schemas.tables import Tables
from streams.intake.fhir.codes import concepts, side
from streams.intake.fhir.datatypes import CodeableConcept

_FINDINGS: Final = {
    "vertebral_fracture": "vertebral_fracture",
    "femoral_neck_fracture": "femoral_neck_fracture",
    "femoral_head_fracture": "other_fracture",
    "sacral_fracture": "sacral_fracture",
    "pelvic_fracture": "pelvic_fracture",
    "rib_fracture": "rib_fracture",
    "marrow_edema": "marrow_edema",
    "other_fracture": "other_fracture",
    "no_fracture": "no_fracture",
    "normal": "normal",
}


def findings(
    conclusions: Iterable[CodeableConcept | None], site: CodeableConcept | None, tables: Tables
) -> tuple[ImagingFinding, ...]:
    """One finding for each coded conclusion that the tables know, each once."""
    found = {
        ImagingFinding.model_validate({"finding": word, "side": side([conclusion, site])}): None
        for conclusion in conclusions
        for concept in sorted(concepts([conclusion], tables))
        if (word := _FINDINGS.get(concept)) is not None
    }
    return tuple(found)
