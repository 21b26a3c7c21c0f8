"""Medication: prescriptions as versions, supplies, doses given."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from schemas.events import Administration, Dispense, Prescription, Quantity
from streams.intake.hl7v2.timing import doses_per_day
from streams.intake.site import MemoryDirectory
from tests.intake.hl7v2_clinic import PID, message, only, refusal, said, told, translate

HEPARIN = "5224^heparin^RXNORM"
NINE = datetime(2026, 3, 1, 8, tzinfo=UTC)
NOON = datetime(2026, 3, 1, 11, tzinfo=UTC)
TQ1 = "TQ1|1||BID|||10^D|202603010900|202603110900"
RXE = f"RXE||{HEPARIN}|5000||[IU]"


def rde(*segments: str, control: str = "NW", more: str = "", **of_header: str) -> bytes:
    """An encoded order P1; `more` are ORC fields from ORC-4 on."""
    return message("RDE^O11", PID, f"ORC|{control}|P1|F1{more}", *segments, **of_header)


def until(instant: str) -> str:
    """ORC-4 to ORC-15 with the order's effective time."""
    return "|" * 12 + instant


def test_an_encoded_order_is_a_prescription_with_dose_frequency_route_and_dates() -> None:
    found = only(Prescription, rde(RXE, "NTE|1||with food", TQ1, "RXR|SC^Subcutaneous"))
    assert said(found, "status", "dose", "doses_per_day", "route", "record_id", "placer_order", "note") == (
        "active", Quantity(value=Decimal(5000), unit="[IU]"), Decimal(2), "SC", "P1", "P1", "with food",
    )  # fmt: skip
    assert said(found, "starts_at", "effective_from") == (NINE, None)
    assert found.ends_at == datetime(2026, 3, 11, 8, tzinfo=UTC)
    assert (found.drug.system, found.drug.code) == ("http://www.nlm.nih.gov/research/umls/rxnorm", "5224")


@pytest.mark.parametrize("message_type", ["OMP^O09", "ORM^O01", "RDE^O25"])
def test_a_requested_order_is_a_prescription_too(message_type: str) -> None:
    raw = message(message_type, PID, "ORC|NW|P1", "TQ1|1||Q8H||||202603010900", f"RXO|{HEPARIN}|5000||[IU]", "RXR|SC")
    assert said(only(Prescription, raw), "dose", "doses_per_day", "route") == (
        Quantity(value=Decimal(5000), unit="[IU]"), Decimal(3), "SC",
    )  # fmt: skip


def test_the_encoded_order_comes_before_the_request_in_the_same_message() -> None:
    raw = rde("TQ1|1||QD", f"RXO|{HEPARIN}|1||mg", "RXR|IV", RXE, TQ1, "RXR|SC")
    assert said(only(Prescription, raw), "dose", "doses_per_day", "route") == (
        Quantity(value=Decimal(5000), unit="[IU]"), Decimal(2), "SC",
    )  # fmt: skip


def test_an_old_order_has_its_timing_in_rxe_1_else_orc_7() -> None:
    timed = f"RXE|^TID^^202603010900^202603050900|{HEPARIN}|5000||[IU]"
    assert said(only(Prescription, rde(timed)), "doses_per_day", "starts_at") == (Decimal(3), NINE)
    asked = only(Prescription, rde(RXE, more="||||^Q12H^^202603010900^^PRN"))
    assert said(asked, "doses_per_day", "starts_at", "as_needed") == (Decimal(2), NINE, True)


@pytest.mark.parametrize(
    ("rate", "value", "unit"),
    [("|1200|[IU]/h", "1200", "[IU]/h"), ("H1|1200|[IU]", "1200", "[IU]/h"), ("D1|24000|[IU]", "24000", "[IU]/d"),
     ("H2|100|mL", "50", "mL/h"), ("|100|mL", "100", "mL")],
)  # fmt: skip
def test_an_infusion_has_a_rate_by_its_unit_or_its_time_unit(rate: str, value: str, unit: str) -> None:
    found = only(Prescription, rde(f"RXE||{HEPARIN}||||" + "|" * 16 + rate, TQ1))
    assert found.rate == Quantity(value=Decimal(value), unit=unit)
    assert found.dose is None


