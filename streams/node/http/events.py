"""`POST /v1/events`: native events, one by one, as an array or as NDJSON; an outcome for each."""

from collections.abc import Sequence
from typing import Final

import msgspec
from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from schemas.wire import NotJsonError, decode
from streams.intake.outcome import Refusal
from streams.node.http.bodies import body_of, content_type
from streams.node.http.documented import SENT, body, problems
from streams.node.http.node import AtNode, Node, feed_of
from streams.node.http.problems import ProblemError
from streams.node.http.shapes import Taken, TakenItem, wire
from streams.node.port import Incoming, Outcome

router = APIRouter(tags=["in"])

JSON: Final = "application/json"
NDJSON: Final = "application/x-ndjson"
LINES: Final = frozenset({NDJSON, "application/ndjson", "application/jsonl", "application/json-lines"})
ACCEPTED: Final = LINES | {JSON}
_BLANK: Final = b" \t\r\n"
_BOM: Final = b"\xef\xbb\xbf"
_EXPECTED: Final = "one JSON object, an array of them, or one a line (NDJSON)"
_LONGEST_ID: Final = 256
_MOST_REASONS: Final = 5


@router.post(
    "/v1/events",
    response_model=Taken,
    responses=problems(*SENT),
    openapi_extra=body(JSON, schema={"type": ["object", "array"]}),
)
async def take_events(request: Request, node: AtNode) -> Response:
    """Take events; 200 with the outcome of each in order, even if all are refused.

    Sent again after 429 or 503, or because no answer came, an event that was taken before is a duplicate.
    """
    kind = content_type(request, ACCEPTED)
    read = parts(await body_of(request, node.settings, node.settings.largest_body), lines=kind in LINES)
    if len(read) > node.settings.most_items:
        raise ProblemError(413, "too many events", field="body", accepted=f"up to {node.settings.most_items} a body")
    now, feed = node.clock.now(), feed_of(request)
    outcomes = await take_all(node, [Incoming("events", "event", each, now, feed) for each in read])
    return wire(Taken(items=tuple(map(item_of, read, outcomes))))


async def take_all(node: Node, messages: Sequence[Incoming]) -> list[Outcome]:
    """Have messages taken in order, so many at once that they share a commit.

    Errors: NotDurableError, QueueFullError; what was taken before it stays, and is a duplicate when it comes again.
    """
    outcomes: list[Outcome] = []
    for begin in range(0, len(messages), node.settings.at_once):
        outcomes += await node.receive_all(messages[begin : begin + node.settings.at_once])
    return outcomes


# ---- what is in a body


def parts(content: bytes, *, lines: bool) -> list[bytes]:
    """The JSON texts of a body, as they were sent.

    Errors: ProblemError 400.
    """
    text = content.removeprefix(_BOM).strip(_BLANK)
    if not text:
        raise ProblemError(400, "the body is empty", field="body", accepted=_EXPECTED)
    if lines:
        return _lines(text)
    if text[:1] == b"[":
        return _array(text)
    if b"\n" in text and not _is_whole(text):
        found = _lines(text)
        if any(_is_whole(line) for line in found):
            return found
    if text[:1] != b"{" or not _is_whole(text):
        raise ProblemError(400, "the body is no JSON object", field="body", accepted=_EXPECTED)
    return [text]


def _lines(text: bytes) -> list[bytes]:
    return [stripped for line in text.split(b"\n") if (stripped := line.strip(_BLANK))]


def _array(text: bytes) -> list[bytes]:
    try:
        text.decode()
        return [bytes(each) for each in msgspec.json.decode(text, type=list[msgspec.Raw])]
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise ProblemError(400, "the body is no JSON array", field="body", accepted=_EXPECTED) from None


def _is_whole(text: bytes) -> bool:
    try:
        text.decode()
        msgspec.json.decode(text, type=msgspec.Raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False
    return True


# ---- what became of it


def item_of(raw: bytes, outcome: Outcome) -> TakenItem:
    """What became of one event."""
    known = outcome.items[0] if outcome.items else None
    name = known.event_id if known else _event_id(raw)
    if known and known.outcome == "refused":
        return TakenItem(event_id=name, outcome="refused", reason=reason_of(outcome.refusals) or known.reason)
    if outcome.refusals and (outcome.refused_whole or known is None):
        return TakenItem(event_id=name, outcome="refused", reason=reason_of(outcome.refusals))
    again = outcome.duplicate or (known is not None and known.outcome == "duplicate")
    return TakenItem(
        event_id=name, outcome="duplicate" if again else "accepted", reason=known.reason if known else None
    )


def reason_of(refusals: Sequence[Refusal]) -> str:
    """Each wrong field, and what would be accepted."""
    said = [f"{each.where}: {each.reason}" for each in refusals[:_MOST_REASONS]]
    return "; ".join([*said, *([f"and {len(refusals) - len(said)} more"] if len(refusals) > len(said) else [])])


def _event_id(raw: bytes) -> str | None:
    try:
        given = decode(raw)
    except NotJsonError:
        return None
    name = given.get("event_id") if isinstance(given, dict) else None
    return name[:_LONGEST_ID] if isinstance(name, str) and name else None
