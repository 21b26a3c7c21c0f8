"""The store: one owner, versions of its tables up and down, damage that is seen, backups, an audit that tells."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import apsw
import pytest

from streams.node.backup import BackupError, backup, restore
from streams.node.engine import Limits
from streams.node.engine_desk import Desk
from streams.node.schema import STEPS, VERSION, SchemaError, migrate, version_of
from streams.node.store import Store, StoreCorruptError, damage, opened, roll_back
from streams.node.store_audit import verify
from streams.node.store_folder import FILE, FolderInUseError
from streams.node.store_reading import Reading
from tests.events import back_pain, heparin, lab, pregnancy
from tests.node.engine_clinic import Node, node
from tests.support import on

COURSE = (pregnancy(30), heparin(42, starts=42), back_pain(230, 8))


def fill(folder: Path) -> None:
    """A node that has taken a short course."""
    with node(folder, on(300)) as made:
        for event in COURSE:
            made.take(event)


def tables(db: apsw.Connection) -> set[str]:
    return {name for (name,) in db.execute("SELECT name FROM sqlite_schema WHERE name NOT LIKE 'sqlite_%'")}


# ---- one owner


def test_a_second_start_on_the_same_folder_is_refused_and_says_who_is_there(tmp_path: Path) -> None:
    store = Store(tmp_path)
    with pytest.raises(FolderInUseError, match=r"is in use by another node \(process \d+\)"):
        Store(tmp_path)
    store.close()
    Store(tmp_path).close()


def test_a_lock_dies_with_its_process(tmp_path: Path) -> None:
    code = "import os,sys,pathlib; from streams.node.store import Store; Store(pathlib.Path(sys.argv[1])); os._exit(9)"
    ended = subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=False)
    assert ended.returncode == 9
    Store(tmp_path).close()


# ---- whose it is


def modes(folder: Path) -> dict[str, int]:
    return {path.name: path.stat().st_mode & 0o777 for path in folder.glob(f"{FILE}*")}


@pytest.fixture
def open_umask() -> Iterator[None]:
    former = os.umask(0)
    yield
    os.umask(former)


@pytest.mark.usefixtures("open_umask")
def test_a_store_and_its_log_are_their_owners_alone_in_a_folder_that_everybody_may_enter(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    store = Store(tmp_path)
    assert modes(tmp_path) == dict.fromkeys((FILE, f"{FILE}-wal", f"{FILE}-shm"), 0o600)
    store.close()


@pytest.mark.usefixtures("open_umask")
def test_a_store_that_others_could_read_is_taken_from_them_at_the_start(tmp_path: Path) -> None:
    Store(tmp_path).close()
    (tmp_path / FILE).chmod(0o644)
    store = Store(tmp_path)
    assert set(modes(tmp_path).values()) == {0o600}
    store.close()


# ---- the log


def test_the_log_is_moved_into_the_file_once_it_is_full_and_not_again_before_it_is_full_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The log's file stays as large as it ever was; by its size every commit was followed by a checkpoint."""
    full, commits = 20, 200
    monkeypatch.setattr("streams.node.store._CHECKPOINT_AT", full)
    store = Store(tmp_path)
    store.tidy(wholly=True)
    moved = 0
    for number in range(commits):
        before = store.path.stat().st_mtime_ns
        with store.transaction():
            store.rows.set_setting("number", str(number).encode())
        store.tidy()
        moved += store.path.stat().st_mtime_ns != before
    log = store.path.with_name(f"{FILE}-wal").stat().st_size
    store.close()
    assert 1 <= moved <= commits * 2 / full
    assert log < 2 * full * 4_200


# ---- versions of the tables


@pytest.mark.parametrize("version", range(1, VERSION + 1))
def test_the_tables_of_every_version_can_be_made_and_taken_back(tmp_path: Path, version: int) -> None:
    db = opened(tmp_path / FILE)
    assert migrate(db, version) == 0
    before = tables(db)
    migrate(db, VERSION)
    assert tables(db) >= before
    migrate(db, version)
    assert (tables(db), version_of(db)) == (before, version)
    migrate(db, 0)
    assert tables(db) == set()
    db.close()


