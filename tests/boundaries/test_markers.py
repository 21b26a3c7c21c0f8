"""MRK-01, MRK-02, MRK-05 and MRK-06: ratios, limits by phase, windows, comparability."""

import pytest

from tests.boundaries.mothers import Mother

EIGHT = 8 / 24
END = 280 + 366


@pytest.mark.parametrize(
    ("analyte", "baseline", "risen"),
    [("CTX", 500, "780"), ("NTX", 15, "20.1"), ("NTX_urine", 50, "75"), ("TRACP5b", 4, "5.4")],
)
def test_a_rise_by_the_least_significant_change_counts(analyte: str, baseline: float, risen: str) -> None:
    """1.56, 1.34, 1.50 and 1.35 times the baseline, above a limit of the laboratory, not lactating."""
    for value, found in ((float(risen) - 0.01, False), (float(risen), True), (float(risen) + 0.01, True)):
        mother = Mother().fed("none", 281).lab(analyte, 330, baseline, high=1)
        mother.lab(analyte, 380, round(value, 2), high=1)
        assert bool(mother.starts("MRK-01")) is found


def test_urine_ctx_needs_80_per_cent_and_a_limit_of_the_laboratory() -> None:
    mother = Mother().fed("none", 281).lab("CTX_urine", 330, 100)
    assert mother.lab("CTX_urine", 380, 200).starts("MRK-01") == []
    for value, found in ((179.9, False), (180, True)):
        other = Mother().fed("none", 281).lab("CTX_urine", 330, 100, high=150)
        assert bool(other.lab("CTX_urine", 380, value, high=150).starts("MRK-01")) is found


@pytest.mark.parametrize(
    ("first", "second", "limit"), [(20, 80, 462), (100, 150, 638), (200, 250, 698), (290, 310, 1400), (330, 400, 1400)]
)
def test_ctx_has_a_limit_in_each_phase_whatever_the_laboratory_sent(first: int, second: int, limit: int) -> None:
    for value, found in ((limit - 1, False), (limit, False), (limit + 1, True)):
        mother = Mother().fed("exclusive", 281).lab("CTX", first, 200)
        mother.lab("CTX", second, value, high=100)
        assert bool(mother.starts("MRK-01")) is found


@pytest.mark.parametrize("analyte", ["NTX", "NTX_urine", "TRACP5b"])
@pytest.mark.parametrize(("first", "second"), [(20, 80), (100, 150), (200, 250), (290, 400)])
def test_other_markers_are_silent_where_no_limit_is_published(analyte: str, first: int, second: int) -> None:
    mother = Mother().fed("exclusive", 281).lab(analyte, first, 10, high=1)
    assert mother.lab(analyte, second, 100, high=1).starts("MRK-01") == []


@pytest.mark.parametrize(
    ("analyte", "limit"), [("CTX", "791"), ("NTX", "19.0"), ("NTX_urine", "68.9"), ("TRACP5b", "4.8")]
)
def test_elsewhere_the_highest_premenopausal_limit_stands_in_for_the_laboratory_s(analyte: str, limit: str) -> None:
    for value, found in ((float(limit), False), (float(limit) + 0.1, True)):
        mother = Mother().fed("none", 281).lab(analyte, 330, 1)
        assert bool(mother.lab(analyte, 380, round(value, 1)).starts("MRK-01")) is found


@pytest.mark.parametrize(("apart", "found"), [(13, False), (14, True), (200, True), (201, False)])
def test_the_baseline_lies_14_to_200_days_before(apart: int, found: bool) -> None:
    mother = Mother().fed("exclusive", 281).lab("CTX", 330, 500).lab("CTX", 330 + apart, 1500)
    assert bool(mother.starts("MRK-01")) is found


def test_a_doubling_over_a_phase_border_is_normal() -> None:
    assert Mother().lab("CTX", 60, 250).lab("CTX", 220, 800).starts("MRK-01") == []


def test_early_puerperium_and_lactation_are_one_phase() -> None:
    assert Mother().fed("exclusive", 281).lab("CTX", 300, 500).lab("CTX", 400, 1500).starts("MRK-01") == [400 + EIGHT]


