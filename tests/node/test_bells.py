"""Whoever waits for notices is woken by the commit that makes them durable."""

import asyncio
from pathlib import Path

import pytest

from streams.node.bells import Bells
from tests.delivery.receiving import AT, notice, server, webhook
from tests.node.engine_clinic import SOON, node
from tests.node.test_delivery import delivering, put, until


async def test_a_courier_is_woken_and_does_not_look(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streams.node.delivery_courier._LOOK", 3_600.0)
    with server() as ward, node(tmp_path, AT) as made:
        async with delivering(made, webhook(ward.url)):
            for number in range(1, 6):
                put(made, [notice(number)])
                await until(lambda number=number: len(ward.taken) == number)  # type: ignore[misc]


async def test_it_rings_once_a_commit_and_not_for_what_was_taken_back(tmp_path: Path) -> None:
    rung: list[int] = []
    with node(tmp_path, AT) as made:
        take_down = made.store.bells.hang(lambda: rung.append(1))
        put(made, [notice(1), notice(2), notice(1, alert="B")])
        await until(lambda: len(rung) == 1)
        made.engine.call(lambda _desk: None).result(SOON)
        put(made, [notice(1)])  # it is there
        await asyncio.sleep(0)
        take_down()
        put(made, [notice(3)])
        await asyncio.sleep(0.02)
    assert len(rung) == 1


def test_a_loop_that_is_over_is_nobody_to_wake() -> None:
    bells = Bells()

    async def hang() -> None:
        bells.hang(lambda: None)

    asyncio.run(hang())
    bells.ring()
