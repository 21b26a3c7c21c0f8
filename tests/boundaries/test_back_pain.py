"""SPN-01: back pain in the months around delivery, on both sides of each of its limits."""

import pytest

from schemas.facts import StudyFinding
from tests.boundaries.bones import ENDED, Woman, at, seen, woman
from tests.support import day, days_from_zero


@pytest.mark.parametrize(("number", "raised"), [(195, False), (196, True), (372, True), (373, False)])
def test_severe_pain_counts_from_day_196_to_92_days_after_delivery(number: int, *, raised: bool) -> None:
    assert bool(woman().back(number, 8).finding("SPN-01")) == raised


@pytest.mark.parametrize(("number", "raised"), [(372, True), (373, True), (645, True), (646, False)])
def test_on_days_of_lactation_the_window_reaches_365_days_after_delivery(number: int, *, raised: bool) -> None:
    assert bool(woman().feeds(281).back(number, 8).finding("SPN-01")) == raised


def test_the_window_does_not_reach_further_on_a_day_after_weaning() -> None:
    assert not woman().feeds(281).feeds(400, "none").back(400, 8).finding("SPN-01")
    assert woman().feeds(281).feeds(401, "none").back(400, 8).finding("SPN-01")


@pytest.mark.parametrize(("score", "raised"), [(6.9, False), (7, True), (7.1, True), (None, False)])
def test_one_report_is_a_sign_from_7_of_10(score: float | None, *, raised: bool) -> None:
    assert bool(woman().back(250, score).finding("SPN-01")) == raised


@pytest.mark.parametrize(
    ("score", "sudden", "injury", "raised"),
    [
        (None, True, "minor", True),
        (4, True, "minor", True),
        (3.9, True, "minor", False),
        (4, False, "minor", False),
        (4, None, "minor", False),
        (4, True, "none", False),
        (4, True, "major", False),
        (4, True, None, False),
    ],
)
def test_sudden_pain_after_a_minor_injury_is_a_sign_unless_known_to_be_slight(
    score: float | None, *, sudden: bool | None, injury: str | None, raised: bool
) -> None:
    assert bool(woman().back(250, score, sudden=sudden, injury=injury).finding("SPN-01")) == raised


@pytest.mark.parametrize(("second", "raised"), [(256, False), (257, True), (258, True)])
def test_moderate_pain_lasts_from_7_days_between_two_reports(second: int, *, raised: bool) -> None:
    assert bool(woman().risk(100, "smoking").back(250, 5).back(second, 5).finding("SPN-01")) == raised


@pytest.mark.parametrize(("score", "raised"), [(3.9, False), (4, True), (4.1, True)])
def test_lasting_pain_counts_from_4_of_10(score: float, *, raised: bool) -> None:
    assert bool(woman().risk(100, "smoking").back(250, score).back(258, score).finding("SPN-01")) == raised


@pytest.mark.parametrize(("between", "raised"), [(3.9, False), (4, True), (None, True)])
def test_a_report_below_4_between_two_breaks_what_lasts(between: float | None, *, raised: bool) -> None:
    patient = woman().risk(100, "smoking").back(250, 5).back(253, between).back(257, 5)
    assert bool(patient.finding("SPN-01")) == raised


def test_moderate_pain_alone_raises_nothing() -> None:
    """Pregnancy back pain is common: without a gate every second chart would alert."""
    assert not woman().back(230, 6).back(240, 6).back(260, 6).finding("SPN-01")


@pytest.mark.parametrize(("last", "raised"), [(126, False), (127, True), (128, True)])
def test_heparin_is_a_gate_from_28_exposed_days(last: int, *, raised: bool) -> None:
    assert bool(woman().heparin(100, last).back(250, 5).back(258, 5).finding("SPN-01")) == raised


@pytest.mark.parametrize(("last", "raised"), [(116, False), (117, True)])
def test_days_of_both_heparins_count_together_and_shared_days_once(last: int, *, raised: bool) -> None:
    patient = woman().heparin(90, 104).heparin(100, last, "lmwh").back(250, 5).back(258, 5)
    assert bool(patient.finding("SPN-01")) == raised


