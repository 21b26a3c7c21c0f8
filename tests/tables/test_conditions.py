"""The concepts of condition codes: by prefix, by either name of ICD-10, and a fracture apart from its follow-up."""

import pytest

from schemas.tables import Tables

BOTH = ("I10", "I10C", "http://hl7.org/fhir/sid/icd-10-cm", "urn:oid:2.16.840.1.113883.6.90")


@pytest.mark.parametrize("system", BOTH)
@pytest.mark.parametrize("code", ["M80.88XA", "M8088XA", "m80.88xa", "M80.88"])
def test_a_vertebral_fracture_is_found_under_every_spelling(tables: Tables, system: str, code: str) -> None:
    assert tables.concepts(system, code) == ("osteoporosis_with_fracture_other_vertebra", "vertebral_fracture")


@pytest.mark.parametrize(
    ("code", "fracture"),
    [
        ("M48.54X", "vertebral_fracture"),
        ("M80.08X", "vertebral_fracture"),
        ("S22.010", "vertebral_fracture"),
        ("S32.000", "vertebral_fracture"),
        ("S22.31X", "rib_fracture"),
        ("S32.10X", "sacral_fracture"),
        ("M48.58X", "sacral_fracture"),
        ("S32.511", "pelvic_fracture"),
        ("S72.011", "femoral_neck_fracture"),
        ("M80.851", "femoral_neck_fracture"),
    ],
)
@pytest.mark.parametrize("system", ["I10", "I10C"])
def test_the_seventh_character_tells_a_new_fracture_from_an_earlier_one(
    tables: Tables, system: str, code: str, fracture: str
) -> None:
    for initial in ("", "A", "B"):
        assert fracture in tables.concepts(system, code + initial)
    for later in "DGKPS":
        found = tables.concepts(system, code + later)
        assert f"{fracture}_follow_up" in found
        assert fracture not in found


@pytest.mark.parametrize("later", list("EFHJMNQR"))
def test_the_follow_up_of_an_open_femoral_neck_fracture_is_no_new_fracture(tables: Tables, later: str) -> None:
    assert tables.concepts("I10C", f"S72.011{later}") == ("femoral_neck_fracture_follow_up",)


def test_plo_stays_coded_when_the_fracture_is_followed_up(tables: Tables) -> None:
    assert tables.concepts("I10C", "M80.88XS") == (
        "osteoporosis_with_fracture_other_vertebra",
        "vertebral_fracture_follow_up",
    )


@pytest.mark.parametrize("code", ["O99.89", "O99.891", "O99.893", "O99892"])
def test_the_second_half_of_a_coded_plo_is_the_puerperal_complication(tables: Tables, code: str) -> None:
    assert tables.concepts("I10C", code) == ("puerperal_complication",)


@pytest.mark.parametrize(("system", "code"), [("I10", "O99.810"), ("I10C", "O99.84"), ("I10C", "O99.2")])
def test_its_neighbours_are_not(tables: Tables, system: str, code: str) -> None:
    assert "puerperal_complication" not in tables.concepts(system, code)


