"""The codes that the simulated hospital uses."""

from typing import Any, Final, NamedTuple

RXNORM: Final = "http://www.nlm.nih.gov/research/umls/rxnorm"
LOINC: Final = "http://loinc.org"
SNOMED: Final = "http://snomed.info/sct"


def code(system: str, value: str, display: str) -> dict[str, str]:
    """A coding as an event has it."""
    return {"system": system, "code": value, "display": display}


def loinc(value: str, display: str) -> dict[str, str]:
    """A coding of LOINC."""
    return code(LOINC, value, display)


class Drug(NamedTuple):
    """A drug with the unit of its dose; `group` is what the truth counts it under."""

    coded: dict[str, str]
    unit: str
    route: str
    group: str


HEPARIN: Final = Drug(code(RXNORM, "5224", "heparin"), "[IU]", "SC", "ufh")
ENOXAPARIN: Final = Drug(code(RXNORM, "67108", "enoxaparin"), "mg", "SC", "lmwh")
DALTEPARIN: Final = Drug(code(RXNORM, "67109", "dalteparin"), "[IU]", "SC", "lmwh")
RISEDRONATE: Final = Drug(code(RXNORM, "73056", "risedronate"), "mg", "PO", "bone")
TERIPARATIDE: Final = Drug(code(RXNORM, "32915", "teriparatide"), "ug", "SC", "bone")
ALENDRONATE: Final = Drug(code(RXNORM, "46041", "alendronate"), "mg", "PO", "bone")
CHOLECALCIFEROL: Final = Drug(code(RXNORM, "2418", "cholecalciferol"), "[IU]", "PO", "vitamin_d")


class Test(NamedTuple):
    """A laboratory test: code, unit, reference limits, decimal places."""

    coded: dict[str, str]
    unit: str | None
    low: float | None
    high: float | None
    places: int = 1


def _test(value: str, display: str, unit: str, low: float, high: float, places: int = 1) -> Test:
    return Test(loinc(value, display), unit, low, high, places)


VITAMIN_D: Final = _test("62292-8", "25-hydroxyvitamin D", "ng/mL", 20, 100)
CALCIUM: Final = _test("17861-6", "Calcium", "mg/dL", 8.7, 10.2)
IONISED: Final = _test("1995-0", "Ionised calcium", "mmol/L", 1.1, 1.33, 2)
ALBUMIN: Final = _test("1751-7", "Albumin", "g/dL", 3.5, 5.0)
PHOSPHATE: Final = _test("2777-1", "Phosphate", "mg/dL", 2.5, 4.6)
CREATININE: Final = _test("2160-0", "Creatinine", "mg/dL", 0.4, 0.9, 2)
ALKALINE: Final = _test("6768-6", "Alkaline phosphatase", "U/L", 33, 126, 0)
PARATHORMONE: Final = _test("2731-8", "Parathyroid hormone", "pg/mL", 15, 65, 0)
THYROTROPIN: Final = _test("3016-3", "TSH", "m[IU]/L", 0.34, 4.25, 2)
HAEMOGLOBIN: Final = _test("718-7", "Haemoglobin", "g/dL", 11, 15.5)
PLATELETS: Final = _test("777-3", "Platelets", "10*3/uL", 150, 400, 0)
POTASSIUM: Final = _test("2823-3", "Potassium", "mmol/L", 3.5, 5.1)
SODIUM: Final = _test("2951-2", "Sodium", "mmol/L", 135, 145, 0)
GLUCOSE: Final = _test("2345-7", "Glucose", "mg/dL", 70, 105, 0)
CRP: Final = _test("1988-5", "C-reactive protein", "mg/L", 0, 5)
CTX: Final = _test("41171-0", "CTX", "ng/L", 101, 632, 0)
P1NP: Final = _test("77370-5", "P1NP", "ug/L", 17.3, 83.4)
ELECTROPHORESIS: Final = Test(loinc("12851-2", "Serum protein electrophoresis"), None, None, None)
PREGNANCY_TEST: Final = Test(loinc("2106-3", "hCG in urine"), None, None, None)

LAST_PERIOD: Final = loinc("8665-2", "Last menstrual period")
DUE_DATE: Final = loinc("11778-8", "Estimated due date")
FEEDING: Final = loinc("63895-7", "Breast feeding status")
PAIN: Final = loinc("72514-3", "Pain severity")
HEIGHT: Final = loinc("8302-2", "Body height")
WEIGHT: Final = loinc("29463-7", "Body weight")
MEASURES: Final = {"body_height": HEIGHT, "body_weight": WEIGHT}
Z_SCORES: Final = {"lumbar_spine": loinc("85394-5", "Z-score, spine"), "total_hip": loinc("80933-5", "Z-score, hip")}
T_SCORES: Final = {"lumbar_spine": loinc("38267-1", "T-score, spine"), "total_hip": loinc("38264-8", "T-score, hip")}

SPINE_MRI: Final = loinc("24968-0", "MRI of the lumbar spine")
HIP_MRI: Final = loinc("26260-0", "MRI of the hip")
HIP_XR: Final = loinc("24761-9", "Radiograph of the hip")
SPINE_XR: Final = loinc("24972-2", "Radiograph of the lumbar spine")
BONE_SCAN: Final = loinc("38268-9", "DXA")
STUDIES: Final = {
    ("MRI", "spine"): SPINE_MRI,
    ("MRI", "hip"): HIP_MRI,
    ("XR", "hip"): HIP_XR,
    ("XR", "spine"): SPINE_XR,
    ("DXA", "other"): BONE_SCAN,
}

DELIVERY: Final = code(SNOMED, "5556001", "Vaginal delivery")
CAESAREAN: Final = code(SNOMED, "11466000", "Caesarean section")
NEURAXIAL: Final = code(SNOMED, "18946005", "Epidural anaesthesia")
MISCARRIAGE: Final = code(SNOMED, "19169002", "Miscarriage in first trimester")
THROMBOSIS: Final = code(SNOMED, "128053003", "Deep venous thrombosis")
BACK_ACHE: Final = code(SNOMED, "279039007", "Low back pain")
HIP_OSTEOPOROSIS: Final = code(SNOMED, "240160002", "Transient osteoporosis of hip in pregnancy")

FINDINGS: Final[dict[str, dict[str, Any]]] = {
    "vertebral_fracture": code(SNOMED, "240198002", "Osteoporotic vertebral collapse"),
    "femoral_neck_fracture": code(SNOMED, "5913000", "Fracture of neck of femur"),
    "normal": code(SNOMED, "281900007", "No abnormality detected"),
}
FEEDINGS: Final = {
    "exclusive": code(SNOMED, "1258999009", "Feeding at the breast only"),
    "mixed": code(SNOMED, "1258998001", "Breast and other feeding"),
}
SITES: Final = {
    "back_pain": code(SNOMED, "77568009", "back"),
    "hip_pain": code(SNOMED, "29836001", "hip"),
    "groin_pain": code(SNOMED, "26893007", "groin"),
}
SIDES: Final = {"left": "7771000", "right": "24028007", "both": "51440002"}


LOCAL: Final = "urn:trabecula:simulate"


def finding(name: str) -> dict[str, str]:
    """The code of an imaging finding; one of the hospital's own where no packaged table has one (site.toml maps it)."""
    return FINDINGS.get(name) or code(LOCAL, name, name.replace("_", " "))
