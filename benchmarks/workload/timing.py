"""Medians of rounds that are run one after the other, in processor time, so that a busy machine changes little."""

import gc
import time
from collections.abc import Callable, Mapping
from statistics import median
from typing import Final

ROUNDS: Final = 15
_AT_LEAST: Final = 0.02
"""Seconds of one measure in one round."""


def _repeats(work: Callable[[], object]) -> int:
    repeats = 1
    while (took := _timed(work, repeats)) < _AT_LEAST:
        repeats = max(repeats + 1, int(repeats * min(100.0, 1.2 * _AT_LEAST / max(took, 1e-9))))
    return repeats


def _timed(work: Callable[[], object], repeats: int) -> float:
    begun = time.process_time()
    for _ in range(repeats):
        work()
    return time.process_time() - begun


def medians(works: Mapping[str, Callable[[], object]], rounds: int = ROUNDS) -> dict[str, float]:
    """Seconds that each work takes once."""
    repeats = {name: _repeats(work) for name, work in works.items()}
    seen: dict[str, list[float]] = {name: [] for name in works}
    gc.disable()
    try:
        for _ in range(rounds):
            for name, work in works.items():
                seen[name].append(_timed(work, repeats[name]) / repeats[name])
            gc.collect()
    finally:
        gc.enable()
    return {name: median(found) for name, found in seen.items()}
