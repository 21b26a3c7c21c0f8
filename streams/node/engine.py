"""The engine of a node: one thread that takes what waits, decides it, commits it, and only then says so.

Law 5: acknowledged means kept; whatever the disk did not confirm is answered with NotDurableError.
"""

import asyncio
import dataclasses
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby, islice
from typing import Any, Final, Literal

from schemas.alerts import Notice
from schemas.tables import Tables
from streams.intake.site import Site
from streams.monitor import Monitor
from streams.node.access_audit import AuditEntry
from streams.node.clock import Clock, SystemClock
from streams.node.engine_clock import Trust
from streams.node.engine_desk import Desk
from streams.node.engine_queue import MOST_BYTES, MOST_WAITING, Done, LoopAnswer, Queue, ThreadAnswer, Work, answer
from streams.node.engine_retention import Retention
from streams.node.port import Incoming, NotDurableError, Outcome
from streams.node.store import Store, StoreError
from streams.node.watch import Unwatched, Watch
from streams.paged_charts import HELD, decided_by

State = Literal["new", "running", "misled", "stopping", "stopped", "failed"]

MOST_TOGETHER: Final = 256
"""Messages in one transaction: there is no waiting for more, the disk is what gathers them."""
_LOOK: Final = 1.0
"""Seconds after which the clock is looked at again, should it have been set."""
_AGAIN: Final = 30.0
"""Seconds after which a message is to come again that came while the clock could not be believed."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How much the engine takes, holds and keeps."""

    waiting: int = MOST_WAITING
    waiting_bytes: int = MOST_BYTES
    together: int = MOST_TOGETHER
    charts_in_memory: int = HELD
    keep_raw: timedelta | None = None
    """How long raw messages are kept that nothing leads to; None: always."""


