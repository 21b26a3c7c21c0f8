"""SPN-02, SPN-03, SPN-04 and SPN-06, on both sides of each of their limits."""

import pytest

from schemas.facts import StudyFinding
from tests.boundaries.bones import ENDED, NINE, Woman, asked, at, seen, woman

FRACTURE = seen("vertebral_fracture", "T12", "L1")


# ---- SPN-02


@pytest.mark.parametrize(("number", "raised"), [(-1, False), (0, True), (645, True), (646, False)])
def test_spn_02_counts_fractures_from_the_lmp_to_365_days_after_delivery(number: int, *, raised: bool) -> None:
    patient = woman().feeds(281).image(number, "XR spine", FRACTURE)  # the episode goes on while lactating
    assert bool(patient.finding("SPN-02")) == raised


@pytest.mark.parametrize(
    ("study", "finding", "raised"),
    [
        ("XR spine", seen("vertebral_fracture"), True),
        ("MRI pelvis", seen("sacral_fracture"), True),
        ("XR pelvis", seen("pelvic_fracture"), True),
        ("XR other", seen("rib_fracture"), True),
        ("XR spine", seen("vertebral_fracture", age="acute"), True),
        ("XR spine", seen("vertebral_fracture", age="old"), False),
        ("XR hip", seen("pelvic_fracture"), False),
        ("XR pelvis", seen("femoral_neck_fracture"), False),
        ("XR other", seen("other_fracture"), False),
        ("MRI spine", seen("marrow_edema"), False),
    ],
)
def test_spn_02_counts_the_spine_the_pelvic_ring_and_ribs(study: str, finding: StudyFinding, *, raised: bool) -> None:
    assert bool(woman().image(200, study, finding).finding("SPN-02")) == raised


@pytest.mark.parametrize(
    ("concept", "raised"),
    [
        ("vertebral_fracture", True),
        ("sacral_fracture", True),
        ("pelvic_fracture", True),
        ("rib_fracture", True),
        ("vertebral_fracture_follow_up", False),
        ("femoral_neck_fracture", False),
        ("osteoporosis_with_fracture_unspecified_site", False),
    ],
)
def test_spn_02_counts_codes_but_not_those_of_follow_up_and_sequela(concept: str, *, raised: bool) -> None:
    assert bool(woman().code(200, concept).finding("SPN-02")) == raised


def test_spn_02_dates_a_code_without_onset_from_its_recording() -> None:
    assert woman().code(None, "vertebral_fracture", recorded=210).began("SPN-02") == [at(210)]
    assert not woman().code(200, "vertebral_fracture", status="refuted").finding("SPN-02")


def test_spn_02_waits_for_the_final_report() -> None:
    assert not woman().image(200, "XR spine", FRACTURE, status="performed").finding("SPN-02")


@pytest.mark.parametrize(("number", "raised"), [(185, True), (186, False), (200, False), (201, True)])
def test_spn_02_is_none_after_a_major_injury_of_the_last_14_days(number: int, *, raised: bool) -> None:
    patient = woman().back(number, 9, injury="major").image(200, "XR spine", FRACTURE)
    assert bool(patient.finding("SPN-02")) == raised


@pytest.mark.parametrize("injury", ["minor", "none", None])
def test_spn_02_is_not_explained_by_a_minor_injury(injury: str | None) -> None:
    assert woman().back(199, 9, injury=injury).image(200, "XR spine", FRACTURE).finding("SPN-02")


def test_spn_02_knows_an_injury_from_a_report_of_the_hip_too() -> None:
    assert not woman().hip(199, 9, injury="major").image(200, "XR pelvis", seen("pelvic_fracture")).finding("SPN-02")


@pytest.mark.parametrize(
    ("planned", "resulted", "closed"), [(210, 220, at(220)), (220, 210, at(220)), (None, 210, None), (210, None, None)]
)
def test_spn_02_closes_with_the_later_of_plan_and_work_up(
    planned: int | None, resulted: int | None, closed: float | None
) -> None:
    patient = woman().image(200, "XR spine", FRACTURE)
    if planned:
        patient.answer(planned, "SPN-02", "plan")
    if resulted:
        patient.labs(resulted)
    assert patient.alerts("SPN-02") == [(at(200), closed)]
    assert patient.spans("SPN-02") == [(at(200), ENDED)]


@pytest.mark.parametrize("missing", NINE)
def test_spn_02_needs_all_nine_tests(missing: str) -> None:
    patient = woman().image(200, "XR spine", FRACTURE).answer(201, "SPN-02", "plan")
    assert patient.labs(210, set(NINE) - {missing}).alerts("SPN-02") == [(at(200), None)]


