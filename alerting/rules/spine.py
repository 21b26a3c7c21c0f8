"""The spine: measured loss of height, and signs that nobody imaged.

Source: docs/intervals.md SPN-03 and SPN-04.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime

import msgspec

from alerting.judge import Judge
from alerting.rule import Rule
from alerting.rules.alert_runs import finding_runs
from alerting.rules.fractures import in_episode
from alerting.rules.heights import HEIGHTS, lost, measured, scope_of
from alerting.rules.studies import SPINE, Instants, earliest, studies
from schemas.definitions import Reader, Record, finding, records
from schemas.facts import Study
from schemas.intervals import Evidence, Interval, Intervals, Sign, united
from schemas.views import PREGNANCIES, Pregnancy, winners

_IMAGING, _STUDIES = winners("imaging"), records("imaging")
_SPN_01, _SPN_03 = finding("SPN-01"), finding("SPN-03")
_SHOWS_LOSS = frozenset({"MRI", "XR", "CT"})
_SHOWS_FRACTURE = frozenset({"MRI", "XR"})


# ---- SPN-03


def _spn_03(chart: Reader, judge: Judge) -> Intervals:
    episodes = chart[PREGNANCIES].episodes
    if not episodes:
        judge.out_of_scope("not in a pregnancy episode")
        return ()
    heights = measured(chart)
    imaged = Instants(s.at for s in studies(chart[_IMAGING], SPINE, _SHOWS_LOSS))
    made: list[Interval] = []
    for p in episodes:
        found = lost(judge, heights, scope_of(chart, judge, p))
        normal = Instants(found.normal)

        def ends(run: Sequence[Sign], normal: Instants = normal) -> datetime | None:
            return earliest(normal.first_after(run[-1].at), imaged.first_from(run[0].at))

        made += finding_runs(found.signs, ends, p.episode, p.ended)
    return tuple(made)


def _asks_spn_03(chart: Reader, _judge: Judge, interval: Interval, now: datetime) -> Iterator[str]:
    heights = [h for h in measured(chart) if h.at <= now]
    if not any(h.at > interval.began for h in heights):
        yield "height not measured a second time"


# ---- SPN-04


class _Imaging:
    """MRI and radiographs of the spine, as they were known at an instant."""

    def __init__(self, chart: Reader) -> None:
        self.calendar = chart.calendar
        self.records = chart[_STUDIES]

    def resulted(self, since: datetime) -> datetime | None:
        """When the first final version of a study performed on the day of an instant or later was recorded."""
        day = self.calendar.day(since)
        found = (
            version.recorded_at
            for record in self.records
            for version in record.live
            if (study := _spine(version.payload)) is not None
            and study.status == "final"
            and study.performed_at is not None
            and self.calendar.day(study.performed_at) >= day
        )
        return min(found, default=None)

    def booked(self, at: datetime, within: int) -> datetime | None:
        """The last appointment on the day of an instant or the next days, as known then."""
        today = self.calendar.day(at)
        found = (b for record in self.records if (b := _booking(record, at)) is not None)
        return max((b for b in found if 0 <= (self.calendar.day(b) - today).days <= within), default=None)


def _spine(payload: object) -> Study | None:
    if isinstance(payload, Study) and payload.region in SPINE and payload.modality in _SHOWS_FRACTURE:
        return payload
    return None


def _booking(record: Record, at: datetime) -> datetime | None:
    version = record.as_of(at)
    study = _spine(version.payload) if version is not None else None
    return study.scheduled_for if study is not None and study.status == "booked" else None


def _spn_04(chart: Reader, judge: Judge) -> Intervals:
    imaging = _Imaging(chart)
    signs = (("back pain", chart[_SPN_01]), ("height loss", chart[_SPN_03]))
    if not any(found for _, found in signs):
        judge.out_of_scope("neither SPN-01 nor SPN-03 has begun")
    made: list[Interval] = []
    for p in chart[PREGNANCIES].episodes:
        found = [(words, i) for words, intervals in signs for i in in_episode(intervals, p)]
        spans = united(i for _, i in found)
        gaps = (_gap(imaging, judge, _Spine(words, sign, spans), p) for words, sign in found)
        made += united(g for g in gaps if g is not None)
    return tuple(made)


class _Spine(msgspec.Struct, frozen=True):
    """A sign in words, and how long this or the other sign lasts."""

    words: str
    sign: Interval
    spans: Intervals


def _gap(imaging: _Imaging, judge: Judge, found: _Spine, p: Pregnancy) -> Interval | None:
    """The gap that one sign leaves; None where it was imaged, or ended before."""
    words, sign = found.words, found.sign
    calendar = imaging.calendar
    day = calendar.day(sign.began)
    began = calendar.midnight(day, judge.days("gap_days"))
    judge.looks_at(calendar.day(began))
    resulted = imaging.resulted(sign.began)
    if not _open(judge, sign, resulted, began):
        return None
    booked = imaging.booked(began, judge.days("booked_days"))
    if not judge.condition("no appointment in the next days", booked is None) and booked is not None:
        began = calendar.midnight(calendar.day(booked), 1)
        if not _open(judge, sign, resulted, began):
            return None
    span = next(s for s in found.spans if s.holds(began))
    ended = min(span.ended, p.ended, *(() if resulted is None else (resulted,)))
    if began >= ended:
        return None
    waited = (calendar.day(began) - day).days
    details = (("sign", words.capitalize()), ("day", day.isoformat()), ("waited", waited))
    evidence = (Evidence(f"{words} since", begins=sign.began), *sign.evidence)
    return Interval(began, ended, episode=p.episode, evidence=evidence, details=details)


def _open(judge: Judge, sign: Interval, resulted: datetime | None, at: datetime) -> bool:
    """At an instant the sign still holds, and no study since it is resulted."""
    holds = judge.condition("the sign still holds", sign.holds(at))
    return judge.condition("no spine MRI or radiograph resulted", resulted is None or resulted > at) and holds


def _asks_spn_04(chart: Reader, _judge: Judge, interval: Interval, now: datetime) -> Iterator[str]:
    signs = [e.begins for e in interval.evidence if e.begins is not None]
    since = chart.calendar.day(min(signs, default=interval.began))
    for fact in chart[_IMAGING]:
        study = _spine(fact.payload)
        if study is None or study.status != "performed" or study.performed_at is None:
            continue
        if since <= chart.calendar.day(study.performed_at) and study.performed_at <= now:
            yield "imaging performed but not resulted"


RULES = (
    Rule("SPN-03", (HEIGHTS, PREGNANCIES, _IMAGING), _spn_03, _asks_spn_03),
    Rule("SPN-04", (PREGNANCIES, _SPN_01, _SPN_03, _STUDIES), _spn_04, _asks_spn_04, (_IMAGING,)),
)
