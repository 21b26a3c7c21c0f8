"""A disk that is full, fails or is slow: nothing is acknowledged that is not kept, and the node says why it stopped."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import apsw
import pytest

from streams.node.engine_replay import logged
from streams.node.port import NotDurableError
from streams.node.store import Store, StoreFailedError
from tests.events import back_pain
from tests.node.engine_clinic import SOON, Node, incoming, node
from tests.support import on

NAME: Final = "a disk that can fail"


class Disk(apsw.VFS):
    """The file system, with faults: a kind of write that fails from its n-th time on, or takes its time."""

    def __init__(self) -> None:
        super().__init__(NAME, "")
        self.fails: type[Exception] | None = None
        self.at = ""
        self.after = 0
        self.slow = 0.0

    def xOpen(self, name: Any, flags: list[int]) -> "File":  # noqa: N802 - SQLite's names
        return File(self, name, flags)

    def does(self, what: str) -> None:
        """Fail or dawdle, if it is time to."""
        if what == "xSync" and self.slow:
            time.sleep(self.slow)
        if self.fails is None or what != self.at:
            return
        self.after -= 1
        if self.after < 0:
            raise self.fails


class File(apsw.VFSFile):
    """A file of that disk."""

    def __init__(self, disk: Disk, name: Any, flags: list[int]) -> None:
        self._disk = disk
        super().__init__("", name, flags)

    def xWrite(self, data: Any, offset: int) -> None:  # noqa: N802
        self._disk.does("xWrite")
        super().xWrite(data, offset)

    def xSync(self, flags: int) -> None:  # noqa: N802
        self._disk.does("xSync")
        super().xSync(flags)


@pytest.fixture
def disk() -> Iterator[Disk]:
    made = Disk()
    yield made
    made.unregister()


FAULTS: Final = [
    ("the disk is full", apsw.FullError, "xWrite", 0),
    ("the disk is full", apsw.FullError, "xWrite", 7),
    ("the disk failed", apsw.IOError, "xWrite", 3),
    ("the disk failed", apsw.IOError, "xSync", 0),
    ("the disk failed", apsw.IOError, "xSync", 5),
]


@pytest.mark.parametrize(("why", "fails", "at", "after"), FAULTS)
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_failing_disk_stops_the_node_and_nothing_is_acknowledged_that_is_not_kept(
    tmp_path: Path, disk: Disk, why: str, fails: type[Exception], at: str, after: int
) -> None:
    made = Node(tmp_path, on(231), vfs=NAME)
    made.take(back_pain(230, 3, record="before"))
    disk.fails, disk.at, disk.after = fails, at, after
    given = [back_pain(230, 3, record=f"r{n}", patient=f"P{n}") for n in range(40)]
    acknowledged, refused = ["before@230"], []
    for event in given:
        try:
            outcome = made.engine.submit(incoming(event, on(231))).result(SOON)
            acknowledged.append(outcome.items[0].event_id)
        except NotDurableError as error:
            refused.append(str(error))
    assert refused
    assert all(why in said for said in refused)
    assert made.engine.state == "failed"
    assert why in (made.engine.why or "")
    disk.fails = None
    made.engine.close(SOON)
    made.store.close()
    with node(tmp_path, on(231)) as again:
        kept = {event.event_id for _, event in logged(again.store)}
        assert set(acknowledged) <= kept
        for event in given:
            again.take(event)
        assert len(list(logged(again.store))) == len(given) + 1
        assert len(again.charts()) == len(given) + 1


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_all_who_wait_hear_of_a_failure(tmp_path: Path, disk: Disk) -> None:
    made = Node(tmp_path, on(231), vfs=NAME)
    disk.slow = 0.05
    waiting = [made.engine.submit(incoming(back_pain(230, 3, record=f"r{n}"), on(231))) for n in range(600)]
    disk.fails, disk.at = apsw.FullError, "xSync"
    found = [future.exception(SOON) for future in waiting]
    assert any(isinstance(error, NotDurableError) for error in found)
    assert all(error is None or isinstance(error, NotDurableError) for error in found)
    disk.fails = None
    made.engine.close(SOON)
    made.store.close()
    with node(tmp_path, on(231)) as again:
        assert len(list(logged(again.store))) >= found.count(None)


def test_a_slow_disk_gathers_more_messages_into_one_commit(tmp_path: Path, disk: Disk) -> None:
    made = Node(tmp_path, on(231), vfs=NAME)
    disk.slow = 0.03
    began = time.monotonic()
    waiting = [made.engine.submit(incoming(back_pain(230, 3, record=f"r{n}"), on(231))) for n in range(500)]
    assert all(future.result(SOON).items for future in waiting)
    assert time.monotonic() - began < 500 * 0.03 / 4
    made.close()


def test_a_store_whose_disk_fails_at_the_start_is_refused(tmp_path: Path, disk: Disk) -> None:
    disk.fails, disk.at = apsw.FullError, "xWrite"
    with pytest.raises(StoreFailedError, match="the disk is full"):
        Store(tmp_path, vfs=NAME)
    disk.fails = None
    Store(tmp_path).close()
