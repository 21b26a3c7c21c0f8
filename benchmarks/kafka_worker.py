"""A worker on a real Kafka beside a loop written by hand and Faust as it comes: the same records, the same work.

Topic: events a second from the first commit that is seen to the last, and what an event costs the processor. Peers are
measured one after another, several times, in turns; the machine's other work falls on all of them.
By hand: `python benchmarks/kafka_worker.py [--events N] [--runs N]`; it needs Java and Maven, as the tests do.
"""

import argparse
import asyncio
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from statistics import median

from confluent_kafka import Consumer, Producer, TopicPartition
from workload.kafka_peers import PARTITIONS
from workload.mixes import hospital, results

from schemas.topics import EVENTS, topics_of_site
from schemas.wire import decode
from streams.kafka.connection import Connection
from streams.kafka.topics import create
from streams.kafka.worker import GROUP

sys.path.insert(0, str(Path(__file__).parents[1]))
from tests.kafka.broker import cluster

LEAST = 0.9
"""Of the loop's rate, that the worker must have."""
_WITHIN = 600.0
_SHARE = {"engine": 1.0, "loop": 1.0, "stock": 0.1}
"""Faust as it comes would take minutes."""


@dataclass(frozen=True, slots=True)
class Rate:
    """Of one run."""

    events_a_second: float
    cpu_microseconds: float


def publish(bootstrap: str, topic: str, lines: Iterable[bytes]) -> int:
    """Write events; how many."""
    options = {"bootstrap.servers": bootstrap, "linger.ms": 20, "compression.type": "lz4"}
    producer = Producer({**options, "partitioner": "murmur2_random"})
    count = 0
    for line in lines:
        key = decode(line)["patient_id"].encode()
        while True:
            try:
                producer.produce(topic, line, key)
                break
            except BufferError:
                producer.poll(0.1)
        count += 1
    producer.flush()
    return count


def committed(reader: Consumer, topic: str) -> int:
    """Records that the group is done with."""
    asked = [TopicPartition(topic, number) for number in range(PARTITIONS)]
    return sum(max(0, one.offset) for one in reader.committed(asked, timeout=10))


def processor(pid: int) -> float:
    """Seconds of the processor that a process has had."""
    fields = Path(f"/proc/{pid}/stat").read_text("utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def measured(bootstrap: str, peer: str, work: str, lines: Iterator[bytes]) -> Rate:
    """One run on topics of its own."""
    connection = Connection(bootstrap, f"b{uuid.uuid4().hex[:8]}.")
    asyncio.run(create(connection, topics_of_site(PARTITIONS, 1)))
    topic = connection.name(EVENTS.name)
    count = publish(bootstrap, topic, lines)
    command = [sys.executable, str(Path(__file__).parent / "workload" / "kafka_peers.py")]
    command += [peer, bootstrap, connection.prefix, work]
    running = subprocess.Popen(command, stderr=subprocess.DEVNULL)  # noqa: S603 - a peer
    reader = Consumer({"bootstrap.servers": bootstrap, "group.id": connection.name(GROUP)})
    try:
        return _watched(reader, topic, count, running.pid)
    finally:
        running.send_signal(signal.SIGKILL)
        running.wait()
        reader.close()


def _watched(reader: Consumer, topic: str, count: int, pid: int) -> Rate:
    ends = time.monotonic() + _WITHIN
    while (first := committed(reader, topic)) == 0:
        assert time.monotonic() < ends, "nothing was committed"
        time.sleep(0.02)
    began, cpu = time.monotonic(), processor(pid)
    while committed(reader, topic) < count:
        assert time.monotonic() < ends, f"{committed(reader, topic)} of {count}"
        time.sleep(0.02)
    done = count - first
    return Rate(done / (time.monotonic() - began), (processor(pid) - cpu) / done * 1e6)


def compare(bootstrap: str, work: str, lines: list[bytes], peers: Iterable[str], runs: int) -> dict[str, Rate]:
    """Each peer's median, run in turns."""
    found: dict[str, list[Rate]] = {peer: [] for peer in peers}
    for _ in range(runs):
        for peer, rates in found.items():
            rates.append(measured(bootstrap, peer, work, islice(lines, int(len(lines) * _SHARE[peer]))))
    print(f"{work}, {len(lines)} events, {PARTITIONS} partitions, median of {runs}")
    medians = {
        peer: Rate(median(r.events_a_second for r in rates), median(r.cpu_microseconds for r in rates))
        for peer, rates in found.items()
    }
    for peer, rate in medians.items():
        every = ", ".join(f"{r.events_a_second:,.0f}" for r in found[peer])
        print(f"  {peer:<8} {rate.events_a_second:>10,.0f}/s {rate.cpu_microseconds:>7.1f} us an event   ({every})")
    return medians


def main() -> int:
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--events", type=int, default=200_000)
    asked.add_argument("--runs", type=int, default=3)
    asked.add_argument("--peers", default="engine,loop,stock")
    asked.add_argument("--bootstrap", help="Brokers that are there; else one of the benchmark's own.")
    told = asked.parse_args()
    if told.bootstrap:
        return _all(told.bootstrap, told)
    with cluster(1, memory="1g") as brokers:
        return _all(brokers.bootstrap, told)


def _all(bootstrap: str, told: argparse.Namespace) -> int:
    peers = told.peers.split(",")
    ledger = compare(bootstrap, "ledger", list(results(told.events)), peers, told.runs)
    mix = list(islice(hospital(told.events // 2), told.events // 2))
    compare(bootstrap, "monitor", mix, peers, told.runs)
    if not {"engine", "loop"} <= ledger.keys():
        return 0
    ratio = ledger["engine"].events_a_second / ledger["loop"].events_a_second
    holds = ratio >= LEAST
    print(f"worker : loop by hand = {ratio:.2f}  ({'holds' if holds else 'MISSED'}: at least {LEAST})")
    return int(not holds)


if __name__ == "__main__":
    sys.exit(main())
