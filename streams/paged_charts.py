"""Charts kept as pages by whoever keeps bytes, the latest looked at decoded in memory.

Law: what is in memory is what is committed, and beside it what the transaction under way has changed; a failed
transaction leaves nothing of itself.
"""

from collections import OrderedDict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from importlib.metadata import PackageNotFoundError, version
from typing import Final, Protocol

from schemas.days import FOREVER
from streams.chart import codec
from streams.chart.chart import Chart
from streams.monitor import Monitor

HELD: Final = 20_000
"""Decoded charts in memory; a chart of 40 facts takes about 60 KB there, and 3 ms to be made again."""


class Pages(Protocol):
    """Bytes of charts, kept as a part of the transaction under way."""

    def page(self, patient_id: str) -> tuple[bytes, str] | None:
        """A chart's bytes, and what decided it."""

    def put_page(self, patient_id: str, next_check_at: datetime, decided_by: str, page: bytes) -> None:
        """Keep a chart."""

    def remove_page(self, patient_id: str) -> None:
        """Forget a chart."""

    def patients(self) -> Iterator[str]:
        """Everybody who has a chart, by identity."""


@dataclass(frozen=True, slots=True)
class Changed:
    """A chart as it was before a message, and as it is after it."""

    patient_id: str
    before: Chart | None
    after: Chart | None


class PagedCharts:
    """The `Charts` of an engine: committed ones, those that the transaction changed, those that the message changed."""

    def __init__(self, pages: Pages, monitor: Monitor, decided_by: str, held: int = HELD) -> None:
        self._pages = pages
        self._monitor = monitor
        self._decided_by = decided_by
        self._held = held
        self._committed: OrderedDict[str, Chart] = OrderedDict()
        self._transaction: dict[str, Chart | None] = {}
        self._message: dict[str, Chart | None] = {}

    # ---- as the ward sees them

    def get(self, patient_id: str) -> Chart | None:
        for layer in (self._message, self._transaction):
            if patient_id in layer:
                return layer[patient_id]
        return self._known(patient_id)

    def put(self, chart: Chart) -> None:
        self._message[chart.patient_id] = chart

    def remove(self, patient_id: str) -> None:
        self._message[patient_id] = None

    def __iter__(self) -> Iterator[Chart]:
        for patient_id in list(self._pages.patients()):
            found = (
                self._message.get(patient_id) or self._transaction.get(patient_id) or self._committed.get(patient_id)
            )
            row = None if found else self._pages.page(patient_id)
            if found or row:
                yield found or self._made(*row)  # type: ignore[misc]

    # ---- as the engine keeps them

    def keep_message(self) -> None:
        """What the message changed belongs to the transaction."""
        self._transaction.update(self._message)
        self._message.clear()

    def take_back_message(self) -> list[tuple[str, Chart | None]]:
        """As if the message had not come; returns the charts that it had changed, as they are again."""
        touched = list(self._message)
        self._message.clear()
        return [(patient_id, self.get(patient_id)) for patient_id in touched]

    def changed(self) -> list[Changed]:
        """What the message changed."""
        found = (Changed(k, self._before(k), after) for k, after in self._message.items())
        return [one for one in found if one.before is not one.after]

    def _before(self, patient_id: str) -> Chart | None:
        if patient_id in self._transaction:
            return self._transaction[patient_id]
        return self._committed.get(patient_id)

    def write(self, changed: Iterable[Changed]) -> None:
        """Write what the message changed."""
        for one in changed:
            if one.after is None:
                self._pages.remove_page(one.patient_id)
            else:
                self._write(one.after)

    def _write(self, chart: Chart) -> None:
        at = None if chart.next_check_at == FOREVER else chart.next_check_at
        page = codec.encode(chart.patient_id, chart.facts, chart.told.values(), at)
        self._pages.put_page(chart.patient_id, chart.next_check_at, self._decided_by, page)

    def committed(self) -> None:
        """The transaction is durable."""
        for patient_id, chart in self._transaction.items():
            if chart is None:
                self._committed.pop(patient_id, None)
            else:
                self._committed[patient_id] = chart
                self._committed.move_to_end(patient_id)
        self._transaction.clear()
        while len(self._committed) > self._held:
            self._committed.popitem(last=False)

    def drop(self) -> None:
        """The transaction failed: only what is committed is known."""
        self._transaction.clear()
        self._message.clear()

    def _known(self, patient_id: str) -> Chart | None:
        chart = self._committed.get(patient_id)
        if chart is not None:
            self._committed.move_to_end(patient_id)
            return chart
        row = self._pages.page(patient_id)
        if row is None:
            return None
        chart = self._committed[patient_id] = self._made(*row)
        return chart

    def _made(self, page: bytes, decided_by: str) -> Chart:
        kept = codec.decode(page)
        chart = self._monitor.chart(kept.patient_id, kept.facts, kept.told)
        chart.next_check_at = kept.next_check_at or FOREVER
        # What the rules in force have decided need not be decided again before time or a fact changes something.
        chart.settled = decided_by == self._decided_by
        return chart


def decided_by(monitor: Monitor) -> str:
    """What decided a chart: the rule pack and the version of the service."""
    try:
        ours = version("trabecula")
    except PackageNotFoundError:  # run from its source tree
        ours = "unreleased"
    return f"{monitor.pack.sha256[:32]} {ours}"
