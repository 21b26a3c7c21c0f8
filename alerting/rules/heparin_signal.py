"""A sign of a fracture in a patient under heparin, or after it.

Source: docs/intervals.md HEP-05; Wise 1980, Wunderer 1990, Ozdemir 2015 (cases).
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime
from functools import cache
from typing import Final

import msgspec

from alerting.judge import Judge
from alerting.rule import Rule
from alerting.rules.alert_runs import finding_runs
from alerting.rules.back_pain import BACK, lasting_pain
from alerting.rules.fractures import FRACTURES, Fracture
from alerting.rules.heights import HEIGHT_LOSSES
from alerting.rules.reports import Report, reports
from alerting.rules.signal_exposure import Exposure, Where, episode_of, falls_in
from alerting.rules.spine_fractures import told
from alerting.rules.studies import MRI, SPINE, Instants, Seen, earliest, recent, studies
from alerting.rules.work_up import WORK_UP, WorkUp
from schemas.days import FOREVER
from schemas.definitions import Reader
from schemas.facts import ProcedureDone
from schemas.intervals import Evidence, Interval, Intervals, Severity, Sign
from schemas.views import EPISODES, PREGNANCIES, ledger, winners

_UFH, _LMWH = ledger("heparin_ufh"), ledger("lmwh")
_IMAGING, _PROCEDURES = winners("imaging"), winners("procedure")
_EXPLAINS: Final = frozenset({"labour", "delivery", "surgery", "sterilisation", "hysterectomy"})
_DRUGS: Final = {"ufh": "unfractionated heparin", "lmwh": "low-molecular-weight heparin"}


class _Signal(msgspec.Struct, frozen=True):
    """What may be a sign of a fracture; `pain`: it is pain alone."""

    at: datetime
    words: str
    evidence: tuple[Evidence, ...]
    pain: bool = False


# ---- what may be a sign


def _explained(chart: Reader) -> frozenset[date]:
    """Days whose pain labour, delivery or surgery explains."""
    done = (f.payload for f in chart[_PROCEDURES])
    days = {
        chart.calendar.day(d.performed_at)
        for d in done
        if isinstance(d, ProcedureDone) and d.procedure in _EXPLAINS and d.status == "completed"
    }
    return frozenset(days | {p.delivery for p in chart[PREGNANCIES].episodes if p.delivery})


def _pains(chart: Reader, judge: Judge) -> Iterator[_Signal]:
    explained, slight = _explained(chart), judge.limit("moderate_score")

    def counts_as_pain(report: Report) -> bool:
        low = report.said.score is not None and report.said.score < slight
        return low or judge.condition("not a day of labour, delivery or surgery", report.day not in explained)

    found = tuple(r for r in reports(chart[BACK], chart.calendar) if counts_as_pain(r))
    firsts = {later.fact.key: first for first, later in lasting_pain(judge, found)}
    for report in found:
        judge.looks_at(report.day)
        words = report.words[0].upper() + report.words[1:]
        if judge.at_least("severe_score", report.said.score):
            yield _Signal(report.at, words, (report.evidence,), pain=True)
        elif first := firsts.get(report.fact.key):
            lasting = f"{words}, lasting since {first.day.isoformat()}"
            yield _Signal(report.at, lasting, (first.evidence, report.evidence), pain=True)


def _signals(chart: Reader, judge: Judge) -> list[_Signal]:
    """Pain, height loss and vertebral fractures, in clinical time."""
    made = list(_pains(chart, judge))
    for loss in chart[HEIGHT_LOSSES]:
        for sign in loss.signs:
            words = f"Height {dict(sign.details).get('loss')} cm below the baseline"
            made.append(_Signal(sign.at, words, sign.evidence))
    made += [_Signal(f.at, told(f), (f.evidence,)) for f in _vertebral(chart)]
    return sorted(made, key=lambda s: s.at)


def _vertebral(chart: Reader) -> Iterator[Fracture]:
    return (f for f in chart[FRACTURES] if f.bone == "vertebral_fracture" and not f.old)


class _Judged(msgspec.Struct, frozen=True):
    """A sign under enough heparin; `critical`: not pain alone under low-molecular-weight heparin alone."""

    sign: Sign
    where: Where
    critical: bool


class _HeparinSignal:
    """HEP-05 on one chart."""

    def __init__(self, chart: Reader, judge: Judge) -> None:
        self.calendar = chart.calendar
        self.judge = judge
        self.episodes = chart[EPISODES]
        self.exposures = {"ufh": Exposure(chart, _UFH), "lmwh": Exposure(chart, _LMWH)}
        self.work_up: WorkUp = chart[WORK_UP]
        self.fractures = tuple(_vertebral(chart))
        self.cleared = Instants(s.at for s in studies(chart[_IMAGING], SPINE, MRI) if _clears(s))

    def exposed(self, where: Where, day: date, drug: str) -> int | None:
        """How many days count under a drug, if they are enough and not long ago."""
        exposure = self.exposures[drug]
        if not exposure.exposure.stretches:
            return None
        days = exposure.days(where, day)
        enough = self.judge.at_least(f"{drug}_days", days)
        return days if self.judge.at_most("last_dose_days", exposure.since_last(day)) and enough else None

    def judged(self, signal: _Signal) -> _Judged | None:
        """The signal as a sign, if there is enough heparin on its day."""
        where, day = falls_in(self.episodes, signal.at), self.calendar.day(signal.at)
        self.judge.looks_at(day)
        if where is None:
            return None
        drug, days = "ufh", self.exposed(where, day, "ufh")
        in_pregnancy = self.judge.condition("in a pregnancy episode (for LMWH)", where.pregnancy is not None)
        if days is None and in_pregnancy:
            drug, days = "lmwh", self.exposed(where, day, "lmwh")
        if days is None:
            return None
        counted = Evidence(f"{_DRUGS[drug]}, exposed days", value=days, unit="d")
        details = (("sign", signal.words), ("day", day.isoformat()), ("days", days), ("drug", _DRUGS[drug]))
        sign = Sign(signal.at, (*signal.evidence, counted), details)
        return _Judged(sign, where, drug == "ufh" or not signal.pain)

    def findings(self, found: Sequence[_Judged]) -> Iterator[Interval]:
        """The findings of one episode."""
        where = found[0].where
        fractures = [f for f in self.fractures if episode_of(self.episodes, f.at) == where.episode]
        worked_up = cache(lambda began: self.worked_up(fractures, began))

        def ends(run: Sequence[Sign]) -> datetime | None:
            return earliest(self.cleared.first_after(run[-1].at), worked_up(run[0].at))

        for interval in finding_runs((j.sign for j in found), ends, where.episode, where.ended):
            own = [j for j in found if interval.holds(j.sign.at)]
            steps = tuple(_steps(own))
            yield msgspec.structs.replace(
                interval,
                steps=tuple((sign.at, severity) for sign, severity in steps),
                step_details=tuple(sign.details for sign, _ in steps),
            )

    def worked_up(self, known: Sequence[Fracture], began: datetime) -> datetime:
        """When a finding's latest fracture is worked up; FOREVER: not yet.

        A fracture from before counts only where its work-up did not end what was there before.
        """
        earlier = [f for f in known if f.at < began]
        ended = self._worked_up(earlier[-1], earlier[-1]) if earlier else FOREVER
        if ended <= began:
            ended = FOREVER
        own = [f for f in known if f.at >= began]
        for fracture in own:
            if ended <= fracture.at:
                break
            ended = self._worked_up(own[0], fracture)
        return ended

    def _worked_up(self, first: Fracture, latest: Fracture) -> datetime:
        """When the work-up of a first fracture is complete, not before 14 days after the latest."""
        complete = self.work_up.complete(self.calendar.day(first.at))
        return max(self.calendar.midnight(self.work_up.due(self.calendar.day(latest.at))), complete)


def _clears(seen: Seen) -> bool:
    """No vertebral fracture but old ones."""
    return not any(f.finding == "vertebral_fracture" and recent(f) for f in seen.study.findings)


def _steps(own: Iterable[_Judged]) -> Iterator[tuple[Sign, Severity]]:
    """Warning, and critical from the first sign that is not pain under low-molecular-weight heparin alone."""
    signs = sorted(own, key=lambda j: j.sign.at)
    rise = next((j.sign for j in signs if j.critical), None)
    if rise is None or signs[0].sign.at < rise.at:
        yield signs[0].sign, "warning"
    if rise is not None:
        yield rise, "critical"


def _hep_05(chart: Reader, judge: Judge) -> Intervals:
    if not chart[_UFH].stretches and not chart[_LMWH].stretches:
        judge.out_of_scope("no heparin")
        return ()
    signals = _signals(chart, judge)
    if not judge.condition("back pain, height loss or a vertebral fracture", bool(signals)):
        return ()
    rule = _HeparinSignal(chart, judge)
    by_episode: dict[str, list[_Judged]] = {}
    for signal in signals:
        judged = rule.judged(signal)
        if judged is not None:
            by_episode.setdefault(judged.where.episode, []).append(judged)
    made = [i for found in by_episode.values() for i in rule.findings(found)]
    return tuple(sorted(made, key=lambda i: i.began))


def _asks(chart: Reader, _judge: Judge, interval: Interval, now: datetime) -> Iterator[str]:
    if not any(interval.began <= s.at <= now for s in studies(chart[_IMAGING], SPINE, MRI)):
        yield "spine MRI not done"
    known = (r for r in reports(chart[BACK], chart.calendar) if interval.began <= r.at <= now)
    if any(r.said.score is None for r in known):
        yield "pain score missing in a report"
    fractures = [f for f in _vertebral(chart) if interval.began <= f.at <= now]
    if fractures:
        missing = chart[WORK_UP].missing(chart.calendar.day(fractures[0].at), now)
        yield from (f"{test} not resulted" for test in missing)


_READS = (
    _UFH, _LMWH, EPISODES, PREGNANCIES, BACK, HEIGHT_LOSSES, FRACTURES, WORK_UP, _IMAGING, _PROCEDURES,
)  # fmt: skip

RULES = (Rule("HEP-05", _READS, _hep_05, _asks),)
