"""What the engine of a worker and a partition say to each other: records in, records and changes of state out.

Law: everything that a `Work` names is written in one transaction with the offset of what it came from, or not at all.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

Headers = tuple[tuple[str, bytes], ...]
Count = tuple[str, tuple[tuple[str, str], ...]]
"""What is counted: a family of metrics without its prefix, and the labels."""


@dataclass(frozen=True, slots=True)
class Given:
    """A record as it came; `timestamp` in milliseconds since 1970."""

    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: Headers = ()


@dataclass(frozen=True, slots=True)
class Sent:
    """A record to be written; `topic` is the name that the contract gives, `partition` None where the key decides."""

    topic: str
    key: bytes | None
    value: bytes | None
    headers: Headers = ()
    partition: int | None = None


@dataclass(frozen=True, slots=True)
class Work:
    """What became of some records or of a tick."""

    sends: tuple[Sent, ...] = ()
    changes: Mapping[bytes, bytes | None] = field(default_factory=dict)
    """Of the partition's state, by key; None removes."""
    counts: Mapping[Count, int] = field(default_factory=dict)
    ages: Sequence[float] = ()
    """Seconds from `recorded_at` to the decision, of each new event that is no old data."""


class State(Protocol):
    """What is known of a partition: all that its changelog holds."""

    def get(self, key: bytes) -> bytes | None:
        """The value of a key; None if there is none."""

    def scan(self, prefix: bytes) -> Iterator[tuple[bytes, bytes]]:
        """Every key that begins so, in the order of the keys, and its value."""


class Shard(Protocol):
    """One partition: what becomes of its records. One thing is asked of it at a time."""

    def take(self, chunk: Sequence[Given], now: datetime) -> Work:
        """What becomes of records, in order."""

    def tick(self, now: datetime, most: int) -> Work:
        """What becomes of at most so many charts that are due."""

    def next_check_at(self) -> datetime:
        """When there will be something to tick for; FOREVER if never."""

    def committed(self) -> None:
        """The last work is durable."""

    def dropped(self) -> None:
        """The last work is not durable, and never will be: it is as if it had not been asked for."""


ShardFactory = Callable[[int, int, State], Shard]
"""The partition, how many there are, and its state."""
