"""Whether a node could work in a folder: whose it is, how fast and how full its disk is, and what lies in it."""

import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Final

import apsw

from streams.node.schema import VERSION, version_of
from streams.node.store_folder import FILE, LOCK, is_open_to_others
from streams.node.store_rows import Rows

_MEBIBYTE: Final = 1024 * 1024
LEAST_FREE: Final = 512 * _MEBIBYTE
"""Bytes below which a disk is full before anybody looks."""
SLOWEST: Final = 10.0
"""Syncs a second below which a feed that waits for each answer does not keep up."""
_FOR: Final = 0.3
"""Seconds for which the disk is measured."""
_PAGE: Final = 4096


class NotWellError(RuntimeError):
    """What is wrong, and what to do."""


def folder_checks(folder: Path, decides: str | None) -> Iterator[tuple[str, Callable[[], str]]]:
    """What is looked at, by name. `decides`: what decides charts now, if that is known."""
    yield "folder", lambda: _folder(folder)
    yield "disk", lambda: _disk(folder)
    yield "store", lambda: _store(folder, decides)


def _folder(folder: Path) -> str:
    if not folder.exists():
        above = _above(folder)
        if not os.access(above, os.W_OK | os.X_OK):
            raise NotWellError(f"{folder} is not there and {above} cannot be written; make the folder for this user")
        return f"{folder} is made at the first start"
    if not folder.is_dir() or not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
        raise NotWellError(f"{folder} is no folder that this user can write; give it to the user or name another")
    _not_locked(folder)
    said = f"{folder} can be written, and no node works in it"
    return f"{said}; others can look into it: chmod 700 {folder}" if is_open_to_others(folder) else said


def _not_locked(folder: Path) -> None:
    if not (folder / LOCK).exists():
        return
    opened = os.open(folder / LOCK, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(opened, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        holder = os.pread(opened, 32, 0).decode("ascii", "replace").strip()
        raise NotWellError(
            f"{folder} is in use by another node (process {holder}); stop that one or name another folder"
        ) from None
    finally:
        os.close(opened)


def _above(folder: Path) -> Path:
    return next(path for path in folder.absolute().parents if path.exists())


def _disk(folder: Path) -> str:
    place = folder if folder.is_dir() else _above(folder)
    free, rate = shutil.disk_usage(place).free, syncs_a_second(place)
    said = f"{free / _MEBIBYTE / 1024:,.1f} GiB free, {rate:,.0f} syncs a second"
    if free < LEAST_FREE:
        raise NotWellError(f"{said}; make room, at least {LEAST_FREE // _MEBIBYTE} MiB: a full disk stops the node")
    if rate < SLOWEST:
        raise NotWellError(f"{said}: each answer waits for one; put the folder on a local disk")
    return said


def syncs_a_second(folder: Path) -> float:
    """How often a second a page that was appended can be made durable: the most that one connection gets answered."""
    with tempfile.TemporaryFile(dir=folder) as file:
        began, done = time.perf_counter(), 0
        while time.perf_counter() - began < _FOR:
            os.pwrite(file.fileno(), b"\0" * _PAGE, done * _PAGE)
            os.fdatasync(file.fileno())
            done += 1
        return done / (time.perf_counter() - began)


def _store(folder: Path, decides: str | None) -> str:
    path = folder / FILE
    if not path.exists():
        return "none yet; made at the first start"
    if is_open_to_others(path):
        raise NotWellError(f"{path} can be read by every user of this machine; chmod 600 {path}*")
    try:
        with closing(looked_into(path)) as db:
            found, version = str(db.pragma("integrity_check", 1)), version_of(db)
            left = Rows(db).how_many_otherwise(decides) if decides and 0 < version <= VERSION else 0
    except apsw.Error as error:
        raise NotWellError(f"{path}: {error}; restore a backup into an empty folder") from None
    if found != "ok":
        raise NotWellError(f"{path} is damaged ({found}); restore a backup into an empty folder")
    if version > VERSION:
        raise NotWellError(
            f"version {version}, this service knows {VERSION}; start the newer one, or roll back with it"
        )
    words = [f"sound, {path.stat().st_size / _MEBIBYTE:,.1f} MiB, version {version} of {VERSION}"]
    if version < VERSION:
        words.append("brought to that at the start; make a backup before")
    if left:
        words.append(f"{left:,} charts are examined anew by this rule pack")
    return "; ".join(words)


def looked_into(path: Path) -> apsw.Connection:
    """A connection that changes nothing, nor puts a file beside the store where there is no log to read.

    Errors: apsw.Error.
    """
    flags = apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI
    log = path.with_name(f"{path.name}-wal")
    still = "" if log.exists() else "?immutable=1"
    db = apsw.Connection(f"{path.absolute().as_uri()}{still}", flags=flags)
    db.set_busy_timeout(2_000)
    return db
