"""One statement of an Observation: its own value, or that of a component."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from schemas.events import AnyEvent
from schemas.tables import Observation as Meaning
from streams.intake.fhir.codes import shown
from streams.intake.fhir.datatypes import Coding, Reference
from streams.intake.fhir.reading import WITHDRAWN, Entry, read_part
from streams.intake.fhir.resources import Component, Named, Observation
from streams.intake.fhir.specimens import Drawn

STATUSES: Final = {
    "preliminary": "preliminary",
    "final": "final",
    "amended": "corrected",
    "corrected": "corrected",
    "cancelled": "cancelled",
    "entered-in-error": "entered_in_error",
}


Events = tuple[AnyEvent, ...]


@dataclass(frozen=True, slots=True)
class Said:
    """One statement: an observation's own value, or one of its components."""

    entry: Entry
    observation: Observation
    given: Component
    coding: Coding
    meaning: Meaning | None
    part: str
    status: str
    patient_id: str
    recorded_at: datetime
    at: datetime | None
    specimen: Drawn
    fasting: bool | None = None
    silence: str | None = None

    def when(self) -> datetime:
        """The clinical time.

        Errors: NotTranslatableError where the resource has none.
        """
        if self.at is None:
            raise self.entry.refused("no clinical time; expected a date or an instant", "effective[x]")
        return self.at

    def event(self, model: Any, **payload: Any) -> AnyEvent:
        """An event about this record."""
        where = "component" if self.part else ""
        common: dict[str, Any] = {"patient_id": self.patient_id, "recorded_at": self.recorded_at}
        event: AnyEvent = self.entry.event(model, part=self.part, where=where, **common, **payload)
        return event

    @property
    def record_status(self) -> str:
        """The status of kinds that have none of their own."""
        return self.status if self.status in WITHDRAWN else "active"


def name_of(said: Said, reference: Reference | None, kind: str) -> str | None:
    """How the Organization, Device or Location that a reference names is called."""
    if reference is None:
        return None
    found = said.entry.find(reference, kind)
    own = read_part(Named, found, kind).name if found is not None and isinstance(found.get("name"), str) else None
    return shown(reference.display) or shown(own) or said.entry.record_of(reference)
