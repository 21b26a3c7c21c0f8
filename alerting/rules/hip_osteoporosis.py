"""Transient osteoporosis of the hip: watch the other side, and what has not resolved after a year.

Source: docs/intervals.md HIP-03 and HIP-04; docs/evidence.md 1.3.
"""

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any, Final

import msgspec

from alerting.judge import Judge
from alerting.rule import Rule
from alerting.rules import coded
from alerting.rules.coded import CODED
from alerting.rules.hip import HIP_PAIN, hip_sign, limited, settled
from alerting.rules.reports import reports
from alerting.rules.studies import HIP, MRI, Instants, Seen, earliest, studies
from schemas.days import FOREVER
from schemas.definitions import Definition, Name, Reader
from schemas.facts import SymptomReport
from schemas.intervals import Evidence, Interval, Intervals, Sign
from schemas.rulepack import RulePack
from schemas.tables import Tables
from schemas.views import ANSWERS, PREGNANCIES, Pregnancy, winners

_IMAGING = winners("imaging")
_OTHER: Final = {"left": "right", "right": "left"}


class TransientOsteoporosis(msgspec.Struct, frozen=True):
    """Transient osteoporosis of one hip, confirmed in a pregnancy episode; followed until `limit`.

    `other`: when the other side was confirmed, whenever that was; FOREVER if it never was.
    """

    episode: str
    side: str
    confirmed: datetime
    onset: datetime
    resolved: datetime
    other: datetime
    limit: datetime
    evidence: tuple[Evidence, ...]


TRANSIENT: Final[Name[tuple[TransientOsteoporosis, ...]]] = Name("transient_osteoporosis")


class _Confirmed(msgspec.Struct, frozen=True):
    at: datetime
    sides: tuple[str, ...]
    evidence: Evidence


def _sides(side: str | None) -> tuple[str, ...]:
    return ("left", "right") if side == "both" else (side,) if side else ()


def edema_sides(seen: Seen) -> tuple[str, ...]:
    """The sides with marrow oedema in a report."""
    found = {s for f in seen.study.findings if f.finding == "marrow_edema" for s in _sides(f.side)}
    return tuple(sorted(found))


def _confirmations(chart: Reader) -> list[_Confirmed]:
    """Marrow oedema on MRI, or the code, with a side."""
    made = [
        _Confirmed(s.at, sides, s.evidence) for s in studies(chart[_IMAGING], HIP, MRI) if (sides := edema_sides(s))
    ]
    for condition in coded.of(chart[CODED], "transient_osteoporosis_hip"):
        if condition.side:
            evidence = condition.evidence("transient osteoporosis of the hip")
            made.append(_Confirmed(condition.at, _sides(condition.side), evidence))
    return sorted(made, key=lambda c: c.at)


class _Resolution:
    """When the hip was well again after an instant: two slight reports, or an MRI without marrow oedema."""

    def __init__(self, chart: Reader, judge: Judge) -> None:
        self.settled = settled(judge, reports(chart[HIP_PAIN], chart.calendar))
        self.cleared = Instants(s.at for s in studies(chart[_IMAGING], HIP, MRI) if not s.shows("marrow_edema"))

    def after(self, at: datetime) -> datetime:
        """FOREVER if it is not known to be."""
        report = self.settled.after(at)
        return earliest(report.at if report else None, self.cleared.first_after(at)) or FOREVER


class _Finder:
    """Finds each hip's course on one chart, with the figures of HIP-03."""

    def __init__(self, chart: Reader, judge: Judge) -> None:
        self.calendar = chart.calendar
        self.judge = judge
        self.reports = reports(chart[HIP_PAIN], chart.calendar)
        self.confirmations = _confirmations(chart)
        self.resolution = _Resolution(chart, judge)

    def of(self, p: Pregnancy, side: str) -> Iterator[TransientOsteoporosis]:
        """The courses of one hip: a confirmation after a resolution begins another."""
        other = min((c.at for c in self.confirmations if _OTHER[side] in c.sides), default=FOREVER)
        resolved: datetime | None = None
        for confirmed in self.confirmations:
            if side not in confirmed.sides or not p.holds(confirmed.at):
                continue
            if resolved is not None and confirmed.at < resolved:
                continue
            onset, evidence = self.onset(confirmed, side)
            resolved = self.resolution.after(confirmed.at)
            longest = self.calendar.midnight(self.calendar.day(onset), self.judge.days("longest_days"))
            yield TransientOsteoporosis(
                episode=p.episode,
                side=side,
                confirmed=confirmed.at,
                onset=onset,
                resolved=resolved,
                other=other,
                limit=max(p.ended, longest),
                evidence=(confirmed.evidence, *evidence),
            )

    def onset(self, confirmed: _Confirmed, side: str) -> tuple[datetime, tuple[Evidence, ...]]:
        """When it began: by the earliest report on that side in the days before, else the confirmation."""
        day = self.calendar.day(confirmed.at)
        for report in self.reports:
            recent = report.at <= confirmed.at and (day - report.day).days <= self.judge.days("onset_days")
            if recent and report.on_side(side):
                return report.said.onset_at or report.at, (report.evidence,)
        return confirmed.at, ()


def definitions(pack: RulePack, _tables: Tables) -> Iterable[Definition[Any]]:
    """Transient osteoporosis of each hip, with the figures of HIP-03."""
    judge = Judge(pack.rules["HIP-03"])

    def derive(chart: Reader) -> tuple[TransientOsteoporosis, ...]:
        finder = _Finder(chart, judge)
        if not finder.confirmations:
            return ()
        found = (t for p in chart[PREGNANCIES].episodes for side in _OTHER for t in finder.of(p, side))
        return tuple(sorted(found, key=lambda t: (t.confirmed, t.side)))

    return (Definition(TRANSIENT, (HIP_PAIN, PREGNANCIES, CODED, _IMAGING), derive),)


