"""HIP-01 to HIP-04, on both sides of each of their limits."""

from typing import Any

import pytest

from schemas.facts import StudyFinding
from tests.boundaries.bones import ENDED, Woman, asked, at, seen, woman
from tests.support import on

NECK = seen("femoral_neck_fracture", side="left")
LEFT, RIGHT, BOTH = (seen("marrow_edema", side=side) for side in ("left", "right", "both"))


# ---- HIP-01


@pytest.mark.parametrize(("number", "raised"), [(139, False), (140, True), (463, True), (464, False)])
def test_hip_01_counts_from_day_140_to_183_days_after_delivery(number: int, *, raised: bool) -> None:
    assert bool(woman().hip(number, 8).finding("HIP-01")) == raised


@pytest.mark.parametrize(("score", "raised"), [(4.9, False), (5, True), (5.1, True), (None, False)])
@pytest.mark.parametrize("symptom", ["hip_pain", "groin_pain"])
def test_hip_01_begins_at_5_of_10(symptom: str, score: float | None, *, raised: bool) -> None:
    assert bool(woman().hip(250, score, symptom).finding("HIP-01")) == raised


@pytest.mark.parametrize(
    ("said", "raised"),
    [
        ({"weight_bearing": "limited"}, True),
        ({"weight_bearing": "unable"}, True),
        ({"weight_bearing": "full"}, False),
        ({"gait": "antalgic"}, True),
        ({"gait": "normal"}, False),
    ],
)
@pytest.mark.parametrize("score", [None, 1])
def test_hip_01_begins_at_any_score_that_limits_bearing_or_walking(
    score: float | None, said: dict[str, Any], *, raised: bool
) -> None:
    assert bool(woman().hip(250, score, **said).finding("HIP-01")) == raised


@pytest.mark.parametrize(("injury", "raised"), [(None, True), ("none", True), ("minor", False), ("major", False)])
def test_hip_01_is_none_after_an_injury(injury: str | None, *, raised: bool) -> None:
    assert bool(woman().hip(250, 8, injury=injury).finding("HIP-01")) == raised


@pytest.mark.parametrize(
    ("gait", "bearing", "raised"),
    [
        ("normal", "full", False),
        ("antalgic", "full", True),
        ("normal", "limited", True),
        (None, "full", True),
        ("normal", None, True),
    ],
)
def test_hip_01_leaves_pelvic_girdle_pain_alone_if_the_hip_is_normal(
    gait: str | None, bearing: str | None, *, raised: bool
) -> None:
    patient = woman().code(200, "pelvic_girdle_pain").hip(250, 8, gait=gait, weight_bearing=bearing)
    assert bool(patient.finding("HIP-01")) == raised


def test_hip_01_girdle_pain_coded_later_takes_nothing_back() -> None:
    assert woman().hip(250, 8, gait="normal", weight_bearing="full").code(260, "pelvic_girdle_pain").finding("HIP-01")


@pytest.mark.parametrize(
    ("study", "findings", "ended"),
    [
        ("MRI hip", [seen("normal")], at(260)),
        ("MRI pelvis", [seen("no_fracture")], at(260)),
        ("MRI hip", [seen("no_fracture"), LEFT], ENDED),
        ("MRI hip", [], ENDED),
        ("XR hip", [seen("normal")], ENDED),
        ("MRI spine", [seen("normal")], ENDED),
    ],
)
def test_hip_01_ends_with_a_normal_mri_of_hip_or_pelvis(study: str, findings: list[StudyFinding], ended: float) -> None:
    assert woman().hip(250, 8).image(260, study, *findings).spans("HIP-01") == [(at(250), ended)]


