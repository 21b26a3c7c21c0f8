"""Workers that count, as processes, what they are fed, and a reader of what they wrote that is none of them."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

from confluent_kafka import Consumer, KafkaException, Message, Producer, TopicPartition

from schemas.topics import CHANGELOG, EVENTS, NOTICES, topics_of_site
from streams.kafka.connection import Connection
from streams.kafka.topics import create
from streams.kafka.worker import GROUP
from tests.kafka.counting import COUNT, number

ROOT = Path(__file__).parents[2]
PARTITIONS = 4
SESSION = 3.0
WITHIN = 60.0


def until(what: Callable[[], bool], within: float = WITHIN) -> None:
    """Wait until something is so; fail if it does not become so."""
    ends = time.monotonic() + within
    while not what():
        assert time.monotonic() < ends, "it did not come to be"
        time.sleep(0.05)


class Worker:
    """One process."""

    def __init__(self, bootstrap: str, prefix: str, data: Path, child: str, asked: Mapping[str, Any]) -> None:
        more = json.dumps({"session": SESSION, "partitions": PARTITIONS, **asked})
        command = [sys.executable, "-m", child, bootstrap, prefix, str(data), more]
        self.said = data / f"worker-{time.monotonic_ns()}.err"
        with self.said.open("wb") as err:
            self._child = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=err)
        self._line: dict[str, Any] | None = None
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self._child.stdout is not None
        line = self._child.stdout.readline()
        self._line = json.loads(line) if line else {}

    def ready(self) -> Self:
        """Wait until it says that it works."""
        until(lambda: self._line is not None)
        assert self._line, self.words
        return self

    @property
    def words(self) -> str:
        """What it said on stderr."""
        return self.said.read_text("utf-8")

    @property
    def http(self) -> str:
        assert self._line
        return str(self._line["http"])

    def get(self, path: str) -> str:
        with urllib.request.urlopen(f"http://{self.http}{path}", timeout=5) as answer:
            text: str = answer.read().decode()
        return text

    def metric(self, name: str) -> float:
        """The sum over the members of a family."""
        lines = (line.rpartition(" ") for line in self.get("/metrics").splitlines() if not line.startswith("#"))
        return sum(float(value) for head, _, value in lines if head.partition("{")[0] == name)

    @property
    def is_running(self) -> bool:
        return self._child.poll() is None

    def signal(self, number: signal.Signals) -> None:
        self._child.send_signal(number)

    def ended(self, within: float = 20.0) -> int:
        """Its exit status."""
        return self._child.wait(within)

    def end(self) -> None:
        """End it and anything of it."""
        if self.is_running:
            self._child.kill()
        self._child.wait(10)
        self._reader.join(5)
        assert self._child.stdout is not None
        self._child.stdout.close()


class Clinic:
    """Topics of a test's own, workers on them, and what they come to."""

    def __init__(self, bootstrap: str, prefix: str, folder: Path) -> None:
        self.bootstrap = bootstrap
        self.prefix = prefix
        self.sent: Counter[bytes] = Counter()
        self.workers: list[Worker] = []
        self._folder = folder
        options: dict[str, Any] = {"bootstrap.servers": bootstrap, "partitioner": "murmur2_random", "linger.ms": 5}
        options |= {"enable.idempotence": True, "log_level": 0}  # a feed's own repeats would be counted
        self._producer = Producer(options)

    async def open(self, copies: int = 1) -> Self:
        await create(Connection(self.bootstrap, self.prefix), topics_of_site(PARTITIONS, copies))
        return self

    def worker(self, child: str = "tests.kafka.worker_child", **asked: Any) -> Worker:
        """Start a worker; it may not be ready yet."""
        worker = Worker(self.bootstrap, self.prefix, self._folder, child, asked)
        self.workers.append(worker)
        return worker

    def publish(self, records: Iterable[tuple[bytes, bytes]]) -> None:
        """Write events and wait until the broker has them."""
        for key, value in records:
            self.sent[key] += 1
            while True:
                try:
                    self._producer.produce(self.prefix + EVENTS.name, value, key)
                    break
                except BufferError:
                    self._producer.poll(0.1)
        assert self._producer.flush(30) == 0

    def write(self, topic: str, key: bytes, value: bytes, headers: Mapping[str, bytes]) -> None:
        """Write one record of any topic."""
        self._producer.produce(self.prefix + topic, value, key, headers=list(headers.items()))
        assert self._producer.flush(30) == 0

    def close(self) -> None:
        for worker in self.workers:
            worker.end()

    # ---- what came of it

    @contextmanager
    def _reading(self, topic: str) -> Iterator[tuple[Consumer, dict[int, int]]]:
        options = {"bootstrap.servers": self.bootstrap, "group.id": f"{self.prefix}verifier"}
        options |= {"isolation.level": "read_committed", "enable.auto.commit": "false", "enable.partition.eof": "false"}
        reader = Consumer(options)
        try:
            known = reader.list_topics(topic, timeout=10).topics[topic].partitions
            partitions = [TopicPartition(topic, number, 0) for number in known]
            ends = {one.partition: reader.get_watermark_offsets(one, timeout=10)[1] for one in partitions}
            reader.assign(partitions)
            yield reader, ends
        finally:
            reader.close()

    def read(self, topic: str) -> Iterator[Message]:
        """What is committed in a topic now."""
        with self._reading(topic) as (reader, ends):
            until_ends = time.monotonic() + WITHIN
            while any(one.offset < ends[one.partition] for one in _positions(reader, ends)):
                assert time.monotonic() < until_ends
                yield from (message for message in reader.consume(5_000, timeout=0.2) if message.error() is None)

    def state(self) -> dict[bytes, bytes]:
        """The state of all partitions, as the changelog has it."""
        found: dict[bytes, bytes] = {}
        for message in self.read(self.prefix + CHANGELOG.name):
            key, value = message.key(), message.value()
            assert isinstance(key, bytes)
            found.pop(key, None)
            if isinstance(value, bytes):
                found[key] = value
        return found

    def counts(self) -> Counter[bytes]:
        """How often each key was counted."""
        found = {key[len(COUNT) :]: number(value) for key, value in self.state().items() if key.startswith(COUNT)}
        return Counter(found)

    def notices(self) -> list[tuple[bytes | str | None, bytes | str | None]]:
        return [(message.key(), message.value()) for message in self.read(self.prefix + NOTICES.name)]

    def committed(self) -> int:
        """Records that the group is done with, over all partitions."""
        return sum(self._committed().values())

    def _committed(self) -> dict[int, int]:
        """By partition; a broker that has just come back knows of no group yet, and is asked again."""
        ends = time.monotonic() + WITHIN
        while True:
            try:
                return self._committed_now()
            except KafkaException:
                assert time.monotonic() < ends
                time.sleep(0.2)

    def _committed_now(self) -> dict[int, int]:
        reader = Consumer({"bootstrap.servers": self.bootstrap, "group.id": self.prefix + GROUP, "log_level": 0})
        try:
            asked = [TopicPartition(self.prefix + EVENTS.name, number) for number in range(PARTITIONS)]
            return {one.partition: max(0, one.offset) for one in reader.committed(asked, timeout=10)}
        finally:
            reader.close()

    def quiet(self) -> bool:
        """Whether the group is done with all that is there, what workers sent each other included."""
        ends: Counter[int] = Counter()
        for message in self.read(self.prefix + EVENTS.name):
            ends[message.partition() or 0] = (message.offset() or 0) + 1  # after it may come the mark of a transaction
        return all(at >= ends[partition] for partition, at in self._committed().items())

    def done(self) -> bool:
        """Whether the group is done with all that was sent."""
        return self.committed() >= sum(self.sent.values())


def _positions(reader: Consumer, ends: Mapping[int, int]) -> list[TopicPartition]:
    assigned = reader.assignment()
    found = reader.position([one for one in assigned if one.partition in ends])
    return [TopicPartition(one.topic, one.partition, max(0, one.offset)) for one in found]


def many(count: int, keys: int = 500, value: bytes = b"counted") -> list[tuple[bytes, bytes]]:
    """Events over some keys."""
    return [(b"key-%d" % (number % keys), value) for number in range(count)]


def is_here(pid: int) -> bool:
    """Whether there is such a process."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