@pytest.mark.parametrize(("number", "began"), [(255, at(258)), (265, at(265))])
def test_a_gate_that_opens_later_begins_it_then(number: int, began: float) -> None:
    assert woman().back(250, 5).back(258, 5).risk(number, "smoking").began("SPN-01") == [began]


def test_the_28th_day_of_heparin_begins_it_at_the_beginning_of_that_day() -> None:
    assert woman().heparin(235, None).back(250, 5).back(258, 5).began("SPN-01") == [262]


def test_measured_height_loss_is_a_gate_even_after_imaging_ended_it() -> None:
    patient = woman().height(-50, 170).height(200, 167).image(210, "XR spine").back(250, 5).back(258, 5)
    assert patient.spans("SPN-03") == [(at(200), at(210))]
    assert patient.began("SPN-01") == [at(258)]


def test_a_height_that_is_normal_again_is_no_gate() -> None:
    patient = woman().height(-50, 170).height(200, 167).height(210, 170).back(250, 5).back(258, 5)
    assert not patient.finding("SPN-01")


@pytest.mark.parametrize(("number", "raised"), [(372, True), (373, False)])
def test_a_gate_that_opens_after_the_window_begins_nothing(number: int, *, raised: bool) -> None:
    assert bool(woman().back(350, 5).back(358, 5).risk(number, "smoking").finding("SPN-01")) == raised


@pytest.mark.parametrize(("second", "raised"), [(274, False), (273, True)])
def test_a_gate_that_opens_when_the_pain_is_over_begins_nothing(second: int, *, raised: bool) -> None:
    patient = woman().back(250, 5).back(258, 5).back(260, 2).back(second, 2).risk(276, "smoking")
    assert bool(patient.finding("SPN-01")) == raised


def test_a_gate_that_opens_after_an_mri_without_fracture_begins_nothing() -> None:
    assert not woman().back(250, 5).back(258, 5).image(262).risk(265, "smoking").finding("SPN-01")


def test_pain_is_over_by_reports_since_it_was_reported_though_the_gate_opened_between() -> None:
    patient = woman().back(250, 5).back(258, 5).back(260, 2).risk(265, "smoking").back(274, 2)
    assert patient.spans("SPN-01") == [(at(265), at(274))]


def test_the_first_of_the_two_reports_may_precede_28_weeks() -> None:
    assert woman().risk(100, "smoking").back(150, 5).back(200, 5).began("SPN-01") == [at(200)]
    assert not woman().risk(100, "smoking").back(150, 5).back(190, 5).finding("SPN-01")


@pytest.mark.parametrize(("number", "raised"), [(-1, False), (1, True)])
def test_sciatica_coded_before_the_lmp_stops_lasting_moderate_pain(number: int, *, raised: bool) -> None:
    patient = woman().risk(100, "smoking").code(number, "sciatica").back(250, 5).back(258, 5)
    assert bool(patient.finding("SPN-01")) == raised


def test_severe_or_sudden_pain_is_a_change_whatever_sciatica_was_known() -> None:
    assert woman().code(-100, "sciatica").back(250, 7).finding("SPN-01")
    assert woman().code(-100, "sciatica").back(250, 5, sudden=True, injury="minor").finding("SPN-01")


@pytest.mark.parametrize(("number", "raised"), [(279, True), (280, False), (283, False), (284, True)])
def test_pain_up_to_3_days_after_neuraxial_anaesthesia_is_no_sign(number: int, *, raised: bool) -> None:
    assert bool(woman().done(280, "neuraxial_anaesthesia").back(number, 9).finding("SPN-01")) == raised


def test_anaesthesia_that_was_not_done_explains_nothing() -> None:
    assert woman().done(280, "neuraxial_anaesthesia", "not_done").back(281, 9).finding("SPN-01")