def test_going_back_and_forth_keeps_the_log_and_the_charts(tmp_path: Path) -> None:
    fill(tmp_path)
    assert roll_back(tmp_path, 1) == VERSION
    with node(tmp_path, on(301)) as made:
        assert made.store.upgraded_from == 1
        assert len(list(made.store.rows.log())) == len(COURSE)
        assert len(made.charts()["P"].facts) == len(COURSE)
        assert version_of(made.store.rows.db) == VERSION


def test_a_step_that_fails_leaves_the_tables_as_they_were(tmp_path: Path) -> None:
    db = opened(tmp_path / FILE)
    migrate(db, 1)
    db.execute("CREATE TABLE notice (in_the_way)")
    before = tables(db)
    with pytest.raises(apsw.SQLError):
        migrate(db)
    assert (tables(db), version_of(db)) == (before, 1)
    db.close()


def test_a_store_of_a_newer_service_is_refused(tmp_path: Path) -> None:
    Store(tmp_path).close()
    db = opened(tmp_path / FILE)
    db.pragma("user_version", VERSION + 1)
    db.close()
    with pytest.raises(SchemaError, match=rf"version {VERSION + 1}; this service knows {VERSION}"):
        Store(tmp_path)
    assert [step.number for step in STEPS] == list(range(1, VERSION + 1))


# ---- damage


def test_a_damaged_file_is_seen_at_the_start(tmp_path: Path) -> None:
    fill(tmp_path)
    file = tmp_path / FILE
    content = bytearray(file.read_bytes())
    content[4096 * 3 : 4096 * 6] = b"\xff" * (4096 * 3)
    file.write_bytes(content)
    with pytest.raises(StoreCorruptError, match="restore a backup"):
        Store(tmp_path)


def test_a_large_file_is_looked_at_while_the_node_works_and_damage_stops_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(tmp_path)
    assert damage(tmp_path) is None
    db = opened(tmp_path / FILE)
    page = db.execute("SELECT rootpage FROM sqlite_schema WHERE name = 'raw'").get
    db.close()
    content = bytearray((tmp_path / FILE).read_bytes())
    content[page * 4096 - 1_000 : page * 4096 - 900] = b"\xff" * 100
    content[(page - 1) * 4096 + 8 : (page - 1) * 4096 + 16] = b"\xff" * 8
    (tmp_path / FILE).write_bytes(content)
    assert damage(tmp_path) is not None
    for module in ("store", "store_check"):
        monkeypatch.setattr(f"streams.node.{module}.AT_ONCE", 0)
    made = Node(tmp_path, on(300))
    for _ in range(100):
        if made.engine.state == "failed":
            break
        time.sleep(0.05)
    assert "is damaged" in (made.engine.why or "")
    made.close()


def test_a_file_that_is_no_store_is_refused(tmp_path: Path) -> None:
    (tmp_path / FILE).write_bytes(b"not a database at all, but long enough to be one" * 100)
    with pytest.raises(StoreCorruptError):
        Store(tmp_path)


def test_a_torn_end_of_the_log_costs_only_what_was_never_acknowledged(tmp_path: Path) -> None:
    """Half of the last frames is missing, as after a power cut: the transactions before it are there."""
    code = (
        "import os, sys, pathlib\n"
        "from tests.node.engine_clinic import Node\n"
        "from tests.node.test_store import COURSE\n"
        "from tests.support import on\n"
        "made = Node(pathlib.Path(sys.argv[1]), on(300))\n"
        "for event in COURSE: made.take(event)\n"
        "os._exit(9)"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=False, cwd=Path(__file__).parents[2])
    wal = tmp_path / f"{FILE}-wal"
    wal.write_bytes(wal.read_bytes()[:-2_000])
    with node(tmp_path, on(301)) as made:
        kept = [body for _, body in made.store.rows.log()]
        assert len(kept) == len(COURSE) - 1
        assert len(made.charts()["P"].facts) == len(COURSE) - 1
        assert made.take(COURSE[-1]).items[0].outcome == "accepted"


# ---- backups


def test_a_backup_is_made_while_the_node_works_and_brings_back_what_was_there(tmp_path: Path) -> None:
    target = tmp_path / "backup.sqlite"
    with node(tmp_path / "one", on(300)) as made:
        for event in COURSE[:2]:
            made.take(event)
        assert backup(tmp_path / "one", target) > 0
        made.take(COURSE[2])
    restore(target, tmp_path / "two")
    with node(tmp_path / "two", on(300)) as again:
        assert len(again.charts()["P"].facts) == 2
        again.take(COURSE[2])
        with node(tmp_path / "one", on(300)) as first:
            assert again.standing() == first.standing()
            assert [n.notice_id for n in again.outbox()] == [n.notice_id for n in first.outbox()]


