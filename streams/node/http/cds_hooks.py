"""CDS Hooks: what stands of a patient as cards when a chart is opened, and what became of the cards.

Topic: nothing is fetched from anybody's FHIR server; `fhirAuthorization` is neither looked at nor kept.
Source: https://cds-hooks.hl7.org/2.0/, https://cds-hooks.hl7.org/hooks/patient-view/2022/patient-view/
"""

import uuid
from typing import Any, Final, TypeVar

from fastapi import APIRouter
from pydantic import ValidationError
from starlette.requests import Request
from starlette.responses import Response

from alerting.cards import REASON, alert_of_card, card, interrupts
from schemas.alerts import Alert
from schemas.days import to_utc
from schemas.values import NotWhatWasExpectedError, instant
from schemas.wire import NotJsonError, decode, encode
from streams.chart.chart import Chart
from streams.intake.fhir.datatypes import Identifier as FhirIdentifier
from streams.intake.fhir.identity import known_name
from streams.intake.site import Site
from streams.node.http.alerts import MOST
from streams.node.http.answering import Said, respond
from streams.node.http.bodies import body_of, content_type
from streams.node.http.cds_shapes import FEEDBACK, REQUEST, Feedback, FeedbackRequest, HookBody, HookRequest, answers
from streams.node.http.documented import READ, SENT, body, problems
from streams.node.http.node import AtNode, Node
from streams.node.http.pages import REASONS
from streams.node.http.problems import ProblemError
from streams.node.http.reads import Reads, Wanted
from streams.node.http.shapes import ResponseGiven
from streams.node.http.subjects import by_address, one_chart

router = APIRouter(tags=["out"])

SERVICE: Final = "trabecula-patient-view"
DISCOVERY: Final[dict[str, Any]] = {
    "services": [
        {
            "id": SERVICE,
            "hook": "patient-view",
            "title": "Trabecula",
            "description": (
                "What stands unanswered of osteoporosis around pregnancy, lactation and heparin: limits that were "
                "crossed, with their sources. It asks for a review; it makes no diagnosis."
            ),
            "prefetch": {"patient": "Patient/{{context.patientId}}"},
        }
    ]
}
_JSON: Final = frozenset({"application/json"})
_LARGEST: Final = 4 * 1024 * 1024
_LONGEST_TEXT: Final = 8_192
_ONES: Final = uuid.UUID("6a0f8c6a-3f0e-4a57-9d7c-0e8f4c9d1b52")
"""The names of answers are made under this one."""
Read = TypeVar("Read", bound=HookBody)


@router.get(
    "/cds-services", responses={**answers("The services", "services"), **problems(*READ)}, response_class=Response
)
async def discover() -> Response:
    """The one service that there is."""
    return _answer(DISCOVERY)


# ---- cards


@router.post(
    f"/cds-services/{SERVICE}",
    responses={**answers("Cards, the most urgent first", "cards"), **problems(*SENT, 412)},
    openapi_extra=body("application/json", schema=REQUEST),
    response_class=Response,
)
async def show_cards(request: Request, node: AtNode) -> Response:
    """What stands unanswered of a patient whose chart was opened; no cards of one who is not known here."""
    asked = await _read(request, node, HookRequest)
    address = str(request.base_url).rstrip("/")

    def read(reads: Reads) -> tuple[Chart | None, list[dict[str, Any]]]:
        chart = one_chart(reads, _meant(reads, node.site, asked), "context.patientId")
        if chart is None:
            return None, []
        found = reads.alerts(Wanted(MOST, patient=chart.patient_id)).items
        return chart, [card(each, address, REASONS) for each in found if interrupts(each)]

    chart, cards = await node.ask(read)
    if chart is not None:
        await node.note(request, "read", chart.patient_ids, _user(asked.context.user_id))
    return _answer({"cards": cards})


def _meant(reads: Reads, site: Site, asked: HookRequest) -> list[str]:
    """The identities that the patient of a request may have; a FHIR id is never taken for a number of a patient."""
    base = asked.fhir_server or site.fhir_base
    return [*by_address(reads, f"Patient/{asked.context.patient_id}", base), *_prefetched(asked, site)]


