"""The few codes that the random histories use, by their meaning."""

from typing import Any, Final

LOINC: Final = "http://loinc.org"
RXNORM: Final = "http://www.nlm.nih.gov/research/umls/rxnorm"
ATC: Final = "http://www.whocc.no/atc"
SNOMED: Final = "http://snomed.info/sct"
ICD_10_CM: Final = "http://hl7.org/fhir/sid/icd-10-cm"
ICD_10: Final = "http://hl7.org/fhir/sid/icd-10"

ANALYTES: Final[dict[str, str]] = {
    "41171-0": "CTX",
    "74994-5": "CTX",
    "53092-3": "CTX",
    "48587-0": "CTX_urine",
    "77370-5": "P1NP",
    "47255-5": "P1NP",
    "17838-4": "BALP",
    "1777-2": "BALP",
    "6768-6": "ALP_total",
    "1783-0": "ALP_total",
    "2697-1": "OC",
    "15084-7": "OC",
    "21215-9": "NTX",
    "14115-0": "NTX_urine",
    "44712-8": "NTX_urine",
    "17837-6": "TRACP5b",
    "62292-8": "25OHD",
    "83070-3": "25OHD",
    "68438-1": "25OHD",
    "1989-3": "25OHD3",
    "14635-7": "25OHD3",
    "49054-0": "25OHD2",
    "46269-7": "25OHD2",
    "17861-6": "Ca_total",
    "2000-8": "Ca_total",
    "29265-6": "Ca_adjusted",
    "46099-8": "Ca_adjusted",
    "1995-0": "Ca_ionised",
    "17863-2": "Ca_ionised",
    "2777-1": "Phosphate",
    "14879-1": "Phosphate",
    "2731-8": "PTH",
    "14866-8": "PTH",
    "3016-3": "TSH",
    "11580-8": "TSH",
    "3024-7": "fT4",
    "14920-3": "fT4",
    "2160-0": "Creatinine",
    "14682-9": "Creatinine",
    "33914-3": "eGFR",
    "62238-1": "eGFR",
    "1751-7": "Albumin",
    "12851-2": "SPEP",
    "33358-3": "M_protein",
    "48378-4": "FLC_ratio",
    "58410-2": "CBC",
    "718-7": "Hemoglobin",
    "2823-3": "Potassium",
    "2106-3": "hCG",
    "2118-8": "hCG",
    "19080-1": "hCG",
}

# analyte and unit -> (factor to the unit of the limits, kind of quantity)
UNITS: Final[dict[str, dict[str, tuple[str, str]]]] = {
    "CTX": {
        "ng/L": ("1", "mass"),
        "pg/mL": ("1", "mass"),
        "ng/mL": ("1000", "mass"),
        "ug/L": ("1000", "mass"),
        "nmol/L": ("1", "molar"),
    },
    "CTX_urine": {"ug/mmol{creat}": ("1", "ratio")},
    "P1NP": {"ug/L": ("1", "mass"), "ng/mL": ("1", "mass")},
    "BALP": {"ug/L": ("1", "mass"), "U/L": ("1", "activity")},
    "ALP_total": {"U/L": ("1", "activity")},
    "OC": {"ug/L": ("1", "mass"), "ng/mL": ("1", "mass"), "pmol/L": ("1", "molar")},
    "NTX": {"nmol/L": ("1", "molar")},
    "NTX_urine": {"nmol/mmol{creat}": ("1", "ratio")},
    "TRACP5b": {"U/L": ("1", "activity")},
    "25OHD": {"ng/mL": ("1", "mass"), "ug/L": ("1", "mass"), "nmol/L": ("1", "molar")},
    "25OHD2": {"ng/mL": ("1", "mass"), "ug/L": ("1", "mass"), "nmol/L": ("1", "molar")},
    "25OHD3": {"ng/mL": ("1", "mass"), "ug/L": ("1", "mass"), "nmol/L": ("1", "molar")},
    "Ca_total": {"mmol/L": ("1", "molar"), "mg/dL": ("0.249513", "mass")},
    "Ca_adjusted": {"mmol/L": ("1", "molar"), "mg/dL": ("0.249513", "mass")},
    "Ca_ionised": {"mmol/L": ("1", "molar"), "mg/dL": ("0.249513", "mass")},
    "Phosphate": {"mmol/L": ("1", "molar"), "mg/dL": ("0.322851", "mass")},
    "PTH": {"pg/mL": ("1", "mass"), "ng/L": ("1", "mass"), "pmol/L": ("9.42498", "molar")},
    "TSH": {"m[IU]/L": ("1", "units"), "u[IU]/mL": ("1", "units")},
    "fT4": {"pmol/L": ("1", "molar"), "ng/dL": ("12.8722", "mass")},
    "Creatinine": {"umol/L": ("1", "molar"), "mg/dL": ("88.4033", "mass")},
    "eGFR": {"mL/min/{1.73_m2}": ("1", "rate")},
    "Albumin": {"g/L": ("1", "mass"), "g/dL": ("10", "mass")},
    "M_protein": {"g/dL": ("1", "mass")},
    "FLC_ratio": {"{ratio}": ("1", "ratio")},
    "Hemoglobin": {"g/dL": ("1", "mass")},
    "Potassium": {"mmol/L": ("1", "molar"), "meq/L": ("1", "molar")},
    "hCG": {"[IU]/L": ("1", "units"), "m[IU]/mL": ("1", "units")},
}

