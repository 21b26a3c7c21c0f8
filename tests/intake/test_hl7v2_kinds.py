"""The code of the OBX decides the kind: measures, bone density, pain, pregnancy, feeding, imaging."""

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from schemas.events import BoneDensity, Imaging, Lactation, Measurement, Pregnancy, Symptom
from tests.intake.hl7v2_clinic import obx, only, refusal, report, said, told, translate

EIGHT = datetime(2026, 3, 1, 7, tzinfo=UTC)


@pytest.mark.parametrize(
    ("code", "unit", "measure"),
    [
        ("8302-2^Height^LN", "cm", "body_height"),
        ("29463-7^Weight^LN", "kg", "body_weight"),
        ("39156-5^BMI^LN", "kg/m2", "body_mass_index"),
    ],
)
def test_height_weight_and_body_mass_index_are_measurements(code: str, unit: str, measure: str) -> None:
    found = only(Measurement, report(obx("62.50", code=code, unit=unit)))
    assert said(found, "measure", "value", "unit", "observed_at") == (measure, Decimal("62.50"), unit, EIGHT)


def test_a_measurement_has_a_plain_number_its_unit_and_a_time_of_its_own() -> None:
    weight = "29463-7^Weight^LN"
    assert refusal(report(obx("heavy", "ST", code=weight, unit="kg")))[2] == "OBX[1]-5"
    assert refusal(report(obx(">100", code=weight, unit="kg")))[2] == "OBX[1]-5"
    assert refusal(report(obx("62", code=weight, unit="")))[2] == "OBX[1]-6"
    later = only(Measurement, report(obx("62", code=weight, unit="kg", _14="202603011000")))
    assert later.observed_at == datetime(2026, 3, 1, 9, tzinfo=UTC)


def test_a_measurement_taken_back_is_marked_and_needs_no_value() -> None:
    for sent, status in (("D", "entered_in_error"), ("W", "entered_in_error"), ("X", "cancelled"), ("F", "active")):
        value = "62" if sent == "F" else ""
        raw = report(obx(value, code="29463-7^Weight^LN", unit="kg", status=sent))
        assert only(Measurement, raw).record_status == status


def test_a_bone_density_knows_its_site_and_what_was_measured() -> None:
    score = only(BoneDensity, report(obx("-2.7", code="38267-1^T-score^LN", unit="")))
    assert said(score, "site", "t_score", "z_score", "performed_at") == ("lumbar_spine", Decimal("-2.7"), None, EIGHT)
    density = only(BoneDensity, report(obx("0.812", code="24966-4^BMD^LN", unit="g/cm2")))
    assert density.density_g_cm2 == Decimal("0.812")
    unescaped = only(BoneDensity, report(obx("0.812", code="24966-4^BMD^LN", unit="g/cm^2")))
    assert unescaped.density_g_cm2 == Decimal("0.812")
    assert refusal(report(obx("0.812", code="24966-4^BMD^LN", unit="banana")))[2] == "OBX[1]-6"
    assert refusal(report(obx("low", "ST", code="38267-1^T-score^LN")))[2] == "OBX[1]-5"


@pytest.mark.parametrize(
    ("site", "symptom", "side"),
    [
        ("77568009^Back structure^SCT", "back_pain", None),
        ("LB^Lumbar spine^L", "back_pain", None),
        ("LH^Left hip^L", "hip_pain", "left"),
        ("G^Right groin^L", "groin_pain", "right"),
    ],
)
def test_a_pain_score_says_where_by_obx_20(site: str, symptom: str, side: str | None) -> None:
    found = only(Symptom, report(obx("7", code="72514-3^Pain^LN", unit="{score}", _20=site)))
    assert said(found, "symptom", "score", "side") == (symptom, Decimal(7), side)


def test_a_pain_score_without_a_site_is_nobodys_and_one_beyond_ten_is_refused() -> None:
    outcome = translate(report(obx("7", code="72514-3^Pain^LN", unit="{score}")))
    assert (outcome.events, outcome.counted) == ((), {"pain_without_site": 1})
    assert "score" in refusal(report(obx("11", code="72514-3^Pain^LN", unit="{score}", _20="LB^Back^L")))[1]


@pytest.mark.parametrize(
    ("sent", "field", "read"),
    [
        (("8665-2^LMP^LN", "DT", "20251001", ""), "last_menstrual_period", date(2025, 10, 1)),
        (("8665-2^LMP^LN", "TS", "202510010000+0100", ""), "last_menstrual_period", date(2025, 10, 1)),
        (("11778-8^EDD^LN", "DT", "20260708", ""), "estimated_due_date", date(2026, 7, 8)),
        (("11778-8^EDD^LN", "ST", "2026-07-08", ""), "estimated_due_date", date(2026, 7, 8)),
        (("11884-4^GA^LN", "NM", "12", "wk"), "gestational_age_days", 84),
        (("11884-4^GA^LN", "NM", "84", "d"), "gestational_age_days", 84),
        (("11884-4^GA^LN", "ST", "12w3d", ""), "gestational_age_days", 87),
        (("11884-4^GA^LN", "ST", "12+3", ""), "gestational_age_days", 87),
        (("49051-6^GA^LN", "NM", "12", ""), "gestational_age_days", 84),
    ],
)
def test_last_period_due_date_and_gestational_age_date_a_pregnancy(
    sent: tuple[str, ...], field: str, read: object
) -> None:
    code, kind, value, unit = sent
    found = only(Pregnancy, report(obx(value, kind, code=code, unit=unit)))
    assert said(found, "status", field, "observed_at") == ("pregnant", read, EIGHT)


