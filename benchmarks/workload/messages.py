"""Raw messages: one result each, as HL7 v2 and as FHIR R4."""

from typing import Any, Final

ORU: Final = (
    b"MSH|^~\\&|LAB|HOSPITAL|TRABECULA|HOSPITAL|20260303081500+0100||ORU^R01^ORU_R01|M0001|P|2.5.1\r"
    b"PID|1||4711008^^^HOSPITAL^MR||MUSTER^MARIA||19930504|F\r"
    b"PV1|1|O|AMB^1^1^HOSPITAL\r"
    b"ORC|RE|P77|F88\r"
    b"OBR|1|P77|F88|68438-1^25-hydroxyvitamin D^LN|||20260303070000+0100\r"
    b"OBX|1|NM|68438-1^25-hydroxyvitamin D^LN||62.5|nmol/L|50-125|N|||F|||20260303070000+0100\r"
)

OBSERVATION: Final[dict[str, Any]] = {
    "resourceType": "Observation",
    "id": "25ohd-1",
    "meta": {"lastUpdated": "2026-03-03T08:15:00+01:00", "versionId": "1"},
    "status": "final",
    "category": [{"coding": [{"code": "laboratory"}]}],
    "code": {"coding": [{"system": "http://loinc.org", "code": "68438-1"}]},
    "subject": {"identifier": {"system": "urn:oid:1.2.3", "value": "4711008"}},
    "effectiveDateTime": "2026-03-03T07:00:00+01:00",
    "issued": "2026-03-03T08:15:00+01:00",
    "valueQuantity": {"value": 62.5, "unit": "nmol/L", "system": "http://unitsofmeasure.org", "code": "nmol/L"},
    "referenceRange": [{"low": {"value": 50, "unit": "nmol/L"}, "high": {"value": 125, "unit": "nmol/L"}}],
}
