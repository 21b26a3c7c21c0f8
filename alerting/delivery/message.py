"""What a receiver is handed, and what it says to it."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal, Protocol

Reason = Literal[
    "taken",
    "unreachable",
    "insecure",
    "timed_out",
    "busy",
    "failing",
    "redirects",
    "refused",
    "disk",
    "mistake",
]
"""Why; the same word in the store, in metrics and for people. `mistake` is one of ours."""

Occasion = Literal["daily", "live"]
DIGEST: Final = "trabecula.digest.v1"
"""The `type` of a digest; a notice has none."""


@dataclass(frozen=True, slots=True)
class Message:
    """What is sent at once: a notice, or a digest; `message_id` is the same however often it is sent."""

    message_id: str
    notice_ids: tuple[str, ...]
    bodies: tuple[bytes, ...]
    """Each notice as JSON, without line ends."""
    digest_at: datetime | None = None
    occasion: Occasion = "daily"
    """Of a digest: the hour of the day, or that a feed has gone live and this is what stands."""

    @property
    def body(self) -> bytes:
        """One JSON text: the notice, or an object that lists them."""
        if self.digest_at is None:
            return self.bodies[0]
        head = (
            f'{{"type":"{DIGEST}","occasion":"{self.occasion}","digest_id":"{self.message_id}",'
            f'"digest_at":"{self.digest_at.isoformat()}","notices":['
        )
        return head.encode() + b",".join(self.bodies) + b"]}"


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of a message: `again` is repeated for ever, `refused` is kept until somebody sends it again."""

    outcome: Literal["taken", "again", "refused"]
    reason: Reason
    status: int | None = None
    wait: float | None = None
    """Seconds for which the receiver asks to be left alone."""


TAKEN = Answer("taken", "taken")


class Receiver(Protocol):
    """Whoever takes messages. It alone says whether a repetition can help, and it raises nothing that is expected."""

    async def send(self, message: Message) -> Answer:
        """Hand it over; returns once it is taken for good, or was not."""

    async def close(self) -> None:
        """Send nothing more."""


def digest_id(receiver: str, digest_at: datetime, notice_ids: Sequence[str]) -> str:
    """The identity of a digest: that of what it lists, for whom and when."""
    parts = "\x1f".join((receiver, digest_at.isoformat(), *sorted(notice_ids)))
    return hashlib.sha256(parts.encode()).hexdigest()[:32]
