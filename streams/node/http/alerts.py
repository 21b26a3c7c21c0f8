"""Alerts: the list, one of them, and answers to it."""

from typing import Annotated, Final, Literal

from fastapi import APIRouter, Query
from starlette.requests import Request
from starlette.responses import Response

from schemas.alerts import Alert
from schemas.intervals import Severity
from streams.node.http.answering import given_of, respond
from streams.node.http.bodies import body_of, content_type
from streams.node.http.documented import FOUND, READ, SENT, body, problems
from streams.node.http.node import AtNode, Node, not_found
from streams.node.http.paging import only, place_of, word_of
from streams.node.http.problems import ProblemError
from streams.node.http.reads import Place, Wanted
from streams.node.http.shapes import AlertPage, ResponseGiven, ResponseTaken, wire

router = APIRouter(tags=["alerts"])

MOST: Final = 1000
_USUAL: Final = 100
_LONGEST: Final = 256
_JSON: Final = frozenset({"application/json"})


@router.get("/v1/alerts", response_model=AlertPage, responses=problems(*READ))
async def list_alerts(
    request: Request,
    node: AtNode,
    state: Literal["standing", "all"] = "standing",
    severity: Severity | None = None,
    rule: Annotated[str | None, Query(max_length=_LONGEST)] = None,
    patient: Annotated[str | None, Query(max_length=_LONGEST)] = None,
    limit: Annotated[int, Query(ge=1, le=MOST)] = _USUAL,
    after: Annotated[str | None, Query(max_length=2 * _LONGEST, description="the `next` of an answer")] = None,
) -> Response:
    """The alerts that stand, or all that ever did, the most urgent first. `rule` is read in either case."""
    only(request, _PARAMETERS)
    place: Place | None = place_of(after, Place) if after else None
    wanted = Wanted(limit, state == "standing", severity, _rule(node, rule), patient, place)
    page = await page_of(node, wanted)
    await node.note(request, "read", patients_of(page.items))
    return wire(page)


_PARAMETERS: Final = ("state", "severity", "rule", "patient", "limit", "after")


def _rule(node: Node, said: str | None) -> str | None:
    """Errors: ProblemError 400 where no rule is called so: an empty list would say that nobody has it."""
    if not said:
        return None
    known = node.monitor.pack.rules
    if said.upper() not in known:
        raise ProblemError(400, "no rule has this id", field="rule", accepted=", ".join(sorted(known)))
    return said.upper()


async def page_of(node: Node, wanted: Wanted) -> AlertPage:
    """A page, and where it goes on."""
    found = await node.ask(lambda reads: reads.alerts(wanted))
    return AlertPage(items=found.items, next=word_of(*found.next) if found.next else None)


def patients_of(alerts: tuple[Alert, ...]) -> tuple[str, ...]:
    """Whose alerts these are."""
    return tuple(sorted({alert.patient_id for alert in alerts}))


@router.get("/v1/alerts/{alert_id}", response_model=Alert, responses=problems(*FOUND))
async def show_alert(request: Request, node: AtNode, alert_id: str) -> Response:
    """One alert with its evidence and limits, standing or not."""
    alert = await found_alert(node, alert_id)
    await node.note(request, "read", (alert.patient_id,))
    return wire(alert)


async def found_alert(node: Node, alert_id: str) -> Alert:
    """An alert by its id.

    Errors: ProblemError 404.
    """
    alert = await node.ask(lambda reads: reads.alert(alert_id))
    if alert is None:
        raise not_found()
    return alert


@router.post(
    "/v1/alerts/{alert_id}/responses",
    response_model=ResponseTaken,
    responses=problems(*{*SENT, *FOUND}),
    openapi_extra=body("application/json", schema=ResponseGiven.model_json_schema()),
)
async def answer_alert(request: Request, node: AtNode, alert_id: str) -> Response:
    """Answer an alert, as whoever is authenticated; answers with the alert as it stands after that.

    An answer is a fact: it is told to whoever was told of the alert, and follows the alert when it moves.
    """
    content_type(request, _JSON)
    given = given_of(await body_of(request, node.settings, node.settings.largest_body), node.clock.now())
    return wire(await respond(request, node, await found_alert(node, alert_id), given))
