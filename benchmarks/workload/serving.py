"""A node in a process of its own, started as an operator starts it, and what it costs the machine."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_FREE: Final = ("--http", "127.0.0.1:0", "--mllp", "127.0.0.1:0")
_TICKS: Final = os.sysconf("SC_CLK_TCK")
_UTIME: Final = 11
"""Where user time stands in `/proc/PID/stat` behind the name, system time next to it (Source: proc(5))."""
_ROOT: Final = Path(__file__).parents[2]
_STOPS_WITHIN: Final = 30


@dataclass(frozen=True, slots=True)
class Serving:
    """A node that takes messages."""

    pid: int
    http: tuple[str, int]
    mllp: tuple[str, int]

    def processor_seconds(self) -> float:
        """User and system time of all its threads so far."""
        return _seconds(Path(f"/proc/{self.pid}/stat"))

    def by_thread(self) -> dict[str, float]:
        """The same for each thread; the engine is told apart by the name that its thread has, where it has one."""
        tasks = Path(f"/proc/{self.pid}/task").iterdir()
        return {f"{task.name} {(task / 'comm').read_text().strip()}": _seconds(task / "stat") for task in tasks}

    def mebibytes(self) -> float:
        """The most memory it held so far."""
        lines = Path(f"/proc/{self.pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM"))


def _seconds(stat: Path) -> float:
    fields = stat.read_text().rpartition(")")[2].split()
    return (int(fields[_UTIME]) + int(fields[_UTIME + 1])) / _TICKS


@contextmanager
def serving(data: Path, *more: str) -> Iterator[Serving]:
    """A node on a folder, stopped in order at the end.

    Errors: RuntimeError where it does not start.
    """
    command = [sys.executable, "-m", "streams.cli", "serve", "--data", str(data), *_FREE, *more]
    log = data.with_suffix(".log")
    with log.open("wb") as errors:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, cwd=_ROOT)  # noqa: S603 - our own
    try:
        line = process.stdout.readline() if process.stdout else b""
        if not line:
            raise RuntimeError(f"the node did not start: {log.read_text()}")
        addresses = json.loads(line)
        yield Serving(process.pid, _address(addresses["http"]), _address(addresses["mllp"]))
    finally:
        process.terminate()
        try:
            process.wait(_STOPS_WITHIN)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _address(said: str) -> tuple[str, int]:
    host, _, port = said.rpartition(":")
    return host, int(port)