def test_unknown_feeding_after_42_days_is_silent() -> None:
    assert Mother().lab("CTX", 330, 500).lab("CTX", 400, 1500).starts("MRK-01") == []


def test_the_earliest_comparable_sample_is_the_baseline() -> None:
    mother = Mother().fed("exclusive", 281).lab("CTX", 330, 1000).lab("CTX", 360, 500).lab("CTX", 400, 1450)
    assert mother.starts("MRK-01") == []


@pytest.mark.parametrize(("fractured", "found"), [(217, False), (216, True), (401, True), (400, False)])
def test_it_is_silent_for_183_days_after_a_fracture(fractured: int, found: bool) -> None:
    mother = Mother().fed("exclusive", 281).lab("CTX", 330, 500).lab("CTX", 400, 1500).coded("rib_fracture", fractured)
    assert bool(mother.starts("MRK-01")) is found


def test_an_old_fracture_on_a_report_does_not_silence_it() -> None:
    mother = Mother().fed("exclusive", 281).lab("CTX", 330, 500).lab("CTX", 400, 1500).imaged(390, age="old")
    assert mother.starts("MRK-01") == [400 + EIGHT]


@pytest.mark.parametrize(("value", "ended"), [(1401, 281 + 730), (1400, 430 + EIGHT), (1399, 430 + EIGHT)])
def test_a_sample_within_the_limit_of_its_phase_ends_it(value: float, ended: float) -> None:
    """Else the episode does, which lasts while feeding does."""
    mother = Mother().fed("exclusive", 281).lab("CTX", 330, 500).lab("CTX", 400, 1500).lab("CTX", 430, value)
    assert mother.spans("MRK-01") == [(400 + EIGHT, ended)]


def test_a_sample_within_the_least_significant_change_ends_it() -> None:
    """1,559 is less than 1.56 times 1,000, though above the limit."""
    mother = Mother().fed("exclusive", 281).lab("CTX", 330, 1000).lab("CTX", 400, 1560).lab("CTX", 430, 1559)
    assert mother.spans("MRK-01") == [(400 + EIGHT, 430 + EIGHT)]


def test_a_sample_of_another_assay_ends_nothing() -> None:
    mother = Mother().fed("exclusive", 281).lab("CTX", 330, 500, assay="A").lab("CTX", 400, 1500, assay="A")
    mother.lab("CTX", 430, 300, assay="B").lab("CTX", 440, 300, assay="B")
    assert mother.spans("MRK-01")[0][1] > 500


@pytest.mark.parametrize(("value", "comparator", "found"), [(1500, ">", True), (1500, "<", False), (1401, ">=", True)])
def test_a_result_beyond_the_range_of_the_assay_counts_as_what_it_allows(
    value: float,
    comparator: str,
    found: bool,
) -> None:
    mother = Mother().fed("exclusive", 281).lab("CTX", 330, 500).lab("CTX", 400, value, comparator=comparator)
    assert bool(mother.starts("MRK-01")) is found


W = 350


def weaned() -> Mother:
    """A mother who weaned on day W."""
    return Mother().fed("exclusive", 281).fed("none", W)


@pytest.mark.parametrize(("since", "found"), [(89, False), (90, True), (365, True), (366, False)])
def test_resorption_is_judged_90_to_365_days_after_weaning(since: int, found: bool) -> None:
    assert weaned().lab("CTX", W + since, 900).starts("MRK-02") == ([W + since + EIGHT] if found else [])


@pytest.mark.parametrize(("value", "found"), [(790, False), (791, False), (792, True)])
def test_high_after_weaning_is_above_the_premenopausal_limit(value: float, found: bool) -> None:
    assert bool(weaned().lab("CTX", W + 100, value).starts("MRK-02")) is found


def test_the_laboratory_s_limit_goes_first() -> None:
    assert weaned().lab("CTX", W + 100, 600, high=573).starts("MRK-02") == [W + 100 + EIGHT]
    assert weaned().lab("CTX", W + 100, 900, high=1000).starts("MRK-02") == []


@pytest.mark.parametrize(("value", "found"), [(311, False), (312, True), (313, True)])
def test_a_rise_since_weaning_counts_too(value: float, found: bool) -> None:
    assert bool(weaned().lab("CTX", W + 50, 200).lab("CTX", W + 100, value).starts("MRK-02")) is found


