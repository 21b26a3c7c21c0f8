"""What CDS Hooks asks and is answered: the bodies, as they are read and as OpenAPI shows them.

Source: https://cds-hooks.hl7.org/2.0/
"""

from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from schemas.values import Identifier
from streams.node.http.documented import Documented

MOST: Final = 100
"""Cards of one feedback."""


def answers(what: str, name: str) -> Documented:
    """An object with one list."""
    schema = {"type": "object", "required": [name], "properties": {name: {"type": "array"}}}
    return {200: {"description": what, "content": {"application/json": {"schema": schema}}}}


_WORD: Final = {"type": "string", "minLength": 1, "maxLength": 256}
_SAID: Final = {"type": ["string", "null"], "maxLength": 256}
REQUEST: Final[dict[str, Any]] = {
    "type": "object",
    "required": ["hook", "hookInstance", "context"],
    "properties": {
        "hook": {"const": "patient-view"},
        "hookInstance": _WORD,
        "fhirServer": {"type": ["string", "null"], "maxLength": 1024},
        "context": {
            "type": "object",
            "required": ["patientId"],
            "properties": {"patientId": {"type": "string", "pattern": "^[A-Za-z0-9.-]{1,64}$"}, "userId": _SAID},
        },
        "prefetch": {"type": ["object", "null"], "properties": {"patient": {}}},
    },
}
FEEDBACK: Final[dict[str, Any]] = {
    "type": "object",
    "required": ["feedback"],
    "properties": {
        "feedback": {
            "type": "array",
            "minItems": 1,
            "maxItems": MOST,
            "items": {
                "type": "object",
                "required": ["card", "outcome", "outcomeTimestamp"],
                "properties": {
                    "card": _WORD,
                    "outcome": {"enum": ["accepted", "overridden"]},
                    "outcomeTimestamp": {"type": "string"},
                    "overrideReason": {
                        "type": ["object", "null"],
                        "properties": {
                            "reason": {"type": ["object", "null"]},
                            "userComment": {"type": ["string", "null"], "maxLength": 4096},
                        },
                    },
                },
            },
        }
    },
}


class HookBody(BaseModel):
    """Strict about what is read, lax about the rest."""

    model_config = ConfigDict(
        frozen=True, strict=True, extra="ignore", alias_generator=to_camel, hide_input_in_errors=True
    )


class HookContext(HookBody):
    """Whose chart was opened, and by whom."""

    patient_id: Annotated[str, Field(pattern=r"^[A-Za-z0-9\-.]{1,64}$")]
    user_id: Annotated[str | None, Field(max_length=256)] = None


class HookRequest(HookBody):
    """A chart was opened. `fhir_server`: where its Patient lives; else the server that the site's references are of."""

    hook: Literal["patient-view"]
    hook_instance: Identifier
    fhir_server: Annotated[str | None, Field(max_length=1024)] = None
    context: HookContext
    prefetch: dict[str, Any] | None = None


class OverrideReason(HookBody):
    """Why a card was dismissed."""

    reason: dict[str, Any] | None = None
    user_comment: Annotated[str | None, Field(max_length=4096)] = None


class Feedback(HookBody):
    """What became of one card."""

    card: Identifier
    outcome: Literal["accepted", "overridden"]
    override_reason: OverrideReason | None = None
    outcome_timestamp: str


class FeedbackRequest(HookBody):
    """What became of cards."""

    feedback: Annotated[list[Feedback], Field(min_length=1, max_length=MOST)]
