"""What feeds publish: one frozen model a kind, told apart by `kind`.

Every instant carries an offset; a day is a day of the site's time zone. Names follow FHIR R4 and HL7 v2.
Unknown fields are ignored here and counted by the intake.
"""

from typing import Annotated, Any, Final, Literal

from pydantic import Field, Strict, TypeAdapter, WithJsonSchema, model_validator

from schemas.event_parts import Act, Code, Event, Model, Quantity, Recorded, ReferenceRange, Side
from schemas.values import Day, Identifier, Instant, Number, Text

__all__ = ["EVENT", "KINDS", "RISK_FACTORS", "AnyEvent", "Code", "Event", "Quantity", "ReferenceRange", "Side"]

Score = Annotated[Number, Field(ge=0, le=10), WithJsonSchema({"type": "number", "minimum": 0, "maximum": 10})]
"""A numerical rating of pain, 0 to 10."""

RISK_FACTORS: Final = frozenset(
    {
        "smoking",
        "family_history",
        "prior_fragility_fracture",
        "prior_plo",
        "vte_history",
        "underweight",
        "low_weight_gain",
        "low_calcium_intake",
        "contraception",
        "menopause",
    }
)


class LabResult(Event):
    """A laboratory result. `value` or `value_text`; I, N, O results of HL7 v2 never become one."""

    kind: Literal["lab_result"]
    code: Code
    value: Number | None = None
    value_text: Text | None = None
    comparator: Literal["<", "<=", ">", ">="] | None = None
    unit: Identifier | None = None
    reference_range: ReferenceRange | None = None
    status: Literal["preliminary", "final", "corrected", "cancelled", "entered_in_error"]
    collected_at: Instant
    fasting: bool | None = None
    specimen: Identifier | None = None
    quality: Identifier | None = None
    laboratory: Identifier | None = None
    assay: Identifier | None = None
    note: Text | None = None


class Prescription(Event):
    """One version of a medication order; its versions form a timeline by `effective_from`."""

    kind: Literal["prescription"]
    drug: Code
    status: Literal["draft", "active", "on_hold", "stopped", "completed", "cancelled", "entered_in_error"]
    do_not_perform: bool = False
    dose: Quantity | None = None
    doses_per_day: Number | None = None
    rate: Quantity | None = None
    route: Identifier | None = None
    starts_at: Instant
    effective_from: Instant | None = None
    ends_at: Instant | None = None
    as_needed: bool = False
    indication: Text | None = None
    placer_order: Identifier | None = None
    note: Text | None = None


class Administration(Event):
    """A dose given, or not given; an infusion has `rate` and `ends_at`."""

    kind: Literal["administration"]
    drug: Code
    status: Literal["completed", "in_progress", "not_done", "on_hold", "stopped", "entered_in_error"]
    dose: Quantity | None = None
    rate: Quantity | None = None
    given_at: Instant
    ends_at: Instant | None = None
    route: Identifier | None = None
    placer_order: Identifier | None = None
    note: Text | None = None


class Dispense(Event):
    """A supply handed out. Without `days_supply` it covers no day."""

    kind: Literal["dispense"]
    drug: Code
    status: Literal["completed", "cancelled", "entered_in_error"]
    quantity: Quantity | None = None
    days_supply: Number | None = None
    dose: Quantity | None = None
    doses_per_day: Number | None = None
    route: Identifier | None = None
    dispensed_at: Instant
    placer_order: Identifier | None = None
    note: Text | None = None


class LabOrder(Event):
    """A laboratory test asked for."""

    kind: Literal["lab_order"]
    code: Code
    status: Literal["active", "completed", "cancelled", "entered_in_error"]
    ordered_at: Instant


class Procedure(Event):
    """A procedure done: labour and neuraxial anaesthesia, surgery, sterilisation, hysterectomy."""

    kind: Literal["procedure"]
    code: Code
    status: Literal["completed", "not_done", "entered_in_error"]
    performed_at: Instant


class Encounter(Event):
    """Where the patient is: routing, nothing clinical."""

    kind: Literal["encounter"]
    status: Literal["active", "finished", "cancelled"]
    ward: Identifier | None = None
    starts_at: Instant
    ends_at: Instant | None = None


class Pregnancy(Recorded):
    """What is known of one pregnancy: its state, its dating and how it ended."""

    kind: Literal["pregnancy"]
    status: Literal["pregnant", "delivered", "ended", "refuted"]
    outcome: Literal["live_birth", "stillbirth", "miscarriage", "termination"] | None = None
    last_menstrual_period: Day | None = None
    estimated_due_date: Day | None = None
    gestational_age_days: Annotated[int, Field(ge=0, le=320)] | None = None
    observed_at: Instant | None = None
    ended_on: Day | None = None


class Lactation(Recorded):
    """How the child is fed from a local day on; the versions form a timeline by `since`."""

    kind: Literal["lactation"]
    feeding: Literal["exclusive", "mixed", "none", "unknown"]
    since: Day
    observed_at: Instant | None = None


class Symptom(Recorded):
    """One report of pain. No later report means unknown, not gone."""

    kind: Literal["symptom"]
    symptom: Literal["back_pain", "hip_pain", "groin_pain"]
    score: Score | None = None
    sudden: bool | None = None
    injury: Literal["none", "minor", "major"] | None = None
    side: Side | None = None
    weight_bearing: Literal["full", "limited", "unable"] | None = None
    gait: Literal["normal", "antalgic"] | None = None
    onset_at: Instant | None = None
    observed_at: Instant


