"""One message of a source system: what is said of whom, and how HL7 v2 would call it."""

from datetime import datetime
from typing import Any, NamedTuple

from streams.simulate.people import Person

Said = dict[str, Any]
"""An event without its `event_id`, `patient_id`, `source` and `recorded_at`, which the message gives it."""


class Message(NamedTuple):
    """What a source system sends. `at` is when it was recorded; `type` is empty where HL7 v2 has no message for it."""

    at: datetime
    type: str
    sender: str
    person: Person
    said: tuple[Said, ...] = ()
    control: str = ""
