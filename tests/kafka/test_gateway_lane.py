"""A way of messages: who is answered, when, and what happens to the others; the brokers are played by a plain list."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest
from aiokafka.structs import OffsetAndMetadata, TopicPartition

from schemas.topics import EVENTS
from schemas.wire import decode, encode
from streams.kafka.connection import Connection
from streams.kafka.gateway_lane import Bounds, Lane
from streams.kafka.patients import KnownPatients
from streams.kafka.publisher import Publisher, RefusedError, UnreachedError
from streams.kafka.translating import Translator
from streams.kafka.work import Count, Sent
from streams.node.clock import SystemClock
from streams.node.port import Incoming, NotDurableError, Outcome, QueueFullError
from tests.kafka.test_gateway import CITY
from tests.kafka.test_translating import DATED
from tests.node.http_clinic import calcium

NOW = datetime(2026, 3, 16, 12, tzinfo=UTC)
WIDE = Bounds(100, 1 << 20, 100, 1 << 20)


class Brokers(Publisher):
    """Takes what it is told to take, into a list; `batches` are the ids that came together."""

    def __init__(self) -> None:
        super().__init__(Connection("nowhere"), {})
        self.batches: list[list[str]] = []
        self.refuses: set[str] = set()
        self.is_there = True
        self.opens = asyncio.Event()
        self.opens.set()
        self._is_started = False

    async def start(self) -> None:
        if not self.is_there:
            raise UnreachedError("nobody is there")
        self._is_started = True

    async def publish(
        self,
        sends: Iterable[Sent],
        read: Mapping[TopicPartition, OffsetAndMetadata] | None = None,
        group: str = "",
    ) -> None:
        del read, group
        ids = [decode(sent.value or b"")["event_id"] for sent in sends if sent.topic == EVENTS.name]
        await self.opens.wait()
        if self.refuses & set(ids):
            self._is_started = False
            raise RefusedError("too large")
        if not self.is_there:
            self._is_started = False
            raise UnreachedError("nobody is there any more")
        self.batches.append(ids)

    @property
    def is_started(self) -> bool:
        return self._is_started

    async def stop(self) -> None:
        self._is_started = False


@dataclass
class Way:
    """A lane and the brokers behind it."""

    lane: Lane
    brokers: Brokers
    counts: Counter[Count] = field(default_factory=Counter)

    async def send(self, *names: str) -> list[str]:
        """Send events as one; what became of each, or why nothing did."""
        messages = [Incoming("events", "event", encode(calcium(name)), NOW) for name in names]
        return await told(self.lane, messages)


async def told(lane: Lane, messages: Sequence[Incoming]) -> list[str]:
    try:
        outcomes: list[Outcome] = await lane.receive_all(messages)
    except QueueFullError:
        return ["full"]
    except NotDurableError as error:
        return [str(error)]
    return [item.outcome for outcome in outcomes for item in outcome.items]


@asynccontextmanager
async def way(*before: Lane, bounds: Bounds = WIDE, runs: bool = True) -> AsyncIterator[Way]:
    with closing(KnownPatients()) as known:
        brokers, counts = Brokers(), Counter[Count]()
        translator = Translator(CITY.settings.site, CITY.tables, known)
        lane = Lane("test", translator, brokers, bounds, SystemClock(), counts.update, before)
        await lane.start()
        task = asyncio.create_task(lane.run()) if runs else None
        yield Way(lane, brokers, counts)
        lane.close()
        brokers.opens.set()
        if task is not None:
            await asyncio.wait_for(task, 10)
        await lane.release()


async def asked(*sending: Any) -> "list[asyncio.Task[list[str]]]":
    tasks = [asyncio.create_task(each) for each in sending]
    await asyncio.sleep(0)
    return tasks


async def test_what_waits_together_is_written_together_and_each_hears_its_own() -> None:
    async with way(runs=False) as clinic:
        waiting = await asked(clinic.send("a", "b"), clinic.send("c"))
        assert not any(task.done() for task in waiting)
        running = asyncio.create_task(clinic.lane.run())
        assert [await task for task in waiting] == [["accepted", "accepted"], ["accepted"]]
        assert clinic.brokers.batches == [["a", "b", "c"]]
        assert clinic.counts["messages", MESSAGE] == 3
        clinic.lane.close()
        await running


MESSAGE = ("channel", "events"), ("format", "event"), ("outcome", "accepted")


async def test_nobody_is_answered_before_the_brokers_have_answered() -> None:
    async with way() as clinic:
        clinic.brokers.opens.clear()
        (waiting,) = await asked(clinic.send("a"))
        await asyncio.sleep(0.1)
        assert not waiting.done()
        clinic.brokers.opens.set()
        assert await waiting == ["accepted"]


async def test_a_message_that_brokers_refuse_costs_no_other_that_came_with_it() -> None:
    async with way(runs=False) as clinic:
        clinic.brokers.refuses = {"large"}
        waiting = await asked(clinic.send("a"), clinic.send("large"), clinic.send("b"))
        running = asyncio.create_task(clinic.lane.run())
        assert [await task for task in waiting] == [["accepted"], ["too large"], ["accepted"]]
        assert await clinic.send("after") == ["accepted"]
        assert clinic.brokers.batches == [["a"], ["b"], ["after"]]
        clinic.lane.close()
        await running


async def test_when_nobody_is_there_all_are_turned_away_until_somebody_is() -> None:
    async with way() as clinic:
        clinic.brokers.is_there = False
        clinic.brokers.opens.clear()
        (first,) = await asked(clinic.send("first"))
        await asyncio.sleep(0.05)
        (behind,) = await asked(clinic.send("behind"))
        clinic.brokers.opens.set()
        assert [await first, await behind] == [["nobody is there any more"]] * 2
        (later,) = await clinic.send("later")
        assert later.startswith("nobody is there")
        clinic.brokers.is_there = True
        async with asyncio.timeout(10):
            while clinic.lane.why is not None:  # noqa: ASYNC110 - it looks by itself, every second
                await asyncio.sleep(0.05)
        assert await clinic.send("again") == ["accepted"]
        assert clinic.brokers.batches == [["again"]]


async def test_what_was_not_kept_taught_nothing() -> None:
    async with way() as clinic:
        patient = Incoming("fhir", "fhir", encode(DATED), NOW)
        clinic.brokers.is_there = False
        assert await told(clinic.lane, [patient]) == ["nobody is there any more"]
        clinic.brokers.is_there = True
        async with asyncio.timeout(10):
            while clinic.lane.why is not None:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        assert await told(clinic.lane, [patient]) == ["accepted", "accepted"], "it is linked again"
        assert await told(clinic.lane, [patient]) == ["accepted"]


@pytest.mark.parametrize(
    ("waiting", "answers"), [(3, ["accepted"]), (4, ["full"])], ids=["as many as may wait", "one more"]
)
async def test_so_many_may_wait_and_no_more(waiting: int, answers: list[str]) -> None:
    async with way(bounds=Bounds(4, 1 << 20, 4, 1 << 20), runs=False) as clinic:
        tasks = await asked(*(clinic.send(f"e{n}") for n in range(waiting)))
        (last,) = await asked(clinic.send("last"))
        running = asyncio.create_task(clinic.lane.run())
        assert await last == answers
        assert [await task for task in tasks] == [["accepted"]] * waiting
        clinic.lane.close()
        await running


async def test_what_is_too_much_by_itself_is_taken_when_nothing_else_waits() -> None:
    async with way(bounds=Bounds(2, 64, 2, 64)) as clinic:
        assert await clinic.send("a", "b", "c", "d") == ["accepted"] * 4


async def test_no_more_is_taken_together_than_the_bounds_say() -> None:
    async with way(bounds=Bounds(100, 1 << 20, 2, 1 << 20), runs=False) as clinic:
        tasks = await asked(*(clinic.send(f"e{n}") for n in range(5)))
        running = asyncio.create_task(clinic.lane.run())
        await asyncio.gather(*tasks)
        assert clinic.brokers.batches == [["e0", "e1"], ["e2", "e3"], ["e4"]]
        clinic.lane.close()
        await running


async def test_whoever_does_not_wait_any_more_is_not_written() -> None:
    """Its sender was cut off, and hears nothing; sent again it is taken then."""
    async with way(runs=False) as clinic:
        gone, stays = await asked(clinic.send("gone"), clinic.send("stays"))
        gone.cancel()
        await asyncio.sleep(0)
        running = asyncio.create_task(clinic.lane.run())
        assert await stays == ["accepted"]
        assert clinic.brokers.batches == [["stays"]]
        clinic.lane.close()
        await running


async def test_bulk_stands_back_while_live_is_busy_but_never_stands_still() -> None:
    async with way() as live, way(live.lane) as bulk:
        live.brokers.opens.clear()
        (urgent,) = await asked(live.send("live"))
        began = asyncio.get_running_loop().time()
        assert await bulk.send("bulk") == ["accepted"]
        assert asyncio.get_running_loop().time() - began >= 0.2
        assert not urgent.done()


async def test_bulk_goes_on_once_live_rests(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streams.kafka.gateway_lane._PATIENCE", 600)
    async with way() as live, way(live.lane) as bulk:
        live.brokers.opens.clear()
        urgent, old = await asked(live.send("live"), bulk.send("bulk"))
        await asyncio.sleep(0.1)
        assert bulk.brokers.batches == []
        live.brokers.opens.set()
        assert [await urgent, await asyncio.wait_for(old, 20)] == [["accepted"]] * 2


async def test_what_waits_at_the_end_is_written_and_who_comes_later_is_turned_away() -> None:
    async with way(runs=False) as clinic:
        (waiting,) = await asked(clinic.send("a"))
        clinic.lane.close()
        assert await clinic.send("late") == ["the gateway is stopping"]
        await clinic.lane.run()
        assert (await waiting, clinic.brokers.batches) == (["accepted"], [["a"]])
