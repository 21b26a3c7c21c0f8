"""Glucocorticoid exposure: days of at least 2.5 mg prednisone equivalent, without courses for fetal lungs.

Source: docs/intervals.md SEC-04; docs/evidence.md 2.5.1 (layers) and 4.2.
"""

from collections import deque
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from typing import Final

import msgspec

from alerting.judge import Judge
from alerting.rule import Rule
from schemas.days import FOREVER, ONE_DAY, Calendar
from schemas.definitions import Reader
from schemas.facts import Dose, Fact, Order, Supply
from schemas.intervals import Evidence, Interval, Intervals
from schemas.views import COURSE_GAP, PREGNANCIES, Ledger, Pregnancy, Stretch, ledger

_LEDGER = ledger("glucocorticoid")
_FETAL_LUNG: Final = frozenset({"betamethasone", "dexamethasone"})
_LOCAL_WORDS: Final = ("inhal", "nebul", "topical", "nasal", "ocular", "ophthalm", "conjunctival", "eye")
_LOCAL_CODES: Final = frozenset({"ih", "ns", "op", "tp", "ap", "inh", "neb", "top", "cutaneous", "skin"})
"""Routes that are not systemic: words, and codes of HL7 table 0162."""
_MOST_RECORDS: Final = 12


def _drug(fact: Fact) -> Order | Dose | Supply | None:
    return fact.payload if isinstance(fact.payload, Order | Dose | Supply) else None


def _local(fact: Fact) -> bool:
    """Inhaled, topical, nasal or ocular; an unknown route counts as systemic."""
    given = _drug(fact)
    route = (given.route or "").casefold() if given else ""
    return route in _LOCAL_CODES or any(word in route for word in _LOCAL_WORDS)


def _for_lungs(fact: Fact) -> bool:
    given = _drug(fact)
    return given is not None and given.drug in _FETAL_LUNG


def _courses(exposure: Ledger) -> tuple[tuple[date, date | None], ...]:
    """The courses of drugs that ripen fetal lungs."""
    return Ledger(tuple(s for s in exposure.stretches if any(_for_lungs(f) for f in s.facts))).courses(COURSE_GAP)


class _Days:
    """Which days count: the dose is reached, the route systemic, and it is no short course in pregnancy."""

    def __init__(self, chart: Reader, judge: Judge) -> None:
        self.exposure = chart[_LEDGER]
        self.calendar = chart.calendar
        self.judge = judge
        short = judge.days("lung_course")
        pregnancies = chart[PREGNANCIES].episodes
        self.spared = [
            (first, last)
            for first, last in _courses(self.exposure)
            if last is not None and (last - first).days < short and any(p.pregnant_on(first) for p in pregnancies)
        ]

    def counts(self, s: Stretch) -> bool:
        """The days of the stretch count."""
        if s.facts and all(_local(f) for f in s.facts):
            return self.judge.condition("systemic route", met=False)
        self.judge.looks_at(s.first)
        lungs = bool(s.facts) and all(_for_lungs(f) for f in s.facts)
        spared = lungs and any(first <= s.first <= last for first, last in self.spared)
        return not spared and self.judge.at_least("daily_dose", s.amount)

    def __iter__(self) -> Iterator[tuple[date, datetime, bool]]:
        """Each day that counts, its beginning, and whether the days go on without end; of such, one window's."""
        for s in self.exposure.stretches:
            if not self.counts(s):
                continue
            last = s.last or s.first + timedelta(days=self.judge.days("window"))
            day = s.first
            while day <= last:
                begins = s.begins if day == s.first else self.calendar.midnight(day)
                yield day, begins, s.last is None and day == last
                day += ONE_DAY


class _Exposure(msgspec.Struct, frozen=True):
    """Long exposure: reached on a day with so many days counted, recent until `ended`."""

    began: datetime
    counted: int
    day: date
    ended: datetime = FOREVER


def _exposures(days: _Days, judge: Judge, calendar: Calendar) -> Iterator[_Exposure]:
    """Long exposures, in a pregnancy or not."""
    window: deque[date] = deque()
    reached: _Exposure | None = None
    recent, width = judge.days("recent_days"), judge.days("window")
    until = FOREVER
    for day, begins, endless in days:
        if reached is not None and begins >= until:
            yield msgspec.structs.replace(reached, ended=until)
            reached = None
        window.append(day)
        while (day - window[0]).days >= width:
            window.popleft()
        judge.looks_at(day)
        if reached is None and judge.at_least("exposed_days", len(window)):
            reached = _Exposure(begins, len(window), day)
        until = FOREVER if endless else calendar.midnight(day, recent)
    if reached is not None:
        yield msgspec.structs.replace(reached, ended=until)


def _sec_04(chart: Reader, judge: Judge) -> Intervals:
    pregnancies = chart[PREGNANCIES].episodes
    if not pregnancies:
        judge.out_of_scope("not in a pregnancy episode")
        return ()
    if not chart[_LEDGER].stretches:
        judge.out_of_scope("no glucocorticoid")
        return ()
    found = tuple(_exposures(_Days(chart, judge), judge, chart.calendar))
    made = (_interval(chart, judge, p, one) for p in pregnancies for one in found)
    return tuple(i for i in made if i.began < i.ended)


def _interval(chart: Reader, judge: Judge, p: Pregnancy, one: _Exposure) -> Interval:
    """The part of an exposure that lies in the episode."""
    facts = {f.key: f for s in chart[_LEDGER].stretches if s.first <= one.day for f in s.facts}
    records = (
        Evidence("glucocorticoid record", f.record_id, f.event_id, f.source)
        for _, f in sorted(facts.items())[-_MOST_RECORDS:]
    )
    exposure = Evidence("glucocorticoid days", value=one.counted, unit="d", ends=chart.calendar.midnight(one.day, 1))
    return Interval(
        max(one.began, p.began),
        min(one.ended, p.ended),
        episode=p.episode,
        evidence=(exposure, *records),
        details=(("dose", f"{judge.limit('daily_dose'):f}"), ("days", one.counted), ("day", one.day.isoformat())),
    )


def _asks(chart: Reader, _judge: Judge, _interval: Interval, now: datetime) -> Iterator[str]:
    today = chart.calendar.day(now)
    past = [s for s in chart[_LEDGER].stretches if s.first <= today]
    if any(s.amount is None or s.assumed for s in past):
        yield "dose of a glucocorticoid unknown on some days"
    if any((given := _drug(f)) is not None and not given.route for s in past for f in s.facts):
        yield "route of a glucocorticoid unknown"


RULES = (Rule("SEC-04", (_LEDGER, PREGNANCIES), _sec_04, _asks),)
