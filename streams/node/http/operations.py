"""What operators do: sources go live, dead letters are looked at and redriven, refused notices are sent again."""

import base64
from dataclasses import asdict
from typing import Annotated, Any, Final

from fastapi import APIRouter, Path, Query
from starlette.requests import Request
from starlette.responses import Response

from streams.node.http.alerts import MOST
from streams.node.http.documented import FOUND, READ, problems
from streams.node.http.node import AtNode, Node, not_found
from streams.node.http.operation_shapes import (
    DeadLetter,
    DeadLetterPage,
    DeadLetterWhole,
    Feeds,
    FeedShown,
    Live,
    ReceiverShown,
    ReceiversShown,
    RedrivenLetter,
    RefusedNotice,
    RefusedNotices,
    SentAgain,
)
from streams.node.http.problems import ProblemError
from streams.node.http.shapes import wire
from streams.node.operations import Operations
from streams.node.store_letters import Asked, Letter

router = APIRouter(tags=["operation"])

_USUAL: Final = 100
_LONGEST: Final = 256
_LARGEST: Final = 2**63 - 1
_CHANGES: Final = (*FOUND, 429)
Number = Annotated[int, Path(ge=1, le=_LARGEST)]
Name = Annotated[str, Path(min_length=1, max_length=_LONGEST)]
Limit = Annotated[int, Query(ge=1, le=MOST)]


def _of(node: Node) -> Operations:
    """Errors: ProblemError 503 where the application has no store behind it."""
    if node.operations is None:
        raise ProblemError(503, "this application keeps nothing that could be operated")
    return node.operations


# ---- sources


@router.get("/v1/sources", response_model=Feeds, responses=problems(*READ))
async def list_sources(node: AtNode) -> Response:
    """The sources that events came from, and whether each is live or loads old data."""
    operations = _of(node)
    found = await node.ask(lambda _: operations.sources())
    return wire(Feeds(items=tuple(FeedShown.model_validate(asdict(each)) for each in found)))


@router.post("/v1/sources/{source:path}/live", response_model=Live, responses=problems(*_CHANGES))
async def go_live(request: Request, node: AtNode, source: Name) -> Response:
    """End a source's load of old data: what stands is told now, in one digest. Doing it again changes nothing."""
    operations = _of(node)
    await node.note(request, "changed", detail=f"live {source}")
    found = await operations.go_live(source)
    if found is None:
        raise not_found()
    await node.note(request, "read", tuple(sorted({notice.patient_id for notice in found.digest})))
    return wire(Live(source=source, was_loading=found.was_loading, digest=found.digest))


# ---- dead letters


@router.get("/v1/dead-letters", response_model=DeadLetterPage, responses=problems(*READ))
async def list_dead_letters(
    request: Request,
    node: AtNode,
    reason: Annotated[str | None, Query(max_length=_LONGEST, description="a part of the reason")] = None,
    source: Annotated[str | None, Query(max_length=_LONGEST, description="who the message says it is from")] = None,
    taken: Annotated[bool, Query(description="also what was taken after all")] = False,  # noqa: FBT002 - a parameter
    limit: Limit = _USUAL,
    after: Annotated[int, Query(ge=0, le=_LARGEST, description="the `next` of an answer")] = 0,
) -> Response:
    """What was refused and is kept, by number; nothing of the messages themselves."""
    operations, asked = _of(node), Asked(limit, after, reason, source, taken)
    found = await node.ask(lambda _: operations.letters(asked))
    await node.note(request, "read", detail="dead letters, without the messages")
    items = tuple(DeadLetter.model_validate(asdict(each)) for each in found.items)
    return wire(DeadLetterPage(items=items, next=found.next))


@router.get("/v1/dead-letters/{letter_id}", response_model=DeadLetterWhole, responses=problems(*FOUND))
async def show_dead_letter(request: Request, node: AtNode, letter_id: Number) -> Response:
    """One dead letter with its message, byte by byte as it came."""
    operations = _of(node)
    found = await node.ask(lambda _: operations.letter(letter_id))
    if found is None:
        raise not_found()
    await node.note(request, "read", detail=f"raw message of dead letter {letter_id}")
    return wire(whole(*found))


def whole(letter: Letter, raw: bytes | None) -> DeadLetterWhole:
    """A dead letter and its message as they are shown."""
    return DeadLetterWhole.model_validate({**asdict(letter), **_shown(raw)})


def _shown(raw: bytes | None) -> dict[str, Any]:
    if raw is None:
        return {"encoding": None, "body": None}
    try:
        return {"encoding": "utf-8", "body": raw.decode()}
    except UnicodeDecodeError:
        return {"encoding": "base64", "body": base64.b64encode(raw).decode()}


@router.post("/v1/dead-letters/{letter_id}/redrive", response_model=RedrivenLetter, responses=problems(*_CHANGES))
async def redrive_dead_letter(request: Request, node: AtNode, letter_id: Number) -> Response:
    """Take a dead letter's message again, whole. What was taken of it before changes nothing."""
    operations = _of(node)
    await node.note(request, "changed", detail=f"redrive of dead letter {letter_id}")
    found = await operations.redrive(letter_id)
    if found is None:
        raise ProblemError(404, "there is no such dead letter, or its message is no longer kept")
    return wire(RedrivenLetter.model_validate(asdict(found)))


# ---- receivers


@router.get("/v1/receivers", response_model=ReceiversShown, responses=problems(*READ))
async def list_receivers(node: AtNode) -> Response:
    """How each receiver of notices fares."""
    found = _of(node).receivers.status()
    return wire(ReceiversShown(items=tuple(ReceiverShown.model_validate(asdict(each)) for each in found)))


@router.get("/v1/receivers/{receiver}/refused", response_model=RefusedNotices, responses=problems(*FOUND))
async def list_refused(node: AtNode, receiver: Name, limit: Limit = _USUAL) -> Response:
    """What a receiver refused for good, the latest first; the ids lead to the notices, for those who may see them."""
    _known(node, receiver)
    found = _of(node).receivers.refused(receiver, limit)
    return wire(RefusedNotices(items=tuple(RefusedNotice.model_validate(asdict(each)) for each in found)))


@router.post("/v1/receivers/{receiver}/redrive", response_model=SentAgain, responses=problems(*_CHANGES))
async def redrive_refused(
    request: Request,
    node: AtNode,
    receiver: Name,
    notice_id: Annotated[str | None, Query(max_length=_LONGEST, description="one notice; else all")] = None,
    overtaken: Annotated[bool, Query(description="also what a later one has overtaken")] = False,  # noqa: FBT002
) -> Response:
    """Send again what a receiver refused for good."""
    _known(node, receiver)
    await node.note(request, "changed", detail=f"redrive of what {receiver} refused")
    count = await _of(node).receivers.redrive(receiver, notice_id, overtaken=overtaken)
    return wire(SentAgain(receiver=receiver, notices=count))


def _known(node: Node, receiver: str) -> None:
    if receiver not in {each.name for each in _of(node).receivers.status()}:
        raise not_found()
