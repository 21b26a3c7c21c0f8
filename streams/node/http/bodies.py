"""Bodies of requests: bounded in size and time, unpacked within the same bound, and of a type that is read."""

import asyncio
import zlib
from collections.abc import AsyncIterator, Collection, Iterator
from typing import Final

from starlette.requests import Request

from streams.node.http.problems import ProblemError
from streams.node.http.settings import HttpSettings

_GZIP: Final = 31
"""Window bits with which zlib reads gzip and nothing else."""
_STEP: Final = 1 << 16
_MOST_MEMBERS: Final = 1_000


def content_type(request: Request, accepted: Collection[str]) -> str:
    """The media type of a body without its parameters; empty where none is said.

    Errors: ProblemError 415.
    """
    said = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if said and said not in accepted:
        raise ProblemError(
            415, "a body of this type is not read", field="Content-Type", accepted=", ".join(sorted(accepted))
        )
    return said


async def body_of(request: Request, settings: HttpSettings, largest: int) -> bytes:
    """The whole body, unpacked.

    Errors: ProblemError 400, 408, 413, 415.
    """
    packed = _is_packed(request)
    _judge_length(request, largest)
    try:
        async with asyncio.timeout(settings.body_within):
            return await (_unpacked if packed else _plain)(request.stream(), largest)
    except TimeoutError:
        raise ProblemError(
            408, f"the body did not come within {settings.body_within:g} s", headers={"Connection": "close"}
        ) from None


def _is_packed(request: Request) -> bool:
    said = request.headers.get("content-encoding", "identity").strip().lower()
    if said not in {"identity", "", "gzip", "x-gzip"}:
        raise ProblemError(
            415,
            "a body of this encoding is not read",
            field="Content-Encoding",
            accepted="gzip, identity",
            headers={"Accept-Encoding": "gzip, identity"},
        )
    return said.endswith("gzip")


def _judge_length(request: Request, largest: int) -> None:
    said = request.headers.get("content-length", "")
    if said.isascii() and said.isdigit() and int(said) > largest:
        raise _too_large(largest)


def _too_large(largest: int) -> ProblemError:
    # The rest of the body is not read, so that the connection cannot be used again.
    return ProblemError(
        413, "the body is too large", field="body", accepted=f"up to {largest} bytes", headers={"Connection": "close"}
    )


async def _plain(chunks: AsyncIterator[bytes], largest: int) -> bytes:
    held = bytearray()
    async for chunk in chunks:
        if len(held) + len(chunk) > largest:
            raise _too_large(largest)
        held += chunk
    return bytes(held)


async def _unpacked(chunks: AsyncIterator[bytes], largest: int) -> bytes:
    """Unpacked step by step: no more than the bound and a step is ever held, however well it was packed."""
    held = bytearray()
    unpacking = Unpacking()
    async for chunk in chunks:
        for part in unpacking.feed(chunk):
            held += part
            if len(held) > largest:
                raise _too_large(largest)
    for part in unpacking.end():
        held += part
    if len(held) > largest:
        raise _too_large(largest)
    return bytes(held)


class Unpacking:
    """A gzip body, member by member, in parts of a bounded size."""

    def __init__(self) -> None:
        self._member = zlib.decompressobj(_GZIP)
        self._members = 1
        self._begun = False

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        """The parts that a chunk unpacks to.

        Errors: ProblemError 400.
        """
        self._begun = self._begun or bool(chunk)
        while chunk:
            if self._member.eof:
                self._next()
            yield self._part(chunk)
            chunk = self._member.unused_data if self._member.eof else self._member.unconsumed_tail

    def end(self) -> Iterator[bytes]:
        """What is left, as nothing more comes; a body without any content is whole.

        Errors: ProblemError 400.
        """
        while not self._member.eof and (part := self._part(b"")):
            yield part
        if self._begun and not self._member.eof:
            raise _not_gzip()

    def _part(self, chunk: bytes) -> bytes:
        try:
            return self._member.decompress(chunk, _STEP)
        except zlib.error:
            raise _not_gzip() from None

    def _next(self) -> None:
        self._members += 1
        if self._members > _MOST_MEMBERS:
            raise _not_gzip()
        self._member = zlib.decompressobj(_GZIP)


def _not_gzip() -> ProblemError:
    return ProblemError(400, "the body is no whole gzip", field="body", accepted="gzip (RFC 1952)")
