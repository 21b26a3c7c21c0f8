"""Topics as the brokers have them: what is missing is made, what differs from the declaration is said.

Law: nothing that is there is changed, shrunk or removed.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final, Literal

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaError, TopicAlreadyExistsError, for_code

from schemas.topics import Topic
from streams.kafka.connection import Connection, NoBrokerError

State = Literal["ok", "created", "missing", "drift"]
LEADERS_WITHIN: Final = 30.0
"""Seconds in which every partition of a new topic must have a leader."""
_LOOK_EVERY: Final = 0.1


class TopicsError(RuntimeError):
    """Topics that could not be made; the message says which, and why."""


@dataclass(frozen=True, slots=True)
class Standing:
    """How a topic stands beside its declaration, and what differs."""

    topic: str
    state: State
    details: tuple[str, ...] = ()

    @property
    def is_well(self) -> bool:
        """It is there as it is declared."""
        return self.state in ("ok", "created")

    def __str__(self) -> str:
        return f"{self.state}: {self.topic}" + "".join(f"; {said}" for said in self.details)


async def create(connection: Connection, declared: Sequence[Topic]) -> list[Standing]:
    """Make the topics that are missing, wait for their leaders, and say how each stands.

    Errors: NoBrokerError; TopicsError where a broker refuses, or a partition has no leader in time.
    """
    async with _admin(connection) as admin:
        there = await _there(admin)
        missing = [topic for topic in declared if connection.name(topic.name) not in there]
        if missing:
            await _make(admin, connection, missing)
            await _leaders(admin, {connection.name(topic.name): topic.partitions for topic in missing})
            await _answers(connection, missing)
        made = {topic.name for topic in missing}
        return [
            Standing(standing.topic, "created") if topic.name in made and standing.is_well else standing
            for topic, standing in zip(declared, await _compared(admin, connection, declared), strict=True)
        ]


async def check(connection: Connection, declared: Sequence[Topic]) -> list[Standing]:
    """How each topic stands.

    Errors: NoBrokerError.
    """
    async with _admin(connection) as admin:
        return await _compared(admin, connection, declared)


async def partitions_of(connection: Connection, topic: Topic) -> int:
    """How many partitions a topic has.

    Errors: NoBrokerError; TopicsError if it is not there.
    """
    return (await partitions_of_all(connection, topic))[topic.name]


async def partitions_of_all(connection: Connection, *topics: Topic) -> dict[str, int]:
    """How many partitions some topics have, by the name that the contract gives.

    Errors: NoBrokerError; TopicsError if one is not there.
    """
    async with _admin(connection) as admin:
        there = await _there(admin)
    missing = [name for topic in topics if (name := connection.name(topic.name)) not in there]
    if missing:
        raise TopicsError(f"not there: {', '.join(missing)}; make it with: trabecula topics create")
    return {topic.name: len(there[connection.name(topic.name)]) for topic in topics}


# ---- the brokers


@asynccontextmanager
async def _admin(connection: Connection) -> AsyncIterator[AIOKafkaAdminClient]:
    admin = AIOKafkaAdminClient(**connection.arguments())
    try:
        await admin.start()
        yield admin
    except KafkaError as error:
        raise NoBrokerError(f"no broker answers at {connection.bootstrap} ({type(error).__name__})") from None
    finally:
        await admin.close()


async def _there(admin: AIOKafkaAdminClient) -> dict[str, list[Mapping[str, Any]]]:
    """The partitions of each topic that is there."""
    return {each["topic"]: each["partitions"] for each in await admin.describe_topics() if not each["error_code"]}


async def _make(admin: AIOKafkaAdminClient, connection: Connection, topics: Iterable[Topic]) -> None:
    asked = [NewTopic(connection.name(t.name), t.partitions, t.copies, topic_configs=dict(t.settings)) for t in topics]
    answer = await admin.create_topics(asked)
    for name, code, *said in answer.topic_errors:
        error = for_code(code)
        if code and error is not TopicAlreadyExistsError:  # somebody else made it meanwhile
            raise TopicsError(f"{name} could not be made: {(said and said[0]) or error.description}")


async def _leaders(admin: AIOKafkaAdminClient, wanted: Mapping[str, int]) -> None:
    """Wait until every partition can be written: a client that comes earlier is told that there is no such topic."""
    ends = time.monotonic() + LEADERS_WITHIN
    while left := _leaderless(await _there(admin), wanted):
        if time.monotonic() > ends:
            raise TopicsError(f"without a leader after {LEADERS_WITHIN:g} s: {', '.join(left)}")
        await asyncio.sleep(_LOOK_EVERY)


async def _answers(connection: Connection, topics: Iterable[Topic]) -> None:
    """Wait until every leader knows that it is one, which is a moment later; the consumer asks until it does."""
    asked = [TopicPartition(connection.name(t.name), number) for t in topics for number in range(t.partitions)]
    async with AIOKafkaConsumer(**connection.arguments()) as consumer:
        await consumer.end_offsets(asked)


def _leaderless(there: Mapping[str, list[Mapping[str, Any]]], wanted: Mapping[str, int]) -> list[str]:
    led = {name: sum(partition["leader"] >= 0 for partition in partitions) for name, partitions in there.items()}
    return [name for name, partitions in wanted.items() if led.get(name, 0) < partitions]


# ---- declared and there


async def _compared(admin: AIOKafkaAdminClient, connection: Connection, declared: Sequence[Topic]) -> list[Standing]:
    there = await _there(admin)
    names = [name for topic in declared if (name := connection.name(topic.name)) in there]
    settings = await _settings(admin, names)
    return [_standing(topic, connection.name(topic.name), there, settings) for topic in declared]


async def _settings(admin: AIOKafkaAdminClient, names: Iterable[str]) -> dict[str, dict[str, str]]:
    asked = [ConfigResource(ConfigResourceType.TOPIC, name) for name in names]
    answers = await admin.describe_configs(asked) if asked else []
    return {
        name: {entry[0]: entry[1] for entry in entries}
        for answer in answers
        for _, _, _, name, entries in answer.resources
    }


def _standing(
    topic: Topic,
    name: str,
    there: Mapping[str, list[Mapping[str, Any]]],
    settings: Mapping[str, Mapping[str, str]],
) -> Standing:
    if name not in there:
        return Standing(name, "missing", ("make it with: trabecula topics create",))
    partitions = there[name]
    copies = min((len(partition["replicas"]) for partition in partitions), default=0)
    found = {"partitions": str(len(partitions)), "copies": str(copies), **settings.get(name, {})}
    wanted = {"partitions": str(topic.partitions), "copies": str(topic.copies), **topic.settings}
    drift = tuple(
        f"{what} is {found.get(what, 'unknown')}, declared is {value}"
        for what, value in wanted.items()
        if found.get(what) != value
    )
    return Standing(name, "drift" if drift else "ok", drift)
