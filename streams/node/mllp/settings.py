"""What an MLLP listener is told, and what it counts."""

from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from schemas.wire import LARGEST_MESSAGE

Counted = Literal[
    "accepted",
    "refused",
    "error",
    "oversize",
    "junk",
    "broken_off",
    "not_kept",
    "idle",
    "too_slow",
    "too_many_connections",
    "overfull",
    "unknown_certificate",
]
"""accepted, refused, error: a message, by its verdict; an oversize message is counted as that alone.

broken_off: a message that never ended; not_kept beside it: nothing of it is kept. idle, too_slow, overfull,
too_many_connections, unknown_certificate: a connection that was closed for it. Nothing that a sender wrote is ever a
label.
"""


class Counts(Protocol):
    """Where a listener counts."""

    def count(self, what: Counted) -> None: ...


class Senders(Protocol):
    """Who is told of each connection."""

    def connected(self, sender: str) -> AbstractContextManager[Counts]:
        """A connection of a feed, or of an address where nobody says who it is; what it counts, as long as it lasts."""


class Uncounted:
    """Counts nothing."""

    def count(self, what: Counted) -> None:
        """Forget it."""


@dataclass(frozen=True, slots=True)
class MllpSettings:
    """The limits of a listener. Units: bytes and seconds."""

    largest_message: int = LARGEST_MESSAGE
    most_held: int = 16 * LARGEST_MESSAGE
    """Of all unfinished messages together; the connection that goes beyond it is closed."""
    most_connections: int = 500
    idle_after: float = 900.0
    """A connection on which no message was completed for so long is closed; the sender connects anew."""
    message_within: float = 60.0
    """From the first byte of a message to its last one; a slower sender is cut off."""
    answer_within: float = 30.0
    """A sender that does not read its answers for so long is cut off."""
    quiet_after: float = 0.25
    """After so long without a further byte an FS is the end of its block."""
    parts_of_one: int = 16
    """Messages that broke off of which what came is kept, of one connection."""
    parts_an_hour: int = 1_000
    """The same, of all connections in an hour."""
    part_bytes_an_hour: int = 4 * LARGEST_MESSAGE
    """Bytes of them together in an hour."""
    clients: frozenset[str] = frozenset()
    """The names of client certificates that are let in; the name is the feed. Needs TLS with a client authority."""

    def __post_init__(self) -> None:
        for name in ("largest_message", "most_held", "most_connections", "idle_after", "message_within", "quiet_after"):
            if getattr(self, name) <= 0:
                raise ValueError(f"{name}: accepted: more than 0")


@dataclass(frozen=True, slots=True)
class TlsSettings:
    """Where the certificate of the listener is, and the authority whose clients are let in (mutual TLS)."""

    certificate: Path
    key: Path
    client_authority: Path | None = None
