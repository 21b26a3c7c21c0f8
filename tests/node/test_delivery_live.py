"""A feed goes live: what stands after its load is one message for each receiver, whatever becomes of it on the way."""

import json
from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path
from typing import Any

from schemas.alerts import Notice
from schemas.events import AnyEvent
from tests.delivery.receiving import Reply, Request, file, server, webhook
from tests.events import back_pain, heparin, pregnancy, response
from tests.node.engine_clinic import SOON, Node, node
from tests.node.test_delivery import counted, delivering, rows, until
from tests.support import on

AT = on(231)
PATIENTS = [f"P{n:03}" for n in range(40)]


def history(patients: Iterable[str] = PATIENTS) -> list[AnyEvent]:
    """Each with heparin from week 6 on, every fourth with strong back pain as well."""
    told = []
    for n, patient in enumerate(patients):
        told += [pregnancy(30, patient=patient), heparin(42, starts=42, patient=patient)]
        told += [back_pain(230, 8, patient=patient)] if n % 4 == 0 else []
    return [event.model_copy(update={"history": True}) for event in told]


def loaded(folder: Path) -> Node:
    made = Node(folder, AT)
    for event in history():
        made.take(event)
    assert made.outbox() == []
    return made


def live(made: Node) -> list[Notice]:
    """End the load; what is told then."""
    digest: list[Notice] = made.engine.go_live("feed").result(SOON)
    return digest


def told(request: Request) -> list[str]:
    return [one["notice_id"] for one in request.body["notices"]]


def wanted(digest: Iterable[Notice]) -> list[str]:
    """What a usual receiver gets of it, in its order."""
    return [n.notice_id for n in digest if n.severity != "info" and n.mode == "live" and n.delivery != "record"]


def acknowledge(made: Node, notice: Notice) -> None:
    """Somebody answers ten minutes later."""
    made.clock.at = AT + timedelta(minutes=10)
    answer = response(231, notice.alert_id, "acknowledge", patient=notice.patient_id)
    made.take(answer.model_copy(update={"recorded_at": made.clock.at}))
    assert made.outbox()[-1].transition == "acknowledged"


async def test_a_load_is_told_in_one_message_critical_first(tmp_path: Path) -> None:
    with server() as ward:
        made = loaded(tmp_path / "data")
        out = tmp_path / "out"
        async with delivering(made, webhook(ward.url), file(out)):
            digest = live(made)
            await until(lambda: len(ward.taken) == 1 and out.exists() and len(lines(out)) == len(wanted(digest)))
            await until(lambda: rows(made) == [])
        made.close()
    (request,) = ward.requests
    assert request.verified
    assert (request.body["type"], request.body["occasion"]) == ("trabecula.digest.v1", "live")
    assert request.body["digest_id"] == request.message_id
    assert told(request) == wanted(digest)
    assert len(wanted(digest)) > len(PATIENTS)
    ranks = [("critical", "warning", "advisory").index(one["severity"]) for one in request.body["notices"]]
    assert ranks == sorted(ranks)
    assert [one["notice_id"] for one in lines(out)] == wanted(digest)


def lines(path: Path) -> list[Any]:
    """The lines that are whole."""
    return [json.loads(line) for line in path.read_text("utf-8").split("\n")[:-1]]


async def test_a_failing_receiver_gets_the_same_message_until_it_takes_it(tmp_path: Path) -> None:
    made = loaded(tmp_path)
    with server(lambda _r, before: Reply(503 if before < 4 else 200)) as ward:
        async with delivering(made, webhook(ward.url)):
            digest = live(made)
            await until(lambda: len(ward.taken) == 1)
            await until(lambda: rows(made) == [])
        assert len({request.message_id for request in ward.requests}) == 1
        assert [told(request) for request in ward.requests] == [wanted(digest)] * 5
        assert counted(made) == {
            ("ward", "failing"): 4 * len(told(ward.taken[0])),
            ("ward", "taken"): len(wanted(digest)),
        }
    made.close()


async def test_the_message_is_the_same_after_a_stop(tmp_path: Path) -> None:
    made = loaded(tmp_path)
    with server(lambda _r, _before: Reply(503)) as ward:
        async with delivering(made, webhook(ward.url)):
            live(made)
            await until(lambda: bool(ward.requests))
        made.close()
        before = len(ward.requests)
        ward.script = lambda _r, _before: Reply()
        with node(tmp_path, AT) as again:
            async with delivering(again, webhook(ward.url)):
                await until(lambda: len(ward.taken) == 1)
                await until(lambda: rows(again) == [])
        assert len(ward.requests) == before + 1
        assert len({request.message_id for request in ward.requests}) == 1


async def test_what_is_refused_is_sent_again_as_one(tmp_path: Path) -> None:
    made = loaded(tmp_path)
    with server(lambda _r, before: Reply(200 if before else 413)) as ward:
        async with delivering(made, webhook(ward.url)) as delivery:
            digest = live(made)
            await until(lambda: len(delivery.refused()) == len(wanted(digest)))
            assert await delivery.redrive("ward") == len(wanted(digest))
            await until(lambda: len(ward.taken) == 1)
        assert told(ward.taken[0]) == wanted(digest)
        assert len(ward.requests) == 2
    made.close()


async def test_an_answer_that_is_told_meanwhile_waits_for_the_message(tmp_path: Path) -> None:
    made = loaded(tmp_path)
    closed = True
    with server(lambda _r, _before: Reply(503 if closed else 200)) as ward:
        async with delivering(made, webhook(ward.url)):
            digest = live(made)
            await until(lambda: bool(ward.requests))
            pain = next(n for n in digest if n.severity == "warning")
            acknowledge(made, pain)
            closed = False
            await until(lambda: len(ward.taken) == 2)
        assert told(ward.taken[0]) == wanted(digest)
        assert ward.taken[1].body["transition"] == "acknowledged"
    made.close()


async def test_something_critical_waits_for_nothing_and_takes_its_alert_along(tmp_path: Path) -> None:
    made = loaded(tmp_path)
    closed = True
    with server(lambda r, _before: Reply(503 if closed or "notices" in r.body else 200)) as ward:
        async with delivering(made, webhook(ward.url)):
            digest = live(made)
            await until(lambda: bool(ward.requests))
            dose = next(n for n in digest if n.severity == "critical")
            acknowledge(made, dose)
            closed = False
            await until(lambda: len(ward.taken) == 2)
        assert [request.body["notice_id"] for request in ward.taken] == [dose.notice_id, made.outbox()[-1].notice_id]
    made.close()


async def test_a_long_load_is_told_in_few_messages_all_critical_ones_first(tmp_path: Path) -> None:
    """Each has at most 1 MB and 1,000 notices."""
    made = loaded(tmp_path)
    copies = 12
    digest = live(made)

    def more(_desk: Any) -> None:
        for n in range(copies):
            for one in digest:
                names = {
                    "notice_id": f"{one.notice_id}-{n}",
                    "alert_id": f"{one.alert_id}-{n}",
                    "sentence": "x" * 3_000,
                }
                made.store.rows.put_notice(one.model_copy(update=names), AT)

    made.engine.call(more).result(SOON)
    with server() as ward:
        async with delivering(made, webhook(ward.url, parallel=1)):
            await until(lambda: sum(map(len, map(told, ward.taken))) == len(wanted(digest)) * (copies + 1))
        assert 2 <= len(ward.taken) <= 8
        assert max(len(request.raw) for request in ward.taken) < 1_010_000
        ranks = [one["severity"] != "critical" for request in ward.taken for one in request.body["notices"]]
        assert ranks == sorted(ranks)
    made.close()
