"""A receiver over HTTP, signed as Standard Webhooks has it.

Topic: any 2xx takes a message; 4xx but 408, 425 and 429 refuses it for good; all else is tried again. No redirect is
followed: the signed content would go where nobody set it to go.
"""

import asyncio
import ssl
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from importlib.util import find_spec
from typing import Final

import httpx
from pydantic import SecretStr
from standardwebhooks import Webhook

from alerting.delivery.message import TAKEN, Answer, Message
from alerting.delivery.settings import WebhookSettings

_MOST_READ: Final = 16_384
"""Bytes of an answer's body that are read, so that the connection can be used again."""
_REPEATABLE: Final = frozenset({408, 425, 429})
_SECONDS_DIGITS: Final = 9

# httpcore imports sniffio for each of its locks. Where it is not installed the whole path is searched each time: a
# quarter of what a request costs. A name known to be missing is missing at once.
if find_spec("sniffio") is None:
    sys.modules["sniffio"] = None  # type: ignore[assignment]


class WebhookReceiver:
    """One address."""

    def __init__(self, settings: WebhookSettings, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._settings = settings
        self._now = now
        self._signers = [Webhook(s.get_secret_value()) for s in _secrets(settings)]
        verify = ssl.create_default_context(cafile=str(settings.authorities) if settings.authorities else None)
        self._client = httpx.AsyncClient(
            verify=verify,
            proxy=settings.proxy,
            trust_env=False,
            follow_redirects=False,
            timeout=settings.timeout,
            limits=httpx.Limits(max_connections=settings.parallel, max_keepalive_connections=settings.parallel),
        )

    async def send(self, message: Message) -> Answer:
        """Send one request."""
        try:
            async with asyncio.timeout(self._settings.timeout):
                return await self._send(message)
        except (TimeoutError, httpx.TimeoutException):
            return Answer("again", "timed_out")
        except httpx.HTTPError as error:
            return Answer("again", "insecure" if _is_of_tls(error) else "unreachable")

    async def _send(self, message: Message) -> Answer:
        body = message.body
        content, headers = body, self._headers(message.message_id, body)
        async with self._client.stream("POST", self._settings.url, content=content, headers=headers) as response:
            answer = self._answer(response)
            read = 0
            async for part in response.aiter_raw():
                read += len(part)
                if read > _MOST_READ:
                    break
        return answer

    def _headers(self, message_id: str, body: bytes) -> dict[str, str]:
        now, text = self._now(), body.decode()
        return {
            "content-type": "application/json",
            "user-agent": "trabecula",
            "webhook-id": message_id,
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": " ".join(signer.sign(message_id, now, text) for signer in self._signers),
        }

    def _answer(self, response: httpx.Response) -> Answer:
        status = response.status_code
        if response.is_success:
            return TAKEN
        wait = _asked(response.headers.get("retry-after"), self._now())
        if status in _REPEATABLE:
            return Answer("again", "timed_out" if status == httpx.codes.REQUEST_TIMEOUT else "busy", status, wait)
        if response.is_client_error:
            return Answer("refused", "refused", status)
        return Answer("again", "failing" if response.is_server_error else "redirects", status, wait)

    async def close(self) -> None:
        """Close every connection."""
        await self._client.aclose()


def _secrets(settings: WebhookSettings) -> list[SecretStr]:
    return [s for s in (settings.secret, settings.former_secret) if s is not None]


def _is_of_tls(error: BaseException | None) -> bool:
    while error is not None and not isinstance(error, ssl.SSLError):
        error = error.__cause__ or error.__context__
    return error is not None


def _asked(retry_after: str | None, now: datetime) -> float | None:
    """What `Retry-After` asks: seconds, or an instant; None where it cannot be read."""
    if retry_after is None:
        return None
    text = retry_after.strip()
    if text.isascii() and text.isdigit() and len(text) <= _SECONDS_DIGITS:
        return float(text)
    try:
        at = parsedate_to_datetime(text)
    except ValueError:
        return None
    return max(0.0, ((at if at.tzinfo else at.replace(tzinfo=UTC)) - now).total_seconds())
