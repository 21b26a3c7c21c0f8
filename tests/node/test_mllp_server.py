"""The listener: durable before it says so, one message of a connection at a time, and no sender costs another."""

import asyncio
import socket
import time

import pytest

from streams.intake.outcome import Refusal
from streams.node.mllp import MllpSettings, serve_mllp
from streams.node.port import NotDurableError, QueueFullError
from tests.node.mllp_clinic import (
    REFUSED,
    FakeReceiver,
    Tally,
    block,
    connected,
    control_of,
    listening,
    message,
    until,
)

# ---- answers


async def test_a_message_is_answered_once_it_is_durable() -> None:
    receiver = FakeReceiver()
    receiver.open.clear()
    async with listening(receiver) as server, connected(server) as sender:
        await sender.send(block(message("M1")))
        await until(lambda: receiver.at_once == 1)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(sender.reader.read(1), 0.1)
        receiver.open.set()
        assert await sender.told() == ("AA", "M1")
        assert receiver.durable == [message("M1")]


async def test_the_receiver_gets_the_message_as_it_was_sent() -> None:
    receiver = FakeReceiver()
    sent = message("M1", ends="\r\n")[:-2]
    async with listening(receiver) as server, connected(server) as sender:
        await sender.send(block(sent))
        await sender.told()
    (taken,) = receiver.received
    assert (taken.channel, taken.format, taken.raw, taken.feed) == ("mllp", "hl7v2", sent, None)
    assert taken.received_at.tzinfo is not None


async def test_a_bad_message_never_costs_the_next_one() -> None:
    """Refused, broken, failed, empty, too large, without a frame: the next one on the connection is taken."""
    receiver = FakeReceiver(
        {"BAD": REFUSED, "LATER": [NotDurableError("full")], "BUSY": [QueueFullError("9")], "BUG": [KeyError("x")]}
    )
    tally = Tally()
    between = [
        (block(message("BAD")), ("AR", "BAD")),
        (block(message("LATER")), ("AE", "LATER")),
        (block(message("BUSY")), ("AE", "BUSY")),
        (block(message("BUG")), ("AE", "BUG")),
        (block(b"PID|1||4711\r"), ("AR", "")),
        (block(message("BIG") + b"x" * 3000), ("AR", "BIG")),
        (b"noise" + block(b""), None),
        (b"\x0b" + message("HALF")[:60], None),
    ]
    async with listening(receiver, tally, largest_message=2000) as server, connected(server) as sender:
        for number, (sent, expected) in enumerate(between):
            await sender.send(sent + block(message(f"GOOD{number}")))
            if expected:
                assert await sender.told() == expected
            assert await sender.told() == ("AA", f"GOOD{number}")
    assert tally.counted == {"accepted": 8, "refused": 2, "error": 3, "oversize": 1, "junk": 2, "broken_off": 1}


async def test_what_failed_is_accepted_when_it_comes_again() -> None:
    receiver = FakeReceiver({"M1": [NotDurableError("disk full")]})
    async with listening(receiver) as server, connected(server) as sender:
        for expected in ("AE", "AA", "AA"):
            await sender.send(block(message("M1")))
            assert await sender.told() == (expected, "M1")
    assert receiver.durable == [message("M1")]


async def test_of_an_oversize_message_the_first_bytes_are_kept_before_it_is_refused() -> None:
    receiver = FakeReceiver({"BIG": [NotDurableError("disk full")]})
    whole = message("BIG") + b"x" * 2_500_000
    async with listening(receiver, largest_message=1000) as server, connected(server) as sender:
        for expected in ("AE", "AR"):
            await sender.send(block(whole))
            assert await sender.told() == (expected, "BIG")
    assert receiver.kept == [whole[:1000]]
    (part,) = {(each.format, each.refusal) for each in receiver.received}
    assert part[0] == "part"
    assert part[1] == Refusal(
        "ORU^R01 BIG", f"oversize: {len(whole)} bytes; accepted: up to 1000 bytes a message", "MSH[1]"
    )
    assert receiver.durable == []


