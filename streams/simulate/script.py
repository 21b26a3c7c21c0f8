"""The acts of a course in order of time, kept small: what is said is put into words when its time comes."""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from streams.simulate.days import DAY, Days
from streams.simulate.messages import Message, Said
from streams.simulate.people import Person


class When(NamedTuple):
    """The day and minute of an act, in the site's calendar, and whose act it is."""

    days: Days
    day: int
    minute: int
    number: str

    def before(self, minutes: int) -> Any:
        """An instant so many minutes earlier."""
        return self.days.at(self.day + (self.minute - minutes) // DAY, (self.minute - minutes) % DAY)


class Spoken(NamedTuple):
    """What a source system says: HL7 v2's name for it, the system, and the events."""

    type: str
    sender: str
    said: tuple[Said, ...]


Act = tuple[int, int, Callable[..., Spoken], tuple[Any, ...]]
"""Minute since day 0 of the calendar, a number that keeps the order of equal minutes, how it is said, of what."""


class Script:
    """What is going to be said of one patient."""

    def __init__(self) -> None:
        self._acts: list[Act] = []

    def say(self, day: int, minute: int, how: Callable[..., Spoken], *of: Any) -> None:
        """Add an act on a day; its minute may lie on a later day."""
        self._acts.append((day * DAY + minute, len(self._acts), how, of))

    def done(self) -> tuple[Act, ...]:
        """The acts in order of time."""
        return tuple(sorted(self._acts, key=_in_time))


def _in_time(act: Act) -> tuple[int, int]:
    return act[0], act[1]


def spoken(acts: tuple[Act, ...], person: Person, days: Days) -> Iterator[Message]:
    """The messages of a script."""
    for key, _, how, of in acts:
        day, minute = divmod(key, DAY)
        said = how(When(days, day, minute, person.number), *of)
        yield Message(days.at(day, minute), said.type, said.sender, person, said.said)
