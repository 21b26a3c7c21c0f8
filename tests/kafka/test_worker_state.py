"""A state in memory and one on a disk are the same to a shard; what was on the disk is there again."""

import importlib.util
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.kafka.state import Held, MemoryState, StoreError
from streams.kafka.state_rocks import RocksState, RocksStore

HAS_ROCKS = importlib.util.find_spec("rocksdict") is not None
needs_rocks = pytest.mark.skipif(
    not HAS_ROCKS and not os.environ.get("CI"), reason="the extra rocksdb is not installed"
)


@pytest.fixture(params=["memory", pytest.param("rocksdb", marks=needs_rocks)])
def state(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Held]:
    made: Held = MemoryState() if request.param == "memory" else RocksState(tmp_path / "state")
    yield made
    made.close()


def test_the_last_value_of_a_key_counts_and_none_takes_it_out(state: Held) -> None:
    state.apply([(b"a", b"1"), (b"b", b"2"), (b"a", b"3"), (b"c", b""), (b"b", None), (b"no", None)], 6)
    assert (state.get(b"a"), state.get(b"b"), state.get(b"c"), state.position) == (b"3", None, b"", 6)


def test_what_begins_so_is_found_in_the_order_of_the_keys(state: Held) -> None:
    state.apply([(key, key) for key in (b"b/2", b"a/1", b"b/\xff", b"b/", b"c/1", b"b")], 6)
    assert [key for key, _ in state.scan(b"b/")] == [b"b/", b"b/2", b"b/\xff"]
    assert [value for _, value in state.scan(b"\xff")] == []


def test_what_is_forgotten_is_gone_with_its_position(state: Held) -> None:
    state.apply([(b"a", b"1")], 1)
    state.clear()
    assert (state.get(b"a"), state.position, list(state.scan(b""))) == (None, 0, [])


def test_a_position_alone_goes_forward(state: Held) -> None:
    state.apply([], 9)
    assert state.position == 9


@needs_rocks
def test_a_state_on_a_disk_is_there_again_with_its_position(tmp_path: Path) -> None:
    first = RocksState(tmp_path / "state")
    first.apply([(b"a", b"1"), (b"b", b"2")], 17)
    first.close()
    again = RocksState(tmp_path / "state")
    assert (again.get(b"a"), again.get(b"b"), again.position) == (b"1", b"2", 17)
    again.close()


@needs_rocks
def test_a_state_that_was_away_for_long_is_made_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever was forgotten meanwhile is no longer named in the changelog."""
    first = RocksState(tmp_path / "state")
    first.apply([(b"a", b"1")], 17)
    first.close()
    monkeypatch.setattr("streams.kafka.state_rocks._AWAY", -1)
    again = RocksState(tmp_path / "state")
    assert (again.get(b"a"), again.position) == (None, 0)
    again.close()


@needs_rocks
def test_a_folder_that_another_worker_has_is_refused_in_plain_words(tmp_path: Path) -> None:
    store = RocksStore(tmp_path)
    first = store.open(3)
    with pytest.raises(StoreError, match="another worker"):
        store.open(3)
    first.close()


def test_without_the_extra_it_is_said_how_to_have_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "rocksdict", None)
    with pytest.raises(StoreError, match=r"pip install 'trabecula\[rocksdb\]'"):
        RocksStore(tmp_path)


def test_a_worker_without_the_extra_does_not_load_it() -> None:
    code = "import sys, streams.kafka.worker_command; print('rocksdict' in sys.modules)"
    said = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
    assert said == "False\n"


CHANGES = st.lists(st.tuples(st.binary(max_size=2), st.none() | st.binary(max_size=2)), max_size=20)


@needs_rocks
@given(st.lists(CHANGES, max_size=4))
@settings(deadline=None, max_examples=30)
def test_both_hold_the_same(tmp_path_factory: Any, steps: list[list[tuple[bytes, bytes | None]]]) -> None:
    memory, rocks = MemoryState(), RocksState(tmp_path_factory.mktemp("state"))
    for position, changes in enumerate(steps, 1):
        memory.apply(changes, position)
        rocks.apply(changes, position)
    assert list(memory.scan(b"")) == list(rocks.scan(b""))
    assert memory.position == rocks.position
    rocks.close()
