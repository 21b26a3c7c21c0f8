"""Heparin episodes: heparin outside pregnancy, watched in every patient.

Source: docs/intervals.md, Episodes, and HEP-01 (scope).
"""

from collections.abc import Iterable
from datetime import date, datetime
from typing import Final

from schemas.days import FOREVER, ONE_DAY, Calendar
from schemas.definitions import Reader, define, records
from schemas.identity import episode_id
from schemas.views import (
    COURSE_GAP,
    EPISODES,
    PREGNANCIES,
    Episodes,
    HeparinEpisode,
    Ledger,
    Pregnancy,
    Stretch,
    ledger,
)

RECENT: Final = 183

_UFH, _LMWH = ledger("heparin_ufh"), ledger("lmwh")
_UFH_RECORDS, _LMWH_RECORDS = records("drug/heparin_ufh"), records("drug/lmwh")


def running_since(heparin: Iterable[Ledger], day: date) -> date | None:
    """The first day of a course (gaps of at most 7 d) that is running at a day and began before it."""
    starts = [
        first
        for one in heparin
        for first, last in one.courses(COURSE_GAP)
        if first < day and (last is None or day <= last)
    ]
    return min(starts, default=None)


def _chains(heparin: Iterable[Ledger]) -> list[tuple[date, date | None]]:
    """(first, last) of all heparin days of both classes with gaps of at most 183 days."""
    stretches = sorted((s for one in heparin for s in one.stretches), key=lambda s: s.first)
    made: list[tuple[date, date | None]] = []
    for s in stretches:
        if made and (made[-1][1] is None or (s.first - made[-1][1]).days <= RECENT):
            before = made[-1][1]
            made[-1] = (made[-1][0], None if before is None or s.last is None else max(before, s.last))
        else:
            made.append((s.first, s.last))
    return made


class _Finder:
    def __init__(
        self, heparin: tuple[Ledger, ...], first_recorded: dict[tuple[str, str], datetime], calendar: Calendar
    ) -> None:
        self.heparin = heparin
        self.first_recorded = first_recorded
        self.calendar = calendar

    def outside(self, first: date, last: date | None, pregnancies: Iterable[Pregnancy]) -> list[HeparinEpisode]:
        """The parts of a chain that lie outside every pregnancy episode."""
        made: list[HeparinEpisode] = []
        begins: date | None = first
        counts_from = first
        for p in pregnancies:
            ended = self.calendar.day(p.ended)
            if begins is None or ended <= begins or (last is not None and p.start > last):
                continue
            if begins < p.start:
                made += self._episode(begins, p.start - ONE_DAY, counts_from)
            running = running_since(self.heparin, ended)
            begins = ended if running is not None else self._next_day(ended, last)
            counts_from = running or begins or ended
        if begins is not None and (last is None or begins <= last):
            made += self._episode(begins, last, counts_from)
        return made

    def _next_day(self, day: date, last: date | None) -> date | None:
        found = [n for one in self.heparin if (n := one.next_from(day)) is not None and (last is None or n <= last)]
        return min(found, default=None)

    def _episode(self, first: date, last: date | None, counts_from: date) -> list[HeparinEpisode]:
        own = [s for one in self.heparin for s in one.stretches if _touches(s, counts_from, last)]
        if not own:
            return []
        starts = min((s.begins for s in own if s.first == first), default=None)
        begins = starts if starts is not None and counts_from == first else self.calendar.midnight(first)
        final = max(min(s.last or date.max, last or date.max) for s in own)
        key = min({f.key for s in own for f in s.facts}, key=lambda k: (self.first_recorded[k], k))
        ended = FOREVER if final == date.max else self.calendar.midnight(final, RECENT + 1)
        return [HeparinEpisode(episode_id(*key), first, last, begins, ended, counts_from)]


def _touches(s: Stretch, first: date, last: date | None) -> bool:
    return (s.last is None or first <= s.last) and (last is None or s.first <= last)


@define(EPISODES, PREGNANCIES, _UFH, _LMWH, _UFH_RECORDS, _LMWH_RECORDS)
def episodes(chart: Reader) -> Episodes:
    """Pregnancy episodes, and the heparin episodes outside them."""
    pregnancies = chart[PREGNANCIES].episodes
    heparin = (chart[_UFH], chart[_LMWH])
    if not any(one.stretches for one in heparin):
        return Episodes(pregnancies)
    first_recorded = {r.key: r.versions[0].recorded_at for r in (*chart[_UFH_RECORDS], *chart[_LMWH_RECORDS])}
    finder = _Finder(heparin, first_recorded, chart.calendar)
    found = [e for first, last in _chains(heparin) for e in finder.outside(first, last, pregnancies)]
    return Episodes(pregnancies, tuple(found))
