"""Charts of many patients, and what the intake has seen: the latest in memory, the rest in a temporary file."""

import sqlite3
import tempfile
from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from schemas.days import FOREVER
from schemas.events import EVENT, AnyEvent
from schemas.wire import decode, encode
from streams.chart import codec
from streams.chart.chart import Chart
from streams.monitor import Monitor

HELD: Final = 20_000
"""Decoded charts in memory; a chart of 40 facts takes about 60 KB there."""
KNOWN: Final = 50_000
"""Decoded events in memory of which the intake knows whom they are about; one takes about 3 KB there."""


class _Scratch:
    """A file of one process: nothing of it is read again after a crash."""

    def __init__(self, tables: str) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="trabecula-shelf-")
        self.file = sqlite3.connect(Path(self._folder.name) / "shelf.sqlite", isolation_level=None)
        self.file.executescript(f"PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF; {tables}")

    def close(self) -> None:
        self.file.close()
        self._folder.cleanup()


class Shelf:
    """A `Charts` whose memory does not grow with the number of patients. Close it to remove its file."""

    def __init__(self, monitor: Monitor, held: int = HELD) -> None:
        self._monitor = monitor
        self._held = held
        self._charts: OrderedDict[str, Chart] = OrderedDict()
        self._scratch = _Scratch("CREATE TABLE chart (patient_id TEXT PRIMARY KEY, page BLOB NOT NULL) WITHOUT ROWID")
        self._file = self._scratch.file
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
        self._scratch.close()

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


class ShelvedDirectory:
    """A `Directory` whose memory does not grow with the length of the files. Close it to remove its own."""

    def __init__(self, held: int = KNOWN) -> None:
        self._held = held
        self._records: OrderedDict[tuple[str, str], AnyEvent] = OrderedDict()
        self._patients: OrderedDict[str, str] = OrderedDict()
        self._scratch = _Scratch(
            "CREATE TABLE record (source TEXT, record_id TEXT, body BLOB, PRIMARY KEY (source, record_id)) "
            "WITHOUT ROWID;"
            "CREATE TABLE patient (reference TEXT PRIMARY KEY, patient_id TEXT) WITHOUT ROWID"
        )
        self._file = self._scratch.file
        self._on_disk = False

    def patient(self, reference: str) -> str | None:
        known = self._patients.get(reference)
        if known is not None or not self._on_disk:
            return known
        row = self._file.execute("SELECT patient_id FROM patient WHERE reference = ?", (reference,)).fetchone()
        return None if row is None else str(row[0])

    def know_patient(self, reference: str, patient_id: str) -> str | None:
        before = self.patient(reference)
        self._patients[reference] = patient_id
        self._patients.move_to_end(reference)
        if len(self._patients) > self._held:
            self._file.execute("INSERT OR REPLACE INTO patient VALUES (?, ?)", self._patients.popitem(last=False))
            self._on_disk = True
        return before

    def last_version(self, source: str, record_id: str) -> AnyEvent | None:
        known = self._records.get((source, record_id))
        if known is not None or not self._on_disk:
            return known
        sql = "SELECT body FROM record WHERE source = ? AND record_id = ?"
        row = self._file.execute(sql, (source, record_id)).fetchone()
        return None if row is None else EVENT.validate_python(decode(row[0]))

    def know_version(self, event: AnyEvent) -> None:
        known = self.last_version(event.source, event.record_id)
        latest = event if known is None or known.recorded_at <= event.recorded_at else known
        key = event.source, event.record_id
        self._records[key] = latest
        self._records.move_to_end(key)
        if len(self._records) > self._held:
            (source, record_id), least = self._records.popitem(last=False)
            self._file.execute("INSERT OR REPLACE INTO record VALUES (?, ?, ?)", (source, record_id, encode(least)))
            self._on_disk = True

    def close(self) -> None:
        """Remove the file."""
        self._scratch.close()