@pytest.mark.parametrize(
    ("first", "second", "score", "bearing", "ended"),
    [
        (260, 273, 3, "full", ENDED),
        (260, 274, 3, "full", at(274)),
        (260, 274, 3.1, "full", ENDED),
        (260, 274, 3, None, ENDED),
        (249, 274, 3, "full", ENDED),
    ],
)
def test_hip_01_ends_with_two_slight_reports_bearing_fully_14_days_apart(
    first: int, second: int, score: float, bearing: str | None, ended: float
) -> None:
    patient = woman().hip(250, 8)
    for number in (first, second):
        patient.hip(number, score, weight_bearing=bearing)
    assert patient.spans("HIP-01") == [(at(250), ended)]


def test_hip_01_a_worse_report_between_begins_the_14_days_anew() -> None:
    patient = woman().hip(250, 8).hip(255, 2, weight_bearing="full").hip(262, 4, weight_bearing="full")
    patient.hip(270, 2, weight_bearing="full").hip(283, 2, weight_bearing="full").hip(284, 2, weight_bearing="full")
    assert patient.spans("HIP-01") == [(at(250), at(284))]


def test_hip_01_sides_make_one_interval_and_later_signs_prolong() -> None:
    patient = woman().hip(250, 8, side="left").hip(255, 8, side="right").image(256, "MRI hip", seen("normal"))
    assert patient.spans("HIP-01") == [(at(250), at(256))]


# ---- HIP-02


@pytest.mark.parametrize(("number", "raised"), [(139, False), (140, True), (645, True), (646, False)])
def test_hip_02_counts_from_day_140_to_365_days_after_delivery(number: int, *, raised: bool) -> None:
    assert bool(woman().feeds(281).image(number, "XR hip", NECK).finding("HIP-02")) == raised
    assert bool(woman().feeds(281).hip(number, 8, weight_bearing="unable").finding("HIP-02")) == raised


@pytest.mark.parametrize(
    ("concept", "raised"),
    [("femoral_neck_fracture", True), ("femoral_neck_fracture_follow_up", False), ("femoral_head_fracture", False)],
)
def test_hip_02_counts_codes_of_the_femoral_neck(concept: str, *, raised: bool) -> None:
    assert bool(woman().code(200, concept).finding("HIP-02")) == raised


@pytest.mark.parametrize(("bearing", "raised"), [("limited", False), ("unable", True)])
def test_hip_02_counts_being_unable_to_bear_weight(bearing: str, *, raised: bool) -> None:
    assert bool(woman().hip(200, 8, weight_bearing=bearing).finding("HIP-02")) == raised


def test_hip_02_leaves_out_an_old_fracture_and_a_report_that_is_not_final() -> None:
    assert not woman().image(200, "XR hip", seen("femoral_neck_fracture", age="old")).finding("HIP-02")
    assert not woman().image(200, "XR hip", NECK, status="performed").finding("HIP-02")


@pytest.mark.parametrize(("number", "raised"), [(185, True), (186, False), (200, False), (201, True)])
def test_hip_02_is_none_after_a_major_injury_of_the_last_14_days(number: int, *, raised: bool) -> None:
    patient = woman().back(number, 5, injury="major").image(200, "XR hip", NECK)
    assert bool(patient.finding("HIP-02")) == raised


def test_hip_02_is_not_explained_by_a_minor_injury() -> None:
    assert woman().hip(200, 8, weight_bearing="unable", injury="minor").finding("HIP-02")
    assert not woman().hip(200, 8, weight_bearing="unable", injury="major").finding("HIP-02")


@pytest.mark.parametrize(
    ("imaged", "planned", "closed"),
    [(210, 220, at(220)), (220, 210, at(220)), (None, 210, None), (210, None, None), (199, 210, None)],
)
def test_hip_02_closes_with_the_later_of_imaging_since_the_first_sign_and_a_plan(
    imaged: int | None, planned: int | None, closed: float | None
) -> None:
    patient = woman().hip(200, 8, weight_bearing="unable")
    if imaged:
        patient.image(imaged, "XR hip", seen("normal"))
    if planned:
        patient.answer(planned, "HIP-02", "plan")
    assert patient.alerts("HIP-02") == [(at(200), closed)]
    assert patient.spans("HIP-02") == [(at(200), ENDED)]


