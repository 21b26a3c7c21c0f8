"""`GET /v1/messages`: from the evidence of an alert to the raw message that it came from."""

from typing import Annotated

from fastapi import APIRouter, Query
from starlette.requests import Request
from starlette.responses import Response

from streams.node.http.documented import FOUND, problems
from streams.node.http.node import AtNode, Node, not_found
from streams.node.http.shapes import RawMessage, RawMessages, wire
from streams.node.port import Incoming

router = APIRouter(tags=["patients"])


@router.get("/v1/messages", response_model=RawMessages, responses=problems(*FOUND))
async def show_messages(
    request: Request,
    node: AtNode,
    source: Annotated[str, Query(min_length=1, max_length=256)],
    event_id: Annotated[str, Query(min_length=1, max_length=256)],
) -> Response:
    """The messages that an event came from, as far as they are kept."""
    return wire(await found_messages(request, node, source, event_id))


async def found_messages(request: Request, node: Node, source: str, event_id: str) -> RawMessages:
    """The messages that an event came from; that somebody reads them is noted.

    Errors: ProblemError 404.
    """
    found = await node.ask(lambda reads: reads.messages(source, event_id))
    if not found:
        raise not_found()
    await node.note(request, "read", detail=f"raw message of event {event_id} of {source}")
    return RawMessages(items=tuple(_shown(node, each) for each in found))


def _shown(node: Node, message: Incoming) -> RawMessage:
    return RawMessage(
        channel=message.channel,
        format=message.format,
        feed=message.feed,
        received_at=node.monitor.calendar.local(message.received_at),
        body=message.raw.decode("utf-8", "backslashreplace"),
    )
