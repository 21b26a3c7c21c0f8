"""A simulation written out: messages in a format, at a pace, and the truth beside them."""

import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import BinaryIO, Final

from schemas.wire import encode
from streams.simulate import fhir, hl7v2, native
from streams.simulate.messages import Message
from streams.simulate.options import Options
from streams.simulate.population import Population
from streams.simulate.truth import Row

_FULL: Final = 1 << 16
"""Bytes gathered before they are written, where nobody waits for each message."""

Wording = Callable[[Message], bytes]


def wording(options: Options, form: str) -> Wording:
    """How a message is written in a format: `events`, `hl7v2` or `fhir`."""
    days = Population(options).days
    wordings: Mapping[str, Wording] = {
        "events": partial(native.lines, live_from=days.at(options.first)),
        "hl7v2": hl7v2.text,
        "fhir": fhir.lines,
    }
    return wordings[form]


def texts(options: Options, form: str, tell: Callable[[Row], None] | None = None) -> Iterator[bytes]:
    """Every message as it is sent, in order of arrival; one that a format cannot say is left out."""
    word = wording(options, form)
    for one in Population(options, tell).messages():
        written = word(one.message)
        if written:
            yield written


@dataclass(slots=True)
class Tally:
    """What was written."""

    messages: int = 0
    truths: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0

    def __str__(self) -> str:
        told = ", ".join(f"{name} {count:,}" for name, count in sorted(self.truths.items()))
        said = f"{self.messages:,} messages in {self.seconds:,.1f} s"
        return f"{said}; rows of truth: {told}" if told else said


class Pace:
    """So many messages a second by the wall clock; 0 waits for nobody."""

    def __init__(self, rate: float) -> None:
        self._rate = rate
        self._began = time.monotonic()
        self._sent = 0

    def wait(self) -> None:
        """Wait until the next message is due."""
        due = self._began + self._sent / self._rate
        self._sent += 1
        ahead = due - time.monotonic()
        if ahead > 0:
            time.sleep(ahead)


def run(options: Options, form: str, out: BinaryIO, *, rate: float = 0, truth: Path | None = None) -> Tally:
    """Write everything; with a rate each message as soon as it is due.

    Errors: OSError where the truth cannot be written.
    """
    tally = Tally()
    began = time.monotonic()
    with _teller(truth, tally) as tell:
        written = texts(options, form, tell)
        if rate > 0:
            _paced(written, out, Pace(rate), tally)
        else:
            _at_once(written, out, tally)
    tally.seconds = time.monotonic() - began
    return tally


@contextmanager
def _teller(truth: Path | None, tally: Tally) -> Iterator[Callable[[Row], None]]:
    def count(row: Row) -> None:
        tally.truths[row["truth"]] += 1

    if truth is None:
        yield count
        return
    with truth.open("wb") as file:

        def write(row: Row) -> None:
            count(row)
            file.write(encode(row) + b"\n")

        yield write


def _paced(written: Iterator[bytes], out: BinaryIO, pace: Pace, tally: Tally) -> None:
    for one in written:
        pace.wait()
        out.write(one)
        out.flush()
        tally.messages += 1


def _at_once(written: Iterator[bytes], out: BinaryIO, tally: Tally) -> None:
    gathered = bytearray()
    for one in written:
        gathered += one
        tally.messages += 1
        if len(gathered) >= _FULL:
            out.write(gathered)
            gathered.clear()
    out.write(gathered)
    out.flush()


def to_stdout(options: Options, form: str, *, rate: float = 0, truth: Path | None = None) -> Tally:
    """Write to standard output."""
    return run(options, form, sys.stdout.buffer, rate=rate, truth=truth)