@pytest.mark.parametrize(
    ("pattern", "frequency"),
    [
        ("BID", "2"),
        ("TID", "3"),
        ("QID", "4"),
        ("QD", "1"),
        ("Q12H", "2"),
        ("Q8H", "3"),
        ("Q6H", "4"),
        ("q4h", "6"),
        ("2XD", "2"),
        ("2D", "2"),
        ("5ID", "5"),
        ("QOD", "0.5"),
        ("Q2D", "0.5"),
        ("QHS", "1"),
        ("Q30M", "48"),
        ("Once", "1"),
        ("BIDPRN", "2"),
        ("Q24H", "1"),
        ("DAILY", "1"),
        ("1XW", None),
        ("Q1W", None),
        ("AC", None),
        ("", None),
        ("Q0H", None),
        ("PRN", None),
        ("when needed", None),
        ("٣ID", None),
    ],
)
def test_a_repeat_pattern_is_a_number_of_doses_a_day_or_none(pattern: str, frequency: str | None) -> None:
    found = doses_per_day(pattern)
    if frequency is None and pattern in ("1XW", "Q1W"):
        assert found == Decimal(1) / 7
    else:
        assert found == (frequency and Decimal(frequency))


def test_an_unknown_frequency_is_counted_and_not_guessed() -> None:
    outcome = translate(rde(RXE, "TQ1|1||Q-LUNCH||||202603010900"))
    assert outcome.counted == {"unknown_frequency": 1}
    assert [e.doses_per_day for e in outcome.events if isinstance(e, Prescription)] == [None]


@pytest.mark.parametrize(
    ("timing", "needed"),
    [
        ("TQ1|1||PRN", True),
        ("TQ1|1||Q4HPRN", True),
        ("TQ1|1||Q4H PRN", True),
        ("TQ1|1||Q4H||||||PRN^As needed", True),
        ("TQ1|1||Q4H", False),
    ],
)
def test_as_needed_is_said_by_the_pattern_or_the_priority(timing: str, needed: object) -> None:
    assert only(Prescription, rde(RXE, timing)).as_needed is needed


def test_several_timings_at_once_add_up_and_one_after_the_other_are_no_frequency() -> None:
    start = "||||202603010900"
    both = rde(RXE, f"TQ1|1||QAM{start}", f"TQ1|2||QPM{start}")
    assert only(Prescription, both).doses_per_day == Decimal(2)
    tapered = translate(rde(RXE, f"TQ1|1||BID{start}|||||S", f"TQ1|2||QD{start}"))
    assert tapered.counted == {"complex_timing": 1}


def test_a_single_dose_ends_when_it_starts() -> None:
    assert said(only(Prescription, rde(RXE, "TQ1|1||ONCE||||202603010900")), "starts_at", "ends_at") == (NINE, NINE)


@pytest.mark.parametrize("control", ["NW", "XO", "XX", "XR", "RO", "RE", "CH"])
def test_a_new_or_changed_order_is_a_version_from_orc_15(control: str) -> None:
    found = only(Prescription, rde(RXE, TQ1, control=control, more=until("202603021000")))
    assert said(found, "status", "effective_from", "starts_at") == (
        "active", datetime(2026, 3, 2, 9, tzinfo=UTC), NINE,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("control", "status"),
    [("HD", "on_hold"), ("HR", "on_hold"), ("OH", "on_hold"), ("RL", "active"), ("OE", "active"), ("OR", "active")],
)
def test_a_hold_or_release_keeps_the_order_and_holds_from_when_it_was_said(control: str, status: str) -> None:
    found = only(Prescription, rde(RXE, TQ1, control=control))
    assert said(found, "status", "starts_at", "effective_from") == (status, NINE, NOON)


@pytest.mark.parametrize("control", ["DC", "DR", "OD", "RP", "RU", "RQ"])
def test_a_stop_ends_the_order_at_orc_15_else_orc_9_else_the_message(control: str) -> None:
    assert said(only(Prescription, rde(RXE, TQ1, control=control)), "status", "ends_at") == ("stopped", NOON)
    said_at = only(Prescription, rde(RXE, TQ1, control=control, more=until("202603051000")))
    assert said_at.ends_at == said_at.effective_from == datetime(2026, 3, 5, 9, tzinfo=UTC)
    entered = only(Prescription, rde(RXE, TQ1, control=control, more="||||||202603041000"))
    assert entered.ends_at == datetime(2026, 3, 4, 9, tzinfo=UTC)


