"""The framing of MLLP without I/O: bytes in, blocks and oddities out.

Shape: a block is VT, a message, FS, CR. What real senders do to that is understood as far as it is not a guess:
an FS ends a block where a segment's end stands before it or CR, LF or the next VT after it, so that a message that
ends without CR, and a block that does, are whole, and an FS inside a text cuts nothing off. An FS that is the last
byte may be either: `quiet` says that nothing came after it. A VT begins a block anew only before a header.
Law: however the bytes are cut into reads, the same is found.
Source: HL7 Minimal Lower Layer Protocol, release 1.
"""

import re
from dataclasses import dataclass
from typing import Final, Literal

START: Final = b"\x0b"
END: Final = b"\x1c\r"
_FS: Final = END[:1]
_TURN: Final = re.compile(rb"(?<=[\r\n])\x1c|\x1c(?=[\r\n\x0b])|\x0b(?=(?:\xef\xbb\xbf)?(?:MSH|FHS|BHS))")
_AHEAD: Final = 7
"""Bytes: the longest turn with what it looks at. What stands that far from the end is content for certain."""
_BETWEEN: Final = b"\r\n"
_BLANK: Final = b" \t\r\n\x00"


@dataclass(frozen=True, slots=True)
class Block:
    """A whole message, without its frame."""

    content: bytes


@dataclass(frozen=True, slots=True)
class Oversize:
    """A message that was too large: its first bytes, as many as are taken of one, and how many there were."""

    content: bytes
    size: int


@dataclass(frozen=True, slots=True)
class BrokenOff:
    """A block without an end: its first bytes, and how many came."""

    content: bytes
    size: int


Junk = Literal["junk"]
"""Bytes between blocks, or a block without content."""

Found = Block | Oversize | BrokenOff | Junk


def framed(message: bytes) -> bytes:
    """A message in its frame."""
    return START + message + END


class Framer:
    """Finds the blocks in a stream of bytes.

    `largest`: bytes of the largest message that is kept.
    """

    def __init__(self, largest: int) -> None:
        self._largest = largest
        self._held = bytearray()
        self._searched = 0
        self._inside = False
        self._in_junk = False
        self._head: bytes | None = None
        self._dropped = 0
        self.begun = 0
        """How many blocks began so far."""

    @property
    def inside(self) -> bool:
        """Whether a block has begun and not ended."""
        return self._inside

    @property
    def held(self) -> int:
        """Bytes that are kept of an unfinished block."""
        return len(self._held) + len(self._head or b"")

    @property
    def may_be_whole(self) -> bool:
        """Whether the block is whole if nothing comes after what was read."""
        return self._inside and self._held.endswith(_FS)

    def feed(self, read: bytes) -> list[Found]:
        """What the bytes that were read complete, in order."""
        self._held += read
        found: list[Found] = []
        while self._held:
            if not self._inside:
                found += self._between()
            elif turn := _TURN.search(self._held, max(0, self._searched - _AHEAD)):
                anew = turn[0] == START  # asked before the bytes that it looks into are gone
                found.append(self._taken(turn.start(), ended=not anew))
                del self._held[: turn.end()]
                self._enter(inside=anew)
            else:
                self._searched = len(self._held)
                self._drop()
                break
        return found

    def quiet(self) -> list[Found]:
        """What is complete, as nothing came for a while."""
        if not self.may_be_whole:
            return []
        found = self._taken(len(self._held) - 1, ended=True)
        self._held.clear()
        self._enter(inside=False)
        return [found]

    def end(self) -> list[Found]:
        """What is complete, and what is not, as nothing will come any more."""
        found = self.quiet()
        if self._inside:
            found.append(self._taken(len(self._held), ended=False))
            self._held.clear()
            self._enter(inside=False)
        return found

    def _enter(self, *, inside: bool) -> None:
        self._inside = inside
        self.begun += inside
        self._in_junk = False
        self._searched = self._dropped = 0
        self._head = None

    def _between(self) -> list[Found]:
        """Skip to the next start; one run of junk is one oddity, however long it is."""
        start = self._held.find(START)
        junk = self._held if start < 0 else self._held[:start]
        first = bool(junk.strip(_BETWEEN)) and not self._in_junk
        self._in_junk = self._in_junk or first
        if start < 0:
            self._held.clear()
        else:
            del self._held[: start + 1]
            self._enter(inside=True)
        return ["junk"] if first else []

    def _taken(self, length: int, *, ended: bool) -> Found:
        """What the block was, of which `length` bytes of those that are held belong to it."""
        size = self._dropped + length
        if size <= self._largest and not self._held[:length].strip(_BLANK):
            return "junk"
        content = bytes(self._held[: min(length, self._largest)]) if self._head is None else self._head
        if not ended:
            return BrokenOff(content, size)
        return Oversize(content, size) if size > self._largest else Block(content)

    def _drop(self) -> None:
        """Keep of a block that is too large only its first bytes, and what may belong to a turn."""
        certain = len(self._held) - _AHEAD
        if self._head is None:
            if certain <= self._largest:
                return
            self._head = bytes(self._held[: self._largest])
        if certain > 0:
            del self._held[:certain]
            self._dropped += certain
            self._searched = len(self._held)
