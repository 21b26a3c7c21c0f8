"""Messages as native events: one JSON object an event."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from schemas.wire import encode
from streams.simulate.messages import Message

FACILITY = "SIMULATED"


def events(message: Message, live_from: datetime | None = None) -> Iterator[dict[str, Any]]:
    """The events of a message; `history` where it was recorded before an instant."""
    old = live_from is not None and message.at < live_from
    for nth, said in enumerate(message.said, 1):
        event = {
            "event_id": f"{message.control}.{nth}",
            "patient_id": message.person.number,
            "source": f"{message.sender}|{FACILITY}",
            "recorded_at": message.at,
            **said,
        }
        if old:
            event["history"] = True
        yield event


def lines(message: Message, live_from: datetime | None = None) -> bytes:
    """The events of a message as NDJSON; empty where it has none."""
    return b"".join(encode(event) + b"\n" for event in events(message, live_from))
