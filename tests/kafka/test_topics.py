"""Topics: what is missing is made and can be written at once, what differs is said, and nothing there is touched."""

import os
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from confluent_kafka import admin
from confluent_kafka.admin import AdminClient
from typer.testing import CliRunner

from schemas.topics import ALERTS, CHANGELOG, DEAD_LETTERS, EVENTS, NOTICES, TOPICS, topics_of_site
from streams.cli import app
from streams.kafka.connection import Connection, NoBrokerError, connection_of
from streams.kafka.topics import Standing, TopicsError, check, create, partitions_of
from streams.settings import load
from streams.settings_kafka import KafkaSettings
from streams.settings_layers import SettingsError
from tests.kafka.broker import cluster, free_port
from tests.kafka.conftest import need_jars
from tests.node.test_mllp_tls import Authority, needs_openssl

SMALL = topics_of_site(partitions=2, copies=1)


@pytest.fixture
def connection(bootstrap: str, prefix: str) -> Connection:
    return Connection(bootstrap, prefix)


def states(standings: Sequence[Standing]) -> list[str]:
    return [str(standing).partition(":")[0] for standing in standings]


# ---- what is declared


def test_what_is_kept_by_patient_and_the_changelog_have_as_many_partitions() -> None:
    assert {topic.partitions for topic in (EVENTS, NOTICES, CHANGELOG)} == {EVENTS.partitions}
    assert {topic.partitions for topic in topics_of_site(partitions=7) if topic.partitions > 1} == {7}


def test_two_of_three_copies_acknowledge_and_a_single_copy_does_alone() -> None:
    assert (EVENTS.least_in_sync, replace(EVENTS, copies=1).least_in_sync) == (2, 1)


def test_a_compacted_topic_keeps_by_key_and_has_no_retention() -> None:
    for topic in TOPICS:
        assert (topic.cleanup == "compact") == (topic.retention is None)
        assert ("retention.ms" in topic.settings) == (topic.cleanup == "delete")


def test_a_site_may_keep_longer_but_only_where_records_are_kept_by_time() -> None:
    (events, *_) = topics_of_site(retention_days={EVENTS.name: 60})
    assert events.retention == timedelta(days=60)
    with pytest.raises(ValueError, match=r"trabecula\.alerts\.v1: no topic with a retention"):
        topics_of_site(retention_days={ALERTS.name: 60})
    with pytest.raises(SettingsError, match="no topic with a retention"):
        load(KafkaSettings, retention_days={"events": 1})


# ---- on a broker


async def test_topics_are_made_as_declared_and_are_well_from_then_on(connection: Connection, bootstrap: str) -> None:
    assert states(await check(connection, SMALL)) == ["missing"] * len(TOPICS)
    assert states(await create(connection, SMALL)) == ["created"] * len(TOPICS)
    assert states(await create(connection, SMALL)) == ["ok"] * len(TOPICS)
    assert states(await check(connection, SMALL)) == ["ok"] * len(TOPICS)
    client = AdminClient({"bootstrap.servers": bootstrap})  # another client sees the same
    for topic in SMALL:
        (asked,) = client.describe_configs([resource(connection.name(topic.name))]).values()
        found = {key: entry.value for key, entry in asked.result().items()}
        assert {key: found[key] for key in topic.settings} == dict(topic.settings)


def resource(name: str) -> Any:
    return admin.ConfigResource(admin.ConfigResource.Type.TOPIC, name)  # type: ignore[attr-defined]


async def test_every_partition_of_a_topic_that_was_made_has_its_leader(connection: Connection, bootstrap: str) -> None:
    """A client that came earlier would be told that there is no such topic."""
    await create(connection, SMALL)
    there = AdminClient({"bootstrap.servers": bootstrap}).list_topics(timeout=10).topics
    for topic in SMALL:
        leaders = [partition.leader for partition in there[connection.name(topic.name)].partitions.values()]
        assert len(leaders) == topic.partitions
        assert min(leaders) >= 0


async def test_a_large_message_fits_where_raw_messages_are_kept(connection: Connection) -> None:
    await create(connection, SMALL)
    large = bytes(DEAD_LETTERS.largest)
    async with AIOKafkaProducer(**connection.arguments(), max_request_size=2 * len(large)) as producer:
        await producer.send_and_wait(connection.name(DEAD_LETTERS.name), large)


async def test_what_differs_is_said_and_left_as_it_is(connection: Connection) -> None:
    name = connection.name(EVENTS.name)
    other = AIOKafkaAdminClient(**connection.arguments())
    await other.start()
    await other.create_topics([NewTopic(name, 3, 1, topic_configs={"retention.ms": "60000"})])
    await other.close()
    first, *others = await create(connection, SMALL)
    assert first.state == "drift"
    assert "partitions is 3, declared is 2" in first.details
    assert f"retention.ms is 60000, declared is {EVENTS.settings['retention.ms']}" in first.details
    assert states(list(others)) == ["created"] * (len(TOPICS) - 1)
    assert await partitions_of(connection, EVENTS) == 3
    assert (await check(connection, SMALL))[0] == first


async def test_more_copies_than_brokers_are_refused_in_the_words_of_the_broker(connection: Connection) -> None:
    with pytest.raises(TopicsError, match=r"events\.v1 could not be made: .*replication factor of 3"):
        await create(connection, topics_of_site())


async def test_a_topic_that_is_not_there_is_named_with_what_to_do(connection: Connection) -> None:
    with pytest.raises(TopicsError, match="trabecula topics create"):
        await partitions_of(connection, EVENTS)


