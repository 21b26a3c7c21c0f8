"""The courier of one receiver: reads the outbox, sends what the receiver gets, and keeps what became of it.

Law: what was sent and is not yet known as taken is sent again after a stop of any kind, under the same id.
Topic: a notice is sent as soon as it is read; what is written is only how far that is and what is left, a moment later,
so that of a receiver that takes everything no row is ever written.
"""

import asyncio
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal, Protocol
from zoneinfo import ZoneInfo

from alerting.delivery.lanes import Item, Lanes, Parcel
from alerting.delivery.message import Answer, Message, Occasion, Receiver, digest_id
from alerting.delivery.pace import Pace, backoff
from alerting.delivery.routes import Settings, route
from streams.node.clock import Clock
from streams.node.delivery_rows import Changes, Outbox, Said, Waiting, begin, item_of, keep, send_again
from streams.node.logs import Log
from streams.node.port import NotDurableError
from streams.node.store_rows import Rows

LOG: Final = Log("delivery")
MOST_WAITING: Final = 1_000
"""Notices in memory that wait for no digest; the rest waits in the outbox."""
_READ: Final = 256
_KEEP_AFTER: Final = 0.05
"""Seconds for which changes are gathered before they are written."""
_LOOK: Final = 1.0
"""Seconds after which the clock is looked at again, should it have been set."""


class Desk(Protocol):
    """Where a job is done as a part of a transaction."""

    async def do(self, job: Callable[[Rows, datetime], Any]) -> Any:
        """Do it; returns once it is durable.

        Errors: NotDurableError.
        """


@dataclass(frozen=True, slots=True)
class Status:
    """How a receiver fares."""

    name: str
    kind: Literal["webhook", "file"]
    waiting: int
    for_digest: int
    is_failing: bool
    reason: str
    """What became of the last message."""
    status: int | None
    oldest_at: datetime | None
    """When the oldest notice was decided that waits and should not."""


@dataclass(slots=True)
class _Redrive:
    notice_id: str | None
    overtaken: bool
    answer: asyncio.Future[int]


