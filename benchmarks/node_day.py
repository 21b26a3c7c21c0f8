"""The whole weekday of a hospital over MLLP into an empty node: 219,564 messages in the measured mix.

Topic: each connection stops and waits for its acknowledgement, as feeds do; a patient's messages share a connection.
The messages are made before the clock runs.
"""

import argparse
import re
import sys
import tempfile
from collections import Counter
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Final

sys.path.insert(0, str(Path(__file__).parents[1]))

from workload.disk import syncs_a_second
from workload.mllp_senders import send_all
from workload.results import block
from workload.serving import serving

from streams.simulate.options import Options
from streams.simulate.run import texts

LIMIT: Final = 240.0
"""Seconds for the whole day."""
_DAY: Final = Options(start=date(2025, 1, 6), days=1, patients=0, mix="hospital")
_TYPE: Final = re.compile(rb"^MSH\|(?:[^|]*\|){7}([^|]*)")
_PATIENT: Final = re.compile(rb"PID\|1\|\|[^\d]*(\d+)")


def weekday(messages: int) -> list[bytes]:
    """So many messages of a weekday, in order of time, as MLLP sends them."""
    return [block(text.strip(b"\r\n") + b"\r") for text in texts(replace(_DAY, messages=messages), "hl7v2")]


def by_patient(blocks: list[bytes], connections: int) -> list[list[bytes]]:
    """The blocks by connection; all of a patient over the same one."""
    feeds: list[list[bytes]] = [[] for _ in range(connections)]
    for each in blocks:
        found = _PATIENT.search(each)
        feeds[int(found[1]) % connections if found else 0].append(each)
    return feeds


def main() -> int:
    """Print the figures; exit status 1 if the limit is missed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--fraction", type=float, default=1.0, help="of the day, for a trial; the limit too")
    parser.add_argument("--connections", type=int, default=16)
    asked = parser.parse_args()
    blocks = weekday(round(_DAY.messages * asked.fraction))
    types = Counter(found[1].decode() for each in blocks if (found := _TYPE.search(each[1:])))
    told = ", ".join(f"{name} {count:,}" for name, count in types.most_common(5))
    print(f"{len(blocks):,} messages over {asked.connections} connections: {told}")
    with tempfile.TemporaryDirectory(prefix="trabecula-bench-") as folder, serving(Path(folder) / "data") as node:
        syncs = syncs_a_second(Path(folder))
        found = send_all(node.mllp, [iter(feed) for feed in by_patient(blocks, asked.connections)])
        cost, memory = node.processor_seconds() / found.messages * 1e6, node.mebibytes()
        size = sum(path.stat().st_size for path in (Path(folder) / "data").iterdir()) / 2**20
    limit = LIMIT * asked.fraction
    print(f"{'seconds':<40}{found.seconds:>10,.1f}  < {limit:g} {'ok' if found.seconds < limit else 'MISSED'}")
    print(f"{'messages a second':<40}{found.rate:>10,.0f}")
    print(f"{'acknowledged within, p50 / p99, ms':<40}{found.within(0.5):>10.1f} / {found.within(0.99):.1f}")
    print(f"{'node, processor us a message':<40}{cost:>10,.0f}")
    print(f"{'node, memory at most, MiB':<40}{memory:>10,.0f}")
    print(f"{'data folder, MiB':<40}{size:>10,.0f}")
    print(f"{'the disk, fsync/s one after the other':<40}{syncs:>10,.0f}")
    return 0 if found.seconds < limit else 1


if __name__ == "__main__":
    sys.exit(main())
