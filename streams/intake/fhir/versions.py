"""FHIR R4 and no other version: what evidently is another one is refused by name.

Source: http://hl7.org/fhir/R4/diff.html and http://hl7.org/fhir/R5/diff.html
"""

import re
from collections.abc import Mapping
from typing import Any, Final

DSTU2, STU3, R5 = "DSTU2", "STU3", "R5"

TYPES: Final[Mapping[str, str]] = {
    "MedicationOrder": DSTU2,
    "DiagnosticOrder": DSTU2,
    "ProcedureRequest": STU3,
    "ReferralRequest": STU3,
    "MedicationUsage": R5,
}
"""Resource types that R4 does not have and that say what R4 says otherwise."""

R4_TYPES: Final = frozenset(
    re.findall(
        r"\w+",
        """
    Account ActivityDefinition AdverseEvent AllergyIntolerance Appointment AppointmentResponse AuditEvent Basic
    Binary BiologicallyDerivedProduct BodyStructure Bundle CapabilityStatement CarePlan CareTeam CatalogEntry
    ChargeItem ChargeItemDefinition Claim ClaimResponse ClinicalImpression CodeSystem Communication
    CommunicationRequest CompartmentDefinition Composition ConceptMap Condition Consent Contract Coverage
    CoverageEligibilityRequest CoverageEligibilityResponse DetectedIssue Device DeviceDefinition DeviceMetric
    DeviceRequest DeviceUseStatement DiagnosticReport DocumentManifest DocumentReference EffectEvidenceSynthesis
    Encounter Endpoint EnrollmentRequest EnrollmentResponse EpisodeOfCare EventDefinition Evidence
    EvidenceVariable ExampleScenario ExplanationOfBenefit FamilyMemberHistory Flag Goal GraphDefinition Group
    GuidanceResponse HealthcareService ImagingStudy Immunization ImmunizationEvaluation
    ImmunizationRecommendation ImplementationGuide InsurancePlan Invoice Library Linkage List Location Measure
    MeasureReport Media Medication MedicationAdministration MedicationDispense MedicationKnowledge
    MedicationRequest MedicationStatement MedicinalProduct MedicinalProductAuthorization
    MedicinalProductContraindication MedicinalProductIndication MedicinalProductIngredient
    MedicinalProductInteraction MedicinalProductManufactured MedicinalProductPackaged
    MedicinalProductPharmaceutical MedicinalProductUndesirableEffect MessageDefinition MessageHeader
    MolecularSequence NamingSystem NutritionOrder Observation ObservationDefinition OperationDefinition
    OperationOutcome Organization OrganizationAffiliation Parameters Patient PaymentNotice PaymentReconciliation
    Person PlanDefinition Practitioner PractitionerRole Procedure Provenance Questionnaire QuestionnaireResponse
    RelatedPerson RequestGroup ResearchDefinition ResearchElementDefinition ResearchStudy ResearchSubject
    RiskAssessment RiskEvidenceSynthesis Schedule SearchParameter ServiceRequest Slot Specimen
    SpecimenDefinition StructureDefinition StructureMap Subscription Substance SubstanceAmount
    SubstanceNucleicAcid SubstancePolymer SubstanceProtein SubstanceReferenceInformation SubstanceSourceMaterial
    SubstanceSpecification SupplyDelivery SupplyRequest Task TerminologyCapabilities TestReport TestScript
    ValueSet VerificationResult VisionPrescription
    """,
    )
)
"""Source: http://hl7.org/fhir/R4/resourcelist.html"""

_FIELDS: Final[Mapping[str, Mapping[str, str]]] = {
    "Observation": {"comments": DSTU2, "comment": STU3, "related": STU3, "bodyStructure": R5, "triggeredBy": R5},
    "DiagnosticReport": {"codedDiagnosis": STU3, "image": STU3, "study": R5},
    "MedicationRequest": {"medication": R5, "effectiveDosePeriod": R5, "definition": STU3},
    "MedicationAdministration": {"medication": R5, "notGiven": STU3, "wasNotGiven": DSTU2, "prescription": STU3},
    "MedicationDispense": {"medication": R5, "notDone": STU3},
    "MedicationStatement": {"medication": R5, "taken": STU3, "wasNotTaken": DSTU2},
    "Condition": {"assertedDate": STU3, "dateRecorded": DSTU2, "patient": DSTU2},
    "Procedure": {"notDone": STU3, "notPerformed": DSTU2, "reported": R5},
    "ServiceRequest": {"bodyStructure": R5, "reason": R5},
    "Appointment": {"indication": STU3, "reason": R5},
    "Encounter": {"actualPeriod": R5, "reason": STU3},
    "Patient": {"animal": STU3, "careProvider": DSTU2},
}
_EVERYWHERE: Final[Mapping[str, Mapping[str, str]]] = {
    "Procedure": {"occurrence": R5},
    "MedicationAdministration": {"occurrence": R5},
}


def other_version(kind: str, content: Mapping[str, Any]) -> tuple[str, str] | None:
    """(version, field) of the sign that a resource is not R4; None where there is none."""
    for field, version in _FIELDS.get(kind, {}).items():
        if field in content:
            return version, field
    for start, version in _EVERYWHERE.get(kind, {}).items():
        if (found := next((name for name in content if str(name).startswith(start)), None)) is not None:
            return version, found
    return _other_shape(kind, content)


def _other_shape(kind: str, content: Mapping[str, Any]) -> tuple[str, str] | None:
    match kind:
        case "Condition" if isinstance(content.get("clinicalStatus"), str):
            return STU3, "clinicalStatus"
        case "Encounter" if isinstance(content.get("class"), list):
            return R5, "class"
        case "ServiceRequest" if isinstance(code := content.get("code"), dict) and "concept" in code:
            return R5, "code.concept"
        case _:
            return None
