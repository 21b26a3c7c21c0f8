"""Delivery of a node: the outbox to receivers that take, fail, dawdle and refuse, each at its own pace."""

import asyncio
import json
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from alerting.delivery.settings import DeliverySettings
from schemas.alerts import Notice
from schemas.events import Erasure
from schemas.wire import encode
from streams.node.delivery import Delivery
from streams.node.delivery_rows import Changes, keep
from streams.node.port import NotDurableError
from streams.node.store_rows import Rows
from tests.delivery.receiving import AT, Reply, Request, Server, file, later, notice, server, webhook
from tests.node.engine_clinic import SOON, Node, node

UTC_ZONE = ZoneInfo("UTC")


def put(made: Node, notices: Iterable[Notice]) -> None:
    """Put notices into the outbox, in one transaction."""
    kept = tuple(notices)
    made.engine.call(lambda _desk: [made.store.rows.put_notice(one) for one in kept]).result(SOON)


@asynccontextmanager
async def delivering(made: Node, *receivers: Any, grace: float = 1.0) -> AsyncIterator[Delivery]:
    """A delivery at work, closed at the end."""
    delivery = Delivery(DeliverySettings(receivers=receivers), made.store, made.engine, UTC_ZONE, clock=made.clock)
    await delivery.start(grace)
    try:
        yield delivery
    finally:
        await delivery.close()


async def until(holds: Callable[[], bool], seconds: float = SOON) -> None:
    """Wait until something holds."""
    ends = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < ends, "it never came to that"
        await asyncio.sleep(0.005)


def rows(made: Node, table: str = "delivery") -> list[tuple[Any, ...]]:
    def read(_desk: Any) -> list[tuple[Any, ...]]:
        return list(made.store.rows.db.execute(f"SELECT * FROM {table}"))  # noqa: S608

    found: list[tuple[Any, ...]] = made.engine.call(read).result(SOON)
    return found


def counted(made: Node) -> dict[tuple[str, str], int]:
    """deliveries_total by receiver and outcome."""
    found = (each for each in made.reading.counters() if each.family == "deliveries")
    return {(each.labels["receiver"], each.labels["outcome"]): each.value for each in found}


# ---- all is well


async def test_a_notice_arrives_signed_and_as_it_is_on_the_wire(tmp_path: Path) -> None:
    with server() as ward, node(tmp_path, AT) as made:
        async with delivering(made, webhook(ward.url)):
            put(made, [notice(1)])
            await until(lambda: len(ward.taken) == 1)
        (request,) = ward.taken
        assert request.verified
        assert request.message_id == "A-1"
        assert request.raw == encode(notice(1))
        assert abs(int(request.headers["webhook-timestamp"]) - time.time()) < SOON
        assert request.headers["webhook-signature"].startswith("v1,")
        assert rows(made) == []
        assert rows(made, "delivery_receiver") == [("ward", 1)]
        assert counted(made) == {("ward", "taken"): 1}


async def test_what_was_taken_is_not_sent_again_after_a_start(tmp_path: Path) -> None:
    with server() as ward, node(tmp_path, AT) as made:
        for last in (3, 6):
            async with delivering(made, webhook(ward.url), file(tmp_path / "out")):
                put(made, [notice(1, alert=f"A{n}") for n in range(last)])
                await until(lambda last=last: len(ward.taken) == last)  # type: ignore[misc]
        assert sorted(ward.ids()) == [f"A{n}-1" for n in range(6)]
        lines = [json.loads(line) for line in (tmp_path / "out").read_text("utf-8").splitlines()]
        assert sorted(line["notice_id"] for line in lines) == sorted(ward.ids())


async def test_a_new_receiver_begins_with_what_is_said_from_then_on(tmp_path: Path) -> None:
    with server() as ward, node(tmp_path, AT) as made:
        put(made, [notice(1, alert="old")])
        async with delivering(made, webhook(ward.url, begins="now")):
            await until(lambda: bool(rows(made, "delivery_receiver")))
            put(made, [notice(1, alert="new")])
            await until(lambda: bool(ward.taken))
        assert ward.ids() == ["new-1"]


# ---- receivers that fail


async def test_a_failing_receiver_is_tried_again_until_it_takes_under_the_same_id(tmp_path: Path) -> None:
    with node(tmp_path, AT) as made, server(lambda _r, before: Reply(503 if before < 5 else 200)) as ward:
        async with delivering(made, webhook(ward.url)):
            put(made, [notice(1)])
            await until(lambda: bool(ward.taken))
            await until(lambda: rows(made) == [])
        assert [request.message_id for request in ward.requests] == ["A-1"] * 6
        assert all(request.verified for request in ward.requests)
        assert counted(made) == {("ward", "failing"): 5, ("ward", "taken"): 1}