def test_hip_02_closes_at_once_with_an_override_for_trauma_only() -> None:
    patient = woman().image(200, "XR hip", NECK)
    assert patient.answer(201, "HIP-02", "override").alerts("HIP-02") == [(at(200), None)]
    assert patient.answer(202, "HIP-02", "override", "trauma").alerts("HIP-02") == [(at(200), at(202))]


def test_hip_02_is_told_again_when_a_sign_follows_the_end_of_the_alert() -> None:
    """Unable to bear weight, imaged and planned for; three weeks later the neck is broken."""
    patient = woman().hip(200, 8, weight_bearing="unable").image(201, "XR hip", seen("normal"))
    patient.answer(202, "HIP-02", "plan").image(220, "MRI hip", NECK)
    assert patient.alerts("HIP-02") == [(at(200), at(202)), (at(220), None)]


# ---- HIP-03


def test_hip_03_watches_the_other_hip_for_365_days_from_onset() -> None:
    patient = woman().image(250, "MRI hip", LEFT)
    assert patient.spans("HIP-03") == [(at(250), 615)]
    assert dict(patient.one("HIP-03").details)["other"] == "right"


@pytest.mark.parametrize(
    ("study", "finding", "raised"),
    [
        ("MRI hip", LEFT, True),
        ("MRI pelvis", RIGHT, True),
        ("MRI hip", BOTH, False),
        ("MRI hip", seen("marrow_edema"), False),
        ("MRI spine", LEFT, False),
        ("XR hip", LEFT, False),
        ("MRI hip", NECK, False),
    ],
)
def test_hip_03_is_confirmed_by_marrow_oedema_of_one_side_on_mri(
    study: str, finding: StudyFinding, *, raised: bool
) -> None:
    assert bool(woman().image(250, study, finding).finding("HIP-03")) == raised


@pytest.mark.parametrize(
    ("concept", "side", "raised"),
    [
        ("transient_osteoporosis_hip", "left", True),
        ("transient_osteoporosis_hip", None, False),
        ("transient_osteoporosis_hip", "both", False),
        ("osteoporosis_other", "left", False),
        ("transient_osteoporosis", "left", False),
    ],
)
def test_hip_03_is_confirmed_by_its_code_with_a_side(concept: str, side: str | None, *, raised: bool) -> None:
    assert bool(woman().code(250, concept, side=side).finding("HIP-03")) == raised


@pytest.mark.parametrize(("number", "raised"), [(-1, False), (0, True), (645, True), (646, False)])
def test_hip_03_is_confirmed_in_a_pregnancy_episode(number: int, *, raised: bool) -> None:
    assert bool(woman().image(number, "MRI hip", LEFT).finding("HIP-03")) == raised


def test_hip_03_runs_on_after_the_end_of_the_episode() -> None:
    assert woman().image(640, "MRI hip", LEFT).spans("HIP-03") == [(at(640), 1005)]


@pytest.mark.parametrize(
    ("reported", "side", "ended"),
    [(66, "left", 615), (67, "left", 432), (67, "both", 432), (67, "right", 615), (67, None, 615)],
)
def test_hip_03_dates_the_onset_from_the_first_report_on_that_side_in_183_days(
    reported: int, side: str | None, ended: float
) -> None:
    patient = woman().hip(reported, 5, side=side).hip(240, 5, side=side).image(250, "MRI hip", LEFT)
    expected = ended if side in ("left", "both") and reported == 67 else 605 if side in ("left", "both") else 615
    assert patient.spans("HIP-03") == [(at(250), expected)]


def test_hip_03_takes_the_onset_that_the_report_tells() -> None:
    patient = woman().hip(240, 5, side="left", onset_at=on(210)).image(250, "MRI hip", LEFT)
    assert patient.spans("HIP-03") == [(at(250), 575)]


