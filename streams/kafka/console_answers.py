"""Answers to alerts on their way to the events: acknowledged once the brokers have them.

Topic: a worker decides on an answer. Whoever gave it is shown the alert as it stands after that, if that comes soon.
"""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from typing import Final

import msgspec

from streams.intake.native import translate_native
from streams.intake.outcome import Translation
from streams.kafka.console_projection import Projection
from streams.kafka.publisher import Publisher, UnreachedError
from streams.kafka.records import event_record
from streams.node.port import Incoming, ItemOutcome, NotDurableError, Outcome

_SHOWN_WITHIN: Final = 2.0
"""Seconds for which somebody waits to see what became of an answer that is kept."""


class _Answer(msgspec.Struct):
    alert_id: str


class Answers:
    """The way of answers (streams.node.port.Receiver)."""

    def __init__(self, publisher: Publisher, projection: Projection) -> None:
        self._publisher = publisher
        self._projection = projection
        self._turn = asyncio.Lock()

    async def receive(self, message: Incoming) -> Outcome:
        """Take an answer; returns when the brokers have it.

        Errors: NotDurableError.
        """
        (outcome,) = await self.receive_all((message,))
        return outcome

    async def receive_all(self, messages: Sequence[Incoming]) -> list[Outcome]:
        """Take answers together.

        Errors: NotDurableError.
        """
        translated = [translate_native(message.raw) for message in messages]
        if any(one.events for one in translated):
            with self._projection.watching(_alert(messages[-1])) as changed:
                await self._publish(translated)
                with suppress(TimeoutError):
                    await asyncio.wait_for(changed.wait(), _SHOWN_WITHIN)
        return [_outcome(one) for one in translated]

    async def _publish(self, translated: Sequence[Translation]) -> None:
        """One at a time: a producer that failed is begun anew by whoever comes next."""
        sends = [event_record(event) for one in translated for event in one.events]
        async with self._turn:
            try:
                if not self._publisher.is_started:
                    await self._publisher.start()
                await self._publisher.publish(sends)
            except UnreachedError as error:
                raise NotDurableError(str(error)) from None


def _alert(message: Incoming) -> str:
    try:
        return msgspec.json.decode(message.raw, type=_Answer).alert_id
    except msgspec.DecodeError:
        return ""


def _outcome(translated: Translation) -> Outcome:
    items = tuple(ItemOutcome(event.event_id, "accepted") for event in translated.events)
    return Outcome(items, tuple(translated.refusals), refused_whole=not items)
