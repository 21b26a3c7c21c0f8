"""Alerts as other systems ask for them in FHIR R4: `DetectedIssue`, and what this server does at all.

Source: http://hl7.org/fhir/R4/search.html, http://hl7.org/fhir/R4/capabilitystatement.html
"""

from typing import Annotated, Any, Final
from urllib.parse import quote, urlencode

from fastapi import APIRouter, Path, Query
from starlette.requests import Request
from starlette.responses import Response

from alerting.fhir_out import URN, Json, detected_issue, searchset
from schemas.alerts import Alert
from schemas.wire import encode
from streams.chart.chart import Chart
from streams.intake.fhir import READ
from streams.node.http.alerts import MOST
from streams.node.http.documented import FOUND as FOUND_STATUSES
from streams.node.http.documented import READ as READ_STATUSES
from streams.node.http.documented import problems
from streams.node.http.fhir_outcome import FHIR_JSON
from streams.node.http.node import AtNode, Node, not_found
from streams.node.http.paging import once, place_of, word_of
from streams.node.http.problems import ProblemError
from streams.node.http.reads import Reads, Wanted
from streams.node.http.subjects import by_address, by_identifier, one_chart, subject_of

router = APIRouter(tags=["out"])

FHIR_VERSION: Final = "4.0.1"
_USUAL: Final = 50
_LONGEST: Final = 2_048
"""A reference is an address."""
_ID: Final = Path(pattern=r"^[A-Za-z0-9\-.]{1,64}$")
_CONTENT: Final = {FHIR_JSON: {"schema": {"type": "object", "required": ["resourceType"]}}}
_Word = Annotated[str | None, Query(max_length=_LONGEST)]


def _answers(*statuses: int) -> dict[int | str, dict[str, Any]]:
    return {200: {"description": "A resource", "content": _CONTENT}, **problems(*statuses, fhir=True)}


# ---- DetectedIssue


@router.get("/fhir/DetectedIssue", responses=_answers(*READ_STATUSES, 412), response_class=Response)
async def search_issues(
    request: Request,
    node: AtNode,
    patient: _Word = None,
    identifier: Annotated[str | None, Query(alias="patient:identifier", max_length=_LONGEST)] = None,
    code: _Word = None,
    count: Annotated[int, Query(alias="_count", ge=0, le=MOST)] = _USUAL,
    after: Annotated[str | None, Query(alias="_after", max_length=512, description="as a `next` link has it")] = None,
) -> Response:
    """The alerts of a patient that stand, the most urgent first, as a searchset; those of shadow rules are not told.

    `patient` is a number of the patient, or a reference to a Patient that this server was told of, the id in which is
    never taken for a number; `patient:identifier` is `SYSTEM|VALUE`; `code` is a rule.
    """
    once(request, ("patient", "patient:identifier", "code", "_count", "_after"))
    if not patient and not identifier:
        raise ProblemError(400, "whose issues is not said", field="patient", accepted="patient, or patient:identifier")
    place = place_of(after, tuple[int, str]) if after else None
    base, rule = _base(request), _rule(code)

    def read(reads: Reads) -> tuple[Chart | None, list[Json], int, str | None]:
        chart = _whose(reads, node, base, patient, identifier)
        if chart is None:
            return None, [], 0, None
        found = _told(reads, chart, rule)
        # An alert that ended between two pages moves none of the others.
        rest = [each for each in found if place is None or _place(each) > place]
        subject = subject_of(reads, node.site, chart)
        page = [detected_issue(each, subject, node.site.fhir_base) for each in rest[:count]]
        return chart, page, len(found), word_of(*_place(rest[count - 1])) if 0 < count < len(rest) else None

    chart, page, total, following = await node.ask(read)
    if chart is not None:
        await node.note(request, "read", chart.patient_ids)
    asked = {"patient": patient, "patient:identifier": identifier, "code": code, "_count": str(count)}
    links = [("self", _link(base, asked | {"_after": after}))]
    if following is not None:
        links.append(("next", _link(base, asked | {"_after": following})))
    return _resource(searchset(page, total, base, links))


def _whose(reads: Reads, node: Node, base: str, patient: str | None, identifier: str | None) -> Chart | None:
    """The patient of a search; where its two parameters are two people, nobody is meant."""
    charts = []
    if patient:
        meant = _meant(reads, patient.removeprefix(f"{base}/"), node.site.fhir_base)
        charts.append(one_chart(reads, meant, "patient"))
    if identifier:
        system, _, value = identifier.rpartition("|")
        charts.append(one_chart(reads, by_identifier(node.site, system, value), "patient:identifier"))
    return charts[0] if len({chart and chart.patient_id for chart in charts}) == 1 else None


