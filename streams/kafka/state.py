"""The state of a partition as this process holds it: what its changelog says up to a position.

Law: a state and its position change together, and only by what is durable in the changelog.
"""

from collections.abc import Iterable, Iterator
from typing import Protocol

Change = tuple[bytes, bytes | None]
"""A key and its value; None removes it."""


class Held(Protocol):
    """A partition's state that can be brought forward (streams.kafka.work.State, and what the engine needs)."""

    @property
    def position(self) -> int:
        """The offset of the changelog that comes next."""

    def get(self, key: bytes) -> bytes | None:
        """The value of a key; None if there is none."""

    def scan(self, prefix: bytes) -> Iterator[tuple[bytes, bytes]]:
        """Every key that begins so, in the order of the keys, and its value."""

    def apply(self, changes: Iterable[Change], position: int) -> None:
        """Bring the state forward to a position."""

    def clear(self) -> None:
        """Forget everything: the next position is the first."""

    def close(self) -> None:
        """Let go of it; what is on a disk stays there."""


class MemoryState:
    """A state in memory."""

    def __init__(self) -> None:
        self.position = 0
        self._values: dict[bytes, bytes] = {}

    def __len__(self) -> int:
        return len(self._values)

    def get(self, key: bytes) -> bytes | None:
        return self._values.get(key)

    def scan(self, prefix: bytes) -> Iterator[tuple[bytes, bytes]]:
        return iter(sorted((key, value) for key, value in self._values.items() if key.startswith(prefix)))

    def apply(self, changes: Iterable[Change], position: int) -> None:
        values = self._values
        for key, value in changes:
            if value is None:
                values.pop(key, None)
            else:
                values[key] = value
        self.position = position

    def clear(self) -> None:
        self._values.clear()
        self.position = 0

    def close(self) -> None:
        self._values.clear()


class Store(Protocol):
    """Where the states of partitions are held."""

    def open(self, partition: int) -> Held:
        """The state of a partition, as far as it is known here.

        Errors: StoreError.
        """


class StoreError(Exception):
    """The local state cannot be used; the message says what is to be done."""


class MemoryStore:
    """States in memory: a process begins with none."""

    def open(self, partition: int) -> Held:
        del partition
        return MemoryState()
