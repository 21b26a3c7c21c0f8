"""How many native events a second a node takes over HTTP in batches: stored, folded, decided, and only then answered.

Topic: the node is a process of its own, as an operator starts it; the bodies are made before the clock runs, and every
answer is read. Beside the rate stands what an event costs the node of its processor: on a machine that has other work
the rate drifts, and that figure does not.
"""

import argparse
import http.client
import json
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Final

sys.path.insert(0, str(Path(__file__).parents[1]))

from workload.disk import syncs_a_second
from workload.mixes import MIXES, bodies
from workload.serving import Serving, serving

LIMIT: Final = 5_000
"""Events a second."""
LIMITED: Final = frozenset({"hospital", "results"})
"""The mixes that the limit is for; a course under heparin costs what its rules cost."""
_HEAD: Final = {"Content-Type": "application/x-ndjson"}


@dataclass(frozen=True, slots=True)
class Taken:
    """One run of one mix."""

    rate: float
    microseconds: float
    """Of the node's processor for one event."""
    threads: dict[str, float]
    mebibytes: float
    syncs: float


def send(node: Serving, given: list[bytes]) -> Counter[str]:
    """Post bodies one after the other on one connection; what became of the events."""
    became: Counter[str] = Counter()
    connection = http.client.HTTPConnection(*node.http, timeout=120)
    for body in given:
        connection.request("POST", "/v1/events", body, _HEAD)
        answer = connection.getresponse()
        read = answer.read()
        assert answer.status == 200, read[:300]
        became.update(item["outcome"] for item in json.loads(read)["items"])
    connection.close()
    return became


def measure(mix: str, events: int, a_body: int, senders: int) -> Taken:
    """A node on an empty folder takes so many events of a mix."""
    given = bodies(mix, events, a_body)
    with tempfile.TemporaryDirectory(prefix="trabecula-bench-") as folder, serving(Path(folder) / "data") as node:
        syncs = syncs_a_second(Path(folder))
        before, threads = node.processor_seconds(), node.by_thread()
        began = time.perf_counter()
        with ThreadPoolExecutor(senders) as pool:
            counts = list(pool.map(lambda nth: send(node, given[nth::senders]), range(senders)))
        seconds = time.perf_counter() - began
        spent = node.processor_seconds() - before
        by_thread = {name: used - threads.get(name, 0) for name, used in node.by_thread().items()}
        assert sum(counts, Counter()) == {"accepted": events}, counts
        each = {name: used / events * 1e6 for name, used in by_thread.items() if used >= seconds / 50}
        return Taken(events / seconds, spent / events * 1e6, each, node.mebibytes(), syncs)


def main() -> int:
    """Print the table; exit status 1 if the limit is missed."""
    asked = _asked()
    missed = False
    print(f"{asked.events:,} events in bodies of {asked.batch}, {asked.senders} connections, rounds: {asked.rounds}")
    print(f"{'mix':<10}{'events/s':>10}{'node us/event':>15}{'MiB':>7}{'fsync/s':>9}  limit")
    for mix in asked.mix or MIXES:
        runs = [measure(mix, asked.events, asked.batch, asked.senders) for _ in range(asked.rounds)]
        rate = median(run.rate for run in runs)
        cost, memory = median(run.microseconds for run in runs), max(run.mebibytes for run in runs)
        holds = rate >= LIMIT or mix not in LIMITED
        missed = missed or not holds
        verdict = f">= {LIMIT:,}/s {'ok' if holds else 'MISSED'}" if mix in LIMITED else ""
        syncs = median(run.syncs for run in runs)
        print(f"{mix:<10}{rate:>10,.0f}{cost:>15,.0f}{memory:>7,.0f}{syncs:>9,.0f}  {verdict}", flush=True)
        if asked.threads:
            for name, used in sorted(runs[-1].threads.items(), key=lambda each: -each[1]):
                print(f"{'  thread ' + name:<20}{used:>15,.0f}")
    return 1 if missed else 0


def _asked() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--mix", action="append", choices=MIXES, help="only this mix; may be repeated")
    parser.add_argument("--events", type=int, default=30_000)
    parser.add_argument("--batch", type=int, default=250, help="events in a body")
    parser.add_argument("--senders", type=int, default=4, help="connections at once")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", action="store_true", help="also the node's time by thread")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
