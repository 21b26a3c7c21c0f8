"""Dead letters of the Kafka deployment: what each says of itself, and the record that asks for it again.

Law: asking again is harmless: an event that was taken is a duplicate, a notice that was delivered is passed over.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from schemas import topics
from streams.kafka.intake_records import CHANNEL, FEED, MESSAGE
from streams.kafka.notify_parking import sent_again
from streams.kafka.records import ALL, FOR, LIVE, MOVED, header
from streams.kafka.work import Given, Sent
from streams.node.store_letters import Asked, source_of

_RAW: Final = {"hl7v2": topics.RAW_HL7V2.name, "fhir": topics.RAW_FHIR.name}
_OF_EVENTS: Final = frozenset({FOR, ALL, LIVE, MOVED, MESSAGE})
_OF_RAW: Final = frozenset({FEED, CHANNEL})
EXPECTED: Final = "expected one that says its format: event, hl7v2, fhir or notice"


def said_of(letter: Given) -> dict[str, Any]:
    """What is known of a dead letter without its message; `letter_id` is its place in the topic, counted from 1."""
    form = header(letter, "format") or ""
    return {
        "letter_id": letter.offset + 1,
        "refused": header(letter, "refused") or "record",
        "reason": header(letter, "reason") or "unknown",
        "place": header(letter, "where") or "",
        "channel": header(letter, CHANNEL) or "kafka",
        "format": form,
        "source": source_of(form, letter.value or b"", header(letter, FEED)),
        "origin": header(letter, "origin"),
        "first_at": header(letter, "refused-at") or datetime.fromtimestamp(letter.timestamp / 1000, UTC).isoformat(),
    }


def is_asked_for(said: Mapping[str, Any], asked: Asked) -> bool:
    """It is one of those that an operator asks for."""
    reason = asked.reason is None or asked.reason.casefold() in said["reason"].casefold()
    return reason and (asked.source is None or asked.source == said["source"])


def again(letter: Given) -> Sent | None:
    """The record that has a dead letter taken again; None for one that does not say what it is."""
    form = header(letter, "format") or ""
    if form == "notice":
        return sent_again(letter)
    if letter.value is None:
        return None
    if form in _RAW:
        headers = tuple(one for one in letter.headers if one[0] in _OF_RAW)
        return Sent(_RAW[form], letter.key, letter.value, headers)
    if form != "event":
        return None
    headers = tuple(one for one in letter.headers if one[0] in _OF_EVENTS)
    return Sent(topics.EVENTS.name, letter.key, letter.value, headers, _partition(letter))


def _partition(letter: Given) -> int | None:
    """Where every partition has a record, it is the partition that it was refused in that wants it again."""
    if header(letter, ALL) is None:
        return None
    said = (header(letter, "origin") or "").split("/")
    return int(said[1]) if len(said) == len(("topic", "partition", "offset")) and said[1].isdecimal() else None
