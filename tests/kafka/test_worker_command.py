"""`trabecula worker`: what an operator can put right is one line and status 2, before anything is begun."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from schemas.topics import CHANGELOG, topics_of_site
from streams.kafka.connection import Connection
from streams.kafka.topics import create
from streams.settings import SettingsError, load
from streams.settings_worker import WorkerSettings
from tests.kafka.broker import free_port

ROOT = Path(__file__).parents[2]


@contextmanager
def started(bootstrap: str, data: Path, *more: str, **settings: str) -> Iterator["subprocess.Popen[str]"]:
    environment = {**os.environ, **{f"TRABECULA_{name.upper()}": value for name, value in settings.items()}}
    asked = ["worker", "--bootstrap", bootstrap, "--data", str(data), "--http", "127.0.0.1:0", *more]
    command = [sys.executable, "-m", "streams.cli", *asked]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=ROOT, env=environment, stdout=pipe, stderr=pipe, text=True) as running:
        try:
            yield running
        finally:
            if running.poll() is None:
                running.kill()


def refused(bootstrap: str, data: Path, *more: str, settings: Mapping[str, str] | None = None) -> str:
    """What a worker says that does not begin."""
    with started(bootstrap, data, *more, **(settings or {})) as running:
        out, err = running.communicate(timeout=60)
    assert (running.returncode, out) == (2, "")
    (line,) = err.splitlines()
    return line


async def test_a_worker_says_where_it_listens_and_what_it_owns_and_ends_with_0(
    bootstrap: str, prefix: str, tmp_path: Path
) -> None:
    await create(Connection(bootstrap, prefix), topics_of_site(2, 1))
    with started(bootstrap, tmp_path, topic_prefix=prefix, standbys="0") as running:
        assert running.stdout is not None
        line = json.loads(running.stdout.readline())
        assert line["partitions"] == [0, 1]
        assert line["http"].startswith("127.0.0.1:")
        running.send_signal(signal.SIGTERM)
        out, err = running.communicate(timeout=20)
    assert out == ""
    assert [json.loads(line)["event"] for line in err.splitlines()] == ["started", "stopping"]
    assert running.returncode == 0


def test_without_a_broker_it_says_where_it_looked(tmp_path: Path) -> None:
    assert f"no broker answers at 127.0.0.1:{(port := free_port())}" in refused(f"127.0.0.1:{port}", tmp_path)


def test_without_topics_it_says_how_to_make_them(bootstrap: str, prefix: str, tmp_path: Path) -> None:
    said = refused(bootstrap, tmp_path, settings={"topic_prefix": prefix})
    assert f"{prefix}trabecula." in said
    assert "trabecula topics create" in said


async def test_a_partition_and_its_changelog_go_together(bootstrap: str, prefix: str, tmp_path: Path) -> None:
    topics = [replace(t, partitions=3) if t.name == CHANGELOG.name else t for t in topics_of_site(2, 1)]
    await create(Connection(bootstrap, prefix), topics)
    assert "must be as many" in refused(bootstrap, tmp_path, settings={"topic_prefix": prefix})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("worker_store", "paper"),
        ("standbys", -1),
        ("session_seconds", 0.5),
        ("session_seconds", 61),
        ("records_together", 0),
        ("stalled_seconds", 0),
    ],
)
def test_a_setting_that_cannot_be_used_is_named(name: str, value: object) -> None:
    with pytest.raises(SettingsError, match=f"setting {name}"):
        load(WorkerSettings, None, **{name: value})
