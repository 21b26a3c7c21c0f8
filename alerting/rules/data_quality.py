"""What the service cannot judge, or judged anew: results that do not convert, and records late or corrected.

Source: docs/intervals.md DQ-04 and DQ-05.
"""

from collections.abc import Iterator
from itertools import groupby
from typing import Final

from alerting.judge import Judge
from alerting.rule import Rule
from schemas.days import FOREVER, Calendar
from schemas.definitions import LATE, LateEntry, Reader
from schemas.facts import Lab
from schemas.intervals import Evidence, Interval, Intervals
from schemas.views import UNCLEAR, UnclearResult

_MOST_RECORDS: Final = 12  # the message is read by people: the latest records lead to the rest


def _dq_04(chart: Reader, judge: Judge) -> Intervals:
    found = chart[UNCLEAR]
    judge.condition("a final result whose unit is in no table, or whose size is implausible", bool(found))
    return tuple(interval for one in found if (interval := _unclear(chart, judge, one)) is not None)


def _unclear(chart: Reader, judge: Judge, one: UnclearResult) -> Interval | None:
    lab = one.fact.payload
    if not isinstance(lab, Lab):
        return None
    lapsed = chart.calendar.midnight(chart.calendar.day(lab.collected_at), judge.days("days"))
    ended = min(one.clarified_at or FOREVER, one.next_at or FOREVER, lapsed)
    if ended <= lab.collected_at:
        return None
    reported = None if lab.reported is None else float(lab.reported)
    fact, what = one.fact, f"{lab.analyte} result"
    shown = Evidence(what, fact.record_id, fact.event_id, fact.source, reported, lab.unit, lab.collected_at)
    why = "its unit is in no table" if lab.value is None else "its size is implausible for its unit"
    details = (
        ("analyte", lab.analyte),
        ("value", "" if lab.reported is None else f"{lab.reported:f}"),
        ("unit", lab.unit or "without a unit"),
        ("day", chart.calendar.day(lab.collected_at).isoformat()),
        ("why", why),
    )
    return Interval(lab.collected_at, ended, evidence=(shown,), details=details)


def _asks_dq_04(_chart: Reader, _judge: Judge, interval: Interval, _now: object) -> Iterator[str]:
    said = dict(interval.details)
    yield f"unit of the {said['analyte']} result of {said['day']}"


def _came_late(entry: LateEntry, judge: Judge, calendar: Calendar) -> bool:
    days = (calendar.day(entry.recorded_at) - calendar.day(entry.clinical_at)).days
    return entry.corrects or judge.more_than("days", days)


def _dq_05(chart: Reader, judge: Judge) -> Intervals:
    """One interval a local day: from the first record of the day that came late or corrected to the next midnight."""
    calendar = chart.calendar
    found = [entry for entry in chart[LATE] if _came_late(entry, judge, calendar)]
    judge.condition("a record that came late, corrected or removed", bool(found))
    made = []
    for day, entries in groupby(found, key=lambda entry: calendar.day(entry.recorded_at)):
        late = tuple(entries)
        shown = tuple(
            Evidence("late or corrected record", one.record_id, one.event_id, one.source, begins=one.recorded_at)
            for one in late[-_MOST_RECORDS:]
        )
        details = (("count", len(late)), ("day", day.isoformat()))
        made.append(Interval(late[0].recorded_at, calendar.midnight(day, 1), evidence=shown, details=details))
    return tuple(made)


RULES = (
    Rule("DQ-04", (UNCLEAR,), _dq_04, _asks_dq_04),
    Rule("DQ-05", (LATE,), _dq_05),
)
