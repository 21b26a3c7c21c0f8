"""What the service says: alerts, how each stands, and notices, one transition each."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Final, Literal

import msgspec
from pydantic import BaseModel, ConfigDict, Field

from schemas.days import Calendar
from schemas.intervals import Evidence, Interval, Severity
from schemas.rulepack import Delivery, Limit

Transition = Literal[
    "raised",
    "severity_raised",
    "severity_lowered",
    "reminded",
    "escalated",
    "acknowledged",
    "snoozed",
    "reopened",
    "resolved",
    "withdrawn",
    "superseded",
    "transferred",
]
State = Literal["open", "acknowledged", "snoozed", "resolved", "withdrawn", "superseded", "transferred"]
STANDING: Final[frozenset[str]] = frozenset({"open", "acknowledged", "snoozed"})
Mode = Literal["live", "shadow"]


class _Model(BaseModel):
    model_config = ConfigDict(
        frozen=True, extra="ignore", hide_input_in_errors=True, populate_by_name=True, serialize_by_alias=True
    )


class PackIdentity(_Model):
    """Which rule pack decided."""

    version: str
    sha256: str


class EvidenceItem(_Model):
    """One thing that the alert rests on; record and event lead to the message that it came from."""

    what: str
    record_id: str | None = None
    event_id: str | None = None
    source: str | None = None
    value: str | int | float | None = None
    unit: str | None = None
    begins: datetime | None = Field(default=None, serialization_alias="from", validation_alias="from")
    ends: datetime | None = Field(default=None, serialization_alias="to", validation_alias="to")


class LimitItem(_Model):
    """One figure that decided, never without its flag and citation."""

    name: str
    value: int | float
    unit: str
    flag: str
    citation: str
    reason: str | None = None


class Alert(_Model):
    """How an alert stands. `state` is open, acknowledged or snoozed while it does."""

    alert_id: str
    patient_id: str
    episode_id: str
    rule_id: str
    severity: Severity
    state: State
    effective_at: datetime
    sequence: int
    mode: Mode = "live"
    title: str
    sentence: str
    evidence: tuple[EvidenceItem, ...] = ()
    limits: tuple[LimitItem, ...] = ()
    open_questions: tuple[str, ...] = ()
    rulepack: PackIdentity


class Notice(_Model):
    """One transition of an alert, told to subscribers.

    `corrects` names the event that took an earlier notice back or revised it; `into` the alert that goes on after a
    transfer; `delivery` how urgently it is told (`record`: shown, delivered to nobody unless a route asks);
    `because` is `rule_pack` where only a new rule pack made it.
    """

    notice_id: str
    alert_id: str
    sequence: int
    transition: Transition
    severity: Severity
    patient_id: str
    episode_id: str
    rule_id: str
    mode: Mode
    delivery: Delivery
    rulepack: PackIdentity
    title: str
    sentence: str
    effective_at: datetime
    decided_at: datetime
    evidence: tuple[EvidenceItem, ...] = ()
    limits: tuple[LimitItem, ...] = ()
    open_questions: tuple[str, ...] = ()
    corrects: str | None = None
    into: str | None = None
    by: str | None = None
    because: Literal["rule_pack"] | None = None


class Standing(msgspec.Struct, frozen=True):
    """An alert that stands at an instant, as derived from facts and responses."""

    alert_id: str
    patient_id: str
    episode: str
    rule_id: str
    severity: Severity
    state: State
    effective_at: datetime
    risen_at: datetime
    interval: Interval
    by: str | None = None
    snoozed_until: datetime | None = None


class Told(msgspec.Struct, frozen=True, array_like=True):
    """What was told of an alert: the one memory beside the facts.

    `told_at`: when it was last raised or rose; `ended_at`: when it stopped standing (decided);
    `silent`: it stands again within its cool-down, untold.
    """

    alert_id: str
    patient_id: str
    episode: str
    rule_id: str
    sequence: int
    severity: Severity
    state: State
    effective_at: datetime
    told_at: datetime
    ended_at: datetime | None = None
    escalated: bool = False
    silent: bool = False


def evidence_item(evidence: Evidence, calendar: Calendar) -> EvidenceItem:
    """The evidence as it is shown, its instants with the site's offset."""
    return EvidenceItem(
        what=evidence.what,
        record_id=evidence.record_id or None,
        event_id=evidence.event_id or None,
        source=evidence.source or None,
        value=evidence.value,
        unit=evidence.unit,
        begins=calendar.local(evidence.begins) if evidence.begins else None,
        ends=calendar.local(evidence.ends) if evidence.ends else None,
    )


def limit_items(limits: Mapping[str, Limit]) -> tuple[LimitItem, ...]:
    """A rule's limits as they are shown."""
    return tuple(
        LimitItem(
            name=limit.name,
            value=_plain(limit.value),
            unit=limit.unit,
            flag=limit.flag,
            citation=limit.citation,
            reason=limit.reason,
        )
        for limit in limits.values()
    )


def _plain(value: Decimal) -> int | float:
    return int(value) if value == value.to_integral_value() else float(value)
