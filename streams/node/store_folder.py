"""The data folder of a node: whose it is, and what lies where."""

import fcntl
import os
from contextlib import suppress
from pathlib import Path
from typing import Final

FILE: Final = "trabecula.sqlite"
LOCK: Final = "lock"

_OWNER_ALONE: Final = 0o600


class FolderInUseError(RuntimeError):
    """Another process works in the folder."""


class FolderLock:
    """A folder taken for one process until it is released or the process ends, however it ends.

    Errors: FolderInUseError names the folder and, if it is known, the process.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)  # everything in it is about patients
        self._file = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            holder = os.pread(self._file, 32, 0).decode("ascii", "replace").strip()
            os.close(self._file)
            who = f" (process {holder})" if holder else ""
            raise FolderInUseError(
                f"the data folder {folder} is in use by another node{who}; stop that one or name another folder"
            ) from None
        os.ftruncate(self._file, 0)
        os.pwrite(self._file, f"{os.getpid()}\n".encode(), 0)

    def release(self) -> None:
        """Leave the folder to others."""
        os.close(self._file)


def keep_to_owner(path: Path) -> None:
    """Make a store readable by its owner alone, whatever the umask; one that is not there is begun empty.

    Topic: SQLite gives its log and what is shared beside it the mode of the store. A file of another user stays as it
    is; a check says so.
    """
    with suppress(OSError):  # there already; or the disk is at fault, which SQLite says in words of its own
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, _OWNER_ALONE))
    # By name: closing a second descriptor of a store that is open would give up the locks that SQLite has on it.
    for file in (path, *(path.with_name(f"{path.name}{ending}") for ending in ("-wal", "-shm"))):
        with suppress(OSError):
            file.chmod(_OWNER_ALONE)


def is_open_to_others(path: Path) -> bool:
    """Whether users that are neither the owner nor of its group can read or enter it."""
    return bool(path.stat().st_mode & 0o005)