@pytest.mark.parametrize(("baseline", "found"), [(W - 1, False), (W, True), (W + 86, True), (W + 87, False)])
def test_the_baseline_of_that_rise_is_after_weaning_and_14_days_before(baseline: int, found: bool) -> None:
    assert bool(weaned().lab("CTX", baseline, 200).lab("CTX", W + 100, 400).starts("MRK-02")) is found


@pytest.mark.parametrize(
    ("drug", "drug_class"),
    [("teriparatide", "anabolic"), ("abaloparatide", "anabolic"), ("romosozumab", "sclerostin_inhibitor")],
)
def test_an_anabolic_silences_it_and_its_start_ends_it(drug: str, drug_class: str) -> None:
    assert weaned().ordered(drug, drug_class, W + 90).lab("CTX", W + 100, 900).starts("MRK-02") == []
    mother = weaned().ordered(drug, drug_class, W + 120).lab("CTX", W + 100, 900)
    assert mother.spans("MRK-02") == [(W + 100 + EIGHT, W + 120)]


@pytest.mark.parametrize(("fractured", "found"), [(W + 100 - 183, False), (W + 100 - 184, True)])
def test_a_fracture_silences_it_for_183_days(fractured: int, found: bool) -> None:
    mother = weaned().coded("vertebral_fracture", fractured).lab("CTX", W + 100, 900)
    assert bool(mother.starts("MRK-02")) is found


def test_a_sample_within_the_premenopausal_limit_ends_it_and_the_window_does_not() -> None:
    assert weaned().lab("CTX", W + 100, 900).spans("MRK-02") == [(W + 100 + EIGHT, W + 731)]
    mother = weaned().lab("CTX", W + 100, 900).lab("CTX", W + 400, 791)
    assert mother.spans("MRK-02") == [(W + 100 + EIGHT, W + 400 + EIGHT)]


def test_feeding_that_only_lapsed_is_no_weaning() -> None:
    assert Mother().fed("exclusive", 281).fed("unknown", W).lab("CTX", W + 100, 900).starts("MRK-02") == []


@pytest.mark.parametrize(("at", "found"), [(97, False), (98, True), (279, True), (322, True), (323, False)])
def test_total_alp_is_no_bone_marker_from_the_second_trimester_to_42_days(at: int, found: bool) -> None:
    mother = Mother().lab("ALP_total", at, 120, quantity="activity")
    assert mother.starts("MRK-05") == ([at + EIGHT] if found else [])


@pytest.mark.parametrize("analyte", ["BALP", "P1NP"])
def test_a_bone_marker_of_that_day_makes_the_note_needless_and_a_later_one_ends_it(analyte: str) -> None:
    same = Mother().lab("ALP_total", 150, 120, quantity="activity").lab(analyte, 150, 20, hour=15, quantity="mass")
    assert same.starts("MRK-05") == []
    later = Mother().lab("ALP_total", 150, 120, quantity="activity").lab(analyte, 151, 20, quantity="mass")
    assert later.spans("MRK-05") == [(150 + EIGHT, 151 + EIGHT)]


def test_a_later_total_alp_prolongs_the_note() -> None:
    mother = Mother().lab("ALP_total", 150, 120, quantity="activity").lab("ALP_total", 200, 130, quantity="activity")
    assert mother.spans("MRK-05") == [(150 + EIGHT, END)]


@pytest.mark.parametrize(("hour", "found"), [(9.99, False), (10, False), (10.01, True)])
def test_ctx_is_comparable_when_collected_by_ten_local_time(hour: float, found: bool) -> None:
    assert bool(Mother().lab("CTX", 100, 300, hour=hour).starts("MRK-06")) is found
    assert bool(Mother(zone="Europe/Berlin").lab("CTX", 20, 300, hour=hour - 1).starts("MRK-06")) is found
    assert Mother().lab("P1NP", 100, 50, hour=15, quantity="mass").starts("MRK-06") == []


