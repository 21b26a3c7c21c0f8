"""Which Kafka the tests use: the one that the environment names, or one from Maven's jars."""

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from confluent_kafka.admin import AdminClient

from tests.kafka.broker import Cluster, cluster
from tests.kafka.jars import NoKafka, jars

NAMED = "TRABECULA_TEST_KAFKA"


def need_jars() -> Path:
    """The folder of the jars; without them skip with the reason, or fail where everything must run."""
    try:
        return jars()
    except NoKafka as why:
        message = f"no Kafka: {why}"
        if os.environ.get("CI") == "true":
            pytest.fail(message)
        pytest.skip(message)


@contextmanager
def _own(brokers: int) -> Iterator[Cluster]:
    need_jars()
    with cluster(brokers) as running:
        yield running


@pytest.fixture(scope="session")
def bootstrap() -> Iterator[str]:
    """The bootstrap servers of a Kafka that all tests of this process share: never harm it, and use `prefix`."""
    if named := os.environ.get(NAMED):
        yield named
        return
    with _own(1) as shared:
        yield shared.bootstrap


@pytest.fixture
def one_broker() -> Iterator[Cluster]:
    """A broker of the test's own, to be stopped, killed and frozen."""
    with _own(1) as running:
        yield running


@pytest.fixture
def three_brokers() -> Iterator[Cluster]:
    """A cluster of the test's own: three copies of everything, two of them needed."""
    with _own(3) as running:
        yield running


@pytest.fixture
def prefix(request: pytest.FixtureRequest) -> Iterator[str]:
    """What the names of a test's topics, groups and transactions begin with; its topics are removed afterwards."""
    name = f"t{uuid.uuid4().hex[:12]}."
    yield name
    if "bootstrap" in request.fixturenames:
        client = AdminClient({"bootstrap.servers": request.getfixturevalue("bootstrap")})
        ours = [topic for topic in client.list_topics(timeout=20).topics if topic.startswith(name)]
        for removed in (client.delete_topics(ours) if ours else {}).values():
            removed.result(20)
