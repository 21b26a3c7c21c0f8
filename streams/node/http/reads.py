"""What the routes and pages ask of whoever keeps charts, alerts and notices.

Topic: the methods are called one at a time from one thread that is not the event loop's, and see what is committed.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Literal, Protocol

import msgspec

from schemas.alerts import Alert, Notice
from schemas.intervals import Severity
from streams.chart.chart import Chart
from streams.node.port import Incoming

Place = tuple[Annotated[int, msgspec.Meta(ge=0, le=9)], Annotated[str, msgspec.Meta(max_length=256)]]
"""Where a list goes on: a number for the urgency, small for the most urgent, and an alert id."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which alerts, the most urgent first, then by id. `patient`: any identity that the patient had or has."""

    limit: int
    standing: bool = True
    severity: Severity | None = None
    rule: str | None = None
    patient: str | None = None
    after: Place | None = None


@dataclass(frozen=True, slots=True)
class Slice:
    """A part of a list of alerts, and the place to go on from; None at the end."""

    items: tuple[Alert, ...]
    next: Place | None


@dataclass(frozen=True, slots=True)
class Numbered:
    """A notice with its number; numbers rise in the order of telling and are never used again."""

    number: int
    notice: Notice


@dataclass(frozen=True, slots=True)
class Readiness:
    """Whether messages are taken, and the reason in words that name no patient."""

    state: Literal["starting", "ready", "stopping", "failed"]
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Sample:
    """The value of a counter or gauge of the contract's families, by its labels."""

    family: str
    labels: Mapping[str, str]
    value: float


class Reads(Protocol):
    """Reads of a node. None means that there is no such thing."""

    def alerts(self, wanted: Wanted) -> Slice:
        """At most `limit` alerts."""

    def alert(self, alert_id: str) -> Alert | None:
        """An alert, standing or not."""

    def chart(self, patient_id: str) -> Chart | None:
        """The chart of the surviving identity of a patient."""

    def notices(self, after: int, limit: int) -> Sequence[Numbered]:
        """Notices with numbers beyond `after`, in order."""

    def last_notice(self) -> int:
        """The number of the latest notice; 0 before the first."""

    def notices_of(self, patient_id: str) -> Sequence[Notice]:
        """Every notice of a patient, of each alert in order."""

    def name(self, patient_ids: Sequence[str]) -> str | None:
        """The name last told of somebody under one of these, and not taken back; for those who may see the chart."""

    def known_as(self, address: str) -> str | None:
        """The `patient_id` that a Patient at a FHIR address (`BASE/Patient/ID`) told."""

    def addresses(self, patient_ids: Sequence[str]) -> Sequence[str]:
        """The FHIR addresses of Patients that told one of these, in order."""

    def messages(self, source: str, event_id: str) -> Sequence[Incoming]:
        """The raw messages that an event came from, as far as they are kept."""

    def readiness(self) -> Readiness:
        """Whether messages are taken."""

    def samples(self) -> Iterable[Sample]:
        """What the engine counts."""

    def now(self) -> datetime:
        """The instant that the engine has reached."""
