"""The facts of a chart as they are shown: the version of each record that holds, and every version in a timeline."""

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

import msgspec

from schemas.alerts import Notice
from schemas.days import Calendar, to_utc
from schemas.facts import Fact, clinical_time
from streams.chart.chart import Chart
from streams.chart.groups import group
from streams.node.http.shapes import ChartFact, TimelineEntry


def held(calendar: Calendar, chart: Chart) -> Iterator[ChartFact]:
    """The version of each record that holds, by group and clinical time; removed records have none."""
    winners = [w for record in chart.facts.records.values() if (w := record.winner) is not None]
    for fact in sorted(winners, key=lambda w: (group(w.payload), clinical_time(w.payload) or w.recorded_at, w.key)):
        yield shown(calendar, fact)


def timeline(calendar: Calendar, chart: Chart, notices: Iterable[Notice]) -> Iterator[TimelineEntry]:
    """Every version when it was recorded, and every notice when it was decided."""
    for fact in chart.facts:
        yield TimelineEntry(at=calendar.local(fact.recorded_at), kind="fact", fact=shown(calendar, fact))
    for notice in notices:
        yield TimelineEntry(at=calendar.local(to_utc(notice.decided_at)), kind="notice", notice=notice)


def shown(calendar: Calendar, fact: Fact) -> ChartFact:
    """A fact with the site's offsets."""
    at = clinical_time(fact.payload)
    return ChartFact(
        group=group(fact.payload),
        source=fact.source,
        record_id=fact.record_id,
        event_id=fact.event_id,
        recorded_at=calendar.local(fact.recorded_at),
        at=calendar.local(at) if at else None,
        origin=fact.origin,
        content={name: _shown(calendar, value) for name, value in _said(fact)},
    )


def _said(fact: Fact) -> Iterator[tuple[str, Any]]:
    return ((n, v) for n, v in msgspec.structs.asdict(fact.payload).items() if v is not None and v != ())


def _shown(calendar: Calendar, value: Any) -> Any:
    match value:
        case datetime():
            return calendar.local(value)
        case tuple():
            return [_shown(calendar, each) for each in value]
        case msgspec.Struct():
            content = msgspec.structs.asdict(value)
            return {name: _shown(calendar, each) for name, each in content.items() if each is not None and each != ()}
    return value