def test_a_gestational_age_in_decimal_weeks_is_ambiguous_and_refused() -> None:
    assert refusal(report(obx("38.5", code="11884-4^GA^LN", unit="wk")))[2] == "OBX[1]-5"


def test_a_gestational_age_without_a_unit_and_a_month_of_delivery_are_refused() -> None:
    assert refusal(report(obx("30", code="11884-4^GA^LN", unit="")))[2] == "OBX[1]-6"
    assert refusal(report(obx("202607", "DT", code="11778-8^EDD^LN", unit="")))[2] == "OBX[1]-5"
    assert "gestational_age_days" in refusal(report(obx("99", code="11884-4^GA^LN", unit="wk")))[1]


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        ("77386006^Pregnant^SCT", "pregnant"),
        ("LA15173-0^Pregnant^LN", "pregnant"),
        ("60001007^Not pregnant^SCT", "refuted"),
        ("N", "refuted"),
    ],
)
def test_the_pregnancy_status_is_a_coded_answer(answer: str, status: str) -> None:
    assert only(Pregnancy, report(obx(answer, "CWE", code="82810-3^Pregnancy status^LN", unit=""))).status == status


def test_an_undecided_pregnancy_is_none_and_an_unknown_answer_is_refused() -> None:
    status = "82810-3^Pregnancy status^LN"
    assert translate(report(obx("U^Unknown", "CWE", code=status, unit=""))).ignored == {"pregnancy undecided": 1}
    assert refusal(report(obx("X^perhaps", "CWE", code=status, unit="")))[2] == "OBX[1]-5"


@pytest.mark.parametrize(
    ("answer", "feeding"),
    [
        ("E^Exclusive", "exclusive"),
        ("^mixed", "mixed"),
        ("N^None", "none"),
        ("^Not breastfeeding", "none"),
        ("U^Unknown", "unknown"),
    ],
)
def test_feeding_holds_from_the_local_day_of_its_observation(answer: str, feeding: str) -> None:
    raw = report(obx(answer, "CWE", code="63895-7^Feeding^LN", unit="", _14="202603010030"))
    assert said(only(Lactation, raw), "feeding", "since") == (feeding, date(2026, 3, 1))
    assert refusal(report(obx("^sometimes", "CWE", code="63895-7^Feeding^LN", unit="")))[2] == "OBX[1]-5"


MRI = "OBR|1|P1|F1|24968-0^MR lumbar^LN|||20260301080000"


def test_the_report_of_a_study_is_one_event_with_its_coded_findings() -> None:
    raw = report(
        obx("207957008^Fracture^SCT", "CWE", code="59776-5^Findings^LN", unit=""),
        obx("wedge deformity", "TX", code="19005-8^Impression^LN", unit=""),
        obx("vertebral_fracture^^L", "CWE", code="FIND^Finding^L", unit=""),
        request=MRI,
    )
    found = only(Imaging, raw)
    assert said(found, "modality", "region", "status", "performed_at", "record_id") == (
        "MRI", "spine", "final", EIGHT, "imaging:P1",
    )  # fmt: skip
    assert "vertebral_fracture" in [finding.finding for finding in found.findings]


@pytest.mark.parametrize(
    ("statuses", "status"),
    [
        ("P", "performed"),
        ("PF", "final"),
        ("C", "final"),
        ("X", "cancelled"),
        ("XF", "final"),
        ("W", "entered_in_error"),
    ],
)
def test_a_study_stands_as_its_firmest_part(statuses: str, status: str) -> None:
    parts = [obx("text", "TX", code="59776-5^Findings^LN", unit="", status=each) for each in statuses]
    assert only(Imaging, report(*parts, request=MRI)).status == status


def test_a_dxa_tells_its_scores_as_bone_density_and_its_text_as_imaging() -> None:
    raw = report(
        obx("-2.7", code="38267-1^T-score^LN", unit=""),
        obx("osteoporosis", "TX", code="19005-8^Impression^LN", unit=""),
        request="OBR|1|P1|F1|38268-9^DXA^LN|||20260301080000",
    )
    assert sorted(event.kind for event in told(raw)) == ["bone_density", "imaging"]


def test_an_observation_with_an_imaging_code_is_a_study_without_an_order_for_one() -> None:
    found = only(Imaging, report(obx("no fracture", "TX", code="24972-2^XR lumbar^LN", unit="")))
    assert said(found, "modality", "region", "findings") == ("XR", "spine", ())
