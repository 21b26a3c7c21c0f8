"""Imaging with radiation that is planned in pregnancy: DXA, which can wait.

Source: docs/intervals.md SAF-04; docs/evidence.md 1.2 and 5 (avoided in pregnancy; the dose is very low, so an override
must be possible).
"""

from collections.abc import Iterator
from datetime import datetime

from alerting.judge import Judge
from alerting.rule import Rule
from schemas.days import FOREVER
from schemas.definitions import Reader, Record, records
from schemas.facts import Study
from schemas.intervals import Evidence, Interval, Intervals
from schemas.views import ANSWERS, PREGNANCIES, Pregnancy

_IMAGING = records("imaging")


def _dxa(chart: Reader) -> Iterator[tuple[Record, Study]]:
    """The DXA studies that stand, as their winning versions have them."""
    for record in chart[_IMAGING]:
        study = record.winner.payload if record.winner else None
        if isinstance(study, Study) and study.modality == "DXA":
            yield record, study


def _performed_at(record: Record, study: Study) -> datetime:
    """When it was done; a study reported without that instant was done by the time it was recorded."""
    if study.performed_at is not None:
        return study.performed_at
    done = (v.recorded_at for v in record.live if v.payload.status in {"performed", "final"})
    return min(done, default=FOREVER) if study.status in {"performed", "final"} else FOREVER


def _planned_before_delivery(chart: Reader, judge: Judge, study: Study, p: Pregnancy) -> bool:
    """Planned for a day before the delivery, or before the due date while no delivery is known; or without a day."""
    if study.scheduled_for is None:
        return judge.condition("DXA without a planned date", True)  # noqa: FBT003
    day = chart.calendar.day(study.scheduled_for)
    if p.delivery is not None or p.lost_on is not None:
        return judge.condition("DXA planned for a day in pregnancy", day < p.until, day.isoformat())
    return judge.below("due_date", (day - p.start).days)


def _saf_04(chart: Reader, judge: Judge) -> Intervals:
    pregnancies = chart[PREGNANCIES].episodes
    if not pregnancies:
        judge.out_of_scope("not in a pregnancy episode")
        return ()
    found = tuple(_dxa(chart))
    judge.condition("a DXA ordered or booked", bool(found))
    return tuple(
        interval
        for p in pregnancies
        for record, study in found
        if (interval := _interval(chart, judge, record, study, p)) is not None
    )


def _interval(chart: Reader, judge: Judge, record: Record, study: Study, p: Pregnancy) -> Interval | None:
    ordered = study.ordered_at or record.live[0].recorded_at
    began, ended = max(ordered, p.began), min(_performed_at(record, study), chart.calendar.midnight(p.until), p.ended)
    if began >= ended or not _planned_before_delivery(chart, judge, study, p):
        return None
    planned = study.scheduled_for
    details = (
        ("ordered", chart.calendar.day(ordered).isoformat()),
        ("planned", f"for {chart.calendar.day(planned).isoformat()}" if planned else "without a planned date"),
    )
    closed = chart[ANSWERS].closing("SAF-04", p.episode, began, frozenset({"override"}))
    return Interval(began, ended, closed, episode=p.episode, evidence=_evidence(record, ordered, p), details=details)


def _evidence(record: Record, ordered: datetime, p: Pregnancy) -> tuple[Evidence, ...]:
    fact = record.live[-1]
    dating = p.facts[-1:]
    return (
        Evidence("DXA order", fact.record_id, fact.event_id, fact.source, begins=ordered),
        *(Evidence("pregnancy record", f.record_id, f.event_id, f.source) for f in dating),
    )


def _asks_saf_04(chart: Reader, _judge: Judge, interval: Interval, _now: datetime) -> Iterator[str]:
    if dict(interval.details)["planned"] == "without a planned date":
        yield "planned date of the DXA not known"
    if any(p.episode == interval.episode and p.lmp is None for p in chart[PREGNANCIES].episodes):
        yield "the pregnancy is not dated"


RULES = (Rule("SAF-04", (_IMAGING, PREGNANCIES, ANSWERS), _saf_04, _asks_saf_04),)
