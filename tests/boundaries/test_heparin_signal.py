"""HEP-05: a sign of a fracture under heparin, on both sides of each limit."""

import pytest

from schemas.facts import StudyFinding
from tests.boundaries.bones import ENDED, Woman, asked, at, seen, woman
from tests.events import ENOXAPARIN, back_pain, event, heparin, pregnancy
from tests.support import day, on
from tests.wards import told

FRACTURE = seen("vertebral_fracture", "T12")
LMWH = "lmwh"


def on_heparin(first: int = 100, last: int | None = None, drug: str = "heparin_ufh") -> Woman:
    """Pregnant, with an order of heparin from a day on."""
    return woman().heparin(first, last, drug)


# ---- exposure


@pytest.mark.parametrize(("number", "raised"), [(126, False), (127, True), (128, True)])
def test_unfractionated_heparin_counts_from_28_exposed_days_on_the_day_of_the_sign(
    number: int, *, raised: bool
) -> None:
    assert bool(on_heparin().back(number, 9).finding("HEP-05")) == raised


@pytest.mark.parametrize(("number", "raised"), [(158, False), (159, True), (160, True)])
def test_low_molecular_weight_heparin_counts_from_60_exposed_days(number: int, *, raised: bool) -> None:
    assert bool(on_heparin(drug=LMWH).back(number, 9).finding("HEP-05")) == raised


@pytest.mark.parametrize(("number", "raised"), [(333, True), (334, False)])
@pytest.mark.parametrize("drug", ["heparin_ufh", LMWH])
def test_the_last_dose_is_at_most_183_days_before_the_sign(drug: str, number: int, *, raised: bool) -> None:
    assert bool(on_heparin(50, 150, drug).back(number, 9).finding("HEP-05")) == raised


def test_days_of_the_two_heparins_are_never_added() -> None:
    assert not woman().heparin(100, 126).heparin(127, 180, LMWH).back(180, 9).finding("HEP-05")


def test_pain_before_day_28_never_counts_later() -> None:
    assert on_heparin().back(120, 9).spans("HEP-05") == []


@pytest.mark.parametrize(("first", "raised"), [(-27, True), (-26, False)])
def test_a_course_that_runs_at_the_lmp_counts_whole(first: int, *, raised: bool) -> None:
    assert bool(on_heparin(first, 0).back(100, 9).finding("HEP-05")) == raised


@pytest.mark.parametrize(("first", "raised"), [(-57, True), (-56, False)])
def test_days_of_a_heparin_episode_that_ended_before_the_lmp_count(first: int, *, raised: bool) -> None:
    assert bool(on_heparin(first, -30).back(100, 9).finding("HEP-05")) == raised


def test_days_before_and_in_the_pregnancy_count_together() -> None:
    assert woman().heparin(-40, -31).heparin(100, None).back(117, 9).began("HEP-05") == [at(117)]
    assert not woman().heparin(-40, -31).heparin(100, None).back(116, 9).finding("HEP-05")


@pytest.mark.parametrize(("drug", "raised"), [("heparin_ufh", True), (LMWH, False)])
def test_outside_pregnancy_only_unfractionated_heparin_counts(drug: str, *, raised: bool) -> None:
    assert bool(Woman().heparin(100, 200, drug).back(190, 9).finding("HEP-05")) == raised


def test_outside_pregnancy_it_lasts_as_long_as_the_heparin_episode() -> None:
    assert Woman().heparin(100, 200).back(190, 9).spans("HEP-05") == [(at(190), 200 + 184)]


# ---- signs


@pytest.mark.parametrize(("score", "raised"), [(6.9, False), (7, True), (7.1, True), (None, False)])
def test_one_report_is_a_sign_from_7_of_10(score: float | None, *, raised: bool) -> None:
    assert bool(on_heparin().back(200, score).finding("HEP-05")) == raised


@pytest.mark.parametrize(("score", "raised"), [(3.9, False), (4, True)])
@pytest.mark.parametrize(("second", "apart"), [(206, False), (207, True)])
def test_two_reports_from_4_of_10_are_a_sign_7_days_apart(
    second: int, *, apart: bool, score: float, raised: bool
) -> None:
    assert bool(on_heparin().back(200, score).back(second, score).finding("HEP-05")) == (raised and apart)


