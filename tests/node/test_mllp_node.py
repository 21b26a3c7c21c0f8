"""MLLP into a node with a store: what an acknowledgement promises is in the log, and nothing else is."""

import asyncio
import os
import socket
from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import pytest

from streams.node.clock import SystemClock
from streams.node.mllp import MllpServer, MllpSettings, serve_mllp
from tests.node.engine_clinic import Node
from tests.node.mllp_clinic import Sender, block, connected, until

NOW = datetime(2026, 3, 16, 12, tzinfo=UTC)


@pytest.fixture
async def node(tmp_path: Path) -> AsyncIterator[Node]:
    made = Node(tmp_path / "data", NOW)
    yield made
    made.close()


@pytest.fixture
async def mllp(node: Node) -> AsyncIterator[MllpServer]:
    server = await serve_mllp(node.engine, "127.0.0.1", 0, MllpSettings(), clock=SystemClock().now)
    yield server
    await server.stop(within=2)


def result(control: str, value: str = "62.5", *, number: str = "4711008", more: str = "", name: str = "MUSTER") -> str:
    """A vitamin D result of its own order."""
    segments = (
        f"MSH|^~\\&|LAB|NORTH|TRABECULA|SOUTH|20260316081500+0100||ORU^R01|{control}|P|2.5.1{more}",
        f"PID|1||{number}^^^HOSPITAL^MR||{name}^MARIA||19930504|F",
        f"OBR|1||FI-{control}-{number}|25-OH^^L|||20260316070000+0100",
        f"OBX|1|NM|1989-3^^LN||{value}|nmol/L|||||F|||20260316070000+0100",
    )
    return "\r".join((*segments, ""))


async def told(sender: Sender, message: str | bytes) -> tuple[str, str]:
    await sender.send(block(message if isinstance(message, bytes) else message.encode()))
    return await sender.told()


def values(node: Node, patient: str = "HOSPITAL|4711008") -> list[str]:
    told = (item["event"] for item in node.reading.timeline(patient).items)
    return [str(event["value"]) for event in told if event["kind"] == "lab_result"]


async def test_a_resent_message_is_accepted_again_and_changes_nothing(node: Node, mllp: MllpServer) -> None:
    async with connected(mllp) as sender:
        assert [await told(sender, result("M1")) for _ in range(3)] == [("AA", "M1")] * 3
    async with connected(mllp) as another:
        assert await told(another, result("M1")) == ("AA", "M1")
    assert values(node) == ["62.5"]


async def test_a_batch_in_a_block_is_refused_in_words_that_say_so_and_the_next_message_is_taken(
    node: Node, mllp: MllpServer
) -> None:
    batch = f"FHS|^~\\&|LAB\rBHS|^~\\&|LAB\r{result('M1')}{result('M2')}BTS|2\rFTS|1\r"
    async with connected(mllp) as sender:
        await sender.send(block(batch.encode()))
        answer = await sender.answer()
        assert await told(sender, result("M3")) == ("AA", "M3")
    assert b"MSA|AR|M1" in answer
    assert b"|FHS^1|100^Segment sequence error^HL70357|E||||no batch in a block; accepted: one message (POST" in answer
    assert values(node) == ["62.5"]


async def test_the_same_control_id_with_other_content_is_a_message_of_its_own(node: Node, mllp: MllpServer) -> None:
    async with connected(mllp) as sender:
        assert await told(sender, result("M1", "62.5")) == ("AA", "M1")
        assert await told(sender, result("M1", "41.0")) == ("AA", "M1")
    assert values(node) == ["62.5", "41.0"]


