"""The plain pages: standing alerts, one alert with its evidence and an answer, one patient. No script is needed."""

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from typing import Annotated, Any, Final
from urllib.parse import parse_qs, quote

from fastapi import APIRouter, Query
from starlette.requests import Request
from starlette.responses import FileResponse, RedirectResponse, Response

from schemas.alerts import STANDING, Alert, EvidenceItem
from schemas.intervals import SEVERITIES
from schemas.rulepack import FLAGS
from schemas.wire import encode
from streams.node.http.alerts import found_alert, page_of, patients_of
from streams.node.http.answering import given_of, respond
from streams.node.http.bodies import body_of, content_type
from streams.node.http.messages import found_messages
from streams.node.http.node import AtNode, Node, node_of, not_found, principal_of
from streams.node.http.paging import place_of
from streams.node.http.patients import found_chart, shown_chart, timeline_of
from streams.node.http.pictured import pictured
from streams.node.http.problems import ProblemError
from streams.node.http.reads import Place, Reads, Wanted
from streams.node.http.shapes import ChartFact
from streams.node.http.situation import situation
from streams.node.http.words import HERE, TEMPLATES

router = APIRouter(include_in_schema=False)

_PAGE: Final = 50
_TIMELINE: Final = 200
_FORM: Final = frozenset({"application/x-www-form-urlencoded"})
_LARGEST_FORM: Final = 262_144
_MOST_FIELDS: Final = 20
_OPEN: Final = "trabecula_alerts_open"
_API: Final = ("/v1/", "/fhir", "/cds-services", "/hl7v2", "/metrics", "/healthz", "/readyz", "/openapi.json")
_STATIC: Final = {"style.css": "text/css", "icon.svg": "image/svg+xml"}
_A_DAY: Final = {"Cache-Control": "public, max-age=86400"}
REASONS: Final = (
    "trauma",
    "known_and_treated",
    "osteoporosis",
    "fracture",
    "osteogenesis_imperfecta",
    "malignancy",
    "hypercalcaemia",
    "does_not_apply",
    "other",
)
"""Coded reasons that the form offers; some rules close on them (docs/intervals.md)."""

Word = Annotated[str, Query(max_length=256)]


@router.get("/")
async def show_alerts(
    request: Request,
    node: AtNode,
    severity: Word = "",
    rule: Word = "",
    patient: Word = "",
    state: Word = "standing",
    after: Word = "",
) -> Response:
    """What stands, critical first."""
    wanted = Wanted(
        limit=_PAGE,
        standing=state != "all",
        severity=next((s for s in SEVERITIES if s == severity), None),
        rule=rule.strip().upper() or None,
        patient=patient.strip() or None,
        after=place_of(after, Place) if after else None,
    )
    page = await page_of(node, wanted)
    await node.note(request, "read", patients_of(page.items))
    shown = {
        "rules": {rule_id: text.title for rule_id, text in sorted(node.monitor.pack.rules.items())},
        "asked": {"severity": wanted.severity or "", "rule": wanted.rule or "", "patient": patient, "state": state},
        "severities": SEVERITIES[::-1],
        "open_now": await node.ask(_open_now),
    }
    return _page(request, "alerts.html", page=page, after=after, **shown)


def _open_now(reads: Reads) -> Counter[str]:
    """How many alerts of each severity stand."""
    found: Counter[str] = Counter()
    for each in reads.samples():
        if each.family == _OPEN:
            found[each.labels["severity"]] += int(each.value)
    return found


@router.get("/patients")
async def find_patient(node: AtNode, patient: Annotated[str, Query(max_length=256)] = "") -> Response:
    """Lead to a patient's page."""
    chart = await found_chart(node, patient.strip())
    return RedirectResponse(f"/patients/{quote(chart.patient_id, safe='')}", 303)


@router.get("/patients/{patient_id:path}")
async def show_patient_page(request: Request, node: AtNode, patient_id: str) -> Response:
    """One patient's alerts, facts and timeline."""
    chart, entries = await timeline_of(node, patient_id)
    shown = await shown_chart(node, chart)
    await node.note(request, "read", chart.patient_ids)
    who = situation(chart, node.monitor.calendar, _today(node))
    listed = {"entries": entries[:_TIMELINE], "count": len(entries)}
    return _page(request, "patient.html", chart=shown, kinds=_by_kind(shown.facts), situation=who, **listed)


def _by_kind(facts: Iterable[ChartFact]) -> dict[str, list[ChartFact]]:
    """Facts by the first word of their group, the latest first."""
    kinds: dict[str, list[ChartFact]] = {}
    for fact in sorted(facts, key=lambda each: each.at or each.recorded_at, reverse=True):
        kinds.setdefault(fact.group.partition("/")[0], []).append(fact)
    return dict(sorted(kinds.items()))


