"""Charts of many patients: the latest looked at in memory, the rest encoded in a temporary file."""

import sqlite3
import tempfile
from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from schemas.days import FOREVER
from streams.chart import codec
from streams.chart.chart import Chart
from streams.monitor import Monitor

HELD: Final = 20_000
"""Decoded charts in memory; a chart of 40 facts takes about 60 KB there."""


class Shelf:
    """A `Charts` whose memory does not grow with the number of patients. Close it to remove its file."""

    def __init__(self, monitor: Monitor, held: int = HELD) -> None:
        self._monitor = monitor
        self._held = held
        self._charts: OrderedDict[str, Chart] = OrderedDict()
        self._folder = tempfile.TemporaryDirectory(prefix="trabecula-charts-")
        self._file = sqlite3.connect(Path(self._folder.name) / "charts.sqlite", isolation_level=None)
        # A scratch file of one process: nothing of it is read again after a crash.
        self._file.executescript(
            "PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF;"
            "CREATE TABLE chart (patient_id TEXT PRIMARY KEY, page BLOB NOT NULL) WITHOUT ROWID"
        )
        self._on_disk = 0

    def get(self, patient_id: str) -> Chart | None:
        chart = self._charts.get(patient_id)
        if chart is not None:
            self._charts.move_to_end(patient_id)
            return chart
        return self._load(patient_id) if self._on_disk else None

    def put(self, chart: Chart) -> None:
        self._charts[chart.patient_id] = chart
        self._charts.move_to_end(chart.patient_id)
        while len(self._charts) > self._held:
            self._store(self._charts.popitem(last=False)[1])

    def remove(self, patient_id: str) -> None:
        self._charts.pop(patient_id, None)
        if self._on_disk:
            self._file.execute("DELETE FROM chart WHERE patient_id = ?", (patient_id,))

    def __iter__(self) -> Iterator[Chart]:
        for chart in list(self._charts.values()):
            self._store(chart)
        for (patient_id,) in self._file.execute("SELECT patient_id FROM chart ORDER BY patient_id"):
            found = self._charts.get(patient_id) or self._read(patient_id)
            if found is not None:
                yield found

    def close(self) -> None:
        """Remove the file."""
        self._file.close()
        self._folder.cleanup()

    def _store(self, chart: Chart) -> None:
        until = None if chart.next_check_at == FOREVER else chart.next_check_at
        page = codec.encode(chart.patient_id, chart.facts, chart.told.values(), until)
        self._file.execute("INSERT OR REPLACE INTO chart VALUES (?, ?)", (chart.patient_id, page))
        self._on_disk += 1

    def _load(self, patient_id: str) -> Chart | None:
        chart = self._read(patient_id)
        if chart is not None:
            self.put(chart)
        return chart

    def _read(self, patient_id: str) -> Chart | None:
        row = self._file.execute("SELECT page FROM chart WHERE patient_id = ?", (patient_id,)).fetchone()
        if row is None:
            return None
        page = codec.decode(row[0])
        chart = self._monitor.chart(page.patient_id, page.facts, page.told)
        chart.next_check_at = page.next_check_at or FOREVER
        return chart
