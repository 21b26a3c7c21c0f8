"""What a page says beside an alert's sentence: a picture, who the patient is, how long ago, in which unit."""

import re
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import cache
from typing import Any

import pytest

from schemas.alerts import Alert
from schemas.wire import encode
from streams.node.http.picture import Row, bars, dots
from streams.node.http.pictured import LINES, pictured
from streams.node.http.situation import situation
from streams.node.http.words import ago
from tests.node.http_clinic import HERE, NOW, MemoryNode, calcium, client, hospital, made
from tests.support import pack

BROWSER = {"accept": "text/html", "origin": HERE}
TODAY = NOW.date()
IU = Decimal(20_000)


@cache
def fortnight() -> MemoryNode:
    return hospital()


def alert_of(rule: str) -> Alert:
    return next(a for a in fortnight()._alerts(standing=False) if a.rule_id == rule)  # noqa: SLF001 the fake of these tests


async def page(path: str, node: MemoryNode) -> str:
    application, _, _ = made(node)
    async with client(application, headers=BROWSER) as asking:
        answer = await asking.get(path, follow_redirects=True)
    assert answer.status_code == 200
    return answer.text


# ---- shapes


@pytest.mark.parametrize(
    ("values", "least", "most"),
    [
        (["9", "5", "4"], "4", "9"),
        (["150.7", "153.4"], "150", "154"),
        (["-3.6", "-2"], "-4", "-2"),
        (["14.9", "20"], "14", "20"),
        (["0.11", "0.34"], "0.1", "0.35"),
        (["87"], "80", "100"),
        (["0"], "0", "0.2"),
        (["-1", "2"], "-1", "2"),
        (["19999", "20001"], "19999", "20001"),
    ],
)
def test_a_picture_ends_at_round_numbers_around_all_values(values: list[str], least: str, most: str) -> None:
    rows = [Row(TODAY + timedelta(days=n), None, Decimal(each)) for n, each in enumerate(values)]
    shown = dots("Pain", "{score}", rows, ())
    assert (str(shown.least), str(shown.most)) == (least, most)
    assert all(0 <= dot.y <= 200 and 0 < dot.x < 1000 for dot in shown.dots)


def test_bars_stand_on_their_days_and_a_limit_where_its_value_is() -> None:
    """Ten days: two of 20,000 IU, one without, seven of a dose that nobody told and that has no end."""
    first = date(2026, 3, 1)
    rows = [Row(first, date(2026, 3, 2), IU), Row(date(2026, 3, 4), None, None)]
    shown = bars("Heparin", "[IU]/d", rows, [("limit", Decimal(15_000))], date(2026, 3, 10))
    assert [(bar.x, bar.width, bar.known) for bar in shown.bars] == [(0.0, 200.0, True), (300.0, 700.0, False)]
    assert [bar.y for bar in shown.bars] == [0, 0]
    assert [(line.y, line.value) for line in shown.lines] == [(50.0, Decimal(15_000))]
    assert (shown.first, shown.last, shown.least, shown.most) == (first, date(2026, 3, 10), Decimal(0), IU)


# ---- of an alert


def test_every_limit_that_may_be_drawn_is_one_of_the_rule_pack() -> None:
    names = {limit.name for rule in pack().rules.values() for limit in rule.limits.values()}
    assert frozenset().union(*LINES.values()) - names == set()


def picture_of(rule: str) -> Any:
    alert = alert_of(rule)
    chart = fortnight().chart(alert.patient_id)
    assert chart is not None
    return pictured(alert, chart, fortnight().monitor.calendar, TODAY)


def test_an_alert_of_heparin_shows_its_days_with_the_dose_that_decides() -> None:
    shown = picture_of("HEP-02")
    assert shown.title == "Unfractionated heparin, day by day"
    assert {row.value for row in shown.rows} == {IU}
    assert [line.value for line in shown.lines] == [15_000]
    assert [line.words for line in shown.lines] == ["mean daily dose (lit)"]


def test_an_alert_of_one_finding_has_no_picture() -> None:
    assert picture_of("SPN-02") is None


async def measured(*results: tuple[str, float, str]) -> tuple[MemoryNode, Alert]:
    """Calcium of one pregnant patient on several days, the last one critical."""
    node = MemoryNode()
    application, _, _ = made(node)
    events = [
        calcium(
            name,
            value=value,
            unit=unit,
            collected_at=f"2026-03-{day:02}T07:00:00Z",
            recorded_at=f"2026-03-{day:02}T08:00:00Z",
            reference_range={"low": 8.6, "high": 10.2} if unit == "mg/dL" else {"low": 2.15, "high": 2.55},
        )
        for day, (name, value, unit) in enumerate(results, 17 - len(results))
    ]
    who = {name: events[0][name] for name in ("patient_id", "source")}
    pregnant = {"kind": "pregnancy", "event_id": "p", "record_id": "p", "recorded_at": "2026-03-01T08:00:00Z"}
    events.append(who | pregnant | {"status": "pregnant", "last_menstrual_period": "2025-10-01"})
    async with client(application) as asking:
        await asking.post("/v1/events", content=encode(events), headers={"content-type": "application/json"})
    return node, next(a for a in node._alerts(standing=True) if a.rule_id == "CAL-01")  # noqa: SLF001


