"""The pages: what people see without a script, and what they can answer."""

import re
from functools import cache
from typing import Any
from urllib.parse import urlencode

import pytest

from schemas.alerts import Alert
from schemas.wire import encode
from streams.node.access import access_of
from streams.node.access_audit import MemoryAudit
from streams.node.access_settings import AccessSettings
from streams.node.http.words import number, unit
from tests.node.http_clinic import HERE, MemoryNode, calcium, client, hospital, made

BROWSER = {"accept": "text/html", "origin": HERE}
FORM = {"content-type": "application/x-www-form-urlencoded"}


@cache
def fortnight() -> MemoryNode:
    return hospital()


def standing(node: MemoryNode, rule: str) -> Alert:
    return next(a for a in node._alerts(standing=True) if a.rule_id == rule)  # noqa: SLF001 the fake of these tests


async def page(path: str, node: MemoryNode | None = None, status: int = 200) -> str:
    application, _, _ = made(node or fortnight())
    async with client(application, headers=BROWSER) as asking:
        answer = await asking.get(path)
    assert answer.status_code == status
    assert answer.headers["content-type"].startswith("text/html")
    return answer.text


async def test_the_first_page_has_what_stands_critical_first() -> None:
    text = await page("/")
    assert re.findall(r'<span class="severity (\w+)">', text)[0] == "critical"
    assert text.index("Fragility fracture of the spine") < text.index("Unfractionated heparin averaging 20,000 IU")
    assert "Times are those of Europe/Berlin." in text
    assert "makes no diagnosis" in text


async def test_a_page_needs_no_script_and_nothing_from_elsewhere() -> None:
    alert = standing(fortnight(), "HEP-02")
    for path in ("/", f"/alerts/{alert.alert_id}", f"/patients/{alert.patient_id}", "/docs"):
        text = await page(path)
        assert "<script" not in text
        assert re.findall(r'(?:src|href|action)="(?!/|#)[^"]*"', text) == []
        assert ' style="' not in text
        assert text.count("<h1>") == 1
        assert '<html lang="en">' in text


async def test_every_field_has_a_label_and_every_id_is_there_once() -> None:
    alert = standing(fortnight(), "HEP-02")
    for path in ("/", f"/alerts/{alert.alert_id}", f"/patients/{alert.patient_id}"):
        text = await page(path)
        ids = re.findall(r' id="([^"]+)"', text)
        assert len(ids) == len(set(ids))
        fields = re.findall(r"<(?:input|select|textarea)[^>]*>", text)
        labelled = set(re.findall(r'<label for="([^"]+)"', text))
        for field in fields:
            own = re.search(r'id="([^"]+)"', field)
            assert (own and own[1] in labelled) or 'type="radio"' in field or "aria-label" in field


async def test_filters_and_pages_work_by_links_and_forms() -> None:
    assert "HEP-02" not in re.sub(r"<option.*", "", await page("/?severity=critical"))
    assert "No alert is of this kind." in await page("/?patient=nobody")
    of_rule = await page("/?rule=hep-02&severity=nonsense&state=all")
    assert set(re.findall(r"<span>([A-Z]{3}-\d\d)</span>", of_rule)) == {"HEP-02"}


async def test_an_alert_shows_its_evidence_its_limits_and_what_is_not_known() -> None:
    alert = standing(fortnight(), "HEP-02")
    text = await page(f"/alerts/{alert.alert_id}")
    for words in ("What it rests on", "The limits that decide", alert.limits[0].citation, "What was told", "raised"):
        assert words in text
    assert "20,000 IU" in text
    assert "[IU]" not in text
    spine = await page(f"/alerts/{standing(fortnight(), 'SPN-02').alert_id}")
    assert "What is not known" in spine
    assert "injury unknown" in spine


async def test_a_patient_shows_facts_alerts_and_a_timeline_under_every_number() -> None:
    text = await page("/patients/30405")
    for words in (
        "Alerts that stand",
        "unfractionated heparin",
        "10,000 IU",
        "Timeline",
        "Looked at again <time",
    ):
        assert words in text
    application, _, _ = made(fortnight())
    async with client(application, headers=BROWSER) as asking:
        answer = await asking.get("/patients?patient=30998")
    assert (answer.status_code, answer.headers["location"]) == (303, "/patients/30417")


