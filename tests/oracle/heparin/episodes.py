"""Heparin courses, and the episodes in which their days are counted."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from fractions import Fraction

from tests.oracle.days import Pregnancy, deceased_at
from tests.oracle.facts import Chart, Record, instant

from .doses import HEPARINS
from .exposure import Day, active_spans, given, heparin_ledger, supplies


@dataclass
class Episode:
    """A pregnancy episode, or a heparin episode outside one, with its own records."""

    kind: str
    start: datetime
    end: datetime
    records: list[Record]
    pregnancy: Pregnancy | None = None
    follows: bool = False
    counted: dict[str, list[date]] = field(default_factory=dict)

    def within(self, when: datetime) -> bool:
        return self.start <= when < self.end


def courses(days: Iterable[date], gap: int = 7) -> list[list[date]]:
    """Exposed days as courses: a gap is the difference of two exposed days."""
    made: list[list[date]] = []
    for day in sorted(days):
        if made and (day - made[-1][-1]).days <= gap:
            made[-1].append(day)
        else:
            made.append([day])
    return made


@dataclass
class Heparin:
    """The heparin of one chart and the episodes in which its days are counted."""

    ufh: dict[date, Day]
    lmwh: dict[date, Day]
    episodes: list[Episode]
    running: dict[tuple[date, date, int], tuple[list[Fraction], list[int]]] = field(default_factory=dict)

    def ledger(self, drug_class: str) -> dict[date, Day]:
        return self.ufh if drug_class == "ufh" else self.lmwh

    def mean(self, counted: list[date], place: int, last: int | None = None) -> Fraction | None:
        """Mean IU of UFH on the counted days up to one of them, or on its last days, unknown ones left out."""
        judged = self._at_least(counted, place, -1)
        first = 0 if last is None else max(0, place + 1 - last)
        sums, known = self._sums(counted)
        total, days = sums[place] - sums[first], known[place] - known[first]
        if judged is not None:
            total, days = total + judged, days + 1
        return total / days if days else None

    def _sums(self, counted: list[date]) -> tuple[list[Fraction], list[int]]:
        """Running sums of the known amounts before each day."""
        key = (counted[0], counted[-1], len(counted))
        if key not in self.running:
            sums, known = [Fraction(0)], [0]
            for place in range(len(counted)):
                amount = self._at_least(counted, place, 0)
                sums.append(sums[-1] + (amount or 0))
                known.append(known[-1] + (amount is not None))
            self.running[key] = (sums, known)
        return self.running[key]

    def _at_least(self, counted: list[date], place: int, side: int) -> Fraction | None:
        """A day's amount; the first of a course and the judged one at least the order's, else their neighbour's."""
        exposed = self.ufh[counted[place]]
        first = place == 0 or (counted[place] - counted[place - 1]).days > 7
        if exposed.amount is None or not (first or side):
            return exposed.amount
        if exposed.ordered is not None:
            return max(exposed.amount, exposed.ordered)
        beside = place + (1 if first else -1)
        if beside >= len(counted) or abs((counted[beside] - counted[place]).days) > 7:
            return exposed.amount
        return max(exposed.amount, self.ufh[counted[beside]].amount or Fraction(0))


def episodes_of(chart: Chart, pregnancies: list[Pregnancy]) -> Heparin:
    """Pregnancy episodes, and heparin episodes outside them."""
    ufh, lmwh = heparin_ledger(chart, "ufh"), heparin_ledger(chart, "lmwh")
    heparin = Heparin(ufh, lmwh, [])
    for pregnancy in pregnancies:
        episode = Episode("pregnancy", pregnancy.start, pregnancy.end, pregnancy.records, pregnancy)
        for drug_class in HEPARINS:
            episode.counted[drug_class] = _counted_in_pregnancy(chart, heparin.ledger(drug_class), pregnancy)
        heparin.episodes.append(episode)
    heparin.episodes += _heparin_episodes(chart, heparin, pregnancies)
    heparin.episodes.sort(key=lambda e: e.start)
    return heparin


def _counted_in_pregnancy(chart: Chart, ledger: dict[date, Day], pregnancy: Pregnancy) -> list[date]:
    """The days of the episode, and the whole of a course that runs at the LMP."""
    counted = {d for d in ledger if pregnancy.within(chart.calendar.midnight(d))}
    for course in courses(ledger):
        if course[0] < pregnancy.day_zero <= course[-1]:
            counted |= {d for d in course if d < pregnancy.day_zero}
    return sorted(counted)


def _heparin_episodes(chart: Chart, heparin: Heparin, pregnancies: list[Pregnancy]) -> list[Episode]:
    midnight = chart.calendar.midnight
    both = {
        d: min(x.begins for x in (heparin.ufh.get(d), heparin.lmwh.get(d)) if x) for d in {*heparin.ufh, *heparin.lmwh}
    }
    outside = [d for d in both if not any(p.within(midnight(d)) for p in pregnancies)]
    made = []
    for run in courses(outside, 183):
        for piece in _cut(run, pregnancies):
            start, end = both[piece[0]], midnight(piece[-1] + timedelta(days=184))
            counted = {c: [d for d in piece if d in heparin.ledger(c)] for c in HEPARINS}
            follows = False
            for p in pregnancies:
                if p.end <= midnight(piece[0]) and _runs_over(both, chart.calendar.day(p.end), piece[0]):
                    start, follows = p.end, True
                    counted = {c: _taken_over(heparin.ledger(c), chart.calendar.day(p.end), piece) for c in HEPARINS}
            following = [p.start for p in pregnancies if p.start > midnight(piece[0])]
            end = min(end, *following, deceased_at(chart))
            records = _own_records(chart, {*counted["ufh"], *counted["lmwh"]})
            made.append(Episode("heparin", start, end, records, None, follows, counted))
    return made


def _own_records(chart: Chart, days: set[date]) -> list[Record]:
    """The records of heparin that speak of one of some days."""

    def wanted(_: str, drug_class: str) -> bool:
        return drug_class in HEPARINS

    first, following = chart.calendar.midnight(min(days)), chart.calendar.midnight(max(days) + timedelta(days=1))
    own = [s.record for s in active_spans(chart, wanted) if s.began < following and s.ended > first]
    own += [r for r, v in given(chart, wanted) if first <= instant(v.get("given_at")) < following]
    own += [r for r, _, start, last in supplies(chart, wanted) if start <= max(days) and last >= min(days)]
    return own


def _cut(run: list[date], pregnancies: list[Pregnancy]) -> list[list[date]]:
    """A run of days outside pregnancies, cut where a pregnancy lies between them."""
    pieces = [[run[0]]]
    for day in run[1:]:
        if any(pieces[-1][-1] < p.day_zero <= day for p in pregnancies):
            pieces.append([day])
        else:
            pieces[-1].append(day)
    return pieces


def _runs_over(days: Iterable[date], border: date, first: date) -> bool:
    """Whether one course has days before a border and goes on with the first day after it."""
    return any(course[0] < border <= first <= course[-1] for course in courses(days))


def _taken_over(ledger: dict[date, Day], border: date, piece: list[date]) -> list[date]:
    counted = {d for d in piece if d in ledger}
    for course in courses(ledger):
        if course[0] < border <= course[-1]:
            counted |= {d for d in course if d < border}
    return sorted(counted)
