"""What the routes answer, as OpenAPI shows it."""

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from schemas.alerts import Alert, Notice
from schemas.values import Identifier, Text
from schemas.wire import encode
from streams.explain import Explanation
from streams.node.port import Channel, Format

Outcome = Literal["accepted", "duplicate", "refused"]
Answer = Literal["acknowledge", "snooze", "override", "plan", "reopen"]


class Shape(BaseModel):
    """Anything that is answered."""

    model_config = ConfigDict(frozen=True, serialize_by_alias=True, hide_input_in_errors=True)


class Problem(Shape):
    """What went wrong (RFC 9457): which field, and what would be accepted."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    field: str | None = Field(default=None, json_schema_extra={"type": "string"})
    accepted: str | None = None


class TakenItem(Shape):
    """What became of one event; `event_id` is null where none could be read."""

    event_id: str | None
    outcome: Outcome
    reason: str | None = None


class Taken(Shape):
    """What became of the events of a body, in their order."""

    items: tuple[TakenItem, ...]


class AlertPage(Shape):
    """Alerts, the most urgent first; `next` leads on, null at the end."""

    items: tuple[Alert, ...]
    next: str | None


class ResponseGiven(Shape):
    """An answer to an alert. `until`: of a snooze. `reason`: coded, e.g. `trauma`."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    action: Answer
    until: str | None = Field(default=None, json_schema_extra={"format": "date-time"})
    reason: Identifier | None = None
    text: Text | None = None


class ResponseTaken(Shape):
    """What became of an answer, and the alert as it stands after it."""

    event_id: str
    outcome: Outcome
    reason: str | None = None
    alert: Alert


class ChartFact(Shape):
    """The version of a record that holds. `at`: its clinical time; `content`: in canonical words and units."""

    group: str
    source: str
    record_id: str
    event_id: str
    recorded_at: datetime
    at: datetime | None
    origin: str
    content: dict[str, Any]


class PatientChart(Shape):
    """What is known of a patient. `patient_ids`: every number that the person has or had; `name`: as last told."""

    patient_id: str
    name: str | None
    patient_ids: tuple[str, ...]
    facts: tuple[ChartFact, ...]
    alerts: tuple[Alert, ...]
    next_check_at: datetime | None


class TimelineEntry(Shape):
    """One thing that was recorded of a patient or told about one; the other of `fact` and `notice` is null."""

    at: datetime
    kind: Literal["fact", "notice"]
    fact: ChartFact | None = None
    notice: Notice | None = None


class TimelinePage(Shape):
    """The latest first; `next` leads on, null at the end."""

    items: tuple[TimelineEntry, ...]
    next: str | None


class Explained(Shape):
    """Each rule's account of a chart at an instant."""

    patient_id: str
    at: datetime
    items: tuple[Explanation, ...]


class RawMessage(Shape):
    """A message as it came; bytes that are no UTF-8 are shown by their numbers."""

    channel: Channel
    format: Format
    feed: str | None
    received_at: datetime
    body: str


class RawMessages(Shape):
    """The messages that an event came from, as far as they are kept."""

    items: tuple[RawMessage, ...]


class Health(Shape):
    """Whether the process answers, and whether messages are taken; with the reason if they are not."""

    state: Literal["alive", "starting", "ready", "stopping", "failed"]
    reason: str = ""


def wire(shape: BaseModel, status: int = 200) -> Response:
    """A shape as the answer to a request: every decimal digit, instants with their offset."""
    return Response(encode(shape), status, media_type="application/json")
