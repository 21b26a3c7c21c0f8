"""A node that is killed again and again while feeds send to it, and what must be true of it afterwards.

Usage: python -m tests.node.kill [--kills 1000] [--at-a-time 50] [--seed 1]
"""

import argparse
import json
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from streams.simulate.fhir import IDENTIFIER_SYSTEM
from tests.delivery.receiving import SECRET, Reply, Request, Server, server
from tests.node.kill_feeds import PATIENCE, Sender, Ward, feeds
from tests.node.kill_proof import Proof, proof, undelivered

ROOT: Final = Path(__file__).parents[2]
PATIENTS_A_KILL: Final = 3
_SITE: Final = ROOT / "streams" / "simulate" / "site.toml"


@dataclass
class Killed:
    """What a campaign did."""

    while_starting: int = 0
    while_taking: int = 0
    while_stopping: int = 0
    broken: int = 0
    became: Counter[str] = field(default_factory=Counter)
    proof: Proof | None = None
    deliveries: int = 0
    seconds: float = 0.0

    @property
    def kills(self) -> int:
        """All of them."""
        return self.while_starting + self.while_taking + self.while_stopping

    def __str__(self) -> str:
        when = f"{self.while_starting} starting, {self.while_taking} taking, {self.while_stopping} stopping"
        return (
            f"{self.kills} kills ({when}), {self.broken} broken connections, answers {dict(self.became)}; "
            f"{self.proof}; {self.deliveries} deliveries; {self.seconds:.0f} s"
        )


class Life:
    """One life of a node, from its start as an operator starts it to its end."""

    def __init__(self, folder: Path) -> None:
        command = [sys.executable, "-m", "streams.cli", "serve", "--data", str(folder / "data"), "--http"]
        command += ["127.0.0.1:0", "--mllp", "127.0.0.1:0", "--config", str(folder / "site.toml")]
        command += ["--receivers", str(folder / "receivers.toml")]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=ROOT)

    def ready(self) -> dict[str, str]:
        """The addresses, once it takes messages."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, self.said()
        found: dict[str, str] = json.loads(line)
        return found

    def said(self) -> str:
        """What it said on stderr; it has ended."""
        _, errors = self.process.communicate(timeout=PATIENCE)
        return errors.decode()

    def kill(self) -> None:
        """End it at once; that it ended by itself before would be news."""
        assert self.process.poll() is None, self.said()
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


class Campaign:
    """Senders, a receiver, and so many kills."""

    def __init__(self, folder: Path, seed: int, kills: int) -> None:
        self._folder = folder
        self._rng = random.Random(seed)
        self._left = kills
        self._payloads = feeds(seed, PATIENTS_A_KILL * kills + 10, datetime.now(UTC).date())
        self._messages = sum(len(p.raws) for some in self._payloads for p in some)
        self._ward = Ward()
        self._senders = [Sender(self._ward, some) for some in self._payloads]
        self._starts_in = 1.0
        self.killed = Killed()

    def run(self) -> Killed:
        """Kill so often, let everything be sent and told, stop the node in order, and prove.

        Errors: AssertionError says what was lost.
        """
        began = time.monotonic()
        with server(self._reply) as receiver:
            site(self._folder, receiver.url)
            for sender in self._senders:
                sender.start()
            try:
                while self._left:
                    self._live()
                    self._left -= 1
                self._last_life(receiver)
            finally:
                self._ward.stop()
        self.killed.proof = proof(self._folder, self._payloads, self._ward.acknowledged, receiver)
        self.killed.broken, self.killed.became = self._ward.broken, self._ward.became
        self.killed.deliveries = len(receiver.taken)
        self.killed.seconds = time.monotonic() - began
        return self.killed

    def _reply(self, _request: Request, _before: int) -> Reply:
        return Reply(self._rng.choice((200, 200, 200, 204, 503, 0)))

    def _live(self) -> None:
        """One life that ends by a kill: while it starts, while it takes messages, or while it is asked to stop."""
        life = Life(self._folder)
        if self._rng.random() < 0.25:
            time.sleep(self._rng.uniform(0.3, 1.0) * self._starts_in)
            self.killed.while_starting += 1
            life.kill()
            return
        began = time.monotonic()
        self._ward.node_is(life.ready())
        self._starts_in = time.monotonic() - began
        rest = self._messages - len(self._ward.acknowledged)
        wanted = int(self._rng.uniform(0.1, 1.5) * rest / (self._left + 1))
        assert self._ward.wait_for(len(self._ward.acknowledged) + wanted, self._senders), "there was no more to send"
        time.sleep(self._rng.uniform(0, 0.03))
        if self._rng.random() < 0.1:
            self.killed.while_stopping += 1
            life.process.send_signal(signal.SIGTERM)
            time.sleep(self._rng.uniform(0, 0.15))
            life.process.kill()
            life.said()
        else:
            self.killed.while_taking += 1
            life.kill()
        self._ward.node_is(None)

    def _last_life(self, receiver: Server) -> None:
        life = Life(self._folder)
        try:
            self._ward.node_is(life.ready())
            for sender in self._senders:
                sender.join()
            self._told(receiver)
            life.process.send_signal(signal.SIGTERM)
            assert life.process.wait(10) == 0, life.said()
        finally:
            life.process.kill()
            life.said()

    def _told(self, receiver: Server) -> None:
        """Wait until nothing waits for the receiver."""
        ends = time.monotonic() + 3 * PATIENCE
        while left := undelivered(self._folder / "data", receiver):
            assert time.monotonic() < ends, f"{left} notices were not delivered"
            time.sleep(0.05)


def main() -> None:
    """Kill by hand, a campaign of some kills after the other, and say what came of each."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--kills", type=int, default=1_000)
    parser.add_argument("--at-a-time", type=int, default=50, help="kills of one data folder before it is proved")
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    total = 0
    for nth in range(-(-asked.kills // asked.at_a_time)):
        with tempfile.TemporaryDirectory(prefix="trabecula-kill-") as folder:
            found = Campaign(Path(folder), asked.seed + nth, min(asked.at_a_time, asked.kills - total)).run()
        total += found.kills
        print(f"seed {asked.seed + nth}: {found}", flush=True)
    print(f"{total} kills in all: nothing lost")


if __name__ == "__main__":
    main()
