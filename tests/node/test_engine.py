"""The engine: outcomes, duplicates, dead letters, time, going live, erasure, stopping."""

import asyncio
import sqlite3
import threading
from datetime import timedelta
from pathlib import Path
from typing import Any, NoReturn

import pytest

from schemas.events import AnyEvent
from schemas.identity import alert_id, episode_id
from schemas.rulepack import RulePack
from schemas.wire import encode
from streams.intake.site import Site
from streams.monitor import Monitor
from streams.node.access_audit import AuditEntry
from streams.node.engine import Limits
from streams.node.port import Incoming, NotDurableError, Outcome, QueueFullError, Receiver
from streams.node.store_folder import FILE
from streams.ward import Ward
from tests.events import back_pain, event, heparin, lab, merge, pregnancy, response
from tests.node.engine_clinic import SOON, Node, incoming, node
from tests.support import on
from tests.wards import monitor

COURSE = (pregnancy(30), heparin(42, starts=42))
"""Heparin from week 6 on: HEP-02 is a warning once it has lasted."""
PAIN = back_pain(230, 8)


def outcome_of(found: Outcome) -> str:
    (item,) = found.items
    return item.outcome


# ---- outcomes


def test_an_event_is_accepted_and_the_very_same_message_again_is_a_duplicate_that_changes_nothing(
    tmp_path: Path,
) -> None:
    with node(tmp_path, on(231)) as made:
        assert outcome_of(made.take(PAIN)) == "accepted"
        told = made.outbox()
        again = made.take(PAIN)
        assert (again.duplicate, outcome_of(again)) == (True, "duplicate")
        assert made.outbox() == told
        assert len(list(made.store.rows.log())) == 1


def test_the_same_event_in_other_bytes_is_a_duplicate_event(tmp_path: Path) -> None:
    with node(tmp_path, on(231)) as made:
        made.take(PAIN)
        again = made.take(b" " + encode(PAIN))
        assert (again.duplicate, outcome_of(again)) == (False, "duplicate")
        assert len(list(made.store.rows.log())) == 1


def test_an_event_id_with_other_content_is_a_message_of_its_own_and_counted(tmp_path: Path) -> None:
    other = PAIN.model_copy(update={"score": PAIN.score + 1})  # type: ignore[union-attr]
    with node(tmp_path, on(231)) as made:
        made.take(PAIN)
        found = made.take(other)
        assert (outcome_of(found), found.counted) == ("accepted", {"event_id_reused": 1})


def test_an_array_keeps_the_place_of_each_event_whatever_became_of_it(tmp_path: Path) -> None:
    unmapped = lab(200, "99999-9", 1, "mg/dL", record="unmapped")
    body = b'[%s, {"event_id": "odd", "kind": "nonsense"}, 7, %s, %s]' % tuple(map(encode, (PAIN, unmapped, PAIN)))
    with node(tmp_path, on(231)) as made:
        found = made.take(body)
    assert [(i.event_id, i.outcome) for i in found.items] == [
        (PAIN.event_id, "accepted"),
        ("odd", "refused"),
        ("", "refused"),
        (unmapped.event_id, "accepted"),
        (PAIN.event_id, "duplicate"),
    ]
    assert found.items[3].reason == "unmapped_code"
    assert not found.refused_whole


def test_an_event_without_a_source_has_the_name_of_its_feed(tmp_path: Path) -> None:
    given = {k: v for k, v in PAIN.model_dump(mode="json", exclude_none=True).items() if k != "source"}
    with node(tmp_path, on(231)) as made:
        message = Incoming("http", "event", encode(given), on(231), feed="WARD-7")
        assert outcome_of(made.engine.submit(message).result(SOON)) == "accepted"
        assert [s.source for s in made.reading.sources()] == ["WARD-7"]


# ---- dead letters


