"""Pregnancies from their records: which speak of one, how it is dated, when its episode begins and ends.

Source: docs/intervals.md, Dating, Phases and Episodes. Naegele: due date = LMP + 280 d.
"""

from collections.abc import Iterable, Sequence
from datetime import date, datetime, timedelta
from typing import Final

import msgspec

from schemas.days import ONE_DAY, Calendar
from schemas.definitions import Reader, define, records
from schemas.facts import Fact, PregnancyRecord
from schemas.identity import episode_id
from schemas.views import PREGNANCIES, FeedingSpan, Pregnancies, Pregnancy
from streams.chart.feeding import feeding_spans, last_fed, weanings

TERM: Final = 280
LONGEST: Final = 308
DELIVERY_FROM: Final = 140
AFTER_DELIVERY: Final = 365
AFTER_WEANING: Final = 730


def _said(fact: Fact) -> PregnancyRecord:
    payload = fact.payload
    if not isinstance(payload, PregnancyRecord):
        raise TypeError(f"{type(payload).__name__} is no pregnancy record")
    return payload


class _Spoken(msgspec.Struct, frozen=True):
    """The days that one record speaks of."""

    first: date
    last: date
    fact: Fact


def day_zero(facts: Sequence[Fact], ended_on: date | None, calendar: Calendar) -> date | None:
    """Day 0: the latest-recorded due date - 280 d; else the earliest-observed gestational age; else the latest LMP.

    Topic: one that would put the end outside days 0-308 is skipped.
    """
    by_due = [
        s.estimated_due_date - timedelta(days=TERM)
        for f in reversed(facts)
        if (s := _said(f)).estimated_due_date is not None
    ]
    aged = sorted(
        (
            (s.observed_at, s.gestational_age_days)
            for f in facts
            if (s := _said(f)).gestational_age_days is not None and s.observed_at
        ),
    )
    by_age = [calendar.day(at) - timedelta(days=age) for at, age in aged if age is not None]
    by_lmp = [s.last_menstrual_period for f in reversed(facts) if (s := _said(f)).last_menstrual_period is not None]
    for found in (by_due, by_age, by_lmp):
        for zero in found:
            if zero is not None and (ended_on is None or 0 <= (ended_on - zero).days <= LONGEST):
                return zero
    return None


def _ended_on(facts: Sequence[Fact]) -> tuple[date | None, str | None]:
    """The end and outcome said by the latest-recorded version that knows an end."""
    for fact in reversed(facts):
        said = _said(fact)
        if said.state in {"delivered", "ended"} and said.ended_on is not None:
            return said.ended_on, said.outcome
    return None, None


def _was_birth(facts: Sequence[Fact]) -> bool:
    """A delivery was said, or an outcome that only a delivery has: an undated loss has no known beginning."""
    return any((s := _said(f)).state == "delivered" or s.outcome in {"live_birth", "stillbirth"} for f in facts)


def _spoken(fact: Fact, calendar: Calendar) -> _Spoken:
    said = _said(fact)
    ended, _ = _ended_on([fact])
    zero = day_zero([fact], ended, calendar)
    if zero is not None:
        return _Spoken(zero, ended or zero + timedelta(days=LONGEST), fact)
    if ended is not None and _was_birth([fact]):
        return _Spoken(ended - timedelta(days=TERM), ended, fact)
    if ended is not None:
        return _Spoken(ended, ended, fact)
    seen = calendar.day(said.observed_at or fact.recorded_at)
    return _Spoken(seen, seen, fact)


def _same_pregnancy(facts: Iterable[Fact], calendar: Calendar) -> list[list[Fact]]:
    """Records whose days overlap, together; each group in the order of recording."""
    spoken = sorted((_spoken(f, calendar) for f in facts), key=lambda s: (s.first, s.last, s.fact.key))
    groups: list[list[Fact]] = []
    last: date | None = None
    for one in spoken:
        if last is not None and one.first <= last:
            groups[-1].append(one.fact)
            last = max(last, one.last)
        else:
            groups.append([one.fact])
            last = one.last
    return [sorted(g, key=lambda f: f.rank) for g in groups]


