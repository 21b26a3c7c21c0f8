"""Native events as bodies of HTTP: the whole traffic of a hospital, results alone, courses under heparin."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from itertools import islice
from random import Random
from typing import Final

from schemas.wire import decode, encode
from streams.simulate.options import Options
from streams.simulate.run import texts
from workload.charts import LOINC

_EVENTS_A_MESSAGE: Final = 1.8
"""Of the hospital mix; a few too many are made and not sent."""
_EVENTS_A_COURSE: Final = 20
_BEGINS: Final = datetime(2025, 3, 1, 8, tzinfo=UTC)
_RESULTS: Final = (("2000-8", "mmol/L", 2.1, 2.5), ("68438-1", "nmol/L", 25, 110), ("2823-3", "mmol/L", 3.6, 4.4))
_MARKER: Final = ("41171-0", "ng/mL", 0.25, 0.6)
_PATIENTS_OF_RESULTS: Final = 2_000
_FIRST: Final = date(2025, 1, 6)
"""A Monday that is past: what is recorded in the future is refused."""
_COURSES: Final = Options(start=_FIRST, days=330, run_in=0, enrich=3_000)


def hospital(events: int) -> Iterator[bytes]:
    """A weekday of a general hospital in the measured mix: mostly patient updates and stays."""
    messages = int(events / _EVENTS_A_MESSAGE * 1.1) + 100
    yield from _lines(Options(start=_FIRST, days=1, patients=0, mix="hospital", messages=messages))


def courses(events: int) -> Iterator[bytes]:
    """Courses made ill: heparin dose by dose, back pain, and CTX at every tenth event. Rules read nearly all of it."""
    rng = Random(7)
    for number, line in enumerate(_lines(replace(_COURSES, patients=events // _EVENTS_A_COURSE + 20))):
        yield line
        if number % 10 == 0:
            about = decode(line)
            at = datetime.fromisoformat(about["recorded_at"])
            yield _result(rng, number, about["patient_id"], _MARKER, at)


def results(events: int) -> Iterator[bytes]:
    """Laboratory results of 2,000 patients, each result read by a rule."""
    rng = Random(7)
    for number in range(events):
        at = _BEGINS + timedelta(milliseconds=20 * number)
        yield _result(rng, number, f"MRN-{rng.randrange(_PATIENTS_OF_RESULTS):06d}", rng.choice(_RESULTS), at)


def _result(rng: Random, number: int, patient: str, test: tuple[str, str, float, float], at: datetime) -> bytes:
    code, unit, low, high = test
    said = {
        "event_id": f"E{number:08d}",
        "kind": "lab_result",
        "patient_id": patient,
        "source": "LAB",
        "record_id": f"R{number:08d}",
        "recorded_at": at,
        "collected_at": at - timedelta(hours=1),
        "status": "final",
        "code": {"system": LOINC, "code": code},
        "value": round(rng.uniform(low, high), 2),
        "unit": unit,
    }
    return encode(said)


def _lines(options: Options) -> Iterator[bytes]:
    for text in texts(options, "events"):
        yield from text.splitlines()


MIXES: Final[Mapping[str, Callable[[int], Iterator[bytes]]]] = {
    "hospital": hospital,
    "results": results,
    "courses": courses,
}


def bodies(mix: str, events: int, a_body: int) -> list[bytes]:
    """So many events of a mix as NDJSON bodies.

    Errors: ValueError where the mix has not so many.
    """
    lines = list(islice(MIXES[mix](events), events))
    if len(lines) < events:
        raise ValueError(f"the mix {mix} has {len(lines):,} events, not {events:,}")
    return [b"\n".join(lines[at : at + a_body]) + b"\n" for at in range(0, events, a_body)]
