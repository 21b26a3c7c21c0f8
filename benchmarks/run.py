"""Measure what is promised of speed and size, and say whether it holds. Nothing is written.

Topic: times are ratios to decoding one laboratory event in the same run, so that they mean the same on any machine.
After them the node as a whole is measured, by scripts of their own beside this one; each prints its table and the rate
of the disk, and ends with 1 where a limit is missed.
"""

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

from workload import traffic
from workload.charts import DAY0, Course, chart_of, fold, instant, read
from workload.messages import OBSERVATION, ORU
from workload.replaying import replay
from workload.timing import medians

from schemas.days import Calendar
from schemas.events import EVENT, AnyEvent
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
NODE: Final = (
    ("native events over HTTP", "node_http.py"),
    ("acknowledgements over MLLP", "node_mllp.py"),
    ("from a byte over MLLP to the webhook", "node_latency.py"),
    ("a weekday over MLLP", "node_day.py"),
    ("a start with 100,000 charts", "node_start.py"),
)
"""What is measured of the node, by script."""
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


def folding(monitor: Monitor, chart: Chart, event: AnyEvent) -> Callable[[], object]:
    """The work of one more event on a chart whose clock has run to it."""
    now = event.recorded_at + timedelta(minutes=1)
    [at_rest], _ = monitor.decide([chart], now - timedelta(seconds=1))
    return lambda: fold(monitor, at_rest, event, now)


def works(monitor: Monitor, tables: Tables) -> tuple[dict[str, Callable[[], object]], Chart]:
    """Everything that is timed, and a chart of 40 facts."""
    course = Course()
    line = encode(course.lab(100, "68438-1", "nmol/L", 30, 60))
    intake = Intake(Site(fhir_authorities={"urn:oid:1.2.3": "HOSPITAL"}), tables, MemoryDirectory())
    made: dict[str, Callable[[], object]] = {
        "decode": lambda: EVENT.validate_python(decode(line)),
        "native": lambda: translate_native(line),
        "oru": lambda: intake.hl7v2(ORU),
        "fhir": lambda: intake.document(OBSERVATION),
    }
    charts = {}
    for facts, events in ((40, course.outpatient()), (400, course.inpatient())):
        chart, at = chart_of(monitor, events, facts)
        charts[facts] = chart
        day = (at.date() - DAY0).days + 1
        asked = {
            "unread": course.lab(day, "2842-3", "ng/mL", 100, 200),
            "update": course.update(day),
            "potassium": course.lab(day, "2823-3", "mmol/L", 3.6, 4.4),
            "marker": course.lab(day, "41171-0", "ng/mL", 0.25, 0.6),
            "pain": course.say("symptom", instant(day), symptom="back_pain", score=3, observed_at=instant(day)),
            "dose": course.dose(day, 8),
        }
        made |= {f"{name} {facts}": folding(monitor, chart, read(event)) for name, event in asked.items()}
    return made, charts[40]


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
    yield row("fold and rules: prolactin, which no rule reads, 40 facts", "unread 40", 2)
    yield row("fold and rules: prolactin, which no rule reads, 400 facts", "unread 400")
    yield row("fold and rules: patient update, 40 facts", "update 40", 2)
    yield row("fold and rules: patient update, 400 facts", "update 400")
    for facts in (40, 400):
        yield row(f"fold and rules: potassium, {facts} facts", f"potassium {facts}")
    yield row("fold and rules: CTX, 40 facts", "marker 40", 20, " (aim 8)")
    growth = seconds["marker 400"] / seconds["marker 40"]
    yield row("fold and rules: CTX, 400 facts", "marker 400")
    yield Row("  against that on 40 facts", f"{growth:.2f} x", "<= 2 x", growth <= 2)
    for facts in (40, 400):
        yield row(f"fold and rules: back pain, {facts} facts", f"pain {facts}")
    for facts in (40, 400):
        yield row(f"fold and rules: heparin dose given, {facts} facts", f"dose {facts}")
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


def core() -> Iterator[str]:
    """Print the table of the core line by line; what was missed."""
    tables = Tables.load()
    monitor = Monitor(packaged_pack(), tables, Calendar(ZoneInfo("Europe/Berlin")))
    print(f"{'':<62}{'measured':>20}  {'limit':<22}verdict")
    for rows in (times(monitor, tables), files()):
        for row in rows:
            print(row, flush=True)
            if row.holds is False:
                yield row.what.strip()


def node() -> Iterator[str]:
    """Run the scripts of the node; those whose limits were missed, or that failed."""
    for what, script in NODE:
        print(f"\n---- the node: {what} ({script})", flush=True)
        ran = subprocess.run([sys.executable, Path(__file__).with_name(script)], check=False)  # noqa: S603 - our own
        if ran.returncode:
            yield f"{what} ({script})"


def main() -> int:
    """Measure everything that is asked for; exit status 1 if something promised is missed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--only", choices=("core", "node"), help="measure this alone")
    asked = parser.parse_args()
    parts = {"core": core, "node": node}
    missed = [what for name, measure in parts.items() if asked.only in (None, name) for what in measure()]
    print("\neverything that is promised holds" if not missed else f"\nmissed: {'; '.join(missed)}")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
