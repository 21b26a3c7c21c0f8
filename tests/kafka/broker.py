"""A real Apache Kafka for tests and measurements: one broker or several, on loopback, ended with whoever started them.

By hand: `python -m tests.kafka.broker [BROKERS]` prints the bootstrap servers and runs until Ctrl-C.
"""

import base64
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from tests.kafka.jars import jars

_PORTS: Final = range(20_000, 32_000)
"""Below the ports that the kernel lends: a client that calls a killed broker again and again could be lent its port."""
SMALL: Final = ("-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Dorg.apache.logging.log4j.level=WARN")
"""Options of Java for tests: quick to start, little memory."""
LARGE: Final = ("-Xmx1g", "-Dorg.apache.logging.log4j.level=WARN")
"""Options of Java for measurements."""
_START: Final = 60.0
_STOP: Final = 30.0
_GUARD: Final = 'read -r _; for pid in $(cat "$0"/*.pid); do kill -9 "$pid"; done; rm -rf "$0"'
"""Ends with the process that holds its input, however that ended, and takes the brokers with it."""


def free_port() -> int:
    """A port of loopback on which nobody listens."""
    while True:
        port = random.choice(_PORTS)
        with socket.socket() as tried:
            tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                tried.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port


class Broker:
    """One broker, which is a controller too."""

    def __init__(self, number: int, folder: Path, settings: Mapping[str, str], options: Sequence[str]) -> None:
        self.number = number
        self.address = settings["advertised.listeners"].partition(",")[0].rpartition("/")[2]
        self._name = folder / f"broker-{number}"
        self._options = options
        self._java: subprocess.Popen[bytes] | None = None
        self.properties = self._name.with_suffix(".properties")
        self.properties.write_text("".join(f"{name}={value}\n" for name, value in settings.items()), "utf-8")

    @property
    def pid(self) -> int:
        """The process of the running broker."""
        assert self._java is not None
        return self._java.pid

    @property
    def log(self) -> str:
        """What the broker said (warnings and errors)."""
        return self._name.with_suffix(".log").read_text("utf-8", errors="replace")

    def start(self) -> None:
        """Start the broker; it may not be ready yet."""
        command = [*_java(), *self._options, "kafka.Kafka", str(self.properties)]
        with self._name.with_suffix(".log").open("ab") as log:
            self._java = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
        self._name.with_suffix(".pid").write_text(f"{self._java.pid}\n", "utf-8")

    def listens(self) -> bool:
        """Whether the broker listens.

        Errors: RuntimeError if it has ended instead.
        """
        if self._java is None or self._java.poll() is not None:
            raise RuntimeError(f"broker {self.number} has ended: {self.log[-2_000:]}")
        with socket.socket() as tried:
            host, _, port = self.address.partition(":")
            return tried.connect_ex((host, int(port))) == 0

    def stop(self) -> None:
        """End it as an operator would (SIGTERM), or by force when that takes too long."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End it at once (SIGKILL)."""
        self._end(signal.SIGKILL)

    def suspend(self) -> None:
        """Freeze it: its connections stay and nothing answers."""
        os.kill(self.pid, signal.SIGSTOP)

    def resume(self) -> None:
        """Let a frozen broker go on."""
        os.kill(self.pid, signal.SIGCONT)

    def _end(self, how: signal.Signals) -> None:
        if self._java is None:
            return
        self._java.send_signal(how)
        try:
            self._java.wait(_STOP)
        except subprocess.TimeoutExpired:
            self._java.kill()
            self._java.wait()
        self._name.with_suffix(".pid").write_text("", "utf-8")
        self._java = None


class Cluster:
    """Brokers that form one cluster, their folder, and a guard that ends them when this process ends."""

    def __init__(
        self, brokers: int, settings: Mapping[str, str], options: Sequence[str], also: str, formatting: Sequence[str]
    ) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="trabecula-kafka-"))
        ports = [(free_port(), free_port()) for _ in range(brokers)]
        self.brokers = [
            Broker(number, self.folder, {**_settings(number, ports, self.folder, also), **settings}, options)
            for number in range(1, brokers + 1)
        ]
        guard = ["sh", "-c", _GUARD, str(self.folder)]
        self._guard = subprocess.Popen(guard, stdin=subprocess.PIPE, stderr=subprocess.DEVNULL, start_new_session=True)
        _format(self.brokers, formatting)

    @property
    def bootstrap(self) -> str:
        """The addresses of all brokers."""
        return ",".join(broker.address for broker in self.brokers)

    def start(self) -> None:
        """Start all brokers and wait until the cluster is whole."""
        for broker in self.brokers:
            broker.start()
        self.wait()

    def wait(self) -> None:
        """Wait until every broker that was started serves, and knows of the others.

        Errors: RuntimeError if one has ended; TimeoutError.
        """
        ends = time.monotonic() + _START
        while not (all(b.listens() for b in self.brokers) and _whole(self.bootstrap, len(self.brokers))):
            if time.monotonic() > ends:
                raise TimeoutError("\n".join(b.log[-2_000:] for b in self.brokers))
            time.sleep(0.05)

    def close(self) -> None:
        """End everything and remove it."""
        for broker in self.brokers:
            broker.kill()
        self._guard.communicate(b"\n", timeout=_STOP)


