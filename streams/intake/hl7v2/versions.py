"""From when on a version of an order holds, and how it stands then.

Source: HL7 v2.5.1 chapter 4.5.1 (ORC-9, ORC-15).
"""

from dataclasses import dataclass
from datetime import datetime

from streams.intake.hl7v2.control import Change
from streams.intake.hl7v2.message import Segment
from streams.intake.hl7v2.reading import Reading
from streams.intake.hl7v2.timing import Timing


@dataclass(frozen=True, slots=True)
class Version:
    """The times and the state of one version."""

    status: str
    starts_at: datetime
    effective_from: datetime | None
    ends_at: datetime | None


def version(reading: Reading, common: Segment, changed: Change, when: Timing, known_start: datetime | None) -> Version:
    """A version holds from ORC-15; a change of state without it from ORC-9, else from when it was said.

    Without a start of its own an order starts where it started before, else when it takes effect: HL7 leaves the
    start of an order out where it is at once.
    """
    said = reading.moment(common, 15)
    instant = said or reading.moment(common, 9) or reading.recorded_at
    start = when.starts_at or known_start or instant
    reading.counted["start_implied"] += when.starts_at is None and known_start is None
    if changed == "version":
        dated = when.starts_at is not None or known_start is None
        return Version("active", start, said or (None if dated else instant), when.ends_at)
    return _changed(changed, start, instant, when)


def _changed(changed: Change, start: datetime, instant: datetime, when: Timing) -> Version:
    match changed:
        case "stopped" | "completed":
            ends = min(instant, when.ends_at) if when.ends_at else instant
            return Version(changed, min(start, ends), ends, ends)
        case "cancelled" if instant < start:
            return Version("cancelled", start, None, None)
        case "cancelled":
            return Version("stopped", start, instant, instant)
        case _:
            return Version(changed, start, instant, when.ends_at)
