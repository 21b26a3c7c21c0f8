"""A node on a disk that can fail, full, broken or slow as a file says: python -m tests.node.fault_child DISK serve ...

Topic: the disk is SQLite's, beneath the node as it is; nothing of the node is replaced.
"""

import sys
import time
from pathlib import Path
from typing import Any, Final

import apsw

from streams.cli import main
from tests.node.faults import Fault

NAME: Final = "a disk that can fail"
BASE: Final = "unix"
"""The file system beneath: without a name it would be the default one, which is this."""
_FAILS: Final = {"full": apsw.FullError, "failed": apsw.IOError}


class Disk(apsw.VFS):
    """The file system with the fault that the file says; every VFS call looks whether the file has changed."""

    def __init__(self, said: Path) -> None:
        super().__init__(NAME, BASE, makedefault=True)
        self._said = said
        self._read_at = 0
        self._fault = Fault()
        self._left = 0
        self._syncs = 0

    def xOpen(self, name: Any, flags: list[int]) -> "File":  # noqa: N802 - SQLite's names
        return File(self, name, flags)

    def does(self, what: str) -> None:
        """Fail or dawdle, if that is what is said."""
        changed_at = self._said.stat().st_mtime_ns
        if changed_at != self._read_at:
            self._read_at = changed_at
            self._fault = Fault.read(self._said)
            self._left = self._fault.after
        if what == "xSync":
            self._syncs += 1
            self._said.with_suffix(".syncs").write_text(str(self._syncs))
            time.sleep(self._fault.slow)
        if self._fault.fails and what == self._fault.at:
            self._left -= 1
            if self._left < 0:
                raise _FAILS[self._fault.fails]


class File(apsw.VFSFile):
    """A file of that disk."""

    def __init__(self, disk: Disk, name: Any, flags: list[int]) -> None:
        self._disk = disk
        super().__init__(BASE, name, flags)

    def xWrite(self, data: Any, offset: int) -> None:  # noqa: N802
        self._disk.does("xWrite")
        super().xWrite(data, offset)

    def xSync(self, flags: int) -> None:  # noqa: N802
        self._disk.does("xSync")
        super().xSync(flags)


if __name__ == "__main__":
    disk = Disk(Path(sys.argv[1]))
    sys.argv[1:] = sys.argv[2:]
    main()
