"""SEC-01 and SEC-03: the work-up of a fragility fracture, on both sides of each limit."""

import pytest

from tests.boundaries.bones import ENDED, NINE, Woman, asked, at, seen, woman

FRACTURE = seen("vertebral_fracture", "T12")


def fractured() -> Woman:
    """A vertebral fracture on day 200."""
    return woman().image(200, "XR spine", FRACTURE)


# ---- SEC-01


def test_sec_01_begins_14_days_after_the_day_of_the_fracture() -> None:
    assert fractured().spans("SEC-01") == [(214, ENDED)]


@pytest.mark.parametrize(("number", "spans"), [(213, []), (214, [(214, at(214))]), (220, [(214, at(220))])])
def test_sec_01_ends_when_the_last_of_the_nine_is_recorded(number: int, spans: list[tuple[float, float]]) -> None:
    assert fractured().labs(number).spans("SEC-01") == spans


def test_sec_01_counts_a_result_when_it_was_recorded_not_collected() -> None:
    assert fractured().labs(205, recorded=216).spans("SEC-01") == [(214, at(216))]


@pytest.mark.parametrize("missing", NINE)
def test_sec_01_misses_each_of_the_nine(missing: str) -> None:
    assert fractured().labs(205, set(NINE) - {missing}).spans("SEC-01") == [(214, ENDED)]


@pytest.mark.parametrize(
    ("missing", "instead", "complete"),
    [
        ("Ca_total", "Ca_ionised", True),
        ("Ca_total", "Ca_albcorr", True),
        ("Ca_total", "Ca_urine_24h", False),
        ("ALP_total", "BALP", True),
        ("ALP_total", "ALP_placental", False),
        ("CBC", "Hemoglobin", True),
        ("CBC", "Platelets", False),
        ("25OHD", "25OHD3", True),
        ("SPEP", "M_protein", True),
        ("SPEP", "FLC_ratio", False),
    ],
)
def test_sec_01_knows_what_stands_for_a_test(missing: str, instead: str, *, complete: bool) -> None:
    patient = fractured().labs(205, set(NINE) - {missing}).lab(205, instead)
    assert (not patient.finding("SEC-01")) == complete


@pytest.mark.parametrize(("collected", "raised"), [(33, True), (34, False), (35, False)])
def test_sec_01_counts_results_of_the_last_180_days(collected: int, *, raised: bool) -> None:
    patient = fractured().labs(205, set(NINE) - {"PTH"}).lab(collected, "PTH")
    assert bool(patient.finding("SEC-01")) == raised


def test_sec_01_counts_an_electrophoresis_however_old() -> None:
    patient = fractured().labs(205, set(NINE) - {"SPEP"}).lab(-2000, "SPEP", None, text="normal pattern")
    assert not patient.finding("SEC-01")


@pytest.mark.parametrize(("status", "raised"), [("preliminary", True), ("final", False), ("corrected", False)])
def test_sec_01_counts_final_results_only(status: str, *, raised: bool) -> None:
    patient = fractured().labs(205, set(NINE) - {"PTH"}).lab(205, "PTH", status=status)
    assert bool(patient.finding("SEC-01")) == raised


@pytest.mark.parametrize(("ordered", "began"), [(207, 214), (208, 215), (213, 220), (214, 214)])
def test_sec_01_waits_for_an_order_less_than_7_days_old(ordered: int, began: float) -> None:
    patient = fractured().labs(205, set(NINE) - {"PTH"}).ordered(ordered, "PTH")
    assert patient.spans("SEC-01") == [(began, ENDED)]


def test_sec_01_waits_only_if_each_missing_test_is_ordered_and_from_the_oldest_order() -> None:
    patient = fractured().labs(205, set(NINE) - {"PTH", "TSH"}).ordered(210, "PTH")
    assert patient.began("SEC-01") == [214]
    assert patient.ordered(212, "TSH").began("SEC-01") == [217]


def test_sec_01_a_test_ordered_again_is_waited_for_from_the_later_order() -> None:
    patient = fractured().labs(205, set(NINE) - {"PTH"}).ordered(208, "PTH").ordered(212, "PTH")
    assert patient.began("SEC-01") == [219]


@pytest.mark.parametrize("status", ["completed", "cancelled"])
def test_sec_01_waits_for_active_orders_only(status: str) -> None:
    patient = fractured().labs(205, set(NINE) - {"PTH"}).ordered(210, "PTH", status)
    assert patient.began("SEC-01") == [214]


def test_sec_01_does_not_begin_if_the_order_brought_the_result() -> None:
    assert not fractured().labs(205, set(NINE) - {"PTH"}).ordered(210, "PTH").lab(216, "PTH").finding("SEC-01")


def test_sec_01_is_not_ended_by_an_order_placed_after_it_began() -> None:
    patient = fractured().labs(205, set(NINE) - {"PTH"}).ordered(216, "PTH")
    assert patient.spans("SEC-01") == [(214, ENDED)]


def test_sec_01_stays_complete_for_a_finding_and_results_do_not_expire() -> None:
    assert fractured().labs(40).spans("SEC-01") == []


def test_sec_01_overlapping_gaps_are_one() -> None:
    """Low bone density is found a week after the fracture, and nothing was tested."""
    patient = fractured().image(400, "XR spine", seen("vertebral_fracture", "L4"))
    assert patient.spans("SEC-01") == [(214, ENDED)]


