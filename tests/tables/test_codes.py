"""What codes mean, under every name that a feed gives to their system."""

from decimal import Decimal

import pytest

from schemas.tables import Drug, Observation, Product, Tables

LOINC = "http://loinc.org"
RXNORM = "http://www.nlm.nih.gov/research/umls/rxnorm"
ATC = "http://www.whocc.no/atc"
SNOMED_CT = "http://snomed.info/sct"
ICD_10_CM = "http://hl7.org/fhir/sid/icd-10-cm"
ICD_10 = "http://hl7.org/fhir/sid/icd-10"


@pytest.mark.parametrize(
    ("name", "uri"),
    [
        ("LN", LOINC),
        ("ln", LOINC),
        ("http://loinc.org/", LOINC),
        ("urn:oid:2.16.840.1.113883.6.1", LOINC),
        ("2.16.840.1.113883.6.1", LOINC),
        ("RXNORM", RXNORM),
        ("RxNorm", RXNORM),
        ("urn:oid:2.16.840.1.113883.6.88", RXNORM),
        ("WC", ATC),
        ("ATC", ATC),
        ("SCT", SNOMED_CT),
        ("SNM", SNOMED_CT),
        ("2.16.840.1.113883.6.96", SNOMED_CT),
        ("I10C", ICD_10_CM),
        ("ICD10CM", ICD_10_CM),
        ("urn:oid:2.16.840.1.113883.6.90", ICD_10_CM),
        ("I10", ICD_10),
        ("2.16.840.1.113883.6.3", ICD_10),
    ],
)
def test_a_system_is_known_by_uri_oid_and_table_0396_name(tables: Tables, name: str, uri: str) -> None:
    assert tables.system(name) == uri


@pytest.mark.parametrize("name", ["L", "99LAB", "http://clinic.example/codes", ""])
def test_a_local_system_stays_as_it_is(tables: Tables, name: str) -> None:
    assert tables.system(name) == name


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("41171-0", ("lab_result", "CTX", "")),
        ("48587-0", ("lab_result", "CTX_urine", "")),
        ("48586-2", ("lab_result", "CTX_urine_spot", "")),
        ("77370-5", ("lab_result", "P1NP", "")),
        ("17838-4", ("lab_result", "BALP", "")),
        ("6768-6", ("lab_result", "ALP_total", "")),
        ("21215-9", ("lab_result", "NTX", "")),
        ("14115-0", ("lab_result", "NTX_urine", "")),
        ("17837-6", ("lab_result", "TRACP5b", "")),
        ("62292-8", ("lab_result", "25OHD", "")),
        ("1989-3", ("lab_result", "25OHD3", "")),
        ("49054-0", ("lab_result", "25OHD2", "")),
        ("29265-6", ("lab_result", "Ca_albcorr", "")),
        ("1995-0", ("lab_result", "Ca_ionised", "")),
        ("12851-2", ("lab_result", "SPEP", "")),
        ("33358-3", ("lab_result", "M_protein", "")),
        ("48378-4", ("lab_result", "FLC_ratio", "")),
        ("58410-2", ("lab_result", "CBC", "")),
        ("718-7", ("lab_result", "Hemoglobin", "")),
        ("2106-3", ("lab_result", "hCG", "")),
        ("19080-1", ("lab_result", "hCG", "")),
        ("8302-2", ("measurement", "body_height", "")),
        ("3138-5", ("measurement", "body_height", "self_reported")),
        ("85394-5", ("bone_density", "lumbar_spine", "z_score")),
        ("38267-1", ("bone_density", "lumbar_spine", "t_score")),
        ("80938-4", ("bone_density", "total_hip", "z_score")),
        ("80940-0", ("bone_density", "femoral_neck", "z_score")),
        ("24966-4", ("bone_density", "lumbar_spine", "density_g_cm2")),
        ("72514-3", ("symptom", "pain", "")),
        ("8665-2", ("pregnancy", "last_menstrual_period", "")),
        ("11778-8", ("pregnancy", "estimated_due_date", "")),
        ("18185-9", ("pregnancy", "gestational_age_days", "")),
        ("82810-3", ("pregnancy", "status", "")),
        ("63895-7", ("lactation", "feeding", "")),
        ("24968-0", ("imaging", "study", "MRI/spine")),
    ],
)
def test_a_loinc_code_speaks_of_one_thing(tables: Tables, code: str, expected: tuple[str, str, str]) -> None:
    found = tables.observation(LOINC, code)
    assert found is not None
    assert (found.kind, found.name, found.detail) == expected
    assert found.loinc == code