async def test_a_sender_without_the_last_cr_is_answered() -> None:
    async with listening(FakeReceiver(), quiet_after=0.05) as server, connected(server) as sender:
        for control in ("M1", "M2"):
            await sender.send(b"\x0b" + message(control)[:-1] + b"\x1c")
            assert await sender.told() == ("AA", control)


async def test_enhanced_mode_is_answered_in_order() -> None:
    async with listening(FakeReceiver()) as server, connected(server) as sender:
        await sender.send(block(message("M1", more="|||AL|AL")) + block(message("M2", more="|||AL|NE")))
        assert [await sender.told() for _ in range(3)] == [("CA", "M1"), ("AA", "M1"), ("CA", "M2")]


async def test_a_sender_that_would_not_hear_of_a_failure_is_held_up_instead() -> None:
    """MSH-15 and MSH-16 NE: nobody would send the message again, so it is offered until it is durable."""
    receiver = FakeReceiver({"QUIET": [NotDurableError("full", 0.01), QueueFullError("9", 0.01)]})
    async with listening(receiver) as server, connected(server) as sender:
        await sender.send(block(message("QUIET", more="|||NE|NE")) + block(message("M2")))
        assert await sender.told() == ("AA", "M2")
    assert [control_of(raw) for raw in receiver.durable] == ["QUIET", "M2"]


# ---- one at a time


async def test_one_message_of_a_connection_is_decided_at_a_time() -> None:
    receiver = FakeReceiver(takes=0.002)
    async with listening(receiver) as server, connected(server) as sender:
        await sender.send(b"".join(block(message(f"M{n}")) for n in range(50)))
        assert [await sender.told() for _ in range(50)] == [("AA", f"M{n}") for n in range(50)]
    assert receiver.most_at_once == 1


async def test_nothing_is_read_while_a_message_waits() -> None:
    """A sender that does not wait for answers is held up by TCP; what is buffered of it is bounded."""
    receiver = FakeReceiver()
    receiver.open.clear()
    async with listening(receiver) as server:
        sending = socket.create_connection(server.address)
        sending.settimeout(0)
        sending.send(block(message("M1")))
        await until(lambda: receiver.at_once == 1)
        taken = 0
        for _ in range(400):
            try:
                taken += sending.send(b"\x0b" + b"x" * 1_000_000)
            except BlockingIOError:
                await asyncio.sleep(0.001)
        assert taken < 32_000_000
        assert len(receiver.received) == 1
        sending.close()
        receiver.open.set()


async def test_connections_are_decided_beside_each_other() -> None:
    receiver = FakeReceiver(takes=0.05)
    async with listening(receiver) as server, connected(server) as one, connected(server) as other:
        for sender, control in ((one, "A"), (other, "B")):
            await sender.send(block(message(control)))
        assert (await one.told(), await other.told()) == (("AA", "A"), ("AA", "B"))
    assert receiver.most_at_once == 2


# ---- how many, how much


async def test_two_hundred_connections_at_once() -> None:
    receiver = FakeReceiver(takes=0.01)
    tally = Tally()

    async def feed(name: int) -> list[tuple[str, str]]:
        async with connected(server) as sender:
            told = []
            for number in range(5):
                await sender.send(block(message(f"{name}-{number}")))
                told.append(await sender.told())
            return told

    async with listening(receiver, tally) as server:
        found = await asyncio.gather(*(feed(name) for name in range(200)))
    assert found == [[("AA", f"{name}-{number}") for number in range(5)] for name in range(200)]
    assert tally.counted == {"accepted": 1000}
    assert len(receiver.durable) == 1000


async def test_one_connection_too_many_is_closed_and_the_others_go_on() -> None:
    tally = Tally()
    async with listening(FakeReceiver(), tally, most_connections=2) as server, connected(server) as one:
        await one.send(block(message("M1")))
        assert await one.told() == ("AA", "M1")
        async with connected(server) as two, connected(server) as three:
            assert await three.rest() == b""
            await two.send(block(message("M2")))
            assert await two.told() == ("AA", "M2")
        assert tally.counted["too_many_connections"] == 1
        await asyncio.sleep(0.1)  # until the listener has seen that two and three are gone
        async with connected(server) as four:
            await four.send(block(message("M4")))
            assert await four.told() == ("AA", "M4")


