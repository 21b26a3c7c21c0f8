"""What a worker counts, and how its partitions stand, as metrics.

Law: no label holds anything of a patient: what a shard counts is under the words of its own families.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from threading import Lock
from typing import Final

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from streams.kafka.engine import Engine
from streams.kafka.engine_lane import Lane, Phase
from streams.kafka.lag import lag_seconds
from streams.kafka.work import Count, Work
from streams.node.watch_metrics import Tally

_DECISION: Final = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
_AGE: Final = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0, 3_600.0, 14_400.0, 86_400.0, 604_800.0)
Transactions = tuple[str, str]
COUNTED: Final = {
    "events": "Events by what became of them.",
    "notices": "Notices.",
    "dead_letters": "Records that could not be taken, kept raw.",
    "unmapped_codes": "Codes that are in no table.",
    "undecided": "Charts that the rules failed on.",
}
"""What a shard counts; the labels are those that it says."""


class WorkerMetrics(Collector):
    """What is counted (streams.kafka.engine_terms.Counts), asked for at each scrape."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._lock = Lock()
        self._counts: Counter[Count] = Counter()
        self._transactions: Counter[Transactions] = Counter()
        self._records = 0
        self._decisions = Tally(
            "trabecula_decision_seconds", "Deciding one record of a chunk, on average; not the commit.", _DECISION
        )
        self._ages = Tally(
            "trabecula_event_age_seconds", "From an event's recorded_at to its decision; no old data.", _AGE
        )
        for family in (self._decisions, self._ages, self):
            registry.register(family)

    def took(self, seconds: float, records: int) -> None:
        self._decisions.add([seconds / records] * records)

    def written(self, partition: int, records: int, work: Work) -> None:
        self._ages.add([max(age, 0.0) for age in work.ages])
        with self._lock:
            self._records += records
            self._transactions[str(partition), "committed"] += 1
            self._counts.update(work.counts)

    def lost(self, partition: int, outcome: str) -> None:
        with self._lock:
            self._transactions[str(partition), outcome] += 1

    def describe(self) -> Iterable[Metric]:
        return []

    def collect(self) -> Iterator[Metric]:
        with self._lock:
            counts, transactions, records = self._counts.copy(), self._transactions.copy(), self._records
        yield CounterMetricFamily("trabecula_records", "Records that were decided on and written for.", records)
        outcomes = CounterMetricFamily(
            "trabecula_transactions", "Transactions by what became of them.", labels=["partition", "outcome"]
        )
        for labels, value in transactions.items():
            outcomes.add_metric(labels, value)
        yield outcomes
        yield from _families(counts)


def _families(counts: Counter[Count]) -> Iterator[Metric]:
    found: dict[str, CounterMetricFamily] = {}
    for (name, labels), value in counts.items():
        if name not in COUNTED:
            continue
        names = [label for label, _ in labels]
        family = found.setdefault(name, CounterMetricFamily(f"trabecula_{name}", COUNTED[name], labels=names))
        family.add_metric([said for _, said in labels], value)
    yield from found.values()


Gauge = Callable[[Lane, float], float]
_BY_PARTITION: Final[tuple[tuple[str, str, Gauge], ...]] = (
    ("trabecula_consumer_lag_seconds", "Age of the oldest record that waits.", lag_seconds),
    ("trabecula_consumer_lag_records", "Records that are known of and wait.", lambda lane, _: lane.behind),
    ("trabecula_recovery_left", "Offsets of the changelog still to be read.", lambda lane, _: lane.replica.left),
    ("trabecula_recovered_records", "Records read of the changelog.", lambda lane, _: lane.replica.read),
    ("trabecula_partition_ready", "Whether it is worked on.", lambda lane, _: float(lane.phase is Phase.WORKING)),
)


class Standing(Collector):
    """How the partitions stand that are this worker's."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def describe(self) -> Iterable[Metric]:
        return []

    def collect(self) -> Iterator[Metric]:
        now = time.time()
        lanes = list(self._engine.lanes.values())
        for name, words, value in _BY_PARTITION:
            family = GaugeMetricFamily(name, words, labels=["partition"])
            for lane in lanes:
                family.add_metric([str(lane.partition)], value(lane, now))
            yield family
        yield GaugeMetricFamily(
            "trabecula_partitions_followed", "Partitions kept for others.", len(self._engine.followed)
        )
