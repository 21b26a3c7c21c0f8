"""A node that is killed again and again while feeds send to it, and what must be true of it afterwards.

Usage: python -m tests.node.kill [--kills 1000] [--at-a-time 50] [--seed 1]
"""

import argparse
import signal
import tempfile
import time
from pathlib import Path
from typing import Final

from tests.node.kill_clinic import Campaign, Life

PATIENTS_A_KILL: Final = 3


class Kills(Campaign):
    """So many kills: while the node starts, while it takes messages, while it is asked to stop."""

    def __init__(self, folder: Path, seed: int, kills: int) -> None:
        super().__init__(folder, seed, PATIENTS_A_KILL * kills + 10)
        self._kills = kills
        self._starts_in = 1.0
        self.while_starting = self.while_taking = self.while_stopping = 0

    def __str__(self) -> str:
        return f"{self.while_starting} starting, {self.while_taking} taking, {self.while_stopping} stopping"

    @property
    def done(self) -> int:
        """Kills so far."""
        return self.while_starting + self.while_taking + self.while_stopping

    def live(self) -> None:
        """One life after the other, each ended by a kill."""
        while self.done < self._kills:
            life = Life(self.folder)
            try:
                self._ended(life)
            finally:
                life.end()
                self.ward.node_is(None)

    def _ended(self, life: Life) -> None:
        if self.rng.random() < 0.25:
            time.sleep(self.rng.uniform(0.3, 1.0) * self._starts_in)
            self.while_starting += 1
            life.kill()
            return
        began = time.monotonic()
        self.ward.node_is(life.ready())
        self._starts_in = time.monotonic() - began
        rest = self.messages - len(self.ward.acknowledged)
        self.wait_for(int(self.rng.uniform(0.1, 1.5) * rest / (self._kills - self.done + 1)))
        time.sleep(self.rng.uniform(0, 0.03))
        if self.rng.random() < 0.1:
            self.while_stopping += 1
            life.process.send_signal(signal.SIGTERM)
            time.sleep(self.rng.uniform(0, 0.15))
            life.end()
        else:
            self.while_taking += 1
            life.kill()


def main() -> None:
    """Kill by hand, a campaign of some kills after the other, and say what came of each."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--kills", type=int, default=1_000)
    parser.add_argument("--at-a-time", type=int, default=50, help="kills of one data folder before it is proved")
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    total, seed = 0, asked.seed
    while total < asked.kills:
        with tempfile.TemporaryDirectory(prefix="trabecula-kill-") as folder:
            campaign = Kills(Path(folder), seed, min(asked.at_a_time, asked.kills - total))
            outcome = campaign.run()
        total += campaign.done
        print(f"seed {seed}: {campaign.done} kills ({campaign}); {outcome}", flush=True)
        seed += 1
    print(f"{total} kills in all: nothing lost")


if __name__ == "__main__":
    main()