def test_a_report_below_4_between_breaks_the_pair() -> None:
    assert not on_heparin().back(200, 5).back(203, 3.9).back(207, 5).finding("HEP-05")


def test_the_first_of_a_pair_may_be_dated_any_time_before() -> None:
    assert on_heparin().back(20, 5).back(200, 5).began("HEP-05") == [at(200)]


@pytest.mark.parametrize(("cm", "raised"), [(168.1, False), (168, True)])
def test_measured_height_loss_is_a_sign(cm: float, *, raised: bool) -> None:
    assert bool(on_heparin().height(-50, 170).height(200, cm).finding("HEP-05")) == raised


def test_height_loss_stays_a_sign_when_a_radiograph_has_ended_spn_03() -> None:
    patient = on_heparin().height(-50, 170).height(200, 167).image(210, "XR spine", seen("no_fracture"))
    assert patient.spans("SPN-03") == [(at(200), at(210))]
    assert patient.spans("HEP-05") == [(at(200), ENDED)]


@pytest.mark.parametrize(("before", "raised"), [(99, True), (101, False)])
def test_outside_pregnancy_height_is_compared_with_the_last_before_the_first_exposed_day(
    before: int, *, raised: bool
) -> None:
    patient = Woman().height(before, 170).heparin(100, None).height(200, 167)
    assert bool(patient.finding("HEP-05")) == raised


@pytest.mark.parametrize(
    ("finding", "raised"),
    [
        (FRACTURE, True),
        (seen("vertebral_fracture", "T12", age="old"), False),
        (seen("rib_fracture"), False),
        (seen("no_fracture"), False),
    ],
)
def test_a_vertebral_fracture_that_is_not_old_is_a_sign(finding: StudyFinding, *, raised: bool) -> None:
    assert bool(on_heparin().image(200, "XR spine", finding).finding("HEP-05")) == raised


def test_a_coded_vertebral_fracture_is_a_sign_and_its_follow_up_is_none() -> None:
    assert on_heparin().code(200, "vertebral_fracture").began("HEP-05") == [at(200)]
    assert not on_heparin().code(200, "vertebral_fracture_follow_up").finding("HEP-05")


@pytest.mark.parametrize(
    ("procedure", "raised"),
    [
        ("labour", False),
        ("delivery", False),
        ("surgery", False),
        ("sterilisation", False),
        ("neuraxial_anaesthesia", True),
    ],
)
@pytest.mark.parametrize(("number", "own_day"), [(199, False), (200, True), (201, False)])
def test_pain_on_a_day_of_labour_delivery_or_surgery_is_none(
    number: int, *, own_day: bool, procedure: str, raised: bool
) -> None:
    assert bool(on_heparin().done(200, procedure).back(number, 9).finding("HEP-05")) == (raised or not own_day)


def test_pain_on_the_recorded_day_of_delivery_is_none_but_a_fracture_is() -> None:
    assert not on_heparin().back(280, 9).finding("HEP-05")
    assert on_heparin().image(280, "XR spine", FRACTURE).finding("HEP-05")


# ---- severity


def test_pain_under_low_molecular_weight_heparin_alone_is_a_warning() -> None:
    assert on_heparin(drug=LMWH).back(200, 9).back(210, 9).severities("HEP-05") == [(at(200), "warning")]


def test_it_is_critical_from_the_first_sign_that_is_not_pain_alone() -> None:
    patient = on_heparin(drug=LMWH).back(200, 9).image(205, "XR spine", FRACTURE)
    assert patient.severities("HEP-05") == [(at(200), "warning"), (at(205), "critical")]
    patient = on_heparin(drug=LMWH).height(-50, 170).back(200, 9).height(206, 167)
    assert patient.severities("HEP-05") == [(at(200), "warning"), (at(206), "critical")]


def test_it_is_critical_from_28_days_of_unfractionated_heparin_at_a_sign() -> None:
    assert on_heparin().back(200, 9).severities("HEP-05") == [(at(200), "critical")]
    patient = woman().heparin(60, 150, LMWH).heparin(151, None).back(170, 9).back(180, 9)
    assert patient.severities("HEP-05") == [(at(170), "warning"), (at(180), "critical")]


# ---- the end


