"""Findings of an episode made from signs: those that end, and those whose alert ends while the finding goes on."""

from collections.abc import Callable, Iterable, Sequence
from datetime import date, datetime
from typing import Final

import msgspec

from alerting.judge import Judge
from schemas.days import FOREVER
from schemas.intervals import Evidence, Intervals, Sign, runs
from schemas.views import Pregnancy

Ends = Callable[[Sequence[Sign]], datetime | None]


_FIRST: Final = 4
_LATEST: Final = 20  # an alert is read by people: what began it and the latest lead to the rest


def _own(signs: Iterable[Sign], ends: Ends, episode: str, limit: datetime) -> Intervals:
    found = runs(signs, ends, limit)
    return tuple(msgspec.structs.replace(i, episode=episode) for i in found if i.began < i.ended)


def finding_runs(signs: Iterable[Sign], ends: Ends, episode: str, limit: datetime) -> Intervals:
    """The findings that signs open and prolong; one that would end when it begins never was."""
    return tuple(msgspec.structs.replace(i, evidence=_readable(i.evidence)) for i in _own(signs, ends, episode, limit))


def _readable(evidence: tuple[Evidence, ...]) -> tuple[Evidence, ...]:
    return evidence if len(evidence) <= _FIRST + _LATEST else (*evidence[:_FIRST], *evidence[-_LATEST:])


def alert_runs(signs: Iterable[Sign], closes: Ends, episode: str, limit: datetime) -> Intervals:
    """Findings that last to the end of the episode; `closes` ends the alert, and a sign after that begins anew.

    All signs are kept as evidence: other rules read from it which fractures an episode had.
    """
    return tuple(
        msgspec.structs.replace(i, ended=limit, closed=i.ended if i.ended < limit else FOREVER)
        for i in _own(signs, closes, episode, limit)
    )


def day_of_window(judge: Judge, p: Pregnancy, day: date, begins: str) -> bool:
    """The day is at or after the pregnancy day of a limit; undated, it is known to be so from delivery on."""
    if p.lmp is None:
        return judge.condition("after delivery, as the pregnancy is not dated", day >= p.until)
    return judge.at_least(begins, (day - p.lmp).days)


def days_after_delivery(p: Pregnancy, day: date) -> int:
    """Days since delivery, negative before; 0 in a pregnancy that ended before day 140, which has no time after."""
    return (day - p.puerperium).days if p.puerperium is not None else 0
