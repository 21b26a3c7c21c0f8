"""Counting exposed days and mean doses, as docs/evidence.md 2.5 and docs/intervals.md HEP-01..03 have it."""

from collections import deque
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Final

import msgspec

from schemas.days import FOREVER, ONE_DAY, Calendar
from schemas.definitions import Name
from schemas.views import COURSE_GAP, Episodes, Ledger, Stretch

ROLLING: Final = 28
_LONGEST: Final = 3660  # ten years: an order that is still open then has crossed whatever it will cross


class Counted(msgspec.Struct, frozen=True):
    """The count up to and with one exposed day: `mean` of all known days, `recent` of the last 28 exposed days.

    `steady`: an order without end has given this `amount` for 28 days; from here on means only move towards it.
    """

    day: date
    begins: datetime
    days: int
    mean: Decimal | None
    recent: Decimal | None
    amount: Decimal | None = None
    steady: bool = False

    def comes_to(self, mean: Decimal | None, dose: Decimal) -> bool:
        """Time alone may still bring this mean to so much, or keep it there until the days are enough."""
        if not self.steady or (mean is not None and mean >= dose):
            return True
        return self.amount is not None and self.amount > dose


class Count(msgspec.Struct, frozen=True):
    """What is counted together: an episode's days [first, until), findings from `began` to `ended`.

    `taken_over`: a finding reached before `began` begins there (a running course taken over); otherwise one reached
    before belongs to the episode before.
    """

    episode: str
    first: date
    until: date | None
    began: datetime
    ended: datetime
    taken_over: bool


CountedDays = tuple[tuple[Count, tuple[Counted, ...]], ...]

UFH_COUNTS: Final[Name[CountedDays]] = Name("ufh_counts")
"""Each count of unfractionated heparin with its days, to where no rule that reads it can come to say more."""


def counts(episodes: Episodes, exposure: Ledger, calendar: Calendar) -> tuple[Count, ...]:
    """The counts of a class: one a pregnancy episode (with the course running at the LMP), one a heparin episode."""
    made = []
    before = None
    for p in episodes.pregnancies:
        first = _running_since(exposure, p.start) or p.start
        # A finding of the pregnancy before ended with it; one begun outside pregnancy runs on where it began.
        follows = before is not None and before.ended == p.began
        made.append(Count(p.episode, first, calendar.day(p.ended), p.began, p.ended, follows and first < p.start))
        before = p
    for h in episodes.heparin:
        until = h.last + ONE_DAY if h.last else None
        # Each class takes over its own running course: LMWH that runs on does not carry UFH days of the pregnancy over.
        first = _running_since(exposure, h.first) or h.first
        # A finding begun before an LMP runs on in the pregnancy; after that the next heparin episode takes over.
        ended = min((p.ended for p in episodes.pregnancies if p.start > h.first), default=FOREVER)
        made.append(Count(h.episode, first, until, h.began, ended, first < h.first))
    return tuple(made)


def _running_since(exposure: Ledger, day: date) -> date | None:
    courses = exposure.courses(COURSE_GAP)
    return next((f for f, last in courses if f < day and (last is None or day <= last)), None)


def exposed_days(exposure: Ledger, first: date, until: date | None) -> Iterator[tuple[date, datetime, Stretch]]:
    """Each exposed day of [first, until) with its beginning."""
    last_possible = first + timedelta(days=_LONGEST)
    end = min(until, last_possible) if until else last_possible
    for s in exposure.stretches:
        day = max(s.first, first)
        stop = end if s.last is None else min(end, s.last + ONE_DAY)
        while day < stop:
            yield day, s.begins, s
            day += ONE_DAY


def _neighbour(exposure: Ledger, day: date) -> Decimal | None:
    found = exposure.on(day)
    return found.amount if found else None


def _largest(*amounts: Decimal | None) -> Decimal | None:
    return max((a for a in amounts if a is not None), default=None)


def _floor(exposure: Ledger, s: Stretch, neighbour: date) -> Decimal | None:
    """What an administered day counts at least: the order in force, else the neighbouring day."""
    return s.floor if s.floor is not None else _neighbour(exposure, neighbour)


class _Rolling:
    """The mean of the known amounts among the last 28 exposed days."""

    def __init__(self) -> None:
        self._days: deque[Decimal | None] = deque()
        self._total = Decimal(0)
        self._known = 0

    def with_day(self, judged: Decimal | None) -> Decimal | None:
        """The mean with one more day, which is not kept."""
        return _mean(self._total, self._known, judged)

    def add(self, amount: Decimal | None) -> None:
        """Keep a day; the window then holds the 27 days that the next one is judged with."""
        self._days.append(amount)
        if amount is not None:
            self._total, self._known = self._total + amount, self._known + 1
        if len(self._days) == ROLLING:
            gone = self._days.popleft()
            if gone is not None:
                self._total, self._known = self._total - gone, self._known - 1


def counted(exposure: Ledger, count: Count, calendar: Calendar) -> Iterator[Counted]:
    """The count at each exposed day; the day itself and first days of courses count at least the order in force."""
    known = 0
    total = Decimal(0)
    rolling = _Rolling()
    before: date | None = None
    for days, (day, s_begins, s) in enumerate(exposed_days(exposure, count.first, count.until), 1):
        begins = s_begins if day == s.first else calendar.midnight(day)
        first_of_course = before is None or (day - before).days > COURSE_GAP
        amount = judged = s.amount
        if s.layer == "administered":
            if first_of_course:
                amount = _largest(s.amount, _floor(exposure, s, day + ONE_DAY))
            judged = _largest(amount, _floor(exposure, s, day - ONE_DAY))
        steady = s.last is None and (day - s.first).days >= ROLLING
        yield Counted(day, begins, days, _mean(total, known, judged), rolling.with_day(judged), judged, steady)
        rolling.add(amount)
        if amount is not None:
            total, known = total + amount, known + 1
        before = day


def _mean(total: Decimal, known: int, judged: Decimal | None) -> Decimal | None:
    if judged is None:
        return total / known if known else None
    return (total + judged) / (known + 1)


def endless_from(exposure: Ledger, pause: int, calendar: Calendar) -> date:
    """The first exposed day from which exposure never pauses for `pause` days; the last date where it ends."""
    if not exposure.open:
        return date.max
    following = exposure.stretches[-1]
    for s in reversed(exposure.stretches[:-1]):
        if s.last is None or following.begins >= calendar.midnight(s.last, pause):
            break
        following = s
    return following.first


class Held(msgspec.Struct, frozen=True):
    """How long exposure stays recent after a day: `ended`, and pauses (from, resumed) longer than `pause` days."""

    ended: datetime
    last: date | None
    pauses: tuple[tuple[datetime, datetime | None], ...]


def held(exposure: Ledger, day: date, recent: int, pause: int, calendar: Calendar) -> Held:
    """Exposure is recent until midnight of L + `recent`, L the last exposed day; a day before that prolongs it."""
    last: date | None = day
    pauses: list[tuple[datetime, datetime | None]] = []
    near = ONE_DAY if min(recent, pause) > 1 else timedelta(0)
    for s in exposure.stretches[exposure.index(day) :]:
        if last is None or (s.last is not None and s.last <= last):
            continue
        if s.first - last > near:
            if s.begins >= calendar.midnight(last, recent):
                break
            if s.begins > calendar.midnight(last, pause):
                pauses.append((calendar.midnight(last, pause), s.begins))
        last = s.last
    if last is None:
        return Held(FOREVER, None, tuple(pauses))
    pauses.append((calendar.midnight(last, pause), None))
    return Held(calendar.midnight(last, recent), last, tuple(pauses))
