"""One way of messages through a gateway: what waits together is translated together, written together, then answered.

Law: nobody is told that a message was taken before every record of it is kept by the brokers.
"""

import asyncio
from collections import Counter, deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final

from streams.kafka.publisher import Publisher, RefusedError, UnreachedError
from streams.kafka.translating import Translated, Translator
from streams.kafka.work import Count
from streams.node.clock import Clock
from streams.node.logs import LOG
from streams.node.port import Incoming, NotDurableError, Outcome, QueueFullError

_AGAIN: Final = 1.0
"""Seconds between two tries to reach the brokers."""
_PATIENCE: Final = 0.25
"""Seconds that a lane stands back for one that goes first, so that it never stands still."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """What may wait, and what is taken together, in messages and bytes."""

    waiting: int
    waiting_bytes: int
    together: int
    together_bytes: int


@dataclass(frozen=True, slots=True)
class _Work:
    messages: tuple[Incoming, ...]
    answer: "asyncio.Future[list[Outcome]]"

    @property
    def size(self) -> int:
        return sum(len(message.raw) for message in self.messages)


class Lane:
    """Messages of one urgency. `before`: the lanes that go first."""

    def __init__(
        self,
        name: str,
        translator: Translator,
        publisher: Publisher,
        bounds: Bounds,
        clock: Clock,
        count: Callable[[Counter[Count]], None],
        before: Sequence["Lane"] = (),
    ) -> None:
        self._name = name
        self._translator = translator
        self._publisher = publisher
        self._bounds = bounds
        self._clock = clock
        self._count = count
        self._before = before
        self._thread = ThreadPoolExecutor(1, f"lane-{name}")
        self._waiting: deque[_Work] = deque()
        self._messages = self._bytes = 0
        self._came = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._is_closed = False
        self.why: str | None = "not connected to any broker yet"
        """Why nothing is taken; None while it is."""

    # ---- whoever sends

    async def receive_all(self, messages: Sequence[Incoming]) -> list[Outcome]:
        """Take messages, in order; returns when everything of them is kept.

        Errors: NotDurableError, QueueFullError.
        """
        if not messages:
            return []
        if self.why is not None:
            raise NotDurableError(self.why)
        work = _Work(tuple(messages), asyncio.get_running_loop().create_future())
        if self._is_too_much(work):
            raise QueueFullError("more is waiting than the gateway takes", retry_after=1.0)
        self._waiting.append(work)
        self._hold(work, 1)
        return await work.answer

    def _is_too_much(self, work: _Work) -> bool:
        """What would be too much by itself is taken when nothing else waits."""
        return bool(self._waiting) and (
            self._messages + len(work.messages) > self._bounds.waiting
            or self._bytes + work.size > self._bounds.waiting_bytes
        )

    def _hold(self, work: _Work, sign: int) -> None:
        self._messages += sign * len(work.messages)
        self._bytes += sign * work.size
        self._came.set()
        self._idle.clear()

    async def is_idle(self) -> None:
        """Return once nothing waits, and nothing is under way."""
        await self._idle.wait()

    # ---- the way

    async def start(self) -> None:
        """Reach the brokers.

        Errors: UnreachedError.
        """
        await self._publisher.start()
        self.why = None

    async def run(self) -> None:
        """Work until `close`, and until nothing waits. However it ends, nobody waits in vain."""
        try:
            while works := await self._next():
                await stand_back(self._before)
                await self._work(works)
                if not self._publisher.is_started and not self._is_closed:
                    await self._reach()
        finally:
            self.why = self.why or "a part of the gateway has failed; its log says how"
            self._empty(self.why)

    async def _next(self) -> list[_Work]:
        """What waits, within bounds; nothing once the lane is closed and empty."""
        while not self._waiting:
            self._idle.set()
            if self._is_closed:
                return []
            self._came.clear()
            await self._came.wait()
        works: list[_Work] = []
        messages = size = 0
        while self._waiting and messages < self._bounds.together and size < self._bounds.together_bytes:
            work = self._waiting.popleft()
            self._hold(work, -1)
            if not work.answer.done():  # nobody waits for it any more: it was not said to be taken
                works.append(work)
                messages, size = messages + len(work.messages), size + work.size
        return works or await self._next()

    async def _work(self, works: list[_Work]) -> None:
        messages = [message for work in works for message in work.messages]
        try:
            loop = asyncio.get_running_loop()
            taken = await loop.run_in_executor(self._thread, self._translator.take_all, messages, self._clock.now())
            await self._publisher.publish(sent for one in taken for sent in one.sends)
        except RefusedError as error:
            self._translator.settle(kept=False)
            await self._one_by_one(works, error)
        except UnreachedError as error:
            self._translator.settle(kept=False)
            self.why = str(error)
            LOG.error("not_taking", of=self._name, reason=self.why)
            self._turn_away(works, str(error))
        except BaseException:
            self._turn_away(works, "the gateway failed")
            raise
        else:
            self._translator.settle(kept=True)
            self._tell(works, taken)

    async def _one_by_one(self, works: list[_Work], error: RefusedError) -> None:
        """Some record of these is not taken by the brokers; whoever sent another message must not suffer for it."""
        if len(works) == 1:
            self._turn_away(works, str(error))
            return
        for work in works:
            try:
                if not self._publisher.is_started:
                    await self._publisher.start()
            except UnreachedError as unreached:
                self._turn_away([work], str(unreached))
            else:
                await self._work([work])

    def _tell(self, works: list[_Work], taken: Sequence[Translated]) -> None:
        outcomes = iter(taken)
        for work in works:
            ours = [next(outcomes) for _ in work.messages]
            for one in ours:
                self._count(one.counts)
            if not work.answer.done():
                work.answer.set_result([one.outcome for one in ours])

    def _turn_away(self, works: Sequence[_Work], why: str) -> None:
        for work in works:
            if not work.answer.done():
                work.answer.set_exception(NotDurableError(why))

    async def _reach(self) -> None:
        """Reach the brokers again; until then whoever waits, and whoever comes, is turned away at once."""
        while not self._is_closed:
            self._empty(self.why or "not connected to any broker")
            try:
                await self._publisher.start()
            except UnreachedError as error:
                self.why = str(error)
                await asyncio.sleep(_AGAIN)
            else:
                self.why = None
                LOG.info("taking_again", of=self._name)
                return

    def _empty(self, why: str) -> None:
        while self._waiting:
            work = self._waiting.popleft()
            self._hold(work, -1)
            self._turn_away([work], why)

    # ---- the end

    def close(self) -> None:
        """Take nothing more; `run` ends once nothing waits."""
        self._is_closed = True
        self.why = "the gateway is stopping"
        self._came.set()

    async def release(self) -> None:
        """Let go of everything; whoever still waits is turned away."""
        self._empty("the gateway is stopping")
        await self._publisher.stop()
        self._thread.shutdown(wait=False, cancel_futures=True)


async def stand_back(before: Sequence[Lane]) -> None:
    """Let lanes that go first come to rest; not for long, so that nothing stands still."""
    for lane in before:
        try:
            await asyncio.wait_for(lane.is_idle(), _PATIENCE)
        except TimeoutError:
            continue
