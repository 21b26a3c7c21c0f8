"""What the engine lets others see of its work: once a transaction, after it is durable."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from streams.node.store_rows import Count


@dataclass(frozen=True, slots=True)
class Decided:
    """What one transaction decided."""

    at: datetime
    took: Sequence[float]
    """Seconds for each message, and for each crossing of time: read, folded and judged; not the commit."""
    ages: Sequence[float]
    """Seconds from `recorded_at` to the decision, of each new event that is no old data."""
    counts: Mapping[Count, int]
    """What was counted in it; good until the call returns."""


class Watch(Protocol):
    """Whoever looks on. It is called in the engine's thread: it is quick, and it never fails."""

    def decided(self, what: Decided) -> None:
        """A transaction is durable."""


class Unwatched:
    """Nobody looks on."""

    def decided(self, what: Decided) -> None:
        """Nothing."""