def _meant(reads: Reads, word: str, base: str) -> list[str]:
    """The identities of a word: a reference is to a Patient that told its number, its id never is one; a word alone
    is a number, or the id of such a Patient.
    """
    if "/" in word:
        return by_address(reads, word, base)
    return [word, *by_address(reads, f"Patient/{word}", base)]


def _told(reads: Reads, chart: Chart, rule: str | None) -> list[Alert]:
    found = reads.alerts(Wanted(MOST, rule=rule, patient=chart.patient_id)).items
    return sorted((each for each in found if each.mode == "live"), key=_place)


def _place(alert: Alert) -> tuple[int, str]:
    return _URGENCY.index(alert.severity), alert.alert_id


_URGENCY: Final = ("critical", "warning", "advisory", "info")


def _rule(code: str | None) -> str | None:
    """A token: `CODE` or `SYSTEM|CODE`; of another system there is none."""
    if not code:
        return None
    system, _, rule = code.rpartition("|")
    return rule if system in ("", f"{URN}:rule") else f"{system}|{rule}"


@router.get("/fhir/DetectedIssue/{alert_id}", responses=_answers(*FOUND_STATUSES), response_class=Response)
async def read_issue(request: Request, node: AtNode, alert_id: Annotated[str, _ID]) -> Response:
    """One alert, standing or not."""

    def read(reads: Reads) -> tuple[Alert, Json] | None:
        alert = reads.alert(alert_id)
        chart = reads.chart(alert.patient_id) if alert else None
        if alert is None or chart is None or alert.mode != "live":
            return None
        return alert, detected_issue(alert, subject_of(reads, node.site, chart), node.site.fhir_base)

    found = await node.ask(read)
    if found is None:
        raise not_found()
    alert, issue = found
    await node.note(request, "read", (alert.patient_id,))
    return _resource(issue, {"ETag": f'W/"{alert.sequence}"'})


# ---- what this server does


@router.get("/fhir/metadata", responses=_answers(400), response_class=Response)
async def describe_server(request: Request, node: AtNode) -> Response:
    """What this server does, and nothing that it does not: a CapabilityStatement."""
    return _resource(capabilities(_base(request), request.app.version, node.started.isoformat()))


def capabilities(base: str, version: str, since: str) -> Json:
    """The CapabilityStatement of the server at an address."""
    taken: list[Json] = [{"code": "create"}, {"code": "update"}, {"code": "delete"}]
    resources = [{"type": kind, "interaction": taken, "versioning": "no-version"} for kind in sorted(READ)]
    security = {"cors": False, "description": "API keys and OpenID Connect tokens, as Authorization: Bearer"}
    return {
        "resourceType": "CapabilityStatement",
        "status": "active",
        "date": since,
        "kind": "instance",
        "software": {"name": "Trabecula", "version": version},
        "implementation": {"description": "Resources are taken and watched; what is found is read", "url": base},
        "fhirVersion": FHIR_VERSION,
        "format": [FHIR_JSON],
        "rest": [
            {
                "mode": "server",
                "security": security,
                "resource": [*resources, _ISSUES],
                "interaction": [{"code": "transaction"}, {"code": "batch"}],
            }
        ],
    }


_ISSUES: Final[Json] = {
    "type": "DetectedIssue",
    "documentation": "The alerts that stand. A search names a patient.",
    "interaction": [{"code": "read"}, {"code": "search-type"}],
    "versioning": "no-version",
    "referencePolicy": ["literal", "logical"],
    "searchParam": [
        {
            "name": "patient",
            "definition": "http://hl7.org/fhir/SearchParameter/clinical-patient",
            "type": "reference",
            "documentation": "A number of the patient or the address of a Patient; with :identifier, SYSTEM|VALUE",
        },
        {
            "name": "code",
            "definition": "http://hl7.org/fhir/SearchParameter/DetectedIssue-code",
            "type": "token",
            "documentation": "A rule",
        },
    ],
}


# ---- on the wire


def _base(request: Request) -> str:
    return f"{str(request.base_url).rstrip('/')}/fhir"


def _link(base: str, asked: dict[str, str | None]) -> str:
    """The address of a page. It has the patient that was asked for, as the question had, and is in no log."""
    said = {name: value for name, value in asked.items() if value}
    return f"{base}/DetectedIssue?{urlencode(said, quote_via=quote)}"


def _resource(content: Json, headers: dict[str, str] | None = None) -> Response:
    return Response(encode(content), headers=headers, media_type=FHIR_JSON)