def _prefetched(asked: HookRequest, site: Site) -> list[str]:
    """The number that the Patient of a prefetch has under an authority of the site."""
    given = (asked.prefetch or {}).get("patient")
    if not isinstance(given, dict) or given.get("id") != asked.context.patient_id:
        return []
    listed = given.get("identifier")
    try:
        read = tuple(FhirIdentifier.model_validate(each) for each in listed) if isinstance(listed, list) else ()
    except ValidationError:
        return []
    known = known_name(read, site)
    return [known] if known else []


def _user(said: str | None) -> str:
    """Who looked, as the client says; a patient who looks at the own chart is told by the patient."""
    return f"user {said}" if said and said.startswith("Practitioner") else ""


# ---- feedback


@router.post(
    f"/cds-services/{SERVICE}/feedback",
    responses={**answers("What became of each, in their order", "items"), **problems(*SENT)},
    openapi_extra=body("application/json", schema=FEEDBACK),
    response_class=Response,
)
async def take_feedback(request: Request, node: AtNode) -> Response:
    """What became of cards: accepted acknowledges the alert, overridden with a reason or a comment overrides it.

    A card that was dismissed without either leaves the alert as it is. Each entry is answered in its order.
    """
    given = await _read(request, node, FeedbackRequest)
    items = [{"card": each.card} | await _taken(request, node, each) for each in given.feedback]
    return _answer({"items": items})


async def _taken(request: Request, node: Node, given: Feedback) -> dict[str, Any]:
    alert = await _alert_of(node, given.card)
    if alert is None:
        return {"outcome": "refused", "reason": "card: no card of this service has this id"}
    try:
        at = min(to_utc(instant(given.outcome_timestamp)), node.clock.now())
    except NotWhatWasExpectedError as error:
        return {"outcome": "refused", "reason": f"outcomeTimestamp: {error}"}
    answer = response_of(given)
    if answer is None:
        await node.note(request, "changed", (alert.patient_id,), f"dismissed {alert.alert_id}")
        return {"outcome": "accepted", "reason": "dismissed without a reason; the alert stands unanswered"}
    said = Said(str(uuid.uuid5(_ONES, given.model_dump_json())), at)
    taken = await respond(request, node, alert, answer, said)
    return {"outcome": taken.outcome} | ({"reason": taken.reason} if taken.reason else {})


async def _alert_of(node: Node, card: str) -> Alert | None:
    alert_id = alert_of_card(card)
    return await node.ask(lambda reads: reads.alert(alert_id)) if alert_id else None


def response_of(given: Feedback) -> ResponseGiven | None:
    """The answer that a feedback is; None where nothing is said but that the card was dismissed."""
    if given.outcome == "accepted":
        return ResponseGiven(action="acknowledge")
    why = given.override_reason
    reason, comment = (why.reason, why.user_comment) if why else (None, None)
    if not reason and not comment:
        return None
    return ResponseGiven(action="override", reason=_reason(reason), text=_text(reason, comment))


def _reason(coding: dict[str, Any] | None) -> str:
    """A reason of ours; any other is `other`, for some rules close on ours."""
    if coding is None or coding.get("system") != REASON or coding.get("code") not in REASONS:
        return "other"
    return str(coding["code"])


def _text(coding: dict[str, Any] | None, comment: str | None) -> str | None:
    """What was said beside a reason of ours: the comment, and a reason of the client's own in its words."""
    own = None if coding is None or coding.get("system") == REASON else coding.get("display") or coding.get("code")
    said = [each for each in (own, comment) if isinstance(each, str) and each]
    return "; ".join(said)[:_LONGEST_TEXT] or None


# ---- on the wire


async def _read(request: Request, node: Node, kind: type[Read]) -> Read:
    """The body of a request.

    Errors: ProblemError 400, 408, 413, 415.
    """
    content_type(request, _JSON)
    try:
        return kind.model_validate(decode(await body_of(request, node.settings, _LARGEST)))
    except NotJsonError:
        raise ProblemError(400, "the body is no JSON", field="body", accepted="one JSON object") from None
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False, include_context=False)[0]
        field = ".".join(map(str, first["loc"])) or "body"
        raise ProblemError(400, f"{field}: {first['msg']}", field=field, accepted="CDS Hooks 2.0") from None


def _answer(content: dict[str, Any]) -> Response:
    return Response(encode(content), media_type="application/json")
