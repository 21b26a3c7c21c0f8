"""Messages as FHIR R4: one resource a line (NDJSON).

A patient is named by an identifier of IDENTIFIER_SYSTEM, which a site maps to its authority (`fhir_authorities`).
A birth is a Procedure, a miscarriage a Condition; both say of the pregnancy what they say. NOT_CARRIED is left out.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final

from schemas.wire import encode
from streams.simulate import codes
from streams.simulate.messages import Message, Said

IDENTIFIER_SYSTEM: Final = "urn:trabecula:simulate:patient"
UCUM: Final = "http://unitsofmeasure.org"
NOT_CARRIED: Final[Mapping[str, frozenset[str] | None]] = {
    "risk_factor": None,
    "patient_unmerge": None,
    "pregnancy": frozenset({"outcome"}),
    "symptom": frozenset({"sudden", "injury", "weight_bearing", "gait"}),
    "imaging": frozenset({"levels", "count", "age"}),
}
"""By kind the fields that are left out; None: the kind itself."""
Resource = dict[str, Any]
_MISTAKEN: Final = frozenset({"ADT^A24", "ADT^A37"})
"""A merge by mistake: FHIR has no way to part two Patients again, so it is not told at all."""


def lines(message: Message) -> bytes:
    """The resources of a message as NDJSON; empty where FHIR has none for it."""
    return b"".join(encode(resource) + b"\n" for resource in resources(message))


def resources(message: Message) -> list[Resource]:
    """One resource for each thing said."""
    if message.type in _MISTAKEN:
        return []
    return [
        {**_common(message, said), **made(message, said)}
        for said in message.said
        if not said["record_id"].endswith("#pregnancy") and (made := _BY_KIND.get(said["kind"]))
    ]


def _common(message: Message, said: Said) -> Resource:
    return {
        "id": said["record_id"].replace(":", "."),
        "meta": {"lastUpdated": _time(message.at), "versionId": message.control},
    }


def _time(at: datetime) -> str:
    return f"{at:%Y-%m-%dT%H:%M:%S}Z"


def _who(number: str) -> Resource:
    return {"reference": f"Patient/{number}", "identifier": {"system": IDENTIFIER_SYSTEM, "value": number}}


def _concept(*given: Mapping[str, str]) -> Resource:
    return {"coding": [dict(each) for each in given]}


def _amount(value: Any, unit: str | None) -> Resource:
    return {"value": value, "unit": unit, "system": UCUM, "code": unit}


# ---- people and stays


def _patient(message: Message, said: Said) -> Resource:
    del said
    who = message.person
    return {
        "resourceType": "Patient",
        "id": who.number,
        "identifier": [{"system": IDENTIFIER_SYSTEM, "value": who.number}],
        "name": [{"use": "official", "family": who.family, "given": [who.given]}],
        "gender": who.sex,
        "birthDate": who.born,
    }


def _merge(message: Message, said: Said) -> Resource:
    return {**_patient(message, said), "link": [{"other": _who(said["into"]), "type": "replaced-by"}]}


def _encounter(message: Message, said: Said) -> Resource:
    period = {"start": _time(said["starts_at"])}
    if "ends_at" in said:
        period["end"] = _time(said["ends_at"])
    return {
        "resourceType": "Encounter",
        "status": "finished" if said["status"] == "finished" else "in-progress",
        "class": {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "IMP"},
        "subject": _who(message.person.number),
        "period": period,
        "location": [{"location": {"display": said["ward"]}}],
    }


def _condition(message: Message, said: Said) -> Resource:
    made = {
        "resourceType": "Condition",
        "clinicalStatus": _concept(
            {"system": "http://terminology.hl7.org/CodeSystem/condition-clinical", "code": said["status"]}
        ),
        "code": _concept(said["code"]),
        "subject": _who(message.person.number),
        "onsetDateTime": _time(said["onset_at"]),
        "recordedDate": _time(message.at),
    }
    return {**made, "bodySite": [_concept(_side(said["side"]))]} if "side" in said else made


def _side(side: str) -> dict[str, str]:
    return codes.code(codes.SNOMED, codes.SIDES[side], side)


def _procedure(message: Message, said: Said) -> Resource:
    return {
        "resourceType": "Procedure",
        "status": "completed",
        "code": _concept(said["code"]),
        "subject": _who(message.person.number),
        "performedDateTime": _time(said["performed_at"]),
    }


# ---- observations


def _observation(message: Message, coded: Mapping[str, str], at: datetime, **more: Any) -> Resource:
    return {
        "resourceType": "Observation",
        "status": "final",
        "code": _concept(coded),
        "subject": _who(message.person.number),
        "effectiveDateTime": _time(at),
        "issued": _time(message.at),
        **more,
    }


_LABORATORY: Final = [
    {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/observation-category", "code": "laboratory"}]}
]


def _result(message: Message, said: Said) -> Resource:
    more: Resource = {
        "status": said["status"],
        "category": _LABORATORY,
        "performer": [{"type": "Organization", "display": said["laboratory"]}],
    }
    if "value" in said:
        more["valueQuantity"] = _amount(said["value"], said["unit"])
        limits = said["reference_range"]
        more["referenceRange"] = [{end: _amount(limits[end], said["unit"]) for end in ("low", "high")}]
    else:
        more["valueString"] = said["value_text"]
    if "assay" in said:
        more["method"] = {"text": said["assay"]}
    if "fasting" in said:
        more |= _drawn(message, said)
    return _observation(message, said["code"], said["collected_at"], **more)


def _drawn(message: Message, said: Said) -> Resource:
    status = codes.code("http://terminology.hl7.org/CodeSystem/v2-0916", "F" if said["fasting"] else "NF", "fasting")
    collection = {"collectedDateTime": _time(said["collected_at"]), "fastingStatusCodeableConcept": _concept(status)}
    specimen = {
        "resourceType": "Specimen",
        "id": "specimen",
        "subject": _who(message.person.number),
        "collection": collection,
    }
    return {"contained": [specimen], "specimen": {"reference": "#specimen"}}


def _pregnancy(message: Message, said: Said) -> Resource:
    told = "last_menstrual_period" in said
    coded = codes.LAST_PERIOD if told else codes.DUE_DATE
    day = said["last_menstrual_period" if told else "estimated_due_date"]
    return _observation(message, coded, said["observed_at"], valueDateTime=day)


def _lactation(message: Message, said: Said) -> Resource:
    how = said["feeding"]
    answer = codes.FEEDINGS.get(how) or codes.code(codes.LOCAL, how, how)
    return _observation(message, codes.FEEDING, said["observed_at"], valueCodeableConcept=_concept(answer))


def _measurement(message: Message, said: Said) -> Resource:
    value = _amount(said["value"], said["unit"])
    return _observation(message, codes.MEASURES[said["measure"]], said["observed_at"], valueQuantity=value)


def _symptom(message: Message, said: Said) -> Resource:
    site = codes.SITES[said["symptom"]]
    if "side" in said:
        site = {**site, "code": f"{site['code']}:272741003={codes.SIDES[said['side']]}"}
    return _observation(message, codes.PAIN, said["observed_at"], valueInteger=said["score"], bodySite=_concept(site))


def _density(message: Message, said: Said) -> Resource:
    kind = "z_score" if "z_score" in said else "t_score"
    coded = (codes.Z_SCORES if kind == "z_score" else codes.T_SCORES)[said["site"]]
    return _observation(message, coded, said["performed_at"], valueQuantity=_amount(said[kind], "{score}"))


# ---- orders, imaging, medication


def _request(message: Message, coded: Mapping[str, str], at: datetime) -> Resource:
    return {
        "resourceType": "ServiceRequest",
        "status": "active",
        "intent": "order",
        "code": _concept(coded),
        "subject": _who(message.person.number),
        "authoredOn": _time(at),
    }


def _lab_order(message: Message, said: Said) -> Resource:
    return _request(message, said["code"], said["ordered_at"])


def _imaging(message: Message, said: Said) -> Resource:
    study = codes.STUDIES[said["modality"], said["region"]]
    match said["status"]:
        case "ordered":
            return _request(message, study, said["ordered_at"])
        case "booked":
            return {
                "resourceType": "Appointment",
                "status": "booked",
                "serviceType": [_concept(study)],
                "start": _time(said["scheduled_for"]),
                "created": _time(message.at),
                "participant": [{"actor": _who(message.person.number), "status": "accepted"}],
            }
        case _:
            return {
                "resourceType": "DiagnosticReport",
                "status": "final",
                "code": _concept(study),
                "subject": _who(message.person.number),
                "effectiveDateTime": _time(said["performed_at"]),
                "issued": _time(message.at),
                "conclusionCode": [_conclusion(finding) for finding in said["findings"]],
            }


def _conclusion(finding: Said) -> Resource:
    coded = codes.finding(finding["finding"])
    return _concept(coded, _side(finding["side"])) if "side" in finding else _concept(coded)


def _dosage(said: Said) -> list[Resource]:
    bounds = {name: _time(said[at]) for name, at in (("start", "starts_at"), ("end", "ends_at")) if at in said}
    repeat: Resource = {"boundsPeriod": bounds} if bounds else {}
    if "doses_per_day" in said:
        repeat |= {"frequency": said["doses_per_day"], "period": 1, "periodUnit": "d"}
    dose = said["dose"]
    return [
        {
            "timing": {"repeat": repeat},
            "route": {"text": said["route"]},
            "doseAndRate": [{"doseQuantity": _amount(dose["value"], dose["unit"])}],
        }
    ]


def _medicated(kind: str, message: Message, said: Said) -> Resource:
    return {
        "resourceType": kind,
        "status": said["status"].replace("_", "-"),
        "medicationCodeableConcept": _concept(said["drug"]),
        "subject": _who(message.person.number),
    }


def _prescription(message: Message, said: Said) -> Resource:
    placer = _concept({"system": "http://terminology.hl7.org/CodeSystem/v2-0203", "code": "PLAC"})
    made = {
        **_medicated("MedicationRequest", message, said),
        "intent": "order",
        "identifier": [{"type": placer, "value": said["placer_order"]}],
        "authoredOn": _time(said["starts_at"]),
        "dosageInstruction": _dosage(said),
    }
    return {**made, "reasonCode": [{"text": said["indication"]}]} if "indication" in said else made


def _administration(message: Message, said: Said) -> Resource:
    dosage: Resource = {"route": {"text": said["route"]}}
    if "dose" in said:
        dosage["dose"] = _amount(said["dose"]["value"], said["dose"]["unit"])
    return {
        **_medicated("MedicationAdministration", message, said),
        "effectiveDateTime": _time(said["given_at"]),
        "request": {"identifier": {"value": said["placer_order"]}},
        "dosage": dosage,
    }


def _dispense(message: Message, said: Said) -> Resource:
    return {
        **_medicated("MedicationDispense", message, said),
        "quantity": _amount(said["quantity"]["value"], said["quantity"]["unit"]),
        "daysSupply": _amount(said["days_supply"], "d"),
        "whenHandedOver": _time(said["dispensed_at"]),
        "authorizingPrescription": [{"identifier": {"value": said["placer_order"]}}],
        "dosageInstruction": _dosage(said),
    }


_BY_KIND: Final[Mapping[str, Callable[[Message, Said], Resource]]] = {
    "patient": _patient,
    "patient_merge": _merge,
    "encounter": _encounter,
    "condition": _condition,
    "procedure": _procedure,
    "lab_result": _result,
    "pregnancy": _pregnancy,
    "lactation": _lactation,
    "measurement": _measurement,
    "symptom": _symptom,
    "bone_density": _density,
    "lab_order": _lab_order,
    "imaging": _imaging,
    "prescription": _prescription,
    "administration": _administration,
    "dispense": _dispense,
}
