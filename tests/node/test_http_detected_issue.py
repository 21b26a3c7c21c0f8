"""Alerts as DetectedIssue of FHIR R4: what is told, of whom, in the form that the standard asks for."""

from collections.abc import AsyncIterator, Iterator
from typing import Any, Final
from urllib.parse import quote

import httpx
import pytest
from fhirpy import AsyncFHIRClient
from fhirpy.base.exceptions import OperationOutcome

from alerting.fhir_out import SEVERITY, STATUS, Subject, detected_issue
from schemas.alerts import Alert, EvidenceItem
from schemas.intervals import SEVERITIES
from schemas.wire import encode
from streams.node.http import Wanted
from streams.node.http.detected_issue import capabilities
from streams.node.http.reads import Slice
from streams.node.http.server import HttpServer
from tests.node.http_clinic import HERE, MemoryNode, client, hospital, made

PATIENT: Final = "30388"
ANOTHER: Final = "30417"
BASE: Final = "https://hospital.example/fhir"
NUMBERS: Final = "https://hospital.example/patient-number"
JSON: Final = {"content-type": "application/fhir+json"}
Json = dict[str, Any]


def patient(name: str, number: str) -> bytes:
    """A Patient of the site's FHIR server who tells a number."""
    identifier = [{"system": NUMBERS, "value": number}]
    return encode({"resourceType": "Patient", "id": name, "identifier": identifier, "meta": {"lastUpdated": TOLD_AT}})


TOLD_AT: Final = "2026-03-16T10:00:00+01:00"


@pytest.fixture
def node() -> MemoryNode:
    return hospital()


@pytest.fixture
async def asking(node: MemoryNode) -> AsyncIterator[httpx.AsyncClient]:
    async with client(made(node)[0]) as asking:
        yield asking


async def issues(asking: httpx.AsyncClient, query: str, status: int = 200) -> Json:
    """The Bundle of a search."""
    answer = await asking.get(f"/fhir/DetectedIssue?{query}")
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/fhir+json")
    found: Json = answer.json()
    assert_is_r4(found)
    return found


def names(bundle: Json) -> list[str]:
    """The ids of the issues of a Bundle."""
    return [entry["resource"]["id"] for entry in bundle.get("entry", ())]


# ---- the form


def parts(content: Any) -> Iterator[Json]:
    """Every object within."""
    if isinstance(content, dict):
        yield content
    for each in content.values() if isinstance(content, dict) else content if isinstance(content, list) else ():
        yield from parts(each)


def assert_is_r4(content: Json) -> None:
    """What R4 says of every resource: nothing is empty or null, an extension has one value or extensions of its own."""
    for part in parts(content):
        assert all(value not in (None, "", [], {}) for value in part.values()), part
        for extension in part.get("extension", ()):
            said = [name for name in extension if name.startswith("value")]
            assert len(said) + ("extension" in extension) == 1, extension
            assert extension["url"]
        if "system" in part and "code" in part:
            assert " " not in part["code"]
    if content["resourceType"] == "DetectedIssue":
        assert content["status"] in {"registered", "preliminary", "final", "amended", "corrected", "cancelled"} | {
            "entered-in-error",
            "unknown",
        }
        assert content["severity"] in {"high", "moderate", "low"}
        assert set(content) <= R4_ELEMENTS


R4_ELEMENTS: Final = {
    "resourceType",
    "id",
    "meta",
    "text",
    "extension",
    "identifier",
    "status",
    "code",
    "severity",
    "patient",
    "identifiedDateTime",
    "author",
    "implicated",
    "evidence",
    "detail",
}
"""Of http://hl7.org/fhir/R4/detectedissue.html what is used."""


