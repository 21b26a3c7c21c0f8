"""One observation as it was seen: its order, code and status, before its kind decides what becomes of it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

from schemas.events import Code
from schemas.tables import Observation, Tables
from streams.intake.hl7v2.coding import coded, entity
from streams.intake.hl7v2.groups import Observed, Order
from streams.intake.hl7v2.message import Segment
from streams.intake.hl7v2.reading import Reading
from streams.intake.hl7v2.specimen import Sample
from streams.intake.hl7v2.untranslatable import UntranslatableError

Status = Literal["preliminary", "final", "corrected", "cancelled", "entered_in_error"]

_STATUS: Final[dict[str, Status]] = {
    "F": "final", "B": "final", "V": "final", "U": "final",
    "C": "corrected", "A": "corrected",
    "P": "preliminary", "R": "preliminary", "S": "preliminary",
    "D": "entered_in_error", "W": "entered_in_error",
    "X": "cancelled",
}  # fmt: skip
RETRACTED: Final = frozenset({"cancelled", "entered_in_error"})


def status(obx: Segment, said: str) -> Status:
    """The life cycle of OBX-11, else of OBR-25.

    Errors: UntranslatableError where neither says it in a code of table 0085.
    """
    found = _STATUS.get(said)
    if found is None:
        raise UntranslatableError(
            f"no known status; accepted: {', '.join(_STATUS)}, and I, N, O, which carry no result", obx.where(11)
        )
    return found


@dataclass(frozen=True, slots=True)
class Seen:
    """An OBX in its order. `meaning` is None where the tables do not know the code."""

    order: Order
    observed: Observed
    patient: str
    code: Code
    meaning: Observation | None
    status: Status
    finalises: bool
    specimen: Sample

    @property
    def obx(self) -> Segment:
        return self.observed.obx

    @property
    def record_status(self) -> str:
        return self.status if self.status in RETRACTED else "active"

    @property
    def retracted(self) -> bool:
        return self.status in RETRACTED

    def of_imaging(self, tables: Tables) -> bool:
        """A part of an imaging report: by its own code, or by none of its own under a study's."""
        if self.meaning is not None:
            return self.meaning.kind == "imaging"
        request = self.order.request
        return (
            request is not None and bool(request.value(4)) and coded(request, 4, tables, tables.imaging)[1] is not None
        )

    def record(self, reading: Reading) -> str:
        """Filler order number (else placer's), OBX-3 code, OBX-4; without an order the patient and the time."""
        parts = [accession(self.order) or self._without_order(reading), self.code.code, self.obx.value(4)]
        return ":".join(filter(None, parts))

    def _without_order(self, reading: Reading) -> str:
        at = reading.first_moment((self.obx, 14), (self.order.request, 7))
        return f"{self.patient}:{at.isoformat() if at else ''}"

    def at(self, reading: Reading, when: datetime | None) -> datetime:
        """The clinical time. What is taken back needs none, as nobody reads it there.

        Errors: UntranslatableError where a standing observation has none.
        """
        if when is None and self.retracted:
            return reading.recorded_at
        if when is None:
            raise UntranslatableError(
                "no time of the observation, and none is made up; accepted: YYYYMMDDHHMM in SPM-17, OBR-7 or OBX-14",
                self.order.request.where(7) if self.order.request else self.obx.where(14),
            )
        return when


def accession(order: Order) -> str | None:
    """The number of the order: the filler's, else the placer's, of the OBR, else of the ORC."""
    places = [(segment, field) for field in (3, 2) for segment in (order.request, order.common) if segment]
    return next((found for segment, field in places if (found := entity(segment, field))), None)


def placer(order: Order) -> str | None:
    """The placer's number of the order, of the ORC, else of the OBR."""
    return next((found for s in (order.common, order.request) if s and (found := entity(s, 2))), None)
