"""The records of the topics: how one is told from another by its headers, and what each is written as.

Source: CloudEvents 1.0, Kafka protocol binding (binary mode: attributes are headers `ce_*`).
"""

from datetime import datetime
from typing import Final

import msgspec

from schemas import topics
from schemas.alerts import Alert, Notice, Told
from schemas.days import to_utc
from schemas.events import AnyEvent
from schemas.facts import Fact
from schemas.wire import encode
from streams.chart import codec
from streams.intake.outcome import Refusal
from streams.kafka.work import Given, Headers, Sent

EVENTS: Final = topics.EVENTS.name
NOTICES: Final = topics.NOTICES.name
ALERTS: Final = topics.ALERTS.name
DEAD_LETTERS: Final = topics.DEAD_LETTERS.name

OURS: Final = "trabecula-"
"""What the names of our own headers begin with."""
FOR: Final = "trabecula-for"
"""Of an event: the surviving identity in whose partition it is, whoever it speaks of."""
ALL: Final = "trabecula-all"
"""Of a link, an erasure, or the end of a load: every partition has it."""
MOVED: Final = "trabecula-moved"
"""Of facts and memory that move: how many pieces there are, and which of them this is."""
LIVE: Final = "trabecula-live"
"""Of no event: a source has loaded its old data."""
DIGEST_AT: Final = "trabecula-digest-at"
"""Of a notice: when it was told with all that stands after a load."""


def header(given: Given, name: str) -> str | None:
    """A header's first value as text; None if there is none."""
    return next((value.decode("utf-8", "replace") for key, value in given.headers if key == name), None)


def key_of(patient_id: str) -> bytes:
    """The key of everything that is said of a patient."""
    return patient_id.encode("utf-8", "surrogatepass")


# ---- events


def event_record(event: AnyEvent) -> Sent:
    """An event where its patient is kept."""
    return Sent(EVENTS, key_of(event.patient_id), encode(event))


def forwarded(event: AnyEvent, survivor: str) -> Sent:
    """An event where its patient's surviving identity is kept."""
    return Sent(EVENTS, key_of(survivor), encode(event), ((FOR, key_of(survivor)),))


def for_all(given: Given, partitions: int) -> list[Sent]:
    """A record as every partition gets it, the one that it came in among them."""
    return [Sent(EVENTS, given.key, given.value, ((ALL, b"1"),), partition) for partition in range(partitions)]


def live_record(source: str, partition: int) -> Sent:
    """The word, for one partition, that a source has loaded its old data."""
    return Sent(EVENTS, None, encode({"source": source}), ((LIVE, b"1"), (ALL, b"1")), partition)


# ---- who moves


class Moved(msgspec.Struct, frozen=True):
    """What moves with a patient beside the facts.

    `loading`: who still loads whom. `withheld`: untold notices. `told`: alerts that somebody was told of.
    `alerts`: how each was written last.
    """

    loading: tuple[tuple[str, str], ...] = ()
    withheld: tuple[bytes, ...] = ()
    told: tuple[str, ...] = ()
    alerts: tuple[bytes, ...] = ()


class Piece(msgspec.Struct, frozen=True):
    """A piece of what moves to a surviving identity; the last one has what is not facts."""

    move_id: str
    survivor: str
    event_id: str | None
    page: bytes
    beside: Moved | None = None

    @property
    def facts(self) -> tuple[Fact, ...]:
        """The facts of this piece."""
        return codec.decode(self.page).facts

    @property
    def memory(self) -> dict[str, Told]:
        """What was told of the alerts that move."""
        return codec.decode(self.page).told


def piece_record(piece: Piece, number: int, pieces: int) -> Sent:
    """One piece as a record."""
    headers: Headers = ((MOVED, f"{number}/{pieces}".encode()), (FOR, key_of(piece.survivor)))
    return Sent(EVENTS, key_of(piece.survivor), msgspec.msgpack.encode(piece), headers)


def piece_of(given: Given) -> Piece:
    """The piece of a record.

    Errors: msgspec.DecodeError for anything else.
    """
    return msgspec.msgpack.decode(given.value or b"", type=Piece)


# ---- what is said


def notice_record(notice: Notice, digest_at: datetime | None = None) -> Sent:
    """A notice; receivers know it by its id, however often it is sent. `digest_at`: when it is told with others."""
    headers = _cloud(notice.notice_id, f"trabecula.notice.{notice.transition}.v1", notice.decided_at)
    if digest_at is not None:
        headers = (*headers, (DIGEST_AT, to_utc(digest_at).isoformat().encode()))
    return Sent(NOTICES, key_of(notice.patient_id), encode(notice), headers)


def alert_record(alert_id: str, alert: Alert | None) -> Sent:
    """How an alert stands; None: it is forgotten."""
    if alert is None:
        return Sent(ALERTS, alert_id.encode(), None)
    name = f"{alert_id}.{alert.sequence}.{alert.state}"
    headers = _cloud(name, "trabecula.alert.v1", alert.effective_at)
    return Sent(ALERTS, alert_id.encode(), encode(alert), headers)


def _cloud(name: str, kind: str, at: datetime) -> Headers:
    return (
        ("ce_specversion", b"1.0"),
        ("ce_id", name.encode()),
        ("ce_source", b"/trabecula"),
        ("ce_type", kind.encode()),
        ("ce_time", to_utc(at).isoformat().replace("+00:00", "Z").encode()),
        ("content-type", b"application/json"),
    )


def dead_letter(given: Given, refusal: Refusal, now: datetime) -> Sent:
    """A record that could not be taken, as it came, with the reason and where it came from."""
    headers: Headers = (
        ("reason", refusal.reason.encode("utf-8", "replace")),
        ("refused", refusal.refused.encode("utf-8", "surrogatepass")),
        ("where", refusal.where.encode("utf-8", "replace")),
        ("format", b"event"),
        ("origin", f"{EVENTS}/{given.partition}/{given.offset}".encode()),
        ("refused-at", now.isoformat().encode()),
        *(one for one in given.headers if one[0].startswith(OURS)),  # what it needs to be taken again
    )
    return Sent(DEAD_LETTERS, given.key, given.value, headers)
