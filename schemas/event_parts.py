"""What the models of events are made of: codings, quantities, and the fields that every event has."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, model_validator

from schemas.values import Identifier, Instant, Number, Text

Side = Literal["left", "right", "both"]


class Model(BaseModel):
    model_config = ConfigDict(frozen=True, strict=True, extra="ignore", hide_input_in_errors=True)


class Code(Model):
    """One coding. `system` is a FHIR system URI (or a site's own)."""

    system: Identifier
    code: Identifier
    display: Text | None = None


class Quantity(Model):
    """A number with its unit: UCUM, or a local unit that the tables know."""

    value: Number
    unit: Identifier | None = None


class ReferenceRange(Model):
    """The interval that the laboratory sent, in the unit of the result."""

    low: Number | None = None
    high: Number | None = None


class Event(Model):
    """The fields that every event has.

    `record_id` names the clinical record spoken about; a later `recorded_at` for the same (source, record_id)
    replaces the earlier one. `moved_to`: of a version that takes a record back because it came again under another
    patient, who that is; where the two turn out to be one person, nothing was moved.
    """

    event_id: Identifier
    patient_id: Identifier
    source: Identifier
    record_id: Identifier
    recorded_at: Instant
    history: bool = False
    moved_to: Identifier | None = None


class Recorded(Event):
    """Kinds that have no status of their own."""

    record_status: Literal["active", "entered_in_error", "cancelled"] = "active"


class Act(Recorded):
    """Kinds that are acts upon an identity or an alert: without a `record_id`, the `event_id` is the record."""

    record_id: Identifier = ""

    @model_validator(mode="before")
    @classmethod
    def _own_record(cls, given: Any) -> Any:
        if isinstance(given, dict) and given.get("record_id") is None:
            return {**given, "record_id": given.get("event_id")}
        return given
