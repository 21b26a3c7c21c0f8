"""Who gets what, and when: one row a case, and the days on which the clock changes."""

from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest

from alerting.delivery.pace import LONGEST_WAIT, Pace, backoff
from alerting.delivery.routes import Envelope, route
from schemas.wire import encode
from tests.delivery.receiving import AT, notice, webhook

ZONE = ZoneInfo("Europe/Berlin")


def envelope(**more: Any) -> Envelope:
    """A notice as delivery looks at it, by way of the wire."""
    return msgspec.json.decode(encode(notice(1, **more)), type=Envelope)


@pytest.mark.parametrize(
    ("settings", "said", "held", "reason"),
    [
        ({}, {"severity": "advisory"}, False, "wanted"),
        ({}, {"severity": "info", "delivery": "record"}, False, "severity"),
        ({"severities": ["info"]}, {"severity": "info", "delivery": "record"}, False, "wanted"),
        ({"severities": ["critical"]}, {"severity": "warning"}, False, "severity"),
        ({"severities": ["critical"]}, {"severity": "warning"}, True, "follows"),
        ({"rules": ["HEP-02"]}, {}, False, "wanted"),
        ({"rules": ["HEP-*"]}, {}, False, "wanted"),
        ({"rules": ["HEP-0"]}, {}, False, "rule"),
        ({"rules": ["LAC-*", "HIP-01"]}, {}, False, "rule"),
        ({}, {"mode": "shadow"}, False, "shadow"),
        ({"shadow": True}, {"mode": "shadow"}, False, "wanted"),
        ({}, {"delivery": "record"}, False, "record"),
        ({"record": True}, {"delivery": "record"}, False, "wanted"),
        ({"digest": "never"}, {"delivery": "daily_digest"}, False, "digest"),
        ({"digest": "never"}, {"delivery": "daily_digest", "severity": "critical"}, False, "wanted"),
    ],
)
def test_which_notices_a_receiver_gets(settings: dict[str, Any], said: dict[str, Any], held: bool, reason: str) -> None:
    routed = route(webhook(**settings), envelope(**said), lambda _alert: held, AT, ZONE)
    assert (routed.reason, routed.is_sent) == (reason, reason in ("wanted", "follows"))
    assert routed.digest_at is None


@pytest.mark.parametrize("said", [{"severity": "critical"}, {}, {"severity": "advisory", "delivery": "daily_digest"}])
@pytest.mark.parametrize("digest", ["daily", "at_once"])
def test_what_stands_after_a_load_is_one_digest_whatever_is_in_it(said: dict[str, Any], digest: str) -> None:
    routed = route(webhook(digest=digest), envelope(**said), lambda _alert: False, AT, ZONE, told_at=AT)
    assert (routed.reason, routed.digest_at) == ("wanted", AT)


def test_what_a_receiver_does_not_get_it_does_not_get_in_a_digest_either() -> None:
    routed = route(webhook(), envelope(severity="info"), lambda _alert: False, AT, ZONE, told_at=AT)
    assert (routed.reason, routed.digest_at) == ("severity", None)


@pytest.mark.parametrize(
    ("digest", "severity", "held", "waits"),
    [
        ("daily", "advisory", False, True),
        ("daily", "critical", False, False),
        ("at_once", "advisory", False, False),
    ],
)
def test_what_waits_for_the_digest(digest: str, severity: str, held: bool, waits: bool) -> None:
    notice_ = envelope(severity=severity, delivery="daily_digest")
    routed = route(webhook(digest=digest), notice_, lambda _alert: held, AT, ZONE)
    assert (routed.digest_at is not None) == waits


@pytest.mark.parametrize(
    ("now", "at", "digest_at"),
    [
        ("2026-03-03T05:59:59", "07:00", "2026-03-03T06:00:00"),
        ("2026-03-03T06:00:00", "07:00", "2026-03-04T06:00:00"),
        ("2026-03-28T12:00:00", "07:00", "2026-03-29T05:00:00"),
        ("2026-03-28T12:00:00", "02:30", "2026-03-29T01:30:00"),
        ("2026-10-24T12:00:00", "02:30", "2026-10-25T00:30:00"),
        ("2026-10-25T00:30:00", "02:30", "2026-10-26T01:30:00"),
        ("2026-10-24T12:00:00", "07:00", "2026-10-25T06:00:00"),
    ],
)
def test_the_digest_comes_once_a_day_at_a_local_time(now: str, at: str, digest_at: str) -> None:
    moment = datetime.fromisoformat(now).replace(tzinfo=UTC)
    said = envelope(delivery="daily_digest", severity="advisory")
    routed = route(webhook(digest_at=at), said, lambda _alert: False, moment, ZONE)
    assert routed.digest_at == datetime.fromisoformat(digest_at).replace(tzinfo=UTC)


# ---- how long a receiver is left alone


@pytest.mark.parametrize(
    ("attempts", "draw", "seconds"), [(1, 0, 0.5), (1, 1, 1), (2, 1, 2), (3, 0, 2), (7, 1, 60), (10_000, 0, 30)]
)
def test_waits_double_up_to_a_bound_and_are_spread(attempts: int, draw: float, seconds: float) -> None:
    assert backoff(webhook(retry_after=1, retry_at_most=60), attempts, draw) == seconds


def test_a_receiver_that_fails_gets_one_message_at_a_time_until_it_takes_one() -> None:
    pace = Pace(webhook(retry_after=1, retry_at_most=60, parallel=8))
    for _ in range(2):
        pace.failed(100.0, None, 1.0)
    assert (pace.most, pace.shut_for(100.0)) == (8, 0.0)
    pace.failed(100.0, None, 1.0)
    assert (pace.most, pace.shut_for(100.0)) == (1, 1.0)
    assert pace.shut_for(101.0) == 0.0
    pace.failed(101.0, None, 1.0)
    assert pace.shut_for(101.0) == 2.0
    pace.answered()
    assert (pace.most, pace.shut_for(101.0)) == (8, 0.0)


def test_what_a_receiver_asks_for_is_done_within_reason() -> None:
    pace = Pace(webhook())
    pace.failed(0.0, 30.0, 1.0)
    assert pace.shut_for(0.0) == 30.0
    pace.failed(0.0, 1e9, 1.0)
    assert pace.shut_for(0.0) == LONGEST_WAIT