@pytest.mark.parametrize(
    ("study", "findings", "ended"),
    [
        ("MRI spine", [], at(210)),
        ("MRI spine", [seen("no_fracture")], at(210)),
        ("MRI spine", [seen("vertebral_fracture", age="old")], at(210)),
        ("MRI spine", [seen("vertebral_fracture")], ENDED),
        ("XR spine", [seen("no_fracture")], ENDED),
        ("MRI hip", [seen("normal")], ENDED),
    ],
)
def test_only_a_spine_mri_without_a_new_fracture_ends_it(
    study: str, findings: list[StudyFinding], ended: float
) -> None:
    assert on_heparin().back(200, 9).image(210, study, *findings).spans("HEP-05") == [(at(200), ended)]


def test_any_later_mri_without_fracture_ends_it_not_only_the_first() -> None:
    patient = on_heparin().back(200, 9).image(210, "MRI spine", FRACTURE).image(230, "MRI spine")
    assert patient.spans("HEP-05") == [(at(200), at(230))]


def test_a_later_sign_prolongs_it_and_one_after_the_end_begins_anew() -> None:
    patient = on_heparin().back(200, 9).back(205, 9).image(204, "XR spine").image(210).back(220, 9)
    assert patient.spans("HEP-05") == [(at(200), at(210)), (at(220), ENDED)]


@pytest.mark.parametrize(("resulted", "ended"), [(205, 214), (213, 214), (214, at(214)), (230, at(230))])
def test_a_fracture_ends_it_with_the_work_up_not_before_14_days(resulted: int, ended: float) -> None:
    patient = on_heparin().image(200, "XR spine", FRACTURE).labs(resulted)
    assert patient.spans("HEP-05") == [(at(200), ended)]


def test_the_work_up_without_a_fracture_ends_nothing() -> None:
    assert on_heparin().back(200, 9).labs(205).spans("HEP-05") == [(at(200), ENDED)]


def test_the_14_days_run_from_the_latest_fracture_of_the_interval() -> None:
    patient = on_heparin().image(200, "XR spine", FRACTURE).labs(205).image(210, "XR spine", FRACTURE)
    assert patient.spans("HEP-05") == [(at(200), 224)]


def test_an_interval_begun_after_the_work_up_ended_one_needs_its_own_fracture() -> None:
    patient = on_heparin().image(200, "XR spine", FRACTURE).labs(205).back(230, 9)
    assert patient.spans("HEP-05") == [(at(200), 214), (at(230), ENDED)]
    patient.image(240, "XR spine", FRACTURE)
    assert patient.spans("HEP-05") == [(at(200), 214), (at(230), 254)]


def test_it_asks_for_mri_and_work_up() -> None:
    patient = on_heparin().back(200, 9)
    assert asked(patient, "HEP-05", 201) == ["spine MRI not done"]
    fractured = on_heparin().image(200, "MRI spine", FRACTURE)
    assert "TSH not resulted" in asked(fractured, "HEP-05", 201)


def test_evidence_names_the_sign_and_the_exposure() -> None:
    interval = on_heparin().back(200, 9).one("HEP-05")
    assert [(e.what, e.value) for e in interval.evidence] == [
        ("back pain", 9.0),
        ("unfractionated heparin, exposed days", 101),
    ]
    assert dict(interval.details)["sign"] == "Back pain 9/10"


def test_the_sentence_names_the_sign_that_sets_the_severity_in_force() -> None:
    """Pain under LMWH is a warning; the fracture that makes it critical a week later is what the notice is about."""
    findings = [{"finding": "vertebral_fracture", "levels": ["T12", "L1"]}]
    came = told(
        (
            pregnancy(50),
            heparin(50, starts=50, iu=5_000, drug=ENOXAPARIN),
            back_pain(200, 9),
            event(
                "imaging", "mri", 207, status="final", modality="MRI", region="spine", findings=findings,
                performed_at=on(207).isoformat(),
            ),
        ),
        210,
    )  # fmt: skip
    notices = {n.transition: n.sentence for n in came.notices if n.rule_id == "HEP-05"}
    assert notices["raised"].startswith(f"Back pain 9/10 on {day(200).isoformat()} ")
    assert notices["severity_raised"].startswith(f"Vertebral fracture T12, L1 on {day(207).isoformat()} ")
    assert came.standing()["HEP-05"].sentence == notices["severity_raised"]
