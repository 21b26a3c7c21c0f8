"""What waits for one receiver: a lane an alert, in which only the first may go.

Time: digests have their instant; repetitions have seconds of a steady clock, which nobody sets.
Law: nothing of an alert is under way before what was said of it earlier was taken, or refused for good.
Law: something urgent waits for no digest; it takes what its alert has in one along, before it. What stands after a load
stays together, also when it is tried again: only something critical takes its alert out of that.
"""

import heapq
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from typing import Final

MOST_TOGETHER: Final = 1_000
"""Notices in one digest; of more, another one is made."""
LARGEST_TOGETHER: Final = 1_000_000
"""Bytes of the notices in one digest, as web servers take bodies of 1 MB unless they are told otherwise."""
_CRITICAL: Final = 0


@dataclass(slots=True)
class Item:
    """A notice that waits for a receiver."""

    ordinal: int
    notice_id: str
    alert_id: str
    urgency: int
    """Of its severity; 0 is the most urgent."""
    said_at: datetime
    digest_at: datetime | None = None
    attempts: int = 0
    together: bool = False
    """The digest is of what stands after a load, and is due."""
    size: int = 0
    """Bytes."""


@dataclass(frozen=True, slots=True)
class Parcel:
    """What is sent together: one notice, or those of a digest, the most urgent first."""

    items: tuple[Item, ...]
    digest_at: datetime | None = None

    @property
    def attempts(self) -> int:
        """How often it was tried."""
        return max(item.attempts for item in self.items)

    @property
    def together(self) -> bool:
        """It tells what stands after a load."""
        return any(item.together for item in self.items)


@dataclass(slots=True)
class _Lane:
    items: deque[Item] = field(default_factory=deque)
    under_way: bool = False
    due: float | None = None
    """When its first is tried again."""