@pytest.mark.parametrize(
    ("action", "reason", "closed"),
    [("override", "trauma", at(205)), ("override", "other", None), ("acknowledge", None, None)],
)
def test_spn_02_closes_at_once_only_with_an_override_for_trauma(
    action: str, reason: str | None, closed: float | None
) -> None:
    patient = woman().image(200, "XR spine", FRACTURE).answer(205, "SPN-02", action, reason)
    assert patient.alerts("SPN-02") == [(at(200), closed)]


def test_spn_02_opens_again_when_the_plan_is_taken_back() -> None:
    patient = woman().image(200, "XR spine", FRACTURE).labs(205).answer(206, "SPN-02", "plan")
    assert patient.alerts("SPN-02") == [(at(200), at(206))]
    assert patient.answer(207, "SPN-02", "reopen").alerts("SPN-02") == [(at(200), None)]


def test_spn_02_is_prolonged_by_a_later_fracture_and_begins_anew_after_its_end() -> None:
    """A fracture dated after the alert's end is told again; one before is the same alert."""
    first = woman().image(200, "XR spine", FRACTURE).labs(205).answer(210, "SPN-02", "plan")
    assert len(first.image(209, "XR spine", seen("vertebral_fracture", "L3")).finding("SPN-02")) == 1
    again = first.image(230, "XR spine", seen("vertebral_fracture", "L4"))
    assert again.alerts("SPN-02") == [(at(200), at(210)), (at(230), None)]
    assert again.spans("SPN-02") == [(at(200), ENDED), (at(230), ENDED)]


def test_spn_02_rests_on_every_report() -> None:
    patient = woman().image(200, "XR spine", FRACTURE).image(203, "MRI spine", FRACTURE)
    assert len({e.record_id for e in patient.one("SPN-02").evidence}) == 2
    assert dict(patient.one("SPN-02").details)["fracture"] == "Vertebral fracture T12, L1"


# ---- SPN-03


@pytest.mark.parametrize(("cm", "raised"), [(168.1, False), (168.0, True), (167.9, True)])
def test_spn_03_begins_at_2_cm_below_the_height_before_the_pregnancy(cm: float, *, raised: bool) -> None:
    assert bool(woman().height(-50, 170).height(200, cm).finding("SPN-03")) == raised


@pytest.mark.parametrize(("number", "raised"), [(-1, False), (0, True), (645, True), (646, False)])
def test_spn_03_counts_from_the_lmp_to_365_days_after_delivery(number: int, *, raised: bool) -> None:
    assert bool(woman().feeds(281).height(-50, 170).height(number, 167).finding("SPN-03")) == raised


def test_spn_03_compares_with_the_last_measured_height_before_the_lmp() -> None:
    assert not woman().height(-300, 170).height(-50, 168.5).height(200, 167).finding("SPN-03")
    assert not woman().height(-50.1, 170).height(-50, 168.5).height(200, 167).finding("SPN-03")
    assert not woman().height(10, 170).height(200, 167).finding("SPN-03")


def test_spn_03_compares_no_height_that_the_patient_told() -> None:
    assert not woman().height(-50, 170, self_reported=True).height(200, 167).finding("SPN-03")
    assert not woman().height(-50, 170).height(200, 167, self_reported=True).finding("SPN-03")


@pytest.mark.parametrize(
    ("before", "after", "began"),
    [("A", "A", [at(200)]), ("A", None, [at(200)]), (None, "B", [at(200)]), ("A", "B", [at(210)])],
)
def test_spn_03_needs_a_second_low_height_where_another_device_is_named(
    before: str | None, after: str | None, began: list[float]
) -> None:
    patient = woman().height(-50, 170, device=before).height(200, 167, device=after).height(210, 167, device=after)
    assert patient.began("SPN-03") == began


def test_spn_03_a_normal_height_between_asks_for_two_low_ones_again() -> None:
    patient = woman().height(-50, 170, device="A")
    for number, cm in ((200, 167), (205, 170), (210, 167), (215, 167)):
        patient.height(number, cm, device="B")
    assert patient.began("SPN-03") == [at(215)]


def test_spn_03_takes_the_last_height_of_a_day() -> None:
    assert not woman().height(-50, 170).height(200, 167).height(200.1, 170).finding("SPN-03")


@pytest.mark.parametrize(("cm", "ended"), [(168.0, ENDED), (168.1, at(210))])
def test_spn_03_ends_with_a_later_height_less_than_2_cm_below(cm: float, ended: float) -> None:
    assert woman().height(-50, 170).height(200, 167).height(210, cm).spans("SPN-03") == [(at(200), ended)]


