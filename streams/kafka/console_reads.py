"""What the routes and pages of a node ask, of a console: its rows, and for raw messages the topics."""

import asyncio
import concurrent.futures
from collections.abc import Coroutine, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, TypeVar

import apsw
from aiokafka.errors import KafkaError
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from streams.kafka.connection import Connection
from streams.kafka.console_evidence import Origin, message_of
from streams.kafka.console_projection import Projection
from streams.monitor import Monitor
from streams.node.clock import Clock
from streams.node.http.problems import ProblemError
from streams.node.http.reads import Sample
from streams.node.http.store_reads import StoreReads
from streams.node.port import Incoming
from streams.node.store_folder import FILE
from streams.node.store_reading import Reading

T = TypeVar("T")
_WITHIN: Final = 5.0
_OF_A_FEED: Final = frozenset({"trabecula_feed_silence_seconds"})


class ConsoleReads(StoreReads):
    """The reads of a node on the console's rows. `raw`: how many partitions each topic of raw messages has."""

    def __init__(
        self,
        folder: Path,
        connection: Connection,
        raw: Mapping[str, int],
        projection: Projection,
        monitor: Monitor,
        clock: Clock,
    ) -> None:
        self._rows = Reading(folder)
        super().__init__(self._rows, projection, monitor, clock)
        self._origins = apsw.Connection(str(folder / FILE), flags=apsw.SQLITE_OPEN_READONLY)
        self._origins.set_busy_timeout(2_000)
        self._connection = connection
        self._raw = raw
        self._loop = asyncio.get_running_loop()

    def messages(self, source: str, event_id: str) -> Sequence[Incoming]:
        sql = "SELECT number, at, written_at, message FROM origin WHERE source = ? AND event_id = ?"
        row = self._origins.execute(sql, (source, event_id)).fetchone()
        return [] if row is None else self._asked(message_of(self._connection, self._raw, Origin(*row)))

    def _asked(self, question: Coroutine[Any, Any, T]) -> T:
        """Ask the brokers, from the thread of the reads.

        Errors: ProblemError 503.
        """
        answer = asyncio.run_coroutine_threadsafe(question, self._loop)
        try:
            return answer.result(_WITHIN)
        except (KafkaError, concurrent.futures.TimeoutError):
            answer.cancel()
            raise ProblemError(503, "the brokers do not answer just now") from None

    def samples(self) -> Iterable[Sample]:
        return (sample for sample in super().samples() if sample.family not in _OF_A_FEED)

    def close(self) -> None:
        """Read no more."""
        self._origins.close()
        self._rows.close()


class Behind(Collector):
    """How far the rows are behind the topics, as metrics."""

    def __init__(self, projection: Projection) -> None:
        self._projection = projection

    def describe(self) -> Iterable[Metric]:
        return []

    def collect(self) -> Iterator[Metric]:
        behind = GaugeMetricFamily(
            "trabecula_projection_behind_records", "Records that are there and not shown yet.", labels=["topic"]
        )
        for topic, records in list(self._projection.behind.items()):
            behind.add_metric([topic], records)
        unreadable = CounterMetricFamily(
            "trabecula_projection_unreadable", "Records that are not what they should be.", labels=["topic"]
        )
        for topic, records in list(self._projection.unreadable.items()):
            unreadable.add_metric([topic], records)
        yield from (behind, unreadable)
