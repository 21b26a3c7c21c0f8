"""What every route may answer besides what was asked for, as OpenAPI shows it."""

from typing import Any, Final

from streams.node.http.fhir_outcome import FHIR_JSON
from streams.node.http.problems import PROBLEM_JSON

Documented = dict[int | str, dict[str, Any]]

_WORDS: Final = {
    400: "It cannot be read; `field` says what, `accepted` what would be.",
    401: "Nobody says who asks.",
    403: "Whoever asks may not.",
    404: "There is no such thing.",
    408: "The body did not come in time.",
    412: "It is asked for under a condition that cannot be kept to here.",
    413: "The body is too large.",
    415: "The body is of a type or encoding that is not read.",
    422: "Nothing of it could be taken; it is kept as a dead letter.",
    429: "More is waiting than is taken; send the same again after Retry-After.",
    503: "It could not be stored; send the same again after Retry-After.",
}
_PROBLEM: Final = {PROBLEM_JSON: {"schema": {"$ref": "#/components/schemas/Problem"}}}
_OUTCOME: Final = {
    FHIR_JSON: {
        "schema": {
            "type": "object",
            "required": ["resourceType"],
            "properties": {"resourceType": {"type": "string"}},
        }
    }
}
FHIR_ANSWER: Final[dict[str, Any]] = {
    "description": "OperationOutcome, the answer to a batch or transaction, or the resource"
} | {"content": _OUTCOME}
READ: Final = (400, 401, 403, 503)
FOUND: Final = (400, 401, 403, 404, 503)
SENT: Final = (400, 401, 403, 408, 413, 415, 429, 503)


def problems(*statuses: int, fhir: bool = False) -> Documented:
    """These statuses, documented."""
    return {status: {"description": _WORDS[status], "content": _OUTCOME if fhir else _PROBLEM} for status in statuses}


def body(*kinds: str, schema: dict[str, Any] | None = None, required: bool = True) -> dict[str, Any]:
    """A body that the route reads itself."""
    content = {kind: {"schema": schema or {}} for kind in kinds}
    return {"requestBody": {"required": required, "content": content}}