class Measurement(Recorded):
    """Height, weight or body mass index."""

    kind: Literal["measurement"]
    measure: Literal["body_height", "body_weight", "body_mass_index"]
    value: Number
    unit: Identifier
    self_reported: bool | None = None
    device: Identifier | None = None
    observed_at: Instant


class BoneDensity(Recorded):
    """A DXA value of one site."""

    kind: Literal["bone_density"]
    site: Literal["lumbar_spine", "total_hip", "femoral_neck", "other"]
    z_score: Number | None = None
    t_score: Number | None = None
    density_g_cm2: Number | None = None
    performed_at: Instant


class ImagingFinding(Model):
    """One finding of a report. `levels` are vertebrae, e.g. T12."""

    finding: Literal[
        "vertebral_fracture",
        "femoral_neck_fracture",
        "other_fracture",
        "marrow_edema",
        "no_fracture",
        "normal",
        "sacral_fracture",
        "pelvic_fracture",
        "rib_fracture",
    ]
    levels: Annotated[tuple[Identifier, ...], Strict(strict=False)] = ()
    count: Annotated[int, Field(ge=0, le=60)] | None = None
    side: Side | None = None
    age: Literal["acute", "old"] | None = None


class Imaging(Event):
    """An imaging study, from order to final report."""

    kind: Literal["imaging"]
    status: Literal["ordered", "booked", "performed", "final", "cancelled", "entered_in_error"]
    modality: Literal["MRI", "XR", "DXA", "NM", "CT", "US"]
    region: Literal["spine", "hip", "pelvis", "other"]
    ordered_at: Instant | None = None
    scheduled_for: Instant | None = None
    performed_at: Instant | None = None
    findings: Annotated[tuple[ImagingFinding, ...], Strict(strict=False)] = ()


class Condition(Event):
    """A coded diagnosis: SNOMED CT, ICD-10-CM or ICD-10."""

    kind: Literal["condition"]
    code: Code
    status: Literal["active", "resolved", "refuted", "entered_in_error"]
    side: Side | None = None
    onset_at: Instant | None = None
    abated_at: Instant | None = None


class RiskFactor(Recorded):
    """A risk factor said to be present or absent; a factor that RISK_FACTORS does not list is counted as unmapped."""

    kind: Literal["risk_factor"]
    factor: Identifier
    present: bool
    observed_at: Instant


class CareOrder(Event):
    """Bed rest, a corset or an exercise; its versions form a timeline as those of a prescription."""

    kind: Literal["care_order"]
    order: Literal["bed_rest", "corset", "lumbar_flexion_exercise"]
    status: Literal["draft", "active", "on_hold", "stopped", "completed", "cancelled", "entered_in_error"]
    starts_at: Instant
    effective_from: Instant | None = None
    ends_at: Instant | None = None


class Patient(Act):
    """Who the patient is. `name` is shown to those who may see it and read by no rule.

    Without a `record_id` it speaks of `patient/<patient_id>`: a later word takes an earlier one back.
    """

    kind: Literal["patient"]
    birth_date: Day | None = None
    sex: Literal["female", "male", "other", "unknown"] | None = None
    name: Text | None = None
    deceased_at: Instant | None = None

    @model_validator(mode="before")
    @classmethod
    def _own_record(cls, given: Any) -> Any:
        if isinstance(given, dict) and given.get("record_id") is None:
            return {**given, "record_id": f"patient/{given.get('patient_id')}"[:256]}
        return given


class PatientMerge(Act):
    """`patient_id` is retired into `into`."""

    kind: Literal["patient_merge"]
    into: Identifier


class PatientUnmerge(Act):
    """`patient_id` was never `into`."""

    kind: Literal["patient_unmerge"]
    into: Identifier


class AlertResponse(Act):
    """What a clinician answered to an alert; kept though the alert is not there yet."""

    kind: Literal["alert_response"]
    alert_id: Identifier
    action: Literal["acknowledge", "snooze", "override", "plan", "reopen"]
    by: Identifier
    until: Instant | None = None
    reason: Identifier | None = None
    text: Text | None = None


class Erasure(Act):
    """Forget this patient; facts recorded until then are refused when they come again."""

    kind: Literal["erasure"]


AnyEvent = Annotated[
    LabResult
    | Prescription
    | Administration
    | Dispense
    | LabOrder
    | Procedure
    | Encounter
    | Pregnancy
    | Lactation
    | Symptom
    | Measurement
    | BoneDensity
    | Imaging
    | Condition
    | RiskFactor
    | CareOrder
    | Patient
    | PatientMerge
    | PatientUnmerge
    | AlertResponse
    | Erasure,
    Field(discriminator="kind"),
]

EVENT: Final[TypeAdapter[AnyEvent]] = TypeAdapter(AnyEvent)

KINDS: Final[dict[str, type[Event]]] = {
    model.model_fields["kind"].annotation.__args__[0]: model  # type: ignore[union-attr]
    for model in (
        LabResult,
        Prescription,
        Administration,
        Dispense,
        LabOrder,
        Procedure,
        Encounter,
        Pregnancy,
        Lactation,
        Symptom,
        Measurement,
        BoneDensity,
        Imaging,
        Condition,
        RiskFactor,
        CareOrder,
        Patient,
        PatientMerge,
        PatientUnmerge,
        AlertResponse,
        Erasure,
    )
}
"""Every kind with its model, in the order of the documentation."""
