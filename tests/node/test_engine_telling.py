"""The engine: going live, a new rule pack, erasure, and what the pages read."""

from pathlib import Path

import pytest

from schemas.events import AnyEvent
from schemas.identity import alert_id, episode_id
from schemas.rulepack import RulePack
from schemas.wire import encode
from streams.monitor import Monitor
from streams.node.port import Outcome
from tests.events import back_pain, event, heparin, merge, pregnancy, response
from tests.node.engine_clinic import SOON, node
from tests.support import on
from tests.wards import monitor

COURSE = (pregnancy(30), heparin(42, starts=42))
"""Heparin from week 6 on: HEP-02 is a warning once it has lasted."""
PAIN = back_pain(230, 8)


def outcome_of(found: Outcome) -> str:
    (item,) = found.items
    return item.outcome


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


def test_who_is_forgotten_in_the_batch_that_speaks_of_her_leaves_nothing_behind(tmp_path: Path) -> None:
    name = "MRN-OF-A-WOMAN-WHO-ASKED"
    hers = [given.model_copy(update={"patient_id": name}) for given in (*COURSE, PAIN)]
    with node(tmp_path, on(240)) as made:
        found = made.take_together([*hers, _erasure(235, name), back_pain(230, 8, record="of another", patient="Q")])
        assert [outcome_of(one) for one in found] == ["accepted"] * 5
        assert {n.patient_id for n in made.outbox()} <= {"Q"}
        assert set(made.charts()) == {"Q"}
    left = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert name.encode() not in left


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
