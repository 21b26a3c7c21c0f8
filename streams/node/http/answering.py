"""An answer to an alert, made an event like any other."""

import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from pydantic import ValidationError
from starlette.requests import Request

from schemas.alerts import Alert
from schemas.values import NotWhatWasExpectedError, instant
from schemas.wire import NotJsonError, decode, encode
from streams.node.http.events import item_of
from streams.node.http.node import Node, feed_of, principal_of
from streams.node.http.problems import ProblemError
from streams.node.http.shapes import ResponseGiven, ResponseTaken
from streams.node.port import Incoming

SOURCE: Final = "trabecula"
"""The feed of answers that were given here."""


@dataclass(frozen=True, slots=True)
class Said:
    """When somebody answered, and the name of the event: an answer that comes again has the same."""

    event_id: str
    at: datetime


def given_of(content: bytes, now: datetime) -> ResponseGiven:
    """The answer in a body.

    Errors: ProblemError 400.
    """
    try:
        given = ResponseGiven.model_validate(decode(content), strict=True)
    except NotJsonError:
        raise ProblemError(400, "the body is no JSON", field="body", accepted="one JSON object") from None
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False, include_context=False)[0]
        field = ".".join(map(str, first["loc"])) or "body"
        raise ProblemError(400, f"{field}: {first['msg']}", field=field, accepted="/docs says of what") from None
    return judged(given, now)


def judged(given: ResponseGiven, now: datetime) -> ResponseGiven:
    """The answer, if it says what an answer of its kind has to say.

    Errors: ProblemError 400.
    """
    if given.action == "override" and not given.reason and not (given.text or "").strip():
        raise ProblemError(400, "nothing says why it does not apply", field="reason", accepted="a reason, or text")
    if given.action == "snooze" and (given.until is None or _instant(given.until) <= now):
        raise ProblemError(400, "nothing says until when", field="until", accepted="an instant that is still to come")
    if given.until is not None and given.action != "snooze":
        raise ProblemError(400, "only a snooze has an end", field="until", accepted="nothing, or action snooze")
    return given


def _instant(until: str) -> datetime:
    try:
        return instant(until)
    except NotWhatWasExpectedError as error:
        raise ProblemError(400, f"until: {error}", field="until") from None


async def respond(
    request: Request, node: Node, alert: Alert, given: ResponseGiven, said: Said | None = None
) -> ResponseTaken:
    """Have an answer taken, and note it; the alert as it stands after that. `said`: when, if that was not now.

    Errors: NotDurableError, QueueFullError.
    """
    await node.note(request, "changed", (alert.patient_id,), f"{given.action} {alert.alert_id}")
    raw = encode(_event(alert, given, principal_of(request).subject, said or Said(str(uuid.uuid4()), node.clock.now())))
    outcome = await node.receive(Incoming("http", "event", raw, node.clock.now(), feed_of(request)))
    item = item_of(raw, outcome)
    after = await node.ask(lambda reads: reads.alert(alert.alert_id))
    return ResponseTaken(event_id=item.event_id or "", outcome=item.outcome, reason=item.reason, alert=after or alert)


def _event(alert: Alert, given: ResponseGiven, by: str, said: Said) -> dict[str, Any]:
    answer = {name: value for name, value in given.model_dump().items() if value is not None}
    return answer | {
        "kind": "alert_response",
        "event_id": said.event_id,
        "patient_id": alert.patient_id,
        "source": SOURCE,
        "recorded_at": said.at,
        "alert_id": alert.alert_id,
        "by": by,
    }