def test_a_backup_overwrites_nothing_and_is_restored_over_nothing(tmp_path: Path) -> None:
    fill(tmp_path / "one")
    target = tmp_path / "backup.sqlite"
    backup(tmp_path / "one", target)
    with pytest.raises(BackupError, match="exists"):
        backup(tmp_path / "one", target)
    with pytest.raises(BackupError, match="holds a store already"):
        restore(target, tmp_path / "one")
    with pytest.raises(BackupError, match="there is no store"):
        backup(tmp_path / "none", tmp_path / "other")


def test_a_damaged_backup_is_not_restored(tmp_path: Path) -> None:
    fill(tmp_path / "one")
    target = tmp_path / "backup.sqlite"
    backup(tmp_path / "one", target)
    content = bytearray(target.read_bytes())
    content[4096 * 3 : 4096 * 6] = b"\xff" * (4096 * 3)
    target.write_bytes(content)
    with pytest.raises(BackupError, match=r"damaged|no backup"):
        restore(target, tmp_path / "two")
    assert not (tmp_path / "two" / FILE).exists()


# ---- the audit


def _audit(line: dict[str, Any], desk: Desk) -> None:
    desk.audit(line)


def _audited(folder: Path, lines: int) -> None:
    with node(folder, on(0)) as made:
        for number in range(lines):
            line: dict[str, Any] = {"who": "dr-example", "action": "read", "patients": (f"MRN-{number}",)}
            made.engine.call(partial(_audit, line)).result(10)


def test_the_audit_is_a_chain_that_verifies(tmp_path: Path) -> None:
    _audited(tmp_path, 5)
    found = verify(tmp_path)
    assert (found.lines, found.broken_at) == (5, None)
    reading = Reading(tmp_path)
    assert [line.said["patients"] for line in reading.audit()] == [[f"MRN-{n}"] for n in range(5)]
    assert reading.audit()[-1].hash == found.last_hash
    reading.close()


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE audit SET line = replace(line, 'MRN-2', 'MRN-9') WHERE ordinal = 3",
        "DELETE FROM audit WHERE ordinal = 3",
        "UPDATE audit SET ordinal = ordinal + 10 WHERE ordinal >= 3",
    ],
)
def test_a_changed_audit_says_where_it_was_changed(tmp_path: Path, change: str) -> None:
    _audited(tmp_path, 5)
    db = opened(tmp_path / FILE)
    db.execute(change)
    db.close()
    found = verify(tmp_path)
    assert found.lines == 2
    assert found.broken_at is not None
    assert found.broken_at >= 3


# ---- how long raw messages are kept


def test_raw_messages_are_retired_after_their_time_but_for_those_that_an_alert_rests_on(tmp_path: Path) -> None:
    limits = Limits(keep_raw=timedelta(days=30))
    unread = lab(230, "2842-3", 12, "ng/mL", record="prolactin")
    with node(tmp_path, on(231), limits=limits) as made:
        for event in (*COURSE, unread):
            made.take(event)
        refused = b'{"kind": "nonsense", "event_id": "x"}'
        assert made.take(refused).refused_whole
        assert len(made.reading.messages_of("feed", unread.event_id)) == 1
        made.clock.at = on(262)
        made.engine.call(lambda _desk: None).result(10)
        wait_for_retention(made)
        assert made.reading.messages_of("feed", unread.event_id) == []
        assert len(made.reading.messages_of("feed", COURSE[2].event_id)) == 1
        assert made.reading.dead_letter(1) is not None
        assert made.reading.dead_letter(1)[1] == refused  # type: ignore[index]
        assert made.take(unread).duplicate


def wait_for_retention(made: Any) -> None:
    """Until the engine has looked for messages to retire."""
    for _ in range(200):
        if not made.engine._retention.is_due(made.clock.at):  # noqa: SLF001
            return
        made.engine.call(lambda _desk: None).result(10)
    raise AssertionError("never retired")