@pytest.mark.parametrize(
    ("number", "study", "status", "ended"),
    [
        (210, "MRI spine", "final", at(210)),
        (210, "XR spine", "final", at(210)),
        (210, "CT spine", "final", at(210)),
        (210, "DXA spine", "final", ENDED),
        (210, "MRI hip", "final", ENDED),
        (210, "XR spine", "performed", ENDED),
        (199, "XR spine", "final", ENDED),
    ],
)
def test_spn_03_ends_with_imaging_of_the_spine_since_it_began(
    number: int, study: str, status: str, ended: float
) -> None:
    patient = woman().height(-50, 170).height(200, 167).image(number, study, FRACTURE, status=status)
    assert patient.spans("SPN-03") == [(at(200), ended)]


def test_spn_03_begins_anew_with_the_next_low_height_after_an_end() -> None:
    patient = woman().height(-50, 170).height(200, 167).image(210, "XR spine").height(220, 167)
    assert patient.spans("SPN-03") == [(at(200), at(210)), (at(220), ENDED)]


# ---- SPN-04


def test_spn_04_begins_14_days_after_the_day_of_the_sign() -> None:
    assert woman().back(200, 8).spans("SPN-04") == [(214, ENDED)]
    assert woman().height(-50, 170).height(200, 167).spans("SPN-04") == [(214, ENDED)]


@pytest.mark.parametrize(
    ("performed", "recorded", "spans"),
    [
        (199, 205, [(214, ENDED)]),
        (200, 205, []),
        (205, 213.9, [(214, at(213.9))]),
        (205, 213, []),
        (205, 215, [(214, at(215))]),
        (230, 231, [(214, at(231))]),
    ],
)
def test_spn_04_ends_when_the_first_final_report_is_recorded(
    performed: float, recorded: float, spans: list[tuple[float, float]]
) -> None:
    """Resulted is when it was known: recorded, not performed."""
    patient = woman().back(200, 8).image(performed, "XR spine", FRACTURE, recorded=recorded)
    assert patient.spans("SPN-04") == [pytest.approx(s) for s in spans]


def test_spn_04_counts_a_report_of_the_day_of_the_sign_though_earlier_that_day() -> None:
    assert not woman().back(200.2, 8).image(200, "XR spine", FRACTURE, recorded=202).finding("SPN-04")


@pytest.mark.parametrize("study", ["CT spine", "MRI hip", "NM spine"])
def test_spn_04_waits_for_a_spine_mri_or_radiograph(study: str) -> None:
    assert woman().back(200, 8).image(205, study, FRACTURE).spans("SPN-04") == [(214, ENDED)]


def test_spn_04_counts_the_first_final_version_of_a_study() -> None:
    patient = woman().back(200, 8).image(205, "XR spine", status="performed", record="study")
    patient.image(205, "XR spine", FRACTURE, recorded=220, record="study")
    patient.image(205, "XR spine", FRACTURE, recorded=240, record="study")
    assert patient.spans("SPN-04") == [(214, at(220))]


@pytest.mark.parametrize(("scheduled", "began"), [(213, 214), (214, 215), (218, 219), (221, 222), (222, 214)])
def test_spn_04_waits_for_an_appointment_of_that_day_or_the_next_7(scheduled: int, began: float) -> None:
    assert woman().back(200, 8).booked(205, scheduled).spans("SPN-04") == [(began, ENDED)]


def test_spn_04_waits_for_the_last_of_several_appointments() -> None:
    assert woman().back(200, 8).booked(205, 216).booked(206, 219).began("SPN-04") == [220]


def test_spn_04_knows_only_appointments_recorded_by_then() -> None:
    assert woman().back(200, 8).booked(214.5, 218).began("SPN-04") == [214]


def test_spn_04_does_not_begin_if_the_appointment_brought_the_result() -> None:
    patient = woman().back(200, 8).booked(205, 218, record="study")
    assert not patient.image(218, "MRI spine", FRACTURE, recorded=218.5, record="study").finding("SPN-04")


@pytest.mark.parametrize(("normal", "spans"), [(213, []), (230, [(214, at(230))])])
def test_spn_04_ends_with_the_sign(normal: int, spans: list[tuple[float, float]]) -> None:
    assert woman().height(-50, 170).height(200, 167).height(normal, 170).spans("SPN-04") == spans


def test_spn_04_lasts_until_both_signs_have_ended() -> None:
    patient = woman().height(-50, 170).back(200, 8).height(205, 167).back(220, 2).back(240, 2)
    assert patient.spans("SPN-04") == [(214, ENDED)]


