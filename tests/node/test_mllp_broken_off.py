"""Messages that never ended: what came of them is kept, nobody is told, and there is a bound."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from streams.node.acknowledgement import read_header
from streams.node.clock import SystemClock
from streams.node.mllp import MllpServer, MllpSettings, serve_mllp
from streams.node.mllp.keeping import Allowance
from streams.node.port import NotDurableError
from tests.node.engine_clinic import SOON, Node
from tests.node.mllp_clinic import FakeReceiver, Tally, block, connected, listening, message


async def broken_off(server: MllpServer, sent: bytes, tally: Tally, times: int) -> None:
    """Send something and go, until that was noticed."""
    async with connected(server) as sender:
        await sender.send(sent)
    await tally.until("broken_off", times)


async def test_a_message_that_another_one_cuts_off_is_kept_and_not_answered() -> None:
    receiver, tally = FakeReceiver(), Tally()
    half = message("M1")[:90]
    async with listening(receiver, tally) as server, connected(server) as sender:
        await sender.send(b"\x0b" + half + block(message("M2")))
        assert await sender.told() == ("AA", "M2")
    assert receiver.kept == [half]
    (part,) = (each for each in receiver.received if each.refusal)
    assert part.refusal is not None
    assert (part.refusal.refused, part.refusal.reason) == ("ORU^R01 M1", "broken_off: 90 bytes came")


async def test_of_a_large_one_that_breaks_off_the_first_bytes_are_kept() -> None:
    receiver, tally = FakeReceiver(), Tally()
    async with listening(receiver, tally, largest_message=1000) as server:
        await broken_off(server, b"\x0b" + message("M1") + b"x" * 5000, tally, 1)
        await server.stop(within=2)
    assert [len(kept) for kept in receiver.kept] == [1000]


@pytest.mark.parametrize("sent", [b"\x0b\x16\x03\x01\x02", b"\x0bhello", b"\x0bMS"])
async def test_what_has_no_header_is_counted_alone(sent: bytes) -> None:
    receiver, tally = FakeReceiver(), Tally()
    async with listening(receiver, tally) as server:
        await broken_off(server, sent, tally, 1)
        await server.stop(within=2)
    assert tally.counted == {"broken_off": 1, "not_kept": 1}
    assert receiver.received == []


async def test_one_connection_leaves_so_many_and_no_more() -> None:
    receiver, tally = FakeReceiver(), Tally()
    halves = b"".join(b"\x0b" + message(f"M{n}")[:90] for n in range(40))
    async with listening(receiver, tally, parts_of_one=5) as server, connected(server) as sender:
        await sender.send(halves + block(message("LAST")))
        assert await sender.told() == ("AA", "LAST")
    assert len(receiver.kept) == 5
    assert tally.counted == {"broken_off": 40, "not_kept": 35, "accepted": 1}


async def test_many_connections_leave_so_many_together() -> None:
    receiver, tally = FakeReceiver(), Tally()
    async with listening(receiver, tally, parts_an_hour=3) as server:
        for n in range(6):
            await broken_off(server, b"\x0b" + message(f"M{n}"), tally, n + 1)
        await server.stop(within=2)
    assert [read_header(kept).field(10) for kept in receiver.kept] == [b"M0", b"M1", b"M2"]
    assert tally.counted["not_kept"] == 3


def test_an_hour_later_there_is_room_again() -> None:
    at = [0.0]
    allowance = Allowance(MllpSettings(parts_an_hour=2, part_bytes_an_hour=100), lambda: at[0])
    assert [allowance.allows(size) for size in (60, 41, 40, 0)] == [True, False, True, False]
    at[0] = 3_600.0
    assert allowance.allows(100)


async def test_what_could_not_be_kept_is_counted_and_costs_nobody() -> None:
    receiver, tally = FakeReceiver({"M1": [NotDurableError("disk full")]}), Tally()
    async with listening(receiver, tally) as server, connected(server) as sender:
        await sender.send(b"\x0b" + message("M1") + block(message("M2")))
        assert await sender.told() == ("AA", "M2")
    assert tally.counted == {"broken_off": 1, "not_kept": 1, "accepted": 1}


# ---- on a node with a store


@pytest.fixture
async def node(tmp_path: Path) -> AsyncIterator[Node]:
    made = Node(tmp_path / "data", datetime(2026, 3, 16, tzinfo=UTC))
    yield made
    made.close()


@pytest.fixture
async def mllp(node: Node) -> AsyncIterator[MllpServer]:
    settings = MllpSettings(largest_message=1000)
    server = await serve_mllp(node.engine, "127.0.0.1", 0, settings, clock=SystemClock().now)
    yield server
    await server.stop(within=2)


async def test_an_oversize_message_is_a_dead_letter_when_it_is_refused(node: Node, mllp: MllpServer) -> None:
    whole = message("BIG") + b"x" * 9_000
    async with connected(mllp) as sender:
        await sender.send(block(whole))
        answer = (await sender.answer()).decode()
    assert "MSA|AR|BIG" in answer
    assert f"oversize: {len(whole)} bytes" in answer
    (letter,) = node.reading.dead_letters()
    assert (letter.refused, letter.format, letter.times) == ("ORU^R01 BIG", "part", 1)
    kept = node.reading.dead_letter(letter.letter_id)
    assert kept is not None
    assert kept[1] == whole[:1000]


async def test_a_part_is_never_read_also_when_it_is_sent_again_by_hand(node: Node, mllp: MllpServer) -> None:
    """The first half of a laboratory report is a message that reads well and says something else."""
    whole = message("M1")
    async with connected(mllp) as sender:
        await sender.send(b"\x0b" + whole + block(message("M2")))
        assert (await sender.told())[1] == "M2"
    letter = next(each for each in node.reading.dead_letters() if each.format == "part")
    assert (letter.refused, letter.reason) == ("ORU^R01 M1", f"broken_off: {len(whole)} bytes came")
    outcome = node.engine.redrive(letter.letter_id).result(SOON)
    assert outcome is not None
    assert (outcome.refused_whole, outcome.items) == (True, ())
    assert node.reading.dead_letter(letter.letter_id) is not None
    words = {dict(each.labels).get("reason") for each in node.reading.counters() if each.family == "dead_letters"}
    assert "broken_off" in words
