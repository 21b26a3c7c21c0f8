"""Why an alert no longer stands, in words for whoever was told that it did."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from schemas.alerts import Transition
from schemas.days import Calendar
from schemas.intervals import Interval
from schemas.views import EPISODES, Episodes

_SUPERSEDED: Final = "Now part of a more urgent finding. It had said: "
_TRANSFERRED: Final = "Goes on under another alert. It says: "


def _why(interval: Interval, values: Mapping[str, Any], deceased_at: datetime | None) -> str:
    """What ended a finding: death, the end of its episode, an answer or a work-up, or what it rested on."""
    if deceased_at is not None and interval.ended == deceased_at and interval.closed > deceased_at:
        return "the patient died"
    if interval.closed < interval.ended:
        return "it was answered or worked up"
    episodes: Episodes = values[EPISODES.key]
    if any(p.ended == interval.ended for p in episodes.pregnancies):
        return "the episode is over"
    return "what it rested on has ended"


def opening(
    transition: Transition,
    interval: Interval | None,
    values: Mapping[str, Any],
    calendar: Calendar,
    deceased_at: datetime | None,
) -> str:
    """What comes before the finding's own sentence in the notice of an end; "" where nothing has ended."""
    match transition:
        case "superseded":
            return _SUPERSEDED
        case "transferred":
            return _TRANSFERRED
        case "resolved" if interval is not None:
            since = calendar.local(interval.alert_ends).strftime("%Y-%m-%d %H:%M")
            return f"No longer so since {since}: {_why(interval, values, deceased_at)}. It had said: "
    return ""