class Courier:
    """One receiver at its own pace."""

    def __init__(
        self, settings: Settings, receiver: Receiver, outbox: Outbox, desk: Desk, clock: Clock, zone: ZoneInfo
    ) -> None:
        self.settings = settings
        self._receiver = receiver
        self._outbox = outbox
        self._desk = desk
        self._clock = clock
        self._zone = zone
        self._random = random.SystemRandom()
        self._news = asyncio.Event()
        self._stopping = False
        self._redrives: list[_Redrive] = []
        self._under_way: dict[asyncio.Task[Answer], Parcel] = {}
        self._last = Answer("taken", "taken")
        self._forget()

    def _forget(self) -> None:
        self._lanes = Lanes()
        self._pace = Pace(self.settings)
        self._read = 0
        self._changes = Changes()
        self._changed_at: float | None = None
        self._keeping: asyncio.Task[None] | None = None
        self._told: set[str] = set()
        self._refused: set[str] = set()

    # ---- as others see it

    @property
    def is_stopping(self) -> bool:
        """It begins nothing more."""
        return self._stopping

    def nudge(self) -> None:
        """There is something new in the outbox."""
        self._news.set()

    def stop(self) -> None:
        """Begin nothing more."""
        self._stopping = True
        self._news.set()

    def status(self) -> Status:
        """How it fares."""
        now = self._clock.now()
        late = [i.said_at if i.digest_at is None else i.digest_at for i in self._lanes if _is_late(i, now)]
        waiting = self._lanes.at_once
        return Status(
            self.settings.name,
            self.settings.kind,
            waiting,
            len(self._lanes) - waiting,
            self._pace.is_failing,
            self._last.reason,
            self._last.status,
            min(late, default=None),
        )

    async def redrive(self, notice_id: str | None, *, overtaken: bool) -> int:
        """Send again what was refused for good; returns how many notices.

        Errors: NotDurableError.
        """
        if self._stopping:
            raise NotDurableError("nothing is delivered any more")
        asked = _Redrive(notice_id, overtaken, asyncio.get_running_loop().create_future())
        self._redrives.append(asked)
        self._news.set()
        return await asked.answer

    async def run(self, grace: float) -> None:
        """Deliver until `stop`; then wait for what is under way, at most `grace` seconds.

        Errors: NotDurableError; whatever else is a mistake of ours. It can be run again after any of them.
        """
        try:
            await self._load()
            while not self._stopping:
                await self._turn()
            await self._finish(grace)
        finally:
            await self._abandon()

    # ---- one turn

    async def _turn(self) -> None:
        self._news.clear()
        self._collect()
        if self._redrives and not self._under_way:
            await self._redrive()
        await self._pull()
        self._launch()
        self._keep_when_due()
        await self._pause()

    async def _load(self) -> None:
        """Take up where the store says that it is."""
        self._forget()
        name, beginning = self.settings.name, self.settings.begins == "beginning"
        self._read = await self._desk.do(lambda rows, _now: begin(rows, name, at_the_beginning=beginning))
        self._refused = self._outbox.alerts_refused(name)
        for item in self._outbox.waiting(name):
            self._lanes.add(item)

    async def _pull(self) -> None:
        """Read on in the outbox, as long as not too much waits; what was told together is read to its end."""
        if self._lanes.at_once >= MOST_WAITING:
            return
        found = self._outbox.after(self._read, _READ)
        while found:
            for said in found:
                self._route(said)
            if len(found) < _READ:
                return
            self._news.set()
            if found[-1].told_at is None:
                return
            await asyncio.sleep(0)
            found = self._outbox.after(self._read, _READ)

    def _route(self, said: Said) -> None:
        notice = said.notice
        self._read = self._changes.cursor = said.ordinal
        self._changed()
        now = self._clock.now()
        routed = route(self.settings, notice, self._is_told, now, self._zone, told_at=said.told_at)
        if not routed.is_sent:
            return
        for alert_id in (notice.alert_id, notice.into):
            if alert_id is not None:
                self._told.add(alert_id)
                self._changes.told.add(alert_id)
        item = item_of(said, routed.digest_at)
        self._changes.rows[said.ordinal] = Waiting(item, "waiting", "new")
        self._lanes.add(item)

    def _is_told(self, alert_id: str) -> bool:
        return alert_id in self._told or self._outbox.is_told(self.settings.name, alert_id)

    # ---- sending

    def _launch(self) -> None:
        """Send what may go."""
        if self._redrives or self._pace.shut_for(time.monotonic()):
            return
        while len(self._under_way) < self._pace.most:
            parcel = self._lanes.take(self._clock.now(), time.monotonic())
            if parcel is None:
                return
            message = self._message(parcel)
            if message is None:  # everything in it was erased
                self._done(parcel)
                continue
            task = asyncio.create_task(self._send(message))
            self._under_way[task] = parcel
            task.add_done_callback(lambda _task: self._news.set())

    def _message(self, parcel: Parcel) -> Message | None:
        bodies = self._outbox.bodies([item.ordinal for item in parcel.items])
        items = [item for item in parcel.items if item.ordinal in bodies]
        if not items:
            return None
        ids = tuple(item.notice_id for item in items)
        name = ids[0] if parcel.digest_at is None else digest_id(self.settings.name, parcel.digest_at, ids)
        occasion: Occasion = "live" if parcel.together else "daily"
        return Message(name, ids, tuple(bodies[item.ordinal] for item in items), parcel.digest_at, occasion)

    async def _send(self, message: Message) -> Answer:
        try:
            return await self._receiver.send(message)
        except Exception:  # noqa: BLE001 - a mistake of ours must not stop the others, nor lose this one
            return Answer("again", "mistake")

    def _collect(self) -> None:
        """See what became of what was under way."""
        for task in [task for task in self._under_way if task.done()]:
            parcel = self._under_way.pop(task)
            if task.cancelled():
                self._lanes.again(parcel, time.monotonic())
            else:
                self._became(parcel, task.result())

    def _became(self, parcel: Parcel, answer: Answer) -> None:
        was_failing, self._last = self._pace.is_failing, answer
        self._changes.counts[answer.reason] += len(parcel.items)
        self._changed()
        match answer.outcome:
            case "taken":
                self._pace.answered()
                self._done(parcel)
            case "refused":
                self._pace.answered()
                self._park(parcel, answer)
            case "again":
                self._retry(parcel, answer)
        if self._pace.is_failing != was_failing:
            self._tell(answer)

    def _tell(self, answer: Answer) -> None:
        """Say that the receiver fails, or takes again."""
        name, status = self.settings.name, answer.status
        if self._pace.is_failing:
            LOG.warning("receiver_failing", receiver=name, reason=answer.reason, status=status)
        else:
            LOG.info("receiver_recovered", receiver=name)

    def _done(self, parcel: Parcel) -> None:
        self._lanes.taken(parcel)
        self._changed()
        for item in parcel.items:
            self._changes.rows[item.ordinal] = None
            if item.alert_id in self._refused:
                self._changes.overtaken.append((item.alert_id, item.ordinal))

    def _park(self, parcel: Parcel, answer: Answer) -> None:
        self._lanes.taken(parcel)
        count = len(parcel.items)
        LOG.error("receiver_refused", receiver=self.settings.name, status=answer.status, count=count)
        for item in parcel.items:
            item.attempts += 1
            self._refused.add(item.alert_id)
            self._changes.rows[item.ordinal] = Waiting(item, "refused", answer.reason, answer.status)

    def _retry(self, parcel: Parcel, answer: Answer) -> None:
        steady, draw = time.monotonic(), self._random.random()
        self._pace.failed(steady, answer.wait, draw)
        wait = backoff(self.settings, parcel.attempts + 1, draw)
        self._lanes.again(parcel, steady + wait)
        for item in parcel.items:
            self._changes.rows[item.ordinal] = Waiting(item, "waiting", answer.reason, answer.status)

    # ---- keeping

    def _changed(self) -> None:
        if self._changed_at is None:
            self._changed_at = time.monotonic()

    def _keep_when_due(self) -> None:
        if self._keeping is not None and self._keeping.done():
            self._keeping.result()
            self._keeping = None
        due = self._changed_at is not None and time.monotonic() - self._changed_at >= _KEEP_AFTER
        if due and self._keeping is None:
            self._keeping = asyncio.create_task(self._keep())
            self._keeping.add_done_callback(lambda _task: self._news.set())

    async def _keep(self) -> None:
        changes, self._changes, self._changed_at = self._changes, Changes(), None
        if changes:
            name = self.settings.name
            await self._desk.do(lambda rows, now: keep(rows, name, changes, now))
            self._told -= changes.told - self._changes.told

    async def _settle(self) -> None:
        """Make everything durable."""
        if self._keeping is not None:
            await self._keeping
            self._keeping = None
        await self._keep()

    async def _redrive(self) -> None:
        """What was refused waits again, each in its place."""
        await self._settle()
        while self._redrives:
            one = self._redrives[0]
            count = await self._desk.do(_sending_again(self.settings.name, one))
            self._redrives.pop(0)
            if not one.answer.done():  # whoever asked may have left
                one.answer.set_result(count)
        await self._load()

    # ---- waiting and ending

    async def _pause(self) -> None:
        """Until something happens; whatever does, others have their turn first."""
        await asyncio.sleep(0)
        steady = time.monotonic()
        until = [_LOOK]
        if self._changed_at is not None and self._keeping is None:
            until.append(self._changed_at + _KEEP_AFTER - steady)
        if not self._redrives and len(self._under_way) < self._pace.most:
            shut = self._pace.shut_for(steady)
            until += [max(shut, at) for at in self._due_in(steady)]
        try:
            async with asyncio.timeout(max(0.0, min(until))):
                await self._news.wait()
        except TimeoutError:
            return

    def _due_in(self, steady: float) -> list[float]:
        """Seconds until something may go."""
        found = [] if self._lanes.next_try is None else [self._lanes.next_try - steady]
        digest = self._lanes.next_digest
        return found if digest is None else [*found, (digest - self._clock.now()).total_seconds()]

    async def _finish(self, grace: float) -> None:
        if self._under_way:
            await asyncio.wait(self._under_way, timeout=grace)
        self._collect()
        await self._settle()

    async def _abandon(self) -> None:
        """Leave nothing under way; what is not durable is sent again."""
        tasks: list[asyncio.Task[Any]] = [*self._under_way, *([self._keeping] if self._keeping else [])]
        self._under_way.clear()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        asked, self._redrives = self._redrives, []
        for one in asked:
            if not one.answer.done():
                one.answer.set_exception(NotDurableError("nothing is delivered just now"))


def _is_late(item: Item, now: datetime) -> bool:
    return item.digest_at is None or item.digest_at <= now


def _sending_again(name: str, asked: _Redrive) -> Callable[[Rows, datetime], int]:
    return lambda rows, now: send_again(rows, name, asked.notice_id, overtaken=asked.overtaken, now=now)