def test_the_dxa_code_once_thought_a_spinal_z_score_is_the_t_score_of_the_left_femur(tables: Tables) -> None:
    """A Z-score read from 80948-3 would have been a T-score: HL7's own example names it so."""
    found = tables.observation("LN", "80948-3")
    assert found == Observation("bone_density", "femoral_neck", "t_score", "80948-3", "Score")


@pytest.mark.parametrize(("system", "code"), [("LN", "8867-4"), ("L", "41171-0"), ("SCT", "41171-0"), ("LN", "")])
def test_a_code_that_no_row_names_is_unmapped(tables: Tables, system: str, code: str) -> None:
    assert tables.observation(system, code) is None
    assert tables.drug(system, code) is None
    assert tables.concepts(system, code) == ()
    assert tables.procedure(system, code) is None
    assert tables.imaging(system, code) is None
    assert tables.care_order(system, code) is None


@pytest.mark.parametrize(
    ("system", "code", "name", "drug_class"),
    [
        ("RXNORM", "5224", "heparin", "heparin_ufh"),
        ("RXNORM", "314659", "heparin", "heparin_ufh"),
        ("ATC", "B01AB01", "heparin", "heparin_ufh"),
        ("WC", "B01AB05", "enoxaparin", "lmwh"),
        ("ATC", "B01AB12", "bemiparin", "lmwh"),
        ("ATC", "B01AB09", "danaparoid", "heparinoid"),
        ("RXNORM", "321208", "fondaparinux", "pentasaccharide"),
        ("RXNORM", "11289", "warfarin", "vka"),
        ("RXNORM", "46041", "alendronate", "bisphosphonate"),
        ("ATC", "M05BA08", "zoledronate", "bisphosphonate"),
        ("RXNORM", "32915", "teriparatide", "anabolic"),
        ("RXNORM", "993449", "denosumab", "rankl_inhibitor"),
        ("RXNORM", "993452", "denosumab", "rankl_inhibitor"),
        ("ATC", "M05BX06", "romosozumab", "sclerostin_inhibitor"),
        ("ATC", "M05BX03", "strontium ranelate", "dual"),
        ("ATC", "G03XC01", "raloxifene", "serm"),
        ("ATC", "M05BX08", "menatetrenone", "vitamin_k"),
        ("RXNORM", "8640", "prednisone", "glucocorticoid"),
        ("RXNORM", "6585", "magnesium sulfate", "tocolytic"),
        ("ATC", "G03AC06", "medroxyprogesterone", "dmpa"),
        ("ATC", "M01AE01", "ibuprofen", "nsaid"),
        ("ATC", "M01AE99", "nsaid", "nsaid"),
        ("ATC", "M01A", "nsaid", "nsaid"),
        ("ATC", "N02BA01", "aspirin", "aspirin"),
        ("ATC", "B01AC06", "aspirin", "aspirin"),
    ],
)
def test_a_drug_code_names_ingredient_and_class(
    tables: Tables, system: str, code: str, name: str, drug_class: str
) -> None:
    assert tables.drug(system, code) == Drug(name, drug_class)


@pytest.mark.parametrize("code", ["M02AA15", "M01", "M01BA01", "B01AC04"])
def test_an_atc_code_outside_a_class_is_not_of_it(tables: Tables, code: str) -> None:
    """M02A is topical: it is no systemic anti-inflammatory drug."""
    assert tables.drug("ATC", code) is None


