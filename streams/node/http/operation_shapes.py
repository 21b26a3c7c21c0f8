"""What the operators' routes answer, as OpenAPI shows it."""

from datetime import datetime
from typing import Literal

from schemas.alerts import Notice
from streams.node.http.shapes import Shape
from streams.node.operations import Word
from streams.node.port import Channel, Format


class FeedShown(Shape):
    """A source of events. `state` is history while it loads old data."""

    source: str
    state: Literal["history", "live"]
    received_at: datetime
    recorded_at: datetime
    events: int


class Feeds(Shape):
    """Every source of events by name."""

    items: tuple[FeedShown, ...]


class Live(Shape):
    """The end of a load of old data. `digest`: what stands and is told now, critical first."""

    source: str
    was_loading: bool
    digest: tuple[Notice, ...]


class DeadLetter(Shape):
    """Something that was refused. `taken_at`: when it was taken after all."""

    letter_id: int
    refused: str
    reason: str
    place: str
    channel: Channel
    format: Format
    source: str | None
    first_at: datetime
    last_at: datetime
    times: int
    taken_at: datetime | None


class DeadLetterPage(Shape):
    """Dead letters by number; `next` leads on, null at the end. A search may answer few, and where it goes on."""

    items: tuple[DeadLetter, ...]
    next: int | None


class DeadLetterWhole(DeadLetter):
    """A dead letter and its message: as text where the bytes are UTF-8, else in base64; null: no longer kept."""

    encoding: Literal["utf-8", "base64"] | None
    body: str | None


class RedrivenLetter(Shape):
    """What became of a dead letter's message when it was taken again; `events`: how many of it are new."""

    letter_id: int
    outcome: Word
    events: int
    reasons: tuple[str, ...]


class ReceiverShown(Shape):
    """How a receiver of notices fares. `oldest_at`: when the oldest notice was decided that should not wait."""

    name: str
    kind: Literal["webhook", "file"]
    waiting: int
    for_digest: int
    is_failing: bool
    reason: str
    status: int | None
    oldest_at: datetime | None


class ReceiversShown(Shape):
    """Every receiver."""

    items: tuple[ReceiverShown, ...]


class RefusedNotice(Shape):
    """A notice that a receiver refused for good. `is_overtaken`: it took a later one of that alert."""

    receiver: str
    notice_id: str
    alert_id: str
    reason: str
    status: int | None
    attempts: int
    refused_at: datetime
    is_overtaken: bool


class RefusedNotices(Shape):
    """What a receiver refused, the latest first."""

    items: tuple[RefusedNotice, ...]


class SentAgain(Shape):
    """How many refused notices wait for a receiver again."""

    receiver: str
    notices: int
