"""What a node keeps: one SQLite file in one folder, written by one thread.

Law: what one message changes is durable as a whole or not at all, and nothing is durable before its commit returned.

StoreError
    StoreCorruptError   the file is no store, or is damaged
    StoreFailedError    the disk is full or failed: nothing may be acknowledged any more
FolderInUseError        (streams.node.store_folder)
SchemaError             (streams.node.schema)
"""

import hashlib
import hmac
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import apsw

from streams.node.bells import Bells
from streams.node.schema import VERSION, migrate
from streams.node.store_check import AT_ONCE, BackgroundCheck, found_at_once
from streams.node.store_folder import FILE, FolderLock, keep_to_owner
from streams.node.store_rows import Rows

_CHECKPOINT_AT: Final = 4_000
"""Pages in the write-ahead log from which on they are moved into the file."""
_CACHE_KIBIBYTES: Final = 65_536
_KEY: Final = "erasure_key"


class StoreError(RuntimeError):
    """The store cannot be used."""


class StoreCorruptError(StoreError):
    """The file is damaged or is no store; restore a backup."""


class StoreFailedError(StoreError):
    """The disk is full or failed while something was written."""


DISK: Final = (
    apsw.FullError,
    apsw.IOError,
    apsw.CorruptError,
    apsw.NotADBError,
    apsw.CantOpenError,
    apsw.ReadOnlyError,
    apsw.NoMemError,
    apsw.BusyError,
    apsw.ProtocolError,
)
"""What SQLite says when not the message but the disk (or whoever else holds the file) is at fault."""