def test_a_stop_after_the_planned_end_changes_nothing_of_it() -> None:
    planned = datetime(2026, 3, 11, 8, tzinfo=UTC)
    assert only(Prescription, rde(RXE, TQ1, control="DC", at="20260401120000")).ends_at == planned


@pytest.mark.parametrize("control", ["CA", "CR", "OC"])
@pytest.mark.parametrize(("at", "status"), [("20260301085959", "cancelled"), ("20260301090000", "stopped")])
def test_a_cancellation_before_the_start_cancels_and_after_it_stops(control: str, at: str, status: str) -> None:
    assert only(Prescription, rde(RXE, TQ1, control=control, at=at)).status == status


@pytest.mark.parametrize(
    ("status", "found"),
    [
        ("IP", "active"),
        ("SC", "active"),
        ("A", "active"),
        ("HD", "on_hold"),
        ("DC", "stopped"),
        ("RP", "stopped"),
        ("CM", "completed"),
        ("CA", "stopped"),
    ],
)
def test_a_changed_status_is_that_of_orc_5(status: str, found: str) -> None:
    assert only(Prescription, rde(RXE, TQ1, control="SC", more=f"||{status}")).status == found


@pytest.mark.parametrize("control", ["UA", "UC", "UD", "UH", "UR", "UX"])
def test_a_request_that_could_not_be_done_changes_nothing(control: str) -> None:
    outcome = translate(rde(RXE, TQ1, control=control))
    assert (outcome.events, outcome.refusals, outcome.ignored) == ((), (), {f"ORC-1 {control}": 1})


def test_a_stop_that_repeats_nothing_is_of_the_last_version() -> None:
    directory = MemoryDirectory()
    told(rde(RXE, TQ1, "RXR|SC"), directory=directory)
    raw = rde(control="DC", more=until("202603051000")).replace(b"|C1|", b"|C2|")
    stopped = only(Prescription, raw, directory=directory)
    assert said(stopped, "status", "starts_at", "dose", "doses_per_day", "route") == (
        "stopped", NINE, Quantity(value=Decimal(5000), unit="[IU]"), Decimal(2), "SC",
    )  # fmt: skip
    assert stopped.drug.code == "5224"


def test_a_stop_of_an_order_that_nobody_knows_is_refused_without_its_drug() -> None:
    assert refusal(rde(control="DC"))[2] == "ORC[1]"


def test_a_change_that_does_not_repeat_the_start_does_not_move_it() -> None:
    directory = MemoryDirectory()
    told(rde(RXE, TQ1), directory=directory)
    raw = rde(RXE.replace("5000", "7500"), control="XO", at="20260304120000").replace(b"|C1|", b"|C2|")
    changed = only(Prescription, raw, directory=directory)
    assert said(changed, "starts_at", "effective_from") == (NINE, datetime(2026, 3, 4, 11, tzinfo=UTC))


def test_an_order_without_a_start_begins_when_it_takes_effect_and_is_counted() -> None:
    outcome = translate(rde(RXE, more="||||||202603010900"))
    assert [said(e, "starts_at", "effective_from") for e in outcome.events] == [(NINE, None)]
    assert outcome.counted == {"start_implied": 1}


def test_an_order_needs_a_number_a_drug_and_a_readable_dose() -> None:
    assert refusal(message("RDE^O11", PID, "ORC|NW", RXE))[2] == "ORC[1]-2"
    assert refusal(rde("RXE|||5000||[IU]"))[2] == "ORC[1]"
    assert refusal(rde("RXE||^heparin|5000||[IU]"))[2] == "RXE[1]-2"
    assert refusal(rde(f"RXE||{HEPARIN}|5,000||[IU]"))[2] == "RXE[1]-3"
    assert refusal(rde(RXE, "TQ1|1||BID||||202603"))[2] == "TQ1[1]-7"


def test_the_record_is_the_placers_number_else_the_fillers_with_its_namespace() -> None:
    assert only(Prescription, message("RDE^O11", PID, "ORC|NW|P1^HIS|F1", RXE)).record_id == "P1^HIS"
    assert only(Prescription, message("RDE^O11", PID, "ORC|NW||F1", RXE)).record_id == "F1"


def test_an_unmapped_drug_is_still_told_and_counted_and_a_range_of_doses_is_its_least() -> None:
    outcome = translate(rde("RXE||X^Mystery^L|1|2|mg", TQ1))
    assert outcome.counted == {"unmapped_code": 1, "dose_range": 1}
    assert [e.dose for e in outcome.events if isinstance(e, Prescription)] == [Quantity(value=Decimal(1), unit="mg")]


