"""Long rest in pregnancy and the early puerperium: thrombosis and muscle loss.

Source: docs/intervals.md SAF-06; docs/evidence.md 1.2 (long rest causes other complications).
"""

from collections.abc import Iterable, Iterator
from datetime import date, datetime, timedelta

import msgspec

from alerting.judge import Judge
from alerting.rule import Rule
from alerting.rules.anticoagulation import (
    PROPHYLAXIS,
    READS,
    WEIGHT,
    Anticoagulated,
    anticoagulated,
    first_free_day,
    weight_on,
)
from schemas.days import FOREVER, ONE_DAY, Calendar
from schemas.definitions import Reader, records
from schemas.facts import Care, Diagnosis, Fact
from schemas.intervals import Evidence, Interval, Intervals
from schemas.views import ANSWERS, CARE_ORDERS, PREGNANCIES, Pregnancy, ledger

_CONDITIONS = records("condition")


class _Rest(msgspec.Struct, frozen=True):
    """Rest in force over [begins, ends), from orders and codes that touch or overlap."""

    begins: datetime
    ends: datetime
    facts: tuple[Fact, ...]


def _said(chart: Reader) -> Iterator[_Rest]:
    for span in chart[CARE_ORDERS]:
        care = span.fact.payload
        if span.active and isinstance(care, Care) and care.order == "bed_rest":
            yield _Rest(span.begins, span.ends or FOREVER, (span.fact,))
    for record in chart[_CONDITIONS]:
        fact = record.winner
        coded = fact.payload if fact else None
        if fact and isinstance(coded, Diagnosis) and coded.status != "refuted" and "bed_confinement" in coded.concepts:
            ends = coded.abated_at or (fact.recorded_at if coded.status == "resolved" else FOREVER)
            yield _Rest(coded.onset_at or record.versions[0].recorded_at, ends, (fact,))


def _rests(chart: Reader) -> tuple[_Rest, ...]:
    made: list[_Rest] = []
    for rest in sorted(_said(chart), key=lambda r: (r.begins, r.ends)):
        if rest.ends <= rest.begins:
            continue
        if made and rest.begins <= made[-1].ends:
            last = made[-1]
            made[-1] = _Rest(last.begins, max(last.ends, rest.ends), last.facts + rest.facts)
        else:
            made.append(rest)
    return tuple(made)


def _rested(rests: Iterable[_Rest], day: date, window: int, calendar: Calendar) -> int:
    """How many days of rest lie in the days before a midnight, by date differences."""
    total = 0
    for rest in rests:
        first, last = calendar.day(rest.begins), calendar.day(rest.ends)
        total += max(0, min((last - day).days, 0) - max((first - day).days, -window))
    return total


def _saf_06(chart: Reader, judge: Judge) -> Intervals:
    pregnancies = chart[PREGNANCIES].episodes
    if not pregnancies:
        judge.out_of_scope("not in a pregnancy episode")
        return ()
    rests = _rests(chart)
    if not judge.condition("bed rest ordered or confinement to bed coded", bool(rests)):
        return ()
    treated = anticoagulated(chart, judge)
    return tuple(i for p in pregnancies for i in _of_pregnancy(chart, judge, p, rests, treated))


def _of_pregnancy(
    chart: Reader, judge: Judge, p: Pregnancy, rests: tuple[_Rest, ...], treated: tuple[Anticoagulated, ...]
) -> Iterator[Interval]:
    """Looks at midnights only: of the third day of rest, and of the first day after anticoagulation."""
    calendar = chart.calendar
    until = p.until if p.lost_on else p.until + timedelta(days=judge.days("puerperium") + 1)
    limit = min(calendar.midnight(until), p.ended)
    for i, rest in enumerate(rests):
        day = max(calendar.day(rest.begins) + ONE_DAY, p.start)
        while calendar.midnight(day) < min(rest.ends, limit):
            judge.looks_at(day)
            free = first_free_day(treated, day)
            rested = _rested(rests[: i + 1], day, judge.days("window"), calendar)
            if judge.at_least("rest", rested) & judge.condition("not therapeutically anticoagulated", free == day):
                ended = _ends(rest, limit, treated, calendar.midnight(day))
                yield _interval(chart, p, rest, Interval(calendar.midnight(day), ended, details=(("days", rested),)))
                day = calendar.day(ended)
            day = max(day + ONE_DAY, free or until)


def _ends(rest: _Rest, limit: datetime, treated: Iterable[Anticoagulated], began: datetime) -> datetime:
    return min(rest.ends, limit, *(a.begins for a in treated if a.begins > began), FOREVER)


def _interval(chart: Reader, p: Pregnancy, rest: _Rest, found: Interval) -> Interval:
    return msgspec.structs.replace(
        found,
        closed=chart[ANSWERS].closing("SAF-06", p.episode, found.began, frozenset({"plan"})),
        episode=p.episode,
        evidence=tuple(_evidence(f) for f in rest.facts),
        details=(*found.details, ("since", chart.calendar.day(rest.begins).isoformat())),
    )


def _evidence(fact: Fact) -> Evidence:
    what = "bed rest order" if isinstance(fact.payload, Care) else "confinement to bed, coded"
    return Evidence(what, fact.record_id, fact.event_id, fact.source)


def _asks_saf_06(chart: Reader, _judge: Judge, _interval: Interval, now: datetime) -> Iterator[str]:
    today = chart.calendar.day(now)
    if all(chart[name].on(today) is None for name in PROPHYLAXIS):
        yield "prophylaxis of thrombosis not recorded"
    if chart[ledger("lmwh")].on(today) is not None and weight_on(chart[WEIGHT], today, chart.calendar) is None:
        yield "weight not measured: the dose of low-molecular-weight heparin cannot be judged"


RULES = (Rule("SAF-06", (CARE_ORDERS, _CONDITIONS, PREGNANCIES, ANSWERS, *READS), _saf_06, _asks_saf_06),)
