"""Whether partitions get on, looked at from a thread of its own: a loop that hangs does not look at itself.

Law: a partition that has something to do and does not get on for too long ends the process; another takes over.
"""

import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from streams.kafka.engine_lane import Lane, Phase

_LOOK: Final = 0.5


@dataclass(frozen=True, slots=True)
class Mark:
    """How far a partition had come, and when that was seen first."""

    at: tuple[object, ...]
    since: float


def marks(lanes: Iterable[Lane], before: Mapping[int, Mark], now: float) -> dict[int, Mark]:
    """How far each partition with something to do has come."""
    found = {}
    for lane in lanes:
        if lane.phase is Phase.CLOSED or (lane.phase is Phase.WORKING and not lane.behind):
            continue
        at = (lane.phase is Phase.WORKING, lane.written, lane.replica.state.position)
        known = before.get(lane.partition)
        found[lane.partition] = known if known is not None and known.at == at else Mark(at, now)
    return found


def stalled(marked: Mapping[int, Mark], now: float, limit: float) -> list[int]:
    """The partitions that have not got on for longer than the limit."""
    return sorted(partition for partition, mark in marked.items() if now - mark.since > limit)


def lag_seconds(lane: Lane, now: float) -> float:
    """Age of the oldest record that waits; before a partition is worked on, since when it is not. Zero: none waits."""
    since = lane.waits_since
    return 0.0 if since is None else max(0.0, now - since)


class Pulse:
    """Whether this process stood still, stopped or without a processor: then others may have taken over.

    Topic: a member that the group counts out was either away itself or the broker was. Units: seconds.
    """

    def __init__(self, session: float, now: float) -> None:
        self._limit = session / 2
        self._remembered = 2 * session
        self._beat = now
        self._away_at: float | None = None

    def beat(self, now: float) -> None:
        """It lives."""
        if now - self._beat > self._limit:
            self._away_at = now
        self._beat = now

    def was_away(self, now: float) -> bool:
        """It stood still, just now or lately."""
        return now - self._beat > self._limit or (self._away_at is not None and now - self._away_at < self._remembered)


class Watchman(threading.Thread):
    """Looks again and again, and ends the process when a partition stands still."""

    def __init__(
        self, lanes: Callable[[], Iterable[Lane]], limit: float, end: Callable[[list[int], float], None], pulse: Pulse
    ) -> None:
        super().__init__(name="watchman", daemon=True)
        self._lanes = lanes
        self._limit = limit
        self._end = end
        self._pulse = pulse
        self._stop = threading.Event()

    def run(self) -> None:
        marked: dict[int, Mark] = {}
        while not self._stop.wait(_LOOK):
            self._pulse.beat(time.monotonic())
            marked = marks(list(self._lanes()), marked, time.monotonic())
            if found := stalled(marked, time.monotonic(), self._limit):
                self._end(found, self._limit)
                return

    def stop(self) -> None:
        """Look no more."""
        self._stop.set()