def test_sec_01_follows_the_finding_although_its_alert_was_closed() -> None:
    assert fractured().answer(205, "SPN-02", "override", "trauma").spans("SEC-01") == [(214, ENDED)]


def test_sec_01_names_each_missing_test_and_asks_for_dietary_calcium() -> None:
    patient = fractured().labs(205, set(NINE) - {"PTH", "CBC"})
    details = dict(patient.one("SEC-01").details)
    assert (details["missing"], details["number"]) == ("parathyroid hormone, blood count", 2)
    questions = ["parathyroid hormone not resulted", "blood count not resulted", "dietary calcium unknown"]
    assert asked(patient, "SEC-01", 215) == questions
    patient.risk(216, "low_calcium_intake", present=False).lab(217, "PTH")
    assert asked(patient, "SEC-01", 218) == ["blood count not resulted"]


def test_sec_01_is_out_of_scope_without_a_pregnancy() -> None:
    assert not Woman().image(200, "XR spine", FRACTURE).finding("SEC-01")


# ---- SEC-03


@pytest.mark.parametrize(
    ("value", "comparator", "raised"),
    [(0, None, False), (0.1, None, True), (0.1, "<", False), (0, ">", True), (0, ">=", False), (0.1, ">", True)],
)
def test_sec_03_begins_with_an_m_protein_above_0(value: float, comparator: str | None, *, raised: bool) -> None:
    assert bool(fractured().lab(210, "M_protein", value, comparator=comparator).finding("SEC-03")) == raised


@pytest.mark.parametrize(
    ("value", "comparator", "raised"),
    [
        (0.25, None, True),
        (0.26, None, False),
        (0.26, "<", True),
        (0.27, "<", False),
        (0.26, "<=", False),
        (1.65, None, False),
        (1.66, None, True),
        (1.65, ">", True),
        (1.64, ">", False),
        (1.65, ">=", False),
    ],
)
def test_sec_03_begins_with_a_light_chain_ratio_outside_its_range(
    value: float, comparator: str | None, *, raised: bool
) -> None:
    assert bool(fractured().lab(210, "FLC_ratio", value, comparator=comparator).finding("SEC-03")) == raised


@pytest.mark.parametrize(("value", "raised"), [(0.3, True), (0.36, True), (0.37, False), (3.1, False), (3.2, True)])
def test_sec_03_has_a_range_of_its_own_with_kidney_disease(value: float, *, raised: bool) -> None:
    patient = fractured().code(100, "chronic_kidney_disease").lab(210, "FLC_ratio", value)
    assert bool(patient.finding("SEC-03")) == raised


def test_sec_03_judges_an_earlier_ratio_by_the_kidney_disease_known_at_the_fracture() -> None:
    assert not fractured().lab(150, "FLC_ratio", 2).code(180, "chronic_kidney_disease").finding("SEC-03")
    assert fractured().lab(150, "FLC_ratio", 2).code(201, "chronic_kidney_disease").finding("SEC-03")


@pytest.mark.parametrize(("collected", "began"), [(150, at(200)), (200, at(200)), (210, at(210))])
def test_sec_03_begins_with_the_later_of_fracture_and_result(collected: int, began: float) -> None:
    assert fractured().lab(collected, "M_protein", 0.5).spans("SEC-03") == [(began, ENDED)]


def test_sec_03_reads_the_latest_result_at_the_fracture() -> None:
    assert not fractured().lab(100, "M_protein", 0.5).lab(150, "M_protein", 0).finding("SEC-03")
    assert fractured().lab(100, "M_protein", 0).lab(150, "M_protein", 0.5).began("SEC-03") == [at(200)]


def test_sec_03_is_not_ended_by_a_later_normal_result() -> None:
    assert fractured().lab(210, "M_protein", 0.5).lab(230, "M_protein", 0).spans("SEC-03") == [(at(210), ENDED)]


@pytest.mark.parametrize("concept", ["monoclonal_gammopathy", "myeloma"])
def test_sec_03_ends_when_the_diagnosis_is_coded(concept: str) -> None:
    patient = fractured().lab(210, "M_protein", 0.5)
    assert patient.code(220, concept).spans("SEC-03") == [(at(210), at(220))]
    assert fractured().lab(210, "M_protein", 0.5).code(209, concept).spans("SEC-03") == [(at(210), ENDED)]


def test_sec_03_alert_closes_with_a_plan() -> None:
    patient = fractured().lab(210, "M_protein", 0.5).answer(215, "SEC-03", "plan")
    assert patient.alerts("SEC-03") == [(at(210), at(215))]
    assert patient.spans("SEC-03") == [(at(210), ENDED)]


def test_sec_03_needs_a_fracture_and_counts_preliminary_results() -> None:
    assert not woman().lab(210, "M_protein", 0.5).finding("SEC-03")
    assert fractured().lab(210, "M_protein", 0.5, status="preliminary").finding("SEC-03")


def test_sec_03_asks_for_what_is_missing() -> None:
    patient = fractured().lab(210, "M_protein", 0.5).lab(210, "SPEP", None, text="narrow band in gamma")
    assert asked(patient, "SEC-03", 211) == [
        "protein electrophoresis reported as text: read it",
        "free light chains not measured",
        "immunofixation not done",
    ]
    patient.lab(212, "FLC_ratio", 1).lab(212, "SPEP", None, text="IgG kappa", code="14895-7")
    assert asked(patient, "SEC-03", 213) == ["protein electrophoresis reported as text: read it"]