class _Dated(msgspec.Struct, frozen=True):
    """A pregnancy before its episode's end is known."""

    facts: tuple[Fact, ...]
    lmp: date | None
    start: date
    until: date
    delivery: date | None
    lost_on: date | None
    outcome: str | None


def _dated(facts: Sequence[Fact], calendar: Calendar) -> _Dated | None:
    ended, outcome = _ended_on(facts)
    lmp = day_zero(facts, ended, calendar)
    if lmp is None and (ended is None or not _was_birth(facts)):
        return None
    start = lmp if lmp is not None else (ended or date.min) - timedelta(days=TERM)
    lost = ended is not None and (ended - start).days < DELIVERY_FROM
    until = start + timedelta(days=LONGEST) if ended is None else ended + ONE_DAY if lost else ended
    return _Dated(tuple(facts), lmp, start, until, None if lost else ended, ended if lost else None, outcome)


def _episode_end(p: _Dated, following: date | None, feedings: Sequence[FeedingSpan], calendar: Calendar) -> datetime:
    """365 days after delivery or 730 after weaning, whichever is later, open while lactating; the next LMP ends it."""
    if p.lost_on is not None:
        end = p.until
    else:
        end = p.until + timedelta(days=AFTER_DELIVERY + 1)
        fed_until = last_fed(feedings, p.until, following)
        if fed_until is not None:
            _, weaned = weanings(feedings, p.until, following)
            end = max(end, fed_until, weaned + timedelta(days=AFTER_WEANING + 1) if weaned else fed_until)
    if following is not None:
        end = min(end, following)
    return calendar.midnight(end)


def _identity(facts: Sequence[Fact], first_recorded: dict[tuple[str, str], datetime]) -> str:
    key = min((f.key for f in facts), key=lambda k: (first_recorded[k], k))
    return episode_id(*key)


def _booked_at(facts: Sequence[Fact], booked: dict[tuple[str, str], datetime]) -> datetime | None:
    return min((booked[f.key] for f in facts if f.key in booked), default=None)


@define(PREGNANCIES, records("pregnancy"), records("lactation"))
def pregnancies(chart: Reader) -> Pregnancies:
    """All pregnancies with their episodes, and the feeding timeline."""
    found = chart[records("pregnancy")]
    feedings = feeding_spans(v for r in chart[records("lactation")] for v in r.live)
    standing = [r.winner for r in found if r.winner is not None and _said(r.winner).state != "refuted"]
    if not standing:
        return Pregnancies(feedings=feedings)
    first_recorded = {r.key: r.versions[0].recorded_at for r in found}
    booked = {
        r.key: min(_said(v).observed_at or v.recorded_at for v in r.live if _said(v).state == "pregnant")
        for r in found
        if any(_said(v).state == "pregnant" for v in r.live)
    }
    groups = _same_pregnancy(standing, chart.calendar)
    dated = [(g, _dated(g, chart.calendar)) for g in groups]
    known = sorted(((g, d) for g, d in dated if d is not None), key=lambda pair: pair[1].start)
    episodes = tuple(
        Pregnancy(
            episode=_identity(group, first_recorded),
            lmp=d.lmp,
            start=d.start,
            until=min(d.until, following) if following else d.until,
            began=chart.calendar.midnight(d.start),
            ended=_episode_end(d, following, feedings, chart.calendar),
            due=d.lmp + timedelta(days=TERM) if d.lmp else None,
            delivery=d.delivery,
            lost_on=d.lost_on,
            outcome=d.outcome,
            booked_at=_booked_at(group, booked),
            weaned=None if d.lost_on else weanings(feedings, d.until, following)[0],
            facts=d.facts,
        )
        for (group, d), following in zip(known, [d.start for _, d in known[1:]] + [None] * bool(known), strict=True)
    )
    undated = tuple(f for g, d in dated if d is None for f in g)
    return Pregnancies(episodes, feedings, undated)
