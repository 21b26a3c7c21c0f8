"""What the engine asks of others: where records come from, who counts, and what all partitions have in common."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from streams.kafka.chunks import Chunk
from streams.kafka.fence import Fence
from streams.kafka.work import Given, ShardFactory, Work

Deliver = Callable[[int, Chunk], Awaitable[None]]
"""Hands a chunk of a partition to whoever has it decided on."""


class Records(Protocol):
    """Where the records of partitions come from: a member of a group of consumers."""

    async def fetch(self, partition: int) -> list[Given]:
        """Records that come next, as many as are unpacked in a moment; none if none came for a while."""

    async def begin(self, partition: int) -> int:
        """Go on where the group is committed to; where the partition ends now."""

    async def pause(self, partition: int) -> None:
        """Fetch nothing of a partition until it is begun."""

    async def is_member(self) -> bool:
        """Whether the group still counts this process in; asked of the broker."""

    def fetched_to(self, partition: int) -> int:
        """The offset that is fetched next."""

    def unread(self, partition: int) -> int:
        """Offsets that are known of and not fetched yet."""


class Counts(Protocol):
    """Who is told what was done."""

    def took(self, seconds: float, records: int) -> None:
        """Records were decided on."""

    def written(self, partition: int, records: int, work: Work) -> None:
        """A transaction is durable."""

    def lost(self, partition: int, outcome: str) -> None:
        """A transaction came to nothing, as far as is known here: `aborted` or `fenced`."""


@dataclass(frozen=True, slots=True)
class Terms:
    """What all partitions of a worker have in common."""

    prefix: str
    """Of the names of topics."""
    changelog: str
    """The topic of the changelog, with its prefix."""
    partitions: Mapping[str, int]
    """Of each topic that is written to, by the name that the contract gives."""
    of: int
    """Partitions of the events."""
    fence: Callable[[int], Fence]
    factory: ShardFactory
    most: int = 1_000
    """Records of one chunk."""
    most_due: int = 200
    """Charts that one tick decides on."""