async def test_numbers_in_two_units_are_drawn_in_that_of_the_evidence() -> None:
    node, alert = await measured(("a", 2.4, "mmol/L"), ("b", 9.2, "mg/dL"), ("c", 3.4, "mmol/L"))
    chart = node.chart(alert.patient_id)
    assert chart is not None
    shown = pictured(alert, chart, node.monitor.calendar, TODAY)
    assert shown is not None
    assert shown.unit == "mmol/L"
    assert [round(float(row.value), 2) for row in shown.rows if row.value is not None] == [2.4, 2.3, 3.4]


async def test_a_laboratory_s_range_is_shown_in_the_unit_of_its_figure() -> None:
    """Beside 9.2 mg/dL once stood 2.15 to 2.55, the range in mmol/L, as if the calcium were four times too high."""
    node, alert = await measured(("a", 9.2, "mg/dL"), ("b", 3.4, "mmol/L"))
    text = re.sub(r"<[^>]+>|\s+", " ", await page(f"/patients/{alert.patient_id}", node))
    text = " ".join(text.split())
    assert "value 9.2 mg/dL range 8.6 to 10.2" in text
    assert "value 3.4 mmol/L range 2.15 to 2.55" in text


async def test_the_page_has_the_picture_also_as_a_table() -> None:
    alert = alert_of("HEP-02")
    text = await page(f"/alerts/{alert.alert_id}", fortnight())
    assert '<svg viewBox="0 0 1000 200"' in text
    assert "The same as a table" in text
    assert "to an end that is not known" in text
    assert "15,000 IU/d: mean daily dose (lit)" in text


# ---- who, when, from where


def test_who_the_patient_is_stands_in_a_few_words() -> None:
    node = fortnight()
    said = {}
    for patient in ("30405", "30388"):
        chart = node.chart(patient)
        assert chart is not None
        said[patient] = "; ".join(situation(chart, node.monitor.calendar, TODAY))
    assert re.search(r"pregnant, \d+ weeks and \d+ days; on unfractionated heparin, 20,000 IU a day", said["30405"])
    assert re.search(r"delivered on \d+ \w+ 2026, \d+ days ago; breast-feeding", said["30388"])


@pytest.mark.parametrize(
    ("before", "said"),
    [
        (timedelta(seconds=119), "just now"),
        (timedelta(seconds=-119), "at once"),
        (timedelta(minutes=2), "2 minutes ago"),
        (timedelta(hours=1, minutes=59), "119 minutes ago"),
        (timedelta(hours=2), "2 hours ago"),
        (timedelta(hours=47), "47 hours ago"),
        (timedelta(days=2), "2 days ago"),
        (timedelta(days=14), "2 weeks ago"),
        (timedelta(days=61), "2 months ago"),
        (timedelta(days=731), "2 years ago"),
        (timedelta(days=-3), "in 3 days"),
    ],
)
def test_how_long_ago_is_told_in_the_largest_unit_of_which_there_are_two(before: timedelta, said: str) -> None:
    now = datetime(2026, 3, 16, tzinfo=UTC)
    assert ago(now - before, now) == said


async def test_evidence_leads_to_the_message_as_it_came_and_reading_it_is_noted() -> None:
    alert = alert_of("HEP-02")
    application, _, audit = made(fortnight())
    async with client(application, headers=BROWSER) as asking:
        text = (await asking.get(f"/alerts/{alert.alert_id}")).text
        link = re.findall(r'href="(/messages\?[^"]+)"', text)[0].replace("&amp;", "&")
        raw = await asking.get(link)
        none = await asking.get("/messages?source=lab&event_id=none")
    assert raw.status_code == 200
    assert "<pre>MSH|^~\\&amp;|" in raw.text or "<pre>{&#34;" in raw.text
    assert none.status_code == 404
    assert any(entry.detail.startswith("raw message of event") for entry in audit.entries)


async def test_an_alert_that_ended_asks_for_no_answer() -> None:
    withdrawn = alert_of("CAL-01")
    assert withdrawn.state == "withdrawn"
    text = await page(f"/alerts/{withdrawn.alert_id}", fortnight())
    assert "<form method" not in text
    assert "because event" in text


async def test_the_first_page_counts_what_stands_by_severity() -> None:
    text = await page("/", fortnight())
    counts = dict(re.findall(r'severity=(\w+)"[^>]*>(\d+) <span', text))
    standing = fortnight()._alerts(standing=True)  # noqa: SLF001 the fake of these tests
    assert counts == {each: str(sum(a.severity == each for a in standing)) for each in counts}
    assert counts.keys() == {"critical", "warning", "advisory", "info"}
