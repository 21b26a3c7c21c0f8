"""CDS Hooks: cards of what stands unanswered when a chart is opened, and what becomes of them."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import httpx
import pytest

from alerting.cards import LONGEST_SUMMARY, card, interrupts, plain
from schemas.intervals import SEVERITIES
from schemas.wire import decode, encode
from streams.node.access import Access
from streams.node.access_audit import MemoryAudit
from streams.node.access_keys import KeyRing
from streams.node.http import Wanted
from tests.node.http_clinic import HERE, MemoryNode, client, hospital, made
from tests.node.test_http_detected_issue import ANOTHER, BASE, JSON, NUMBERS, PATIENT, patient

SERVICE: Final = "/cds-services/trabecula-patient-view"
REASON: Final = "urn:trabecula:override-reason"
Json = dict[str, Any]


@pytest.fixture
def node() -> MemoryNode:
    return hospital()


@pytest.fixture
async def asking(node: MemoryNode) -> AsyncIterator[httpx.AsyncClient]:
    """A client of a hospital whose FHIR server has told of one patient."""
    async with client(made(node)[0]) as asking:
        await asking.post("/fhir", content=patient("p1", PATIENT), headers=JSON)
        yield asking


def opened(name: str = "p1", **more: Any) -> Json:
    """A chart was opened."""
    return {
        "hook": "patient-view",
        "hookInstance": "d1577c69-dfbe-44ad-ba6d-3e05e953b2ea",
        "context": {"patientId": name, "userId": "Practitioner/7"},
    } | more


async def cards(asking: httpx.AsyncClient, asked: Json, status: int = 200) -> list[Json]:
    """The cards that a client is answered."""
    answer = await asking.post(SERVICE, json=asked)
    assert answer.status_code == status, answer.text
    found: list[Json] = answer.json()["cards"]
    return found


async def feedback(asking: httpx.AsyncClient, *given: Json) -> list[Json]:
    """What became of each feedback."""
    answer = await asking.post(f"{SERVICE}/feedback", json={"feedback": given})
    assert answer.status_code == 200, answer.text
    items: list[Json] = answer.json()["items"]
    return items


def outcome(of: Json, word: str, **more: Any) -> Json:
    """A feedback of now."""
    return {"card": of["uuid"], "outcome": word, "outcomeTimestamp": "2026-03-16T11:59:00Z"} | more


async def state(asking: httpx.AsyncClient, of: Json) -> str:
    """How the alert of a card stands."""
    found = (await asking.get(f"/v1/alerts/{UUID(of['uuid']).hex}")).json()
    return str(found["state"])


# ---- the service


async def test_the_service_is_found_and_says_when_to_call_it(asking: httpx.AsyncClient) -> None:
    (service,) = (await asking.get("/cds-services")).json()["services"]
    assert {"hook", "description", "id", "title", "prefetch"} == service.keys()
    assert (service["hook"], f"/cds-services/{service['id']}") == ("patient-view", SERVICE)


async def test_a_card_is_what_the_standard_asks_for(asking: httpx.AsyncClient) -> None:
    found = await cards(asking, opened())
    assert found
    for each in found:
        assert {"uuid", "summary", "indicator", "detail", "source", "overrideReasons", "links"} == each.keys()
        assert 0 < len(each["summary"]) < 140
        assert each["indicator"] in {"info", "warning", "critical"}
        assert each["source"]["label"]
        assert all(reason["display"] and reason["system"] == REASON for reason in each["overrideReasons"])
        (link,) = each["links"]
        assert (link["type"], link["url"].startswith(f"{HERE}/alerts/")) == ("absolute", True)
        assert (await asking.get(link["url"])).status_code == 200
        assert (await asking.get(each["source"]["url"])).status_code == 200


async def test_the_detail_has_evidence_every_citation_and_what_is_not_known(asking: httpx.AsyncClient) -> None:
    (first, *_) = await cards(asking, opened())
    alert = (await asking.get(f"/v1/alerts/{UUID(first['uuid']).hex}")).json()
    for said in (
        alert["sentence"],
        *(item["what"] for item in alert["evidence"]),
        *(limit["citation"] for limit in alert["limits"]),
        *alert["open_questions"],
    ):
        assert plain(said) in first["detail"]


def test_cards_are_of_what_stands_unanswered_and_is_more_than_info(node: MemoryNode) -> None:
    alerts = node.alerts(Wanted(1000)).items
    assert {a.state for a in alerts if interrupts(a)} == {"open"} < {a.state for a in alerts}
    opened = [alerts[0].model_copy(update={"state": "open", "severity": severity}) for severity in SEVERITIES]
    assert [card(a, HERE, ())["indicator"] for a in opened if interrupts(a)] == ["info", "warning", "critical"]
    assert not interrupts(opened[0])
    assert not any(interrupts(a.model_copy(update={"mode": "shadow"})) for a in opened)


def test_a_long_sentence_gives_way_to_the_title_and_a_long_title_is_cut(node: MemoryNode) -> None:
    alert = next(a for a in node.alerts(Wanted(1000)).items if interrupts(a))

    def summary(sentence: str, title: str) -> str:
        said: str = card(alert.model_copy(update={"sentence": sentence, "title": title}), HERE, ())["summary"]
        return said

    assert summary("s" * LONGEST_SUMMARY, "title") == "s" * LONGEST_SUMMARY
    assert summary("s" * (LONGEST_SUMMARY + 1), "title") == "title"
    assert summary("s" * 140, "t" * 140) == "t" * 138 + "…"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("25-OH vitamin D", "25-OH vitamin D"),
        ("[x](http://e.example)", r"\[x\]\(http://e.example\)"),
        ("<img src=x>", r"\<img src=x\>"),
        ("two\n# lines", r"two \# lines"),
        ("[IU]/d", r"\[IU\]/d"),
    ],
)
def test_words_that_came_in_a_message_are_no_markup(words: str, said: str) -> None:
    assert plain(words) == said


# ---- whose chart


async def test_the_fhir_server_may_be_named_and_the_prefetched_patient_may_say_who_it_is(
    asking: httpx.AsyncClient,
) -> None:
    expected = await cards(asking, opened())
    whole = {"resourceType": "Patient", "id": "x9", "identifier": [{"system": NUMBERS, "value": PATIENT}]}
    for asked in (
        opened(fhirServer=BASE),
        opened(fhirServer=f"{BASE}/"),
        opened("x9", prefetch={"patient": whole}),
        opened(prefetch={"patient": whole | {"id": "p1"}}),
        opened(prefetch={"patient": None}),
        opened(prefetch={}, fhirAuthorization={"access_token": "not looked at"}),
    ):
        assert await cards(asking, asked) == expected, asked


@pytest.mark.parametrize(
    "asked",
    [
        opened("nobody"),
        opened(PATIENT),
        opened(fhirServer="https://elsewhere.example/fhir"),
        opened("x9", prefetch={"patient": {"id": "other", "identifier": [{"system": NUMBERS, "value": PATIENT}]}}),
        opened("x9", prefetch={"patient": {"id": "x9", "identifier": [{"system": "x", "value": PATIENT}]}}),
        opened("x9", prefetch={"patient": {"id": "x9", "identifier": [7]}}),
        opened("x9", prefetch={"patient": {"resourceType": "OperationOutcome"}}),
    ],
)
async def test_of_a_patient_who_is_not_known_there_are_no_cards_and_no_number_is_guessed(
    asked: Json, asking: httpx.AsyncClient
) -> None:
    assert await cards(asking, asked) == []


async def test_an_address_and_a_prefetched_number_of_two_patients_show_neither(asking: httpx.AsyncClient) -> None:
    other = {"resourceType": "Patient", "id": "p1", "identifier": [{"system": NUMBERS, "value": ANOTHER}]}
    answer = await asking.post(SERVICE, json=opened(prefetch={"patient": other}))
    assert (answer.status_code, answer.json()["field"]) == (412, "context.patientId")


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        (opened(hook="order-sign"), "hook"),
        ({k: v for k, v in opened().items() if k != "hookInstance"}, "hookInstance"),
        (opened(context={}), "context.patientId"),
        (opened(context={"patientId": "a/b"}), "context.patientId"),
        (opened(context={"patientId": 7}), "context.patientId"),
        (opened(prefetch=[]), "prefetch"),
        ([], "body"),
    ],
)
async def test_a_wrong_request_is_named_by_its_field(asked: Any, field: str, asking: httpx.AsyncClient) -> None:
    answer = await asking.post(SERVICE, json=asked)
    assert (answer.status_code, answer.json()["field"]) == (400, field)


async def test_what_is_no_json_is_refused(asking: httpx.AsyncClient) -> None:
    for path in (SERVICE, f"{SERVICE}/feedback"):
        answer = await asking.post(path, content=b"{", headers={"content-type": "application/json"})
        assert (answer.status_code, answer.json()["field"]) == (400, "body")
        assert (await asking.post(path, content=b"a=1", headers={"content-type": "text/plain"})).status_code == 415


# ---- feedback


async def test_an_accepted_card_acknowledges_and_is_shown_no_more(asking: httpx.AsyncClient) -> None:
    first, *others = await cards(asking, opened())
    assert await feedback(asking, outcome(first, "accepted")) == [{"card": first["uuid"], "outcome": "accepted"}]
    assert await state(asking, first) == "acknowledged"
    assert await cards(asking, opened()) == others


async def test_a_card_overridden_with_a_reason_overrides_with_its_words(
    node: MemoryNode, asking: httpx.AsyncClient
) -> None:
    first, *_ = await cards(asking, opened())
    why = {"reason": {"system": REASON, "code": "trauma"}, "userComment": "fell on the stairs"}
    await feedback(asking, outcome(first, "overridden", overrideReason=why))
    event = decode(node.received[-1].raw)
    said = {name: event[name] for name in ("kind", "action", "reason", "text", "by", "recorded_at")}
    assert said == {
        "kind": "alert_response",
        "action": "override",
        "reason": "trauma",
        "text": "fell on the stairs",
        "by": "local",
        "recorded_at": "2026-03-16T11:59:00Z",
    }
    assert await state(asking, first) == "acknowledged"


@pytest.mark.parametrize(
    ("why", "reason", "text"),
    [
        ({"userComment": "seen"}, "other", "seen"),
        ({"reason": {"system": "https://ehr.example", "code": "trauma", "display": "Not mine"}}, "other", "Not mine"),
        ({"reason": {"system": REASON, "code": "no such reason"}}, "other", None),
    ],
)
async def test_a_reason_that_is_none_of_ours_closes_no_rule(
    why: Json, reason: str, text: str | None, node: MemoryNode, asking: httpx.AsyncClient
) -> None:
    first, *_ = await cards(asking, opened())
    await feedback(asking, outcome(first, "overridden", overrideReason=why))
    event = decode(node.received[-1].raw)
    assert (event["action"], event["reason"], event.get("text")) == ("override", reason, text)


async def test_a_card_that_was_only_dismissed_is_shown_again(node: MemoryNode, asking: httpx.AsyncClient) -> None:
    first, *_ = found = await cards(asking, opened())
    known = len(node.received)
    (item,) = await feedback(asking, outcome(first, "overridden"))
    assert (item["outcome"], len(node.received)) == ("accepted", known)
    assert await cards(asking, opened()) == found


async def test_the_same_feedback_again_is_a_duplicate(asking: httpx.AsyncClient) -> None:
    first, *_ = await cards(asking, opened())
    given = outcome(first, "accepted")
    assert [(await feedback(asking, given))[0]["outcome"] for _ in range(2)] == ["accepted", "duplicate"]


async def test_what_somebody_did_before_the_alert_was_as_it_is_does_not_answer_it(
    node: MemoryNode, asking: httpx.AsyncClient
) -> None:
    first, *_ = await cards(asking, opened())
    alert = node.alert(UUID(first["uuid"]).hex)
    assert alert is not None
    before = (alert.effective_at - timedelta(seconds=1)).isoformat()
    await feedback(asking, outcome(first, "accepted", outcomeTimestamp=before))
    assert await state(asking, first) == "open"


async def test_a_client_whose_clock_is_ahead_answers_now(node: MemoryNode, asking: httpx.AsyncClient) -> None:
    first, *_ = await cards(asking, opened())
    await feedback(asking, outcome(first, "accepted", outcomeTimestamp="2031-01-01T00:00:00Z"))
    assert decode(node.received[-1].raw)["recorded_at"] == "2026-03-16T12:00:00Z"
    assert await state(asking, first) == "acknowledged"


async def test_each_entry_is_answered_by_itself(asking: httpx.AsyncClient) -> None:
    first, *_ = await cards(asking, opened())
    given = (
        outcome({"uuid": "4e0a3a1e-3283-4575-ab82-028d55fe2719"}, "accepted"),
        outcome({"uuid": "no card"}, "accepted"),
        outcome(first, "accepted", outcomeTimestamp="yesterday"),
        outcome(first, "accepted"),
    )
    items = await feedback(asking, *given)
    assert [item["outcome"] for item in items] == ["refused", "refused", "refused", "accepted"]
    assert [item.get("reason", "").partition(":")[0] for item in items] == ["card", "card", "outcomeTimestamp", ""]


@pytest.mark.parametrize(
    "given",
    [{}, {"feedback": []}, {"feedback": [{"card": "x"}]}, {"feedback": [{"card": "x", "outcome": "ignored"}]}],
)
async def test_wrong_feedback_is_400(given: Json, asking: httpx.AsyncClient) -> None:
    answer = await asking.post(f"{SERVICE}/feedback", json=given)
    assert (answer.status_code, answer.json()["field"].startswith("feedback")) == (400, True)


# ---- who may, and who did


async def test_who_opened_whose_chart_is_in_the_audit() -> None:
    application, _, audit = made(hospital())
    async with client(application) as asking:
        await asking.post("/fhir", content=patient("p1", PATIENT), headers=JSON)
        (first, *_) = await cards(asking, opened())
        await cards(asking, opened("nobody"))
        await feedback(asking, outcome(first, "overridden"))
    assert [(each.action, each.patients, each.detail) for each in audit.entries] == [
        ("read", (PATIENT,), "user Practitioner/7"),
        ("changed", (PATIENT,), f"dismissed {UUID(first['uuid']).hex}"),
    ]


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/cds-services"), ("POST", SERVICE), ("POST", f"{SERVICE}/feedback")]
)
async def test_nobody_is_shown_anything_without_a_key(method: str, path: str, tmp_path: Path) -> None:
    keys = tmp_path / "keys.toml"
    keys.write_text("")
    application = made(hospital(), Access(KeyRing(keys), None, MemoryAudit()))[0]
    async with client(application, "https://node.example") as asking:
        answer = await asking.request(
            method, path, content=encode(opened()), headers={"content-type": "application/json"}
        )
        assert answer.status_code == 401


async def test_a_page_of_another_site_is_shown_nothing(asking: httpx.AsyncClient) -> None:
    answer = await asking.post(SERVICE, json=opened(), headers={"origin": "https://elsewhere.example"})
    assert answer.status_code == 403
    assert "access-control-allow-origin" not in answer.headers
