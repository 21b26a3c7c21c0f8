"""A worker that decides, as a process of its own: `python -m tests.kafka.monitor_child BOOTSTRAP PREFIX DATA JSON`."""

import json
import sys
from pathlib import Path

from schemas.topics import topics_of_site
from streams.kafka.connection import Connection
from streams.kafka.state import MemoryStore
from streams.kafka.worker import Options, named, run, work
from streams.kafka.worker_command import shards
from streams.node.logs import say_to
from streams.service import Service
from streams.settings import Settings
from streams.settings_node import LogSettings
from tests.kafka.worker_child import announce


def main(bootstrap: str, prefix: str, data: str, more: str = "{}") -> int:
    asked = json.loads(more)
    partitions = asked.pop("partitions")
    options = Options(Connection(bootstrap, prefix), Path(data), "127.0.0.1:0", **asked)
    say_to(sys.stderr, LogSettings())
    factory = shards(Service(Settings()), None)
    return run(work(options, factory, MemoryStore(), named(topics_of_site(partitions, 1)), announce))


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