def _whole(bootstrap: str, brokers: int) -> bool:
    client = AdminClient({"bootstrap.servers": bootstrap, "log_level": 0})
    try:
        return len(client.list_topics(timeout=2).brokers) == brokers
    except KafkaException:
        return False


def _java() -> list[str]:
    java = shutil.which("java")
    assert java is not None
    return [java, "-cp", f"{jars()}/*"]


def _format(brokers: list[Broker], more: Sequence[str]) -> None:
    """Give the brokers' folders the identity of one cluster."""
    identity = base64.urlsafe_b64encode(b"\0" + random.randbytes(15)).decode().rstrip("=")  # never an option: no "-"
    tool = [*_java(), "-XX:TieredStopAtLevel=1", "kafka.tools.StorageTool", "format", "-t", identity, *more]
    running = [
        subprocess.Popen([*tool, "-c", str(b.properties)], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        for b in brokers
    ]
    for tool_of_one in running:
        said = tool_of_one.communicate(timeout=_START)[1]
        assert tool_of_one.returncode == 0, said.decode()


def _settings(number: int, ports: list[tuple[int, int]], folder: Path, also: str) -> dict[str, str]:
    """What production sets, made small: short sessions, few internal partitions, a cleaner that needs no memory."""
    port, controller = ports[number - 1]
    copies, least = (3, 2) if len(ports) > 2 else (1, 1)
    return {
        "process.roles": "broker,controller",
        "node.id": str(number),
        "controller.quorum.voters": ",".join(f"{n}@127.0.0.1:{c}" for n, (_, c) in enumerate(ports, 1)),
        "listeners": f"PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}{also and f',{also}'}",
        "advertised.listeners": f"PLAINTEXT://127.0.0.1:{port}{also and f',{also}'}",
        "controller.listener.names": "CONTROLLER",
        "listener.security.protocol.map": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,SASL_SSL:SASL_SSL",
        "inter.broker.listener.name": "PLAINTEXT",
        "log.dirs": str(folder / f"data-{number}"),
        "offsets.topic.replication.factor": str(copies),
        "offsets.topic.num.partitions": "4",
        "transaction.state.log.replication.factor": str(copies),
        "transaction.state.log.min.isr": str(least),
        "transaction.state.log.num.partitions": "4",
        "group.initial.rebalance.delay.ms": "0",
        "group.min.session.timeout.ms": "1000",
        "auto.create.topics.enable": "false",
        "broker.session.timeout.ms": "3000",
        "broker.heartbeat.interval.ms": "500",
        "log.cleaner.dedupe.buffer.size": "4194304",
        "log.index.size.max.bytes": "1048576",
        "num.network.threads": "2",
        "num.io.threads": "4",
    }


@contextmanager
def cluster(
    brokers: int = 1,
    *,
    settings: Mapping[str, str] | None = None,
    options: Sequence[str] = SMALL,
    also: str = "",
    formatting: Sequence[str] = (),
) -> Iterator[Cluster]:
    """Brokers that run, one cluster whole.

    `settings`: beside or instead of those of the tests. `options`: of Java. `also`: another listener of a lone broker,
    e.g. `SASL_SSL://localhost:PORT`. `formatting`: more arguments of Kafka's storage tool, e.g. the first users.
    Errors: NoKafka.
    """
    made = Cluster(brokers, settings or {}, options, also, formatting)
    try:
        made.start()
        yield made
    finally:
        made.close()


if __name__ == "__main__":
    with cluster(int(sys.argv[1]) if len(sys.argv) > 1 else 1, options=LARGE) as by_hand:
        print(by_hand.bootstrap, flush=True)
        try:
            signal.pause()
        except KeyboardInterrupt:
            print("ends", file=sys.stderr)