def test_each_order_of_a_message_is_its_own_prescription() -> None:
    second = "ORC|NW|P2|F2", RXE.replace("5000", "7500"), TQ1
    assert [event.record_id for event in told(rde(RXE, TQ1, *second))] == ["P1", "P2"]


def rds(rxd: str, control: str = "RE") -> bytes:
    return message("RDS^O13", PID, f"ORC|{control}|P1|F1", RXE, TQ1, rxd, "RXR|SC")


def test_a_dispense_has_its_quantity_and_no_invented_days() -> None:
    found = only(Dispense, rds(f"RXD|1|{HEPARIN}|202603011100|20|{{syringe}}"))
    assert said(
        found, "status", "quantity", "days_supply", "dispensed_at", "doses_per_day", "route", "placer_order"
    ) == (
        "completed",
        Quantity(value=Decimal(20), unit="{syringe}"),
        None,
        datetime(2026, 3, 1, 10, tzinfo=UTC),
        Decimal(2),
        "SC",
        "P1",
    )
    assert found.dose == Quantity(value=Decimal(5000), unit="[IU]")


def test_a_dispense_is_taken_back_by_its_order_control_and_needs_its_time() -> None:
    assert only(Dispense, rds(f"RXD|1|{HEPARIN}|202603011100|20|mL", "CA")).status == "cancelled"
    assert refusal(rds(f"RXD|1|{HEPARIN}||20|mL"))[2] == "RXD[1]-3"


def ras(amount: str = "5000|[IU]", *, completion: str = "CP", action: str = "", per: str = "", end: str = "") -> bytes:
    tail = f"|||||{per}" + "|" * 8 + f"{completion}|{action}"
    return message("RAS^O17", PID, "ORC|RE|P1|F1", f"RXA|0|1|202603010900|{end}|{HEPARIN}|{amount}{tail}", "RXR|SC")


def test_a_dose_given_is_an_administration() -> None:
    found = only(Administration, ras())
    assert said(found, "status", "dose", "given_at", "ends_at", "route", "placer_order") == (
        "completed", Quantity(value=Decimal(5000), unit="[IU]"), NINE, None, "SC", "P1",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("completion", "action", "status"),
    [
        ("", "", "completed"),
        ("CP", "A", "completed"),
        ("PA", "U", "completed"),
        ("RE", "", "not_done"),
        ("NA", "", "not_done"),
        ("CP", "D", "entered_in_error"),
        ("RE", "D", "entered_in_error"),
    ],
)
def test_rxa_20_and_21_say_whether_it_was_given(completion: str, action: str, status: str) -> None:
    assert only(Administration, ras(completion=completion, action=action)).status == status


def test_a_partial_dose_is_completed_with_the_amount_that_was_given() -> None:
    assert only(Administration, ras("2500|[IU]", completion="PA")).dose == Quantity(value=Decimal(2500), unit="[IU]")


@pytest.mark.parametrize("amount", ["999|[IU]", "999", ""])
def test_an_unknown_amount_is_no_dose_and_is_counted(amount: str) -> None:
    outcome = translate(ras(amount if "|" in amount else f"{amount}|"))
    assert [e.dose for e in outcome.events if isinstance(e, Administration)] == [None]
    assert outcome.counted == {"unknown_amount": 1}


def test_an_infusion_that_ran_has_its_rate_and_end() -> None:
    found = only(Administration, ras("1200|[IU]", per="H1", end="202603011500"))
    assert said(found, "dose", "rate", "ends_at") == (
        None, Quantity(value=Decimal(1200), unit="[IU]/h"), datetime(2026, 3, 1, 14, tzinfo=UTC),
    )  # fmt: skip


def test_an_administration_needs_its_time_and_known_codes() -> None:
    assert refusal(ras(completion="XX"))[2] == "RXA[1]-20"
    assert refusal(ras(action="Z"))[2] == "RXA[1]-21"
    assert refusal(ras().replace(b"|202603010900||", b"|||"))[2] == "RXA[1]-3"


def test_two_doses_of_one_order_are_two_records_though_both_are_numbered_one() -> None:
    first, second = ras(), ras().replace(b"|202603010900|", b"|202603012100|")
    assert only(Administration, first).record_id != only(Administration, second).record_id
