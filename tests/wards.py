"""A ward for tests: events in, notices out, and what stands."""

from collections.abc import Iterable
from datetime import datetime
from functools import cache
from zoneinfo import ZoneInfo

from schemas.alerts import Alert, Notice
from schemas.days import Calendar
from schemas.events import AnyEvent
from schemas.facts import Fact
from streams.monitor import Monitor
from streams.replay import Replay
from streams.ward import MemoryCharts, Ward
from tests.events import recorded
from tests.support import on, pack, tables


@cache
def monitor(zone: str = "UTC") -> Monitor:
    """The monitor with the packaged rules, of a site in a time zone."""
    return Monitor(pack(), tables(), Calendar(ZoneInfo(zone)))


class Told:
    """What came of a replay."""

    def __init__(self, replay: Replay, notices: list[Notice]) -> None:
        self.replay = replay
        self.notices = notices

    def of(self, rule_id: str) -> list[tuple[str, str]]:
        """The transitions of a rule's alerts with the severity told."""
        return [(n.transition, n.severity) for n in self.notices if n.rule_id == rule_id]

    def standing(self) -> dict[str, Alert]:
        """The standing alerts by rule."""
        return {alert.rule_id: alert for alert in self.replay.standing()}

    @property
    def state(self) -> frozenset[tuple[str, str, str, datetime, str]]:
        """What law 1 is about: ids, severities, instants and states of what stands."""
        return frozenset(
            (a.patient_id, a.alert_id, a.severity, a.effective_at, a.state) for a in self.replay.standing()
        )

    @property
    def facts(self) -> dict[str, frozenset[Fact]]:
        """The facts of every chart that has any."""
        return {c.patient_id: frozenset(c.facts) for c in self.replay.ward.charts if len(c.facts)}


def told(events: Iterable[AnyEvent], until: float, *, as_given: bool = False, zone: str = "UTC") -> Told:
    """Replay events in the order of recording, or as given, and let the clock run to a day."""
    replay = Replay(Ward(monitor(zone), MemoryCharts()), on(until))
    ordered = list(events) if as_given else sorted(events, key=recorded)
    notices = list(replay.run(ordered))
    return Told(replay, notices)