def test_what_is_refused_is_kept_as_it_came_with_its_reason(tmp_path: Path) -> None:
    raw = b'{"kind": "lab_result", "event_id": "odd"}'
    with node(tmp_path, on(0)) as made:
        for _ in range(2):
            assert made.take(raw).refused_whole
        letters = made.reading.dead_letters()
        assert {one.times for one in letters} == {2}
        found = made.reading.dead_letter(letters[0].letter_id)
        assert found is not None
        assert found[1] == raw
        assert letters[0].refused == "event odd"


def test_an_event_recorded_more_than_a_day_ahead_is_a_dead_letter_that_can_be_taken_when_its_day_comes(
    tmp_path: Path,
) -> None:
    with node(tmp_path, on(228, 8)) as made:
        found = made.take(PAIN)
        assert (found.refused_whole, found.items[0].reason) == (True, "recorded_in_future")
        (letter,) = made.reading.dead_letters()
        assert letter.reason == "recorded_in_future"
        made.clock.at = on(230, 10)
        again = made.engine.redrive(letter.letter_id).result(SOON)
        assert again is not None
        assert outcome_of(again) == "accepted"
        assert made.reading.dead_letters() == []
        assert made.reading.dead_letters(taken=True)[0].taken_at == on(230, 10)


def test_a_message_that_makes_us_fail_is_parked_and_costs_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    poison = back_pain(229, 5, record="poison")
    receive = Ward.receive

    def failing(ward: Ward, given: AnyEvent, now: Any) -> Any:
        found = receive(ward, given, now)
        if given.record_id == "poison":
            raise ZeroDivisionError("with a name in it")
        return found

    monkeypatch.setattr(Ward, "receive", failing)
    with node(tmp_path, on(231)) as made:
        futures = [made.engine.submit(incoming(e, on(231))) for e in (*COURSE, poison, PAIN)]
        outcomes = [f.result(SOON) for f in futures]
        assert [o.refused_whole for o in outcomes] == [False, False, True, False]
        assert {f.record_id for f in made.charts()["P"].facts} == {"pregnancy", "heparin", "pain"}
        (letter,) = made.reading.dead_letters()
        assert letter.reason == "failed: ZeroDivisionError; kept as a dead letter"
        assert "name" not in letter.place
        monkeypatch.undo()
        assert made.engine.redrive(letter.letter_id).result(SOON).items[0].outcome == "accepted"  # type: ignore[union-attr]
        assert len(made.charts()["P"].facts) == 4


def test_a_merge_that_makes_us_fail_leaves_no_link_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(*_: Any) -> NoReturn:
        raise ZeroDivisionError

    with node(tmp_path, on(250)) as made:
        made.take(PAIN)
        made.take(back_pain(231, 2, record="other", patient="Q"))
        monkeypatch.setattr(Ward, "_regroup", failing)
        assert made.take(merge(240, "Q", "P")).refused_whole
        monkeypatch.undo()
        assert set(made.charts()) == {"P", "Q"}
        made.take(back_pain(241, 2, record="later", patient="Q"))
        assert len(made.charts()["Q"].facts) == 2


# ---- time


def test_time_alone_raises_an_alert_at_the_instant_of_crossing(tmp_path: Path) -> None:
    with node(tmp_path, on(43)) as made:
        for given in COURSE:
            made.take(given)
        before = made.transitions("HEP-02")
        made.wait_until(on(100))
        notices = [n for n in made.outbox() if n.rule_id == "HEP-02"]
        assert "raised" not in before
        assert notices[0].transition == "raised"
        assert notices[0].decided_at == notices[0].effective_at < on(100)


def test_after_a_long_stop_what_was_crossed_is_told_in_order_with_the_instants_of_crossing(tmp_path: Path) -> None:
    with node(tmp_path, on(43)) as made:
        for given in COURSE:
            made.take(given)
        made.take(heparin(43, starts=43, patient="Q", record="other"))
    with node(tmp_path, on(400)) as made:
        made.wait_until(on(400))
        late = [n.decided_at for n in made.outbox() if n.decided_at > on(43)]
        assert len(late) > 2
        assert late == sorted(late)
        assert late[-1] < on(400)


