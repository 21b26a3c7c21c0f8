"""What can be wrong with the disk of a node under test, and the node on it."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal, Self

from tests.node.kill_clinic import Life


@dataclass(frozen=True, slots=True)
class Fault:
    """A kind of call that fails from its n-th time on; seconds that every sync takes more."""

    fails: Literal["", "full", "failed"] = ""
    at: Literal["", "xWrite", "xSync"] = ""
    after: int = 0
    slow: float = 0.0

    @classmethod
    def read(cls, said: Path) -> Self:
        """As it is said in a file."""
        return cls(**json.loads(said.read_text()))

    def write(self, said: Path) -> None:
        """Say it in a file, whole or not at all."""
        new = said.with_suffix(".new")
        new.write_text(json.dumps(asdict(self)))
        new.replace(said)


class FaultyLife(Life):
    """A life on a disk that can fail."""

    def __init__(self, folder: Path, fault: Fault | None = None) -> None:
        self.disk = folder / "disk.json"
        self.has(fault or Fault())
        super().__init__(folder, ("tests.node.fault_child", str(self.disk), "serve"))

    def has(self, fault: Fault) -> None:
        """From now on the disk has this fault."""
        fault.write(self.disk)

    def syncs(self) -> int:
        """How often the disk was asked to make durable what was written."""
        return int(self.disk.with_suffix(".syncs").read_text())

    def mebibytes(self) -> float:
        """The memory that it holds now."""
        lines = Path(f"/proc/{self.process.pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmRSS"))