def test_hip_03_is_not_begun_when_the_year_was_over_at_confirmation() -> None:
    assert not woman().hip(500, 5, side="left", onset_at=on(200)).image(566, "MRI hip", LEFT).finding("HIP-03")


def test_hip_03_ends_when_the_other_side_is_confirmed_and_does_not_begin_again() -> None:
    assert woman().image(250, "MRI hip", LEFT).image(300, "MRI hip", RIGHT).spans("HIP-03") == [(at(250), at(300))]


@pytest.mark.parametrize(("second", "ended"), [(273, 615), (274, at(274))])
def test_hip_03_ends_with_two_slight_reports_14_days_apart(second: int, ended: float) -> None:
    patient = woman().image(250, "MRI hip", LEFT)
    patient.hip(260, 3, weight_bearing="full").hip(second, 3, weight_bearing="full")
    assert patient.spans("HIP-03") == [(at(250), ended)]


def test_hip_03_begins_for_no_side_where_the_other_was_confirmed_before_the_pregnancy() -> None:
    patient = woman().code(-200, "transient_osteoporosis_hip", side="right").image(250, "MRI hip", LEFT)
    assert not patient.finding("HIP-03")


def test_hip_03_pain_of_either_hip_keeps_it_open() -> None:
    patient = woman().image(250, "MRI hip", LEFT).hip(260, 2, weight_bearing="full", side="left")
    patient.hip(270, 6, side="right").hip(280, 2, weight_bearing="full", side="left")
    assert patient.spans("HIP-03") == [(at(250), 615)]


def test_hip_03_ends_with_an_mri_without_oedema_and_a_later_oedema_begins_anew() -> None:
    patient = woman().image(250, "MRI hip", LEFT).image(300, "MRI hip", seen("normal"))
    assert patient.spans("HIP-03") == [(at(250), at(300))]
    assert patient.image(400, "MRI hip", LEFT).spans("HIP-03") == [(at(250), at(300)), (at(400), 765)]


def test_hip_03_is_the_same_course_when_oedema_is_seen_again() -> None:
    assert woman().image(250, "MRI hip", LEFT).image(300, "MRI hip", LEFT).spans("HIP-03") == [(at(250), 615)]


@pytest.mark.parametrize(
    ("reported", "now", "open_question"),
    [(None, 432.9, False), (None, 433, True), (373, 433, False), (372, 433, True)],
)
def test_hip_03_asks_after_183_days_whether_the_hip_was_reported_in_60(
    reported: int | None, now: float, *, open_question: bool
) -> None:
    patient = woman().image(250, "MRI hip", LEFT)
    if reported:
        patient.hip(reported, 5, side="left")
    assert (
        asked(patient, "HIP-03", now - 8 / 24) == ["no report of the hip in 60 d, 6 months after onset"]
    ) == open_question


# ---- HIP-04


@pytest.mark.parametrize(("number", "raised"), [(614, False), (615, True), (616, True)])
def test_hip_04_begins_with_a_fact_365_days_after_onset(number: int, *, raised: bool) -> None:
    assert bool(woman().image(250, "MRI hip", LEFT).hip(number, 6).finding("HIP-04")) == raised


@pytest.mark.parametrize(
    ("score", "said", "raised"),
    [
        (3.9, {}, False),
        (4, {}, True),
        (None, {"weight_bearing": "limited"}, True),
        (None, {"weight_bearing": "unable"}, True),
        (1, {"weight_bearing": "full"}, False),
        (6, {"side": "left"}, True),
        (6, {"side": "right"}, False),
    ],
)
def test_hip_04_counts_pain_from_4_of_10_or_limited_weight_bearing(
    score: float | None, said: dict[str, Any], *, raised: bool
) -> None:
    assert bool(woman().image(250, "MRI hip", LEFT).hip(620, score, **said).finding("HIP-04")) == raised


