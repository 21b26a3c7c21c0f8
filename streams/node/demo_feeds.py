"""The feeds of a demo: each system of the invented hospital sends to the node as any sender does, and is answered.

Law: what is not acknowledged is sent again; what can never be taken is counted, and the next one follows.
"""

import asyncio
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Final, Protocol

import httpx

from streams.node.demo_days import FORMS, Letter
from streams.node.mllp.framing import END, framed

_AGAIN_AFTER: Final = 1.0
_MOST_EVENTS: Final = 200
_LATER: Final = frozenset({429, 503})
_TAKEN: Final = frozenset({b"AA", b"CA"})
_REFUSED: Final = frozenset({b"AR", b"CR"})


class NotAcknowledgedError(Exception):
    """The node did not take a message; it is sent again."""


class Sender(Protocol):
    """One system's way to the node."""

    async def send(self, parts: Sequence[bytes]) -> int:
        """Send and wait for the answer; how many were refused for good.

        Errors: NotAcknowledgedError, OSError.
        """

    async def close(self) -> None:
        """Hang up."""


class Mllp:
    """HL7 v2 over one connection, the next message after the acknowledgement of the last."""

    def __init__(self, address: str) -> None:
        self._host, _, self._port = address.rpartition(":")
        self._link: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def send(self, parts: Sequence[bytes]) -> int:
        return sum([await self._said(raw) in _REFUSED for raw in parts])

    async def _said(self, raw: bytes) -> bytes:
        """The code of the acknowledgement."""
        if self._link is None:
            self._link = await asyncio.open_connection(self._host, int(self._port))
        reader, writer = self._link
        writer.write(framed(raw))
        try:
            answer = await reader.readuntil(END)
        except asyncio.IncompleteReadError:
            await self.close()
            raise NotAcknowledgedError("the connection was closed") from None
        code = _code(answer)
        if code not in _TAKEN | _REFUSED:
            raise NotAcknowledgedError(code.decode("ascii", "replace"))
        return code

    async def close(self) -> None:
        if self._link is not None:
            self._link[1].close()
            self._link = None


def _code(acknowledgement: bytes) -> bytes:
    """MSA-1."""
    segments = acknowledgement.split(b"\r")
    return next((s.split(b"|")[1] for s in segments if s.startswith(b"MSA|")), b"no MSA")


class Http:
    """FHIR one resource a request, events many a request."""

    def __init__(self, address: str, form: str) -> None:
        self._client = httpx.AsyncClient(base_url=f"http://{address}", timeout=60.0)
        self._form = form

    async def send(self, parts: Sequence[bytes]) -> int:
        if self._form == "event":
            answer = await self._posted("/v1/events", "application/x-ndjson", b"\n".join(parts))
            return sum(item["outcome"] == "refused" for item in answer.json()["items"])
        answers = [await self._posted("/fhir", "application/fhir+json", raw) for raw in parts]
        return sum(answer.is_client_error for answer in answers)

    async def _posted(self, path: str, kind: str, content: bytes) -> httpx.Response:
        try:
            answer = await self._client.post(path, content=content, headers={"Content-Type": kind})
        except httpx.TransportError as error:
            raise NotAcknowledgedError(type(error).__name__) from None
        if answer.status_code in _LATER:
            raise NotAcknowledgedError(str(answer.status_code))
        return answer

    async def close(self) -> None:
        await self._client.aclose()


class Feeds:
    """Every system of the hospital, each with its connection."""

    def __init__(self, http: str, mllp: str) -> None:
        self.sent: Counter[str] = Counter()
        """By format the messages that were answered for good."""
        self.refused = 0
        self._senders: dict[str, Sender] = {
            name: Mllp(mllp) if form == "hl7v2" else Http(http, form) for name, form in FORMS.items()
        }

    async def send(self, letters: Iterable[Letter]) -> None:
        """Send all of these: the systems beside each other, each in its order."""
        by_system: dict[str, list[Letter]] = {}
        for letter in letters:
            by_system.setdefault(letter.sender, []).append(letter)
        async with asyncio.TaskGroup() as tasks:
            for name, theirs in by_system.items():
                tasks.create_task(self._send(self._senders[name], theirs))

    async def _send(self, sender: Sender, letters: list[Letter]) -> None:
        for many in _together(letters):
            parts = [part for letter in many for part in letter.parts]
            self.refused += await _until_taken(sender, parts)
            self.sent[many[0].form] += len(many)

    async def close(self) -> None:
        """Hang up."""
        for sender in self._senders.values():
            await sender.close()


def _together(letters: list[Letter]) -> Iterator[list[Letter]]:
    """Events share a request; HL7 v2 and FHIR go one by one."""
    many = _MOST_EVENTS if letters[0].form == "event" else 1
    return (letters[begin : begin + many] for begin in range(0, len(letters), many))


async def _until_taken(sender: Sender, parts: Sequence[bytes]) -> int:
    while True:
        try:
            return await sender.send(parts)
        except (NotAcknowledgedError, OSError):
            await asyncio.sleep(_AGAIN_AFTER)