async def test_the_second_notice_of_an_alert_waits_for_the_first_and_other_alerts_go_on(tmp_path: Path) -> None:
    def script(request: Request, before: int) -> Reply:
        return Reply(500) if request.message_id == "A-1" and before < 4 else Reply()

    with node(tmp_path, AT) as made, server(script) as ward:
        async with delivering(made, webhook(ward.url, retry_after=0.1)):
            put(made, [notice(1), notice(2), *(notice(1, alert=f"B{n}") for n in range(20))])
            await until(lambda: len(ward.taken) == 22)
        ids = ward.ids()
        assert ids.index("A-1") < ids.index("A-2")
        assert [one for one in ids if one.startswith("A")] == ids[-2:]


async def test_a_dead_and_a_slow_receiver_hold_up_nobody_else(tmp_path: Path) -> None:
    slow_one: dict[str, Any] = {"name": "slow", "parallel": 1}
    with node(tmp_path, AT) as made, server() as ward, server(lambda _r, _b: Reply(after=0.3)) as slow:
        dead = webhook("http://127.0.0.1:1/", name="dead")
        async with delivering(made, dead, webhook(slow.url, **slow_one), webhook(ward.url)) as delivery:
            began = time.monotonic()
            put(made, [notice(1, alert=f"A{n}") for n in range(40)])
            await until(lambda: len(ward.taken) == 40)
            assert time.monotonic() - began < 3.0
            assert len(slow.taken) < 15
            await until(lambda: {each.name: each for each in delivery.status()}["dead"].is_failing)
            status = {each.name: each for each in delivery.status()}
            assert (status["dead"].reason, status["dead"].waiting) == ("unreachable", 40)
            made.clock.at = later(hours=1)
            await until(lambda: dict(delivery.lags())["ward"] == 0.0)
            assert dict(delivery.lags())["dead"] == 3600.0


async def test_a_receiver_that_comes_back_gets_everything(tmp_path: Path) -> None:
    with node(tmp_path, AT) as made, server() as first:
        port = first.port
        first.close()
        async with delivering(made, webhook(first.url)) as delivery:
            put(made, [notice(n, alert=f"A{n % 7}") for n in range(70)])
            await until(lambda: delivery.status()[0].is_failing)
            again = Server(port=port)
            try:
                await until(lambda: len(again.taken) == 70)
                in_order(again.ids())
            finally:
                again.close()


async def test_a_receiver_that_asks_to_be_left_alone_is(tmp_path: Path) -> None:
    with node(tmp_path, AT) as made, server(lambda _r, n: Reply(200 if n else 429, {"Retry-After": "1"})) as ward:
        async with delivering(made, webhook(ward.url, parallel=1)):
            put(made, [notice(1), notice(1, alert="B")])
            await until(lambda: len(ward.taken) == 2)
        first, second = ward.requests[:2]
        assert second.at - first.at >= 0.95
        assert counted(made)["ward", "busy"] >= 1


# ---- what is refused for good


async def test_what_is_refused_is_kept_with_its_reason_and_can_be_sent_again(tmp_path: Path) -> None:
    refuses = True

    def script(request: Request, _before: int) -> Reply:
        return Reply(422) if refuses and request.message_id.startswith("A") else Reply()

    with node(tmp_path, AT) as made, server(script) as ward:
        async with delivering(made, webhook(ward.url)) as delivery:
            put(made, [notice(1), notice(2), notice(1, alert="B")])
            await until(lambda: len(delivery.refused()) == 2)
            found = delivery.refused("ward")
            assert {(one.notice_id, one.status, one.is_overtaken) for one in found} == {
                ("A-1", 422, False),
                ("A-2", 422, False),
            }
            refuses = False
            assert await delivery.redrive("ward") == 2
            await until(lambda: len(ward.taken) == 3)
            await until(lambda: rows(made) == [])
        in_order(ward.ids())
        assert counted(made)["ward", "refused"] == 2


async def test_a_later_notice_goes_on_after_a_refused_one_which_is_overtaken_then(tmp_path: Path) -> None:
    """A rise to critical must not wait for somebody to look at what became of the first notice."""

    def script(request: Request, before: int) -> Reply:
        return Reply(400) if request.message_id == "A-1" and not before else Reply()

    with node(tmp_path, AT) as made, server(script) as ward:
        async with delivering(made, webhook(ward.url)) as delivery:
            put(made, [notice(1), notice(2, severity="critical")])
            await until(lambda: any(one.is_overtaken for one in delivery.refused()))
            assert ward.ids() == ["A-2"]
            assert await delivery.redrive("ward") == 0
            assert await delivery.redrive("ward", "A-1", overtaken=True) == 1
            await until(lambda: ward.ids() == ["A-2", "A-1"])


