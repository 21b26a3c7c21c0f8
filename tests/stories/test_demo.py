"""The fortnight of the demonstration: each story raises what it should, and ordinary traffic nothing to be told."""

import io
from functools import cache

import pytest
from rich.console import Console

from schemas.alerts import Notice
from streams.demo import __main__ as demo
from streams.demo.fortnight import made
from streams.demo.hospital import DATA, Fortnight, Telling
from streams.demo.page import Page
from streams.demo.stories import STORIES, STORY_OF

_LARGEST = 2_000_000


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
    assert {n.severity for n in notices() if n.patient_id not in STORY_OF} <= {"info"}
    assert fortnight()[0].tally.messages.total() > 2500


@pytest.mark.parametrize(
    ("patient", "told"),
    [
        (
            "30388",
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
            "30405",
            [
                ("03-01 06:10", "HEP-01", "raised"),
                ("03-05 00:00", "HEP-01", "superseded"),
                ("03-05 00:00", "HEP-02", "raised"),
                ("03-05 08:20", "HEP-02", "acknowledged"),
            ],
        ),
        (
            "30377",
            [
                ("03-01 06:10", "HEP-02", "raised"),
                ("03-09 00:00", "HEP-02", "superseded"),
                ("03-09 00:00", "HEP-04", "raised"),
                ("03-09 04:00", "HEP-04", "escalated"),
                ("03-09 07:40", "HEP-04", "resolved"),
            ],
        ),
        ("30412", [("03-06 10:12", "CAL-01", "raised"), ("03-06 11:24", "CAL-01", "withdrawn")]),
        ("30998", [("03-05 00:00", "HEP-01", "raised"), ("03-10 09:30", "HEP-01", "transferred")]),
        ("30417", []),
    ],
)
def test_a_story_raises_what_it_should(patient: str, told: list[tuple[str, str, str]]) -> None:
    assert of(patient) == told


def test_limits_that_time_alone_crosses_are_told_without_a_message() -> None:
    alone = {(t.notice.patient_id, t.notice.rule_id) for t in fortnight()[1] if t.event is None}
    assert {("30405", "HEP-02"), ("30377", "HEP-04"), ("30388", "SPN-04")} <= alone


def test_the_withdrawal_names_the_event_that_corrects() -> None:
    (withdrawn,) = (t for t in fortnight()[1] if t.notice.transition == "withdrawn")
    assert withdrawn.event is not None
    assert withdrawn.notice.corrects == withdrawn.event.event_id


def test_the_alert_that_the_merge_moves_stands_under_the_surviving_number() -> None:
    """It began earlier there: the course under the former number counts as well."""
    (moved,) = (n for n in notices() if n.transition == "transferred")
    (stands,) = (a for a in fortnight()[0].standing() if a.alert_id == moved.into)
    assert (stands.patient_id, stands.rule_id) == ("30417", moved.rule_id)
    assert stands.effective_at < moved.effective_at


def test_every_patient_of_a_story_is_heard_of() -> None:
    standing = {a.patient_id for a in fortnight()[0].standing()}
    told = {n.patient_id for n in notices()}
    assert {p for story in STORIES for p in story.patients} <= told | standing


def test_the_bundled_files_are_those_that_the_script_makes() -> None:
    """`python -m streams.demo.fortnight` writes them."""
    assert {name: (DATA / name).read_text("utf-8") for name in made()} == made()
    assert sum(path.stat().st_size for path in DATA.iterdir()) < _LARGEST


def test_what_is_not_taken_is_shown_by_name() -> None:
    tally = fortnight()[0].tally
    assert [r.refused.partition(" ")[0] for r in tally.refusals] == ["ORU^R01", "ADT^A43"]
    assert {"DFT^P03", "MDM^T02", "MSH-11 T"} <= tally.ignored.keys()


def shown(console: Console) -> None:
    page = Page(console)
    page.opening()
    for telling in fortnight()[1]:
        page.tell(telling)
    page.closing(fortnight()[0].tally, fortnight()[0].standing(), 1.0)


def test_a_notice_is_shown_with_its_reason_its_limits_and_what_is_not_known() -> None:
    out = io.StringIO()
    shown(Console(file=out, width=200))
    for words in (
        "WARNING  raised  HEP-02, patient 30405  told to on-call",
        "time alone, no message came",
        "exposed days 49 d [lit] Dahlman 1993 AJOG 168:1265",
        "order without a planned end",
        "haematology on call answered: acknowledge",
        "lab result S3002:OBX4:1 from LAB|HOSPITAL corrected what it rested on",
        "made 30998 and 30417 one person",
        "told to nobody: MRK-05",
    ):
        assert words in out.getvalue()


@pytest.mark.parametrize(("terminal", "coloured"), [(True, True), (False, False)])
def test_colours_are_for_terminals_only(terminal: bool, coloured: bool) -> None:
    out = io.StringIO()
    shown(Console(file=out, force_terminal=terminal, color_system="standard" if terminal else None))
    assert ("\x1b[" in out.getvalue()) is coloured


def test_the_command_prints_the_fortnight(capsys: pytest.CaptureFixture[str]) -> None:
    demo.main()
    assert "The fortnight in numbers" in capsys.readouterr().out
