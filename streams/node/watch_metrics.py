"""How long decisions take, and how old events are when they are decided, as metrics.

Topic: a message costs the engine less than half a microsecond here; the usual one takes a lock each time.
"""

import time
from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from itertools import accumulate
from threading import Lock
from typing import Final

from prometheus_client import CollectorRegistry
from prometheus_client.core import HistogramMetricFamily
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString

from streams.node.port import Channel, Incoming, Outcome, Receiver
from streams.node.watch import Decided

_DECISION: Final = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
_AGE: Final = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0, 3_600.0, 14_400.0, 86_400.0, 604_800.0)
"""From what comes over a wire to what was recorded last week."""


class Tally(Collector):
    """A histogram to which many observations are added at once. Units: seconds."""

    def __init__(self, name: str, words: str, bounds: Sequence[float]) -> None:
        self._name = name
        self._words = words
        self._bounds = tuple(bounds)
        self._counts = [0] * (len(bounds) + 1)
        self._sum = 0.0
        self._lock = Lock()

    def add(self, values: Sequence[float]) -> None:
        """Observe some values; none is below zero."""
        with self._lock:
            for value in values:
                self._counts[bisect_left(self._bounds, value)] += 1
            self._sum += sum(values)

    def collect(self) -> Iterator[HistogramMetricFamily]:
        with self._lock:
            up_to, total = list(accumulate(self._counts)), self._sum
        ends = (*map(floatToGoString, self._bounds), "+Inf")
        family = HistogramMetricFamily(self._name, self._words)
        family.add_metric([], list(zip(ends, up_to, strict=True)), total)
        yield family


class WatchMetrics:
    """A `Watch` that counts."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._decisions = Tally(
            "trabecula_decision_seconds",
            "Deciding one message, or one crossing of time: reading, folding and judging it; not the commit.",
            _DECISION,
        )
        self._ages = Tally(
            "trabecula_event_age_seconds", "From an event's recorded_at to its decision; no old data.", _AGE
        )
        registry.register(self._decisions)
        registry.register(self._ages)

    def decided(self, what: Decided) -> None:
        """A transaction is durable."""
        self._decisions.add(what.took)
        self._ages.add([max(age, 0.0) for age in what.ages])  # a feed's clock may be ahead of ours


class Timed:
    """A receiver that says how long each answer took."""

    def __init__(self, receiver: Receiver, acknowledged: Callable[[Channel, float], None]) -> None:
        self._receiver = receiver
        self._acknowledged = acknowledged

    async def receive(self, message: Incoming) -> Outcome:
        """As the receiver does.

        Errors: NotDurableError, QueueFullError.
        """
        began = time.perf_counter()
        outcome = await self._receiver.receive(message)
        self._acknowledged(message.channel, time.perf_counter() - began)
        return outcome

    async def receive_all(self, messages: Sequence[Incoming]) -> list[Outcome]:
        """As the receiver does; messages taken together are one answer.

        Errors: NotDurableError, QueueFullError.
        """
        began = time.perf_counter()
        outcomes = await self._receiver.receive_all(messages)
        for channel in {message.channel for message in messages}:
            self._acknowledged(channel, time.perf_counter() - began)
        return outcomes
