"""Alerts, patients and raw messages over HTTP, on a hospital after a fortnight."""

from collections.abc import Iterator
from datetime import timedelta
from functools import cache
from typing import Any
from urllib.parse import quote

import pytest

from schemas.wire import encode
from tests.node.http_clinic import NOW, MemoryNode, calcium, client, hospital, made

HEPARIN = "30405"
MERGED, SURVIVOR = "30998", "30417"


@cache
def fortnight() -> MemoryNode:
    """Read only: tests that answer take a hospital of their own."""
    return hospital()


async def got(path: str, node: MemoryNode | None = None, status: int = 200) -> Any:
    application, _, _ = made(node or fortnight())
    async with client(application) as asking:
        answer = await asking.get(path)
    assert answer.status_code == status, answer.text
    return answer.json()


# ---- alerts


async def test_the_alerts_that_stand_are_told_the_most_urgent_first() -> None:
    answer = await got("/v1/alerts")
    order = ["critical", "warning", "advisory", "info"]
    found = [order.index(alert["severity"]) for alert in answer["items"]]
    assert found == sorted(found)
    assert found[0] == 0
    assert answer["next"] is None
    assert {alert["state"] for alert in answer["items"]} <= {"open", "acknowledged", "snoozed"}


async def test_an_alert_has_its_evidence_its_limits_and_their_citations() -> None:
    (alert,) = (await got(f"/v1/alerts?patient={HEPARIN}&rule=HEP-02"))["items"]
    assert alert == await got(f"/v1/alerts/{alert['alert_id']}")
    assert alert["sentence"].startswith("Unfractionated heparin averaging 20,000 IU")
    assert {"what", "value", "unit", "from", "to"} <= alert["evidence"][0].keys()
    assert {"name", "value", "unit", "flag", "citation"} <= alert["limits"][0].keys()
    assert alert["effective_at"].endswith("+01:00")


@pytest.mark.parametrize("limit", [1, 2, 3, 1000])
@pytest.mark.parametrize("state", ["standing", "all"])
async def test_pages_hold_every_alert_once(limit: int, state: str) -> None:
    whole = [a["alert_id"] for a in (await got(f"/v1/alerts?state={state}&limit=1000"))["items"]]
    paged: list[str] = []
    after = ""
    for _ in range(len(whole) + 1):
        page = await got(f"/v1/alerts?state={state}&limit={limit}{after}")
        assert len(page["items"]) <= limit
        paged += [a["alert_id"] for a in page["items"]]
        if page["next"] is None:
            break
        after = f"&after={page['next']}"
    assert paged == whole


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("state=never", "state"),
        ("severity=deadly", "severity"),
        ("limit=0", "limit"),
        ("limit=1001", "limit"),
        ("limit=many", "limit"),
        ("after=4711008", "after"),
        ("patinet=4711008", "patinet"),
        ("rule=HEP-99", "rule"),
        ("patient=4711008&patient=30405", "patient"),
        ("after=WzEsMl0", "after"),
        (f"patient={'4711008' * 50}", "patient"),
    ],
)
async def test_a_wrong_parameter_is_named_and_not_quoted(query: str, field: str) -> None:
    problem = await got(f"/v1/alerts?{query}", status=400)
    assert problem["field"] == field
    assert "4711008" not in str(problem)
    assert "deadly" not in str(problem)


async def test_a_parameter_that_is_not_known_is_answered_with_those_that_are() -> None:
    """Passed over, `patinet` would show the alerts of everybody as those of one."""
    problem = await got(f"/v1/alerts?patinet={HEPARIN}", status=400)
    assert problem["accepted"] == "state, severity, rule, patient, limit, after"


async def test_a_rule_is_asked_for_in_either_case() -> None:
    assert (await got("/v1/alerts?rule=hep-02"))["items"] == (await got("/v1/alerts?rule=HEP-02"))["items"] != []
    explained = await got(f"/v1/patients/{HEPARIN}/explain?rule=hep-02")
    assert explained["items"] == (await got(f"/v1/patients/{HEPARIN}/explain?rule=HEP-02"))["items"]


async def test_filters_narrow_the_list() -> None:
    everything = (await got("/v1/alerts?state=all"))["items"]
    warnings = (await got("/v1/alerts?state=all&severity=warning"))["items"]
    assert warnings == [a for a in everything if a["severity"] == "warning"]
    assert (await got("/v1/alerts?patient=nobody"))["items"] == []