# the widest limits that are printed for an analyte, in the unit of UNITS: a value 100 times beyond them is a unit error
PLAUSIBLE: Final[dict[tuple[str, str], tuple[str, str]]] = {
    ("CTX", "mass"): ("50", "791"),
    ("P1NP", "mass"): ("17.3", "83.4"),
    ("BALP", "mass"): ("5.8", "22.7"),
    ("OC", "mass"): ("6.73", "24.27"),
    ("NTX", "molar"): ("6.2", "19"),
    ("NTX_urine", "ratio"): ("4", "68.9"),
    ("TRACP5b", "activity"): ("1.2", "4.8"),
    ("ALP_total", "activity"): ("33", "96"),
    ("Ca_total", "any"): ("2.05", "2.65"),
    ("Ca_ionised", "any"): ("1.10", "1.33"),
    ("Ca_adjusted", "any"): ("2.2", "2.8"),
    ("25OHD", "mass"): ("10", "80"),
    ("25OHD", "molar"): ("24.96", "199.7"),
    ("TSH", "units"): ("0.02", "4.91"),
    ("fT4", "any"): ("11.38", "26.49"),
    ("Creatinine", "any"): ("35", "80"),
    ("Albumin", "mass"): ("32", "50"),
}

DRUGS: Final[dict[tuple[str, str], tuple[str, str]]] = {
    (system, code): (name, drug_class)
    for name, drug_class, rxcui, atc in (
        ("heparin", "ufh", "5224", "B01AB01"),
        ("enoxaparin", "lmwh", "67108", "B01AB05"),
        ("dalteparin", "lmwh", "67109", "B01AB04"),
        ("tinzaparin", "lmwh", "69646", "B01AB10"),
        ("nadroparin", "lmwh", "67031", "B01AB06"),
        ("fondaparinux", "fondaparinux", "321208", "B01AX05"),
        ("warfarin", "vka", "11289", "B01AA03"),
        ("alendronate", "bisphosphonate", "46041", "M05BA04"),
        ("risedronate", "bisphosphonate", "73056", "M05BA07"),
        ("ibandronate", "bisphosphonate", "115264", "M05BA06"),
        ("zoledronate", "bisphosphonate", "77655", "M05BA08"),
        ("pamidronate", "bisphosphonate", "11473", "M05BA03"),
        ("teriparatide", "teriparatide", "32915", "H05AA02"),
        ("abaloparatide", "abaloparatide", "", "H05AA04"),
        ("denosumab", "denosumab", "993449", "M05BX04"),
        ("romosozumab", "romosozumab", "2123126", "M05BX06"),
        ("strontium", "strontium", "", "M05BX03"),
        ("raloxifene", "raloxifene", "72143", "G03XC01"),
        ("prednisone", "glucocorticoid", "8640", "H02AB07"),
        ("prednisolone", "glucocorticoid", "8638", "H02AB06"),
        ("methylprednisolone", "glucocorticoid", "6902", "H02AB04"),
        ("dexamethasone", "glucocorticoid", "3264", "H02AB02"),
        ("betamethasone", "glucocorticoid", "1514", "H02AB01"),
        ("hydrocortisone", "glucocorticoid", "5492", "H02AB09"),
        ("deflazacort", "glucocorticoid", "22396", "H02AB13"),
        ("cholecalciferol", "vitamin_d", "2418", "A11CC05"),
        ("ergocalciferol", "vitamin_d", "4018", "A11CC01"),
        ("levothyroxine", "levothyroxine", "10582", "H03AA01"),
    )
    for system, code in ((RXNORM, rxcui), (ATC, atc))
    if code
}
HEPARIN_FLUSH: Final = "1362060"  # 2 mL of 100 units a mL
DRUGS[(RXNORM, HEPARIN_FLUSH)] = ("heparin flush", "flush")

