"""Admissions and updates: the patient, her ward, her diagnoses, what was observed."""

from datetime import UTC, date, datetime

import pytest

from schemas.events import Condition, Encounter, Measurement, Patient
from tests.intake.hl7v2_clinic import PID, message, obx, only, refusal, said, told, translate

NOON = datetime(2026, 3, 1, 11, tzinfo=UTC)
NINE = datetime(2026, 3, 1, 8, tzinfo=UTC)


def visit(ward: str = "GYN^12^1", number: str = "V1", admitted: str = "202603010900", discharged: str = "") -> str:
    return f"PV1|1|I|{ward}" + "|" * 16 + number + "|" * 25 + f"{admitted}|{discharged}"


@pytest.mark.parametrize("trigger", ["A01", "A02", "A03", "A04", "A08", "A31"])
def test_an_admission_or_update_tells_patient_and_encounter(trigger: str) -> None:
    assert [event.kind for event in told(message(f"ADT^{trigger}", PID, visit()))] == ["patient", "encounter"]


@pytest.mark.parametrize("trigger", ["A05", "A11", "A13", "A28", "A60"])
def test_other_triggers_are_ignored_by_type(trigger: str) -> None:
    outcome = translate(message(f"ADT^{trigger}", PID, visit()))
    assert (outcome.events, outcome.ignored) == ((), {f"ADT^{trigger}": 1})


def test_a_trigger_that_only_evn_1_tells_is_that_of_the_message() -> None:
    assert told(message("ADT", "EVN|A08|202603011200", PID))[0].kind == "patient"


def test_the_patient_has_birth_date_sex_and_name() -> None:
    assert said(only(Patient, message("ADT^A08", PID)), "birth_date", "sex", "name", "record_id") == (
        date(1990, 4, 5), "female", "Jane Roe", "patient:4711",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("sent", "sex"),
    [("F", "female"), ("M", "male"), ("O", "other"), ("A", "other"), ("U", "unknown"), ("", None), ("X", None)],
)
def test_sex_is_that_of_table_0001(sent: str, sex: str | None) -> None:
    assert only(Patient, message("ADT^A08", f"PID|1||4711||Roe^Jane||19900405|{sent}")).sex == sex


def test_a_birth_date_without_a_day_is_none_and_counted_and_no_date_is_refused() -> None:
    outcome = translate(message("ADT^A08", "PID|1||4711||||199004"))
    assert outcome.counted == {"birth_date_without_day": 1}
    assert refusal(message("ADT^A08", "PID|1||4711||||19901305"))[2] == "PID[1]-7"


def test_a_death_is_dated_by_pid_29_and_by_the_message_where_only_pid_30_tells_it() -> None:
    dead = "PID|1||4711" + "|" * 26
    assert only(Patient, message("ADT^A08", f"{dead}202603010900|Y")).deceased_at == NINE
    outcome = translate(message("ADT^A08", f"{dead}|Y"))
    assert [e.deceased_at for e in outcome.events if isinstance(e, Patient)] == [NOON]
    assert outcome.counted == {"death_time_unknown": 1}
    assert only(Patient, message("ADT^A08", f"{dead}|N")).deceased_at is None


def test_an_encounter_knows_its_ward_and_a_discharge_ends_it() -> None:
    stay = only(Encounter, message("ADT^A02", PID, visit()))
    assert said(stay, "status", "ward", "starts_at", "ends_at", "record_id") == (
        "active", "GYN", NINE, None, "visit:V1",
    )  # fmt: skip
    gone = only(Encounter, message("ADT^A03", PID, visit(discharged="202603011100")))
    assert said(gone, "status", "ends_at") == ("finished", datetime(2026, 3, 1, 10, tzinfo=UTC))
    assert only(Encounter, message("ADT^A03", PID, visit())).ends_at == NOON


def test_an_encounter_without_its_admission_time_began_when_the_event_happened() -> None:
    raw = message("ADT^A01", "EVN|A01|202603011200||||202603010900", PID, visit(admitted=""))
    assert only(Encounter, raw).starts_at == NINE


def test_a_visit_that_says_nothing_is_no_encounter() -> None:
    assert [event.kind for event in told(message("ADT^A31", PID, "PV1|1|N"))] == ["patient"]


def test_a_diagnosis_is_a_condition_of_its_coding_system() -> None:
    found = only(Condition, message("ADT^A08", PID, visit(), "DG1|1||M80.08XA^Fracture^I10C||20260227|F"))
    assert said(found, "status", "onset_at") == ("active", datetime(2026, 2, 26, 23, tzinfo=UTC))
    assert (found.code.system, found.code.code) == ("http://hl7.org/fhir/sid/icd-10-cm", "M80.08XA")
    assert found.record_id == "diagnosis:4711:V1:M80.08XA"


def test_an_older_diagnosis_has_its_system_in_dg1_2() -> None:
    found = only(Condition, message("ADT^A08", PID, "DG1|1|I10C|M80.08XA"))
    assert found.code.system == "http://hl7.org/fhir/sid/icd-10-cm"


@pytest.mark.parametrize(
    ("action", "status"), [("", "active"), ("A", "active"), ("U", "active"), ("D", "entered_in_error")]
)
def test_dg1_21_takes_a_diagnosis_back(action: str, status: str) -> None:
    diagnosis = "DG1|1||M80.08XA^Fracture^I10C||20260227|F" + "|" * 14 + f"D1|{action}"
    found = only(Condition, message("ADT^A08", PID, diagnosis))
    assert said(found, "status", "record_id") == (status, "diagnosis:D1")


def test_a_diagnosis_in_words_is_refused_and_the_patient_is_told_all_the_same() -> None:
    outcome = translate(message("ADT^A08", PID, "DG1|1|||back pain", "DG1|2||XYZ^odd^L"))
    assert [refused.where for refused in outcome.refusals] == ["DG1[1]-3"]
    assert [event.kind for event in outcome.events] == ["patient", "condition"]
    assert outcome.counted == {"unmapped_code": 1}


def test_an_observation_of_a_visit_is_told_as_coded_with_a_time_of_its_own() -> None:
    weight = obx("62", code="29463-7^Weight^LN", unit="kg", _14="202603010900")
    found = only(Measurement, message("ADT^A08", PID, visit(), weight))
    assert said(found, "observed_at", "record_id") == (NINE, "4711:2026-03-01T09:00:00+01:00:29463-7")
    assert refusal(message("ADT^A08", PID, weight.replace("202603010900", "")))[2] == "OBX[1]-14"
