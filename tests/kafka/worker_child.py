"""A worker that counts, as a process of its own: `python -m tests.kafka.worker_child BOOTSTRAP PREFIX DATA JSON`."""

import json
import os
import sys
from pathlib import Path

from schemas.topics import topics_of_site
from streams.kafka.connection import Connection
from streams.kafka.state import MemoryStore
from streams.kafka.worker import Options, named, run, work
from streams.node.logs import say_to
from streams.settings_node import LogSettings
from tests.kafka.counting import CountingShard


def announce(http: str, partitions: list[int]) -> None:
    os.write(1, json.dumps({"http": http, "partitions": partitions}).encode() + b"\n")


def main(bootstrap: str, prefix: str, data: str, more: str = "{}") -> int:
    asked = json.loads(more)
    partitions = asked.pop("partitions", 4)
    options = Options(Connection(bootstrap, prefix), Path(data), "127.0.0.1:0", **asked)
    say_to(sys.stderr, LogSettings())
    return run(work(options, CountingShard, MemoryStore(), named(topics_of_site(partitions, 1)), announce))


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
