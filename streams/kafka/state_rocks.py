"""The state of a partition on a disk (RocksDB), so that a start reads only what has come since.

Topic: values and the position are written in one batch. A folder that was away for long is made anew: what was taken
out meanwhile is no longer in the changelog, and somebody may have had to be forgotten.
"""

import shutil
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final

from streams.kafka.state import Change, StoreError

_VALUE: Final = b"v"
_POSITION: Final = b"position"
_AT: Final = b"at"
_AWAY: Final = 12 * 3600
"""Seconds; Kafka keeps what says that a key was taken out for a day (delete.retention.ms)."""


class RocksState:
    """A state in a folder; only one process has it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._rocks = _rocksdict()
        self._db = self._open()
        known = self._db.get(_POSITION)
        self.position = 0 if known is None else int.from_bytes(known, "big")
        if known is not None and time.time() - int.from_bytes(self._db.get(_AT) or b"", "big") > _AWAY:
            self.clear()

    def _open(self) -> Any:
        self._folder.mkdir(parents=True, exist_ok=True)
        try:
            return self._rocks.Rdict(str(self._folder), self._rocks.Options(raw_mode=True))
        except Exception as error:  # noqa: BLE001 - the library raises nothing narrower
            raise StoreError(f"{self._folder} cannot be opened: {error}. Is another worker using it?") from None

    def get(self, key: bytes) -> bytes | None:
        found: bytes | None = self._db.get(_VALUE + key)
        return found

    def scan(self, prefix: bytes) -> Iterator[tuple[bytes, bytes]]:
        for key, value in self._db.items(from_key=_VALUE + prefix):
            if not key.startswith(_VALUE + prefix):
                return
            yield key[len(_VALUE) :], value

    def apply(self, changes: Iterable[Change], position: int) -> None:
        batch = self._rocks.WriteBatch(raw_mode=True)
        for key, value in changes:
            if value is None:
                batch.delete(_VALUE + key)
            else:
                batch.put(_VALUE + key, value)
        batch.put(_POSITION, position.to_bytes(8, "big"))
        batch.put(_AT, int(time.time()).to_bytes(8, "big"))
        self._db.write(batch)
        self.position = position

    def clear(self) -> None:
        self._db.close()
        shutil.rmtree(self._folder)
        self._db = self._open()
        self.position = 0

    def close(self) -> None:
        self._db.close()


class RocksStore:
    """States in a folder each."""

    def __init__(self, folder: Path) -> None:
        _rocksdict()
        self._folder = folder / "partitions"

    def open(self, partition: int) -> RocksState:
        """The state of a partition.

        Errors: StoreError.
        """
        return RocksState(self._folder / str(partition))


def _rocksdict() -> Any:
    try:
        import rocksdict  # type: ignore[import-not-found, unused-ignore] # noqa: PLC0415 - an extra
    except ImportError:
        raise StoreError("the store rocksdb needs: pip install 'trabecula[rocksdb]'") from None
    return rocksdict