async def test_where_nobody_answers_the_address_is_said() -> None:
    with pytest.raises(NoBrokerError, match=r"no broker answers at 127\.0\.0\.1:1 "):
        await check(Connection("127.0.0.1:1"), SMALL)


# ---- the commands


def run(bootstrap: str, prefix: str, *arguments: str) -> tuple[int, list[str]]:
    environment = {"TRABECULA_TOPIC_PREFIX": prefix, "TRABECULA_BOOTSTRAP": bootstrap}
    ran = CliRunner().invoke(app, ["topics", *arguments], env=environment)
    return ran.exit_code, ran.output.splitlines()


def test_the_commands_say_each_topic_and_end_with_1_while_one_is_not_well(bootstrap: str, prefix: str) -> None:
    small = ("--replication", "1", "--partitions", "2")
    assert run(bootstrap, prefix, "check", *small)[0] == 1
    status, said = run(bootstrap, prefix, "create", *small)
    assert (status, said) == (0, [f"created: {prefix}{topic.name}" for topic in TOPICS])
    assert run(bootstrap, prefix, "check", *small) == (0, [f"ok: {prefix}{topic.name}" for topic in TOPICS])
    status, said = run(bootstrap, prefix, "check", "--replication", "1")
    assert status == 1
    assert said[0] == f"drift: {prefix}{EVENTS.name}; partitions is 2, declared is 12"
    status, said = run(bootstrap, prefix, "create", "--replication", "1", "--partitions", "3")
    assert (status, said[0]) == (1, f"drift: {prefix}{EVENTS.name}; partitions is 2, declared is 3")


def test_without_a_broker_the_command_ends_with_2_and_one_line() -> None:
    status, said = run("127.0.0.1:1", "", "check")
    assert (status, said) == (2, ["trabecula: no broker answers at 127.0.0.1:1 (KafkaConnectionError)"])


# ---- how brokers are spoken to


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        ({"kafka_protocol": "SASL_SSL"}, "SASL needs kafka_user and kafka_password_file"),
        ({"kafka_protocol": "SSL", "kafka_certificate": "c.pem"}, "needs kafka_key"),
        ({"kafka_authority": "c.pem"}, "certificates need SSL"),
        ({"topic_prefix": "a b"}, "setting topic_prefix"),
    ],
)
def test_settings_that_do_not_fit_together_are_named(flags: dict[str, Any], said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        load(KafkaSettings, **flags)


def test_files_that_cannot_be_used_are_named(tmp_path: Path) -> None:
    nothing = tmp_path / "nothing.pem"
    wrong: list[dict[str, Any]] = [
        {"kafka_protocol": "SSL", "kafka_authority": nothing},
        {"kafka_protocol": "SASL_PLAINTEXT", "kafka_user": "u", "kafka_password_file": nothing},
        {"kafka_protocol": "SSL", "kafka_certificate": nothing, "kafka_key": nothing},
    ]
    for flags in wrong:
        with pytest.raises(SettingsError, match=r"nothing\.pem"):
            connection_of(load(KafkaSettings, **flags))


@pytest.fixture
def guarded(tmp_path: Path) -> Iterator[KafkaSettings]:
    """A broker that lets in by certificate and password; the settings of somebody who has both."""
    need_jars()
    if shutil.which("openssl") is None and not os.environ.get("CI"):
        pytest.skip("certificates are made with openssl")
    north = Authority(tmp_path, "north").make().issue("broker", "localhost", "localhost").issue("ours", "trabecula")
    port = free_port()
    settings = {"ssl.keystore.type": "PEM", "ssl.truststore.type": "PEM", "ssl.client.auth": "required"}
    settings |= {"ssl.keystore.location": str(keystore(north)), "ssl.truststore.location": str(north.path("ca.pem"))}
    settings |= {"sasl.enabled.mechanisms": "SCRAM-SHA-512"}
    settings["listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config"] = (
        "org.apache.kafka.common.security.scram.ScramLoginModule required;"
    )
    (tmp_path / "password").write_text("of the test\n")
    users = ("--add-scram", "SCRAM-SHA-512=[name=trabecula,password=of the test]")
    with cluster(1, settings=settings, also=f"SASL_SSL://localhost:{port}", formatting=users):
        yield load(
            KafkaSettings,
            bootstrap=f"localhost:{port}",
            kafka_protocol="SASL_SSL",
            kafka_authority=north.path("ca.pem"),
            kafka_certificate=north.path("ours.pem"),
            kafka_key=north.path("ours.key"),
            kafka_user="trabecula",
            kafka_password_file=tmp_path / "password",
        )


def keystore(authority: Authority) -> Path:
    """Certificate and key in one PEM file, as the broker reads them."""
    together = authority.path("keystore.pem")
    together.write_text("".join(authority.path(f"broker.{part}").read_text() for part in ("key", "pem")))
    return together


@needs_openssl
async def test_brokers_that_ask_for_certificate_and_password_are_reached_with_both(
    guarded: KafkaSettings, tmp_path: Path
) -> None:
    connection = connection_of(guarded)
    assert states(await create(connection, SMALL)) == ["created"] * len(TOPICS)
    assert "of the test" not in repr(connection)
    (tmp_path / "password").write_text("another\n")
    with pytest.raises(NoBrokerError):
        await check(connection_of(guarded), SMALL)
    bare = guarded.model_copy(update={"kafka_certificate": None, "kafka_key": None})
    with pytest.raises(NoBrokerError):
        await check(connection_of(bare), SMALL)