async def test_an_alert_that_is_not_there_is_404() -> None:
    assert (await got("/v1/alerts/none", status=404))["status"] == 404


# ---- answers


async def answered(node: MemoryNode, content: Any) -> Any:
    application, _, audit = made(node)
    alert = next(a for a in node._alerts(standing=True) if a.state == "open")  # noqa: SLF001 the fake of these tests
    raw = content if isinstance(content, bytes) else encode(content)
    headers = {"content-type": "application/json"}
    async with client(application) as asking:
        answer = await asking.post(f"/v1/alerts/{alert.alert_id}/responses", content=raw, headers=headers)
    return answer, alert, audit


@pytest.mark.parametrize(
    ("given", "state"),
    [
        ({"action": "acknowledge"}, "acknowledged"),
        ({"action": "plan", "reason": "seen", "text": "MRI tomorrow"}, "acknowledged"),
        ({"action": "snooze", "until": "2026-03-20T08:00:00+01:00"}, "snoozed"),
    ],
)
async def test_an_answer_is_a_fact_and_the_alert_is_told_as_it_stands_then(given: dict[str, str], state: str) -> None:
    node = hospital()
    answer, alert, audit = await answered(node, given)
    assert answer.status_code == 200, answer.text
    assert (answer.json()["outcome"], answer.json()["alert"]["state"]) == ("accepted", state)
    assert node.told[-1].notice.alert_id == alert.alert_id
    assert node.told[-1].notice.by == "local"
    assert [(e.action, e.patients) for e in audit.entries] == [("changed", (alert.patient_id,))]


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"action": "snooze"}, "until"),
        ({"action": "snooze", "until": (NOW - timedelta(seconds=1)).isoformat()}, "until"),
        ({"action": "snooze", "until": NOW.isoformat()}, "until"),
        ({"action": "override"}, "reason"),
        ({"action": "override", "text": " "}, "reason"),
    ],
)
async def test_a_snooze_without_an_end_and_an_override_without_a_reason_are_not_taken(
    given: dict[str, str], field: str
) -> None:
    node = hospital()
    before = len(node.told)
    answer, _, _ = await answered(node, given)
    assert (answer.status_code, answer.json()["field"], len(node.told)) == (400, field, before)


@pytest.mark.parametrize(
    "given",
    [
        {"action": "snooze", "until": (NOW + timedelta(seconds=1)).isoformat()},
        {"action": "override", "reason": "trauma"},
        {"action": "override", "text": "a fall from a horse"},
    ],
)
async def test_with_an_end_to_come_and_with_a_reason_or_words_they_are(given: dict[str, str]) -> None:
    answer, _, _ = await answered(hospital(), given)
    assert (answer.status_code, answer.json()["outcome"]) == (200, "accepted")


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        {},
        {"action": "cure"},
        {"action": "acknowledge", "by": "somebody else"},
        {"action": "snooze", "until": "tomorrow"},
        {"action": "plan", "until": "2026-03-20T08:00:00Z"},
        {"action": "plan", "reason": ""},
        {"action": "plan", "text": 5},
    ],
)
async def test_a_wrong_answer_is_400_and_changes_nothing(content: Any) -> None:
    node = hospital()
    before = len(node.told)
    answer, _, _ = await answered(node, content)
    assert answer.status_code == 400
    assert "somebody else" not in answer.text
    assert len(node.told) == before


# ---- patients


async def test_a_chart_has_its_facts_with_their_records_and_the_alerts_that_stand() -> None:
    chart = await got(f"/v1/patients/{HEPARIN}")
    assert chart["patient_id"] == HEPARIN
    (order,) = [fact for fact in chart["facts"] if fact["group"] == "drug/heparin_ufh"]
    assert order["content"]["dose"] == 10000
    assert {"source", "record_id", "event_id", "recorded_at", "at", "origin"} <= order.keys()
    assert [alert["rule_id"] for alert in chart["alerts"]] == ["HEP-02"]


async def test_a_patient_is_found_by_every_number_that_the_person_had() -> None:
    assert await got(f"/v1/patients/{MERGED}") == await got(f"/v1/patients/{SURVIVOR}")
    assert (await got(f"/v1/patients/{MERGED}"))["patient_ids"] == [SURVIVOR, MERGED]


@pytest.mark.parametrize("part", ["", "/timeline", "/explain"])
async def test_a_patient_who_is_not_known_is_404(part: str) -> None:
    assert (await got(f"/v1/patients/nobody{part}", status=404))["status"] == 404


