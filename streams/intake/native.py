"""The native event: one JSON object, taken as it is once its model accepts it."""

from collections.abc import Mapping
from functools import cache
from typing import Any, Final, get_args

from pydantic import BaseModel, ValidationError

from schemas.events import EVENT, KINDS
from schemas.wire import LARGEST_MESSAGE, NotJsonError, SaidTwice, decode_events
from streams.intake.outcome import Refusal, Translation

_MOST_REASONS: Final = 20  # one message with a thousand wrong fields is one mistake
_ACCEPTED: Final = ", ".join(KINDS)
_NAMEABLE: Final = 80


def translate_native(raw: bytes, *, source: str | None = None) -> Translation:
    """Read one native event; `source` is the feed's name for events that carry none.

    Errors: none raised; what cannot be read is a Refusal that names the field and what would be accepted.
    """
    if len(raw) > LARGEST_MESSAGE:
        return _refused("event", f"larger than {LARGEST_MESSAGE} bytes; one event is expected", "$")
    try:
        given = decode_events(raw)
    except NotJsonError as error:
        return _refused("event", f"{error}; one JSON object is expected", "$")
    return translate_decoded(given, source=source)


def translate_decoded(given: object, *, source: str | None = None) -> Translation:
    """Read one native event that is decoded already; as `translate_native`."""
    if not isinstance(given, dict):
        return _refused("event", "expected one JSON object", "$")
    if isinstance(given, SaidTwice):
        return _refused(_name(given), "patient_id twice; accepted is one", "$.patient_id")
    kind = given.get("kind")
    if not isinstance(kind, str) or kind not in KINDS:
        return _refused(_name(given), f"unknown kind; accepted are {_ACCEPTED}", "$.kind")
    return _judge(given if "source" in given or source is None else {**given, "source": source}, kind)


def _judge(given: dict[str, Any], kind: str) -> Translation:
    try:
        event = EVENT.validate_python(given)
    except ValidationError as error:
        return Translation(refusals=_refusals(error, _name(given)))
    unknown = _unknown_fields(given, KINDS[kind])
    return Translation(events=(event,), counted={"unknown_field": unknown} if unknown else {})


def _refusals(error: ValidationError, refused: str) -> tuple[Refusal, ...]:
    """One Refusal a wrong field; the input is a patient and is never quoted."""
    found = error.errors(include_input=False, include_url=False, include_context=False)
    return tuple(Refusal(refused, _reason(each["msg"]), _path(each["loc"][1:])) for each in found[:_MOST_REASONS])


def _reason(message: str) -> str:
    return message.removeprefix("Value error, ")


def _path(location: tuple[int | str, ...]) -> str:
    return "$" + "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in location)


def _name(given: Mapping[str, object]) -> str:
    """How a refusal names the event: by its `event_id`, which is no patient data."""
    identity = given.get("event_id")
    return f"event {identity[:_NAMEABLE]}" if isinstance(identity, str) and identity else "event"


def _refused(refused: str, reason: str, where: str) -> Translation:
    return Translation(refusals=(Refusal(refused, reason, where),))


def _unknown_fields(given: Mapping[str, Any], model: type[BaseModel]) -> int:
    """Fields that no model reads, the nested models' included."""
    known, nested = _fields(model)
    within = sum(_unknown_within(given[name], inner) for name, inner in nested if name in given)
    return within + len(given.keys() - known)


def _unknown_within(value: object, model: type[BaseModel]) -> int:
    items = value if isinstance(value, list) else [value]
    return sum(_unknown_fields(item, model) for item in items if isinstance(item, dict))


@cache
def _fields(model: type[BaseModel]) -> tuple[frozenset[str], tuple[tuple[str, type[BaseModel]], ...]]:
    """The fields of a model, and the models inside them."""
    found = ((name, _nested_model(field.annotation)) for name, field in model.model_fields.items())
    return frozenset(model.model_fields), tuple((name, inner) for name, inner in found if inner is not None)


def _nested_model(annotation: Any) -> type[BaseModel] | None:
    """The model inside an annotation such as `Quantity | None` or `tuple[ImagingFinding, ...]`."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for part in get_args(annotation) if (found := _nested_model(part)) is not None), None)
