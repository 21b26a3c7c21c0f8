"""Native events over HTTP: in which forms they come, what is answered, and what is refused before it is read."""

import asyncio
import gzip
import zlib
from collections.abc import AsyncIterator
from typing import Any

import pytest

from schemas.wire import encode
from streams.intake.outcome import Refusal
from streams.node.http.events import parts
from streams.node.http.problems import ProblemError
from streams.node.port import Incoming, NotDurableError, Outcome, QueueFullError
from tests.node.http_clinic import MemoryNode, calcium, client, made, ndjson


async def sent(
    content: bytes, kind: str | None = "application/json", node: MemoryNode | None = None, **more: Any
) -> Any:
    """The answer to a body."""
    application, _, _ = made(node, **more.pop("settings", {}))
    headers = {"content-type": kind} if kind else {}
    async with client(application) as asking:
        return await asking.post("/v1/events", content=content, headers=headers | more.pop("headers", {}))


async def outcomes(content: bytes, kind: str | None = "application/json", **more: Any) -> list[tuple[str | None, str]]:
    answer = await sent(content, kind, **more)
    assert answer.status_code == 200, answer.text
    return [(item["event_id"], item["outcome"]) for item in answer.json()["items"]]


BOTH = [("a", "accepted"), ("b", "accepted")]


@pytest.mark.parametrize(
    ("content", "kind", "expected"),
    [
        (encode(calcium("a")), "application/json", BOTH[:1]),
        (encode(calcium("a")), None, BOTH[:1]),
        (encode([calcium("a"), calcium("b")]), "application/json; charset=utf-8", BOTH),
        (b"[]", "application/json", []),
        (ndjson(calcium("a"), calcium("b")), "application/x-ndjson", BOTH),
        (ndjson(calcium("a"), calcium("b")) + b"\r\n\r\n", "application/json", BOTH),
        (b"\xef\xbb\xbf" + encode(calcium("a")), "application/json", BOTH[:1]),
        (b'{\n "kind": "lab_result"\n}', "application/json", [(None, "refused")]),
        (encode(calcium("a")) + b"\n{broken", "application/x-ndjson", [("a", "accepted"), (None, "refused")]),
        (encode(calcium("a")) + b"\n{broken", "application/json", [("a", "accepted"), (None, "refused")]),
        (b"[1, null, []]", "application/json", [(None, "refused")] * 3),
    ],
)
async def test_events_come_one_by_one_as_an_array_or_a_line_each(
    content: bytes, kind: str | None, expected: list[tuple[str | None, str]]
) -> None:
    assert await outcomes(content, kind) == expected


async def test_an_outcome_for_each_event_in_its_order_even_if_all_are_refused() -> None:
    """A refusal names the field and what would be accepted, and quotes nothing of the patient."""
    answer = await sent(encode([calcium("a", patient="Muster Maria", collected_at="yesterday"), {"kind": "no"}]))
    first, second = answer.json()["items"]
    assert answer.status_code == 200
    assert (first["event_id"], first["outcome"]) == ("a", "refused")
    assert "$.collected_at" in first["reason"]
    assert "2026-01-31T08:00:00+01:00" in first["reason"]
    assert "lab_result" in second["reason"]
    assert "yesterday" not in answer.text
    assert "Muster" not in answer.text


async def test_the_same_event_again_is_a_duplicate() -> None:
    node = MemoryNode()
    content = encode(calcium("a"))
    assert await outcomes(content, node=node) == [("a", "accepted")]
    assert await outcomes(content, node=node) == [("a", "duplicate")]


async def test_digits_of_a_number_reach_the_engine_as_they_were_sent() -> None:
    node = MemoryNode()
    await sent(b'[{"value": 0.50}, {"value":1e2}]', node=node)
    assert [message.raw for message in node.received] == [b'{"value": 0.50}', b'{"value":1e2}']


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"  \r\n",
        b"\xef\xbb\xbf",
        b"5",
        b'"text"',
        b"{",
        b"[1,",
        b"[1]]",
        b"\xff\xfe",
        b'{"a":"\xff"}',
        b"[" * 100_000,
    ],
)
async def test_a_body_that_cannot_be_read_is_400_and_says_what_would_be(content: bytes) -> None:
    answer = await sent(content)
    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem["field"] == "body"
    assert "NDJSON" in problem["accepted"]


async def test_a_body_of_another_type_is_415_and_the_types_are_named() -> None:
    answer = await sent(b"<xml/>", "application/xml")
    assert answer.status_code == 415
    assert answer.json()["field"] == "Content-Type"
    assert "application/x-ndjson" in answer.json()["accepted"]


# ---- size, time and packing


@pytest.mark.parametrize(("size", "status"), [(2047, 200), (2048, 200), (2049, 413)])
async def test_a_body_may_have_so_many_bytes_and_not_one_more(size: int, status: int) -> None:
    content = encode(calcium("a"))
    padded = content + b" " * (size - len(content))
    assert (await sent(padded, settings={"largest_body": 2048})).status_code == status
    assert (
        await sent(gzip.compress(padded, mtime=0), settings={"largest_body": 2048}, headers=PACKED)
    ).status_code == status


PACKED = {"content-encoding": "gzip"}