class Engine:
    """Takes messages one transaction at a time (streams.node.port.Receiver).

    `state` and `why` are for /readyz: it takes messages only while it is `running`; `misled`: by its clock.
    """

    def __init__(
        self,
        store: Store,
        monitor: Monitor,
        tables: Tables,
        site: Site | None = None,
        *,
        clock: Clock | None = None,
        limits: Limits | None = None,
        watch: Watch | None = None,
        elapsed: Callable[[], float] | None = None,
    ) -> None:
        self._store = store
        self._clock = clock or SystemClock()
        self._trust = Trust(self._clock, elapsed)
        self._limits = limits or Limits()
        self._queue = Queue(self._limits.waiting, self._limits.waiting_bytes)
        self._desk = Desk(store, monitor, tables, site or Site(), decided_by(monitor), self._limits.charts_in_memory)
        self._retention = Retention(store, self._limits.keep_raw)
        self._watch = watch or Unwatched()
        self.to_examine = store.rows.how_many_otherwise(self._desk.decided_by)
        self.state: State = "new"
        self.why: str | None = None
        self._hurry = threading.Event()
        self._thread = threading.Thread(target=self._run, name="engine", daemon=True)

    # ---- as others see it

    def start(self) -> None:
        """Begin to take messages."""
        self.state = "running"
        self._thread.start()

    async def receive(self, message: Incoming) -> Outcome:
        """Take a message; returns when it and all that it changed is durable.

        Errors: NotDurableError, QueueFullError.
        """
        waits = LoopAnswer(asyncio.get_running_loop())
        self._queue.put(Work(message, waits))
        outcome: Outcome = await waits.future
        return outcome

    async def receive_all(self, messages: Sequence[Incoming]) -> list[Outcome]:
        """Take messages together, in order; returns when all of them are durable.

        Errors: NotDurableError, QueueFullError.
        """
        waits = LoopAnswer(asyncio.get_running_loop())
        self._queue.put(Work(tuple(messages), waits))
        outcomes: list[Outcome] = await waits.future
        return outcomes

    def submit(self, message: Incoming) -> Future[Outcome]:
        """As `receive`, for callers in threads.

        Errors: QueueFullError, NotDurableError; the future has the latter too.
        """
        return self._submit(message)

    def call(self, job: Callable[[Desk], Any]) -> Future[Any]:
        """Let something be done at the desk, as a part of a transaction; its exception takes it back."""
        return self._submit(job)

    def _submit(self, what: Incoming | Callable[[Desk], Any]) -> Future[Any]:
        waits = ThreadAnswer()
        self._queue.put(Work(what, waits))
        return waits.future

    def go_live(self, source: str) -> Future[list[Notice]]:
        """End the loading of a source's old data; the digest of what stands is in the outbox then, critical first."""
        return self.call(lambda desk: desk.go_live(source))

    async def record(self, entry: AuditEntry) -> None:
        """Keep an entry of the audit (streams.node.access_audit.AuditSink); returns once it is durable.

        Errors: NotDurableError.
        """
        waits = LoopAnswer(asyncio.get_running_loop())
        self._queue.put(Work(lambda desk: desk.audit(dataclasses.asdict(entry)), waits))
        await waits.future

    def redrive(self, letter_id: int) -> Future[Outcome | None]:
        """Take a refused message again; None if it is no longer kept."""
        return self.call(lambda desk: desk.redrive(letter_id))

    @property
    def waiting(self) -> int:
        """Messages in the queue."""
        return len(self._queue)

    def now(self) -> datetime:
        """The instant at which whatever comes now is decided: a clock that goes back is not followed."""
        return self._desk.now if self.state == "misled" else max(self._desk.now, self._clock.now())

    def close(self, timeout: float = 8.0) -> bool:
        """Take nothing more, finish what waits, commit; False if that took longer than `timeout` seconds.

        Topic: what could not be finished is answered with NotDurableError.
        """
        if self.state in ("running", "misled"):
            self.state = "stopping"
        self._queue.close("the node is stopping")
        if not self._thread.is_alive():
            return True
        self._thread.join(timeout)
        if self._thread.is_alive():
            self._hurry.set()
            self._thread.join(timeout)
        return not self._hurry.is_set()

    # ---- the thread

    def _run(self) -> None:
        ended: tuple[State, str] = "failed", "the engine failed; its log says how"
        try:
            self._work()
            ended = "stopped", "the node is stopping"
        except StoreError as error:
            ended = "failed", str(error)
        finally:  # however it ends, nobody waits in vain
            self.state, self.why = ended[0], ended[1] if ended[0] == "failed" else None
            self._queue.close(ended[1])
            self._queue.empty(NotDurableError(ended[1]))

    def _work(self) -> None:
        while not self._hurry.is_set():
            works = self._queue.take(self._limits.together, self._patience())
            if works is None:
                return
            self._shift(self._believed(works))
            self._store.check_on()

    def _believed(self, works: list[Work]) -> list[Work]:
        """While the clock cannot be believed messages are to be sent again, and what else there is is done."""
        doubt = self._trust.doubt(self._desk.now)
        if self.state in ("running", "misled"):
            self.state, self.why = ("misled" if doubt else "running"), doubt
        if doubt is None:
            return works
        error = NotDurableError(doubt, retry_after=_AGAIN)
        answer(Done(work.answer, error=error) for work in works if work.messages)
        return [work for work in works if not work.messages]

    def _patience(self) -> float:
        """Seconds to wait for messages: until time alone changes something, or there is other work to do."""
        if self.to_examine or self._retention.is_due(self._clock.now()):
            return 0.0
        until = (self._desk.ward.next_check_at() - self.now()).total_seconds()
        return min(max(until, 0.0), _LOOK)

    def _shift(self, works: list[Work]) -> None:
        """One transaction: the clock first, then what came; other work when nothing came."""
        done: list[Done] = []
        try:
            if works or self._is_due():
                works = self._commit(works, done)
            elif self.to_examine:
                self._examine()
            elif self._retention.is_due(self._clock.now()):
                self._retention.step(self._clock.now())
        except BaseException as error:
            why = str(error) if isinstance(error, StoreError) else "the engine failed"
            answer(Done(work.answer, error=NotDurableError(why)) for work in works)
            raise
        answer(done)
        self._store.tidy()

    def _is_due(self) -> bool:
        return self._desk.ward.next_check_at() <= self.now()

    def _commit(self, works: list[Work], done: list[Done]) -> list[Work]:
        """Commit what is due by the clock and, if that is not too much, what came; the rest waits again."""
        with self._store.transaction():
            now = self._desk.begin(self.now())
            ticks = 0
            while ticks < self._limits.together and self._desk.ward.next_check_at() <= now:
                self._desk.tick()
                ticks += 1
            in_time = self._desk.ward.next_check_at() > now
            if in_time:
                done.extend(self._do(works))
            self._desk.write()
        self._watch.decided(self._desk.seen())
        self._desk.committed()
        if not in_time:
            self._queue.put_back(works)
        return works

    def _do(self, works: list[Work]) -> Iterator[Done]:
        """Messages that follow each other are taken together, anything else by itself."""
        for are_messages, group in groupby(works, key=lambda work: bool(work.messages)):
            some = list(group)
            yield from self._take(some) if are_messages else map(self._call, some)

    def _take(self, works: list[Work]) -> Iterator[Done]:
        outcomes = iter(self._desk.take_all([message for work in works for message in work.messages]))
        for work in works:
            ours = list(islice(outcomes, len(work.messages)))
            yield Done(work.answer, ours[0] if isinstance(work.what, Incoming) else ours)

    def _call(self, work: Work) -> Done:
        job = work.what
        if not callable(job):  # no messages: there is nothing to say of them
            return Done(work.answer, [])
        return self._desk.apart(
            lambda: Done(work.answer, job(self._desk)), lambda error: Done(work.answer, error=error)
        )

    def _examine(self) -> None:
        """Look at some charts again that another rule pack decided."""
        with self._store.transaction():
            self._desk.begin(self.now())
            found = self._desk.examine(self._limits.together // 4)
            self._desk.write()
        self._watch.decided(self._desk.seen())
        self._desk.committed()
        self.to_examine = max(0, self.to_examine - found) if found else 0