async def test_refused_notices_outlive_a_stop(tmp_path: Path) -> None:
    with node(tmp_path, AT) as made, server(lambda _r, before: Reply(200 if before else 401)) as ward:
        async with delivering(made, webhook(ward.url)) as delivery:
            put(made, [notice(1)])
            await until(lambda: len(delivery.refused()) == 1)
        async with delivering(made, webhook(ward.url)) as delivery:
            assert [one.notice_id for one in delivery.refused()] == ["A-1"]
            assert await delivery.redrive("ward") == 1
            await until(lambda: ward.ids() == ["A-1"])


# ---- who gets what


async def test_whoever_was_told_of_an_alert_hears_of_its_end_whatever_its_severity(tmp_path: Path) -> None:
    given = [
        notice(1, severity="critical"),
        notice(2, severity="info", delivery="record", transition="severity_lowered"),
        notice(3, severity="info", delivery="record", transition="transferred", into="C"),
        notice(1, alert="B", severity="info", delivery="record"),
        notice(4, alert="C", severity="advisory", transition="withdrawn"),
    ]
    with node(tmp_path, AT) as made, server() as ward:
        async with delivering(made, webhook(ward.url, severities=["critical"])):
            put(made, given)
            await until(lambda: len(ward.taken) == 4)
        async with delivering(made, webhook(ward.url, severities=["critical"])):
            put(made, [notice(5, alert="C", severity="info", transition="resolved")])
            await until(lambda: len(ward.taken) == 5)
        assert sorted(ward.ids()) == ["A-1", "A-2", "A-3", "C-4", "C-5"]


async def test_the_digest_is_one_message_a_day_critical_first_and_signed(tmp_path: Path) -> None:
    given = [
        notice(1, alert="A", severity="advisory", delivery="daily_digest"),
        notice(1, alert="B", severity="warning", delivery="daily_digest"),
        notice(1, alert="C", severity="critical", delivery="daily_digest"),
    ]
    with node(tmp_path, AT) as made, server(lambda _r, before: Reply(200 if before else 500)) as ward:
        async with delivering(made, webhook(ward.url)) as delivery:
            put(made, given)
            await until(lambda: ward.ids() == ["C-1"])
            await until(lambda: len(rows(made)) == 2)
            assert delivery.status()[0].for_digest == 2
        async with delivering(made, webhook(ward.url)):
            made.clock.at = AT.replace(day=4, hour=7)
            await until(lambda: len(ward.taken) == 2)
            await until(lambda: rows(made) == [])
        digest = ward.taken[1]
        assert [one["notice_id"] for one in digest.body["notices"]] == ["B-1", "A-1"]
        named = {"type": "trabecula.digest.v1", "occasion": "daily", "digest_id": digest.message_id}
        assert (digest.verified, digest.body | named) == (True, digest.body)
        assert [r.message_id for r in ward.requests].count(digest.message_id) == 2


async def test_something_urgent_takes_along_what_its_alert_has_in_the_digest(tmp_path: Path) -> None:
    with node(tmp_path, AT) as made, server() as ward:
        async with delivering(made, webhook(ward.url)):
            put(made, [notice(1, severity="advisory", delivery="daily_digest")])
            put(made, [notice(1, alert="B", severity="advisory", delivery="daily_digest")])
            put(made, [notice(2, severity="critical", transition="severity_raised")])
            await until(lambda: len(ward.taken) == 2)
        assert ward.ids() == ["A-1", "A-2"]


async def test_an_erased_patient_is_erased_from_what_waits(tmp_path: Path) -> None:
    with node(tmp_path, AT) as made, server(lambda _r, _b: Reply(503)) as ward:
        async with delivering(made, webhook(ward.url)) as delivery:
            put(made, [notice(1), notice(1, alert="B")])
            await until(lambda: len(rows(made)) == 2)
            forget = {"event_id": "x", "source": "s", "patient_id": "P-A", "recorded_at": AT}
            made.take(Erasure.model_validate({"kind": "erasure", "record_id": "x"} | forget))
            assert [row[2] for row in rows(made)] == ["B"]
            assert [row[0] for row in rows(made, "delivery_alert")] == ["B"]
            ward.script = lambda _r, _b: Reply()
            await until(lambda: delivery.status()[0].waiting == 0)
        assert ward.ids() == ["B-1"]


# ---- the law


