"""The canary goes the whole way and leaves nothing behind; when it cannot, the gauge grows."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from schemas.wire import encode
from streams.intake.site import Site
from streams.monitor import Monitor
from streams.node.canary import SANG, Canary
from streams.node.store_reading import Reading
from tests.node.engine_clinic import SOON, Node, node
from tests.node.http_clinic import NOW, calcium
from tests.node.serving import served, until
from tests.support import tables
from tests.wards import monitor

OWN = {"clock", "canary"}
"""What the store remembers of itself and a song may change."""


def canary_of(at: Node) -> Canary:
    """A canary of a node that runs already: nothing else is in its queue."""
    canary: Canary = at.engine.call(
        lambda _: Canary(at.engine, at.store, at.reading, at.monitor, tables(), Site(), at.clock)
    ).result(SOON)
    return canary


def critical(at: Node, patient: str) -> None:
    """A pregnancy and a calcium that is told of."""
    pregnancy = {"kind": "pregnancy", "status": "pregnant", "last_menstrual_period": "2025-10-20"}
    known = calcium(f"{patient} pregnancy", patient=patient)
    told = {name: known[name] for name in ("event_id", "patient_id", "source", "record_id", "recorded_at")}
    outcome = at.take(encode([told | pregnancy, calcium(f"{patient} calcium", patient=patient)]))
    assert [item.outcome for item in outcome.items] == ["accepted", "accepted"]


def content(at: Node) -> dict[str, list[Any]]:
    """Every row of every table, the numbers that were ever used included."""
    db = Reading(at.folder)._db  # noqa: SLF001 - a look at all that there is
    names = [name for (name,) in db.execute("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name")]
    rows = {name: sorted(map(repr, db.execute(f'SELECT * FROM "{name}"'))) for name in names}  # noqa: S608 - names
    rows["setting"] = [row for row in rows["setting"] if not any(f"'{name}'" in row for name in OWN)]
    db.close()
    return rows


@contextmanager
def hospital(folder: Path, rules: Monitor | None = None) -> Iterator[tuple[Node, Canary]]:
    """A node with one critical calcium in a pregnancy, and its canary."""
    with node(folder, NOW, rules=rules) as at:
        critical(at, "first")
        yield at, canary_of(at)


async def test_a_song_is_heard_and_leaves_no_row_no_number_and_nothing_in_memory(tmp_path: Path) -> None:
    with hospital(tmp_path) as (at, canary):
        before = content(at)
        assert [await canary.sing() for _ in range(3)] == [True] * 3
        assert content(at) == before
        critical(at, "second")
        assert [told.ordinal for told in at.reading.notices()] == [1, 2]
        assert sum(c.value for c in at.reading.counters() if c.family == "events") == 4
        assert len(at.standing()) == 2


async def test_the_way_it_goes_has_a_notice_in_the_outbox(tmp_path: Path) -> None:
    """A monitor whose rules find nothing makes no notice, and then nothing is heard."""
    whole = monitor()
    silent = Monitor(whole.pack, whole.tables, whole.calendar, rules=())
    with hospital(tmp_path, silent) as (at, canary):
        assert not await canary.sing()
        waited = canary.seconds()
        await asyncio.sleep(0.01)
        assert canary.seconds() > waited
        critical(at, "second")


async def test_while_the_engine_is_held_up_the_gauge_grows_and_afterwards_it_falls(tmp_path: Path) -> None:
    with hospital(tmp_path) as (at, canary):
        assert await canary.sing()
        quick = canary.seconds()
        held = threading.Event()
        at.engine.call(lambda _: held.wait(SOON))
        singing = asyncio.create_task(canary.sing())
        await until(lambda: canary.seconds() > quick + 0.2)
        held.set()
        assert await singing
        assert canary.seconds() >= 0.2  # that song took so long, and says so
        assert await canary.sing()
        assert canary.seconds() < 0.2


async def test_the_log_says_once_that_it_is_silent_and_once_that_it_is_heard_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with hospital(tmp_path) as (at, canary), caplog.at_level("INFO", "trabecula.canary"):
        assert await canary.sing()
        at.reading.close()  # whatever fails: here nobody sees what was committed
        assert [await canary.sing(), await canary.sing()] == [False, False]
        canary._reading = again = Reading(at.folder)  # noqa: SLF001 - as if the disk could be read again
        assert [await canary.sing(), await canary.sing()] == [True, True]
        again.close()
        said = [record.getMessage() for record in caplog.records]
    assert ["canary_silent" in said[0], "canary_heard" in said[1], len(said)] == [True, True, 2]
    assert "ConnectionClosedError" in said[0]


async def test_a_song_that_a_stopped_engine_did_not_take_is_waited_for(tmp_path: Path) -> None:
    with hospital(tmp_path) as (at, canary):
        assert at.engine.close(SOON)
        assert [await canary.sing(), await canary.sing()] == [False, False]
        waited = canary.seconds()
        await asyncio.sleep(0.01)
        assert canary.seconds() > waited > 0


async def test_nobody_sees_the_canary_of_a_node_but_in_its_gauge(tmp_path: Path) -> None:
    async with served(tmp_path, canary=0.02) as at:
        await until(lambda: at.running.reading.setting(SANG))
        seen = await at.metrics()
        assert 0 < (seen.of("trabecula_canary_seconds") or 0) < SOON
        assert seen.of("trabecula_patients") == 0
        assert seen.of("trabecula_decision_seconds_count") == 0
        assert not any(map(seen.members, ("trabecula_events_total", "trabecula_feed_silence_seconds")))
        assert not any(
            "canary" in label for name in seen.names for labels in seen.members(name) for label in labels.values()
        )
        assert (await at.http.get("/v1/alerts?state=all")).json()["items"] == []
        assert at.running.reading.notices() == []
        assert "canary" not in (await at.http.get("/")).text
