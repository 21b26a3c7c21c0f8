"""What the edges of the node (MLLP, HTTP) see of its engine: messages in, a durable outcome out."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, Protocol

from streams.intake.outcome import Refusal

Channel = Literal["mllp", "http", "fhir", "events", "kafka"]
Format = Literal["hl7v2", "fhir", "event", "part"]
"""part: what came of a message that is not whole; it is kept, and never read."""


@dataclass(frozen=True, slots=True)
class Incoming:
    """One message as it came. `feed` is the authenticated sender (certificate name, API key), if there is one.

    `refusal`: of a part of a message, what is wrong with it.
    """

    channel: Channel
    format: Format
    raw: bytes
    received_at: datetime
    feed: str | None = None
    refusal: Refusal | None = None


@dataclass(frozen=True, slots=True)
class ItemOutcome:
    """What became of one event of a message."""

    event_id: str
    outcome: Literal["accepted", "duplicate", "refused"]
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a message, told only once it is durable.

    `duplicate`: the same message was taken before and changed nothing. `refusals` say what could not be translated
    (kept raw as dead letters); `refused_whole` that nothing of the message was taken.
    """

    items: tuple[ItemOutcome, ...] = ()
    refusals: tuple[Refusal, ...] = ()
    ignored: int = 0
    duplicate: bool = False
    refused_whole: bool = False
    counted: dict[str, int] = field(default_factory=dict)


class NotDurableError(RuntimeError):
    """The message is not durable and must not be acknowledged: the store failed or the node is stopping.

    `retry_after`: seconds after which the sender may try again.
    """

    def __init__(self, why: str, retry_after: float = 5.0) -> None:
        super().__init__(why)
        self.retry_after = retry_after


class QueueFullError(NotDurableError):
    """More is waiting than the node takes; try again later."""


class Receiver(Protocol):
    """The engine as its edges use it."""

    async def receive(self, message: Incoming) -> Outcome:
        """Take a message; returns when it and all that it changed is durable.

        Errors: NotDurableError, QueueFullError.
        """

    async def receive_all(self, messages: Sequence[Incoming]) -> list[Outcome]:
        """Take messages in order, together: cheaper than one by one, and one that fails costs no other.

        Errors: NotDurableError, QueueFullError: of none is said that it was taken.
        """
