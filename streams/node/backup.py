"""A copy of a node's store while it works, and the way back.

Errors: BackupError says what is in the way.
"""

import os
import shutil
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

import apsw

from streams.node.schema import VERSION, instant, version_of
from streams.node.store import roll_back
from streams.node.store_audit import verify_chain
from streams.node.store_folder import FILE, FolderLock

Progress = Callable[[int, int], None]
"""Is told how many pages of how many are copied."""
_STEP: Final = 2_000
"""Pages between two words of progress."""
_GAP: Final = 1_000_000
"""How far the numbers of notices jump: what was told after the backup had numbers that somebody may have noted."""


class BackupError(RuntimeError):
    """A backup that cannot be made or used."""


@dataclass(frozen=True, slots=True)
class Contents:
    """What a store holds."""

    size: int
    """Bytes."""
    version: int
    charts: int
    events: int
    notices: int
    standing: int
    """Alerts that stand."""
    dead_letters: int
    """Those that were not taken after all."""
    last_event_at: datetime | None
    """When the last event was decided."""
    audit_lines: int
    audit_hash: str
    """Of the last line of the audit; empty where there is none."""


def backup(folder: Path, target: Path, progress: Progress = lambda _done, _of: None) -> int:
    """Copy the store of a folder, whether a node works in it or not, into a new file; returns its bytes.

    Topic: one moment of the store; what is committed later is not in it. The file appears when it is whole and checked,
    and is its owner's alone.
    """
    source = folder / FILE
    if not source.exists():
        raise BackupError(f"there is no store in {folder}")
    if target.exists():
        raise BackupError(f"{target} exists; name another file")
    if not target.parent.is_dir():
        raise BackupError(f"there is no folder {target.parent}")
    _has_room(target.parent, source)
    part = target.with_name(f"{target.name}.part")
    try:
        _made(part)
        _copied(source, part, progress)
        _looked_at(part)
        _synced(part)
        part.rename(target)
        _synced(target.parent)
    except (apsw.Error, OSError) as error:
        raise BackupError(f"the backup to {target} failed: {error}") from error
    finally:
        part.unlink(missing_ok=True)
    return target.stat().st_size


def restore(source: Path, folder: Path, progress: Progress = lambda _done, _of: None) -> Contents:
    """Put a backup into a folder that holds nothing yet; returns what is in it.

    Errors: BackupError; FolderInUseError while a node works in the folder.
    """
    _looked_at(source)
    if (folder / FILE).exists():
        FolderLock(folder).release()  # a folder that is in use is said to be that
        raise BackupError(f"{folder} holds a store already; name an empty folder")
    _has_room(next(path for path in (folder, *folder.absolute().parents) if path.exists()), source)
    lock = FolderLock(folder)
    part = folder / f"{FILE}.part"
    try:
        _made(part)
        _copied(source, part, progress)
        _renumbered(part)
        _synced(part)
        part.rename(folder / FILE)
        _synced(folder)
        return contents(folder / FILE)
    except (apsw.Error, OSError) as error:
        raise BackupError(f"the backup {source} could not be restored: {error}") from error
    finally:
        part.unlink(missing_ok=True)
        lock.release()


def roll_back_kept(folder: Path, to: int, kept: Path) -> int:
    """Bring the tables of a stopped node back to an earlier version, once all of it is in a backup.

    Errors: BackupError; FolderInUseError, SchemaError; ValueError for a version that there is not.
    """
    if not 0 < to <= VERSION:
        raise ValueError(f"version {to}; expected 1 to {VERSION}")
    FolderLock(folder).release()
    backup(folder, kept)
    return roll_back(folder, to)


# ---- looking


def contents(file: Path) -> Contents:
    """What a store, or a backup of one, holds.

    Errors: BackupError.
    """
    try:
        with closing(apsw.Connection(str(file), flags=apsw.SQLITE_OPEN_READONLY)) as db:
            db.set_busy_timeout(10_000)
            return _contents(db, file.stat().st_size)
    except apsw.Error as error:
        raise BackupError(f"{file} is no store: {error}") from None


def _contents(db: apsw.Connection, size: int) -> Contents:
    def count(table: str, where: str = "1") -> int:
        known = db.table_exists("main", table)
        return int(db.execute(f"SELECT count(*) FROM {table} WHERE {where}").get) if known else 0  # noqa: S608

    audit = verify_chain(db) if db.table_exists("main", "audit") else None
    last = db.execute("SELECT max(decided_at) FROM event").get
    return Contents(
        size=size,
        version=version_of(db),
        charts=count("chart"),
        events=count("event"),
        notices=count("notice"),
        standing=count("alert", "stands = 1"),
        dead_letters=count("dead_letter", "taken_at IS NULL"),
        last_event_at=None if last is None else instant(last),
        audit_lines=audit.lines if audit else 0,
        audit_hash=audit.last_hash if audit else "",
    )


def _looked_at(file: Path) -> None:
    if not file.is_file():
        raise BackupError(f"there is no file {file}")
    try:
        with closing(apsw.Connection(str(file), flags=apsw.SQLITE_OPEN_READONLY)) as db:
            found, at = db.pragma("integrity_check", 1), version_of(db)
    except apsw.Error as error:
        raise BackupError(f"{file} is no backup of a store: {error}") from None
    if found != "ok":
        raise BackupError(f"{file} is damaged: {found}")
    if not 0 < at <= VERSION:
        raise BackupError(f"{file} has version {at}; this service reads 1 to {VERSION}")


# ---- copying


def _has_room(place: Path, source: Path) -> None:
    free, needed = shutil.disk_usage(place).free, source.stat().st_size
    if free < needed:
        raise BackupError(f"{place} has {free:,} bytes free and needs {needed:,}; make room or name another place")


def _made(part: Path) -> None:
    """An empty file that nobody else may read."""
    part.unlink(missing_ok=True)
    os.close(os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))


def _copied(source: Path, target: Path, progress: Progress) -> None:
    read = apsw.Connection(str(source), flags=apsw.SQLITE_OPEN_READONLY)
    written = apsw.Connection(str(target))
    try:
        read.set_busy_timeout(10_000)
        # One reading for all steps: without it the copy would begin anew whenever the node commits.
        read.execute("BEGIN; SELECT count(*) FROM sqlite_schema").fetchall()
        written.pragma("synchronous", "OFF")  # the file is synced as a whole once it is there
        with written.backup("main", read, "main") as copying:
            while not copying.done:
                copying.step(_STEP)
                progress(copying.page_count - copying.remaining, copying.page_count)
        written.pragma("journal_mode", "DELETE")  # so that the copy is one file
    finally:
        written.close()
        read.close()


def _renumbered(file: Path) -> None:
    """Let the numbers of notices jump: whoever goes on from a number after the backup hears all that is told now."""
    with closing(apsw.Connection(str(file))) as db:
        if db.table_exists("main", "sqlite_sequence"):
            db.execute("UPDATE sqlite_sequence SET seq = seq + ? WHERE name = 'notice'", (_GAP,))


def _synced(path: Path) -> None:
    opened = os.open(path, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
