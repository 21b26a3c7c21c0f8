"""Who the patient is, and what becomes of a record that was somebody else's."""

from datetime import UTC, datetime

import pytest

from schemas.events import AnyEvent, LabResult, PatientMerge, PatientUnmerge
from streams.intake.site import MemoryDirectory, Site
from tests.intake.hl7v2_clinic import PID, message, obx, refusal, report, said, told, translate

HOUSE = Site(default_assigner="CLINIC")


def patient(pid: str, site: Site = HOUSE) -> str:
    return told(message("ADT^A08", pid), site)[0].patient_id


@pytest.mark.parametrize(
    ("pid", "name"),
    [
        ("PID|1||4711^^^CLINIC^MR", "4711"),
        ("PID|1||4711^^^OTHER^MR", "OTHER|4711"),
        ("PID|1||4711^^^OTHER&1.2.3&ISO^MR", "OTHER|4711"),
        ("PID|1||4711^^^&1.2.3&ISO^MR", "1.2.3|4711"),
        ("PID|1||4711", "4711"),
        ("PID|1||9^^^SSA^SS~4711^^^OTHER^MR", "OTHER|4711"),
        ("PID|1||9^^^A^PI~8^^^B^PI", "A|9"),
        ("PID|1||~4711^^^OTHER^MR", "OTHER|4711"),
        ('PID|1||""~4711^^^OTHER^MR', "OTHER|4711"),
        ("PID|1|12^^^OLD|4711^^^CLINIC^MR|13", "4711"),
        ("PID|1|12^^^OLD||13", "OLD|12"),
        ("PID|1|||13^^^OLD", "OLD|13"),
    ],
)
def test_the_medical_record_number_names_the_patient_else_the_first_identifier(pid: str, name: str) -> None:
    assert patient(pid) == name


@pytest.mark.parametrize(
    ("site", "name"),
    [
        (Site(), "A|1"),
        (Site(preferred_identifier_type="PI"), "A|2"),
        (Site(preferred_authority="B"), "B|3"),
        (Site(preferred_authority="1.2.4"), "B|4"),
        (Site(preferred_authority="B", preferred_identifier_type="PI"), "B|4"),
        (Site(preferred_authority="NONE"), "A|1"),
        (Site(preferred_authority="B", default_assigner="B"), "3"),
        (Site(preferred_authority="B", preferred_identifier_type="PI", default_assigner="1.2.4"), "4"),
    ],
)
def test_the_sites_authority_comes_before_its_type_and_both_before_the_order_sent(site: Site, name: str) -> None:
    assert patient("PID|1||2^^^A^PI~1^^^A^MR~3^^^B^MR~4^^^B&1.2.4&ISO^PI", site) == name


@pytest.mark.parametrize(("pid", "where"), [("PID|1||^^^CLINIC^MR", "PID[1]-3"), ("PV1|1", "PID[1]")])
def test_a_message_about_nobody_is_refused_by_the_field(pid: str, where: str) -> None:
    assert refusal(message("ADT^A08", pid))[2] == where


def test_each_patient_of_a_report_has_her_own_results() -> None:
    second = "PID|2||4712^^^CLINIC^MR", "OBR|1|P2|F2|X|||20260301080000", obx("9.9")
    assert [event.patient_id for event in told(report(obx("9.4"), *second), HOUSE)] == ["4711", "4712"]


@pytest.mark.parametrize("trigger", ["A18", "A34", "A36", "A39", "A40", "A47"])
def test_a_merge_retires_the_identity_of_mrg_1_into_that_of_pid_3(trigger: str) -> None:
    (merge,) = told(message(f"ADT^{trigger}", PID, "MRG|12^^^CLINIC^MR"), HOUSE)
    assert isinstance(merge, PatientMerge)
    assert (merge.patient_id, merge.into) == ("12", "4711")


def pairs(events: tuple[AnyEvent, ...]) -> list[tuple[str, str]]:
    return [(event.patient_id, event.into) for event in events if isinstance(event, PatientMerge | PatientUnmerge)]