PREDNISONE_MG: Final[dict[str, str]] = {
    "prednisone": "1",
    "prednisolone": "1",
    "methylprednisolone": "5/4",
    "dexamethasone": "20/3",
    "betamethasone": "25/3",
    "hydrocortisone": "1/4",
    "deflazacort": "5/6",
}
BONE_DRUGS: Final = frozenset({"bisphosphonate", "denosumab", "romosozumab", "strontium", "raloxifene", "teriparatide"})
ANABOLICS: Final = frozenset({"teriparatide", "abaloparatide", "romosozumab"})

_SNOMED_CONDITIONS: Final[dict[str, set[str]]] = {
    "240198002": {"vertebral_fracture"},
    "443165006": {"vertebral_fracture"},
    "311890007": {"vertebral_fracture"},
    "311891006": {"vertebral_fracture"},
    "203450003": {"vertebral_fracture"},
    "203451004": {"vertebral_fracture"},
    "64859006": {"osteoporosis"},
    "203438009": {"osteoporosis"},
    "735617003": {"osteoporosis"},
    "240160002": {"hip_toh", "plo"},
    "240159007": {"hip_toh"},
    "431031001": {"femoral_neck_fracture"},
    "109989006": {"myeloma"},
    "277577000": {"gammopathy"},
    "109983007": {"gammopathy"},
    "23056005": {"sciatica"},
    "199308008": {"girdle_pain"},
}
_ICD_CONDITIONS: Final[tuple[tuple[str, set[str]], ...]] = (
    ("M48.5", {"vertebral_fracture"}),
    ("M80.88", {"vertebral_fracture"}),
    ("M80.08", {"vertebral_fracture"}),
    ("S22.0", {"vertebral_fracture"}),
    ("S32.0", {"vertebral_fracture"}),
    ("S22", {"ring_fracture"}),
    ("S32", {"ring_fracture"}),
    ("M80.85", {"femoral_neck_fracture"}),
    ("M81.8", {"osteoporosis", "m81.8"}),
    ("O99.891", {"o99.89"}),
    ("O99.893", {"o99.89"}),
    ("N18", {"ckd"}),
    ("C90.0", {"myeloma"}),
    ("D47.2", {"gammopathy"}),
    ("M87.05", {"other_hip_diagnosis"}),
    ("G90.5", {"other_hip_diagnosis"}),
    ("Z74.01", {"bed_confinement"}),
    ("M54.3", {"sciatica"}),
    ("M54.4", {"sciatica"}),
    ("O26.7", {"girdle_pain"}),
)
_FRACTURE_CHAPTERS: Final = ("M80", "M48.5", "S22", "S32")
_EARLIER_FRACTURE: Final = frozenset("SDGKP")

PROCEDURES: Final[dict[str, str]] = {
    "11466000": "delivery",
    "5556001": "delivery",
    "31208007": "labour",
    "237001001": "labour",
    "18946005": "neuraxial",
    "387713003": "surgery",
    "736018001": "sterilisation",
    "236891001": "hysterectomy",
}


def condition_meanings(code: dict[str, Any]) -> set[str]:
    """What a diagnosis code says, an empty set where nobody reads it; `earlier` marks a follow-up of a fracture."""
    if code["system"] == SNOMED:
        return set(_SNOMED_CONDITIONS.get(code["code"], set()))
    meanings: set[str] = set()
    for prefix, concepts in _ICD_CONDITIONS:
        if code["code"].startswith(prefix):
            meanings |= concepts
    written = code["code"].replace(".", "")
    seventh = written[6:7]
    if code["code"].startswith(_FRACTURE_CHAPTERS) and seventh in _EARLIER_FRACTURE and seventh:
        meanings.add("earlier")
    return meanings
