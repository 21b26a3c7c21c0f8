"""What operators do over HTTP: a load ends, dead letters are looked at and redriven, refused notices sent again."""

import base64
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from streams.node.access_audit import MemoryAudit
from streams.node.store_letters import Asked, LetterBox, source_of
from tests.events import back_pain
from tests.node.engine_clinic import Node, node
from tests.node.http_clinic import client
from tests.node.operated import BAD_EVENT, BAD_HL7, NOT_UTF8, operated_application
from tests.support import on


class Desk:
    """An operator at a node."""

    def __init__(self, asking: Any, made: Node, audit: MemoryAudit) -> None:
        self.asking = asking
        self.node = made
        self.audit = audit

    async def get(self, path: str, **asked: Any) -> Any:
        answer = await self.asking.get(path, params=asked)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def post(self, path: str, **asked: Any) -> Any:
        answer = await self.asking.post(path, params=asked)
        assert answer.status_code == 200, answer.text
        return answer.json()


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    audit = MemoryAudit()
    application, made = operated_application(tmp_path, audit)
    async with client(application) as asking:
        yield Desk(asking, made, audit)
    made.close()


async def test_a_source_goes_live_once_and_what_stands_is_told_the_most_urgent_first(desk: Desk) -> None:
    assert [each["state"] for each in (await desk.get("/v1/sources"))["items"]] == ["history"]
    assert desk.node.outbox() == []
    first = await desk.post("/v1/sources/feed/live")
    assert first["was_loading"]
    assert [notice["rule_id"] for notice in first["digest"]] == [n.rule_id for n in desk.node.outbox()] != []
    again = await desk.post("/v1/sources/feed/live")
    assert (again["was_loading"], again["digest"]) == (False, [])
    assert [each["state"] for each in (await desk.get("/v1/sources"))["items"]] == ["live"]
    told = [(entry.action, entry.patients) for entry in desk.audit.entries if "live" in entry.route]
    assert told == [("changed", ()), ("read", ("P",)), ("changed", ()), ("read", ())]


async def test_a_source_that_nothing_came_from_does_not_go_live(desk: Desk) -> None:
    assert (await desk.asking.post("/v1/sources/nobody/live")).status_code == 404


@pytest.mark.parametrize(
    ("asked", "numbers"),
    [
        ({}, [1, 2, 3]),
        ({"reason": "UNKNOWN KIND"}, [3]),
        ({"source": "LAB|HOSP"}, [1]),
        ({"source": "pharmacy"}, [3]),
        ({"source": "nobody"}, []),
        ({"limit": 2}, [1, 2]),
        ({"limit": 2, "after": 2}, [3]),
    ],
)
async def test_dead_letters_are_listed_by_reason_and_source(asked: Any, numbers: list[int], desk: Desk) -> None:
    page = await desk.get("/v1/dead-letters", **asked)
    assert [item["letter_id"] for item in page["items"]] == numbers
    assert page["next"] == (2 if asked == {"limit": 2} else None)
    assert "body" not in str(page["items"])


async def test_a_dead_letter_is_shown_as_it_came(desk: Desk) -> None:
    first = await desk.get("/v1/dead-letters/1")
    assert (first["encoding"], first["body"].encode()) == ("utf-8", BAD_HL7)
    second = await desk.get("/v1/dead-letters/2")
    assert second["encoding"] == "base64"
    assert base64.b64decode(second["body"]) == NOT_UTF8
    assert desk.audit.entries[-1].detail == "raw message of dead letter 2"
    assert (await desk.asking.get("/v1/dead-letters/99")).status_code == 404
    assert (await desk.asking.get("/v1/dead-letters/one")).status_code == 400


async def test_a_dead_letter_that_still_cannot_be_taken_stays_one(desk: Desk) -> None:
    for times in (2, 3):
        found = await desk.post("/v1/dead-letters/3/redrive")
        assert (found["outcome"], found["events"]) == ("refused", 0)
        assert (await desk.get("/v1/dead-letters/3"))["times"] == times
    assert desk.node.reading.dead_letter(3)[1] == BAD_EVENT  # type: ignore[index]
    assert (await desk.asking.post("/v1/dead-letters/99/redrive")).status_code == 404


async def test_a_dead_letter_is_taken_once_what_was_in_the_way_is_gone(desk: Desk) -> None:
    """Recorded two days ahead of the clock: refused, until the clock is there."""
    early = back_pain(97, 9)
    assert desk.node.take(early).refused_whole
    letter = (await desk.get("/v1/dead-letters", reason="recorded_in_future"))["items"][0]["letter_id"]
    desk.node.clock.at = on(98)
    found = await desk.post(f"/v1/dead-letters/{letter}/redrive")
    assert (found["outcome"], found["events"], found["reasons"]) == ("taken", 1, [])
    again = await desk.post(f"/v1/dead-letters/{letter}/redrive")
    assert (again["outcome"], again["events"]) == ("duplicate", 0)
    assert letter not in [item["letter_id"] for item in (await desk.get("/v1/dead-letters"))["items"]]
    taken = (await desk.get("/v1/dead-letters", taken=True))["items"]
    assert [item["letter_id"] for item in taken if item["taken_at"]] == [letter]


async def test_receivers_are_looked_at_and_what_they_refused_is_sent_again(desk: Desk) -> None:
    assert [each["name"] for each in (await desk.get("/v1/receivers"))["items"]] == ["pager"]
    (refused,) = (await desk.get("/v1/receivers/pager/refused"))["items"]
    sent = await desk.post("/v1/receivers/pager/redrive", notice_id=refused["notice_id"], overtaken=True)
    assert sent == {"receiver": "pager", "notices": 1}
    for path in ("/v1/receivers/fax/refused", "/v1/receivers/fax/redrive"):
        method = "POST" if path.endswith("redrive") else "GET"
        assert (await desk.asking.request(method, path)).status_code == 404


def test_a_search_that_finds_little_says_where_it_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streams.node.store_letters._BATCH", 2)
    monkeypatch.setattr("streams.node.store_letters._BATCHES", 2)
    with node(tmp_path, on(0)) as made:
        for number in range(7):
            made.take(f'{{"kind": "nonsense", "source": "s{number}"}}'.encode())
        box = LetterBox(tmp_path)
        first = box.some(Asked(source="s6"))
        assert (first.items, first.next) == ((), 4)
        second = box.some(Asked(source="s6", after=4))
        assert ([letter.letter_id for letter in second.items], second.next) == ([7], None)
        box.close()


@pytest.mark.parametrize(
    ("form", "head", "feed", "source"),
    [
        ("hl7v2", BAD_HL7, "gateway", "LAB|HOSP"),
        ("hl7v2", b"MSH|^~\\&|||||x", "gateway", "gateway"),
        ("hl7v2", b"no message", None, None),
        ("event", BAD_EVENT, None, "pharmacy"),
        ("event", b"{", "key", "key"),
        ("fhir", b'{"source": "x"}', "key", "key"),
    ],
)
def test_a_message_says_who_it_is_from(form: str, head: bytes, feed: str | None, source: str | None) -> None:
    assert source_of(form, head, feed) == source
