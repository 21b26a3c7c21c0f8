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
_NOW: Final = datetime(2026, 3, 1, tzinfo=UTC)


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


def main() -> None:
    """Print the figures; exit status 1 if the start takes too long."""
    charts = int(sys.argv[1]) if len(sys.argv) > 1 else CHARTS
    parent = sys.argv[2] if len(sys.argv) > 2 else None
    tables = Tables.load()
    monitor = Monitor(packaged_pack(), tables, Calendar(ZoneInfo("Europe/Berlin")))
    with tempfile.TemporaryDirectory(prefix="trabecula-bench-", dir=parent) as name:
        folder = Path(name)
        fill(folder, monitor, charts)
        size = sum(path.stat().st_size for path in folder.iterdir())
        for path in folder.iterdir():
            forget(path)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        began = time.perf_counter()
        store = Store(folder)
        opened = time.perf_counter()
        engine = Engine(store, monitor, tables, clock=SetClock(_NOW))
        engine.start()
        taken = engine.submit(Incoming("http", "event", b"{}", _NOW)).result()
        seconds = time.perf_counter() - began
        assert taken.refused_whole
        grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
        engine.close()
        store.close()
    print(f"start with {charts:,} charts, {size / 2**20:,.0f} MiB, until the first answer: {seconds:.2f} s")
    print(f"  of it opening and checking the file: {opened - began:.2f} s")
    print(f"  memory grew by {grown:,.0f} MiB")
    sys.exit(0 if seconds < LIMIT else 1)


if __name__ == "__main__":
    main()
