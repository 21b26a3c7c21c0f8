"""What a correction brings back, what a shadow rule may not hide, and what a notice says of an end."""

from zoneinfo import ZoneInfo

from schemas.days import Calendar
from schemas.rulepack import RulePack
from streams.monitor import Monitor
from streams.replay import Replay
from streams.ward import MemoryCharts, Ward
from tests.events import back_pain, event, heparin, lab, merge, pregnancy, unmerge
from tests.support import on, pack, tables
from tests.wards import told

COURSE = [pregnancy(30), heparin(42, starts=42)]


def test_an_end_that_a_correction_takes_back_is_told_within_the_cool_down() -> None:
    """8 ng/mL, then 40; the 40 belonged to somebody else: the warning stands again, and everybody hears of it."""
    events = [
        pregnancy(30),
        lab(100, "62292-8", 8, "ng/mL", record="low"),
        lab(102, "62292-8", 40, "ng/mL", record="high"),
        lab(104, "62292-8", 40, "ng/mL", record="high", collected=102, status="entered_in_error", event_id="the fix"),
    ]
    found = [n for n in told(events, 105).notices if n.rule_id == "VIT-02"]
    assert [n.transition for n in found] == ["raised", "resolved", "reopened"]
    assert found[-1].corrects == "the fix"


def test_a_finding_that_only_a_withdrawn_one_hid_is_told_again() -> None:
    """Sudden pain under heparin hides the heparin tier; the report was of another patient."""
    pain = back_pain(100, 9, sudden=True)
    error = back_pain(101, 9, sudden=True, record_status="entered_in_error")
    found = told([*COURSE, pain, error], 102)
    assert [t for t, _ in found.of("HEP-05")] == ["raised", "escalated", "withdrawn"]
    assert [t for t, _ in found.of("HEP-02")] == ["raised", "escalated", "superseded", "reopened"]
    assert "HEP-02" in found.standing()


def test_a_shadow_rule_hides_no_live_one() -> None:
    content = pack().model_dump(exclude={"sha256"})
    content["rules"]["HEP-04"]["mode"] = "shadow"
    shadowed = RulePack.model_validate(content)
    monitor = Monitor(shadowed, tables(), Calendar(ZoneInfo("UTC")))
    replay = Replay(Ward(monitor, MemoryCharts()), on(170))
    notices = list(replay.run(COURSE))
    assert {(a.rule_id, a.mode) for a in replay.standing()} == {("HEP-02", "live"), ("HEP-04", "shadow")}
    assert [n.transition for n in notices if n.rule_id == "HEP-02"] == ["raised", "escalated"]


def test_parted_again_nobody_is_paged_a_second_time() -> None:
    """Both were told of a heparin tier of their own; merged and parted, nothing is raised or reopened."""
    events = [
        heparin(10, starts=10, record="a", patient="A"),
        heparin(10, starts=10, record="b", patient="B"),
        merge(70, "B", "A"),
        unmerge(75, "B", "A"),
    ]
    found = told(events, 76)
    assert [t for t, _ in found.of("HEP-02")].count("raised") == 2
    assert "reopened" not in [t for t, _ in found.of("HEP-02")]
    assert {a.patient_id for a in found.replay.standing() if a.rule_id == "HEP-02"} == {"A", "B"}


def test_a_notice_of_an_end_says_why_and_commands_nothing() -> None:
    events = [
        pregnancy(30),
        lab(100, "62292-8", 8, "ng/mL", record="low"),
        lab(110, "62292-8", 40, "ng/mL", record="high"),
    ]
    resolved = next(n for n in told(events, 111).notices if n.transition == "resolved" and n.rule_id == "VIT-02")
    assert resolved.sentence.startswith("No longer so since ")
    assert "It had said: " in resolved.sentence
    died = event("patient", "death", 101, deceased_at="2025-04-17T10:00:00Z")
    ended = next(
        n for n in told([*events[:2], died], 103).notices if n.transition == "resolved" and n.rule_id == "VIT-02"
    )
    assert "the patient died" in ended.sentence
    over = told([pregnancy(30), lab(100, "62292-8", 8, "ng/mL", record="low")], 800).notices
    assert "the episode is over" in next(
        n.sentence for n in over if n.transition == "resolved" and n.rule_id == "VIT-02"
    )


def test_a_withdrawn_notice_says_that_it_was_taken_back_and_what() -> None:
    low = lab(100, "1995-0", 0.7, "mmol/L", record="calcium")
    error = lab(101, "1995-0", 0.7, "mmol/L", record="calcium", collected=100, status="entered_in_error")
    found = [n for n in told([pregnancy(30), low, error], 102).notices if n.rule_id == "CAL-01"]
    assert found[-1].transition == "withdrawn"
    assert found[-1].sentence.startswith("Taken back: Critical calcium")
    assert "unknown" not in found[-1].sentence


def test_a_result_corrected_to_a_code_nobody_reads_is_no_longer_what_it_was() -> None:
    """A critical calcium was a glucose all along; in any order of arrival the alert is withdrawn and does not stand."""
    low = lab(100, "1995-0", 0.7, "mmol/L", record="result")
    glucose = lab(101, "2345-7", 70, "mg/dL", record="result", collected=100, status="corrected", event_id="the fix")
    found = told([pregnancy(30), low, glucose], 102)
    assert [t for t, _ in found.of("CAL-01")] == ["raised", "escalated", "withdrawn"]
    assert "CAL-01" not in told([pregnancy(30), glucose, low], 102, as_given=True).standing()
    assert found.replay.ward.counts["unmapped_code"] == 1
