"""Partitions of an invented broker: logs, states and shards in memory, with transactions that abort and restarts."""

from collections.abc import Iterator
from datetime import datetime
from random import Random
from zlib import crc32

from schemas.alerts import Alert, Notice
from schemas.events import AnyEvent
from schemas.facts import Fact
from schemas.wire import decode
from streams.kafka.records import ALERTS, DEAD_LETTERS, EVENTS, NOTICES, event_record
from streams.kafka.shard import MonitorShard
from streams.kafka.work import Given, Sent, Work
from tests.wards import monitor


class DictState(dict[bytes, bytes]):
    """A partition's state."""

    def scan(self, prefix: bytes) -> Iterator[tuple[bytes, bytes]]:
        yield from sorted((key, value) for key, value in self.items() if key.startswith(prefix))


class Partitions:
    """So many partitions, each with its shard; `rng` decides who is next, what aborts and who restarts."""

    def __init__(self, count: int, rng: Random, *, aborts: float = 0.2, restarts: float = 0.1) -> None:
        self.count = count
        self.rng = rng
        self.aborts = aborts
        self.restarts = restarts
        self.logs: list[list[Given]] = [[] for _ in range(count)]
        self.positions = [0] * count
        self.states = [DictState() for _ in range(count)]
        self.shards = [self._shard(number) for number in range(count)]
        self.notices: list[Notice] = []
        self.alerts: dict[str, Alert | None] = {}
        self.dead_letters: list[Sent] = []

    def _shard(self, number: int) -> MonitorShard:
        return MonitorShard(monitor(), number, self.count, self.states[number], self.partition_of)

    def partition_of(self, key: bytes) -> int:
        """Any function of the key will do."""
        return crc32(key) % self.count

    # ---- what comes

    def publish(self, event: AnyEvent, *, wrongly: float = 0.1) -> None:
        """Publish an event where it belongs, or somewhere else."""
        sent = event_record(event)
        somewhere = self.rng.randrange(self.count) if self.rng.random() < wrongly else None
        self.write(sent, somewhere)

    def write(self, sent: Sent, partition: int | None = None) -> None:
        """A record at the end of its log, or to whoever reads it."""
        match sent.topic:
            case _ if sent.topic == EVENTS:
                where = partition if partition is not None else sent.partition
                number = self.partition_of(sent.key or b"") if where is None else where
                log = self.logs[number]
                log.append(Given(number, len(log), 0, sent.key, sent.value, sent.headers))
            case _ if sent.topic == NOTICES:
                self.notices.append(Notice.model_validate(decode(sent.value or b"")))
            case _ if sent.topic == ALERTS:
                found = None if sent.value is None else Alert.model_validate(decode(sent.value))
                self.alerts[(sent.key or b"").decode()] = found
            case _:
                assert sent.topic == DEAD_LETTERS
                self.dead_letters.append(sent)

    # ---- what happens

    def step(self, now: datetime) -> None:
        """One partition takes some of what waits for it, or looks at what is due."""
        number = self.rng.randrange(self.count)
        waiting = self.logs[number][self.positions[number] :]
        chunk = waiting[: self.rng.randint(0, 5)]
        if chunk:
            self._settle(number, self.shards[number].take(chunk, now), len(chunk))
        else:
            self._settle(number, self.shards[number].tick(now, self.rng.randint(1, 3)), 0)

    def _settle(self, number: int, work: Work, records: int) -> None:
        if self.rng.random() < self.aborts:
            self.shards[number].dropped()
        else:
            self.commit(number, work, records)
        if self.rng.random() < self.restarts:
            self.shards[number] = self._shard(number)

    def commit(self, number: int, work: Work, records: int) -> None:
        """All that a work names, at once."""
        for key, value in work.changes.items():
            if value is None:
                self.states[number].pop(key, None)
            else:
                self.states[number][key] = value
        for sent in work.sends:
            self.write(sent)
        self.positions[number] += records
        self.shards[number].committed()

    def drain(self, now: datetime) -> None:
        """Until nothing waits and nothing is due."""
        for _ in range(10_000):
            if self._is_quiet(now):
                return
            self.step(now)
        raise AssertionError("the partitions send each other records without end")

    def _is_quiet(self, now: datetime) -> bool:
        read = all(position == len(log) for position, log in zip(self.positions, self.logs, strict=True))
        return read and all(shard.next_check_at() > now for shard in self.shards)

    # ---- what is there

    @property
    def facts(self) -> dict[str, frozenset[Fact]]:
        """The facts of every chart that has any; a patient has one chart only."""
        found = [(c.patient_id, frozenset(c.facts)) for shard in self.shards for c in shard.charts if len(c.facts)]
        assert len({patient_id for patient_id, _ in found}) == len(found)
        return dict(found)

    def state(self, now: datetime) -> frozenset[tuple[str, str, str, datetime, str]]:
        """What stands: ids, severities, instants and states."""
        return frozenset(
            (a.patient_id, a.alert_id, a.severity, a.effective_at, a.state)
            for shard in self.shards
            for a in shard.ward.standing(now)
        )
