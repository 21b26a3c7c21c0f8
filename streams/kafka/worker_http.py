"""Metrics and probes of a process without pages, from a thread: they answer also while the loop is busy."""

import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Final, Self

from prometheus_client import CollectorRegistry, generate_latest

_METRICS: Final = "text/plain; version=0.0.4; charset=utf-8"
_WORDS: Final = "text/plain; charset=utf-8"
_WITHIN: Final = 10.0
"""Seconds that a client has to ask."""


class AddressError(Exception):
    """An address that cannot be listened on; the message names it."""


class Probes:
    """GET /metrics, /healthz and /readyz."""

    def __init__(self, address: str, registry: CollectorRegistry, is_ready: Callable[[], bool]) -> None:
        host, _, port = address.rpartition(":")
        try:
            self._server = ThreadingHTTPServer((host.strip("[]"), int(port)), _answering(registry, is_ready))
        except (OSError, ValueError, OverflowError) as error:
            raise AddressError(f"cannot listen on {address}: {error}; expected HOST:PORT that is free") from None
        self._server.daemon_threads = True
        self.address = f"{host}:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, name="probes", daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


def _answering(registry: CollectorRegistry, is_ready: Callable[[], bool]) -> type[BaseHTTPRequestHandler]:
    class Answer(BaseHTTPRequestHandler):
        timeout = _WITHIN
        server_version = "trabecula"
        sys_version = ""

        def do_GET(self) -> None:
            match self.path.partition("?")[0]:
                case "/metrics":
                    self._answer(200, _METRICS, generate_latest(registry))
                case "/healthz":
                    self._answer(200, _WORDS, b"ok\n")
                case "/readyz" if is_ready():
                    self._answer(200, _WORDS, b"ready\n")
                case "/readyz":
                    self._answer(503, _WORDS, b"not ready\n")
                case _:
                    self._answer(404, _WORDS, b"there are /metrics, /healthz and /readyz\n")

        def _answer(self, status: int, kind: str, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Nothing: a scrape is no event."""

    return Answer
