"""One patient: the chart, what happened, and why there is an alert or none."""

from datetime import datetime
from typing import Annotated, Final

from fastapi import APIRouter, Query
from starlette.requests import Request
from starlette.responses import Response

from alerting.rules import RULES
from schemas.days import FOREVER, to_utc
from schemas.values import NotWhatWasExpectedError, instant
from streams.chart.chart import Chart
from streams.explain import explain
from streams.node.http.chart_facts import held, timeline
from streams.node.http.documented import FOUND, problems
from streams.node.http.node import AtNode, Node, not_found
from streams.node.http.paging import place_of, word_of
from streams.node.http.problems import ProblemError
from streams.node.http.reads import Reads, Wanted
from streams.node.http.shapes import Explained, PatientChart, TimelineEntry, TimelinePage, wire

router = APIRouter(tags=["patients"])

_MOST_ALERTS: Final = 1000
_AT: Final = {"format": "date-time"}


# The longer addresses first: an identity may have slashes in it, and the shortest address takes them all.


@router.get("/v1/patients/{patient_id:path}/timeline", response_model=TimelinePage, responses=problems(*FOUND))
async def show_timeline(
    request: Request,
    node: AtNode,
    patient_id: str,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    after: Annotated[str | None, Query(max_length=512, description="the `next` of an answer")] = None,
) -> Response:
    """Everything that was recorded of a patient, every version, and everything that was told; the latest first."""
    place: tuple[str, str] | None = place_of(after, tuple[str, str]) if after else None
    chart, entries = await timeline_of(node, patient_id)
    keys = [_place(entry) for entry in entries]
    begins = next((i for i, key in enumerate(keys) if key < place), len(keys)) if place else 0
    ends = begins + limit
    page = TimelinePage(
        items=tuple(entries[begins:ends]), next=word_of(*keys[ends - 1]) if ends < len(entries) else None
    )
    await node.note(request, "read", chart.patient_ids)
    return wire(page)


async def timeline_of(node: Node, patient_id: str) -> tuple[Chart, list[TimelineEntry]]:
    """A patient's chart and timeline.

    Errors: ProblemError 404.
    """
    chart = await found_chart(node, patient_id)

    def read(reads: Reads) -> list[TimelineEntry]:
        found = timeline(node.monitor.calendar, chart, reads.notices_of(chart.patient_id))
        return sorted(found, key=_place, reverse=True)

    return chart, await node.ask(read)


def _place(entry: TimelineEntry) -> tuple[str, str]:
    """By the instant: the wall clock shows an hour of the autumn twice."""
    return to_utc(entry.at).isoformat(timespec="microseconds"), _name(entry)


def _name(entry: TimelineEntry) -> str:
    if entry.fact is not None:
        return f"fact {entry.fact.event_id} {entry.fact.source} {entry.fact.record_id}"
    return f"notice {entry.notice.notice_id if entry.notice else ''}"


@router.get("/v1/patients/{patient_id:path}/explain", response_model=Explained, responses=problems(*FOUND))
async def explain_patient(
    request: Request,
    node: AtNode,
    patient_id: str,
    rule: Annotated[str | None, Query(max_length=64, description="one rule; else every rule")] = None,
    at: Annotated[
        str | None, Query(max_length=64, description="as known at this instant", json_schema_extra=_AT)
    ] = None,
) -> Response:
    """Why there is an alert, and why there is none: each condition with its value, its limit and its distance."""
    rules = [each for each in RULES if rule is None or each.id == rule.upper()]
    if not rules:
        raise ProblemError(400, "no rule has this id", field="rule", accepted=", ".join(r.id for r in RULES))
    asked = _instant(at) if at is not None else None
    chart = await found_chart(node, patient_id)

    def read(reads: Reads) -> Explained:
        when = asked or reads.now()
        known = chart if asked is None else _as_known(node, chart, asked)
        items = tuple(explain(node.monitor, known, when, rules))
        return Explained(patient_id=chart.patient_id, at=node.monitor.calendar.local(when), items=items)

    explained = await node.ask(read)
    await node.note(request, "read", chart.patient_ids)
    return wire(explained)


def _as_known(node: Node, chart: Chart, at: datetime) -> Chart:
    return node.monitor.chart(chart.patient_id, [fact for fact in chart.facts if fact.recorded_at <= at])


def _instant(given: str) -> datetime:
    try:
        return instant(given)
    except NotWhatWasExpectedError as error:
        raise ProblemError(400, f"at: {error}", field="at", accepted="e.g. 2026-03-01T08:00:00Z") from None


@router.get("/v1/patients/{patient_id:path}", response_model=PatientChart, responses=problems(*FOUND))
async def show_patient(request: Request, node: AtNode, patient_id: str) -> Response:
    """What is known of a patient, and which alerts stand."""
    shown = await shown_chart(node, await found_chart(node, patient_id))
    await node.note(request, "read", shown.patient_ids)
    return wire(shown)


async def found_chart(node: Node, patient_id: str) -> Chart:
    """A patient's chart by any number that the person has or had.

    Errors: ProblemError 404.
    """
    chart = await node.ask(lambda reads: reads.chart(patient_id)) if patient_id else None
    if chart is None:
        raise not_found()
    return chart


async def shown_chart(node: Node, chart: Chart) -> PatientChart:
    """A chart as it is shown."""
    wanted = Wanted(_MOST_ALERTS, patient=chart.patient_id)
    next_check_at = None if chart.next_check_at == FOREVER else node.monitor.calendar.local(chart.next_check_at)
    return PatientChart(
        patient_id=chart.patient_id,
        name=await node.ask(lambda reads: reads.name(chart.patient_ids)),
        patient_ids=chart.patient_ids,
        facts=tuple(held(node.monitor.calendar, chart)),
        alerts=(await node.ask(lambda reads: reads.alerts(wanted))).items,
        next_check_at=next_check_at,
    )