async def test_unfinished_messages_have_a_bound_together() -> None:
    tally = Tally()
    async with listening(FakeReceiver(), tally, most_held=300_000) as server:
        async with connected(server) as one, connected(server) as two:
            await one.send(b"\x0b" + b"x" * 200_000)
            await asyncio.sleep(0.05)
            await two.send(b"\x0b" + b"x" * 200_000)
            await tally.until("overfull")
            assert await two.rest() == b""
            await one.send(b"\x1c\r")
            assert await one.told() == ("AR", "")
        async with connected(server) as three:
            await three.send(b"\x0b" + b"x" * 200_000 + b"\x1c\r")
            assert await three.told() == ("AR", "")
    assert tally.counted["overfull"] == 1


# ---- stopping


async def test_a_stop_finishes_what_is_being_decided_and_answers_it() -> None:
    receiver = FakeReceiver()
    receiver.open.clear()
    async with listening(receiver) as server, connected(server) as deciding, connected(server) as waiting:
        await deciding.send(block(message("M1")) + block(message("M2")))
        await until(lambda: receiver.at_once == 1)
        stopping = asyncio.create_task(server.stop(within=5))
        assert await waiting.rest() == b""
        with pytest.raises(ConnectionError):
            await asyncio.open_connection(*server.address)
        receiver.open.set()
        assert await deciding.told() == ("AA", "M1")
        assert await deciding.rest() == b""
        await stopping
    assert [control_of(taken.raw) for taken in receiver.received] == ["M1"]


async def test_a_stop_does_not_wait_for_ever() -> None:
    reported: list[dict[str, object]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: reported.append(context))
    receiver = FakeReceiver()
    receiver.open.clear()
    async with listening(receiver) as server, connected(server) as sender:
        await sender.send(block(message("M1")))
        await until(lambda: receiver.at_once == 1)
        begun = time.monotonic()
        await server.stop(within=0.1)
        assert time.monotonic() - begun < 2
        assert await sender.rest() == b""
    assert receiver.durable == []
    assert reported == []


async def test_a_stop_ends_the_wait_of_a_sender_that_would_hear_nothing() -> None:
    receiver = FakeReceiver({"M1": [NotDurableError("stopping", 60.0)]})
    tally = Tally()
    async with listening(receiver, tally) as server, connected(server) as sender:
        await sender.send(block(message("M1", more="|||NE|NE")))
        await until(lambda: len(receiver.received) == 1)
        await asyncio.sleep(0.02)
        await server.stop(within=5)
        assert await sender.rest() == b""
    assert receiver.durable == [message("M1", more="|||NE|NE")]
    assert tally.counted == {"accepted": 1}


async def test_a_stop_in_the_middle_of_a_message_answers_nothing() -> None:
    async with listening(FakeReceiver()) as server, connected(server) as sender:
        await sender.send(b"\x0b" + message("M1"))
        await asyncio.sleep(0.02)
        await server.stop()
        assert await sender.rest() == b""


# ---- addresses and settings


async def test_port_0_is_a_free_one_and_is_told() -> None:
    async with listening(FakeReceiver()) as server:
        assert server.address[0] == "127.0.0.1"
        assert server.address[1] > 0


async def test_a_name_with_several_addresses_has_one_free_port() -> None:
    server = await serve_mllp(FakeReceiver(), "localhost", 0, MllpSettings())
    async with connected(server) as sender:
        await sender.send(block(message("M1")))
        assert await sender.told() == ("AA", "M1")
    await server.stop()


async def test_an_address_in_use_is_refused() -> None:
    async with listening(FakeReceiver()) as server:
        with pytest.raises(OSError, match="address"):
            await serve_mllp(FakeReceiver(), *server.address, MllpSettings())


async def test_names_of_clients_without_certificates_to_check_are_refused() -> None:
    with pytest.raises(ValueError, match="client authority"):
        await serve_mllp(FakeReceiver(), "127.0.0.1", 0, MllpSettings(clients=frozenset({"lab"})))


def test_limits_are_more_than_nothing() -> None:
    with pytest.raises(ValueError, match="idle_after"):
        MllpSettings(idle_after=0)