async def test_the_issues_of_a_patient_are_the_live_alerts_that_stand_the_most_urgent_first(
    asking: httpx.AsyncClient,
) -> None:
    alerts = (await asking.get(f"/v1/alerts?patient={PATIENT}")).json()["items"]
    bundle = await issues(asking, f"patient={PATIENT}")
    assert (bundle["type"], bundle["total"]) == ("searchset", len(alerts))
    assert names(bundle) == [alert["alert_id"] for alert in alerts]
    for entry, alert in zip(bundle["entry"], alerts, strict=True):
        issue = entry["resource"]
        assert entry["fullUrl"] == f"{HERE}/fhir/DetectedIssue/{alert['alert_id']}"
        assert issue["detail"] == alert["sentence"]
        assert issue["identifiedDateTime"] == alert["effective_at"]
        assert issue["code"]["coding"] == [
            {"system": "urn:trabecula:rule", "code": alert["rule_id"], "display": alert["title"]}
        ]
        limits = [each for each in issue["extension"] if each["url"] == "urn:trabecula:limit"]
        cited = [part["valueString"] for each in limits for part in each["extension"] if part["url"] == "citation"]
        assert cited == [limit["citation"] for limit in alert["limits"]]
        asked = [e["valueString"] for e in issue["extension"] if e["url"] == "urn:trabecula:open-question"]
        assert asked == alert["open_questions"]
        assert len(issue["evidence"]) == len(alert["evidence"])


async def test_every_alert_that_ever_was_can_be_read_and_says_whether_it_still_is(asking: httpx.AsyncClient) -> None:
    alerts = (await asking.get("/v1/alerts?state=all&limit=1000")).json()["items"]
    seen = set()
    for alert in alerts:
        answer = await asking.get(f"/fhir/DetectedIssue/{alert['alert_id']}")
        issue = answer.json()
        assert_is_r4(issue)
        assert answer.headers["etag"] == f'W/"{alert["sequence"]}"'
        assert (issue["id"], issue["status"]) == (alert["alert_id"], STATUS[alert["state"]])
        seen.add(issue["status"])
    assert seen == {"final", "cancelled", "entered-in-error"}


def test_urgency_is_told_as_near_as_r4_comes_to_it() -> None:
    assert [SEVERITY[each] for each in SEVERITIES] == ["low", "low", "moderate", "high"]


# ---- who is meant


async def test_a_patient_is_found_by_number_by_the_address_of_a_patient_and_by_an_identifier(
    asking: httpx.AsyncClient,
) -> None:
    expected = names(await issues(asking, f"patient={PATIENT}"))
    assert names(await issues(asking, "patient=p1")) == []
    await asking.post("/fhir", content=patient("p1", PATIENT), headers=JSON)
    for query in (
        f"patient={quote(f'{HERE}/fhir/Patient/p1')}",
        "patient=p1",
        "patient=Patient/p1",
        f"patient={quote(f'{BASE}/Patient/p1')}",
        f"patient:identifier={quote(f'{NUMBERS}|{PATIENT}')}",
        f"patient=p1&patient:identifier={quote(f'{NUMBERS}|{PATIENT}')}",
    ):
        assert names(await issues(asking, query)) == expected, query


@pytest.mark.parametrize(
    "query",
    [
        "patient=nobody",
        "patient=Observation/30388",
        f"patient=Patient/{PATIENT}",
        f"patient={HERE}/fhir/Patient/{PATIENT}",
        f"patient={BASE}/Patient/{PATIENT}",
        f"patient=https://elsewhere.example/fhir/Patient/{PATIENT}",
        f"patient:identifier=https://elsewhere.example%7C{PATIENT}",
        f"patient={ANOTHER}&patient:identifier={NUMBERS}%7C{PATIENT}",
    ],
)
async def test_nobody_is_guessed(query: str, asking: httpx.AsyncClient) -> None:
    """Patient/30388 of the FHIR server may be anybody: that a number of ours reads the same says nothing."""
    assert (await issues(asking, query))["total"] == 0


