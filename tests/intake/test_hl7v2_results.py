"""Laboratory results: values, life cycle, times, specimen."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from schemas.events import LabResult
from streams.intake.site import MemoryDirectory
from tests.intake.hl7v2_clinic import PID, message, obx, only, refusal, report, said, told, translate

CTX = "41171-0^CTX^LN"


def test_a_result_is_told_with_its_code_value_unit_range_and_place() -> None:
    result = only(
        LabResult,
        report(
            obx("0.50", code=CTX, unit="ng/mL^nanogram^UCUM", _7="0.15-0.80", _15="L1^Central", _17="ECLIA^Roche"),
            "NTE|1||thawed~twice",
            specimen="SPM|1|||SER^Serum^HL70487",
        ),
    )
    assert said(result, "value", "unit", "status", "specimen", "laboratory", "assay", "note") == (
        Decimal("0.50"), "ng/mL", "final", "SER", "L1", "ECLIA", "thawed\ntwice",
    )  # fmt: skip
    assert str(result.value) == "0.50"
    assert (result.code.system, result.code.code) == ("http://loinc.org", "41171-0")
    assert result.reference_range is not None
    assert (result.reference_range.low, result.reference_range.high) == (Decimal("0.15"), Decimal("0.80"))
    assert result.record_id == "F1:41171-0"


@pytest.mark.parametrize(
    ("kind", "sent", "value", "comparator", "text"),
    [
        ("NM", "9.4", "9.4", None, None),
        ("NM", "+9.40", "9.40", None, None),
        ("NM", "-1", "-1", None, None),
        ("NM", "<5", "5", "<", None),
        ("NM", ">=5", "5", ">=", None),
        ("ST", "< 5.0", "5.0", "<", None),
        ("ST", "≥ 90", "90", ">=", None),
        ("ST", "9.4", "9.4", None, None),
        ("TX", "<= 3", "3", "<=", None),
        ("ST", "negative", None, None, "negative"),
        ("ST", "9,4", None, None, "9,4"),
        ("TX", "line one~line two", None, None, "line one\nline two"),
        ("SN", "^9.4", "9.4", None, None),
        ("SN", "=^9.4", "9.4", None, None),
        ("SN", "<^5", "5", "<", None),
        ("SN", ">=^5", "5", ">=", None),
        ("SN", "^1^:^128", None, None, "1:128"),
        ("SN", "^3^-^5", None, None, "3-5"),
        ("SN", "^2^+", None, None, "2+"),
        ("SN", "<>^5", None, None, "<> 5"),
        ("CE", "260385009^Negative^SCT", None, None, "Negative"),
        ("CWE", "^^^POS^positive^L", None, None, "positive"),
        ("CWE", "A^one~B^two", None, None, "one; two"),
        ("IS", "POS", None, None, "POS"),
        ("", "9.4", "9.4", None, None),
    ],
)  # fmt: skip
def test_a_value_is_read_by_its_type(
    kind: str, sent: str, value: str | None, comparator: str | None, text: str | None
) -> None:
    result = only(LabResult, report(obx(sent, kind)))
    assert said(result, "value", "comparator", "value_text") == (value and Decimal(value), comparator, text)


@pytest.mark.parametrize(
    ("kind", "sent", "where"),
    [
        ("NM", "9,4", "OBX[1]-5"),
        ("NM", "see note", "OBX[1]-5"),
        ("NM", "160~120", "OBX[1]-5"),
        ("SN", "<^x", "OBX[1]-5"),
        ("NM", "1e400", "OBX[1]-5"),
        ("NM", "", "OBX[1]-5"),
        ("ST", '""', "OBX[1]-5"),
        ("NM", "9" * 31, "OBX[1]-5"),
    ],
)
def test_a_value_that_is_not_of_its_type_is_refused_and_the_others_go_on(kind: str, sent: str, where: str) -> None:
    outcome = translate(report(obx(sent, kind), obx("2.1", code="2777-1^Phosphate^LN")))
    assert [refused.where for refused in outcome.refusals] == [where]
    assert len(outcome.events) == 1


@pytest.mark.parametrize(
    ("sent", "unit"),
    [
        ("mg/dL", "mg/dL"),
        ("mg/dL^milligram^UCUM", "mg/dL"),
        ("^mg per dL", "mg per dL"),
        ("^^^mg/dL^x^L", "mg/dL"),
        ("10^9/L", "10*9/L"),
        ("x10^3/uL", "x10*3/uL"),
        ("kg/m^2", "kg/m2"),
        ("", None),
    ],
)
def test_a_unit_is_given_as_it_was_sent_and_a_power_that_fell_apart_is_mended(sent: str, unit: str | None) -> None:
    assert only(LabResult, report(obx("9.4", unit=sent))).unit == unit


@pytest.mark.parametrize("kind", ["ED", "RP"])
def test_a_document_is_no_result_and_is_counted(kind: str) -> None:
    assert translate(report(obx("^AP^PDF^Base64^AAAA", kind))).ignored == {f"OBX-2 {kind}": 1}


@pytest.mark.parametrize(
    ("sent", "low", "high"),
    [
        ("3.5-5.0", "3.5", "5.0"),
        ("3.5 - 5.0", "3.5", "5.0"),
        ("3.5 to 5", "3.5", "5"),
        ("<5", None, "5"),
        (">=10", "10", None),
        ("-2.0--1.0", "-2.0", "-1.0"),
    ],
)
def test_a_reference_range_is_an_interval_or_a_limit(sent: str, low: str | None, high: str | None) -> None:
    found = only(LabResult, report(obx("9.4", _7=sent))).reference_range
    assert found is not None
    assert (found.low, found.high) == (low and Decimal(low), high and Decimal(high))


@pytest.mark.parametrize("sent", ["", "negative", "5", "see comment 3-5", "1-2-3"])
def test_a_range_in_words_is_none_and_costs_nothing(sent: str) -> None:
    assert only(LabResult, report(obx("9.4", _7=sent))).reference_range is None


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        ("F", "final"),
        ("B", "final"),
        ("V", "final"),
        ("C", "corrected"),
        ("A", "corrected"),
        ("P", "preliminary"),
        ("R", "preliminary"),
        ("S", "preliminary"),
        ("D", "entered_in_error"),
        ("W", "entered_in_error"),
        ("X", "cancelled"),
    ],
)
def test_the_life_cycle_of_obx_11(sent: str, status: str) -> None:
    result = only(LabResult, report(obx("9.4", status=sent)))
    assert result.status == status
    assert (result.value is None) == (status in {"entered_in_error", "cancelled"})


@pytest.mark.parametrize("sent", ["I", "N", "O"])
def test_a_result_that_is_not_there_is_no_event_and_overwrites_none(sent: str) -> None:
    outcome = translate(report(obx("", status=sent)))
    assert (outcome.events, outcome.refusals, outcome.ignored) == ((), (), {f"OBX-11 {sent}": 1})


def test_an_unknown_status_is_refused_and_an_empty_one_is_that_of_the_order() -> None:
    assert refusal(report(obx("9.4", status="Z")))[2] == "OBX[1]-11"
    assert refusal(report(obx("9.4", status="")))[2] == "OBX[1]-11"
    request = "OBR|1|P1|F1|X|||20260301080000" + "|" * 18 + "P"
    assert only(LabResult, report(obx("9.4", status=""), request=request)).status == "preliminary"


def test_u_finalises_the_value_sent_before_and_is_refused_where_none_was() -> None:
    directory = MemoryDirectory()
    told(report(obx("9.4", status="P")), directory=directory)
    final = only(LabResult, report(obx("", status="U", unit=""), control="C2"), directory=directory)
    assert said(final, "value", "unit", "status") == (Decimal("9.4"), "mg/dL", "final")
    assert only(LabResult, report(obx("9.5", status="U"))).value == Decimal("9.5")
    assert refusal(report(obx("", status="U")))[2] == "OBX[1]-11"


def test_what_is_taken_back_needs_neither_value_nor_time() -> None:
    raw = report(obx("", status="W"), request="OBR|1|P1|F1|X")
    assert said(only(LabResult, raw), "status", "value") == ("entered_in_error", None)


@pytest.mark.parametrize(
    ("obr_7", "spm_17", "obx_14", "hour"),
    [
        ("202603010800", "202603010700", "202603010900", 7),
        ("202603010800", "202603010700&x^202603010730", "", 7),
        ("202603010800", "", "202603010900", 8),
        ("", "", "202603010900", 9),
    ],
)
def test_a_specimen_was_collected_at_spm_17_else_obr_7_else_obx_14(
    obr_7: str, spm_17: str, obx_14: str, hour: int
) -> None:
    specimen = "SPM|1|||SER" + "|" * 13 + spm_17
    raw = report(obx("9.4", _14=obx_14), request=f"OBR|1|P1|F1|X|||{obr_7}", specimen=specimen)
    assert only(LabResult, raw).collected_at == datetime(2026, 3, 1, hour - 1, tzinfo=UTC)


def test_a_specimen_without_a_day_is_refused_and_one_with_only_a_day_is_counted() -> None:
    assert refusal(report(obx("9.4"), request="OBR|1|P1|F1|X|||202603"))[2] == "OBR[1]-7"
    assert refusal(report(obx("9.4"), request="OBR|1|P1|F1|X"))[2] == "OBR[1]-7"
    outcome = translate(report(obx("9.4"), request="OBR|1|P1|F1|X|||20260301"))
    assert outcome.counted == {"day_precision": 1}
    assert [e.collected_at for e in outcome.events if isinstance(e, LabResult)] == [
        datetime(2026, 2, 28, 23, tzinfo=UTC)
    ]


def test_the_coding_that_the_tables_know_is_taken_wherever_it_stands() -> None:
    for code in ("17861-6^Calcium^LN^CA^Calcium^L", "CA^Calcium^L^17861-6^Calcium^LN"):
        assert only(LabResult, report(obx("9.4", code=code))).code.code == "17861-6"


def test_an_unmapped_code_is_still_an_event_and_counted() -> None:
    outcome = translate(report(obx("9.4", code="XYZ^Unknown^L")))
    assert [event.kind for event in outcome.events] == ["lab_result"]
    assert outcome.counted == {"unmapped_code": 1}
    assert refusal(report(obx("9.4", code="^Calcium")))[2] == "OBX[1]-3"


def test_the_value_of_an_unmapped_code_is_kept_as_text_where_it_is_not_of_its_type() -> None:
    assert said(only(LabResult, report(obx("60~120", code="8867-4^Heart rate^LN"))), "value", "value_text") == (
        None,
        "60; 120",
    )


def test_a_record_is_named_by_filler_number_code_and_sub_id() -> None:
    def record(request: str, sub_id: str = "", common: str = "") -> str:
        segments = [PID, *([common] if common else []), request, obx("9.4", _4=sub_id)]
        return only(LabResult, message("ORU^R01", *segments)).record_id

    assert record("OBR|1|P1|F1|X|||202603010800") == "F1:17861-6"
    assert record("OBR|1|P1|F1^LAB|X|||202603010800", "2") == "F1^LAB:17861-6:2"
    assert record("OBR|1|P1||X|||202603010800") == "P1:17861-6"
    assert record("OBR|1|||X|||202603010800", common="ORC|RE|P9|F9") == "F9:17861-6"
    assert record("OBR|1|||X|||202603010800") == "4711:2026-03-01T08:00:00+01:00:17861-6"


def test_a_series_under_one_code_without_sub_ids_is_told_apart_by_its_order() -> None:
    outcome = translate(report(obx("9.4"), obx("9.5"), obx("9.6")))
    assert [event.record_id for event in outcome.events] == ["F1:17861-6", "F1:17861-6#2", "F1:17861-6#3"]
    assert outcome.counted == {"repeated_observation": 2}
    assert len({event.event_id for event in outcome.events}) == 3


@pytest.mark.parametrize(
    ("specimen", "note", "quality"),
    [
        ("SPM|1|||SER" + "|" * 20 + "HEM^Hemolyzed", "", "haemolysed"),
        ("SPM|1|||SER" + "|" * 20 + "CLOT", "", "clotted"),
        ("SPM|1|||SER" + "|" * 17 + "QS", "", "insufficient"),
        ("SPM|1|||SER" + "|" * 20 + "COOL~HEM", "", "haemolysed"),
        ("SPM|1|||SER", "Specimen hemolyzed", "haemolysed"),
        ("SPM|1|||SER", "slight haemolysis", "haemolysed"),
        ("SPM|1|||SER", "QNS", "insufficient"),
        ("SPM|1|||SER", "sample clotted", "clotted"),
        ("SPM|1|||SER", "not haemolysed", None),
        ("SPM|1|||SER", "no visible haemolysis", None),
        ("SPM|1|||SER", "Haemolysis index 3", None),
        ("SPM|1|||SER", "clothing", None),
    ],
)
def test_a_fault_of_the_specimen_is_told_by_its_condition_or_a_comment(
    specimen: str, note: str, quality: str | None
) -> None:
    assert only(LabResult, report(obx("9.4"), f"NTE|1||{note}", specimen=specimen)).quality == quality


@pytest.mark.parametrize(
    ("obr_13", "answer", "fasting"),
    [
        ("F", "", True),
        ("NF", "", False),
        ("FNA", "", None),
        ("fasting", "", True),
        ("", "Y^Yes", True),
        ("", "LA32-8^No^LN", False),
        ("diabetic", "", None),
    ],
)
def test_fasting_is_said_by_obr_13_or_an_observation_of_its_own(obr_13: str, answer: str, fasting: object) -> None:
    request = "OBR|1|P1|F1|X|||20260301080000||||||" + obr_13
    status = [obx(answer, "CWE", code="49541-6^Fasting^LN", unit="")] if answer else []
    assert only(LabResult, report(obx("9.4"), *status, request=request)).fasting is fasting


def test_an_oul_tells_its_specimen_first_and_its_orc_after_the_obr() -> None:
    raw = message(
        "OUL^R22",
        PID,
        "SPM|1|||SER" + "|" * 13 + "202603010700",
        "OBR|1|||X",
        "ORC|RE|P1|F1",
        obx("9.4"),
        "SPM|2|||PLAS" + "|" * 13 + "202603010730",
        "OBR|1||F2|X",
        obx("9.5"),
    )
    results = [event for event in told(raw) if isinstance(event, LabResult)]
    assert [(r.record_id, r.specimen, r.collected_at.minute) for r in results] == [
        ("F1:17861-6", "SER", 0),
        ("F2:17861-6", "PLAS", 30),
    ]


def test_results_of_the_point_of_care_and_of_several_orders_are_all_told() -> None:
    second = "ORC|RE|P2|F2", "OBR|2|P2|F2|X|||202603010900", obx("9.5")
    raw = report(obx("9.4"), *second).replace(b"ORU^R01", b"ORU^R30")
    assert [event.record_id for event in told(raw)] == ["F1:17861-6", "F2:17861-6"]


def test_two_specimens_of_one_order_are_the_specimen_of_no_result() -> None:
    result = only(LabResult, report(obx("9.4"), "SPM|1|||SER", specimen="SPM|2|||PLAS"))
    assert result.specimen is None
    assert result.collected_at.hour == 8