@router.get("/alerts/{alert_id}")
async def show_alert_page(request: Request, node: AtNode, alert_id: str) -> Response:
    """One alert with what it rests on, its limits, what is not known, and a form to answer it."""
    alert = await found_alert(node, alert_id)
    await node.note(request, "read", (alert.patient_id,))
    told = await node.ask(lambda reads: reads.notices_of(alert.patient_id))
    chart = await node.ask(lambda reads: reads.chart(alert.patient_id))
    calendar, today, may = node.monitor.calendar, _today(node), principal_of(request).may
    shown = {
        "notices": [each for each in told if each.alert_id == alert_id][::-1],
        "name": await node.ask(lambda reads: reads.name(chart.patient_ids)) if chart else None,
        "rule": node.monitor.pack.rules.get(alert.rule_id),
        "situation": situation(chart, calendar, today) if chart else [],
        "picture": pictured(alert, chart, calendar, today) if chart else None,
        "evidence": _once(alert),
        "answers": alert.state in STANDING and may("POST", "/alerts/{alert_id}"),
        "sees_raw": may("GET", "/messages"),
    }
    return _page(request, "alert.html", alert=alert, flags=FLAGS, reasons=REASONS, **shown)


def _once(alert: Alert) -> Sequence[EvidenceItem]:
    """The evidence; what several conditions rest on is shown once."""
    seen = {each.model_dump_json(): each for each in alert.evidence}
    return tuple(seen.values())


def _today(node: Node) -> date:
    return node.monitor.calendar.day(node.clock.now())


@router.get("/messages")
async def show_messages_page(request: Request, node: AtNode, source: Word, event_id: Word) -> Response:
    """The raw messages that a piece of evidence came from."""
    found = await found_messages(request, node, source, event_id)
    return _page(request, "messages.html", messages=found.items, source=source, event_id=event_id)


@router.post("/alerts/{alert_id}")
async def answer_on_page(request: Request, node: AtNode, alert_id: str) -> Response:
    """An answer from the form; leads back to the alert."""
    _of_our_own_page(request)
    content_type(request, _FORM)
    said = _said(await body_of(request, node.settings, _LARGEST_FORM))
    given: dict[str, str] = {name: said[name] for name in ("action", "reason", "text") if name in said}
    if given.get("action") == "snooze":
        given["until"] = (node.clock.now() + timedelta(days=_days(said.get("days", "")))).isoformat()
    taken = await respond(request, node, await found_alert(node, alert_id), given_of(encode(given), node.clock.now()))
    if taken.outcome == "refused":
        raise ProblemError(400, f"the answer was not taken: {taken.reason}")
    return RedirectResponse(f"/alerts/{quote(alert_id, safe='')}", 303)


def _said(content: bytes) -> dict[str, str]:
    """The fields of a form that say something."""
    try:
        form = parse_qs(content.decode("ascii"), max_num_fields=_MOST_FIELDS)
    except ValueError:
        raise ProblemError(400, "the body is no form of ours", field="body", accepted="the form of the page") from None
    return {name: values[0].strip() for name, values in form.items() if values[0].strip()}


def _days(said: str) -> int:
    if said.isascii() and said.isdigit() and 0 < int(said[:4]) <= 90:  # noqa: PLR2004 a quarter of a year
        return int(said[:4])
    raise ProblemError(400, "days: no number of days", field="days", accepted="1 to 90")


def _of_our_own_page(request: Request) -> None:
    """Every browser says where a form comes from; whoever does not is to use the API."""
    if "origin" not in request.headers and "sec-fetch-site" not in request.headers:
        raise ProblemError(403, "the form was sent by no page", field="Origin", accepted="POST /v1/alerts/ID/responses")


@router.get("/static/{name}")
async def static(name: str) -> Response:
    """The style sheet and the icon."""
    if name not in _STATIC:
        raise not_found()
    return FileResponse(HERE / "static" / name, media_type=_STATIC[name], headers=_A_DAY)


# ---- rendering


def _page(request: Request, template: str, **shown: Any) -> Response:
    node = node_of(request)
    known = {"request": request, "who": principal_of(request), "zone": node.monitor.calendar.zone.key}
    content = TEMPLATES.get_template(template).render(known | {"now": node.clock.now()} | shown)
    return Response(content, media_type="text/html")


def is_page(request: Request) -> bool:
    """Whether somebody looks at it in a browser."""
    return "text/html" in request.headers.get("accept", "") and not request.url.path.startswith(_API)


def problem_page(request: Request, problem: ProblemError) -> Response:
    """A problem as people read it."""
    content = TEMPLATES.get_template("problem.html").render(request=request, problem=problem, who=None)
    return Response(content, problem.status, problem.headers, media_type="text/html")
