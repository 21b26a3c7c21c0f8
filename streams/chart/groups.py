"""The group of a fact: what definitions name when they read facts."""

from typing import assert_never

from schemas.facts import (
    Care,
    Density,
    Diagnosis,
    Dose,
    Feeding,
    Lab,
    Measured,
    Order,
    Payload,
    Person,
    PregnancyRecord,
    ProcedureDone,
    Response,
    Risk,
    Study,
    Supply,
    SymptomReport,
    TestOrder,
    Unread,
)


def group(payload: Payload) -> str:  # noqa: C901, PLR0911, PLR0912 - one line a kind
    """The group of a payload: one a kind, finer where a kind is frequent."""
    match payload:
        case Lab():
            return f"lab/{payload.analyte}"
        case Person():  # the second of the two most frequent ones
            return "patient"
        case Order() | Dose() | Supply():
            return f"drug/{payload.drug_class}"
        case SymptomReport():
            return "symptom/back" if payload.symptom == "back_pain" else "symptom/hip"
        case Measured():
            return f"measurement/{payload.measure}"
        case TestOrder():
            return "lab_order"
        case ProcedureDone():
            return "procedure"
        case PregnancyRecord():
            return "pregnancy"
        case Feeding():
            return "lactation"
        case Density():
            return "bone_density"
        case Study():
            return "imaging"
        case Diagnosis():
            return "condition"
        case Risk():
            return "risk_factor"
        case Care():
            return "care_order"
        case Response():
            return "response"
        case Unread():
            return "unread"
        case _:
            assert_never(payload)
