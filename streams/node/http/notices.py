"""`GET /v1/notices`: notices as server-sent events, from where a reader left off.

Topic: `id` is a notice's number. A reader that comes again says the last one in `Last-Event-ID` and misses none; 0 is
the beginning; without it a reader hears what is told from now on.
Source: HTML Living Standard, server-sent events.
"""

import asyncio
import time
from typing import Annotated, Final

from fastapi import APIRouter, Header, Query
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from schemas.wire import encode
from streams.node.http.documented import READ, problems
from streams.node.http.node import AtNode, Node, principal_of
from streams.node.http.problems import ProblemError
from streams.node.http.reads import Numbered

router = APIRouter(tags=["alerts"])

EVENT_STREAM: Final = "text/event-stream"
_AT_ONCE: Final = 100
_RETRY: Final = b"retry: 2000\n\n"
_ALIVE: Final = b": alive\n\n"
_LARGEST: Final = 2**62
_NUMBER: Final = rf"^[0-9]{{1,{len(str(_LARGEST)) - 1}}}$"


@router.get(
    "/v1/notices",
    responses={
        200: {"description": "An endless stream", "content": {EVENT_STREAM: {"schema": {"type": "string"}}}},
        **problems(*READ, 429),
    },
    response_class=Response,
)
async def tell_notices(
    request: Request,
    node: AtNode,
    last_event_id: Annotated[str | None, Header(pattern=_NUMBER)] = None,
    after: Annotated[str | None, Query(pattern=_NUMBER, description="as Last-Event-ID, for those who cannot")] = None,
) -> Response:
    """Every notice as it is told: `event: notice`, `id` its number, `data` the notice."""
    if node.streams >= node.settings.most_streams:
        raise ProblemError(429, "more readers than are served at once", headers={"Retry-After": "10"})
    said = last_event_id or after
    begins = int(said) if said is not None else await node.ask(lambda reads: reads.last_notice())
    await node.note(request, "read", detail=f"notices after {begins}")
    return _Stream(node, request, begins)


class _Stream(Response):
    """Writes until the reader goes or does not take what it is sent, its time or credential ends, or the node stops."""

    media_type = EVENT_STREAM

    def __init__(self, node: Node, request: Request, begins: int) -> None:
        super().__init__(media_type=EVENT_STREAM, headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"})
        del self.headers["content-length"]
        self._node = node
        self._request = request
        self._last = begins

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        del scope
        self._node.streams += 1
        self._node.metrics.streaming(self._node.streams)
        gone = asyncio.ensure_future(_gone(receive))
        try:
            await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
            await self._told(_RETRY, send)
            async with asyncio.timeout(self._seconds()):
                await self._tell_all(send, gone)
            await self._told(b"", send, more=False)
        except TimeoutError:
            await self._told(b"", send, more=False)
        finally:
            gone.cancel()
            self._node.streams -= 1
            self._node.metrics.streaming(self._node.streams)
            await self._node.note(self._request, "read", detail=f"notices until {self._last}")

    def _seconds(self) -> float:
        expires_at = principal_of(self._request).expires_at
        left = (
            (expires_at - self._node.clock.now()).total_seconds() if expires_at else self._node.settings.stream_within
        )
        return max(0.0, min(left, self._node.settings.stream_within))

    async def _tell_all(self, send: Send, gone: "asyncio.Future[None]") -> None:
        told_at = time.monotonic()
        while not (gone.done() or self._node.doorbell.stopped):
            found = await self._node.ask(lambda reads: reads.notices(self._last, _AT_ONCE))
            if found:
                await self._told(b"".join(map(_event, found)), send)
                self._last = found[-1].number
                told_at = time.monotonic()
                continue
            if time.monotonic() - told_at >= self._node.settings.heartbeat:
                await self._told(_ALIVE, send)
                told_at = time.monotonic()
            await self._node.doorbell.wait(self._node.settings.look_every)

    async def _told(self, content: bytes, send: Send, *, more: bool = True) -> None:
        async with asyncio.timeout(self._node.settings.send_within):
            await send({"type": "http.response.body", "body": content, "more_body": more})


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _event(each: Numbered) -> bytes:
    return b"id: %d\nevent: notice\ndata: %s\n\n" % (each.number, encode(each.notice))
