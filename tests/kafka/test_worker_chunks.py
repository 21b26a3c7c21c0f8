"""Chunks grow with the backlog, within bounds of number, size and time."""

import asyncio
from collections.abc import Sequence

import pytest

from streams.kafka.chunks import Chunk, Inbox, Pace
from streams.kafka.work import Given, Work


def given(offset: int, value: bytes = b"value") -> Given:
    return Given(0, offset, 0, b"key", value)


class Fetched:
    """A partition with so many records, of which a fetch brings fifty."""

    def __init__(self, count: int, value: bytes = b"value") -> None:
        self._records = [given(offset, value) for offset in range(count)]

    async def __call__(self, _: int) -> Sequence[Given]:
        found, self._records = self._records[:50], self._records[50:]
        if not found:
            await asyncio.Event().wait()
        return found


async def filled(fetched: Fetched, most: int) -> tuple[Inbox, asyncio.Task[None]]:
    inbox = Inbox(0, fetched, most)
    task = asyncio.create_task(inbox.fill())
    for _ in range(20):
        await asyncio.sleep(0)
    return inbox, task


async def test_a_record_alone_is_taken_at_once() -> None:
    inbox, task = await filled(Fetched(1), 100)
    assert await inbox.wait(10)
    assert [record.offset for record in inbox.take(100)] == [0]
    assert not await inbox.wait(0)
    task.cancel()


async def test_as_many_are_taken_as_there_are_up_to_a_chunk_and_in_order() -> None:
    inbox, task = await filled(Fetched(150), 100)
    assert [record.offset for record in inbox.take(100)] == list(range(100))
    assert [record.offset for record in inbox.take(100)] == list(range(100, 150))
    task.cancel()


async def test_no_more_is_fetched_than_there_is_room_for() -> None:
    inbox, task = await filled(Fetched(10_000), 100)
    assert len(inbox) == 200
    inbox.take(100)
    for _ in range(20):
        await asyncio.sleep(0)
    assert len(inbox) == 200
    task.cancel()


async def test_large_records_fill_a_chunk_by_their_size() -> None:
    inbox, task = await filled(Fetched(100, b"x" * 1024 * 1024), 100)
    assert len(inbox) == 50
    assert len(inbox.take(100)) == 4
    task.cancel()


async def test_whoever_waits_in_vain_is_told_in_time() -> None:
    inbox, task = await filled(Fetched(0), 100)
    assert not await inbox.wait(0.01)
    task.cancel()


async def test_an_error_of_a_fetch_ends_the_filling() -> None:
    async def fails(*_: int) -> Sequence[Given]:
        raise ConnectionError

    with pytest.raises(ConnectionError):
        await Inbox(0, fails, 100).fill()


@pytest.mark.parametrize(
    ("seconds", "most"),
    [(0.0001, 1_000), (0.2, 1_000), (0.4, 500), (200.0, 1), (1_000.0, 1)],
)
def test_a_chunk_takes_a_moment_to_decide_on(seconds: float, most: int) -> None:
    pace = Pace(1_000)
    pace.took(seconds, 1_000)
    assert pace.most == most


def test_after_slow_records_a_chunk_grows_by_doubling() -> None:
    pace = Pace(1_000)
    pace.took(20.0, 1_000)
    grown = []
    for _ in range(8):
        pace.took(0.00001, 1)
        grown.append(pace.most)
    assert grown == [20, 40, 80, 160, 320, 640, 1_000, 1_000]


async def test_a_mistake_is_told_to_whoever_waits_for_the_work() -> None:
    def fails(_: list[Given]) -> Work:
        raise ValueError("asked to")

    chunk = Chunk([given(7)], fails)
    chunk.take()
    with pytest.raises(ValueError, match="asked to"):
        await chunk.work


async def test_a_chunk_that_nobody_waits_for_any_more_is_not_decided_on() -> None:
    chunk = Chunk([given(7)], lambda _: pytest.fail("decided"))
    chunk.work.cancel()
    chunk.take()
    assert chunk.work.cancelled()


async def test_a_chunk_reads_the_partition_up_to_behind_its_last_record() -> None:
    chunk = Chunk([given(7), given(9)], lambda _: Work())
    chunk.take()
    assert (chunk.next_offset, await chunk.work) == (10, Work())
