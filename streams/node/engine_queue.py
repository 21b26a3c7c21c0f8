"""What waits for the engine, and how those who wait hear of it."""

import asyncio
import threading
from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import Future, InvalidStateError
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from streams.node.engine_desk import Desk
from streams.node.port import Incoming, NotDurableError, QueueFullError

MOST_WAITING: Final = 4_096
MOST_BYTES: Final = 128 * 1024 * 1024


class Answer(Protocol):
    """Whoever waits: for a result, or for why there is none."""

    def give(self, result: Any, error: BaseException | None) -> None:
        """Hear of it; in the thread of whoever waits, if it has one."""

    @property
    def loop(self) -> asyncio.AbstractEventLoop | None:
        """The event loop in whose thread `give` is called; None: any thread."""


class ThreadAnswer:
    """Somebody waits in a thread."""

    loop: asyncio.AbstractEventLoop | None = None

    def __init__(self) -> None:
        self.future: Future[Any] = Future()

    def give(self, result: Any, error: BaseException | None) -> None:
        try:
            self.future.set_result(result) if error is None else self.future.set_exception(error)
        except InvalidStateError:  # nobody waits any more
            return


class LoopAnswer:
    """Somebody waits in an event loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop: asyncio.AbstractEventLoop | None = loop
        self.future: asyncio.Future[Any] = loop.create_future()

    def give(self, result: Any, error: BaseException | None) -> None:
        if self.future.done():  # nobody waits any more
            return
        self.future.set_result(result) if error is None else self.future.set_exception(error)


@dataclass(frozen=True, slots=True)
class Work:
    """A message, several, or something else to be done at the desk, with whoever waits for it."""

    what: Incoming | tuple[Incoming, ...] | Callable[[Desk], Any]
    answer: Answer

    @property
    def messages(self) -> tuple[Incoming, ...]:
        """The messages; none where something else is to be done."""
        match self.what:
            case Incoming():
                return (self.what,)
            case tuple():
                return self.what
        return ()

    @property
    def size(self) -> int:
        """Bytes."""
        return sum(len(message.raw) for message in self.messages)

    @property
    def count(self) -> int:
        """As how many messages it counts."""
        return max(1, len(self.messages))


@dataclass(slots=True)
class Done:
    """What became of some work."""

    answer: Answer
    result: Any = None
    error: BaseException | None = None


def answer(done: Iterable[Done]) -> None:
    """Tell all who wait; every event loop is woken once."""
    by_loop: dict[asyncio.AbstractEventLoop, list[Done]] = {}
    for one in done:
        if one.answer.loop is None:
            one.answer.give(one.result, one.error)
        else:
            by_loop.setdefault(one.answer.loop, []).append(one)
    for loop, ours in by_loop.items():
        try:
            loop.call_soon_threadsafe(_give, ours)
        except RuntimeError:  # the loop is closed, and with it everybody who waited there
            continue


def _give(done: Iterable[Done]) -> None:
    for one in done:
        one.answer.give(one.result, one.error)


@dataclass(slots=True)
class Queue:
    """Bounded in number and bytes; closed, it takes nothing more and is worked off."""

    most: int = MOST_WAITING
    most_bytes: int = MOST_BYTES
    _waiting: deque[Work] = field(default_factory=deque)
    _bytes: int = 0
    _count: int = 0
    _closed: str | None = None
    _change: threading.Condition = field(default_factory=threading.Condition)

    def __len__(self) -> int:
        return self._count

    def put(self, work: Work) -> None:
        """Wait in the queue.

        Errors: QueueFullError; NotDurableError once it is closed.
        """
        with self._change:
            if self._closed is not None:
                raise NotDurableError(self._closed)
            if self._is_too_much(work):
                raise QueueFullError("more is waiting than the node takes", retry_after=1.0)
            self._waiting.append(work)
            self._holds(work, 1)
            self._change.notify()

    def _is_too_much(self, work: Work) -> bool:
        """What would be too much by itself is taken when nothing else waits.

        Topic: other work than messages has as much room again: a flood of messages must not keep people from looking.
        """
        if not work.messages:
            return self._count >= 2 * self.most
        return bool(self._waiting) and (
            self._count + work.count > self.most or self._bytes + work.size > self.most_bytes
        )

    def _holds(self, work: Work, sign: int) -> None:
        self._bytes += sign * work.size
        self._count += sign * work.count

    def take(self, most: int, timeout: float) -> list[Work] | None:
        """What waits, in order and about so many messages, after at most so many seconds.

        Returns: None once the queue is closed and empty.
        """
        with self._change:
            if not self._waiting and self._closed is None and timeout > 0:
                self._change.wait(timeout)
            if not self._waiting and self._closed is not None:
                return None
            taken: list[Work] = []
            while self._waiting and most > 0:
                taken.append(self._waiting.popleft())
                self._holds(taken[-1], -1)
                most -= taken[-1].count
            return taken

    def put_back(self, works: Iterable[Work]) -> None:
        """Let taken work wait again, before all other."""
        with self._change:
            for work in reversed(list(works)):
                self._waiting.appendleft(work)
                self._holds(work, 1)

    def close(self, why: str) -> None:
        """Take nothing more."""
        with self._change:
            self._closed = self._closed or why
            self._change.notify_all()

    def empty(self, error: NotDurableError) -> None:
        """Send everybody away who still waits."""
        with self._change:
            waiting = list(self._waiting)
            self._waiting.clear()
            self._bytes = self._count = 0
        answer(Done(work.answer, error=error) for work in waiting)
