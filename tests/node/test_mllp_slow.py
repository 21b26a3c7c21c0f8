"""Senders that are slow, silent or gone: each costs only itself, and only for so long."""

import asyncio
import socket
import time

import pytest

from tests.node.mllp_clinic import (
    FakeReceiver,
    Tally,
    block,
    connected,
    listening,
    message,
    until,
)


async def test_a_silent_connection_is_closed() -> None:
    tally = Tally()
    async with listening(FakeReceiver(), tally, idle_after=0.1) as server, connected(server) as sender:
        assert await sender.rest() == b""
    assert tally.counted == {"idle": 1}


async def test_junk_does_not_keep_a_connection_open() -> None:
    tally = Tally()
    async with listening(FakeReceiver(), tally, idle_after=0.2) as server, connected(server) as sender:
        with pytest.raises(ConnectionError):
            await sender.trickle(b"junk" * 500, 4)
    assert tally.counted == {"junk": 1, "idle": 1}


async def test_a_message_that_does_not_complete_in_time_is_cut_off() -> None:
    """A slow loris: a byte now and then keeps nothing open."""
    tally = Tally()
    receiver = FakeReceiver()
    async with listening(receiver, tally, message_within=0.2) as server, connected(server) as sender:
        begun = time.monotonic()
        with pytest.raises(ConnectionError):
            await sender.trickle(b"\x0b" + message("M1") * 9)
        assert time.monotonic() - begun < 5
    assert tally.counted == {"too_slow": 1, "broken_off": 1}
    (kept,) = receiver.kept
    assert message("M1").startswith(kept)


async def test_file_separators_do_not_buy_time_for_ever() -> None:
    """Each could be the end of the block; the time of the message holds all the same."""
    async with listening(FakeReceiver(), message_within=0.2, quiet_after=0.1) as server, connected(server) as sender:
        await sender.send(b"\x0b" + message("M1")[:-1])
        await sender.trickle(b"x\x1c" * 40, 2)
        assert await sender.told() == ("AA", "M1")


async def test_the_time_of_a_message_does_not_run_while_another_is_decided() -> None:
    receiver = FakeReceiver(takes=0.3)
    async with listening(receiver, message_within=0.2) as server, connected(server) as sender:
        await sender.send(block(message("M1")) + b"\x0b" + message("M2"))
        assert await sender.told() == ("AA", "M1")
        await sender.send(b"\x1c\r")
        assert await sender.told() == ("AA", "M2")


async def test_a_sender_that_reads_no_answers_is_cut_off() -> None:
    tally = Tally()
    async with listening(FakeReceiver(), tally, answer_within=0.3) as server:
        sending = socket.socket()
        sending.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        sending.connect(server.address)
        sending.settimeout(0)
        stream = block(message("M1").replace(b"LAB", b"L" * 8000))  # its answers are as long
        async with asyncio.timeout(30):
            while not tally.counted["too_slow"]:
                try:
                    sending.send(stream)
                except BlockingIOError:
                    pass
                except ConnectionError:
                    break
                await asyncio.sleep(0.001)
            await tally.until("too_slow")
        sending.close()


async def test_a_sender_that_is_killed_mid_message_is_forgotten() -> None:
    tally = Tally()
    receiver = FakeReceiver()
    async with listening(receiver, tally) as server:
        async with connected(server) as sender:
            await sender.send(b"\x0b" + message("M1"))
            await asyncio.sleep(0.02)
        await tally.until("broken_off")
        async with connected(server) as sender:
            await sender.send(block(message("M2")))
            assert await sender.told() == ("AA", "M2")
    assert receiver.durable == [message("M2")]
    assert receiver.kept == [message("M1")]


async def test_a_sender_that_is_killed_before_its_answer_costs_nobody() -> None:
    receiver = FakeReceiver(takes=0.05)
    async with listening(receiver) as server:
        async with connected(server) as sender:
            await sender.send(block(message("M1")))
            await until(lambda: receiver.at_once == 1)
        async with connected(server) as sender:
            await sender.send(block(message("M1")))
            assert await sender.told() == ("AA", "M1")
    assert receiver.durable == [message("M1")]


async def test_a_sender_that_only_listens_any_more_gets_its_answers() -> None:
    """Half-open: its end of sending is closed, as `nc` does."""
    async with listening(FakeReceiver()) as server, connected(server) as sender:
        await sender.send(block(message("M1")) + b"\x0b" + message("M2")[:-1] + b"\x1c")
        sender.writer.write_eof()
        assert [await sender.told(), await sender.told()] == [("AA", "M1"), ("AA", "M2")]
        assert await sender.rest() == b""
