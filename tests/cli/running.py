"""The installed command, run as a user runs it."""

import json
import os
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

from schemas.events import AnyEvent
from schemas.wire import encode


class Ran(NamedTuple):
    """What a command printed and how it ended."""

    status: int
    out: str
    err: str

    @property
    def lines(self) -> list[dict[str, Any]]:
        """Its NDJSON."""
        return [json.loads(line) for line in self.out.splitlines()]


def trabecula(*arguments: object, given: bytes | None = None, **settings: str) -> Ran:
    """Run `trabecula` with these arguments and stdin; settings become TRABECULA_... in the environment."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("TRABECULA_")}
    environment |= {f"TRABECULA_{name.upper()}": value for name, value in settings.items()}
    command = [sys.executable, "-m", "streams.cli", *map(str, arguments)]
    ran = subprocess.run(command, input=given, capture_output=True, check=False, timeout=120, env=environment)
    return Ran(ran.returncode, ran.stdout.decode(), ran.stderr.decode())


def written(path: Path, events: Iterable[AnyEvent]) -> Path:
    """Write events as NDJSON."""
    path.write_bytes(b"".join(encode(e) + b"\n" for e in events))
    return path
