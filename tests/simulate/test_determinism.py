"""The same options give the same messages, in order, in bounded memory and fast enough."""

import io
import time
import tracemalloc
from itertools import pairwise

import pytest

from streams.simulate.options import FORMATS, Imperfections, Options
from streams.simulate.population import Population
from streams.simulate.run import run, texts
from tests.simulate.hospital import simulated

EVERYTHING_WRONG = Imperfections(0.1, 0.1, 0.1, 0.1, 0.2, 0.2)
SMALL = Options(patients=15, days=40, enrich=1_000, imperfections=EVERYTHING_WRONG)
ONE_DAY = Options(patients=0, days=1, mix="hospital", messages=4_000)


def written(options: Options, form: str, rate: float = 0) -> bytes:
    out = io.BytesIO()
    run(options, form, out, rate=rate)
    return out.getvalue()


@pytest.mark.parametrize("form", FORMATS)
def test_the_same_seed_gives_the_same_bytes(form: str) -> None:
    assert written(SMALL, form) == written(SMALL, form) != b""


def test_another_seed_gives_other_people() -> None:
    other = Options(seed=2, patients=15, days=40)
    assert written(other, "events") != written(Options(patients=15, days=40), "events")


def test_the_pace_changes_nothing_but_the_time() -> None:
    few = Options(patients=2, days=30)
    assert written(few, "events", rate=100_000) == written(few, "events")


def test_a_pace_is_kept() -> None:
    few = Options(patients=2, days=60)
    count = len(list(texts(few, "events")))
    began = time.monotonic()
    written(few, "events", rate=count * 5)
    assert time.monotonic() - began >= (count - 1) / (count * 5)


def test_more_patients_or_days_leave_a_course_as_it_is() -> None:
    """A course is drawn from its own seed: whoever is simulated beside it changes none of its words."""
    options = Options(patients=1, days=100)
    beside = Options(patients=1, days=100, mix="hospital", messages=50)
    alone = [line for line in written(options, "events").splitlines() if b"S0000001" in line]
    among = [line for line in written(beside, "events").splitlines() if b"S0000001" in line]
    assert alone == among


def test_messages_arrive_in_order_of_time() -> None:
    arrivals = [one.arrives for one in simulated(SMALL).sent]
    assert all(before <= after for before, after in pairwise(arrivals))


def test_nothing_arrives_after_the_last_day() -> None:
    assert simulated(SMALL).sent[-1].arrives < Population(SMALL).days.at(SMALL.end)


def peak(options: Options) -> int:
    tracemalloc.start()
    for _ in Population(options).messages():
        pass
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return most


def test_memory_does_not_grow_with_the_days_of_a_hospital() -> None:
    few = peak(Options(patients=0, days=1, mix="hospital", messages=2_000))
    many = peak(Options(patients=0, days=5, mix="hospital", messages=2_000))
    assert many < few * 1.5 + 200_000


def test_memory_is_that_of_the_courses_under_way() -> None:
    """Four times the years and the patients hold no more: who is done is forgotten."""
    some = peak(Options(patients=120, days=1_500, run_in=0))
    more = peak(Options(patients=480, days=6_000, run_in=0))
    assert more < some * 1.6


@pytest.mark.parametrize("options", [Options(patients=150), ONE_DAY])
def test_events_are_made_faster_than_any_feed(options: Options) -> None:
    """At least 20,000 a second of processor time, written out."""
    began = time.process_time()
    lines = written(options, "events").count(b"\n")
    assert lines / (time.process_time() - began) >= 20_000
