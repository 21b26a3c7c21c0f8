"""How children were fed: one timeline of all reports, each in force until the next, at most 730 days."""

from collections.abc import Iterable
from datetime import date, datetime, timedelta
from typing import Final

from schemas.facts import Fact, Feeding
from schemas.views import FED, FeedingSpan

LONGEST_FEEDING: Final = 730


def _feeding(fact: Fact) -> Feeding:
    payload = fact.payload
    if not isinstance(payload, Feeding):
        raise TypeError(f"{type(payload).__name__} is no report of feeding")
    return payload


def feeding_spans(versions: Iterable[Fact]) -> tuple[FeedingSpan, ...]:
    """The spans of the live versions of all feeding records. Equal `since`: the later recorded one."""
    latest: dict[date, Fact] = {}
    for fact in sorted(versions, key=lambda f: f.rank):
        latest[_feeding(fact).since] = fact
    days = sorted(latest)
    return tuple(
        FeedingSpan(_feeding(latest[since]).feeding, since, _until(since, days[i + 1 :]), latest[since])
        for i, since in enumerate(days)
    )


def _until(since: date, later: list[date]) -> date:
    lapse = since + timedelta(days=LONGEST_FEEDING)
    return min(lapse, later[0]) if later else lapse


def last_fed(spans: Iterable[FeedingSpan], delivery: date, before: date | None) -> date | None:
    """The first day after the last exclusive or mixed feeding that followed a delivery; None if there was none."""
    ends = [
        min(span.until, before) if before else span.until
        for span in spans
        if span.feeding in FED and span.until > delivery and (before is None or span.since < before)
    ]
    return max(ends, default=None)


def weanings(spans: Iterable[FeedingSpan], delivery: date, before: date | None) -> tuple[date | None, date | None]:
    """The reported weaning that holds (None if feeding goes on or only lapsed), and the latest ever reported.

    Topic: a weaning is the `since` of a `none` that followed exclusive or mixed feeding after a delivery.
    """
    weaned, latest, fed = None, None, False
    for span in spans:
        if span.until <= delivery or (before is not None and span.since >= before):
            continue
        if span.feeding in FED:
            fed, weaned = True, None
        elif span.feeding == "none" and fed and weaned is None:
            weaned = latest = max(span.since, delivery)
    return weaned, latest


def report_instant(fact: Fact, midnight: datetime) -> datetime:
    """When feeding was reported: the later of `since` and `observed_at`."""
    observed = _feeding(fact).observed_at
    return max(midnight, observed) if observed else midnight
