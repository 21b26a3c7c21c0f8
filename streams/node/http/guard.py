"""Around every request: who may ask from where, what every answer carries, what is counted and logged.

Law: a log line has the route's template, never its address.
"""

import time
from collections.abc import Mapping
from typing import Final
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from streams.node.http.node import LOCAL_NAMES, Node, route_of
from streams.node.http.problems import ProblemError, answer, problem_of
from streams.node.logs import Log, place_of

LOG: Final = Log("http")
HEADERS: Final[Mapping[str, str]] = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; frame-ancestors 'none'; "
        "base-uri 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Referrer-Policy": "same-origin",  # with no-referrer a form of ours would say that it comes from nowhere
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"})
_SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})
STREAMS: Final = "/v1/notices"
_FORWARDED: Final = ("forwarded", "x-forwarded-for", "x-forwarded-host")


class Guard:
    """The outermost shell of the application."""

    def __init__(self, app: ASGIApp, node: Node) -> None:
        self._app = app
        self._node = node

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = time.perf_counter()
        method = scope["method"]
        # The stream is left out: of an answer without an end nobody wants the head alone.
        head = method == "HEAD" and scope["path"] != STREAMS
        answering = _Answering(send, secure=scope["scheme"] == "https", head=head)
        request = Request({**scope, "method": "GET"} if head else scope)
        try:
            self._judge(request)
            await self._app(request.scope, receive, answering.send)
        except Exception as error:  # noqa: BLE001 whatever failed, the next request is answered, and nothing of the patient is logged
            await self._failed(request, error, receive, answering)
        finally:
            self._count(request, method, answering.status, time.perf_counter() - began)

    async def _failed(self, request: Request, error: Exception, receive: Receive, answering: "_Answering") -> None:
        if not isinstance(error, ProblemError):
            LOG.error(
                "request_failed",
                method=_method(request.method),
                route=route_of(request),
                error=type(error).__name__,
                place=place_of(error.__traceback__),
            )
        if not answering.status:
            await answer(request, problem_of(error))(request.scope, receive, answering.send)

    def _count(self, request: Request, method: str, status: int, seconds: float) -> None:
        route = route_of(request)
        LOG.debug("request", method=_method(method), route=route, status=status, seconds=round(seconds, 4))
        if route != STREAMS or status != 200:  # noqa: PLR2004 the status OK
            self._node.metrics.answered(route, method, status, seconds)

    # ---- from where

    def _judge(self, request: Request) -> None:
        """Errors: ProblemError 403."""
        if not self._node.access.is_set:
            _only_local(request.headers)
        if request.method not in _SAFE:
            _only_same_origin(request)


def _method(said: str) -> str:
    """A method is whatever a client writes there."""
    return said if said in _METHODS else "other"


def _only_local(headers: Headers) -> None:
    """Where nobody says who they are, a page of another site must not come in by a name that it made lead here."""
    host = headers.get("host", "")
    name = host if host.endswith("]") else host.rpartition(":")[0] or host
    if name.lower() not in LOCAL_NAMES or any(each in headers for each in _FORWARDED):
        raise ProblemError(
            403,
            "without authentication only this machine is answered, by its own name",
            field="Host",
            accepted="localhost, 127.0.0.1 or [::1], and no proxy; or set TRABECULA_KEYS",
        )


def _only_same_origin(request: Request) -> None:
    """A browser sends what it remembers for any page that asks it to; a page of another site is told by these."""
    site, origin = request.headers.get("sec-fetch-site"), request.headers.get("origin")
    foreign = site not in {"same-origin", "none"} if site is not None else False
    if origin is not None and site is None:
        foreign = urlsplit(origin).netloc.lower() != request.headers.get("host", "").lower()
    if foreign:
        raise ProblemError(
            403, "asked by a page of another site", field="Origin", accepted="requests of no page, or of our own"
        )


class _Answering:
    """What is answered, with what every answer carries; `head`: without its body."""

    def __init__(self, send: Send, *, secure: bool, head: bool) -> None:
        self._send = send
        self._secure = secure
        self._head = head
        self.status = 0

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = MutableHeaders(scope=message)
            for name, value in HEADERS.items():
                headers.setdefault(name, value)
            if self._secure:
                headers.setdefault("Strict-Transport-Security", "max-age=31536000")
        elif self._head:
            message = {**message, "body": b""}
        await self._send(message)