async def test_what_a_feed_sends_is_text_and_no_markup() -> None:
    node = MemoryNode()
    patient = '<b onclick="x">"A/B?&'
    application, _, _ = made(node)
    async with client(application, headers=BROWSER) as asking:
        await asking.post(
            "/v1/events", content=encode(calcium("a", patient=patient)), headers={"content-type": "application/json"}
        )
        found = await asking.get("/patients", params={"patient": patient}, follow_redirects=True)
    assert found.status_code == 200
    assert "<b onclick" not in found.text
    assert "&lt;b onclick" in found.text


async def test_what_is_not_there_is_told_as_a_page() -> None:
    assert "No such thing here" in await page("/alerts/none", status=404)
    assert "Not found" in await page("/nowhere/at/all", status=404)


# ---- answering


async def answered(said: dict[str, str], node: MemoryNode, headers: dict[str, str] = BROWSER) -> tuple[Any, Alert]:
    application, _, _ = made(node)
    alert = standing(node, "SPN-01")
    async with client(application) as asking:
        answer = await asking.post(f"/alerts/{alert.alert_id}", content=urlencode(said), headers=FORM | headers)
    return answer, standing(node, "SPN-01")


@pytest.mark.parametrize(
    ("said", "state"),
    [
        ({"action": "acknowledge", "reason": "", "text": "", "days": "7"}, "acknowledged"),
        ({"action": "override", "reason": "trauma", "text": "Fell <yesterday>", "days": "7"}, "acknowledged"),
        ({"action": "snooze", "days": "7"}, "snoozed"),
    ],
)
async def test_an_answer_of_the_form_leads_back_to_the_alert(said: dict[str, str], state: str) -> None:
    node = hospital()
    answer, alert = await answered(said, node)
    assert (answer.status_code, answer.headers["location"]) == (303, f"/alerts/{alert.alert_id}")
    assert alert.state == state


@pytest.mark.parametrize(
    ("said", "headers", "status"),
    [
        ({"action": "acknowledge"}, {"origin": "http://evil.example"}, 403),
        ({"action": "acknowledge"}, {"sec-fetch-site": "cross-site"}, 403),
        ({"action": "acknowledge"}, {}, 403),
        ({"action": "cure"}, BROWSER, 400),
        ({}, BROWSER, 400),
        ({"action": "snooze"}, BROWSER, 400),
        ({"action": "snooze", "days": "0"}, BROWSER, 400),
        ({"action": "override"}, BROWSER, 400),
        ({"action": "override", "reason": "", "text": " "}, BROWSER, 400),
        ({"action": "snooze", "days": "91"}, BROWSER, 400),
        ({"action": "snooze", "days": "many"}, BROWSER, 400),
        ({"action": "plan", **{f"x{n}": "1" for n in range(40)}}, BROWSER, 400),
    ],
)
async def test_a_form_of_elsewhere_or_with_something_wrong_changes_nothing(
    said: dict[str, str], headers: dict[str, str], status: int
) -> None:
    node = hospital()
    answer, alert = await answered(said, node, headers)
    assert answer.status_code == status
    assert alert.state == "open"


async def test_a_browser_is_asked_for_a_key_by_pages_alone(tmp_path: Any) -> None:
    (tmp_path / "keys.toml").write_text("", "utf-8")
    application, _, _ = made(None, access_of(AccessSettings(keys=tmp_path / "keys.toml"), MemoryAudit()))
    async with client(application, headers=BROWSER) as asking:
        assert (await asking.get("/")).headers["www-authenticate"].startswith("Basic")
        assert (await asking.get("/v1/alerts")).headers["www-authenticate"].startswith("Bearer")
        assert (await asking.get("/static/style.css")).status_code == 200
        assert (await asking.get("/static/..%2fapp.py")).status_code == 404


# ---- words


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (20000, "20,000"),
        (9999, "9999"),
        (0.5, "0.5"),
        (-2.0, "-2"),
        (True, "yes"),
        (None, ""),
        ("live_birth", "live birth"),
        ([1, "a"], "1, a"),
    ],
)
def test_a_number_is_written_as_in_the_sentences(value: object, said: str) -> None:
    assert number(value) == said


@pytest.mark.parametrize(
    ("ucum", "said"), [("[IU]/d", "IU/d"), ("1", ""), ("d", "days"), (None, ""), ("nmol/mmol{creat}", "nmol/mmolcreat")]
)
def test_a_unit_is_written_as_people_do(ucum: str | None, said: str) -> None:
    assert unit(ucum) == said