def test_rxnorm_numbers_are_never_read_by_their_beginning(tables: Tables) -> None:
    assert tables.drug("RXNORM", "52240") is None


def test_a_product_carries_what_one_piece_holds(tables: Tables) -> None:
    syringe = tables.drug("RXNORM", "854235")
    bag = tables.drug("RXNORM", "1658717")
    solution = tables.drug("RXNORM", "1361226")
    assert syringe == Drug("enoxaparin", "lmwh", Product(Decimal(40), Decimal(100), Decimal("0.4"), "mg"))
    assert bag == Drug("heparin", "heparin_ufh", Product(Decimal(25000), Decimal(100), Decimal(250), "[IU]"))
    assert solution == Drug("heparin", "heparin_ufh", Product(None, Decimal(1000), None, "[IU]"))


@pytest.mark.parametrize(
    ("drug", "milligrams", "prednisone"),
    [
        ("prednisone", "2.5", "2.5"),
        ("prednisolone", "2.5", "2.5"),
        ("methylprednisolone", "4", "5"),
        ("dexamethasone", "0.75", "5"),
        ("betamethasone", "0.6", "5"),
        ("betamethasone", "0.3", "2.5"),
        ("hydrocortisone", "20", "5"),
        ("deflazacort", "6", "5"),
        ("deflazacort", "3", "2.5"),
    ],
)
def test_a_glucocorticoid_is_worth_an_exact_amount_of_prednisone(
    tables: Tables, drug: str, milligrams: str, prednisone: str
) -> None:
    assert tables.prednisone_equivalent(drug, Decimal(milligrams)) == Decimal(prednisone)


def test_the_worth_of_one_milligram_is_asked_by_name_alone(tables: Tables) -> None:
    assert tables.prednisone_equivalent("methylprednisolone") == Decimal("1.25")
    assert tables.prednisone_equivalent("heparin") is None


@pytest.mark.parametrize(
    ("system", "code", "procedure"),
    [
        ("SCT", "11466000", "delivery"),
        ("SCT", "177184002", "delivery"),
        ("SCT", "18946005", "neuraxial_anaesthesia"),
        ("SCT", "231253007", "neuraxial_anaesthesia"),
        ("SCT", "236886002", "hysterectomy"),
        ("SCT", "41059002", "hysterectomy"),
        ("SCT", "287664005", "sterilisation"),
        ("SCT", "736026009", "sterilisation"),
        ("SCT", "31208007", "labour"),
        ("SCT", "387713003", "surgery"),
        ("I10P", "0UT90ZZ", "hysterectomy"),
        ("I10P", "10D00Z1", "delivery"),
    ],
)
def test_a_procedures_code_is_one_of_a_few_words(tables: Tables, system: str, code: str, procedure: str) -> None:
    assert tables.procedure(system, code) == procedure


def test_the_birth_of_the_placenta_is_no_delivery(tables: Tables) -> None:
    assert tables.procedure("SCT", "177212000") is None


@pytest.mark.parametrize(
    ("system", "code", "study"),
    [
        ("LN", "24968-0", ("MRI", "spine")),
        ("LN", "24980-5", ("MRI", "spine")),
        ("LN", "24972-2", ("XR", "spine")),
        ("LN", "26259-2", ("MRI", "hip")),
        ("LN", "24867-4", ("MRI", "pelvis")),
        ("LN", "30620-9", ("CT", "spine")),
        ("LN", "39818-0", ("NM", "other")),
        ("LN", "38268-9", ("DXA", "other")),
        ("SCT", "312681000", ("DXA", "other")),
    ],
)
def test_a_study_has_a_modality_and_a_region(tables: Tables, system: str, code: str, study: tuple[str, str]) -> None:
    assert tables.imaging(system, code) == study
    seen = tables.observation(system, code)
    assert seen is not None
    assert (seen.kind, seen.detail) == ("imaging", "/".join(study))
