"""How many native laboratory events a second a node keeps, folds and decides; beside it what the disk alone can do.

Usage: node_store.py [FOLDER]; the folder is on the disk that is measured, by default where temporary files go.
"""

import sys
import tempfile
import time
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Final
from zoneinfo import ZoneInfo

from workload.charts import LOINC
from workload.disk import syncs_a_second

from schemas.days import Calendar
from schemas.events import EVENT
from schemas.tables import Tables
from schemas.wire import encode
from streams.monitor import Monitor
from streams.node.clock import SetClock
from streams.node.engine import Engine, Limits
from streams.node.port import Incoming
from streams.node.store import Store
from streams.service import packaged_pack

EVENTS: Final = 20_000
PATIENTS: Final = 2_000
TOGETHER: Final = 256
_LABS: Final = (("2000-8", "mmol/L", 2.1, 2.5), ("68438-1", "nmol/L", 25, 110), ("2823-3", "mmol/L", 3.6, 4.4))
_BEGINS: Final = EVENT.validate_python(
    {
        "event_id": "e",
        "kind": "erasure",
        "patient_id": "p",
        "source": "s",
        "recorded_at": "2026-03-01T08:00:00Z",
    }
).recorded_at


def labs(count: int, patients: int) -> list[bytes]:
    """Native laboratory events of so many patients."""
    rng = Random(7)
    made = []
    for number in range(count):
        code, unit, low, high = rng.choice(_LABS)
        at = _BEGINS + timedelta(milliseconds=20 * number)
        made.append(
            encode(
                {
                    "event_id": f"E{number:08d}",
                    "kind": "lab_result",
                    "patient_id": f"MRN-{rng.randrange(patients):06d}",
                    "source": "LAB",
                    "record_id": f"R{number:08d}",
                    "recorded_at": at,
                    "collected_at": at - timedelta(hours=1),
                    "status": "final",
                    "code": {"system": LOINC, "code": code},
                    "value": round(rng.uniform(low, high), 2),
                    "unit": unit,
                }
            )
        )
    return made


def events_a_second(
    folder: Path, messages: Sequence[bytes], together: int, *, array: bool = False
) -> tuple[float, float]:
    """Events a second by the clock, and by the processor alone; `array`: those together are one message."""
    tables = Tables.load()
    monitor = Monitor(packaged_pack(), tables, Calendar(ZoneInfo("Europe/Berlin")))
    store = Store(folder)
    clock = SetClock(_BEGINS + timedelta(days=1))
    engine = Engine(store, monitor, tables, clock=clock, limits=Limits(together=together))
    engine.start()
    began, worked = time.perf_counter(), time.process_time()
    for start in range(0, len(messages), together):
        some = messages[start : start + together]
        given = [b"[" + b",".join(some) + b"]"] if array else some
        waiting = [engine.submit(Incoming("http", "event", raw, clock.at)) for raw in given]
        assert all(item.outcome == "accepted" for future in waiting for item in future.result().items)
    seconds, worked = time.perf_counter() - began, time.process_time() - worked
    engine.close()
    store.close()
    return len(messages) / seconds, len(messages) / worked


def main() -> None:
    """Print the figures."""
    parent = sys.argv[1] if len(sys.argv) > 1 else None
    messages = labs(EVENTS, PATIENTS)
    print(f"{'':<64}{'measured':>16}")
    for together, count, array in (
        (TOGETHER, EVENTS, False),
        (TOGETHER, EVENTS, True),
        (16, 4_000, False),
        (1, 500, False),
    ):
        with tempfile.TemporaryDirectory(prefix="trabecula-bench-", dir=parent) as folder:
            before = syncs_a_second(Path(folder))
            rate, alone = events_a_second(Path(folder), messages[:count], together, array=array)
        how = f"one array of {together}" if array else f"{together} together"
        print(f"{f'native events, {how}: stored, folded, decided':<64}{rate:>12,.0f} /s", flush=True)
        print(f"{'  by the processor alone':<64}{alone:>12,.0f} /s")
        print(f"{'  the disk, one page and one fdatasync after the other':<64}{before:>12,.0f} /s", flush=True)


if __name__ == "__main__":
    main()
