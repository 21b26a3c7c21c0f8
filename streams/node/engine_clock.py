"""Whether the clock of the machine can be believed, and how a node comes back from one that was ahead.

Topic: what was decided at an instant that has not come yet stands until it has come, and whatever is decided meanwhile
is decided at that instant: heparin begun yesterday has been given for a year. So a node whose clock is wrong takes
nothing, and says so; only a person knows whether it is wrong now or was wrong then.
"""

import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

from streams.node.clock import Clock
from streams.node.schema import stamp
from streams.node.store import Store

MOST_BEHIND: Final = timedelta(minutes=5)
"""Clocks that are kept in step go back by less."""
MOST_AHEAD: Final = timedelta(hours=24)
"""A machine that was halted for longer starts its services anew."""
KEPT: Final = "clock"
CORRECTED: Final = "clock_corrected"
"""The name under which a store remembers that charts are examined anew because of its clock."""


def since_boot() -> float:
    """Seconds of a clock that nobody sets; the time in which the machine slept counts."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class Trust:
    """Whether the clock can be believed; `elapsed` is one that nobody sets, if there is one."""

    def __init__(self, clock: Clock, elapsed: Callable[[], float] | None = None) -> None:
        self._clock = clock
        self._elapsed = elapsed
        self._began = clock.now(), elapsed() if elapsed else 0.0

    def doubt(self, decided: datetime) -> str | None:
        """Why it cannot be, after the latest decision at an instant; None if it can."""
        now = self._clock.now()
        if decided - now > MOST_BEHIND:
            return (
                f"the clock says {_words(now)}, but the latest decision is of {_words(decided)}; set the clock right, "
                "or, if it was ahead then, stop the node and run: trabecula store follow-clock"
            )
        if self._elapsed is not None:
            began, at = self._began
            ahead = now - began - timedelta(seconds=self._elapsed() - at)
            if ahead > MOST_AHEAD:
                return f"the clock jumped ahead by {ahead.days} d; set it right, or start the node again if it is right"
        return None


def _words(at: datetime) -> str:
    return at.isoformat(timespec="seconds")


def follow(store: Store, now: datetime) -> int:
    """Go back to the machine's clock: whatever was decided later is decided anew; returns how many charts.

    Topic: for a stopped node. What was told falsely is withdrawn, with the next start.
    """
    rows = store.rows
    with store.transaction():
        rows.set_setting(KEPT, str(stamp(now)).encode())
        rows.set_setting(CORRECTED, b"1")
        rows.db.execute("UPDATE chart SET decided_by = ''")
        charts = rows.db.changes()
        rows.put_audit(
            {"at": now, "action": "changed", "patients": (), "detail": "the clock was ahead; it is followed"}
        )
    return int(charts)