@pytest.mark.parametrize(
    ("system", "code", "present", "absent"),
    [
        ("I10C", "M81.8", "osteoporosis_other", "transient_osteoporosis_hip"),
        ("I10C", "M81.0", "osteoporosis", "osteoporosis_other"),
        ("I10C", "M81.6", "transient_osteoporosis_hip", "osteoporosis_other"),
        ("I10", "M80.8", "vertebral_fracture", "femoral_neck_fracture"),
        ("I10", "M80.8", "osteoporosis_with_fracture_unspecified_site", "pelvic_fracture"),
        ("I10C", "M80.80XA", "osteoporosis_with_fracture_unspecified_site", "vertebral_fracture"),
        ("I10C", "M80.811A", "", "vertebral_fracture"),
        ("SCT", "64859006", "osteoporosis", "vertebral_fracture"),
        ("SCT", "240160002", "transient_osteoporosis_hip_in_pregnancy", "osteoporosis"),
        ("SCT", "240159007", "transient_osteoporosis_hip", "transient_osteoporosis_hip_in_pregnancy"),
        ("SCT", "699528002", "transient_osteoporosis", "transient_osteoporosis_hip"),
        ("I10C", "Z33.1", "pregnant", "not_pregnant"),
        ("I10C", "Z33.2", "", "pregnant"),
        ("I10C", "Z32.02", "not_pregnant", "pregnant"),
        ("I10C", "Z90.710", "hysterectomy", ""),
        ("I10C", "Z90.712", "", "hysterectomy"),
        ("I10C", "Z95.2", "mechanical_valve", ""),
        ("I10C", "Z95.3", "", "mechanical_valve"),
        ("I10C", "C90.00", "myeloma", "monoclonal_gammopathy"),
        ("I10C", "C50.911", "malignancy", "myeloma"),
        ("I10C", "S32.2XXA", "", "pelvic_fracture"),
        ("I10C", "S72.141A", "", "femoral_neck_fracture"),
        ("I10C", "M54.30", "sciatica", "back_pain"),
        ("I10C", "M54.41", "sciatica", ""),
    ],
)
def test_a_code_means_this_and_not_that(tables: Tables, system: str, code: str, present: str, absent: str) -> None:
    found = tables.concepts(system, code)
    assert not present or present in found
    assert not absent or absent not in found


@pytest.mark.parametrize(
    ("system", "code", "concept"),
    [
        ("I10C", "M81.4", "drug_induced_osteoporosis"),
        ("I10", "M81.4", "drug_induced_osteoporosis"),
        ("I10", "R29.890", "height_loss"),
        ("I10", "Z74.01", "bed_confinement"),
        ("I10", "M25.551", "hip_pain"),
        ("I10C", "I80.2", "vte"),
    ],
)
def test_a_code_of_the_other_icd_is_found_under_a_wrong_label(
    tables: Tables, system: str, code: str, concept: str
) -> None:
    assert concept in tables.concepts(system, code)


def test_where_the_two_icds_differ_the_label_decides(tables: Tables) -> None:
    assert tables.concepts("I10C", "R63.6") == ("underweight",)
    assert tables.concepts("I10", "R63.6") == ("insufficient_intake",)


def test_snomed_codes_are_never_matched_by_their_beginning(tables: Tables) -> None:
    assert tables.concepts("SCT", "648590061") == ()


ASKED_FOR = [
    "vertebral_fracture",
    "rib_fracture",
    "sacral_fracture",
    "pelvic_fracture",
    "femoral_neck_fracture",
    "transient_osteoporosis_hip",
    "transient_osteoporosis_hip_in_pregnancy",
    "osteoporosis",
    "osteoporosis_other",
    "osteoporosis_with_fracture_other_vertebra",
    "puerperal_complication",
    "sciatica",
    "pelvic_girdle_pain",
    "bed_confinement",
    "chronic_kidney_disease",
    "monoclonal_gammopathy",
    "myeloma",
    "hyperparathyroidism",
    "malignancy",
    "vitamin_d_excess",
    "granulomatous_disease",
    "mechanical_valve",
    "hit",
    "vte",
    "thrombophilia",
    "osteonecrosis_hip",
    "crps",
    "hip_infection",
    "bone_tumour",
    "menopause",
    "hysterectomy",
    "sterilisation",
    "pregnant",
    "not_pregnant",
    "delivered",
    "lactating",
    "weaned",
    "feeding_exclusive",
    "feeding_mixed",
]


@pytest.mark.parametrize("concept", ASKED_FOR)
def test_a_concept_that_a_rule_asks_for_has_codes(tables: Tables, concept: str) -> None:
    by_icd = [tables.codes.icd.clinical_modification, tables.codes.icd.international]
    coded = [*tables.codes.conditions.exact.values()]
    coded += [concepts for table in by_icd for rows in (table.exact, table.prefix) for concepts in rows.values()]
    assert any(concept in concepts for concepts in coded)
