"""Orders and appointments: imaging, laboratory, care."""

from datetime import UTC, datetime

import pytest

from schemas.events import CareOrder, Imaging, LabOrder
from tests.intake.hl7v2_clinic import PID, message, only, refusal, said, told, translate

NOON = datetime(2026, 3, 1, 11, tzinfo=UTC)
MRI = "24968-0^MR lumbar^LN"
CALCIUM = "17861-6^Calcium^LN"


def order(message_type: str, control: str, code: str, *, status: str = "", obr_36: str = "") -> bytes:
    obr = f"OBR|1|P1|F1|{code}" + ("|" * 32 + obr_36 if obr_36 else "")
    return message(message_type, PID, f"ORC|{control}|P1|F1||{status}||||202603010900", obr)


@pytest.mark.parametrize(
    ("control", "status"),
    [
        ("NW", "ordered"),
        ("XO", "ordered"),
        ("RO", "ordered"),
        ("HD", "ordered"),
        ("CA", "cancelled"),
        ("OC", "cancelled"),
        ("CR", "cancelled"),
        ("DC", "cancelled"),
        ("RP", "cancelled"),
    ],
)
@pytest.mark.parametrize("message_type", ["ORM^O01", "OMG^O19", "OMI^O23"])
def test_an_imaging_order_is_ordered_or_cancelled(message_type: str, control: str, status: str) -> None:
    found = only(Imaging, order(message_type, control, MRI))
    assert said(found, "status", "modality", "region", "record_id") == (status, "MRI", "spine", "imaging:P1")
    assert found.ordered_at == datetime(2026, 3, 1, 8, tzinfo=UTC)


def test_a_scheduled_imaging_order_knows_when() -> None:
    assert only(Imaging, order("ORM^O01", "NW", MRI, obr_36="202603051000")).scheduled_for == datetime(
        2026, 3, 5, 9, tzinfo=UTC
    )


@pytest.mark.parametrize(
    ("control", "status", "orc_5"),
    [
        ("NW", "active", ""),
        ("CA", "cancelled", ""),
        ("DC", "cancelled", ""),
        ("SC", "completed", "CM"),
        ("SC", "active", "IP"),
        ("SC", "cancelled", "CA"),
    ],
)
@pytest.mark.parametrize("message_type", ["OML^O21", "ORM^O01"])
def test_a_laboratory_order_is_active_completed_or_cancelled(
    message_type: str, control: str, status: str, orc_5: str
) -> None:
    found = only(LabOrder, order(message_type, control, CALCIUM, status=orc_5))
    assert said(found, "status", "record_id") == (status, "order:P1:17861-6")


def test_an_unmapped_laboratory_order_is_told_and_one_of_an_unknown_service_is_counted() -> None:
    assert [event.kind for event in translate(order("OML^O21", "NW", "X^Panel^L")).events] == ["lab_order"]
    outcome = translate(order("ORM^O01", "NW", "X^Diet^L"))
    assert (outcome.events, outcome.counted) == ((), {"unmapped_code": 1})
    assert outcome.ignored == {"order of another service": 1}


@pytest.mark.parametrize("control", ["UA", "UC", "UD", "UH", "UR", "UX", "OK", "SN"])
def test_a_refusal_by_the_filler_changes_nothing(control: str) -> None:
    outcome = translate(order("ORM^O01", control, MRI))
    assert (outcome.events, outcome.refusals, outcome.ignored) == ((), (), {f"ORC-1 {control}": 1})


@pytest.mark.parametrize(("control", "where"), [("", "ORC[1]-1"), ("QQ", "ORC[1]-1"), ("SC", "ORC[1]-5")])
def test_an_unknown_control_code_is_refused_with_what_would_be_accepted(control: str, where: str) -> None:
    refused, reason, place = refusal(order("ORM^O01", control, MRI))
    assert (refused, place, "accepted" in reason) == ("ORM^O01 C1", where, True)


def test_an_order_without_a_number_or_patient_is_refused() -> None:
    assert refusal(message("ORM^O01", PID, "ORC|NW", f"OBR|1|||{MRI}"))[2] == "OBR[1]-2"
    assert refusal(message("ORM^O01", "ORC|NW|P1", f"OBR|1|P1||{MRI}"))[2] == "PID"
    assert refusal(message("ORM^O01", PID, f"OBR|1|P1||{MRI}"))[2] == "ORC"


def test_a_care_order_is_a_timeline_of_its_states() -> None:
    found = only(CareOrder, order("OMG^O19", "NW", CARE))
    assert said(found, "status", "starts_at") == ("active", datetime(2026, 3, 1, 8, tzinfo=UTC))
    assert only(CareOrder, order("OMG^O19", "HD", CARE)).status == "on_hold"
    assert only(CareOrder, order("OMG^O19", "DC", CARE)).ends_at == datetime(2026, 3, 1, 8, tzinfo=UTC)


CARE = "183051005^Bed rest^SCT"


def appointment(trigger: str, service: str = MRI, action: str = "", at: str = "202603051000") -> bytes:
    schedule = "SCH|A1|B1" + "|" * 24 + "P1" if service == MRI else "SCH|A1|B1"
    return message(f"SIU^{trigger}", schedule, PID, "RGS|1", f"AIS|1|{action}|{service}|{at}")


@pytest.mark.parametrize("trigger", ["S12", "S13", "S14", "S18", "S19"])
def test_an_appointment_for_imaging_is_booked(trigger: str) -> None:
    found = only(Imaging, appointment(trigger))
    assert said(found, "status", "scheduled_for") == ("booked", datetime(2026, 3, 5, 9, tzinfo=UTC))
    assert found.record_id == "imaging:P1"  # that of its order


@pytest.mark.parametrize("trigger", ["S15", "S16", "S17", "S20", "S21", "S22", "S26"])
def test_an_appointment_that_will_not_be_or_was_not_kept_is_cancelled(trigger: str) -> None:
    assert only(Imaging, appointment(trigger)).status == "cancelled"


def test_a_service_that_is_taken_off_an_appointment_is_cancelled() -> None:
    assert only(Imaging, appointment("S14", action="D")).status == "cancelled"


def test_blocked_slots_and_other_services_are_counted() -> None:
    assert translate(appointment("S23")).ignored == {"SIU^S23": 1}
    outcome = translate(appointment("S12", "CONS^Consultation^L"))
    assert (outcome.events, outcome.ignored) == ((), {"appointment of another service": 1})
    assert outcome.counted == {"unmapped_code": 1}


def test_an_appointment_without_an_order_has_its_own_number() -> None:
    raw = message("SIU^S12", "SCH|A1|B1^RIS", PID, f"AIS|1||{MRI}|202603051000")
    assert only(Imaging, raw).record_id == "appointment:B1^RIS"
    assert refusal(message("SIU^S12", "SCH|", PID, f"AIS|1||{MRI}"))[2] == "SCH[1]-1"
    assert refusal(message("SIU^S12", PID))[2] == "SCH[1]"
    assert refusal(message("SIU^S12", "SCH|A1"))[2] == "PID[1]"


def test_orders_are_recorded_when_the_message_was() -> None:
    assert told(order("ORM^O01", "NW", MRI))[0].recorded_at == NOON
