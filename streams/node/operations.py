"""What an operator does with a running node: end a load of old data, redrive what was refused, look at receivers."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal, Protocol

from schemas.alerts import Notice
from streams.node.delivery_courier import Status
from streams.node.delivery_rows import Refused
from streams.node.engine import Engine
from streams.node.logs import LOG
from streams.node.port import Outcome
from streams.node.store_letters import Asked, Letter, LetterBox, Letters
from streams.node.store_reading import Reading, Source

Word = Literal["taken", "partly", "refused", "duplicate"]
_MOST_REASONS: Final = 20


@dataclass(frozen=True, slots=True)
class WentLive:
    """The end of a load; `was_loading`: it went on until now. The digest has what stands, critical first."""

    source: str
    was_loading: bool
    digest: tuple[Notice, ...]


@dataclass(frozen=True, slots=True)
class Redriven:
    """What became of a dead letter's message when it was taken again.

    Shape: taken: all of it; partly: what was refused still is; refused: all of it still is; duplicate: it had been
    taken before, and nothing changed.
    """

    letter_id: int
    outcome: Word
    events: int
    reasons: tuple[str, ...]


class Receivers(Protocol):
    """What is asked of delivery."""

    def status(self) -> list[Status]:
        """How each receiver fares."""

    def refused(self, receiver: str | None = None, most: int = 1_000) -> Sequence[Refused]:
        """What receivers refused for good, the latest first."""

    async def redrive(self, receiver: str, notice_id: str | None = None, *, overtaken: bool = False) -> int:
        """Send again what a receiver refused; returns how many notices.

        Errors: KeyError for a receiver that there is not; NotDurableError.
        """


def redriven(letter_id: int, outcome: Outcome) -> Redriven:
    """An outcome as it is told."""
    word: Word = "taken"
    if outcome.duplicate:
        word = "duplicate"
    elif outcome.refused_whole:
        word = "refused"
    elif outcome.refusals:
        word = "partly"
    taken = sum(1 for item in outcome.items if item.outcome == "accepted")
    reasons = dict.fromkeys(f"{each.where}: {each.reason}" for each in outcome.refusals[:_MOST_REASONS])
    return Redriven(letter_id, word, taken, tuple(reasons))


class Operations:
    """What an operator may do, while the node works.

    Errors: NotDurableError, QueueFullError of all that changes something.
    """

    def __init__(self, engine: Engine, receivers: Receivers, reading: Reading, letters: LetterBox) -> None:
        self._engine = engine
        self.receivers = receivers
        self._reading = reading
        self._letters = letters

    def letters(self, asked: Asked) -> Letters:
        """Dead letters."""
        return self._letters.some(asked)

    def letter(self, letter_id: int) -> tuple[Letter, bytes | None] | None:
        """One of them, and its message, if that is still kept."""
        return self._letters.one(letter_id)

    def sources(self) -> list[Source]:
        """The feeds."""
        return self._reading.sources()

    async def go_live(self, source: str) -> WentLive | None:
        """End a source's load of old data; None for a source that nothing came from. Twice is as once."""
        known = {each.source: each.state for each in await asyncio.to_thread(self.sources)}
        if source not in known:
            return None
        digest = await asyncio.wrap_future(self._engine.go_live(source))
        LOG.info("went_live", notices=len(digest))
        return WentLive(source, known[source] == "history", tuple(digest))

    async def redrive(self, letter_id: int) -> Redriven | None:
        """Take a dead letter's message again; None if there is no such letter or its message is no longer kept."""
        outcome = await asyncio.wrap_future(self._engine.redrive(letter_id))
        if outcome is None:
            return None
        found = redriven(letter_id, outcome)
        LOG.info("redriven", outcome=found.outcome, count=found.events)
        return found