def test_a_clock_that_is_set_back_undecides_nothing(tmp_path: Path) -> None:
    with node(tmp_path, on(100)) as made:
        for given in COURSE:
            made.take(given)
        standing = made.standing()
        made.clock.at = on(50)
        made.take(PAIN.model_copy(update={"recorded_at": on(49)}))
        assert standing <= made.standing()
        assert made.engine.behind == timedelta(days=50)
    with node(tmp_path, on(50)) as again:
        again.take(back_pain(49, 3, record="other"))
        assert again.outbox()[-1].decided_at >= on(100) - timedelta(hours=1)
        assert standing <= again.standing()


# ---- going live


def _old(given: AnyEvent) -> AnyEvent:
    return given.model_copy(update={"history": True})


def test_old_data_is_decided_silently_and_told_in_one_digest_when_the_source_goes_live(tmp_path: Path) -> None:
    """Also when the node was stopped in between."""
    with node(tmp_path, on(231)) as made:
        for given in (*COURSE, PAIN):
            made.take(_old(given))
        assert made.outbox() == []
        assert made.standing()
        assert [s.state for s in made.reading.sources()] == ["history"]
    with node(tmp_path, on(231)) as made:
        digest = made.engine.go_live("feed").result(SOON)
        assert [n.notice_id for n in made.outbox()] == [n.notice_id for n in digest]
        ranks = [("critical", "warning", "advisory", "info").index(n.severity) for n in digest]
        assert ranks == sorted(ranks)
        assert {n.alert_id for n in digest} == {key for _, key, *_ in made.standing()}
        assert made.engine.go_live("feed").result(SOON) == []
        assert [s.state for s in made.reading.sources()] == ["live"]
    with node(tmp_path, on(231)) as made:
        made.take(back_pain(230, 9, record="worse"))
        assert len(made.outbox()) >= len(digest)


def test_the_first_live_event_of_a_source_ends_its_loading(tmp_path: Path) -> None:
    with node(tmp_path, on(231)) as made:
        for given in COURSE:
            made.take(_old(given))
        assert made.outbox() == []
        made.take(PAIN)
        assert {n.alert_id for n in made.outbox()} >= {key for _, key, *_ in made.standing()}


# ---- a new rule pack


def _other_pack(pack: RulePack) -> RulePack:
    return pack.model_copy(update={"sha256": "f" * 64})


def test_another_rule_pack_looks_at_every_chart_again_and_says_so(tmp_path: Path) -> None:
    with node(tmp_path, on(100), rules=_without_heparin()) as made:
        for given in COURSE:
            made.take(given)
        assert made.transitions("HEP-02") == []
    with node(tmp_path, on(100)) as made:
        for _ in range(100):
            made.engine.call(lambda _desk: None).result(SOON)
            if not made.engine.to_examine:
                break
        (notice,) = [n for n in made.outbox() if n.rule_id == "HEP-02"]
        assert (notice.transition, notice.because) == ("raised", "rule_pack")


def _without_heparin() -> Monitor:
    """The rules of before, without HEP-02."""
    now = monitor()
    return Monitor(_other_pack(now.pack), now.tables, now.calendar, [r for r in now.rules if r.id != "HEP-02"])


# ---- erasure


def _erasure(recorded: float, patient: str = "P") -> AnyEvent:
    return event("erasure", "erasure", recorded, patient=patient)


def test_after_an_erasure_nothing_of_the_patient_is_left_in_the_files(tmp_path: Path) -> None:
    name = "MRN-OF-A-WOMAN-WHO-ASKED"
    with node(tmp_path, on(240)) as made:
        for given in (*COURSE, PAIN):
            made.take(given.model_copy(update={"patient_id": name}))
        made.take(back_pain(230, 8, record="of another", patient="Q"))
        assert name in str(made.standing())
        assert outcome_of(made.take(_erasure(235, name))) == "accepted"
        assert {n.patient_id for n in made.outbox()} <= {"Q"}
        assert set(made.charts()) == {"Q"}
        assert made.reading.timeline(name).items == ()
        assert made.reading.audit()[-1].said["patients"] == [made.store.mark(name)]
        made.engine.call(lambda _desk: None).result(SOON)
        made.reading.close()
        del made.__dict__["reading"]
    left = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert name.encode() not in left
    assert b"of another" in left


