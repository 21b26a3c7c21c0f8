"""One woman's history while it is written."""

import random
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

Event = dict[str, Any]
EPOCH: Final = date(2024, 3, 1)
UTC_ZONE: Final = ZoneInfo("UTC")


@dataclass
class Story:
    """One woman's history while it is written."""

    rng: random.Random
    patient: str
    zone: ZoneInfo
    events: list[Event] = field(default_factory=list)
    day_zero: date = EPOCH
    delivered: date | None = None
    pregnant: bool = False
    serial: int = 0

    def moment(self, day: date, first: int = 6, last: int = 21) -> datetime:
        """Some time of a local day, to the second."""
        seconds = self.rng.randrange(first * 3600, last * 3600)
        if self.rng.random() < 0.04:
            return datetime.combine(day, time(), self.zone)
        return datetime.combine(day, time(), self.zone) + timedelta(seconds=seconds)

    def some_day(self, first: int, last: int) -> date:
        """A day from LMP+first to LMP+last."""
        return self.day_zero + timedelta(days=self.rng.randint(first, last))

    def record(self, kind: str) -> str:
        self.serial += 1
        return f"{self.patient}-{kind}-{self.serial}"

    def recorded(self, when: datetime) -> datetime:
        """Mostly soon after, sometimes late."""
        if self.rng.random() < 0.12:
            return when + timedelta(days=self.rng.choice((2, 5, 8, 20, 45)), seconds=self.rng.randrange(9000))
        return when + timedelta(seconds=self.rng.randrange(30, 6 * 3600))

    def say(self, kind: str, record: str, when: datetime, *, recorded: datetime | None = None, **payload: Any) -> Event:
        """Write one event; a later version of a record is recorded later."""
        said = recorded or self.recorded(when)
        former = [e for e in self.events if e["record_id"] == record]
        latest = max((datetime.fromisoformat(e["recorded_at"]) for e in former), default=said)
        if former and said <= latest:
            said = latest + timedelta(seconds=self.rng.randrange(60, 90_000))
        self.serial += 1
        event = {
            "event_id": f"{self.patient}-e{self.serial}",
            "kind": kind,
            "patient_id": self.patient,
            "source": f"feed-{kind}",
            "record_id": record,
            "recorded_at": said.isoformat(),
            **{name: _plain(value) for name, value in payload.items() if value is not None},
        }
        if self.rng.random() < 0.02:
            event["history"] = True
        self.events.append(event)
        return event


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, (date, datetime)) else value