# ---- HIP-03


def _hip_03(chart: Reader, judge: Judge) -> Intervals:
    courses = chart[TRANSIENT]
    if not courses:
        judge.out_of_scope("no transient osteoporosis of a hip confirmed with its side in a pregnancy episode")
    made = (_watch(chart, judge, t) for t in courses)
    return tuple(i for i in made if i is not None)


def _watch(chart: Reader, judge: Judge, t: TransientOsteoporosis) -> Interval | None:
    day = chart.calendar.day(t.onset)
    judge.looks_at(chart.calendar.day(t.confirmed))
    if not judge.condition("the other hip is not confirmed as well", t.other > t.confirmed):
        return None
    ended = min(chart.calendar.midnight(day, judge.days("watch_days")), t.other, t.resolved, t.limit)
    if not judge.condition("confirmed within 12 months of its onset", t.confirmed < ended):
        return None
    details = (("side", t.side), ("other", _OTHER[t.side]), ("onset", day.isoformat()))
    return Interval(t.confirmed, ended, episode=t.episode, evidence=t.evidence, details=details)


def _asks_hip_03(chart: Reader, judge: Judge, interval: Interval, now: datetime) -> Iterator[str]:
    known = [r for r in reports(chart[HIP_PAIN], chart.calendar) if interval.began <= r.at <= now]
    if any(r.said.side is None for r in known):
        yield "side not stated in a report"
    course = next((t for t in chart[TRANSIENT] if t.confirmed == interval.began), None)
    if course is None or now < chart.calendar.midnight(chart.calendar.day(course.onset), judge.days("check_days")):
        return
    most, today = judge.days("report_days"), chart.calendar.day(now)
    said = (s for f in chart[HIP_PAIN] if isinstance(s := f.payload, SymptomReport))
    if not any(s.observed_at <= now and (today - chart.calendar.day(s.observed_at)).days <= most for s in said):
        yield f"no report of the hip in {most} d, 6 months after onset"


# ---- HIP-04


def _unresolved(chart: Reader, judge: Judge, t: TransientOsteoporosis) -> Iterator[Sign]:
    """Pain, limited weight-bearing or marrow oedema so long after onset, unless it names the other side alone."""
    onset = chart.calendar.day(t.onset)

    def late(at: datetime) -> bool:
        day = chart.calendar.day(at)
        judge.looks_at(day)
        return at >= t.confirmed and judge.at_least("unresolved_days", (day - onset).days)

    def extra(at: datetime) -> tuple[tuple[str, str | int], ...]:
        return (("days", (chart.calendar.day(at) - onset).days), ("side", t.side))

    for report in reports(chart[HIP_PAIN], chart.calendar):
        if report.said.side != _OTHER[t.side] and late(report.at):
            painful = judge.at_least("pain_score", report.said.score)
            if judge.condition("weight-bearing limited", limited(report)) or painful:
                yield hip_sign(report, extra=extra(report.at))
    for seen in studies(chart[_IMAGING], HIP, MRI):
        sides = edema_sides(seen)
        if seen.shows("marrow_edema") and (not sides or t.side in sides) and late(seen.at):
            day = chart.calendar.day(seen.at).isoformat()
            details = (("sign", "Marrow oedema on MRI"), ("day", day), *extra(seen.at))
            yield Sign(seen.at, (seen.evidence,), details)


def _hip_04(chart: Reader, judge: Judge) -> Intervals:
    if not chart[TRANSIENT]:
        judge.out_of_scope("no transient osteoporosis of a hip confirmed with its side in a pregnancy episode")
    others = [c.at for c in coded.of(chart[CODED], "osteonecrosis_hip", "hip_infection", "bone_tumour", "crps")]
    made: dict[tuple[str, datetime], Interval] = {}
    resolution = _Resolution(chart, judge)
    for t in chart[TRANSIENT]:
        first = min(_unresolved(chart, judge, t), key=lambda s: s.at, default=None)
        if first is None:
            continue
        held = judge.condition("not resolved before", first.at < t.resolved)
        ended = min((resolution.after(first.at), t.limit, *(at for at in others if at >= first.at)))
        if held and first.at < ended:
            closed = chart[ANSWERS].closing("HIP-04", t.episode, first.at, frozenset({"plan"}))
            evidence = (*t.evidence, *first.evidence)
            interval = Interval(first.at, ended, closed, (), t.episode, evidence, first.details)
            made.setdefault((t.episode, first.at), interval)
    return tuple(made.values())


def _asks_hip_04(chart: Reader, judge: Judge, interval: Interval, now: datetime) -> Iterator[str]:
    onset = next((t.onset for t in chart[TRANSIENT] if t.evidence == interval.evidence[: len(t.evidence)]), None)
    if onset is None:
        return
    due = chart.calendar.midnight(chart.calendar.day(onset), judge.days("unresolved_days"))
    if not any(due <= s.at <= now for s in studies(chart[_IMAGING], HIP, MRI)):
        yield "no MRI of the hip at 12 months"
    if not any(due <= r.at <= now for r in reports(chart[HIP_PAIN], chart.calendar)):
        yield "no report of the hip at 12 months"
    yield "differential diagnosis not coded"


RULES = (
    Rule("HIP-03", (TRANSIENT,), _hip_03, _asks_hip_03, (HIP_PAIN,)),
    Rule("HIP-04", (TRANSIENT, HIP_PAIN, _IMAGING, CODED, ANSWERS), _hip_04, _asks_hip_04),
)