def test_every_pair_and_every_repetition_of_mrg_1_of_the_same_type_is_merged() -> None:
    raw = message(
        "ADT^A40", PID, "MRG|12^^^CLINIC^MR~13^^^CLINIC^MR~99^^^SSA^SS", "PID|1||7^^^X^MR", "PD1|", "MRG|8^^^X^MR"
    )
    assert pairs(told(raw, HOUSE)) == [("12", "4711"), ("13", "4711"), ("X|8", "X|7")]


def test_a_merge_into_itself_and_an_mrg_without_its_pid_are_no_merges() -> None:
    assert translate(message("ADT^A47", PID, "MRG|4711^^^CLINIC^MR"), HOUSE).ignored == {"merge into itself": 1}
    assert refusal(message("ADT^A40", "MRG|12", PID))[2] == "MRG[1]"
    assert refusal(message("ADT^A40", PID))[2] == "MRG[1]"
    assert refusal(message("ADT^A40", PID, "MRG|^^^CLINIC"))[2] == "MRG[1]-1"


def test_the_record_of_a_link_is_the_retired_identity_so_that_its_latest_link_holds() -> None:
    first = told(message("ADT^A40", PID, "MRG|12^^^CLINIC^MR"), HOUSE)[0]
    again = told(message("ADT^A40", "PID|1||5^^^CLINIC^MR", "MRG|12^^^CLINIC^MR", control="C2"), HOUSE)[0]
    assert first.record_id == again.record_id == "link:12"


def test_a24_links_two_patients_and_a37_takes_that_back() -> None:
    second = "PID|2||12^^^CLINIC^MR"
    (linked,), (unlinked,) = (
        told(message(f"ADT^{trigger}", PID, "PV1|1", second), HOUSE) for trigger in ("A24", "A37")
    )
    assert pairs((linked, unlinked)) == [("12", "4711"), ("12", "4711")]
    assert isinstance(linked, PatientMerge)
    assert isinstance(unlinked, PatientUnmerge)
    assert linked.record_id == unlinked.record_id
    assert refusal(message("ADT^A24", PID))[2] == "PID[2]"


@pytest.mark.parametrize("trigger", ["A35", "A41", "A42", "A44", "A45", "A49", "A50", "A51"])
def test_merges_of_accounts_and_visits_are_ignored_by_type(trigger: str) -> None:
    outcome = translate(message(f"ADT^{trigger}", PID, "MRG|12^^^CLINIC^MR"))
    assert (outcome.events, outcome.refusals, outcome.ignored) == ((), (), {f"ADT^{trigger}": 1})


def test_a43_is_refused_by_name_as_it_moves_a_number_and_no_person() -> None:
    refused, reason, where = refusal(message("ADT^A43", PID, "MRG|12^^^CLINIC^MR"))
    assert (refused, where) == ("ADT^A43 C1", "MSH[1]-9")
    assert "A43" in reason


def test_a_result_that_comes_again_under_another_patient_is_taken_back_from_the_former_one() -> None:
    directory = MemoryDirectory()
    told(report(obx("9.4"), at="20260301120000"), HOUSE, directory)
    events = told(
        report(obx("9.4"), patient="PID|1||12^^^CLINIC^MR", at="20260301130000", control="C2"), HOUSE, directory
    )
    assert [said(event, "patient_id", "status", "recorded_at") for event in events if isinstance(event, LabResult)] == [
        ("12", "final", datetime(2026, 3, 1, 13, tzinfo=UTC)),
        ("4711", "entered_in_error", datetime(2026, 3, 1, 12, tzinfo=UTC)),
    ]


def test_the_same_order_number_of_another_laboratory_takes_nothing_from_anybody() -> None:
    directory = MemoryDirectory()
    told(report(obx("9.4"), request="OBR|1||7^LAB-A|X|||202603010800"), HOUSE, directory)
    other = report(obx("9.4"), request="OBR|1||7^LAB-B|X|||202603010800", patient="PID|1||12^^^CLINIC^MR", control="C2")
    assert len(told(other, HOUSE, directory)) == 1