@pytest.mark.parametrize(
    ("first", "second", "ended"), [(260, 273, ENDED), (260, 274, at(274)), (260, 280, at(280)), (249, 274, ENDED)]
)
def test_it_ends_with_two_low_reports_14_days_apart_after_the_last_sign(first: int, second: int, ended: float) -> None:
    assert woman().back(250, 8).back(first, 3).back(second, 3).spans("SPN-01") == [(at(250), ended)]


@pytest.mark.parametrize(("score", "ended"), [(2.9, at(280)), (3, at(280)), (3.1, ENDED)])
def test_pain_is_over_at_3_of_10(score: float, ended: float) -> None:
    assert woman().back(250, 8).back(260, score).back(280, score).spans("SPN-01") == [(at(250), ended)]


def test_a_report_above_3_between_begins_the_14_days_anew() -> None:
    patient = woman().back(250, 8).back(255, 2).back(262, 3.5).back(270, 2).back(283, 2).back(284, 1)
    assert patient.spans("SPN-01") == [(at(250), at(284))]


def test_one_low_report_and_silence_is_not_14_days() -> None:
    assert woman().back(250, 8).back(255, 1).spans("SPN-01") == [(at(250), ENDED)]


def test_a_later_sign_prolongs_it() -> None:
    patient = woman().back(250, 8).back(255, 2).back(260, 8).back(269, 2).back(282, 2).back(283, 2)
    assert patient.spans("SPN-01") == [(at(250), at(283))]


def test_a_sign_after_the_end_begins_anew() -> None:
    patient = woman().back(250, 8).image(255).back(300, 8)
    assert patient.spans("SPN-01") == [(at(250), at(255)), (at(300), ENDED)]


@pytest.mark.parametrize(
    ("study", "finding", "ended"),
    [
        ("MRI spine", None, at(260)),
        ("MRI spine", seen("no_fracture"), at(260)),
        ("MRI spine", seen("vertebral_fracture", "T7", age="old"), at(260)),
        ("MRI spine", seen("vertebral_fracture", "T7"), ENDED),
        ("MRI spine", seen("sacral_fracture"), ENDED),
        ("XR spine", seen("no_fracture"), ENDED),
        ("CT spine", seen("normal"), ENDED),
        ("MRI hip", seen("normal"), ENDED),
    ],
)
def test_only_a_spine_mri_without_fracture_ends_it(study: str, finding: StudyFinding | None, ended: float) -> None:
    findings = () if finding is None else (finding,)
    assert woman().back(250, 8).image(260, study, *findings).spans("SPN-01") == [(at(250), ended)]


@pytest.mark.parametrize(
    ("number", "status", "ended"), [(249, "final", ENDED), (250.1, "final", at(250.1)), (260, "performed", ENDED)]
)
def test_the_mri_is_final_and_performed_after_the_last_sign(number: float, status: str, ended: float) -> None:
    assert woman().back(250, 8).image(number, status=status).spans("SPN-01")[0][1] == pytest.approx(ended)


def test_the_end_of_the_window_does_not_end_it_and_the_end_of_the_episode_does() -> None:
    assert woman().back(370, 8).spans("SPN-01") == [(at(370), ENDED)]


def test_without_a_pregnancy_nothing_is_found() -> None:
    assert not Woman().back(250, 9).finding("SPN-01")


def test_an_undated_pregnancy_counts_from_its_delivery() -> None:
    patient = Woman().delivered(280, lmp=None).back(270, 9).back(300, 9)
    assert patient.began("SPN-01") == [at(300)]


def test_without_a_delivery_record_the_window_counts_from_day_308() -> None:
    assert Woman().pregnant().back(400, 9).finding("SPN-01")
    assert not Woman().pregnant().back(401, 9).finding("SPN-01")


def test_evidence_names_the_report_and_the_sentence_its_day() -> None:
    interval = woman().back(250, 8, sudden=True).one("SPN-01")
    assert [(e.what, e.value) for e in interval.evidence] == [("back pain", 8.0)]
    assert dict(interval.details) == {"sign": "Sudden back pain 8/10", "day": day(250).isoformat()}
    assert days_from_zero(interval.began) == at(250)