@pytest.mark.parametrize(("finding", "raised"), [(LEFT, True), (seen("marrow_edema"), True), (RIGHT, False)])
def test_hip_04_counts_marrow_oedema(finding: StudyFinding, *, raised: bool) -> None:
    patient = woman().image(250, "MRI hip", LEFT).image(620, "MRI hip", finding)
    assert (patient.began("HIP-04") == [at(620)]) == raised


def test_hip_04_is_not_raised_by_time_alone_nor_after_resolution() -> None:
    assert not woman().image(250, "MRI hip", LEFT).finding("HIP-04")
    assert not woman().image(250, "MRI hip", LEFT).image(400, "MRI hip", seen("normal")).hip(620, 6).finding("HIP-04")


def test_hip_04_counts_no_fact_from_before_the_confirmation() -> None:
    patient = woman().hip(590, 6, side="left", onset_at=on(200)).image(600, "MRI hip", LEFT)
    assert patient.began("HIP-04") == [at(600)]


def test_hip_04_lasts_to_the_later_of_the_episode_and_730_days_after_onset() -> None:
    assert woman().image(250, "MRI hip", LEFT).hip(620, 6).spans("HIP-04") == [(at(620), 980)]
    assert woman().feeds(281).image(250, "MRI hip", LEFT).hip(620, 6).spans("HIP-04") == [(at(620), 1011)]
    assert not woman().image(250, "MRI hip", LEFT).hip(980, 6).finding("HIP-04")


@pytest.mark.parametrize("concept", ["osteonecrosis_hip", "hip_infection", "bone_tumour", "crps"])
def test_hip_04_ends_when_another_diagnosis_of_the_hip_is_coded(concept: str) -> None:
    patient = woman().image(250, "MRI hip", LEFT).hip(620, 6)
    assert patient.code(630, concept).spans("HIP-04") == [(at(620), at(630))]
    assert woman().code(600, concept).image(250, "MRI hip", LEFT).hip(620, 6).spans("HIP-04") == [(at(620), 980)]


def test_hip_04_ends_with_resolution_and_its_alert_with_a_plan() -> None:
    patient = woman().image(250, "MRI hip", LEFT).hip(620, 6)
    patient.hip(630, 2, weight_bearing="full").hip(644, 2, weight_bearing="full")
    assert patient.spans("HIP-04") == [(at(620), at(644))]
    assert woman().image(250, "MRI hip", LEFT).hip(620, 6).answer(625, "HIP-04", "plan").alerts("HIP-04") == [
        (at(620), at(625))
    ]


def test_hip_04_is_one_finding_where_both_hips_were_confirmed_at_once() -> None:
    assert woman().image(250, "MRI hip", BOTH).hip(620, 6).began("HIP-04") == [at(620)]


# ---- scope and questions


@pytest.mark.parametrize("rule_id", ["HIP-01", "HIP-02", "HIP-03", "HIP-04"])
def test_without_a_pregnancy_nothing_is_found(rule_id: str) -> None:
    patient = Woman().hip(250, 9, weight_bearing="unable").image(251, "MRI hip", LEFT, NECK).hip(700, 9)
    assert not patient.finding(rule_id)


def test_what_is_missing_is_asked_only_while_it_is() -> None:
    patient = woman().hip(250, None, weight_bearing="unable")
    assert asked(patient, "HIP-01", 251) == [
        "hip MRI not done", "side not stated in a report", "pain score missing in a report",
    ]  # fmt: skip
    assert asked(patient, "HIP-02", 251) == ["hip not imaged", "side not stated", "injury unknown"]
    patient.image(252, "MRI hip", LEFT).hip(253, 5, weight_bearing="full", injury="none", side="left")
    assert asked(patient, "HIP-02", 254) == ["side not stated"]
    late = woman().image(250, "MRI hip", LEFT).hip(620, 6)
    assert asked(late, "HIP-04", 621) == ["no MRI of the hip at 12 months", "differential diagnosis not coded"]
