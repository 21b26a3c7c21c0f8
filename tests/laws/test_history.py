"""A load of old data is told once, when its source goes live: what stands then, and nothing else."""

import random
from collections import Counter

import pytest

from schemas.alerts import Notice
from schemas.events import EVENT, AnyEvent
from schemas.wire import decode, encode
from tests.events import back_pain, heparin, lab, merge, pregnancy, recorded, unmerge
from tests.oracle.histories import history
from tests.support import on
from tests.wards import Told, told

ENDS = {"resolved", "withdrawn", "superseded", "transferred"}
LIVE = lab(120, "2823-3", 4.1, "mmol/L", record="k")


def _old(*events: AnyEvent) -> list[AnyEvent]:
    return [e.model_copy(update={"history": True}) for e in events]


def _elsewhere(given: AnyEvent) -> AnyEvent:
    return given.model_copy(update={"source": "clinic", "patient_id": "Q", "event_id": f"clinic {given.event_id}"})


def _first(notices: list[Notice]) -> dict[str, str]:
    """The first transition told of each alert."""
    found: dict[str, str] = {}
    for n in notices:
        found.setdefault(n.alert_id, n.transition)
    return found


def _everyone_knows(found: Told) -> None:
    """Whatever stands was told (or goes on from what was told), once; nothing begins with an answer or an end."""
    moved = {n.into for n in found.notices}
    first = _first(found.notices)
    assert {a.alert_id for a in found.replay.standing()} <= first.keys() | moved
    assert {t for key, t in first.items() if key not in moved} <= {"raised", "reopened"}
    assert max(Counter(n.notice_id for n in found.notices).values(), default=1) == 1


def test_an_alert_that_a_load_transfers_is_told_under_its_new_identity() -> None:
    """Heparin from week 1, paged in week 8 outside a pregnancy; the pregnancy of the same woman is loaded after it."""
    load = _old(heparin(10, starts=10), pregnancy(100))
    found = told([*load, LIVE], 121)
    assert found.of("HEP-02") == [("raised", "warning")]
    assert {n.alert_id for n in found.notices if n.rule_id == "HEP-02"} == {found.standing()["HEP-02"].alert_id}
    _everyone_knows(found)


def test_a_digest_raises_what_was_escalated_while_it_was_held_back() -> None:
    found = told([*_old(pregnancy(30), lab(100, "62292-8", 8, "ng/mL", record="d")), LIVE], 121)
    assert [t for t, _ in found.of("VIT-02")] == ["raised"]
    _everyone_knows(found)


def test_a_patient_who_is_merged_while_loading_is_held_back_under_the_survivor() -> None:
    load = _old(heparin(10, starts=10, patient="A"), merge(20, "A", "B"))
    held = told([*load, back_pain(90, 9, sudden=True, patient="B", source="ward")], 100)
    assert [n for n in held.notices if n.severity != "info"] == []
    live = told([*load, LIVE], 121)
    assert live.of("HEP-02") == [("raised", "warning")]
    _everyone_knows(live)


def test_a_patient_parted_from_one_who_loads_is_told_of_at_once() -> None:
    """B's own pain was held back while A, who loads, was thought to be B."""
    load = _old(pregnancy(10, patient="A"), merge(20, "A", "B"))
    own = [
        heparin(21, starts=10, patient="B", source="ward"),
        unmerge(100, "A", "B").model_copy(update={"source": "ward"}),
    ]
    found = told([*load, *own], 101)
    assert found.of("HEP-02")[-1] == ("raised", "warning")
    assert {n.patient_id for n in found.notices} == {"B"}
    _everyone_knows(found)


def test_what_was_told_before_a_load_and_ended_in_it_is_told_to_have_ended() -> None:
    before = [pregnancy(30), lab(100, "62292-8", 8, "ng/mL", record="d")]
    load = _old(lab(103, "62292-8", 40, "ng/mL", record="d2", source="archive"))
    first_live = lab(120, "2823-3", 4.1, "mmol/L", record="k", source="archive")
    held = told([*before, *load], 119)
    assert [t for t, _ in held.of("VIT-02")] == ["raised", "escalated"]
    found = told([*before, *load, first_live], 121)
    assert [t for t, _ in found.of("VIT-02")] == ["raised", "escalated", "resolved"]


def test_the_end_of_a_digest_is_told_even_if_the_alert_had_come_back_within_its_cool_down() -> None:
    """Raised, resolved and back within a week, all of it in the load; then it ends for good."""
    load = _old(
        pregnancy(30),
        lab(100, "62292-8", 15, "ng/mL", record="first"),
        lab(103, "62292-8", 30, "ng/mL", record="second"),
        lab(110, "62292-8", 15, "ng/mL", record="third"),
    )
    found = told([*load, LIVE, lab(125, "62292-8", 30, "ng/mL", record="fourth")], 126)
    assert [t for t, _ in found.of("VIT-01")] == ["raised", "resolved"]


@pytest.mark.parametrize("seed", range(30))
def test_once_all_sources_are_live_everybody_knows_what_stands(seed: int) -> None:
    """Random histories, half of each a load, with merges, un-merges and corrections."""
    rng = random.Random(2000 + seed)
    events = [EVENT.validate_python(decode(encode({**e, "history": False}))) for e in history(rng)]
    events.sort(key=recorded)
    half = len(events) // 2
    mixed = [e.model_copy(update={"history": i < half or rng.random() < 0.1}) for i, e in enumerate(events)]
    last = min(max(map(recorded, events)), on(1400))
    ends = [lab(0, "2823-3", 4.1, "mmol/L", record=f"k {s}", source=s) for s in sorted({e.source for e in events})]
    live = [e.model_copy(update={"recorded_at": last, "patient_id": "nobody"}) for e in ends]
    _everyone_knows(told([*mixed, *live], 1400))


def test_the_one_who_loads_holds_nobody_else_back() -> None:
    course = [pregnancy(30), heparin(42, starts=42)]
    found = told([*_old(*course), *map(_elsewhere, course)], 100)
    assert {n.patient_id for n in found.notices} == {"Q"}
    assert on(100) > found.notices[0].decided_at