def in_order(ids: Iterable[str]) -> None:
    """The notices of each alert came in the order of their sequence."""
    by_alert = defaultdict(list)
    for one in ids:
        alert, _, sequence = one.rpartition("-")
        by_alert[alert].append(int(sequence))
    assert all(a <= b for found in by_alert.values() for a, b in pairwise(found))


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    told=st.lists(st.sampled_from("ABCDE"), min_size=1, max_size=40),
    faults=st.lists(st.sampled_from([0, 200, 200, 429, 500, 503, 302]), min_size=1, max_size=25),
    stops=st.integers(0, 2),
)
def test_whatever_fails_each_alert_is_told_in_order_and_nothing_is_lost(
    tmp_path_factory: pytest.TempPathFactory, told: list[str], faults: list[int], stops: int
) -> None:
    counts: dict[str, int] = defaultdict(int)
    given = []
    for alert in told:
        counts[alert] += 1
        given.append(notice(counts[alert], alert=alert))
    left = list(faults)

    def script(_request: Request, _before: int) -> Reply:
        return Reply(left.pop() if left else 200, {"Location": "http://127.0.0.1:9/"})

    async def run(made: Node, ward: Server) -> None:
        part = len(given) // (stops + 1) + 1
        for stop in range(stops + 1):
            some = given[stop * part : (stop + 1) * part]
            async with delivering(made, webhook(ward.url, retry_after=0.005, retry_at_most=1), grace=0.0):
                put(made, some)
                await asyncio.sleep(0.02)
        async with delivering(made, webhook(ward.url, retry_after=0.005, retry_at_most=1)):
            await until(lambda: {r.message_id for r in ward.taken} == {n.notice_id for n in given})

    with node(tmp_path_factory.mktemp("law"), AT) as made, server(script) as ward:
        asyncio.run(run(made, ward))
        first = list(dict.fromkeys(ward.ids()))
        in_order(first)
        assert sorted(first) == sorted(n.notice_id for n in given)


async def test_a_mistake_of_ours_at_one_receiver_is_shown_and_stops_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("streams.node.delivery._AFTER_A_MISTAKE", 0.05)
    failures = iter([True, True])

    def fails(rows_: Rows, receiver: str, changes: Changes, now: datetime) -> None:
        keep(rows_, receiver, changes, now)
        if receiver == "ward" and next(failures, False):
            raise ValueError("a mistake")

    monkeypatch.setattr("streams.node.delivery_courier.keep", fails)
    with server() as ward, node(tmp_path, AT) as made:
        async with delivering(made, webhook(ward.url), file(tmp_path / "out")) as delivery:
            put(made, [notice(1), notice(2)])
            await until(lambda: rows(made, "delivery_receiver") == [("log", 2), ("ward", 2)])
            assert delivery.mistakes == {"ward": "ValueError"}
        assert list(dict.fromkeys(ward.ids())) == ["A-1", "A-2"]


async def test_a_node_that_can_keep_nothing_delivers_nothing_more(tmp_path: Path) -> None:
    with server() as ward, node(tmp_path, AT) as made:
        async with delivering(made, webhook(ward.url)) as delivery:
            put(made, [notice(1)])
            await until(lambda: rows(made, "delivery_receiver") == [("ward", 1)])
            made.engine.close(SOON)
            with pytest.raises(NotDurableError):
                await delivery.redrive("ward")
        assert ward.ids() == ["A-1"]


async def test_a_receiver_that_wants_little_is_soon_at_the_end_of_a_long_outbox(tmp_path: Path) -> None:
    with server() as ward, node(tmp_path, AT) as made:
        put(made, [notice(1, alert=f"A{n}") for n in range(3_000)])
        put(made, [notice(1, alert="Z", rule_id="HIP-01")])
        async with delivering(made, webhook(ward.url, rules=["HIP-*"])):
            await until(lambda: ward.ids() == ["Z-1"])
            await until(lambda: rows(made, "delivery_receiver") == [("ward", 3_001)])


async def test_much_is_delivered_fast(tmp_path: Path) -> None:
    """A guard against work that grows with what waits; the figure itself is printed, not asserted."""
    with node(tmp_path, AT) as made, server() as ward:
        put(made, [notice(n, alert=f"A{n % 50}") for n in range(1_500)])
        began = time.monotonic()
        async with delivering(made, webhook(ward.url), file(tmp_path / "out")):
            await until(lambda: len(ward.taken) == 1_500, 30)
        print(f"\n{1_500 / (time.monotonic() - began):,.0f} notices a second")
        in_order(ward.ids())
        assert len((tmp_path / "out").read_text("utf-8").splitlines()) == 1_500
