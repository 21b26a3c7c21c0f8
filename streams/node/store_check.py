"""Looking for damage: of a small store before anything is taken, of a large one while the node works already."""

import threading
from pathlib import Path
from typing import Final

import apsw

AT_ONCE: Final = 64 * 1024 * 1024
"""Bytes of a file that is checked as a whole before the node starts; a cold disk reads that in a second or two."""
ALWAYS: Final = ("setting", "link", "erasure", "told", "loading", "withheld")
"""Tables that are read as a whole at the start, and checked before that."""


def found_at_once(db: apsw.Connection, path: Path) -> str | None:
    """What is wrong with a file, as far as that is looked for before the start; None if nothing is."""
    if path.stat().st_size <= AT_ONCE:
        return _found(db, 1)
    tables = [table for table in ALWAYS if db.table_exists("main", table)]
    return next((found for table in tables if (found := _found(db, table)) is not None), None)


def _found(db: apsw.Connection, part: str | int) -> str | None:
    found = str(db.pragma("quick_check", part))
    return None if found == "ok" else found


class BackgroundCheck:
    """One look at a whole file, in a thread; `found` says what is wrong once that is known."""

    def __init__(self, path: Path) -> None:
        self.found: str | None = None
        self._db = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
        self._thread = threading.Thread(target=self._look, name="store check", daemon=True)
        self._thread.start()

    def _look(self) -> None:
        try:
            self.found = _found(self._db, 1)
        except (apsw.CorruptError, apsw.NotADBError) as error:
            self.found = str(error)
        except apsw.Error:  # interrupted, or the disk fails: whoever writes meets that too
            return

    def wait(self, timeout: float) -> bool:
        """Whether it is over."""
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def stop(self) -> None:
        """Look no further."""
        if self._thread.is_alive():
            self._db.interrupt()
            self._thread.join()
        self._db.close()
