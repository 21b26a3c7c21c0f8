"""Receivers for tests: notices to deliver, and an HTTP server that takes, refuses, fails or dawdles as it is told."""

import base64
import json
import ssl
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final

from pydantic import SecretStr
from standardwebhooks import Webhook, WebhookVerificationError

from alerting.delivery.settings import FileSettings, WebhookSettings
from schemas.alerts import Notice, PackIdentity

SECRET: Final = "whsec_" + base64.b64encode(bytes(range(32))).decode()
AT: Final = datetime(2026, 3, 3, 9, tzinfo=UTC)


def notice(number: int, alert: str = "A", **more: Any) -> Notice:
    """A notice of an alert; `number` is its sequence."""
    said: dict[str, Any] = {
        "notice_id": f"{alert}-{number}",
        "alert_id": alert,
        "sequence": number,
        "transition": "raised",
        "severity": "warning",
        "patient_id": f"P-{alert}",
        "episode_id": "E",
        "rule_id": "HEP-02",
        "mode": "live",
        "delivery": "immediate",
        "rulepack": PackIdentity(version="1", sha256="0" * 64),
        "title": "Unfractionated heparin",
        "sentence": "Averaging 20,000 IU a day; „reviewed“",
        "effective_at": AT,
        "decided_at": AT,
    }
    return Notice.model_validate(said | more)


def webhook(url: str = "http://127.0.0.1:1/", **more: Any) -> WebhookSettings:
    """Settings of a webhook that is tried again soon."""
    said: dict[str, Any] = {"name": "ward", "kind": "webhook", "url": url, "secret": SecretStr(SECRET)}
    quick = {"retry_after": 0.02, "retry_at_most": 1.0, "begins": "beginning", "timeout": 5.0}
    return WebhookSettings.model_validate(said | quick | more)


def file(path: Any, **more: Any) -> FileSettings:
    """Settings of a file."""
    return FileSettings.model_validate({"name": "log", "kind": "file", "path": path, "begins": "beginning"} | more)


@dataclass(frozen=True)
class Reply:
    """What the server says."""

    status: int = 204
    headers: Mapping[str, str] = field(default_factory=dict)
    after: float = 0.0
    body: bytes = b""


@dataclass(frozen=True)
class Request:
    """What came."""

    message_id: str
    body: Any
    raw: bytes
    headers: Mapping[str, str]
    at: float
    verified: bool


Script = Callable[[Request, int], Reply]
"""Says what is replied to a request, and how often its id came before."""


def taking(_request: Request, _before: int) -> Reply:
    """Take everything."""
    return Reply()


class _Quiet(ThreadingHTTPServer):
    """Senders are stopped in the middle here; that is no news."""

    daemon_threads = True

    def handle_error(self, *_: Any) -> None:
        return


class Server:
    """A receiver on a free port of this machine that verifies every signature with the library of the specification."""

    def __init__(self, script: Script = taking, port: int = 0, context: ssl.SSLContext | None = None) -> None:
        self.script = script
        self.requests: list[Request] = []
        self.taken: list[Request] = []
        self.most_at_once = 0
        self._at_once = 0
        self._before: Counter[str] = Counter()
        self._lock = threading.Lock()
        self._server = _Quiet(("127.0.0.1", port), self._handler())
        self._scheme = "http" if context is None else "https"
        if context is not None:
            plain = self._server.socket
            self._server.socket = context.wrap_socket(plain, server_side=True, do_handshake_on_connect=False)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self._thread.start()

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])

    @property
    def url(self) -> str:
        return f"{self._scheme}://127.0.0.1:{self.port}/notices"

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            timeout = 20

            def do_POST(self) -> None:
                length = int(self.headers["content-length"])
                raw = self.rfile.read(length)
                if len(raw) < length:  # the sender was stopped
                    self.close_connection = True
                    return
                reply = server.receive(raw, dict(self.headers.items()))
                if reply.status:
                    self.send_response(reply.status)
                    for name, value in reply.headers.items():
                        self.send_header(name, value)
                    if reply.status != 204:
                        self.send_header("content-length", str(len(reply.body)))
                    self.end_headers()
                    self.wfile.write(reply.body)
                else:
                    self.close_connection = True  # as one that dies before it answers

            def log_message(self, *_: Any) -> None:
                return

        return Handler

    def receive(self, raw: bytes, headers: dict[str, str]) -> Reply:
        """Verify, note and reply."""
        given = {name.lower(): value for name, value in headers.items()}
        try:
            Webhook(SECRET).verify(raw, given)
            verified = True
        except WebhookVerificationError:
            verified = False
        request = Request(given["webhook-id"], json.loads(raw), raw, given, time.monotonic(), verified)
        with self._lock:
            before = self._before[request.message_id]
            self._before[request.message_id] += 1
            self.requests.append(request)
            self._at_once += 1
            self.most_at_once = max(self.most_at_once, self._at_once)
            reply = self.script(request, before)
        time.sleep(reply.after)
        with self._lock:
            self._at_once -= 1
            if 200 <= reply.status < 300:
                self.taken.append(request)
        return reply

    def ids(self) -> list[str]:
        """What was taken, in order."""
        return [request.message_id for request in self.taken]

    def close(self) -> None:
        """Refuse connections from now on."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@contextmanager
def server(script: Script = taking, port: int = 0, context: ssl.SSLContext | None = None) -> Iterator[Server]:
    """A server, closed at the end."""
    made = Server(script, port, context)
    try:
        yield made
    finally:
        made.close()


def later(days: float = 0, hours: float = 0) -> datetime:
    """An instant after `AT`."""
    return AT + timedelta(days=days, hours=hours)
