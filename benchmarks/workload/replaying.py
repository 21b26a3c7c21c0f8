"""A replay in a process of its own: how fast it went and how much memory it took at most."""

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Replayed:
    """One run of `trabecula replay`; its seconds are processor time, so that a busy machine changes little."""

    events: int
    seconds: float
    mebibytes: float

    @property
    def rate(self) -> float:
        """Events a second of one core, the start of the process included."""
        return self.events / self.seconds


def replay(path: Path, events: int) -> Replayed:
    """Replay a file of so many events.

    Errors: RuntimeError if the process failed.
    """
    command = [sys.executable, "-m", "streams.cli", "replay", str(path)]
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # noqa: S603
    _, status, usage = os.wait4(child.pid, 0)
    if status:
        raise RuntimeError(f"replay of {path} failed: {status}")
    return Replayed(events, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)
