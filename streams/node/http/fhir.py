"""`/fhir` and `/fhir/{type}`: FHIR R4 resources and Bundles.

Law: of a transaction everything is taken or nothing; of a batch each entry by itself.
Topic: resources are taken, none is read or searched: no condition on what is kept can be kept to outside a Bundle.
Source: http://hl7.org/fhir/R4/http.html
"""

from collections.abc import Mapping
from typing import Annotated, Any, Final

from fastapi import APIRouter, Path
from starlette.requests import Request
from starlette.responses import Response

from schemas.wire import NotJsonError, decode, encode
from streams.node.http.bodies import body_of, content_type
from streams.node.http.documented import FHIR_ANSWER, SENT, body, problems
from streams.node.http.fhir_answers import is_answered_by_entry, issues_of, refused_transaction, response_bundle
from streams.node.http.fhir_outcome import FHIR_JSON, operation_outcome
from streams.node.http.node import AtNode, feed_of
from streams.node.http.problems import ProblemError
from streams.node.port import Incoming, Outcome

router = APIRouter(tags=["in"])

ACCEPTED: Final = frozenset({FHIR_JSON, "application/json"})
_EXPECTED: Final = "one FHIR R4 resource or Bundle in JSON"
_CONDITIONS: Final = ("if-none-exist", "if-match", "if-none-match", "if-modified-since")
_ID: Final = Path(pattern=r"^[A-Za-z0-9\-.]{1,64}$")
_TYPE: Final = Path(pattern="^[A-Za-z]{1,64}$")
_BODY: Final = body(
    FHIR_JSON,
    "application/json",
    schema={"type": "object", "required": ["resourceType"], "properties": {"resourceType": {"type": "string"}}},
)
_DOCUMENTED: Final = {200: FHIR_ANSWER, **problems(*SENT, 412, 422, fhir=True)}


@router.post("/fhir/", include_in_schema=False)
@router.post("/fhir", responses=_DOCUMENTED, openapi_extra=_BODY, response_class=Response)
async def take_resource(request: Request, node: AtNode) -> Response:
    """Take a resource or a Bundle of any type; a batch or transaction is answered entry by entry."""
    return await _take(request, node, None)


@router.post("/fhir/{type}", responses=_DOCUMENTED, openapi_extra=_BODY, response_class=Response)
async def take_resource_of_type(
    request: Request,
    node: AtNode,
    type: Annotated[str, _TYPE],  # noqa: A002 FHIR's word for it
) -> Response:
    """Take a resource of a type."""
    return await _take(request, node, type)


@router.put("/fhir/{type}/{id}", responses=_DOCUMENTED, openapi_extra=_BODY, response_class=Response)
async def take_version(
    request: Request,
    node: AtNode,
    type: Annotated[str, _TYPE],  # noqa: A002
    id: Annotated[str, _ID],  # noqa: A002
) -> Response:
    """Take a version of a resource."""
    return await _take(request, node, type, id)


@router.delete("/fhir/{type}/{id}", responses=_DOCUMENTED, response_class=Response)
async def take_back(
    request: Request,
    node: AtNode,
    type: Annotated[str, _TYPE],  # noqa: A002
    id: Annotated[str, _ID],  # noqa: A002
) -> Response:
    """Take back what was told of a resource; kept as a batch of one entry that says when it was asked for."""
    _judge_conditions(request)
    now = node.clock.now()
    entry = {"request": {"method": "DELETE", "url": f"{type}/{id}"}}
    batch = {"resourceType": "Bundle", "type": "batch", "timestamp": now, "entry": [entry]}
    outcome = await node.receive(Incoming("fhir", "fhir", encode(batch), now, feed_of(request)))
    return _told(outcome)


async def _take(request: Request, node: AtNode, kind: str | None, name: str | None = None) -> Response:
    _judge_conditions(request)
    content_type(request, ACCEPTED)
    raw = await body_of(request, node.settings, node.settings.largest_bundle)
    document = _document(raw)
    _judge_address(document, kind, name)
    outcome = await node.receive(Incoming("fhir", "fhir", raw, node.clock.now(), feed_of(request)))
    if document["resourceType"] == "Bundle" and is_answered_by_entry(document):
        return _by_entry(document, outcome)
    return _as_preferred(request, document, outcome)


def _judge_conditions(request: Request) -> None:
    """Errors: ProblemError 412. To pass over a condition would do what was not asked for."""
    asked = next((name for name in _CONDITIONS if name in request.headers), None)
    if asked is not None:
        raise ProblemError(
            412,
            "what is kept is not compared here",
            field=asked,
            accepted="the same without it, or ifNoneExist in a Bundle",
        )


def _judge_address(document: Mapping[str, Any], kind: str | None, name: str | None) -> None:
    """Errors: ProblemError 400."""
    if kind is not None and document["resourceType"] != kind:
        raise ProblemError(400, "the resource is of another type than the address", field="resourceType", accepted=kind)
    if name is not None and document.get("id") != name:
        raise ProblemError(400, "the id of the resource is not that of the address", field="id", accepted="the same id")


def _by_entry(bundle: Mapping[str, Any], outcome: Outcome) -> Response:
    kind, entries = bundle["type"], bundle.get("entry", [])
    if kind == "transaction" and outcome.refusals:
        return _answer(422, refused_transaction(entries, outcome))
    return _answer(200, response_bundle(kind, entries, outcome))


def _as_preferred(request: Request, document: Mapping[str, Any], outcome: Outcome) -> Response:
    """What the sender would rather have than an OperationOutcome, if all of it was taken."""
    preferred = request.headers.get("prefer", "").replace(" ", "").lower()
    if outcome.refusals or any(item.outcome == "refused" for item in outcome.items):
        return _told(outcome)
    if "return=representation" in preferred:
        return _answer(200, document)
    return Response(status_code=200) if "return=minimal" in preferred else _told(outcome)


def _told(outcome: Outcome) -> Response:
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
