"""What a gateway writes of a message: its events, what was refused of it, and the message as it came.

Topic: every event names the message that it came from by that message's digest, so that evidence leads to it; a message
that is in a raw topic and was translated already says so, or a gateway would translate its own writing for ever.
"""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from hashlib import sha256
from typing import Final, get_args

from schemas import topics
from schemas.events import AnyEvent
from schemas.wire import encode
from streams.intake.outcome import Refusal
from streams.kafka.records import key_of
from streams.kafka.work import Given, Headers, Sent
from streams.node.port import Channel, Format, Incoming

MESSAGE: Final = "trabecula-message"
"""The digest of the message that an event came from; of a raw message its own."""
TRANSLATED: Final = "trabecula-translated"
"""Of a raw message: its events are written already."""
CHANNEL: Final = "trabecula-channel"
FEED: Final = "trabecula-feed"
RECEIVED: Final = "trabecula-received-at"
_MOST_REFUSALS: Final = 100
_RAW: Final = {"hl7v2": topics.RAW_HL7V2, "fhir": topics.RAW_FHIR}
_FORMATS: Final[dict[str, Format]] = {topics.RAW_HL7V2.name: "hl7v2", topics.RAW_FHIR.name: "fhir"}
_CHANNELS: Final[tuple[Channel, ...]] = get_args(Channel)


def digest_of(message: Incoming) -> str:
    """What tells a message from any other: its format and bytes, whoever brings them."""
    return sha256(message.format.encode() + b"\0" + message.raw).hexdigest()


def event_record(event: AnyEvent, digest: str) -> Sent:
    """An event of a message, where its patient is kept."""
    return Sent(topics.EVENTS.name, key_of(event.patient_id), encode(event), ((MESSAGE, digest.encode()),))


def raw_record(message: Incoming, digest: str) -> Sent | None:
    """A message whose events are written, as it came; None of a native event, which is its own record."""
    topic = _RAW.get(message.format)
    if topic is None:
        return None
    headers: Headers = ((TRANSLATED, b"1"), *_origin(message, digest))
    return Sent(topic.name, digest.encode(), message.raw, headers)


def dead_letter(message: Incoming, digest: str, refusals: Sequence[Refusal], now: datetime) -> Sent:
    """A message of which something was refused, as it came, with every reason and where it came from."""
    first = refusals[0]
    said = [{"refused": r.refused, "reason": r.reason, "where": r.where} for r in refusals[:_MOST_REFUSALS]]
    headers: Headers = (
        ("reason", first.reason.encode("utf-8", "replace")),
        ("refused", first.refused.encode("utf-8", "surrogatepass")),
        ("where", first.where.encode("utf-8", "replace")),
        ("refusals", json.dumps(said).encode()),
        ("format", message.format.encode()),
        ("origin", f"{message.channel}/{message.feed or ''}".encode("utf-8", "replace")),
        ("refused-at", now.isoformat().encode()),
        *_origin(message, digest),
    )
    return Sent(topics.DEAD_LETTERS.name, digest.encode(), message.raw, headers)


def _origin(message: Incoming, digest: str) -> Headers:
    feed: Headers = ((FEED, message.feed.encode("utf-8", "replace")),) if message.feed else ()
    return (
        (MESSAGE, digest.encode()),
        (CHANNEL, message.channel.encode()),
        (RECEIVED, message.received_at.isoformat().encode()),
        *feed,
    )


def patient_record(reference: str, patient_id: str | None) -> Sent:
    """Who a FHIR Patient is known as; None: it is forgotten."""
    return Sent(topics.PATIENTS.name, key_of(reference), None if patient_id is None else key_of(patient_id))


# ---- raw topics


def is_translated(given: Given) -> bool:
    """The events of a raw message are written already."""
    return any(name == TRANSLATED for name, _ in given.headers)


def incoming_of(topic: str, given: Given) -> Incoming:
    """The message of a record of a raw topic; a feed may say in headers who it is and whence the message came."""
    said = {name: value.decode("utf-8", "replace") for name, value in given.headers}
    return Incoming(
        next((channel for channel in _CHANNELS if channel == said.get(CHANNEL)), "kafka"),
        _FORMATS[topic],
        given.value or b"",
        datetime.fromtimestamp(given.timestamp / 1000, UTC),
        said.get(FEED) or None,
    )
