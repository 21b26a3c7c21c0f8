"""A copy of a node's store while it works, and the way back.

Errors: BackupError says what is in the way.
"""

import os
from pathlib import Path

import apsw

from streams.node.schema import VERSION, version_of
from streams.node.store_folder import FILE, FolderLock


class BackupError(RuntimeError):
    """A backup that cannot be made or used."""


def backup(folder: Path, target: Path) -> int:
    """Copy the store of a folder, whether a node works in it or not, into a new file; returns its bytes.

    Topic: one moment of the store; what is committed later is not in it. The file appears when it is whole and checked.
    """
    if not (folder / FILE).exists():
        raise BackupError(f"there is no store in {folder}")
    if target.exists():
        raise BackupError(f"{target} exists; name another file")
    part = target.with_name(f"{target.name}.part")
    part.unlink(missing_ok=True)
    try:
        _copied(folder / FILE, part)
        _looked_at(part)
        _synced(part)
        part.rename(target)
        _synced(target.parent)
    except (apsw.Error, OSError) as error:
        raise BackupError(f"the backup to {target} failed: {error}") from error
    finally:
        part.unlink(missing_ok=True)
    return target.stat().st_size


def restore(source: Path, folder: Path) -> None:
    """Put a backup into a folder that holds no store.

    Errors: BackupError; FolderInUseError while a node works in the folder.
    """
    _looked_at(source)
    lock = FolderLock(folder)
    try:
        if (folder / FILE).exists():
            raise BackupError(f"{folder} holds a store already; name an empty folder")
        part = folder / f"{FILE}.part"
        part.unlink(missing_ok=True)
        _copied(source, part)
        _synced(part)
        part.rename(folder / FILE)
        _synced(folder)
    except (apsw.Error, OSError) as error:
        raise BackupError(f"the backup {source} could not be restored: {error}") from error
    finally:
        lock.release()


def _copied(source: Path, target: Path) -> None:
    read = apsw.Connection(str(source), flags=apsw.SQLITE_OPEN_READONLY)
    written = apsw.Connection(str(target))
    try:
        read.set_busy_timeout(10_000)
        written.pragma("synchronous", "OFF")  # the file is synced as a whole once it is there
        with written.backup("main", read, "main") as copying:
            copying.step(-1)  # all of it in one reading: in parts it would begin anew with every commit
        written.pragma("journal_mode", "DELETE")  # so that the copy is one file
    finally:
        written.close()
        read.close()


def _looked_at(file: Path) -> None:
    if not file.is_file():
        raise BackupError(f"there is no file {file}")
    try:
        db = apsw.Connection(str(file), flags=apsw.SQLITE_OPEN_READONLY)
        try:
            found, at = db.pragma("quick_check", 1), version_of(db)
        finally:
            db.close()
    except apsw.Error as error:
        raise BackupError(f"{file} is no backup of a store: {error}") from None
    if found != "ok":
        raise BackupError(f"{file} is damaged: {found}")
    if not 0 < at <= VERSION:
        raise BackupError(f"{file} has version {at}; this service reads 1 to {VERSION}")


def _synced(path: Path) -> None:
    opened = os.open(path, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
