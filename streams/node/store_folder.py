"""The data folder of a node: whose it is, and what lies where."""

import fcntl
import os
from pathlib import Path
from typing import Final

FILE: Final = "trabecula.sqlite"
LOCK: Final = "lock"


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
