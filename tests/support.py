"""A chart for tests: say facts in the language of the clinic, and ask when a rule holds."""

from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import alerting
from alerting.rule import Rule
from alerting.rules import RULES
from schemas.days import Calendar
from schemas.definitions import PATIENT_IDS, Reader, finding
from schemas.facts import Fact, Payload
from schemas.intervals import Intervals
from schemas.rulepack import RulePack, load_pack
from schemas.tables import Tables
from streams.chart.fold import Facts
from streams.nouns import plan_of

DAY0 = date(2025, 1, 6)
"""Day 0 of the tests: the first day of the last menstrual period."""


@cache
def pack() -> RulePack:
    """The packaged rule pack."""
    return load_pack(Path(alerting.__file__).parent / "pack")


@cache
def tables() -> Tables:
    """The packaged tables."""
    return Tables.load()


def on(day: float, hour: float = 8) -> datetime:
    """An instant on a day counted from day 0, UTC."""
    return datetime(DAY0.year, DAY0.month, DAY0.day, tzinfo=UTC) + timedelta(days=day, hours=hour)


def day(number: int) -> date:
    """The date of a day counted from day 0."""
    return DAY0 + timedelta(days=number)


def number(value: str | float | None) -> Decimal | None:
    """A decimal as it was written."""
    return None if value is None else Decimal(str(value))


class Patient:
    """One patient's facts, said one after the other."""

    def __init__(self, patient_id: str = "MRN-1", zone: str = "UTC") -> None:
        self.patient_id = patient_id
        self.calendar = Calendar(ZoneInfo(zone))
        self.facts: list[Fact] = []

    def say(
        self,
        payload: Payload,
        *,
        record: str | None = None,
        recorded_at: datetime,
        event_id: str = "",
        source: str = "feed",
    ) -> "Patient":
        """Add a fact; without a `record` it is a record of its own."""
        name = record or f"record-{len(self.facts)}"
        event = event_id or f"event-{len(self.facts)}"
        self.facts.append(Fact(self.patient_id, source, name, event, recorded_at, payload))
        return self

    def values(self, rules: Sequence[Rule] = RULES) -> dict[str, Any]:
        """Every derived value of the chart."""
        plan = plan_of(pack(), tables(), self.calendar, rules)
        base: dict[str, Any] = dict.fromkeys(plan.base, ())
        base |= {PATIENT_IDS.key: (self.patient_id,), **Facts.of(self.facts).base_values()}
        return plan.derive_all(base)

    def chart(self) -> Reader:
        """A reader of the derived values."""
        return Reader(self.values(), self.calendar)

    def finding(self, rule_id: str) -> Intervals:
        """The intervals in which a rule holds."""
        intervals: Intervals = self.values()[finding(rule_id).key]
        return intervals

    def began(self, rule_id: str) -> list[float]:
        """When a rule's findings began, in days (and parts of days) from day 0."""
        return [days_from_zero(i.began) for i in self.finding(rule_id)]


def days_from_zero(instant: datetime) -> float:
    """An instant as days from day 0's midnight in UTC."""
    return (instant - on(0, 0)) / timedelta(days=1)


def union(patients: Iterable[Patient]) -> list[Fact]:
    """All facts of some patients."""
    return [fact for p in patients for fact in p.facts]
