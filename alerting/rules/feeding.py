"""Continuous lactation: how long a child has been fed without a gap that counts.

Source: docs/intervals.md LAC-01. Shared, so that the risk-factor score may read it and LAC-01 the score.
"""

from collections.abc import Iterable, Iterator
from datetime import date
from typing import Any, Final

import msgspec

from alerting.judge import Judge
from schemas.days import Calendar
from schemas.definitions import Definition, Name, Reader, define
from schemas.facts import Feeding
from schemas.intervals import Evidence, Interval, Intervals
from schemas.rulepack import RulePack
from schemas.tables import Tables
from schemas.views import FED, PREGNANCIES, FeedingSpan, Pregnancies, Pregnancy

CONTINUOUS_LACTATION: Final[Name[Intervals]] = Name("continuous_lactation")
"""Lactation of six months and more, as LAC-01 finds it."""


class Spell(msgspec.Struct, frozen=True):
    """Continuous lactation on the days [since, until), gaps bridged, after one delivery."""

    since: date
    until: date
    reports: tuple[FeedingSpan, ...]


def spells(known: Pregnancies, p: Pregnancy, gap: int) -> tuple[Spell, ...]:
    """The spells of lactation after a delivery; gaps of at most `gap` days are bridged and count."""
    made: list[Spell] = []
    delivery = p.puerperium
    if delivery is None:
        return ()
    for span in known.feedings:
        if span.feeding not in FED or span.until <= delivery:
            continue
        since = max(span.since, delivery)
        if made and (since - made[-1].until).days <= gap:
            made[-1] = Spell(made[-1].since, span.until, (*made[-1].reports, span))
        else:
            made.append(Spell(since, span.until, (span,)))
    return tuple(made)


def long_lactation(chart: Reader, judge: Judge) -> Intervals:
    """Lactation that has lasted as long as the limit, until it ends."""
    known = chart[PREGNANCIES]
    if not known.episodes:
        judge.out_of_scope("not in a pregnancy episode")
    if not any(span.feeding in FED for span in known.feedings):
        judge.out_of_scope("no lactation reported")
    return tuple(i for p in known.episodes for i in _long(known, p, judge, chart.calendar))


def _long(known: Pregnancies, p: Pregnancy, judge: Judge, calendar: Calendar) -> Iterator[Interval]:
    for spell in spells(known, p, judge.days("bridged_gap")):
        began = calendar.midnight(spell.since, judge.days("lactation_days"))
        ended = min(calendar.midnight(spell.until), p.ended)
        judge.looks_at(calendar.day(ended))
        if not judge.more_than("lactation_days", (calendar.day(ended) - spell.since).days):
            continue
        yield Interval(
            began,
            ended,
            episode=p.episode,
            evidence=tuple(_report(span, calendar) for span in spell.reports),
            details=(("since", spell.since.isoformat()), ("days", judge.days("lactation_days"))),
        )


def _report(span: FeedingSpan, calendar: Calendar) -> Evidence:
    fact = span.fact
    begins = calendar.midnight(span.since)
    return Evidence("feeding report", fact.record_id, fact.event_id, fact.source, span.feeding, begins=begins)


def reported_weaning(known: Pregnancies, p: Pregnancy, by: date) -> date | None:
    """The weaning reported after a delivery, or after the day that stands for one, that holds on a day."""
    return known.weaned_by(p.puerperium, by) if p.puerperium else None


def last_report(known: Pregnancies, by: date, calendar: Calendar) -> date | None:
    """The day of the last report of feeding up to a day: the later of `since` and `observed_at`; unknown is none."""
    days = (_reported_on(span, calendar) for span in known.feedings if span.feeding != "unknown")
    return max((day for day in days if day <= by), default=None)


def _reported_on(span: FeedingSpan, calendar: Calendar) -> date:
    said = span.fact.payload
    observed = said.observed_at if isinstance(said, Feeding) else None
    return max(span.since, calendar.day(observed)) if observed else span.since


def definitions(pack: RulePack, _tables: Tables) -> Iterable[Definition[Any]]:
    """Continuous lactation by the limits of LAC-01."""
    judge = Judge(pack.rules["LAC-01"])
    return (define(CONTINUOUS_LACTATION, PREGNANCIES)(lambda chart: long_lactation(chart, judge)),)