async def test_a_length_that_is_not_told_is_bounded_all_the_same() -> None:
    async def endless() -> AsyncIterator[bytes]:
        for _ in range(100):
            yield b" " * 1024

    application, _, _ = made(largest_body=2048)
    async with client(application) as asking:
        answer = await asking.post("/v1/events", content=endless(), headers={"content-type": "application/json"})
    assert answer.status_code == 413


async def test_a_gzip_bomb_is_cut_off_at_the_bound_and_not_unpacked() -> None:
    """A gigabyte of blanks in a megabyte, and within it again."""
    packing = zlib.compressobj(9, wbits=31)
    bomb = b"".join(packing.compress(b" " * (1 << 20)) for _ in range(256)) + packing.flush()
    assert len(bomb) < 1 << 20
    answer = await sent(bomb, headers=PACKED)
    assert answer.status_code == 413


@pytest.mark.parametrize(
    ("content", "status"),
    [
        (gzip.compress(b"[]", mtime=0), 200),
        (gzip.compress(b"[", mtime=0) + gzip.compress(b"]", mtime=0), 200),
        (gzip.compress(b"[]", mtime=0)[:-4], 400),
        (gzip.compress(b"[]", mtime=0) + b"junk", 400),
        (b"[]", 400),
        (b"", 400),
        (gzip.compress(b"", mtime=0) * 1_100, 400),
    ],
)
async def test_a_packed_body_is_whole_or_refused(content: bytes, status: int) -> None:
    assert (await sent(content, headers=PACKED)).status_code == status


async def test_another_packing_is_415_and_gzip_is_named() -> None:
    answer = await sent(b"", headers={"content-encoding": "br"})
    assert answer.status_code == 415
    assert "gzip" in answer.headers["accept-encoding"]


async def test_a_body_that_does_not_come_is_given_up() -> None:
    async def slow() -> AsyncIterator[bytes]:
        yield b"["
        await asyncio.sleep(5)
        yield b"]"

    application, _, _ = made(body_within=0.05)
    async with client(application) as asking:
        answer = await asking.post("/v1/events", content=slow(), headers={"content-type": "application/json"})
    assert answer.status_code == 408


@pytest.mark.parametrize(("count", "status"), [(3, 200), (4, 413)])
async def test_a_body_may_have_so_many_events(count: int, status: int) -> None:
    events = [calcium(str(n)) for n in range(count)]
    assert (await sent(encode(events), settings={"most_items": 3})).status_code == status


# ---- back-pressure


@pytest.mark.parametrize(
    ("error", "status", "after"),
    [
        (QueueFullError("4711008 waits", retry_after=0.2), 429, "1"),
        (QueueFullError("4711008 waits", retry_after=2.5), 429, "3"),
        (NotDurableError("no space for 4711008"), 503, "5"),
    ],
)
async def test_what_is_not_durable_is_not_acknowledged(error: Exception, status: int, after: str) -> None:
    node = MemoryNode()
    node.failing = [error]
    answer = await sent(encode(calcium("a")), node=node)
    assert (answer.status_code, answer.headers["retry-after"]) == (status, after)
    assert "4711008" not in answer.text
    assert await outcomes(encode(calcium("a")), node=node) == [("a", "accepted")]


async def test_a_body_that_was_taken_in_part_is_sent_again_whole() -> None:
    """Whoever is told 429 sends everything again; what was taken before is a duplicate and not a second event."""
    node = MemoryNode()
    content = encode([calcium("a"), calcium("b"), calcium("c")])
    application, _, _ = made(node, at_once=1)
    original = node.receive

    async def full_after_one(message: Incoming) -> Outcome:
        if len(node.received) == 1:
            raise QueueFullError("full")
        return await original(message)

    node.receive = full_after_one  # type: ignore[method-assign]
    headers = {"content-type": "application/json"}
    async with client(application) as asking:
        assert (await asking.post("/v1/events", content=content, headers=headers)).status_code == 429
        node.receive = original  # type: ignore[method-assign]
        again = (await asking.post("/v1/events", content=content, headers=headers)).json()["items"]
    assert [item["outcome"] for item in again] == ["duplicate", "accepted", "accepted"]


async def test_an_error_of_ours_is_500_and_tells_nothing() -> None:
    node = MemoryNode()
    node.failing = [KeyError("4711008")]
    answer = await sent(encode(calcium("a")), node=node)
    assert answer.status_code == 500
    assert "4711008" not in answer.text


# ---- reading a body, without HTTP


def test_what_is_on_one_line_is_one_event_however_it_is_called() -> None:
    assert parts(b' {"a": 1} ', lines=False) == [b'{"a": 1}']
    assert parts(b'{"a": 1}\n\n {"b": 2}\r\n', lines=True) == [b'{"a": 1}', b'{"b": 2}']
    with pytest.raises(ProblemError):
        parts(b"neither\nnor", lines=False)


async def test_many_refusals_of_one_event_are_told_in_few_words() -> None:
    node = MemoryNode()
    many = tuple(Refusal("event a", f"wrong {n}", f"$.field{n}") for n in range(9))

    async def refusing(message: Incoming) -> Outcome:
        del message
        return Outcome(refusals=many, refused_whole=True)

    node.receive = refusing  # type: ignore[method-assign]
    item = (await sent(encode(calcium("a")), node=node)).json()["items"][0]
    assert item["reason"].startswith("$.field0: wrong 0; ")
    assert item["reason"].endswith("; and 4 more")
