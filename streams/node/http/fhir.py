"""`POST /fhir` and `/fhir/{type}`: FHIR R4 resources and Bundles.

Topic: a transaction is taken as a batch: what can be read of it is durable, and each entry says what became of it. What
was refused is kept as a dead letter and taken again once it can be; all or nothing would keep a whole admission out for
one code.
Source: http://hl7.org/fhir/R4/http.html#transaction-response
"""

import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Final

from fastapi import APIRouter, Path
from starlette.requests import Request
from starlette.responses import Response

from schemas.wire import NotJsonError, decode, encode
from streams.intake.outcome import Refusal
from streams.node.http.bodies import body_of, content_type
from streams.node.http.documented import FHIR_ANSWER, SENT, body, problems
from streams.node.http.fhir_outcome import FHIR_JSON, Issue, operation_outcome
from streams.node.http.node import AtNode, feed_of
from streams.node.http.problems import ProblemError
from streams.node.port import Incoming, Outcome

router = APIRouter(tags=["in"])

ACCEPTED: Final = frozenset({FHIR_JSON, "application/json"})
_EXPECTED: Final = "one FHIR R4 resource or Bundle in JSON"
_WITH_RESPONSE: Final = {"batch": "batch-response", "transaction": "transaction-response"}
_TAKEN: Final = "200 OK"
_REFUSED: Final = "422 Unprocessable Entity"
_ENTRY: Final = re.compile(r"Bundle\.entry\[(\d{1,6})\]")
_BODY: Final = body(
    FHIR_JSON,
    "application/json",
    schema={"type": "object", "required": ["resourceType"], "properties": {"resourceType": {"type": "string"}}},
)
_DOCUMENTED: Final = {200: FHIR_ANSWER, **problems(*SENT, 422, fhir=True)}


@router.post("/fhir", responses=_DOCUMENTED, openapi_extra=_BODY, response_class=Response)
async def take_resource(request: Request, node: AtNode) -> Response:
    """Take a resource or a Bundle of any type; a batch or transaction is answered entry by entry."""
    return await _take(request, node, None)


@router.post("/fhir/{type}", responses=_DOCUMENTED, openapi_extra=_BODY, response_class=Response)
async def take_resource_of_type(
    request: Request,
    node: AtNode,
    type: Annotated[str, Path(pattern="^[A-Za-z]{1,64}$")],  # noqa: A002 FHIR's word for it
) -> Response:
    """Take a resource of a type."""
    return await _take(request, node, type)


async def _take(request: Request, node: AtNode, expected: str | None) -> Response:
    content_type(request, ACCEPTED)
    raw = await body_of(request, node.settings, node.settings.largest_bundle)
    document = _document(raw)
    if expected is not None and document["resourceType"] != expected:
        raise ProblemError(
            400, "the resource is of another type than the address", field="resourceType", accepted=expected
        )
    outcome = await node.receive(Incoming("fhir", "fhir", raw, node.clock.now(), feed_of(request)))
    kind = _WITH_RESPONSE.get(str(document.get("type"))) if document["resourceType"] == "Bundle" else None
    if kind is not None and isinstance(document.get("entry", []), list):
        return _answer(200, _bundle(kind, document.get("entry", []), outcome))
    return _answer(422 if outcome.refused_whole else 200, operation_outcome(issues_of(outcome)))


def _document(raw: bytes) -> Mapping[str, Any]:
    try:
        document = decode(raw)
    except NotJsonError:
        raise ProblemError(400, "the body is no JSON", field="body", accepted=_EXPECTED) from None
    if not isinstance(document, dict) or not isinstance(document.get("resourceType"), str):
        raise ProblemError(400, "the body is no FHIR resource", field="resourceType", accepted=_EXPECTED)
    return document


def _answer(status: int, content: Mapping[str, Any]) -> Response:
    return Response(encode(content), status, media_type=FHIR_JSON)


# ---- what became of it


def issues_of(outcome: Outcome) -> list[Issue]:
    """What became of a resource, as issues."""
    refused = [_issue(each, whole=outcome.refused_whole) for each in outcome.refusals]
    dead = [
        Issue("warning", "processing", item.reason or "refused") for item in outcome.items if item.outcome == "refused"
    ]
    if outcome.refused_whole and refused:
        return refused
    taken = sum(item.outcome == "accepted" for item in outcome.items)
    if outcome.duplicate:
        words = "taken before; nothing changed"
    elif taken:
        words = f"{taken} events taken"
    else:
        words = "nothing of it is read here"
    return [Issue("information", "informational", words), *refused, *dead]


def _issue(refusal: Refusal, *, whole: bool = True) -> Issue:
    return Issue("error" if whole else "warning", "processing", f"{refusal.refused}: {refusal.reason}", refusal.where)


def _bundle(kind: str, entries: Sequence[Any], outcome: Outcome) -> dict[str, Any]:
    """The answer entry by entry; what is said of no single entry is said of each."""
    named = _names(entries)
    by_entry: dict[int, list[Issue]] = {}
    of_all: list[Issue] = []
    for refusal in outcome.refusals:
        place = named.get(refusal.refused, _place(refusal))
        (of_all if place is None else by_entry.setdefault(place, [])).append(_issue(refusal))
    answers = [_entry([*by_entry.get(i, ()), *of_all]) for i in range(len(entries))]
    return {"resourceType": "Bundle", "type": kind, "entry": answers}


def _entry(issues: Sequence[Issue]) -> dict[str, Any]:
    if not issues:
        return {"response": {"status": _TAKEN}}
    return {"response": {"status": _REFUSED, "outcome": operation_outcome(issues)}}


def _names(entries: Sequence[Any]) -> dict[str, int]:
    """Which entry a refusal names."""
    resources = ((i, each.get("resource")) for i, each in enumerate(entries) if isinstance(each, dict))
    return {f"{r.get('resourceType')}/{r.get('id')}"[:100]: i for i, r in resources if isinstance(r, dict)}


def _place(refusal: Refusal) -> int | None:
    found = _ENTRY.search(refusal.refused) or _ENTRY.search(refusal.where)
    return int(found[1]) if found else None