@pytest.mark.parametrize(
    ("charset", "encoding"),
    [("8859/1", "latin-1"), ("8859/15", "iso8859-15"), ("UNICODE UTF-8", "utf-8"), ("", "utf-8")],
)
async def test_the_character_set_is_that_of_the_header(
    node: Node, mllp: MllpServer, charset: str, encoding: str
) -> None:
    adt = result("M1", more=f"||||||{charset}", name="MÜLLER-ÉGÉ").replace("ORU^R01", "ADT^A08")
    async with connected(mllp) as sender:
        await sender.send(block(adt.encode(encoding)))
        answer = await sender.answer()
    assert b"MSA|AA|M1" in answer
    assert answer.split(b"\r")[0].endswith(f"||||||{charset}".encode() if charset else b"|P|2.5.1")
    (event,) = (i["event"] for i in node.reading.timeline("HOSPITAL|4711008").items if i["event"]["kind"] == "patient")
    assert event["name"] == "MARIA MÜLLER-ÉGÉ"


async def test_a_message_in_another_set_than_it_says_is_refused_and_kept(node: Node, mllp: MllpServer) -> None:
    wrong = result("M1", more="||||||UNICODE UTF-8", name="MÜLLER").encode("latin-1")
    async with connected(mllp) as sender:
        assert await told(sender, wrong) == ("AR", "M1")
    (letter,) = node.reading.dead_letters()
    kept = node.reading.dead_letter(letter.letter_id)
    assert kept is not None
    assert kept[1] == wrong


@pytest.mark.parametrize("ends", ["\r", "\n", "\r\n"])
async def test_segments_may_end_in_any_of_the_ways_there_are(node: Node, mllp: MllpServer, ends: str) -> None:
    async with connected(mllp) as sender:
        assert await told(sender, result("M1").replace("\r", ends)) == ("AA", "M1")
    assert values(node) == ["62.5"]


async def test_in_enhanced_mode_the_commit_is_told_and_then_what_became_of_it(node: Node, mllp: MllpServer) -> None:
    async with connected(mllp) as sender:
        await sender.send(block(result("M1", more="|||AL|AL").encode()))
        assert [await sender.told(), await sender.told()] == [("CA", "M1"), ("AA", "M1")]
        assert await told(sender, result("M2", "not a number", more="|||AL|ER")) == ("CR", "M2")
    assert values(node) == ["62.5"]


async def test_many_messages_of_one_read_and_one_message_over_many(node: Node, mllp: MllpServer) -> None:
    stream = b"".join(block(result(f"M{n}", f"{40 + n}.5").encode()) for n in range(6))
    async with connected(mllp) as sender:
        await sender.send(stream[:-300])
        for at in range(len(stream) - 300, len(stream), 25):
            await sender.send(stream[at : at + 25])
            await asyncio.sleep(0)
        assert [await sender.told() for _ in range(6)] == [("AA", f"M{n}") for n in range(6)]
    assert values(node) == [f"{40 + n}.5" for n in range(6)]


async def test_two_hundred_feeds_at_once_are_each_answered_for_their_own(node: Node, mllp: MllpServer) -> None:
    async def feed(number: int) -> list[tuple[str, str]]:
        async with connected(mllp) as sender:
            return [await told(sender, result(f"F{number}-{n}", number=str(number))) for n in range(3)]

    answers = await asyncio.gather(*map(feed, range(200)))
    assert answers == [[("AA", f"F{number}-{n}") for n in range(3)] for number in range(200)]
    assert node.reading.how_many_patients() == 200
    assert all(len(values(node, f"HOSPITAL|{number}")) == 3 for number in (0, 99, 199))


async def test_the_system_looks_for_senders_that_vanished(mllp: MllpServer) -> None:
    """Half-open: whoever lost its power says nothing; TCP asks after a minute."""
    async with connected(mllp) as sender:
        ours = sender.writer.get_extra_info("sockname")
        await until(lambda: kept_alive(ours) == (True, 60))


def kept_alive(address: tuple[str, int]) -> tuple[bool, int] | None:
    """Whether and after how many seconds the system asks whom a connection of this process is with."""
    for descriptor in Path("/proc/self/fd").iterdir():
        with suppress(OSError):
            if not descriptor.is_socket():
                continue
            with socket.socket(fileno=os.dup(int(descriptor.name))) as found:
                if found.family == socket.AF_INET and found.getpeername() == address:
                    asks = bool(found.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE))
                    return asks, found.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE)
    return None
