"""What the command line shows: lines on stdout, progress and a report on stderr."""

import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Final, Self, TextIO

from schemas.wire import encode
from streams.inputs import Reading

_EVERY: Final = 0.2
"""Seconds between two lines of progress."""


def write(values: Iterable[Any]) -> None:
    """Write values as NDJSON on stdout, each line as soon as it is there."""
    out = sys.stdout.buffer
    for value in values:
        out.write(encode(value) + b"\n")
        out.flush()


@dataclass(slots=True)
class Report:
    """What became of the messages: refusals are written as they come, the rest is counted."""

    messages: int = 0
    events: int = 0
    refusals: int = 0
    refused_whole: int = 0
    ignored: Counter[str] = field(default_factory=Counter)
    counted: Counter[str] = field(default_factory=Counter)
    became: Counter[str] = field(default_factory=Counter)
    unmapped: Counter[str] = field(default_factory=Counter)
    dead_letters: Counter[str] = field(default_factory=Counter)
    unreadable: list[str] = field(default_factory=list)

    def saw(self, reading: Reading) -> None:
        """Take note of a message's outcome."""
        self.messages += 1
        self.events += len(reading.translation.events)
        if reading.translation.ignored or reading.translation.counted:
            self.ignored.update(reading.translation.ignored)
            self.counted.update(reading.translation.counted)
        self.refused_whole += reading.translation.refused_whole
        for refusal in reading.translation.refusals:
            self.refusals += 1
            line = {"refused": refusal.refused, "reason": refusal.reason, "where": f"{reading.place} {refusal.where}"}
            sys.stderr.buffer.write(encode(line) + b"\n")
            sys.stderr.flush()

    @property
    def all_refused(self) -> bool:
        """There were messages, and nothing could be made of any."""
        return 0 < self.messages == self.refused_whole

    def cannot_read(self, message: str) -> None:
        """Take note of a file that cannot be read."""
        self.unreadable.append(message)
        sys.stderr.write(f"trabecula: {message}\n")

    def say(self, out: TextIO) -> None:
        """Say in a few lines what became of everything."""
        out.write(f"{self.messages} messages, {self.events} events, {self.refusals} refused\n")
        for words, counts in (
            ("ignored", self.ignored),
            ("noticed", self.counted),
            ("events", self.became),
            ("unmapped codes", self.unmapped),
            ("dead letters", self.dead_letters),
        ):
            shown = ", ".join(f"{name} {n}" for name, n in counts.most_common() if n)
            if shown:
                out.write(f"{words}: {shown}\n")


class Progress:
    """A line on stderr that says how far the work is, if stderr is a terminal."""

    def __init__(self, report: Report) -> None:
        self._report = report
        self._terminal = sys.stderr.isatty()
        self._started = time.monotonic()
        self._next = self._started + _EVERY

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._terminal:
            sys.stderr.write("\r\x1b[K")

    def watch(self, events: Iterable[Any]) -> Iterator[Any]:
        """The events, counted as they go by."""
        for done, event in enumerate(events, 1):
            yield event
            if self._terminal:
                self._show(done)

    def _show(self, done: int) -> None:
        now = time.monotonic()
        if now >= self._next:
            rate = done / (now - self._started)
            sys.stderr.write(f"\r\x1b[K{done:,} events decided, {self._report.messages:,} messages read, {rate:,.0f}/s")
            sys.stderr.flush()
            self._next = now + _EVERY