class Store:
    """The store of one folder. `bells`: who is woken when notices are durable.

    `vfs`: the name of the SQLite file system to write through; the tests have one whose disk fails.
    Errors: FolderInUseError, SchemaError, StoreCorruptError, StoreFailedError.
    """

    def __init__(self, folder: Path, *, vfs: str | None = None) -> None:
        self.folder = folder
        self.path = folder / FILE
        self.bells = Bells()
        self._lock = FolderLock(folder)
        try:
            self._db = opened(self.path, vfs)
            self._log_pages = 0
            self._db.set_wal_hook(self._committed)
            self._check()
            self.upgraded_from = migrate(self._db)
            self.rows = Rows(self._db)
            self._key = self._erasure_key()
            large = vfs is None and self.path.stat().st_size > AT_ONCE
            self._checking = BackgroundCheck(self.path) if large else None
        except apsw.Error as error:
            self._lock.release()
            raise _said(error) from None
        except BaseException:
            self._lock.release()
            raise

    def _check(self) -> None:
        found = found_at_once(self._db, self.path)
        if found is not None:
            raise _damaged(self.path, found)

    def check_on(self) -> None:
        """Look at a large file as a whole, while it is worked with.

        Errors: StoreCorruptError as soon as damage was found.
        """
        if self._checking is None:
            return
        if self._checking.found is not None:
            raise _damaged(self.path, self._checking.found)
        if self._checking.wait(0):
            self._checking.stop()
            self._checking = None

    def _erasure_key(self) -> bytes:
        with self.transaction():
            key = self.rows.setting(_KEY)
            if key is None:
                key = os.urandom(32)
                self.rows.set_setting(_KEY, key)
        return key

    def mark(self, patient_id: str) -> str:
        """The mark under which an erasure is remembered: a keyed hash, from which nobody reads the identity."""
        return hmac.new(self._key, patient_id.encode("utf-8", "surrogatepass"), hashlib.sha256).hexdigest()

    # ---- transactions

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing; durable once it is left without an exception.

        Errors: StoreFailedError where the disk is at fault; whatever the body raises, after taking all of it back.
        """
        try:
            self._db.execute("BEGIN IMMEDIATE")
            self.rows.has_told = False
            yield
            self._db.execute("COMMIT")
            if self.rows.has_told:
                self.bells.ring()
        except DISK as error:
            self._roll_back()
            raise _said(error) from error
        except BaseException:
            self._roll_back()
            raise

    def _roll_back(self) -> None:
        if self._db.in_transaction:
            try:
                self._db.execute("ROLLBACK")
            except DISK as error:
                raise _said(error) from error

    def begin_part(self) -> None:
        """From here on a part of the transaction can be taken back."""
        self._db.execute("SAVEPOINT part")

    def keep_part(self) -> None:
        """The part stays, as far as the transaction does."""
        self._db.execute("RELEASE part")

    def take_back_part(self) -> None:
        """As if the part had never been begun."""
        self._db.execute("ROLLBACK TO part; RELEASE part")

    def tidy(self, *, wholly: bool = False) -> None:
        """Move what is committed into the file once that is much; `wholly`: all of it, and empty the log.

        Errors: StoreFailedError.
        """
        try:
            if wholly:
                self._db.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
            elif self._log_pages > _CHECKPOINT_AT:
                self._db.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)
                self._log_pages = 0
        except apsw.BusyError:  # a reader is under way: next time
            return
        except DISK as error:
            raise _said(error) from error

    def _committed(self, _db: apsw.Connection, _name: str, pages: int) -> int:
        """Note how much of the log is in use: its file stays as large as it ever was."""
        self._log_pages = pages
        return apsw.SQLITE_OK

    def close(self) -> None:
        """Leave the folder to others."""
        if self._checking is not None:
            self._checking.stop()
        try:
            self._db.close()
        finally:
            self._lock.release()


def damage(folder: Path) -> str | None:
    """What is wrong with the file of a folder, looked at as a whole; None if nothing is. A node may work in it.

    Errors: apsw.Error where it cannot be read at all.
    """
    db = apsw.Connection(str(folder / FILE), flags=apsw.SQLITE_OPEN_READONLY)
    try:
        found = str(db.pragma("integrity_check", 1))
        return None if found == "ok" else found
    finally:
        db.close()


def opened(path: Path, vfs: str | None = None) -> apsw.Connection:
    """A connection that writes to a store that is its owner's alone.

    Errors: apsw.Error.
    """
    keep_to_owner(path)
    flags = apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_CREATE
    db = apsw.Connection(str(path), flags=flags, vfs=vfs)
    db.set_busy_timeout(5_000)
    if vfs is not None:  # a file system written in Python shares no memory: the log is kept by one connection alone
        db.pragma("locking_mode", "EXCLUSIVE")
    db.pragma("journal_mode", "WAL")
    db.pragma("synchronous", "FULL")
    db.pragma("cache_size", -_CACHE_KIBIBYTES)
    db.pragma("temp_store", "MEMORY")
    # An erasure must find no former form of a page: what was replaced long before it would still lie in the file.
    db.pragma("secure_delete", value=True)
    db.pragma("journal_size_limit", 16 * _CHECKPOINT_AT * 1024)
    # Checkpoints are made after the answers, where their failure is seen; the automatic ones keep it to themselves.
    db.wal_autocheckpoint(0)
    return db


def roll_back(folder: Path, to: int) -> int:
    """Bring the tables of a stopped node back to an earlier version; returns the version before.

    Errors: FolderInUseError, SchemaError, ValueError.
    """
    if not 0 < to <= VERSION:
        raise ValueError(f"version {to}; expected 1 to {VERSION}")
    lock = FolderLock(folder)
    try:
        db = opened(folder / FILE)
        try:
            return migrate(db, to)
        finally:
            db.close()
    finally:
        lock.release()


def _damaged(path: Path, found: str) -> StoreCorruptError:
    return StoreCorruptError(f"{path} is damaged ({found}); restore a backup into an empty folder")


def _said(error: apsw.Error) -> StoreError:
    """A failure of SQLite in the words of the store."""
    if isinstance(error, apsw.CorruptError | apsw.NotADBError):
        return StoreCorruptError(f"the store is damaged ({error}); restore a backup into an empty folder")
    words = {apsw.FullError: "the disk is full", apsw.ReadOnlyError: "the disk is read-only"}
    word = words.get(type(error), "the disk failed")
    return StoreFailedError(
        f"{word}: {type(error).__name__} {apsw.mapping_extended_result_codes.get(_code(error), '')}"
    )


def _code(error: apsw.Error) -> int:
    return int(getattr(error, "extendedresult", 0))
