"""Notices as they are told, to readers that come, go, come again, and do not read."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest

from schemas.wire import decode, encode
from streams.node.access_audit import MemoryAudit
from streams.node.http import HttpServer
from tests.node.http_clinic import MemoryNode, calcium, hospital, made

PATIENCE = 10.0
QUICK: dict[str, Any] = {"port": 0, "look_every": 0.02, "heartbeat": 0.05}


@asynccontextmanager
async def serving(
    node: MemoryNode, **settings: Any
) -> AsyncIterator[tuple[httpx.AsyncClient, HttpServer, MemoryAudit]]:
    """A server on a free port of this machine, and a client of it."""
    application, _, audit = made(node, **(QUICK | settings))
    async with HttpServer(application) as server, httpx.AsyncClient(base_url=f"http://{server.address}") as asking:
        yield asking, server, audit


async def told(asking: httpx.AsyncClient, count: int, after: int | None = None) -> list[tuple[int, Any]]:
    """So many notices of a stream, with their numbers."""
    headers = {} if after is None else {"last-event-id": str(after)}
    found: list[tuple[int, Any]] = []
    text = ""
    async with asyncio.timeout(PATIENCE), asking.stream("GET", "/v1/notices", headers=headers) as answer:
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/event-stream")
        async for part in answer.aiter_text():
            text += part
            found = [
                (int(n), decode(data)) for n, data in re.findall(r"id: (\d+)\nevent: notice\ndata: (.*)\n\n", text)
            ]
            if len(found) >= count:
                break
    return found


async def test_a_reader_hears_everything_from_the_beginning_in_order() -> None:
    node = hospital()
    async with serving(node) as (asking, _, _):
        found = await told(asking, len(node.told), after=0)
    assert [number for number, _ in found] == [each.number for each in node.told]
    assert [notice["notice_id"] for _, notice in found] == [each.notice.notice_id for each in node.told]


@pytest.mark.parametrize("last", [1, 5, 30])
async def test_a_reader_that_comes_again_misses_none_and_hears_none_twice(last: int) -> None:
    node = hospital()
    async with serving(node) as (asking, _, audit):
        found = await told(asking, len(node.told) - last, after=last)
    assert [number for number, _ in found] == list(range(last + 1, len(node.told) + 1))
    assert audit.entries[0].detail == f"notices after {last}"
    assert audit.entries[-1].detail == f"notices until {len(node.told)}"


async def test_a_new_reader_hears_what_is_told_from_now_on() -> None:
    node = hospital()
    before = len(node.told)
    async with serving(node, look_every=30) as (asking, server, _):
        waiting = asyncio.create_task(told(asking, 1))
        await until(lambda: server.node.streams == 1)
        await asking.post("/v1/events", content=encode(calcium("a", patient="30405", value=3.9)), headers=JSON)
        assert len(node.told) > before
        server.node.doorbell.ring()
        assert (await waiting)[0][0] == before + 1


JSON = {"content-type": "application/json"}


async def until(holds: Any) -> None:
    async with asyncio.timeout(PATIENCE):
        while not holds():  # noqa: ASYNC110 what is waited for is the server's, which rings for nobody
            await asyncio.sleep(0.01)


async def test_a_silent_stream_says_that_it_is_alive() -> None:
    async with serving(MemoryNode()) as (asking, _, _), asyncio.timeout(PATIENCE):
        async with asking.stream("GET", "/v1/notices") as answer:
            heard = ""
            async for part in answer.aiter_text():
                heard += part
                if heard.count(": alive") >= 2:
                    break
        assert heard.startswith("retry: ")


async def test_no_more_readers_than_are_set_and_a_place_is_free_again_when_one_goes() -> None:
    async with serving(hospital(), most_streams=1) as (asking, server, _):
        async with asking.stream("GET", "/v1/notices", headers={"last-event-id": "0"}) as first:
            assert first.status_code == 200
            second = await asking.get("/v1/notices")
            assert (second.status_code, second.headers["retry-after"]) == (429, "10")
        await until(lambda: server.node.streams == 0)
        assert await told(asking, 1, after=0)


async def test_a_stream_ends_after_its_time_and_its_reader_comes_again() -> None:
    async with serving(MemoryNode(), stream_within=0.2) as (asking, server, _), asyncio.timeout(PATIENCE):
        answer = await asking.get("/v1/notices")
        assert answer.status_code == 200
        await until(lambda: server.node.streams == 0)


async def test_a_reader_that_does_not_read_is_cut_off() -> None:
    """Its place and what is kept for it are bounded."""
    node = hospital()
    node.told = node.told * 2000
    async with serving(node, send_within=0.3) as (_, server, _):
        host, _, port = server.address.rpartition(":")
        _, writer = await asyncio.open_connection(host, int(port), limit=1024)
        writer.write(b"GET /v1/notices HTTP/1.1\r\nHost: 127.0.0.1\r\nLast-Event-ID: 0\r\n\r\n")
        await until(lambda: server.node.streams == 1)
        await until(lambda: server.node.streams == 0)
        writer.close()


@pytest.mark.parametrize("said", ["x", "-1", "1.5", "9" * 30, ""])
async def test_a_number_that_is_none_is_400(said: str) -> None:
    async with serving(MemoryNode()) as (asking, _, _):
        answer = await asking.get("/v1/notices", headers={"last-event-id": said})
    assert answer.status_code == 400
    assert answer.json()["field"] == "last-event-id"


# ---- the server


async def test_a_stop_ends_streams_and_finishes_what_was_begun() -> None:
    node = MemoryNode()
    async with asyncio.timeout(PATIENCE):
        async with serving(node) as (asking, server, _):
            stream = asyncio.create_task(asking.get("/v1/notices"))
            await until(lambda: server.node.streams == 1)
            await server.stop()
            assert (await stream).status_code == 200


async def test_a_sender_that_does_not_finish_its_head_is_cut_off() -> None:
    begun = (b"", b"POST /v1/ev", b"POST /v1/events HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: ")
    async with serving(MemoryNode(), head_within=1.0) as (asking, server, _), asyncio.timeout(PATIENCE):
        assert all(await asyncio.gather(*(_is_cut_off(server, each) for each in begun)))
        assert (await asking.get("/healthz")).status_code == 200


async def _is_cut_off(server: HttpServer, begun: bytes) -> bool:
    host, _, port = server.address.rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(begun)
    try:
        return await reader.read() == b""
    except ConnectionResetError:
        return True
    finally:
        writer.close()


async def test_a_slow_body_holds_up_nobody_else() -> None:
    async with serving(MemoryNode(), body_within=0.3) as (asking, server, _), asyncio.timeout(PATIENCE):
        host, _, port = server.address.rpartition(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(b"POST /v1/events HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 100\r\n\r\n[")
        answers = await asyncio.gather(
            *(asking.post("/v1/events", content=encode(calcium(str(n))), headers=JSON) for n in range(20))
        )
        assert {answer.status_code for answer in answers} == {200}
        assert (await reader.readline()).startswith(b"HTTP/1.1 408")
        writer.close()


async def test_the_address_is_told_with_the_port_that_was_free() -> None:
    async with serving(MemoryNode()) as (_, server, _):
        host, _, port = server.address.rpartition(":")
        assert (host, int(port) > 0) == ("127.0.0.1", True)
