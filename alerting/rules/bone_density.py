"""Bone density before menopause: a Z-score below the expected range, and a T-score where a Z-score belongs.

Source: docs/intervals.md BMD-01 and BMD-02; ISCD 2005.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import groupby
from typing import Final

import msgspec

from alerting.judge import Judge
from alerting.rule import Rule
from alerting.rules.density import NAMED_SITES, scans, site_words, z_evidence
from alerting.rules.woman import born_on, completed_years, factor_at
from schemas.definitions import Reader, records
from schemas.facts import Density, Diagnosis, Fact
from schemas.intervals import Evidence, Interval, Intervals, Sign, runs
from schemas.views import ANSWERS, EPISODES, PREGNANCIES, winners

_DENSITIES, _FACTORS, _PATIENT = winners("bone_density"), winners("risk_factor"), winners("patient")
_CONDITIONS = records("condition")
_READS: Final = (_DENSITIES, _FACTORS, _PATIENT, EPISODES)


class _Episode(msgspec.Struct, frozen=True):
    """A pregnancy episode, or a heparin episode as far as no pregnancy episode begins in it."""

    identity: str
    began: datetime
    ended: datetime

    def holds(self, at: datetime) -> bool:
        return self.began <= at < self.ended


def _episodes(chart: Reader, judge: Judge) -> Iterator[_Episode]:
    """The pregnancy and heparin episodes; two of them may have one identity where a course goes on."""
    found = chart[EPISODES]
    if not (found.pregnancies or found.heparin):
        judge.out_of_scope("neither in a pregnancy nor in a heparin episode")
    for p in found.pregnancies:
        yield _Episode(p.episode, p.began, p.ended)
    for h in found.heparin:
        following = min((p.began for p in found.pregnancies if p.began > h.began), default=h.ended)
        yield _Episode(h.episode, h.began, min(h.ended, following))


def _applies(chart: Reader, judge: Judge, at: datetime) -> bool:
    """Younger than the limit, an unknown age included, and no menopause reported by then."""
    born = born_on(chart[_PATIENT])
    young = born is None or judge.below("age", completed_years(born, chart.calendar.day(at)))
    menopause = factor_at(chart[_FACTORS], "menopause", at) is not None
    return judge.condition("no menopause reported by then", not menopause) and young


# ---- BMD-01


def _bmd_01(chart: Reader, judge: Judge) -> Intervals:
    found = [(fact, dxa) for fact, dxa in scans(chart[_DENSITIES]) if dxa.z_score is not None]
    if not found:
        judge.out_of_scope("no Z-score measured")
    return tuple(
        interval
        for episode in _episodes(chart, judge)
        for interval in _low(chart, judge, episode, [one for one in found if episode.holds(one[1].performed_at)])
    )


def _low(chart: Reader, judge: Judge, episode: _Episode, found: Sequence[tuple[Fact, Density]]) -> Iterator[Interval]:
    """From the first low site until every site that was low is higher at its latest; then anew."""
    low: dict[str, tuple[Fact, Density]] = {}
    opened: Interval | None = None
    for at, group in groupby(found, key=lambda one: one[1].performed_at):
        for fact, dxa in group:
            low.pop(dxa.site, None)
            if judge.at_most("z_score", dxa.z_score):
                low[dxa.site] = (fact, dxa)
        shown = tuple(z_evidence(*one) for one in low.values())
        if opened is not None and not low:
            yield _closed(chart, msgspec.structs.replace(opened, ended=at))
            opened = None
        elif opened is not None:
            more = tuple(e for e in shown if e not in opened.evidence)
            opened = msgspec.structs.replace(opened, evidence=opened.evidence + more)
        elif low and _applies(chart, judge, at):
            details = _lowest(chart, [dxa for _, dxa in low.values()])
            opened = Interval(at, episode.ended, episode=episode.identity, evidence=shown, details=details)
    if opened is not None:
        yield _closed(chart, opened)


def _lowest(chart: Reader, found: Sequence[Density]) -> tuple[tuple[str, str], ...]:
    lowest = min(found, key=lambda d: (d.z_score or 0, NAMED_SITES.index(d.site)))
    day = chart.calendar.day(lowest.performed_at).isoformat()
    return (("z", f"{lowest.z_score:f}"), ("site", site_words(lowest.site)), ("day", day))


def _closed(chart: Reader, interval: Interval) -> Interval:
    closed = chart[ANSWERS].closing("BMD-01", interval.episode or "", interval.began, frozenset({"plan"}))
    return msgspec.structs.replace(interval, closed=closed)


def _asks_bmd_01(chart: Reader, _judge: Judge, interval: Interval, _now: datetime) -> Iterator[str]:
    if born_on(chart[_PATIENT]) is None:
        yield "birth date unknown: judged as under 50"
    if chart[PREGNANCIES].fed(chart.calendar.day(interval.began)):
        yield "lactating at the DXA: bone density is then at its physiological low"


# ---- BMD-02


def _bmd_02(chart: Reader, judge: Judge) -> Intervals:
    named = [dxa.performed_at for _, dxa in scans(chart[_DENSITIES]) if dxa.z_score is not None]
    signs = [s for s in (*_t_alone(chart), *_stated(chart)) if s.at not in named and _applies(chart, judge, s.at)]
    judge.condition("a T-score without a Z-score, or osteoporosis stated from one", bool(signs))
    made: list[Interval] = []
    for episode in _episodes(chart, judge):
        own = (s for s in signs if episode.holds(s.at))
        found = runs(own, lambda run: next((at for at in named if at > run[-1].at), None), episode.ended)
        made += [msgspec.structs.replace(i, episode=episode.identity) for i in found]
    return tuple(made)


def _t_alone(chart: Reader) -> Iterator[Sign]:
    for fact in chart[_DENSITIES]:
        dxa = fact.payload
        if isinstance(dxa, Density) and dxa.t_score is not None and dxa.z_score is None:
            what = f"T-score {site_words(dxa.site)}"
            t, at = float(dxa.t_score), dxa.performed_at
            shown = Evidence(what, fact.record_id, fact.event_id, fact.source, t, "1", at)
            yield Sign(at, (shown,), (("what", f"a T-score of {dxa.t_score:f} without a Z-score"),))


def _stated(chart: Reader) -> Iterator[Sign]:
    """Osteoporosis coded without a fracture while the only scores on the chart are T-scores."""
    scores = [d for f in chart[_DENSITIES] if isinstance(d := f.payload, Density) and _scored(d)]
    for record in chart[_CONDITIONS]:
        fact = record.winner
        coded = fact.payload if fact else None
        if fact is None or not isinstance(coded, Diagnosis) or not _without_fracture(coded):
            continue
        at = coded.onset_at or record.versions[0].recorded_at
        known = [d for d in scores if d.performed_at <= at]
        if known and all(d.z_score is None for d in known):
            shown = Evidence("osteoporosis, coded", fact.record_id, fact.event_id, fact.source, coded.code, begins=at)
            yield Sign(at, (shown,), (("what", "osteoporosis coded while only a T-score is there"),))


def _scored(dxa: Density) -> bool:
    return dxa.z_score is not None or dxa.t_score is not None


def _without_fracture(coded: Diagnosis) -> bool:
    fracture = any("fracture" in concept for concept in coded.concepts)
    return coded.status != "refuted" and "osteoporosis" in coded.concepts and not fracture


def _asks_bmd_02(_chart: Reader, _judge: Judge, _interval: Interval, _now: datetime) -> Iterator[str]:
    yield "Z-score not supplied"


RULES = (
    Rule("BMD-01", (*_READS, ANSWERS), _bmd_01, _asks_bmd_01, (PREGNANCIES,)),
    Rule("BMD-02", (*_READS, _CONDITIONS), _bmd_02, _asks_bmd_02),
)
