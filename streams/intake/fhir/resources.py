"""The FHIR R4 resources, as far as they are read.

Source: http://hl7.org/fhir/R4/resourcelist.html
"""

from streams.intake.fhir.datatypes import (
    CodeableConcept,
    Dosage,
    Identifier,
    Many,
    Meta,
    Part,
    Period,
    Quantity,
    Range,
    Ratio,
    Reference,
    Value,
)


class Resource(Part):
    id: str | None = None
    meta: Meta | None = None
    identifier: Many[Identifier] = ()


class ReferenceRange(Part):
    low: Quantity | None = None
    high: Quantity | None = None
    type: CodeableConcept | None = None
    applies_to: Many[CodeableConcept] = ()
    age: Range | None = None


class Component(Value):
    code: CodeableConcept = CodeableConcept()
    reference_range: Many[ReferenceRange] = ()


class Observation(Resource, Component):
    status: str | None = None
    category: Many[CodeableConcept] = ()
    subject: Reference | None = None
    effective_date_time: str | None = None
    effective_period: Period | None = None
    effective_instant: str | None = None
    issued: str | None = None
    performer: Many[Reference] = ()
    body_site: CodeableConcept | None = None
    method: CodeableConcept | None = None
    specimen: Reference | None = None
    device: Reference | None = None
    component: Many[Component] = ()


class Collection(Part):
    collected_date_time: str | None = None
    collected_period: Period | None = None
    fasting_status_codeable_concept: CodeableConcept | None = None


class Specimen(Resource):
    status: str | None = None
    type: CodeableConcept | None = None
    collection: Collection | None = None
    condition: Many[CodeableConcept] = ()


class DiagnosticReport(Resource):
    status: str | None = None
    category: Many[CodeableConcept] = ()
    code: CodeableConcept = CodeableConcept()
    subject: Reference | None = None
    effective_date_time: str | None = None
    effective_period: Period | None = None
    issued: str | None = None
    conclusion_code: Many[CodeableConcept] = ()


class Ingredient(Part):
    item_codeable_concept: CodeableConcept | None = None


class Medication(Resource):
    code: CodeableConcept | None = None
    ingredient: Many[Ingredient] = ()


class Medicated(Resource):
    """What the four medication resources have in common."""

    status: str | None = None
    medication_codeable_concept: CodeableConcept | None = None
    medication_reference: Reference | None = None
    subject: Reference | None = None


class MedicationRequest(Medicated):
    intent: str | None = None
    do_not_perform: bool | None = None
    authored_on: str | None = None
    reason_code: Many[CodeableConcept] = ()
    group_identifier: Identifier | None = None
    dosage_instruction: Many[Dosage] = ()


class MedicationStatement(Medicated):
    effective_date_time: str | None = None
    effective_period: Period | None = None
    date_asserted: str | None = None
    reason_code: Many[CodeableConcept] = ()
    based_on: Many[Reference] = ()
    dosage: Many[Dosage] = ()


class Given(Part):
    """MedicationAdministration.dosage."""

    route: CodeableConcept | None = None
    dose: Quantity | None = None
    rate_quantity: Quantity | None = None
    rate_ratio: Ratio | None = None


class MedicationAdministration(Medicated):
    effective_date_time: str | None = None
    effective_period: Period | None = None
    request: Reference | None = None
    dosage: Given | None = None


class MedicationDispense(Medicated):
    authorizing_prescription: Many[Reference] = ()
    quantity: Quantity | None = None
    days_supply: Quantity | None = None
    when_handed_over: str | None = None
    dosage_instruction: Many[Dosage] = ()


class Condition(Resource):
    clinical_status: CodeableConcept | None = None
    verification_status: CodeableConcept | None = None
    code: CodeableConcept = CodeableConcept()
    body_site: Many[CodeableConcept] = ()
    subject: Reference | None = None
    onset_date_time: str | None = None
    onset_period: Period | None = None
    abatement_date_time: str | None = None
    abatement_period: Period | None = None
    recorded_date: str | None = None


class Procedure(Resource):
    status: str | None = None
    code: CodeableConcept = CodeableConcept()
    subject: Reference | None = None
    performed_date_time: str | None = None
    performed_period: Period | None = None


class ServiceRequest(Resource):
    status: str | None = None
    intent: str | None = None
    category: Many[CodeableConcept] = ()
    do_not_perform: bool | None = None
    code: CodeableConcept = CodeableConcept()
    subject: Reference | None = None
    occurrence_date_time: str | None = None
    occurrence_period: Period | None = None
    authored_on: str | None = None


class Participant(Part):
    actor: Reference | None = None


class Appointment(Resource):
    status: str | None = None
    service_type: Many[CodeableConcept] = ()
    reason_code: Many[CodeableConcept] = ()
    start: str | None = None
    created: str | None = None
    participant: Many[Participant] = ()


class Stay(Part):
    location: Reference | None = None
    status: str | None = None


class Encounter(Resource):
    status: str | None = None
    type: Many[CodeableConcept] = ()
    reason_code: Many[CodeableConcept] = ()
    subject: Reference | None = None
    period: Period | None = None
    location: Many[Stay] = ()


class HumanName(Part):
    use: str | None = None
    text: str | None = None
    family: str | None = None
    given: Many[str | None] = ()


class Link(Part):
    other: Reference | None = None
    type: str | None = None


class Patient(Resource):
    name: Many[HumanName] = ()
    gender: str | None = None
    birth_date: str | None = None
    deceased_date_time: str | None = None
    link: Many[Link] = ()


class Named(Resource):
    """An Organization, Location or Device, for its name."""

    name: str | None = None
