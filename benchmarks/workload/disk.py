"""What the disk alone can do: the measure beside every figure of something durable."""

import os
import time
from pathlib import Path


def syncs_a_second(folder: Path, count: int = 200) -> float:
    """Appends of one page, each followed by fdatasync."""
    path = folder / "syncs"
    file = os.open(path, os.O_CREAT | os.O_WRONLY)
    began = time.perf_counter()
    for number in range(count):
        os.pwrite(file, b"x" * 4096, number * 4096)
        os.fdatasync(file)
    seconds = time.perf_counter() - began
    os.close(file)
    path.unlink()
    return count / seconds
