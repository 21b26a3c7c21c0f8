"""Everybody's messages in order of arrival: courses one after the other, the hospital beside them.

Law: a course is planned when its time comes and forgotten when it ends; what is held is bounded by the patients.
"""

import heapq
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Final

from streams.simulate.chance import Chance
from streams.simulate.course import Course, Planning
from streams.simulate.days import Days
from streams.simulate.general import plan_general
from streams.simulate.imperfections import Sent, mixed_up, named_twice, numbered, sent
from streams.simulate.messages import Message
from streams.simulate.obstetric import plan_pregnancy
from streams.simulate.options import Options
from streams.simulate.parameters import Figures
from streams.simulate.people import spread
from streams.simulate.pharmacy import heparin_messages
from streams.simulate.script import spoken
from streams.simulate.traffic import Hospital
from streams.simulate.truth import Row

_LATEST: Final = 75
"""Days before the end after which no course begins: nothing would be said of it."""

Tell = Callable[[Row], None]


class Population:
    """The simulated population. `tell` hears what is true of a course when the course begins."""

    def __init__(self, options: Options, tell: Tell | None = None) -> None:
        self.options = options
        self.figures = Figures.enriched(options.enrich)
        self.days = Days(options.zone)
        self._tell = tell or _nobody

    def messages(self) -> Iterator[Sent]:
        """Every message in order of arrival, until the last day ends."""
        until = self.days.at(self.options.end)
        for one in self._all():
            if one.arrives >= until:
                return
            yield one

    def _all(self) -> Iterator[Sent]:
        if self.options.mix != "hospital":
            return self._courses()
        hospital = Hospital(self.options, self.figures, self.days)
        beside = (Sent(message.at, message) for message in hospital.messages())
        return heapq.merge(self._courses(), beside, key=_arrival)

    def _courses(self) -> Iterator[Sent]:
        """The courses merged; each joins when its first day has come."""
        waiting: list[tuple[datetime, int, Sent, Iterator[Sent]]] = []
        for nth in range(self.options.patients):
            enters = self._enters(nth)
            yield from _until(waiting, self.days.at(enters))
            stream = self._stream(nth, enters)
            first = next(stream, None)
            if first is not None:
                heapq.heappush(waiting, (first.arrives, nth, first, stream))
        yield from _until(waiting, None)

    def _enters(self, nth: int) -> int:
        """Courses begin evenly over the run-in and the days."""
        first = self.options.first - self.options.run_in
        length = max(self.options.end - _LATEST - first, 1)
        return first + nth * length // self.options.patients

    def _stream(self, nth: int, enters: int) -> Iterator[Sent]:
        chance = Chance(self.options.seed, f"course {nth}")
        course = self._planned(chance, nth, enters)
        for row in course.truth(self.options.end):
            self._tell(row)
        said = spoken(course.acts, course.person, self.days)
        if course.heparin:
            said = heapq.merge(said, heparin_messages(course.heparin, course.person, self.days), key=_recorded)
        named = numbered(self._identified(chance, nth, said))
        return sent(named, chance, self.options.imperfections)

    def _planned(self, chance: Chance, nth: int, enters: int) -> Course:
        plan = plan_pregnancy if chance.happens(self.figures["obstetric"]) else plan_general
        mixed = spread(self.options.seed, nth)
        return plan(Planning(chance, self.figures, f"S{nth + 1:07d}", mixed, enters))

    def _identified(self, chance: Chance, nth: int, said: Iterator[Message]) -> Iterator[Message]:
        shares = self.options.imperfections
        number = f"S{nth + 1:07d}"
        if chance.happens(shares.merged):
            self._tell({"truth": "identity", "patient_id": number, "number": f"T{nth + 1:07d}", "same": True})
            return named_twice(said, f"T{nth + 1:07d}")
        if chance.happens(shares.unmerged):
            self._tell({"truth": "identity", "patient_id": number, "number": f"X{nth + 1:07d}", "same": False})
            return mixed_up(said, f"X{nth + 1:07d}", chance.whole(2, 20))
        return said


def _nobody(row: Row) -> None:
    del row


def _arrival(one: Sent) -> datetime:
    return one.arrives


def _recorded(message: Message) -> datetime:
    return message.at


def _until(waiting: list[tuple[datetime, int, Sent, Iterator[Sent]]], instant: datetime | None) -> Iterator[Sent]:
    """What arrives before an instant, or everything."""
    while waiting and (instant is None or waiting[0][0] < instant):
        _, nth, one, stream = waiting[0]
        yield one
        following = next(stream, None)
        if following is None:
            heapq.heappop(waiting)
        else:
            heapq.heapreplace(waiting, (following.arrives, nth, following, stream))
