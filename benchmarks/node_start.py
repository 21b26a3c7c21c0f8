"""How long a node takes to start with many charts in its store.

Usage: node_start.py [CHARTS [FOLDER]]
"""

import os
import resource
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

from workload.charts import Course, chart_of
from workload.disk import syncs_a_second
from workload.serving import serving

from schemas.days import Calendar
from schemas.tables import Tables
from streams.chart import codec
from streams.monitor import Monitor
from streams.node.clock import SetClock
from streams.node.engine import Engine
from streams.node.port import Incoming
from streams.node.store import Store
from streams.paged_charts import decided_by
from streams.service import packaged_pack

CHARTS: Final = 100_000
LIMIT: Final = 5.0
"""Seconds."""
_NOW: Final = datetime.now(UTC)


def fill(folder: Path, monitor: Monitor, charts: int) -> None:
    """Charts of 40 facts, each to be looked at again within a year, and an event of the log for each."""
    chart, _ = chart_of(monitor, Course().outpatient(), 40)
    store = Store(folder)
    rows = store.rows
    for start in range(0, charts, 1_000):
        with store.transaction():
            for number in range(start, min(start + 1_000, charts)):
                name = f"MRN-{number:07d}"
                due = _NOW + timedelta(minutes=5 * number + 60)
                page = codec.encode(name, chart.facts, chart.told.values(), due)
                rows.put_page(name, due, decided_by(monitor), page)
        store.tidy()
    store.tidy(wholly=True)
    store.close()


def forget(path: Path) -> None:
    """Let the machine forget what it holds of a file in memory, as after a start of its own."""
    file = os.open(path, os.O_RDONLY)
    os.fsync(file)
    os.posix_fadvise(file, 0, 0, os.POSIX_FADV_DONTNEED)
    os.close(file)


def grown(before: int) -> float:
    """MiB that this process holds more at most than before."""
    return (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024


def within(folder: Path, monitor: Monitor, tables: Tables) -> tuple[float, float, float]:
    """Seconds until the first answer, of it for opening the file, and MiB, of store and engine alone."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    began = time.perf_counter()
    store = Store(folder)
    opened = time.perf_counter()
    engine = Engine(store, monitor, tables, clock=SetClock(_NOW))
    engine.start()
    taken = engine.submit(Incoming("http", "event", b"{}", _NOW)).result()
    seconds = time.perf_counter() - began
    assert taken.refused_whole
    memory = grown(before)
    engine.close()
    store.close()
    return seconds, opened - began, memory


def as_an_operator_sees_it(folder: Path) -> float:
    """Seconds from the command to the line with the addresses."""
    began = time.perf_counter()
    with serving(folder):
        return time.perf_counter() - began


def main() -> int:
    """Print the figures; exit status 1 if the start takes too long."""
    charts = int(sys.argv[1]) if len(sys.argv) > 1 else CHARTS
    parent = sys.argv[2] if len(sys.argv) > 2 else None
    tables = Tables.load()
    monitor = Monitor(packaged_pack(), tables, Calendar(ZoneInfo("UTC")))
    with tempfile.TemporaryDirectory(prefix="trabecula-bench-", dir=parent) as name:
        folder = Path(name) / "data"
        folder.mkdir()
        fill(folder, monitor, charts)
        size = sum(path.stat().st_size for path in folder.iterdir())
        syncs = syncs_a_second(Path(name))
        for path in folder.iterdir():
            forget(path)
        seconds, opening, memory = within(folder, monitor, tables)
        for path in folder.iterdir():
            forget(path)
        whole = as_an_operator_sees_it(folder)
    print(f"{charts:,} charts, {size / 2**20:,.0f} MiB")
    for what, took in (
        ("trabecula serve until it takes messages", whole),
        ("store and engine until an answer", seconds),
    ):
        print(f"{what:<50}{took:>8.2f} s  < {LIMIT:g} s {'ok' if took < LIMIT else 'MISSED'}")
    print(f"{'  of it opening and checking the file':<50}{opening:>8.2f} s")
    print(f"{'  memory grew by':<50}{memory:>8,.0f} MiB")
    print(f"{'the disk, fsync/s one after the other':<50}{syncs:>8,.0f}")
    return 0 if max(whole, seconds) < LIMIT else 1


if __name__ == "__main__":
    sys.exit(main())