async def test_a_word_that_may_mean_two_patients_shows_neither(asking: httpx.AsyncClient) -> None:
    """The FHIR server's id of one patient is the hospital's number of another."""
    await asking.post("/fhir", content=patient(ANOTHER, PATIENT), headers=JSON)
    answer = await issues(asking, f"patient={ANOTHER}", status=412)
    assert answer["issue"][0]["expression"] == ["patient"]
    assert names(await issues(asking, f"patient=Patient/{ANOTHER}")) == names(
        await issues(asking, f"patient={PATIENT}")
    )


async def test_the_patient_is_named_by_identifier_and_by_address_once_one_is_known(asking: httpx.AsyncClient) -> None:
    async def subject() -> Json:
        found: Json = (await issues(asking, f"patient={PATIENT}&_count=1"))["entry"][0]["resource"]["patient"]
        return found

    by_number = {"type": "Patient", "identifier": {"system": NUMBERS, "value": PATIENT}}
    assert await subject() == by_number
    await asking.post("/fhir", content=patient("p1", PATIENT), headers=JSON)
    assert await subject() == by_number | {"reference": f"{BASE}/Patient/p1"}


# ---- what is asked


async def test_pages_lead_on_until_all_were_told_once(asking: httpx.AsyncClient) -> None:
    whole = names(await issues(asking, f"patient={PATIENT}"))
    assert len(whole) > 1
    found: list[str] = []
    query = f"patient={PATIENT}&_count=1"
    for _ in whole:
        bundle = await issues(asking, query)
        assert bundle["total"] == len(whole)
        found += names(bundle)
        following = [link["url"] for link in bundle["link"] if link["relation"] == "next"]
        query = following[0].partition("?")[2] if following else ""
    assert (found, query) == (whole, "")


async def test_a_count_of_none_tells_how_many_there_are(asking: httpx.AsyncClient) -> None:
    bundle = await issues(asking, f"patient={PATIENT}&_count=0")
    assert (bundle["total"] > 0, bundle.get("entry")) == (True, None)


@pytest.mark.parametrize(("code", "found"), [("SPN-02", 1), ("urn:trabecula:rule%7CSPN-02", 1), ("x%7CSPN-02", 0)])
async def test_a_rule_is_asked_for_by_its_code(code: str, found: int, asking: httpx.AsyncClient) -> None:
    assert (await issues(asking, f"patient={PATIENT}&code={code}"))["total"] == found


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("", "patient"),
        ("patient=", "patient"),
        (f"patient={PATIENT}&_count=-1", "_count"),
        (f"patient={PATIENT}&_count=1001", "_count"),
        (f"patient={PATIENT}&_count=many", "_count"),
        (f"patient={PATIENT}&_after=nowhere", "after"),
        (f"patient={PATIENT}&patient={ANOTHER}", "patient"),
        (f"patient={PATIENT}&code=SPN-02&code=HEP-02", "code"),
    ],
)
async def test_a_wrong_question_is_answered_with_an_operation_outcome(
    query: str, field: str, asking: httpx.AsyncClient
) -> None:
    answer = await issues(asking, query, status=400)
    assert (answer["resourceType"], answer["issue"][0]["expression"]) == ("OperationOutcome", [field])


@pytest.mark.parametrize(("name", "status"), [("none", 404), ("0" * 32, 404), ("a" * 65, 400), ("a%20b", 400)])
async def test_an_issue_that_there_is_not_is_not_found(name: str, status: int, asking: httpx.AsyncClient) -> None:
    answer = await asking.get(f"/fhir/DetectedIssue/{name}")
    assert answer.status_code == status
    assert answer.json()["resourceType"] == "OperationOutcome"


class Shadowed(MemoryNode):
    """As if a shadow rule had made every alert."""

    def alerts(self, wanted: Wanted) -> Slice:
        found = super().alerts(wanted)
        return Slice(tuple(a.model_copy(update={"mode": "shadow"}) for a in found.items), found.next)

    def alert(self, alert_id: str) -> Alert | None:
        found = super().alert(alert_id)
        return found and found.model_copy(update={"mode": "shadow"})


