"""Measured height against the last measured height before the pregnancy, or before the first day of heparin.

Source: docs/intervals.md SPN-03 and HEP-05 (decided). Self-reported heights are never compared.
"""

from collections.abc import Iterable, Iterator
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final

import msgspec

from alerting.judge import Judge
from alerting.rules.studies import Instants
from schemas.definitions import Definition, Name, Reader
from schemas.facts import Fact, Measured
from schemas.intervals import Evidence, Interval, Sign, runs
from schemas.rulepack import RulePack
from schemas.tables import Tables
from schemas.views import EPISODES, Episodes, Pregnancy, winners

HEIGHTS: Final = winners("measurement/body_height")


class Height(msgspec.Struct, frozen=True):
    """A height that somebody measured, in cm."""

    at: datetime
    day: date
    cm: Decimal
    device: str | None
    fact: Fact

    def evidence(self, what: str) -> Evidence:
        """The measurement."""
        return Evidence(what, self.fact.record_id, self.fact.event_id, self.fact.source, float(self.cm), "cm", self.at)


class Scope(msgspec.Struct, frozen=True):
    """Heights from `began` to before `until` are compared with the last one before the day `before`."""

    episode: str
    before: date
    began: datetime
    until: datetime
    ended: datetime


class Lost(msgspec.Struct, frozen=True):
    """Height losses of an episode: each low height as a sign, and when a later one was normal again."""

    scope: Scope
    signs: tuple[Sign, ...] = ()
    normal: tuple[datetime, ...] = ()


class HeightLoss(msgspec.Struct, frozen=True):
    """A loss that lasts until a later height is normal, whatever imaging showed; `signs`: each low height."""

    interval: Interval
    signs: tuple[Sign, ...]


HEIGHT_LOSSES: Final[Name[tuple[HeightLoss, ...]]] = Name("height_losses")


def measured(chart: Reader) -> tuple[Height, ...]:
    """The measured heights in clinical time, of each day the last."""
    found = (
        Height(said.observed_at, chart.calendar.day(said.observed_at), said.value, said.device, fact)
        for fact in chart[HEIGHTS]
        if isinstance(said := fact.payload, Measured) and said.value is not None and not said.self_reported
    )
    return tuple({height.day: height for height in found}.values())


def scope_of(chart: Reader, judge: Judge, p: Pregnancy) -> Scope:
    """A pregnancy's scope: LMP to delivery + 365 d."""
    until = p.ended
    if p.puerperium is not None:
        until = min(until, chart.calendar.midnight(p.puerperium, judge.days("window_after_delivery") + 1))
    return Scope(p.episode, p.start, p.began, until, p.ended)


def lost(judge: Judge, heights: Iterable[Height], scope: Scope) -> Lost:
    """What the heights of a scope show against its baseline."""
    baseline: Height | None = None
    signs: list[Sign] = []
    normal: list[datetime] = []
    low = 0
    for height in heights:
        if height.day < scope.before:
            baseline = height
        elif baseline is not None and scope.began <= height.at < scope.ended:
            judge.looks_at(height.day)
            if not judge.at_least("height_loss", baseline.cm - height.cm):
                low = 0
                normal.append(height.at)
                continue
            low += 1
            if height.at < scope.until and _confirmed(judge, baseline, height, low):
                signs.append(_sign(baseline, height))
    judge.condition("a height was measured before the pregnancy", baseline is not None)
    return Lost(scope, tuple(signs), tuple(normal))


def _confirmed(judge: Judge, baseline: Height, height: Height, low: int) -> bool:
    """Another device than the baseline's needs a second height that low."""
    differs = None not in (baseline.device, height.device) and baseline.device != height.device
    return judge.condition("same device, or a second height that low", not differs or low > 1)


def _sign(baseline: Height, height: Height) -> Sign:
    evidence = (baseline.evidence("baseline height"), height.evidence("height"))
    loss = (baseline.cm - height.cm).normalize()
    return Sign(height.at, evidence, (("loss", f"{loss:f}"), ("since", baseline.day.isoformat())))


def _losses(found: Lost) -> Iterator[HeightLoss]:
    normal = Instants(found.normal)
    for interval in runs(found.signs, lambda run: normal.first_after(run[-1].at), found.scope.ended):
        named = msgspec.structs.replace(interval, episode=found.scope.episode)
        yield HeightLoss(named, tuple(s for s in found.signs if interval.holds(s.at)))


def _outside(episodes: Episodes, heights: Iterable[Height]) -> Iterator[tuple[Scope, tuple[Height, ...]]]:
    """Heparin episodes: heights outside pregnancy, against the last before the first exposed day."""
    for h in episodes.heparin:
        scope = Scope(h.episode, h.counts_from, h.began, h.ended, h.ended)
        elsewhere = tuple(
            one for one in heights if one.day < scope.before or not any(p.holds(one.at) for p in episodes.pregnancies)
        )
        yield scope, elsewhere


def definitions(pack: RulePack, _tables: Tables) -> Iterable[Definition[Any]]:
    """Height losses, judged by the limit of SPN-03."""
    judge = Judge(pack.rules["SPN-03"])

    def derive(chart: Reader) -> tuple[HeightLoss, ...]:
        heights, episodes = measured(chart), chart[EPISODES]
        if not heights:
            return ()
        scopes = [(scope_of(chart, judge, p), heights) for p in episodes.pregnancies]
        scopes += _outside(episodes, heights)
        return tuple(loss for scope, found in scopes for loss in _losses(lost(judge, found, scope)))

    return (Definition(HEIGHT_LOSSES, (HEIGHTS, EPISODES), derive),)