@pytest.mark.parametrize(("fasting", "found"), [(True, False), (None, False), (False, True)])
def test_ctx_not_fasting_is_not_comparable_and_unknown_is_asked(fasting: bool | None, found: bool) -> None:
    mother = Mother().lab("CTX", 100, 300, fasting=fasting, hour=11 if fasting is None else 8)
    assert bool(Mother().lab("CTX", 100, 300, fasting=fasting).starts("MRK-06")) is found
    if fasting is None:
        assert mother.questions("MRK-06", 101) == ["fasting state of a CTX sample unknown"]


@pytest.mark.parametrize(
    ("quality", "found"), [("haemolysed", True), ("clotted", True), ("insufficient", True), ("lipaemic", False)]
)
def test_a_spoilt_specimen_is_not_comparable(quality: str, found: bool) -> None:
    assert bool(Mother().lab("OC", 100, 10, quantity="mass", quality=quality).starts("MRK-06")) is found


@pytest.mark.parametrize(
    ("quantity", "assay", "laboratory"),
    [("mass", "B", "L"), ("mass", "A", "M"), ("molar", "A", "L"), ("mass", None, "L")],
)
def test_the_first_sample_of_another_method_is_not_comparable_and_the_second_is(
    quantity: str, assay: str | None, laboratory: str
) -> None:
    mother = Mother().lab("P1NP", 100, 50, quantity="mass", assay="A", laboratory="L")
    for at in (120, 140):
        mother.lab("P1NP", at, 50, quantity=quantity, assay=assay, laboratory=laboratory)
    assert mother.spans("MRK-06") == [(120 + EIGHT, 140 + EIGHT)]


@pytest.mark.parametrize(
    ("egfr", "at", "found"), [(59, 330, True), (60, 330, False), (59, 310, True), (59, 309, False), (59, 279, False)]
)
def test_a_low_egfr_of_90_days_counts_for_ctx_and_osteocalcin(egfr: float, at: int, found: bool) -> None:
    """One measured in pregnancy is not valid and not read."""
    for analyte in ("CTX", "OC"):
        mother = Mother().lab("eGFR", at, egfr, quantity="volume rate").lab(analyte, 400, 300, quantity="mass")
        assert bool(mother.starts("MRK-06")) is found
    other = Mother().lab("eGFR", at, egfr, quantity="volume rate").lab("P1NP", 400, 30, quantity="mass")
    assert other.starts("MRK-06") == []


def test_an_egfr_measured_in_pregnancy_is_not_read_for_a_sample_in_it() -> None:
    assert Mother().lab("eGFR", 90, 40, quantity="volume rate").lab("CTX", 100, 300).starts("MRK-06") == []


def test_several_markers_make_one_interval() -> None:
    mother = Mother().lab("CTX", 100, 300, fasting=False).lab("OC", 110, 9, quantity="mass", quality="clotted")
    mother.lab("CTX", 120, 300).lab("OC", 130, 9, quantity="mass")
    assert mother.spans("MRK-06") == [(100 + EIGHT, 130 + EIGHT)]


def test_a_sample_that_is_not_comparable_is_skipped_as_sign_as_baseline_and_as_end() -> None:
    nursing = Mother().fed("exclusive", 281)
    assert nursing.lab("CTX", 330, 500).lab("CTX", 400, 1500, fasting=False).starts("MRK-01") == []
    nursing = Mother().fed("exclusive", 281).lab("CTX", 330, 500, fasting=False)
    assert nursing.lab("CTX", 400, 1500).starts("MRK-01") == []
    nursing = Mother().fed("exclusive", 281).lab("CTX", 330, 500).lab("CTX", 400, 1500)
    assert nursing.lab("CTX", 420, 500, quality="haemolysed").spans("MRK-01")[0][1] > 430


def test_a_marker_finding_asks_what_is_unknown() -> None:
    mother = Mother().fed("exclusive", 281).lab("CTX", 330, 500, hour=0).lab("CTX", 400, 1500, fasting=True)
    assert mother.questions("MRK-01", 401) == [
        "fasting state of a CTX sample unknown",
        "time of collection of a CTX sample unknown",
    ]
    assert mother.fed("unknown", 420).questions("MRK-01", 430)[-1] == "phase or feeding unknown"
