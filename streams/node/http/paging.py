"""Where a list goes on, as an opaque word."""

import base64
import binascii
from collections.abc import Sequence
from typing import Any, Final

import msgspec
from starlette.requests import Request

from streams.node.http.problems import ProblemError

_MOST_NAMED: Final = 128


def word_of(*place: str | int) -> str:
    """The word that leads to a place."""
    return base64.urlsafe_b64encode(msgspec.json.encode(place)).decode().rstrip("=")


def only(request: Request, known: Sequence[str]) -> None:
    """Every parameter is known and said once: one that is passed over would show more than was asked for.

    Errors: ProblemError 400.
    """
    said = [name for name, _ in request.query_params.multi_items()]
    if any(name not in known for name in said):
        wrong = ", ".join(dict.fromkeys(name for name in said if name not in known))[:_MOST_NAMED]
        raise ProblemError(400, "a parameter that is not known here", field=wrong, accepted=", ".join(known))
    once(request, known)


def once(request: Request, known: Sequence[str]) -> None:
    """Each of these parameters is said once at most.

    Errors: ProblemError 400.
    """
    for name in known:
        if len(request.query_params.getlist(name)) > 1:
            raise ProblemError(400, "said more than once", field=name, accepted=f"one {name}")


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