async def test_what_shadow_rules_say_is_told_to_no_other_system(node: MemoryNode, asking: httpx.AsyncClient) -> None:
    known = names(await issues(asking, f"patient={PATIENT}"))
    node.__class__ = Shadowed
    assert (await issues(asking, f"patient={PATIENT}"))["total"] == 0
    assert (await asking.get(f"/fhir/DetectedIssue/{known[0]}")).status_code == 404


async def test_whoever_read_whose_issues_is_in_the_audit() -> None:
    application, _, audit = made(hospital())
    async with client(application) as asking:
        name = names(await issues(asking, f"patient={PATIENT}"))[0]
        await asking.get(f"/fhir/DetectedIssue/{name}")
        await issues(asking, "patient=nobody")
    assert [(each.action, each.route, each.patients[0]) for each in audit.entries] == [
        ("read", "GET /fhir/DetectedIssue", PATIENT),
        ("read", "GET /fhir/DetectedIssue/{alert_id}", PATIENT),
    ]


# ---- what it rests on


def resting_on(*records: str, value: float | None = None) -> Json:
    """An issue that rests on some records."""
    (alert,) = hospital().alerts(Wanted(1)).items
    evidence = tuple(EvidenceItem(what="seen", record_id=each, source="fhir", value=value) for each in records)
    return detected_issue(alert.model_copy(update={"evidence": evidence}), Subject("1"), BASE)


def test_a_record_that_was_a_resource_is_referred_to_and_what_was_done_is_implicated() -> None:
    issue = resting_on("Observation/o1#systolic", "MedicationRequest/m1", "ACC-1:2000-8")
    found = [each["detail"][0] for each in issue["evidence"]]
    assert [each.get("reference") for each in found] == [f"{BASE}/Observation/o1", f"{BASE}/MedicationRequest/m1", None]
    assert [each.get("type") for each in found] == ["Observation", "MedicationRequest", None]
    assert [each["identifier"]["value"] for each in found] == [
        "Observation/o1#systolic",
        "MedicationRequest/m1",
        "ACC-1:2000-8",
    ]
    assert [each["type"] for each in issue["implicated"]] == ["MedicationRequest"]
    assert_is_r4(issue)


def test_what_rests_on_no_record_names_none() -> None:
    assert {"implicated", "evidence"}.isdisjoint(resting_on())
    assert "implicated" not in resting_on("Observation/o1", value=3.5)


# ---- what this server does


async def test_the_capability_statement_says_what_is_done_and_nothing_else(asking: httpx.AsyncClient) -> None:
    told = (await asking.get("/fhir/metadata")).json()
    assert_is_r4(told)
    assert told["implementation"]["url"] == f"{HERE}/fhir"
    (rest,) = told["rest"]
    kinds = {each["type"]: {i["code"] for i in each["interaction"]} for each in rest["resource"]}
    assert kinds.pop("DetectedIssue") == {"read", "search-type"}
    assert {"Patient", "Observation", "MedicationRequest"} <= kinds.keys()
    for kind, interactions in kinds.items():
        assert interactions == {"create", "update", "delete"}
        assert (await asking.get(f"/fhir/{kind}")).status_code == 405, kind
        assert (await asking.get(f"/fhir/{kind}/1")).status_code == 405, kind
    assert capabilities("x", "1", "2026")["fhirVersion"] == "4.0.1"


# ---- by a client that nobody here wrote


async def test_a_fhir_client_searches_pages_and_reads(node: MemoryNode) -> None:
    application = made(node, port=0)[0]
    async with HttpServer(application) as server:
        fhir = AsyncFHIRClient(f"http://{server.address}/fhir")
        search = fhir.resources("DetectedIssue").search(patient=PATIENT)
        found = await search.limit(1).fetch_all()
        assert len(found) == await search.count() > 1
        alone = await fhir.reference("DetectedIssue", found[0].id).to_resource()
        assert dict(alone) == dict(found[0])
        assert [i.id for i in await search.search(code="SPN-02").fetch()] == [found[0].id]
        with pytest.raises(OperationOutcome):
            await fhir.resources("DetectedIssue").fetch()