@pytest.mark.parametrize("patient", ["fhir|https://a.example/fhir/Patient/7", "CLINIC|7/8", "a b%c", "Ä?#&"])
@pytest.mark.parametrize("part", ["", "/timeline", "/explain"])
async def test_an_identity_may_have_any_characters(patient: str, part: str) -> None:
    node = MemoryNode()
    application, _, _ = made(node)
    async with client(application) as asking:
        await asking.post("/v1/events", json=calcium("a", patient=patient))
    assert await got(f"/v1/patients/{quote(patient, safe='')}{part}", node)


async def test_digits_of_a_decimal_are_those_that_were_sent() -> None:
    node = MemoryNode()
    application, _, _ = made(node)
    async with client(application) as asking:
        body = encode(calcium("a")).replace(b"3.4", b"3.40")
        await asking.post("/v1/events", content=body, headers={"content-type": "application/json"})
        answer = await asking.get("/v1/patients/4711008")
    assert '"reported":3.40,' in answer.text


@pytest.mark.parametrize("limit", [1, 2, 1000])
async def test_the_hour_that_the_autumn_has_twice_is_told_in_the_order_of_its_instants(limit: int) -> None:
    """At 3 o'clock of 26 October 2025 it is 2 again in Berlin: 02:10 came after 02:50."""
    node = MemoryNode()
    recorded = ["2025-10-26T02:50:00+02:00", "2025-10-26T02:10:00+01:00", "2025-10-26T02:50:00+01:00"]
    async with client(made(node)[0]) as asking:
        for at in recorded:
            event = calcium(at, recorded_at=at, collected_at="2025-10-26T01:00:00+02:00")
            await asking.post("/v1/events", json=event)
    told = await _paged(f"/v1/patients/4711008/timeline?limit={limit}", node)
    assert [entry["fact"]["recorded_at"] for entry in told if entry["fact"]] == recorded[::-1]


@pytest.mark.parametrize("limit", [1, 4, 1000])
async def test_a_timeline_has_everything_once_the_latest_first(limit: int) -> None:
    entries = list(await _paged(f"/v1/patients/{HEPARIN}/timeline?limit={limit}"))
    assert entries == (await got(f"/v1/patients/{HEPARIN}/timeline"))["items"]
    instants = [entry["at"] for entry in entries]
    assert instants == sorted(instants, reverse=True)
    assert {entry["kind"] for entry in entries} == {"fact", "notice"}


async def _paged(path: str, node: MemoryNode | None = None) -> Iterator[Any]:
    found: list[Any] = []
    after = ""
    for _ in range(1000):
        page = await got(path + after, node)
        found += page["items"]
        if page["next"] is None:
            break
        after = f"&after={page['next']}"
    return iter(found)


async def test_why_there_is_an_alert_and_why_there_was_none_before() -> None:
    now = await got(f"/v1/patients/{HEPARIN}/explain?rule=HEP-02")
    then = await got(f"/v1/patients/{HEPARIN}/explain?rule=HEP-02&at=2026-02-20T08:00:00Z")
    assert [item["outcome"] for item in now["items"]] == ["stands"]
    assert [item["outcome"] for item in then["items"]] == ["to_come"]
    assert all(c["limit"] is None or c["citation"] for c in now["items"][0]["conditions"])
    assert len((await got(f"/v1/patients/{HEPARIN}/explain"))["items"]) > 30


@pytest.mark.parametrize(("query", "field"), [("rule=NO-99", "rule"), ("at=2026-02-20", "at"), ("at=", "at")])
async def test_a_wrong_question_is_400(query: str, field: str) -> None:
    assert (await got(f"/v1/patients/{HEPARIN}/explain?{query}", status=400))["field"] == field


# ---- where it came from


async def test_the_evidence_of_an_alert_leads_to_the_raw_message() -> None:
    (alert,) = (await got(f"/v1/alerts?patient={HEPARIN}&rule=HEP-02"))["items"]
    evidence = next(item for item in alert["evidence"] if item["event_id"])
    query = f"source={quote(evidence['source'], safe='')}&event_id={quote(evidence['event_id'], safe='')}"
    message = (await got(f"/v1/messages?{query}"))["items"][0]
    assert HEPARIN in message["body"]
    await got("/v1/messages?source=lab&event_id=none", status=404)
    await got("/v1/messages?source=lab", status=400)
