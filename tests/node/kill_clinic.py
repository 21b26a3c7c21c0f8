"""A clinic whose node does not live long: senders, a receiver of notices, one data folder, and the proof at the end."""

import json
import random
import signal
import subprocess
import sys
import time
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from streams.simulate.fhir import IDENTIFIER_SYSTEM
from tests.delivery.receiving import SECRET, Reply, Request, Server, server
from tests.node.kill_feeds import PATIENCE, Sender, Ward, feeds
from tests.node.kill_proof import Proof, proof, undelivered

ROOT: Final = Path(__file__).parents[2]
SERVE: Final = ("streams.cli", "serve")
_SITE: Final = ROOT / "streams" / "simulate" / "site.toml"


class Life:
    """One life of a node, from its start as an operator starts it to its end."""

    def __init__(self, folder: Path, command: Sequence[str] = SERVE) -> None:
        self._log = folder / "node.log"
        asked = ["--data", str(folder / "data"), "--http", "127.0.0.1:0", "--mllp", "127.0.0.1:0"]
        asked += ["--config", str(folder / "site.toml"), "--receivers", str(folder / "receivers.toml")]
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", *command, *asked], stdout=subprocess.PIPE, stderr=log, cwd=ROOT
            )

    def ready(self) -> dict[str, str]:
        """The addresses, once it takes messages."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, self.said()
        found: dict[str, str] = json.loads(line)
        return found

    def said(self) -> str:
        """What it said on stderr until its end."""
        self.process.communicate(timeout=PATIENCE)
        return self._log.read_text()

    def stop(self) -> None:
        """Ask it to stop, and wait until it has."""
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(PATIENCE) == 0, self.said()
        self.said()

    def kill(self) -> None:
        """End it at once; that it ended by itself before would be news."""
        assert self.process.poll() is None, self.said()
        self.end()

    def end(self) -> None:
        """End it at once, should it still live."""
        self.process.kill()
        self.said()


def site(folder: Path, url: str) -> None:
    """The settings of the node: the hospital's codes and authority, and a webhook that gets everything."""
    (folder / "site.toml").write_text(
        f'tables = "{_SITE}"\ndefault_assigner = "SIMULATED"\n\n'
        f'[fhir_authorities]\n"{IDENTIFIER_SYSTEM}" = "SIMULATED"\n'
    )
    (folder / "receivers.toml").write_text(
        f'[[receivers]]\nname = "ward"\nkind = "webhook"\nurl = "{url}"\nsecret = "{SECRET}"\nbegins = "beginning"\n'
        'digest = "at_once"\nseverities = ["info", "advisory", "warning", "critical"]\nrecord = true\nshadow = true\n'
        "retry_after = 0.02\nretry_at_most = 1.0\n"
    )


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a campaign came to."""

    broken: int
    became: Counter[str]
    proof: Proof
    deliveries: int
    seconds: float

    def __str__(self) -> str:
        return (
            f"{self.broken} broken connections, answers {dict(self.became)}; {self.proof}; "
            f"{self.deliveries} deliveries; {self.seconds:.0f} s"
        )


class Campaign(ABC):
    """Senders and a receiver around a node that lives several times."""

    def __init__(self, folder: Path, seed: int, patients: int) -> None:
        self.folder = folder
        self.rng = random.Random(seed)
        self.payloads = feeds(seed, patients, datetime.now(UTC).date())
        self.messages = sum(len(payload.raws) for some in self.payloads for payload in some)
        self.ward = Ward()
        self.senders = [Sender(self.ward, some) for some in self.payloads]

    @abstractmethod
    def live(self) -> None:
        """The lives of the node but the last."""

    def run(self) -> Outcome:
        """Live, let everything be sent and told, stop the node in order, and prove.

        Errors: AssertionError says what was lost.
        """
        began = time.monotonic()
        with server(self._reply) as receiver:
            site(self.folder, receiver.url)
            for sender in self.senders:
                sender.start()
            try:
                self.live()
                self._last_life(receiver)
            finally:
                self.ward.stop()
        proved = proof(self.folder, self.payloads, self.ward.acknowledged, receiver)
        seconds = time.monotonic() - began
        return Outcome(self.ward.broken, self.ward.became, proved, len(receiver.taken), seconds)

    def wait_for(self, more: int) -> None:
        """Wait until so many more messages are acknowledged."""
        assert self.ward.wait_for(len(self.ward.acknowledged) + more, self.senders), "there was no more to send"

    def _reply(self, _request: Request, _before: int) -> Reply:
        return Reply(self.rng.choice((200, 200, 200, 204, 503, 0)))

    def _last_life(self, receiver: Server) -> None:
        life = Life(self.folder)
        try:
            self.ward.node_is(life.ready())
            for sender in self.senders:
                sender.join()
            ends = time.monotonic() + 3 * PATIENCE
            while left := undelivered(self.folder / "data", receiver):
                assert time.monotonic() < ends, f"{left} notices were not delivered"
                time.sleep(0.05)
            life.stop()
        finally:
            life.end()
