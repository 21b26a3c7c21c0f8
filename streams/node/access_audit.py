"""Who read or changed which patient: what is noted, and whoever keeps it."""

from collections import deque
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal, Protocol

Action = Literal["read", "changed", "refused"]
_HELD: Final = 10_000


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One thing that somebody did.

    `route`: the route's template, e.g. `GET /v1/patients/{patient_id}`. `patients`: whose data was shown or changed.
    `detail`: what else is to be known, without anything of the patient.
    """

    at: datetime
    who: str
    how: str
    action: Action
    route: str
    patients: tuple[str, ...] = ()
    detail: str = ""


class AuditSink(Protocol):
    """Whoever keeps the audit."""

    async def record(self, entry: AuditEntry) -> None:
        """Keep an entry; returns once it is durable. What could not be noted is not shown.

        Errors: NotDurableError.
        """


class MemoryAudit:
    """The latest entries in memory, for trying out and for tests."""

    def __init__(self, held: int = _HELD) -> None:
        self.entries: deque[AuditEntry] = deque(maxlen=held)

    async def record(self, entry: AuditEntry) -> None:
        self.entries.append(entry)
