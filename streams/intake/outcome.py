"""What becomes of a message: events, things that matter to nobody, or a named refusal; never a guess."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from schemas.events import AnyEvent


@dataclass(frozen=True, slots=True)
class Refusal:
    """Something that could not be translated.

    `refused` names the message or resource (type and identity, never its content), `reason` says what is wrong and
    what would be accepted, `where` is the place: a field, segment, JSON path or line.
    """

    refused: str
    reason: str
    where: str


@dataclass(frozen=True, slots=True)
class Translation:
    """The outcome of one message.

    `ignored` counts by type what matters to nobody (message types, segments, resource types);
    `counted` counts what is noticed without being refused, by closed words:
    unknown_field, unmapped_code, property_mismatch, charset_fallback ...
    """

    events: tuple[AnyEvent, ...] = ()
    refusals: tuple[Refusal, ...] = ()
    ignored: Mapping[str, int] = field(default_factory=dict)
    counted: Mapping[str, int] = field(default_factory=dict)
    all_or_nothing: bool = False
    """Its sender asked for all of it or nothing (a FHIR transaction)."""

    @property
    def refused_whole(self) -> bool:
        """Nothing of the message was taken, and something was wrong with it."""
        return bool(self.refusals) and not self.events
