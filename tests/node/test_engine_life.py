"""The engine: its callers, its queue, its end."""

import asyncio
import sqlite3
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from schemas.wire import encode
from streams.intake.site import Site
from streams.node.access_audit import AuditEntry
from streams.node.engine import Limits
from streams.node.port import Incoming, NotDurableError, Outcome, QueueFullError, Receiver
from streams.node.store_folder import FILE
from tests.events import back_pain, heparin, pregnancy
from tests.node.engine_clinic import SOON, Node, incoming, node
from tests.support import on

COURSE = (pregnancy(30), heparin(42, starts=42))
"""Heparin from week 6 on: HEP-02 is a warning once it has lasted."""
PAIN = back_pain(230, 8)


def outcome_of(found: Outcome) -> str:
    (item,) = found.items
    return item.outcome


# ---- callers, queue, stopping


async def test_many_callers_of_an_event_loop_are_answered_each_with_its_own_outcome(tmp_path: Path) -> None:
    made = Node(tmp_path, on(231))
    receiver: Receiver = made.engine
    given = [incoming(back_pain(230, 3, record=f"pain-{n}", patient=f"P{n}"), on(231)) for n in range(100)]
    outcomes = await asyncio.gather(*map(receiver.receive, given))
    assert [o.items[0].event_id for o in outcomes] == [f"pain-{n}@230" for n in range(100)]
    await made.engine.record(AuditEntry(on(231), "dr-example", "password", "read", "GET /v1/alerts", ("P1",)))
    assert made.reading.audit()[0].said["patients"] == ["P1"]
    made.close()


def _held(made: Node) -> threading.Event:
    """Keep the engine busy until the event is set."""
    begun, go_on = threading.Event(), threading.Event()

    def wait(_desk: Any) -> None:
        begun.set()
        go_on.wait(SOON)

    made.engine.call(wait)
    assert begun.wait(SOON)
    return go_on


def test_a_full_queue_says_so_at_once_and_takes_again_when_it_is_empty(tmp_path: Path) -> None:
    with node(tmp_path, on(231), limits=Limits(waiting=3)) as made:
        go_on = _held(made)
        waiting = [made.engine.submit(incoming(back_pain(230, n, record=f"r{n}"), on(231))) for n in range(3)]
        with pytest.raises(QueueFullError):
            made.engine.submit(incoming(PAIN, on(231)))
        go_on.set()
        assert all(future.result(SOON).items for future in waiting)
        assert outcome_of(made.take(PAIN)) == "accepted"


def test_a_queue_is_bounded_in_bytes_too(tmp_path: Path) -> None:
    with node(tmp_path, on(231), limits=Limits(waiting_bytes=1_000)) as made:
        go_on = _held(made)
        first = made.engine.submit(Incoming("http", "event", b" " * 900, on(231)))
        with pytest.raises(QueueFullError):
            made.engine.submit(Incoming("http", "event", b" " * 200, on(231)))
        go_on.set()
        assert first.result(SOON).refused_whole


def test_a_stop_finishes_what_waits_and_takes_nothing_more(tmp_path: Path) -> None:
    made = Node(tmp_path, on(231))
    go_on = _held(made)
    waiting = [made.engine.submit(incoming(back_pain(230, 3, record=f"r{n}"), on(231))) for n in range(50)]
    stopping = threading.Thread(target=made.engine.close, args=(SOON,))
    stopping.start()
    while made.engine.state == "running":
        time.sleep(0.001)
    with pytest.raises(NotDurableError, match="stopping"):
        made.engine.submit(incoming(PAIN, on(231)))
    go_on.set()
    stopping.join(SOON)
    assert all(future.result(SOON).items for future in waiting)
    made.close()
    with node(tmp_path, on(231)) as again:
        assert len(list(again.store.rows.log())) == 50


def test_a_stop_that_takes_too_long_ends_all_the_same_and_acknowledges_nothing_that_is_not_kept(
    tmp_path: Path,
) -> None:
    made = Node(tmp_path, on(231), limits=Limits(together=1))
    go_on = _held(made)
    waiting = [made.engine.submit(incoming(back_pain(230, 3, record=f"r{n}"), on(231))) for n in range(50)]
    threading.Timer(0.2, go_on.set).start()
    assert not made.engine.close(0.05)
    kept = [future for future in waiting if future.exception(SOON) is None]
    assert len(kept) < 50
    assert all(isinstance(future.exception(), NotDurableError) for future in waiting if future not in kept)
    made.store.close()
    with node(tmp_path, on(231)) as again:
        assert len(list(again.store.rows.log())) >= len(kept)


def test_hl7_v2_and_fhir_reach_the_same_charts(tmp_path: Path) -> None:
    oru = (
        b"MSH|^~\\&|LAB|H|T|H|20250825090000+0000||ORU^R01|M1|P|2.5\rPID|1||P^^^H^MR\r"
        b"OBR|1||A1|62292-8^25-OH D^LN|||20250825080000+0000\r"
        b"OBX|1|NM|62292-8^25-OH D^LN||8|ng/mL|||||F|||20250825080000+0000\r"
    )
    observation = {
        "resourceType": "Observation",
        "id": "o1",
        "status": "final",
        "code": {"coding": [{"system": "http://loinc.org", "code": "17861-6"}]},
        "subject": {"identifier": {"system": "urn:h", "value": "P"}},
        "effectiveDateTime": "2025-08-25T08:00:00Z",
        "issued": "2025-08-25T09:00:00Z",
        "valueQuantity": {"value": 9.4, "unit": "mg/dL", "system": "http://unitsofmeasure.org", "code": "mg/dL"},
    }
    site = Site(default_assigner="H", fhir_authorities={"urn:h": "H"})
    with node(tmp_path, on(240), site=site) as made:
        assert made.take(oru, form="hl7v2").items[0].outcome == "accepted"
        assert made.take(oru, form="hl7v2").duplicate
        assert made.take(encode(observation), form="fhir").items[0].outcome == "accepted"
        assert len(made.charts()["P"].facts) == 2
        moved = oru.replace(b"|M1|", b"|M2|").replace(b"P^^^H^MR", b"Q^^^H^MR").replace(b"0900", b"0930")
    with node(tmp_path, on(240), site=site) as made:
        assert len(made.take(moved, form="hl7v2").items) == 2
        assert made.charts()["Q"].facts[0].payload.status == "final"
        assert "entered_in_error" in {f.payload.status for f in made.charts()["P"].facts}


def test_pages_can_read_while_the_engine_writes(tmp_path: Path) -> None:
    with node(tmp_path, on(231)) as made:
        made.take(PAIN)
        other = sqlite3.connect(f"file:{tmp_path / FILE}?mode=ro", uri=True)
        other.execute("BEGIN")
        before = other.execute("SELECT count(*) FROM event").fetchone()
        made.take(back_pain(230, 3, record="other"))
        assert other.execute("SELECT count(*) FROM event").fetchone() == before
        assert len(made.reading.timeline("P").items) == 2
        other.close()
