"""A gateway whose brokers fail: what was said to be taken is there, and whoever was not told so may send again."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest

from schemas.topics import EVENTS, RAW_HL7V2, topics_of_site
from schemas.wire import encode
from streams.kafka.connection import Connection
from streams.kafka.publisher import Publisher, UnreachedError
from streams.kafka.topics import create
from streams.kafka.work import Sent
from tests.kafka.broker import Cluster
from tests.kafka.gateway_clinic import PARTITIONS, WITHIN, Clinic, eventually, gateway, publish, records
from tests.kafka.test_gateway import CITY, RESULTS
from tests.node.http_clinic import calcium
from tests.node.mllp_clinic import block
from tests.node.serving import JSON

COPIES = {topic.name: PARTITIONS if topic.partitions > 1 else 1 for topic in topics_of_site()}


async def status_of(clinic: Clinic, event_id: str) -> tuple[int, str | None]:
    answer = await clinic.http.post("/v1/events", content=encode(calcium(event_id)), headers=JSON)
    return answer.status_code, answer.headers.get("retry-after")


async def test_while_the_broker_is_frozen_nothing_is_acknowledged_and_then_it_goes_on(one_broker: Cluster) -> None:
    (broker,) = one_broker.brokers
    async with gateway(Connection(one_broker.bootstrap), of=CITY) as clinic:
        assert await clinic.post(calcium("before")) == ["accepted"]
        broker.suspend()
        assert await status_of(clinic, "frozen") == (503, "5")
        assert not await clinic.is_ready()
        assert await clinic.hl7(RESULTS) == ("AE", "MSG-4711")
        assert (await clinic.http.post("/hl7v2", content=RESULTS, headers={"content-type": "text/plain"})).is_error
        broker.resume()
        await eventually(clinic.is_ready)
        assert await clinic.post(calcium("after")) == ["accepted"]
        assert await clinic.hl7(RESULTS) == ("AA", "MSG-4711")
        assert {"before", "after"} <= set(clinic.events())


async def test_while_the_broker_is_gone_whoever_comes_is_turned_away_at_once(one_broker: Cluster) -> None:
    (broker,) = one_broker.brokers
    async with gateway(Connection(one_broker.bootstrap), of=CITY) as clinic:
        assert await clinic.post(calcium("before")) == ["accepted"]
        broker.kill()
        assert await status_of(clinic, "gone") == (503, "5")
        async with asyncio.timeout(WITHIN):  # the first one found it out; nobody waits for that again
            for n in range(20):
                assert (await status_of(clinic, f"gone {n}"))[0] == 503
            assert await clinic.hl7(RESULTS) == ("AE", "MSG-4711")
        broker.start()
        one_broker.wait()
        await eventually(clinic.is_ready, 30)
        assert await clinic.post(calcium("after")) == ["accepted"]
        assert await clinic.hl7(RESULTS) == ("AA", "MSG-4711")
        assert {"before", "after"} <= set(clinic.events())


async def test_raw_messages_wait_for_the_broker_and_are_translated_then(one_broker: Cluster) -> None:
    (broker,) = one_broker.brokers
    connection = Connection(one_broker.bootstrap)
    async with gateway(connection, of=CITY) as clinic:
        publish(connection, RAW_HL7V2, RESULTS)
        broker.kill()
        broker.start()
        one_broker.wait()
        publish(connection, RAW_HL7V2, RESULTS.replace(b"MSG-4711", b"MSG-2"))

        async def are_there() -> bool:
            return {i.partition(":")[0] for i in clinic.events()} == {"MSG-4711", "MSG-2"}

        await eventually(are_there, 40)


async def test_more_than_may_wait_is_told_to_come_again(one_broker: Cluster) -> None:
    (broker,) = one_broker.brokers
    async with gateway(Connection(one_broker.bootstrap), within=10.0, most_waiting=4) as clinic:
        broker.suspend()
        asked = [asyncio.create_task(status_of(clinic, f"e{n}")) for n in range(12)]
        told = [status async for status in as_told(asked)]
        broker.resume()
    assert {status for status, _ in told} == {429, 503}
    assert {again for status, again in told if status == 429} == {"1"}
    assert [status for status, _ in told][:7] == [429] * 7, "they are told at once, whoever waits later"


async def as_told(asked: "list[asyncio.Task[tuple[int, str | None]]]") -> AsyncIterator[tuple[int, str | None]]:
    for each in asyncio.as_completed(asked):
        yield await each


@pytest.mark.parametrize("harm", ["kill", "suspend"])
async def test_whatever_befalls_the_brokers_every_acknowledged_message_is_there(
    three_brokers: Cluster, harm: str
) -> None:
    """Leaders are killed or frozen under senders of every kind; whoever heard no yes sends again, as senders do."""
    rng = random.Random(7)
    connection = Connection(three_brokers.bootstrap)
    await create(connection, topics_of_site(partitions=PARTITIONS, copies=3))
    async with gateway(connection, of=CITY, within=8.0) as clinic:
        taken: set[str] = set()
        senders = [asyncio.create_task(send_events(clinic, n, taken)) for n in range(3)]
        senders += [asyncio.create_task(send_messages(clinic, n, taken)) for n in range(3)]
        for _ in range(3):
            broker = rng.choice(three_brokers.brokers)
            await asyncio.sleep(rng.uniform(0.5, 1.5))
            await asyncio.to_thread(getattr(broker, harm))
            await asyncio.sleep(rng.uniform(1, 5))
            await asyncio.to_thread(broker.start if harm == "kill" else broker.resume)
            await asyncio.to_thread(three_brokers.wait)
        await eventually(clinic.is_ready, 30)
        before = len(taken)
        await eventually(lambda: more_than(taken, before + 20), 30)
        for sender in senders:
            sender.cancel()
        await asyncio.gather(*senders, return_exceptions=True)
        events = records(connection, EVENTS)
        raw = [record.value for record in records(connection, RAW_HL7V2)]
    found = {record.said["event_id"] for record in events} | {(value or b"").split(b"|")[9].decode() for value in raw}
    assert len(taken) > 40
    assert taken - found == set()
    print(f"\n{len(taken)} acknowledged, {len(events)} events and {len(raw)} messages written")


async def more_than(taken: set[str], count: int) -> bool:
    return len(taken) > count


async def send_events(clinic: Clinic, name: int, taken: set[str]) -> None:
    for n in range(100_000):
        event_id = f"S{name}E{n}"
        while (await status_of(clinic, event_id))[0] != 200:  # noqa: ASYNC110 as a sender does
            await asyncio.sleep(0.1)
        taken.add(event_id)


async def send_messages(clinic: Clinic, name: int, taken: set[str]) -> None:
    async with clinic.mllp() as sender:
        for n in range(100_000):
            control = f"S{name}M{n}"
            sent = block(RESULTS.replace(b"MSG-4711", control.encode()))
            for _ in range(1_000):
                await sender.send(sent)
                code, of = await asyncio.wait_for(sender.told(), 30)
                assert of == control
                if code == "AA":
                    taken.add(control)
                    break
                await asyncio.sleep(0.1)


# ---- the producer


@asynccontextmanager
async def publisher(connection: Connection, name: str | None = None) -> AsyncIterator[Publisher]:
    made = Publisher(connection, COPIES, name, within=WITHIN)
    await made.start()
    try:
        yield made
    finally:
        await made.stop()


def sent(event_id: str) -> list[Sent]:
    return [Sent(EVENTS.name, f"p{n}".encode(), encode({"event_id": event_id})) for n in range(8)]


async def test_a_producer_that_was_let_go_of_leaves_nothing_that_still_tries(one_broker: Cluster) -> None:
    """Left to itself it would try for ever, and write long after its sender was told that nothing was taken."""
    connection = Connection(one_broker.bootstrap)
    await create(connection, topics_of_site(partitions=PARTITIONS, copies=1))
    before = asyncio.all_tasks()
    for name in (None, "named"):
        async with publisher(connection, name) as writes:
            await writes.publish(sent("before"))
            one_broker.brokers[0].suspend()
            with pytest.raises(UnreachedError, match="not acknowledged within 2 s"):
                await writes.publish(sent("frozen"))
            assert not writes.is_started
            with pytest.raises(UnreachedError, match="not connected"):
                await writes.publish(sent("frozen"))
            one_broker.brokers[0].resume()
            assert [task for task in asyncio.all_tasks() - before if "aiokafka" in repr(task)] == []
            await writes.start()
            await writes.publish(sent("after"))
    ids = {record.said["event_id"] for record in records(connection, EVENTS)}
    assert {"before", "after"} <= ids


async def test_whoever_takes_a_name_shuts_the_former_out_and_takes_back_what_it_began(
    bootstrap: str, prefix: str
) -> None:
    connection = Connection(bootstrap, prefix)
    # Of a producer that was shut out aiokafka leaves futures with errors that nobody asks for.
    asyncio.get_running_loop().set_exception_handler(lambda *_: None)
    await create(connection, topics_of_site(partitions=PARTITIONS, copies=1))
    async with publisher(connection, "same") as former:
        await former.publish(sent("former"))
        async with publisher(connection, "same") as later:
            await later.publish(sent("later"))
            with pytest.raises(UnreachedError):
                await former.publish(sent("shut out"))
            await later.publish(sent("later still"))
    ids = {record.said["event_id"] for record in records(connection, EVENTS)}
    assert ids == {"former", "later", "later still"}


async def test_of_a_transaction_that_does_not_get_to_its_end_nothing_is_seen(one_broker: Cluster) -> None:
    connection = Connection(one_broker.bootstrap)
    await create(connection, topics_of_site(partitions=PARTITIONS, copies=1))
    async with publisher(connection, "whole") as writes:
        await writes.publish(sent("whole"))
        task = asyncio.create_task(writes.publish(sent("half")))
        await asyncio.sleep(0)
        one_broker.brokers[0].suspend()
        with suppress(UnreachedError):
            await task
            pytest.skip("it was through before the broker froze")
        one_broker.brokers[0].resume()
        await writes.start()
        await writes.publish(sent("after"))
    counts = [record.said["event_id"] for record in records(connection, EVENTS)]
    assert counts.count("half") in (0, 8)
    assert (counts.count("whole"), counts.count("after")) == (8, 8)
