"""Where a list goes on, as an opaque word."""

import base64
import binascii
from typing import Any

import msgspec

from streams.node.http.problems import ProblemError


def word_of(*place: str | int) -> str:
    """The word that leads to a place."""
    return base64.urlsafe_b64encode(msgspec.json.encode(place)).decode().rstrip("=")


def place_of(word: str, kind: Any) -> Any:
    """The place that a word leads to.

    Errors: ProblemError 400.
    """
    try:
        padded = word + "=" * (-len(word) % 4)
        return msgspec.json.decode(base64.b64decode(padded, altchars=b"-_", validate=True), type=kind)
    except (binascii.Error, ValueError, msgspec.DecodeError, RecursionError):
        raise ProblemError(
            400, "this leads to no place in the list", field="after", accepted="the `next` of an answer"
        ) from None
