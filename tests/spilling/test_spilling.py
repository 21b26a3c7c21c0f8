"""The sort, the shelf of charts and the encoded chart: what goes to disk comes back the same."""

import random
import uuid
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from schemas.events import EVENT, AnyEvent
from schemas.wire import decode, encode
from streams.chart import codec
from streams.intake.ownership import claim
from streams.intake.site import MemoryDirectory
from streams.replay import Replay
from streams.shelf import Shelf, ShelvedDirectory
from streams.sorting import in_recorded_order
from streams.ward import MemoryCharts, Ward
from tests.events import back_pain, heparin, lab, pregnancy, recorded
from tests.oracle.histories import history
from tests.support import on
from tests.wards import monitor

MOST_BYTES = 6 * 1024


def _histories(count: int) -> list[AnyEvent]:
    """Histories of many patients, each under names of its own."""
    made = []
    for seed in range(count):
        for given in history(random.Random(seed)):
            named = {
                **given,
                "patient_id": f"{seed}|{given['patient_id']}",
                "record_id": f"{seed}|{given['record_id']}",
            }
            if "into" in named:
                named["into"] = f"{seed}|{named['into']}"
            made.append(EVENT.validate_python(decode(encode(named))))
    return made


@pytest.mark.parametrize("run", [1, 7, 100, 100_000])
def test_the_sort_is_the_same_however_little_fits_in_memory(run: int) -> None:
    events = _histories(3)
    random.Random(1).shuffle(events)
    assert list(in_recorded_order(iter(events), run)) == sorted(events, key=recorded)


def test_events_of_one_instant_keep_the_order_they_came_in() -> None:
    events = [back_pain(100, i % 10, record=f"r{i}") for i in range(50)]
    assert list(in_recorded_order(iter(events), 7)) == events


def test_a_sort_of_a_thousand_runs_keeps_few_files_open() -> None:
    events = [back_pain(i * 7919 % 1000, 3, record=f"r{i}") for i in range(1000)]
    before, most, found = _open_files(), 0, []
    for event in in_recorded_order(iter(events), 1):
        most = max(most, _open_files())
        found.append(event)
    assert found == sorted(events, key=recorded)
    assert most - before <= 64
    assert _open_files() == before


def _open_files() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


def test_a_shelf_that_holds_one_chart_decides_as_one_that_holds_all(tmp_path: Path) -> None:
    events = sorted(_histories(4), key=recorded)
    in_memory = Replay(Ward(monitor(), MemoryCharts()), on(1400))
    told = [n.notice_id for n in in_memory.run(events)]
    shelf = Shelf(monitor(), held=1)
    try:
        spilled = Replay(Ward(monitor(), shelf), on(1400))
        assert [n.notice_id for n in spilled.run(events)] == told
        assert spilled.standing() == in_memory.standing()
        assert [c.patient_id for c in shelf] == [c.patient_id for c in in_memory.ward.charts]
    finally:
        shelf.close()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("held", [1, 7, 100_000])
def test_a_directory_that_holds_few_records_knows_as_much_as_one_that_holds_all(held: int) -> None:
    """Records that come again under another patient are taken back, however long ago the former was."""
    events = _histories(3)
    events += [e.model_copy(update={"patient_id": "somebody else"}) for e in events[::3]]
    random.Random(2).shuffle(events)
    everything, shelved = MemoryDirectory(), ShelvedDirectory(held)
    with closing(shelved):
        for event in events:
            assert claim(event, shelved) == claim(event, everything)
            assert shelved.last_version(event.source, event.record_id) == everything.last_version(
                event.source, event.record_id
            )
        for i in range(40):
            reference, name = f"Patient/{i % 13}", f"P{i}"
            assert shelved.know_patient(reference, name) == everything.know_patient(reference, name)
        assert [shelved.patient(f"Patient/{i}") for i in range(15)] == [
            everything.patient(f"Patient/{i}") for i in range(15)
        ]
        assert max(len(shelved._records), len(shelved._patients)) <= held  # noqa: SLF001 - memory is what this is about


def _forty() -> Iterator[AnyEvent]:
    """A pregnancy with heparin, pain and laboratory results, forty facts, named by UUIDs."""
    rng = random.Random(4)

    def name() -> str:
        return str(uuid.UUID(int=rng.getrandbits(128)))

    yield pregnancy(30, record=name(), event_id=name())
    yield heparin(42, starts=42, record=name(), event_id=name(), placer_order="RX-4711", route="SC")
    for i in range(8):
        yield back_pain(200 + i, 4, record=name(), event_id=name(), injury="none", gait="normal")
    more: dict[str, Any] = {"laboratory": "LAB-1", "assay": "ECLIA", "fasting": True, "reference_range": {"high": 0.6}}
    for i in range(30):
        code, value, unit = (("41171-0", 0.25, "ng/mL"), ("62292-8", 24.5, "ng/mL"), ("3016-3", 1.8, "m[IU]/L"))[i % 3]
        yield lab(60 + i, code, value, unit, record=name(), event_id=name(), **more)


def test_a_chart_of_forty_facts_takes_at_most_six_kilobytes_and_comes_back_whole() -> None:
    ward = Ward(monitor(), MemoryCharts())
    for event in _forty():
        ward.receive(event, recorded(event))
    (chart,) = ward.charts
    page = codec.encode(chart.patient_id, chart.facts, chart.told.values(), None)
    assert len(chart.facts) == 40
    assert len(page) <= MOST_BYTES
    kept = codec.decode(page)
    assert set(kept.facts) == set(chart.facts)
    assert kept.told == chart.told


@pytest.mark.parametrize("given", [b"", b"\x00", b"\x93\x02\xa1P\x90", b"not a chart"])
def test_bytes_that_are_no_chart_are_refused(given: bytes) -> None:
    with pytest.raises(codec.ChartBytesError):
        codec.decode(given)
