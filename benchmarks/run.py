"""Measure what is promised of speed and size, and say whether it holds. Nothing is written.

Topic: times are ratios to decoding one laboratory event in the same run, so that they mean the same on any machine.
"""

import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

from workload import traffic
from workload.charts import DAY0, Course, chart_of, fold, read
from workload.messages import OBSERVATION, ORU
from workload.replaying import replay
from workload.timing import medians

from schemas.days import Calendar
from schemas.events import EVENT
from schemas.tables import Tables
from schemas.wire import decode, encode
from streams.chart import codec
from streams.chart.chart import Chart
from streams.inputs import Intake
from streams.intake.native import translate_native
from streams.intake.site import MemoryDirectory, Site
from streams.monitor import Monitor
from streams.service import packaged_pack

SIZES: Final = (50_000, 200_000, 500_000)
RATE: Final = 10_000
"""Events a second on one core."""
GROWTH: Final = 1.5
"""The memory of the largest file against that of the smallest."""


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table."""

    what: str
    measured: str
    limit: str = ""
    holds: bool | None = None

    def __str__(self) -> str:
        verdict = {None: "", True: "ok", False: "MISSED"}[self.holds]
        return f"{self.what:<62}{self.measured:>20}  {self.limit:<22}{verdict}"


def folding(monitor: Monitor, course: Course, chart: Chart, day: float, **lab: str) -> Callable[[], object]:
    """The work of one more result on a chart."""
    event = read(course.lab(day, lab["code"], lab["unit"], 0.3, 0.5) | {"status": "final"})
    now = event.recorded_at + timedelta(minutes=1)
    return lambda: fold(monitor, chart, event, now)


def works(monitor: Monitor, tables: Tables) -> tuple[dict[str, Callable[[], object]], Chart]:
    """Everything that is timed, and a chart of 40 facts."""
    course = Course()
    small, at_small = chart_of(monitor, course.outpatient(), 40)
    large, at_large = chart_of(monitor, course.inpatient(), 400)
    day_small, day_large = ((at.date() - DAY0).days + 14 for at in (at_small, at_large))
    line = encode(course.lab(100, "68438-1", "nmol/L", 30, 60))
    update = read(course.say("patient", f"{at_small.date()}T23:00:00Z", birth_date="1993-05-04", sex="female"))
    dose = read(course.dose(day_large, 8))
    intake = Intake(Site(fhir_authorities={"urn:oid:1.2.3": "HOSPITAL"}), tables, MemoryDirectory())
    marker = {"code": "41171-0", "unit": "ng/mL"}
    return {
        "decode": lambda: EVENT.validate_python(decode(line)),
        "native": lambda: translate_native(line),
        "not read": folding(monitor, course, small, day_small, code="2823-3", unit="mmol/L"),
        "not read 400": folding(monitor, course, large, day_large, code="2823-3", unit="mmol/L"),
        "update": lambda: fold(monitor, small, update, at_small + timedelta(days=1)),
        "marker": folding(monitor, course, small, day_small, **marker),
        "marker 400": folding(monitor, course, large, day_large, **marker),
        "dose 400": lambda: fold(monitor, large, dose, dose.recorded_at),
        "oru": lambda: intake.hl7v2(ORU),
        "fhir": lambda: intake.document(OBSERVATION),
    }, small


def times(monitor: Monitor, tables: Tables) -> Iterator[Row]:
    """What one event costs."""
    timed, small = works(monitor, tables)
    seconds = medians(timed)
    unit = seconds["decode"]

    def row(what: str, name: str, limit: float | None = None, aim: str = "") -> Row:
        ratio = seconds[name] / unit
        holds = None if limit is None else ratio <= limit
        return Row(what, f"{ratio:.2f} x", "" if limit is None else f"<= {limit:g} x{aim}", holds)

    yield Row("decode one laboratory event (the measure of the rest)", f"{unit * 1e6:.1f} us")
    yield row("the same through the native intake", "native")
    yield row("fold and rules: result that no rule reads, chart of 40 facts", "not read", 2)
    yield row("fold and rules: result that no rule reads, chart of 400 facts", "not read 400", 2)
    yield row("fold and rules: patient update, chart of 40 facts", "update")
    yield row("fold and rules: CTX result, chart of 40 facts", "marker", 20, " (aim 8)")
    growth = seconds["marker 400"] / seconds["marker"]
    yield row("fold and rules: CTX result, chart of 400 facts", "marker 400")
    yield Row("  against that on 40 facts", f"{growth:.2f} x", "<= 2 x", growth <= 2)
    yield row("fold and rules: heparin dose, chart of 400 facts", "dose 400")
    yield row("HL7 v2 ORU^R01 to events", "oru")
    yield row("FHIR R4 Observation to events", "fhir")
    size = len(codec.encode(small.patient_id, small.facts, small.told.values(), None)) / 1024
    yield Row("chart of 40 facts, encoded", f"{size:.2f} KB", "<= 6 KB (aim 4)", size <= 6)


def files() -> Iterator[Row]:
    """What files of many events cost."""
    with tempfile.TemporaryDirectory(prefix="trabecula-bench-") as folder:
        found = []
        for events in SIZES:
            path = Path(folder) / f"{events}.ndjson"
            traffic.write(path, events)
            run = replay(path, events)
            path.unlink()
            found.append(run)
            yield Row(f"replay of {events:,} events", f"{run.rate:,.0f} events/s", f">= {RATE:,}/s", run.rate >= RATE)
            yield Row("  memory at most", f"{run.mebibytes:,.0f} MiB")
        growth = found[-1].mebibytes / found[0].mebibytes
        yield Row("  memory, largest file against smallest", f"{growth:.2f} x", f"<= {GROWTH} x", growth <= GROWTH)


def main() -> None:
    """Print the table line by line; exit status 1 if something promised is missed."""
    tables = Tables.load()
    monitor = Monitor(packaged_pack(), tables, Calendar(ZoneInfo("Europe/Berlin")))
    missed = False
    print(f"{'':<62}{'measured':>20}  {'limit':<22}verdict")
    for rows in (times(monitor, tables), files()):
        for row in rows:
            print(row, flush=True)
            missed = missed or row.holds is False
    sys.exit(1 if missed else 0)


if __name__ == "__main__":
    main()