def test_spn_04_judges_the_own_beginning_of_each_sign() -> None:
    """A study between the two signs answers the first, and says nothing of the second."""
    patient = woman().height(-50, 170).back(200, 8).image(205, "XR spine").height(210, 167)
    assert patient.spans("SPN-04") == [(224, ENDED)]


# ---- SPN-06


@pytest.mark.parametrize(
    ("concepts", "raised"),
    [
        (("vertebral_fracture",), True),
        (("vertebral_fracture_follow_up",), True),
        (("transient_osteoporosis_hip", "transient_osteoporosis_hip_in_pregnancy"), True),
        (("transient_osteoporosis_hip",), False),
        (("osteoporosis_other",), False),
        (("puerperal_complication",), False),
        (("osteoporosis",), False),
        (("prior_fragility_fracture",), False),
    ],
)
def test_spn_06_knows_the_history_from_codes(concepts: tuple[str, ...], *, raised: bool) -> None:
    assert bool(woman().code(-400, *concepts).finding("SPN-06")) == raised


def test_spn_06_pairs_other_osteoporosis_with_a_complication_of_pregnancy() -> None:
    assert woman().code(-400, "osteoporosis_other").code(-390, "puerperal_complication").finding("SPN-06")


@pytest.mark.parametrize(("number", "raised"), [(-1, True), (0, False)])
def test_spn_06_counts_codes_dated_before_the_lmp(number: int, *, raised: bool) -> None:
    assert bool(woman().code(number, "vertebral_fracture").finding("SPN-06")) == raised


def test_spn_06_begins_at_booking_and_lasts_to_the_end_of_the_episode() -> None:
    assert woman().code(-400, "vertebral_fracture").spans("SPN-06") == [(at(30), ENDED)]


def test_spn_06_does_not_begin_where_nobody_booked_the_pregnancy() -> None:
    assert not Woman().delivered().code(-400, "vertebral_fracture").finding("SPN-06")


@pytest.mark.parametrize(("number", "began"), [(-100, at(30)), (30, at(30)), (100, at(100))])
def test_spn_06_begins_when_the_history_was_told_but_not_before_booking(number: int, began: float) -> None:
    assert woman().risk(number, "prior_plo").began("SPN-06") == [began]


def test_spn_06_reads_the_report_in_force_at_booking() -> None:
    assert not woman().risk(-100, "prior_plo").risk(-50, "prior_plo", present=False).finding("SPN-06")


def test_spn_06_is_not_raised_by_an_absent_factor_or_a_fracture_of_unknown_site() -> None:
    assert not woman().risk(10, "prior_plo", present=False).finding("SPN-06")
    assert not woman().risk(10, "prior_fragility_fracture").finding("SPN-06")


def test_spn_06_knows_the_fracture_of_an_earlier_pregnancy() -> None:
    patient = woman().image(300, "XR spine", FRACTURE)
    patient.pregnant(lmp=900, booked=940, record="second")
    assert patient.began("SPN-06") == [at(940)]


# ---- what is missing


def test_what_is_missing_is_asked_only_while_it_is() -> None:
    patient = woman().image(200, "XR spine", seen("vertebral_fracture"))
    missing = asked(patient, "SPN-02", 201)
    assert {"TSH not resulted", "care plan not recorded", "injury unknown"} <= set(missing)
    assert "levels or side of a fracture not stated" in missing
    patient.labs(202).answer(203, "SPN-02", "plan").back(203, 8, injury="none")
    assert asked(patient, "SPN-02", 204) == ["levels or side of a fracture not stated"]


def test_back_pain_asks_for_imaging_height_and_what_the_report_left_out() -> None:
    patient = woman().back(370, 8)
    assert asked(patient, "SPN-01", 371) == [
        "sudden onset or injury not stated in a report",
        "no spine imaging since the sign",
        "height not measured since the sign",
    ]
    assert "feeding unknown after 92 d from delivery" in asked(patient, "SPN-01", 373)


def test_height_loss_asks_for_a_second_measurement_and_the_gap_for_a_report() -> None:
    patient = woman().height(-50, 170).height(200, 167)
    assert asked(patient, "SPN-03", 201) == ["height not measured a second time"]
    assert asked(patient.image(213, "XR spine", status="performed"), "SPN-04", 215) == [
        "imaging performed but not resulted"
    ]
    assert asked(woman().code(-400, "vertebral_fracture"), "SPN-06", 31) == [
        "level and date of the earlier fracture not known",
        "bone density not measured since",
    ]
