"""Measure durable acknowledgements a second over MLLP, against python-hl7's own server doing the same store.

Topic: the node is the whole of it in a process of its own, as an operator starts it: every message is translated, kept,
folded, decided and committed before its AA. The peers take turns with it in the same run, so that the ratio means the
same on any machine: python-hl7's server doing the same, one message and one commit after the other; beside it that
server with the group commit of our engine, or keeping the raw message alone, and both edges, which only count.
"""

import argparse
import itertools
import os
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from typing import Final

sys.path.insert(0, str(Path(__file__).parents[1]))
os.environ["PYTHONPATH"] = str(Path(__file__).parents[1])  # of the peers as well

from workload.disk import syncs_a_second
from workload.mllp_senders import send_all
from workload.peers import PEERS, peer
from workload.results import block, result
from workload.serving import serving

NODE: Final = "the node"
CONNECTIONS: Final = 16
OVER_MANY: Final = 2_000
"""Acknowledgements a second over 16 connections."""
STOP_AND_WAIT: Final = 600
"""Over one."""
TIMES: Final = 5.0
"""What the node must be against python-hl7's server doing the same store, over 16 connections."""

Rates = dict[str, dict[int, list[float]]]


def feed(numbers: Iterator[int]) -> Iterator[bytes]:
    """Messages without end, each another."""
    return (block(result(number)) for number in numbers)


def measured(rounds: int, seconds: float, parent: Path) -> tuple[Rates, float, float]:
    """Rates of every server by connections; the node's processor time a message; the disk's syncs a second."""
    rates: Rates = defaultdict(lambda: defaultdict(list))
    numbers = itertools.count()
    with ExitStack() as running:
        node = running.enter_context(serving(parent / "node"))
        addresses = {NODE: node.mllp}
        for nth, name in enumerate(PEERS):
            (parent / str(nth)).mkdir()
            addresses[name] = running.enter_context(peer(name, parent / str(nth)))
        spent, taken, syncs = 0.0, 0, []
        for _ in range(rounds):
            syncs.append(syncs_a_second(parent))
            for name, address in addresses.items():
                for connections in (1, CONNECTIONS):
                    before = node.processor_seconds()
                    found = send_all(address, [feed(numbers) for _ in range(connections)], seconds)
                    rates[name][connections].append(found.rate)
                    if name == NODE and connections == CONNECTIONS:
                        spent, taken = spent + node.processor_seconds() - before, taken + found.messages
    return rates, spent / taken * 1e6, median(syncs)


def main() -> int:
    """Print the table; exit status 1 if a limit is missed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2.0)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="trabecula-bench-") as folder:
        rates, cost, syncs = measured(asked.rounds, asked.seconds, Path(folder))
    medians = {name: {n: median(seen) for n, seen in by.items()} for name, by in rates.items()}
    print(f"{'acknowledgements a second':<34}{'1 connection':>14}{f'{CONNECTIONS} connections':>16}")
    for name, by in medians.items():
        print(f"{name:<34}{by[1]:>14,.0f}{by[CONNECTIONS]:>16,.0f}")
    ours, theirs = medians[NODE], medians["python-hl7, same store"]
    times = ours[CONNECTIONS] / theirs[CONNECTIONS]
    print(f"the node's processor: {cost:,.0f} us a message; the disk: {syncs:,.0f} fsync/s one after the other")
    verdicts = [
        (f"over {CONNECTIONS} connections", ours[CONNECTIONS], OVER_MANY, "/s"),
        ("stop and wait over one", ours[1], STOP_AND_WAIT, "/s"),
        ("times python-hl7's server doing the same store", times, TIMES, " x"),
    ]
    for what, figure, limit, unit in verdicts:
        print(f"{what:<50}{figure:>10,.1f}{unit}  >= {limit:,}{unit} {'ok' if figure >= limit else 'MISSED'}")
    return 0 if all(figure >= limit for _, figure, limit, _ in verdicts) else 1


if __name__ == "__main__":
    sys.exit(main())
