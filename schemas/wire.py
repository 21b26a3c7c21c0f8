"""The wire form: JSON in and out, every decimal digit kept; whoever an event names twice is not guessed.

Errors: NotJsonError names the byte; nothing of the input is quoted.
"""

import json
from decimal import Decimal, InvalidOperation
from typing import Any, Final

import msgspec
from pydantic import BaseModel

from schemas.event_parts import Event

LARGEST_MESSAGE: Final = 16 * 1024 * 1024
"""Bytes. A larger message is refused before it is parsed; a file is read line by line or resource by resource."""


class NotJsonError(ValueError):
    """The bytes are not a JSON text."""


def _digits(text: str) -> Decimal:
    try:
        return Decimal(text)
    except InvalidOperation:  # an exponent that no decimal can hold
        raise NotJsonError("a number beyond any measurement") from None


_decoder = msgspec.json.Decoder(float_hook=_digits)
_encoder = msgspec.json.Encoder(decimal_format="number")


def decode(given: bytes | str) -> Any:
    """Decode one JSON text; numbers with a point or exponent become Decimal.

    Errors: NotJsonError for anything that is not JSON, is nested too deeply or is no UTF-8.
    """
    try:
        return _decoder.decode(given)
    except msgspec.DecodeError as error:
        raise NotJsonError(f"not JSON: {error}") from None
    except RecursionError:
        raise NotJsonError("nested too deeply") from None
    except UnicodeError:
        raise NotJsonError("not UTF-8 text") from None


class SaidTwice(dict[str, Any]):
    """An object that names its patient twice: which of the two is meant nobody knows."""


_PATIENT: Final = "patient_id"


def decode_events(given: bytes | str) -> Any:
    """Decode one JSON text of an event or of many, as `decode`; an object that names its patient twice is a SaidTwice.

    Topic: msgspec takes the last of a repeated key and tells nobody, so that the key is looked for beforehand; only a
    text that has it oftener than it can have events is read slowly. A key in another spelling (`\\u0070atient_id`)
    is not found.
    Errors: as `decode`.
    """
    found = decode(given)
    often = given.count(b'"patient_id"') if isinstance(given, bytes) else given.count('"patient_id"')
    return found if often <= (len(found) if isinstance(found, list) else 1) else _decoded_slowly(given)


def _decoded_slowly(given: bytes | str) -> Any:
    try:
        return json.loads(given, parse_float=_digits, parse_int=_decoder.decode, object_pairs_hook=_object)
    except RecursionError:
        raise NotJsonError("nested too deeply") from None


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    is_twice = sum(key == _PATIENT for key, _ in pairs) > 1
    return SaidTwice(pairs) if is_twice else dict(pairs)


def encode(value: Any) -> bytes:
    """Encode plain values or a model as one JSON text without line ends; of an event, the fields that say something."""
    if isinstance(value, Event):
        value = value.model_dump(exclude_none=True)
    elif isinstance(value, BaseModel):
        value = value.model_dump()
    return _encoder.encode(value)
