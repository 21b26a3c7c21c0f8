"""Which notices a receiver gets, and when."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

import msgspec

from alerting.delivery.settings import FileSettings, WebhookSettings
from schemas.alerts import Mode, Transition
from schemas.intervals import Severity
from schemas.rulepack import Delivery

Settings = WebhookSettings | FileSettings
Reason = Literal["wanted", "follows", "severity", "rule", "shadow", "record", "digest"]
"""Why a receiver gets a notice (the first two), or why it does not."""


class Envelope(msgspec.Struct, frozen=True):
    """What is looked at of a notice to deliver it; of its clinical content, nothing."""

    notice_id: str
    alert_id: str
    transition: Transition
    severity: Severity
    rule_id: str
    mode: Mode
    delivery: Delivery
    decided_at: datetime
    into: str | None = None


class Route(msgspec.Struct, frozen=True):
    """What becomes of a notice at one receiver; `digest_at` where it waits for a digest."""

    reason: Reason
    digest_at: datetime | None = None

    @property
    def is_sent(self) -> bool:
        """The receiver gets it."""
        return self.reason in ("wanted", "follows")


def route(
    settings: Settings,
    notice: Envelope,
    holds: Callable[[str], bool],
    now: datetime,
    zone: ZoneInfo,
    *,
    told_at: datetime | None = None,
) -> Route:
    """Whether a receiver gets a notice, and when; `holds`: it got an earlier one of that alert.

    Topic: `told_at`: when it was told with all that stands after a load; that is one digest, whatever is in it.
    Law: whoever was told of an alert is told everything that becomes of it, whatever its severity is then.
    """
    reason = _reason(settings, notice)
    if reason != "wanted" and holds(notice.alert_id):
        reason = "follows"
    if told_at is not None and reason in ("wanted", "follows"):
        return Route(reason, told_at)
    if reason == "wanted" and settings.digest == "daily" and _can_wait(notice):
        return Route(reason, next_digest(settings, now, zone))
    return Route(reason)


def _reason(settings: Settings, notice: Envelope) -> Reason:
    if notice.severity not in settings.severities:
        return "severity"
    if settings.rules and not any(_names(rule, notice.rule_id) for rule in settings.rules):
        return "rule"
    if notice.mode == "shadow" and not settings.shadow:
        return "shadow"
    if notice.delivery == "record" and notice.severity != "info" and not settings.record:
        return "record"
    if settings.digest == "never" and _can_wait(notice):
        return "digest"
    return "wanted"


def _can_wait(notice: Envelope) -> bool:
    """A digest is soon enough; of something critical it never is."""
    return notice.delivery == "daily_digest" and notice.severity != "critical"


def _names(rule: str, rule_id: str) -> bool:
    return rule_id.startswith(rule[:-1]) if rule.endswith("*") else rule_id == rule


def next_digest(settings: Settings, now: datetime, zone: ZoneInfo) -> datetime:
    """The next instant at which a digest is sent; a local time that the clock skips is that after the gap."""
    day = now.astimezone(zone).date()
    at = datetime.combine(day, settings.digest_at, zone).astimezone(UTC)
    if at <= now:
        at = datetime.combine(day + timedelta(days=1), settings.digest_at, zone).astimezone(UTC)
    return at