def test_what_was_erased_is_refused_when_it_comes_again_and_what_is_new_is_not(tmp_path: Path) -> None:
    with node(tmp_path, on(300)) as made:
        made.take(PAIN)
        made.take(_erasure(235))
    with node(tmp_path, on(300)) as made:
        found = made.take(PAIN)
        assert (found.items[0].outcome, found.items[0].reason) == ("refused", "erased")
        assert made.reading.messages_of("feed", PAIN.event_id) == []
        assert outcome_of(made.take(back_pain(236, 8, record="new"))) == "accepted"
        assert len(made.charts()["P"].facts) == 1


# ---- raw messages, answers, identities


def test_the_evidence_of_an_alert_leads_to_the_message_that_it_came_from(tmp_path: Path) -> None:
    with node(tmp_path, on(100)) as made:
        for given in COURSE:
            made.take(given)
        (alert,) = made.reading.alerts(rule="HEP-02").items
        found = {(i["source"], i["event_id"]) for i in alert["evidence"] if "event_id" in i}
        raw = {message.raw for one in found for message in made.reading.messages_of(*one)}
        assert encode(COURSE[1]) in raw
        assert raw <= set(map(encode, COURSE))


def test_an_answer_is_an_event_and_changes_how_the_alert_stands(tmp_path: Path) -> None:
    key = alert_id("P", episode_id("feed", "pregnancy"), "HEP-02")
    with node(tmp_path, on(101)) as made:
        for given in COURSE:
            made.take(given)
        made.take(response(100.5, key, "acknowledge"))
        alert = made.reading.alert(key)
        assert alert is not None
        assert alert["state"] == "acknowledged"


def test_a_merged_number_is_asked_for_by_either_name_and_its_alert_is_transferred(tmp_path: Path) -> None:
    with node(tmp_path, on(101)) as made:
        for given in COURSE:
            made.take(given.model_copy(update={"patient_id": "Q"}))
        made.take(merge(100.5, "Q", "P"))
        for name in ("P", "Q"):
            view = made.reading.patient(name)
            assert view is not None
            assert (view.patient_id, view.identities) == ("P", ("P", "Q"))
            assert {a["state"] for a in view.alerts if a["rule_id"] == "HEP-02"} == {"open", "transferred"}
            events = [item["event"]["kind"] for item in made.reading.timeline(name).items]
            assert events == ["pregnancy", "prescription", "patient_merge"]
    with node(tmp_path, on(101)) as again:
        again.take(back_pain(100, 3, patient="Q"))
        assert len(again.charts()["P"].facts) == 3


def test_lists_are_given_in_slices_that_leave_nothing_out(tmp_path: Path) -> None:
    with node(tmp_path, on(231)) as made:
        for number in range(9):
            made.take(pregnancy(30, record=f"pregnancy-{number}", patient=f"P{number}"))
            made.take(back_pain(230, 8, record=f"pain-{number}", patient=f"P{number}"))
        first = made.reading.alerts(limit=4)
        assert first.next is not None
        whole = made.reading.alerts().items
        rest = made.reading.alerts(after=first.next).items
        assert (*first.items, *rest) == whole
        with pytest.raises(ValueError, match="no place"):
            made.reading.alerts(after="nonsense")
        half = made.reading.notices(0, 5)
        assert [t.ordinal for t in (*half, *made.reading.notices(half[-1].ordinal))] == [
            t.ordinal for t in made.reading.notices()
        ]


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
    while made.engine.state != "stopping":
        pass
    with pytest.raises(NotDurableError, match="stopping"):
        made.engine.submit(incoming(PAIN, on(231)))
    go_on.set()
    stopping.join(SOON)
    assert all(future.result(SOON).items for future in waiting)
    assert made.engine.state == "stopped"
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
