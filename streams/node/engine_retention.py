"""How long raw messages are kept: a number of days, and longer where something leads to them."""

from datetime import datetime, timedelta
from typing import Final

from streams.node.store import Store

_EVERY: Final = timedelta(hours=1)
_AT_ONCE: Final = 1_000


class Retention:
    """Retires messages a few at a time, once an hour."""

    def __init__(self, store: Store, keep: timedelta | None) -> None:
        self._store = store
        self._keep = keep
        self._next: datetime | None = None

    def is_due(self, now: datetime) -> bool:
        """There may be messages to retire."""
        return self._keep is not None and (self._next is None or self._next <= now)

    def step(self, now: datetime) -> int:
        """Retire some messages; returns of how many only that they came is kept now.

        Errors: StoreFailedError.
        """
        if self._keep is None:
            return 0
        rows = self._store.rows
        with self._store.transaction():
            retired = rows.retire_messages(now - self._keep, rows.messages_of_evidence(), _AT_ONCE)
        if retired < _AT_ONCE:
            self._next = now + _EVERY
        return retired
