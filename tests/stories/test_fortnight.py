"""A fortnight of an invented hospital in three formats: each story raises what it should, ordinary traffic nothing."""

from functools import cache

import pytest

from schemas.alerts import Notice
from tests.fortnight.hospital import Fortnight, Telling

BACK_PAIN, DAYS_OF_HEPARIN, WEEKS_OF_HEPARIN, ANOTHER_TUBE, TWO_NUMBERS = "30388", "30405", "30377", "30412", "30417"
FORMER = "30998"
OF_STORIES = frozenset({BACK_PAIN, DAYS_OF_HEPARIN, WEEKS_OF_HEPARIN, ANOTHER_TUBE, TWO_NUMBERS, FORMER})


@cache
def fortnight() -> tuple[Fortnight, tuple[Telling, ...]]:
    replayed = Fortnight()
    return replayed, tuple(replayed.tellings())


def notices() -> list[Notice]:
    return [telling.notice for telling in fortnight()[1]]


def of(patient: str) -> list[tuple[str, str, str]]:
    """(day and time, rule, transition) of what was told of a patient; what is only recorded is left out."""
    return [
        (f"{n.decided_at:%m-%d %H:%M}", n.rule_id, n.transition)
        for n in notices()
        if n.patient_id == patient and n.severity != "info"
    ]


def test_ordinary_traffic_raises_nothing_that_anybody_is_told() -> None:
    """Updates, ordinary results, prophylaxis with enoxaparin and nine pregnancies that go well."""
    assert {n.severity for n in notices() if n.patient_id not in OF_STORIES} <= {"info"}
    assert fortnight()[0].tally.messages.total() > 2500


@pytest.mark.parametrize(
    ("patient", "told"),
    [
        (
            BACK_PAIN,
            [
                ("03-01 07:45", "SPN-01", "raised"),
                ("03-04 07:45", "SPN-01", "escalated"),
                ("03-15 00:00", "SPN-04", "raised"),
                ("03-15 11:20", "SPN-04", "resolved"),
                ("03-15 11:20", "SPN-02", "raised"),
                ("03-15 12:05", "SPN-02", "acknowledged"),
            ],
        ),
        (
            DAYS_OF_HEPARIN,
            [
                ("03-01 06:10", "HEP-01", "raised"),
                ("03-05 00:00", "HEP-01", "superseded"),
                ("03-05 00:00", "HEP-02", "raised"),
                ("03-05 08:20", "HEP-02", "acknowledged"),
            ],
        ),
        (
            WEEKS_OF_HEPARIN,
            [
                ("03-01 06:10", "HEP-02", "raised"),
                ("03-09 00:00", "HEP-02", "superseded"),
                ("03-09 00:00", "HEP-04", "raised"),
                ("03-09 04:00", "HEP-04", "escalated"),
                ("03-09 07:40", "HEP-04", "resolved"),
            ],
        ),
        (ANOTHER_TUBE, [("03-06 10:12", "CAL-01", "raised"), ("03-06 11:24", "CAL-01", "withdrawn")]),
        (FORMER, [("03-05 00:00", "HEP-01", "raised"), ("03-10 09:30", "HEP-01", "transferred")]),
        (TWO_NUMBERS, []),
    ],
)
def test_a_story_raises_what_it_should(patient: str, told: list[tuple[str, str, str]]) -> None:
    assert of(patient) == told


def test_limits_that_time_alone_crosses_are_told_without_a_message() -> None:
    alone = {(t.notice.patient_id, t.notice.rule_id) for t in fortnight()[1] if t.event is None}
    assert {(DAYS_OF_HEPARIN, "HEP-02"), (WEEKS_OF_HEPARIN, "HEP-04"), (BACK_PAIN, "SPN-04")} <= alone


def test_the_withdrawal_names_the_event_that_corrects() -> None:
    (withdrawn,) = (t for t in fortnight()[1] if t.notice.transition == "withdrawn")
    assert withdrawn.event is not None
    assert withdrawn.notice.corrects == withdrawn.event.event_id


def test_the_alert_that_the_merge_moves_stands_under_the_surviving_number() -> None:
    """It began earlier there: the course under the former number counts as well."""
    (moved,) = (n for n in notices() if n.transition == "transferred")
    (stands,) = (a for a in fortnight()[0].standing() if a.alert_id == moved.into)
    assert (stands.patient_id, stands.rule_id) == (TWO_NUMBERS, moved.rule_id)
    assert stands.effective_at < moved.effective_at


def test_every_patient_of_a_story_is_heard_of() -> None:
    standing = {a.patient_id for a in fortnight()[0].standing()}
    told = {n.patient_id for n in notices()}
    assert told | standing >= OF_STORIES


def test_what_is_not_taken_is_named() -> None:
    tally = fortnight()[0].tally
    assert [r.refused.partition(" ")[0] for r in tally.refusals] == ["ORU^R01", "ADT^A43"]
    assert {"DFT^P03", "MDM^T02", "MSH-11 T"} <= tally.ignored.keys()