class Lanes:
    """The notices that wait for one receiver."""

    def __init__(self) -> None:
        self._lanes: dict[str, _Lane] = {}
        self._ready: list[tuple[int, int, str]] = []
        self._later: list[tuple[float, int, str]] = []
        self._digests: dict[datetime, set[str]] = {}
        self._loads: set[datetime] = set()
        self._count = 0
        self._for_digests = 0

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[Item]:
        return (item for lane in self._lanes.values() for item in lane.items)

    @property
    def at_once(self) -> int:
        """How many wait for no digest."""
        return self._count - self._for_digests

    def add(self, item: Item) -> None:
        """Let a notice wait behind the earlier ones of its alert."""
        lane = self._lanes.setdefault(item.alert_id, _Lane())
        lane.items.append(item)
        self._count += 1
        self._for_digests += item.digest_at is not None
        if item.together and item.digest_at is not None and not item.attempts:
            self._loads.add(item.digest_at)
        if not lane.under_way:
            self._hurry(lane.items)
            self._offer(item.alert_id, lane)

    def take(self, now: datetime, steady: float) -> Parcel | None:
        """The most urgent of what may go; from now on it is under way. None: nothing may.

        Topic: what stands after a load is one message, and goes before all that would come between. Once it has failed
        it does not: it may be what its receiver cannot take.
        """
        self._wake(steady)
        if parcel := self._digest(now, self._digests.keys() & self._loads):
            return parcel
        while self._ready:
            _, ordinal, alert_id = heapq.heappop(self._ready)
            lane = self._lanes.get(alert_id)
            if lane and not lane.under_way and lane.due is None and lane.items[0].ordinal == ordinal:
                lane.under_way = True
                return Parcel((lane.items[0],))
        return self._digest(now, self._digests.keys())

    def taken(self, parcel: Parcel) -> None:
        """It is out of the way: the receiver took it, or will never."""
        for item in parcel.items:
            self._lanes[item.alert_id].items.popleft()
            self._for_digests -= item.digest_at is not None
        self._count -= len(parcel.items)
        self._released(parcel, None)

    def again(self, parcel: Parcel, due: float) -> None:
        """It is tried again once the steady clock is there."""
        for item in parcel.items:
            item.attempts += 1
        if parcel.digest_at is not None:
            self._loads.discard(parcel.digest_at)
        self._released(parcel, due)

    @property
    def next_try(self) -> float | None:
        """When the steady clock is where something is tried again."""
        return self._later[0][0] if self._later else None

    @property
    def next_digest(self) -> datetime | None:
        """When there is a digest to send."""
        return min(self._digests, default=None)

    # ---- one lane

    def _released(self, parcel: Parcel, due: float | None) -> None:
        for alert_id in dict.fromkeys(item.alert_id for item in parcel.items):
            lane = self._lanes[alert_id]
            lane.under_way, lane.due = False, due
            if not lane.items:
                del self._lanes[alert_id]
                continue
            self._hurry(lane.items)
            self._offer(alert_id, lane)

    def _offer(self, alert_id: str, lane: _Lane) -> None:
        first = lane.items[0]
        if lane.due is not None:
            heapq.heappush(self._later, (lane.due, first.ordinal, alert_id))
        elif first.digest_at is None:
            heapq.heappush(self._ready, (first.urgency, first.ordinal, alert_id))
        else:
            self._digests.setdefault(first.digest_at, set()).add(alert_id)

    def _wake(self, steady: float) -> None:
        while self._later and self._later[0][0] <= steady:
            due, _, alert_id = heapq.heappop(self._later)
            lane = self._lanes.get(alert_id)
            if lane and not lane.under_way and lane.due is not None and lane.due <= due:
                lane.due = None
                self._offer(alert_id, lane)

    def _hurry(self, items: deque[Item]) -> None:
        """Let nothing of an alert wait for a digest that stands before something urgent."""
        urgent = [n for n, item in enumerate(items) if item.digest_at is None]
        critical = [n for n in urgent if items[n].urgency == _CRITICAL]
        last, last_critical = max(urgent, default=-1), max(critical, default=-1)
        for n, item in enumerate(islice(items, last + 1)):
            if item.digest_at is not None and (not item.together or n < last_critical):
                self._for_digests -= 1
                item.digest_at, item.together = None, False

    # ---- digests

    def _digest(self, now: datetime, among: Iterable[datetime]) -> Parcel | None:
        """The earliest digest whose time has come, as much of it as one may have."""
        for at in sorted(at for at in among if at <= now):
            found = {alert_id: lane for alert_id in self._digests.pop(at) if (lane := self._waits(alert_id, at))}
            waiting = sorted((list(_leading(lane.items, at)) for lane in found.values()), key=_most_urgent)
            together = _as_many_as_fit(waiting)
            for items in waiting[len(together) :]:
                self._digests.setdefault(at, set()).add(items[0].alert_id)
            for items in together:
                found[items[0].alert_id].under_way = True
            if together:
                return Parcel(tuple(sorted((one for items in together for one in items), key=_urgency)), at)
        return None

    def _waits(self, alert_id: str, at: datetime) -> _Lane | None:
        lane = self._lanes.get(alert_id)
        waits = lane and not lane.under_way and lane.due is None and lane.items[0].digest_at == at
        return lane if waits else None


def _leading(items: Iterable[Item], at: datetime) -> Iterator[Item]:
    for item in items:
        if item.digest_at != at:
            return
        yield item


def _urgency(item: Item) -> tuple[int, int]:
    return item.urgency, item.ordinal


def _most_urgent(items: list[Item]) -> tuple[int, int]:
    return min(map(_urgency, items))


def _as_many_as_fit(waiting: list[list[Item]]) -> list[list[Item]]:
    """The first alerts of a list that one digest can have; one alert always."""
    count = size = 0
    for n, items in enumerate(waiting):
        count += len(items)
        size += sum(item.size for item in items)
        if n and (count > MOST_TOGETHER or size > LARGEST_TOGETHER):
            return waiting[:n]
    return waiting
