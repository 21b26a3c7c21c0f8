"""What is lacking of a pregnancy's records: its dating, and how the child is fed.

Source: docs/intervals.md DQ-01 and DQ-02.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Final

from alerting.judge import Judge
from alerting.rule import Rule
from schemas.days import FOREVER
from schemas.definitions import Reader, Record, records
from schemas.facts import Fact, Feeding, PregnancyRecord
from schemas.intervals import Evidence, Interval, Intervals, united
from schemas.views import PREGNANCIES, Pregnancy

_PREGNANCY, _LACTATION = records("pregnancy"), records("lactation")
_TOLD: Final = frozenset({"exclusive", "mixed", "none"})

# ---- DQ-01


def _dq_01(chart: Reader, judge: Judge) -> Intervals:
    found = [r for r in chart[_PREGNANCY] if r.winner is not None]
    if not found:
        judge.out_of_scope("no pregnancy record")
        return ()
    groups = _same_pregnancy(chart, judge, found)
    return united(i for group in groups if (i := _undated(chart, judge, group)) is not None)


def _same_pregnancy(chart: Reader, judge: Judge, found: Sequence[Record]) -> Iterator[list[Record]]:
    """Records of one pregnancy: as they were dated; a refuted one alone; undated ones that follow one another."""
    placed = {f.key: p.episode for p in chart[PREGNANCIES].episodes for f in p.facts}
    undated = {f.key for f in chart[PREGNANCIES].undated}
    by_episode: dict[str, list[Record]] = {}
    for record in found:
        if record.key in placed:
            by_episode.setdefault(placed[record.key], []).append(record)
        elif record.key not in undated:
            yield [record]
    yield from by_episode.values()
    yield from _following((r for r in found if r.key in undated), timedelta(days=judge.days("longest")))


def _following(found: Iterable[Record], longest: timedelta) -> Iterator[list[Record]]:
    """Undated records within the longest pregnancy, none of them seen after the one before was said to be over."""
    group: list[Record] = []
    for record in sorted(found, key=lambda r: (_seen(r), r.key)):
        seen = _seen(record)
        if group and (seen - _seen(group[0]) >= longest or any(_over_by(r, seen) for r in group)):
            yield group
            group = []
        group.append(record)
    if group:
        yield group


def _over_by(record: Record, at: datetime) -> bool:
    return any(said.state != "pregnant" and fact.recorded_at <= at for fact, said in _said(record))


def _said(record: Record) -> Iterator[tuple[Fact, PregnancyRecord]]:
    return ((v, v.payload) for v in record.live if isinstance(v.payload, PregnancyRecord))


def _seen(record: Record) -> datetime:
    return min(said.observed_at or fact.recorded_at for fact, said in _said(record))


def _dates(said: PregnancyRecord) -> bool:
    return bool(said.last_menstrual_period or said.estimated_due_date or said.gestational_age_days is not None)


def _undated(chart: Reader, judge: Judge, group: Iterable[Record]) -> Interval | None:
    """From two weeks after the first word of a pregnancy until it is dated, over, refuted, or past any pregnancy."""
    said = [one for record in group for one in _said(record)]
    booked = min(((s.observed_at or f.recorded_at, f) for f, s in said if s.state == "pregnant"), default=None, key=_at)
    if booked is None:
        return None
    day = chart.calendar.day(booked[0])
    began = chart.calendar.midnight(day, judge.days("days"))
    settled = min((f.recorded_at for f, s in said if _dates(s) or s.state != "pregnant"), default=FOREVER)
    ended = min(settled, chart.calendar.midnight(day, judge.days("longest")))
    if not judge.condition("no LMP, due date or gestational age recorded by then", began < ended, day.isoformat()):
        return None
    fact = booked[1]
    shown = Evidence("pregnancy record", fact.record_id, fact.event_id, fact.source, begins=booked[0])
    return Interval(began, ended, evidence=(shown,), details=(("since", day.isoformat()),))


def _at(one: tuple[datetime, Fact]) -> tuple[datetime, tuple[str, str]]:
    return one[0], one[1].key


def _asks_dq_01(_chart: Reader, _judge: Judge, _interval: Interval, _now: datetime) -> Iterator[str]:
    yield "last menstrual period, due date or gestational age not recorded"


# ---- DQ-02


def _dq_02(chart: Reader, judge: Judge) -> Intervals:
    delivered = [p for p in chart[PREGNANCIES].episodes if p.delivery is not None]
    if not delivered:
        judge.out_of_scope("no delivery recorded")
    return tuple(i for p in delivered for i in _unfed(chart, judge, p))


def _reports(chart: Reader, p: Pregnancy) -> list[tuple[datetime, datetime, bool]]:
    """(recorded, said of, none) of the reports since the delivery, as they were recorded; unknown is no report."""
    if p.delivery is None:
        return []
    delivered, made = chart.calendar.midnight(p.delivery), []
    for record in chart[_LACTATION]:
        for version in record.live:
            said = version.payload
            if isinstance(said, Feeding) and said.feeding in _TOLD:
                since = chart.calendar.midnight(said.since)
                at = max(since, said.observed_at or since)
                if delivered <= at < p.ended:
                    made.append((version.recorded_at, at, said.feeding == "none"))
    return sorted(made)


def _unfed(chart: Reader, judge: Judge, p: Pregnancy) -> Iterator[Interval]:
    """Between reports, from the later of four weeks after the delivery and 60 d after the last word on feeding."""
    if p.delivery is None or not judge.condition(
        "a live birth, or the outcome not known", p.outcome in {None, "live_birth"}, p.outcome
    ):
        return
    calendar, reports = chart.calendar, _reports(chart, p)
    asked_from = calendar.midnight(p.delivery, judge.days("post_partum") + 1)
    lapsed = calendar.midnight(p.delivery, judge.days("without_report") + 1)
    first = reports[0][0] if reports else lapsed
    yield from _open(p, asked_from, min(first, p.ended), None)
    last: datetime | None = None
    for i, (recorded, at, none) in enumerate(reports):
        if not judge.condition("no report that feeding has ended", not none):
            return
        last = at if last is None else max(last, at)
        due = calendar.midnight(calendar.day(last), judge.days("report_days"))
        following = reports[i + 1][0] if i + 1 < len(reports) else FOREVER
        yield from _open(p, max(asked_from, due, recorded), min(following, p.ended), calendar.day(last).isoformat())


def _open(p: Pregnancy, began: datetime, ended: datetime, last: str | None) -> Iterator[Interval]:
    if began >= ended or p.delivery is None:
        return
    shown = tuple(Evidence("delivery", f.record_id, f.event_id, f.source) for f in p.facts[-1:])
    details = (("delivery", p.delivery.isoformat()), ("last", f"the last report is of {last}" if last else "no report"))
    yield Interval(began, ended, episode=p.episode, evidence=shown, details=details)


def _asks_dq_02(_chart: Reader, _judge: Judge, _interval: Interval, _now: datetime) -> Sequence[str]:
    return ("feeding status not recorded",)


RULES = (
    Rule("DQ-01", (PREGNANCIES, _PREGNANCY), _dq_01, _asks_dq_01),
    Rule("DQ-02", (PREGNANCIES, _LACTATION), _dq_02, _asks_dq_02),
)
