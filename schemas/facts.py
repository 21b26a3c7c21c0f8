"""What a chart is made of: facts, each with its origin and version.

A fact is one version of one clinical record, reduced to what rules and views read, in canonical words and units.
Instants are in UTC. Numbers stay decimal.
"""

from datetime import date, datetime
from decimal import Decimal
from typing import TypeAlias

import msgspec


class _Payload(msgspec.Struct, frozen=True, array_like=True, tag=True):
    """The content of a version."""

    status: str


class Lab(_Payload, frozen=True, tag="lab"):
    """A laboratory result. `value` is canonical; None where the unit is in no table, or the result is text."""

    analyte: str
    collected_at: datetime
    value: Decimal | None = None
    quantity: str = ""
    comparator: str | None = None
    reported: Decimal | None = None
    unit: str | None = None
    text: str | None = None
    low: Decimal | None = None
    high: Decimal | None = None
    fasting: bool | None = None
    quality: str | None = None
    laboratory: str | None = None
    assay: str | None = None
    code: str = ""
    plausible: bool = True


class Order(_Payload, frozen=True, tag="order"):
    """A version of a medication order. `dose` in `unit` as said; `per_piece`, `per_ml`: what the product holds."""

    drug: str
    drug_class: str
    starts_at: datetime
    effective_from: datetime | None = None
    ends_at: datetime | None = None
    dose: Decimal | None = None
    unit: str | None = None
    doses_per_day: Decimal | None = None
    rate: Decimal | None = None
    rate_unit: str | None = None
    route: str | None = None
    as_needed: bool = False
    excluded: bool = False
    placer_order: str | None = None
    product: tuple[Decimal | None, Decimal | None, str] | None = None


class Dose(_Payload, frozen=True, tag="dose"):
    """A dose given or not given. `excluded`: a flush or lock, or a product of less than 250 IU/mL."""

    drug: str
    drug_class: str
    given_at: datetime
    ends_at: datetime | None = None
    dose: Decimal | None = None
    unit: str | None = None
    rate: Decimal | None = None
    rate_unit: str | None = None
    route: str | None = None
    excluded: bool = False
    placer_order: str | None = None
    product: tuple[Decimal | None, Decimal | None, str] | None = None


class Supply(_Payload, frozen=True, tag="supply"):
    """A supply handed out."""

    drug: str
    drug_class: str
    dispensed_at: datetime
    days_supply: Decimal | None = None
    dose: Decimal | None = None
    unit: str | None = None
    doses_per_day: Decimal | None = None
    quantity: Decimal | None = None
    quantity_unit: str | None = None
    route: str | None = None
    excluded: bool = False
    placer_order: str | None = None
    product: tuple[Decimal | None, Decimal | None, str] | None = None


class TestOrder(_Payload, frozen=True, tag="test_order"):
    """A laboratory test asked for."""

    __test__ = False  # the word is the clinic's; pytest must not collect it

    analyte: str
    ordered_at: datetime


class ProcedureDone(_Payload, frozen=True, tag="procedure"):
    """A procedure: labour, delivery, neuraxial_anaesthesia, surgery, sterilisation, hysterectomy."""

    procedure: str
    performed_at: datetime


class PregnancyRecord(_Payload, frozen=True, tag="pregnancy"):
    """What one record says of a pregnancy. `state` is pregnant, delivered, ended or refuted."""

    state: str
    outcome: str | None = None
    last_menstrual_period: date | None = None
    estimated_due_date: date | None = None
    gestational_age_days: int | None = None
    observed_at: datetime | None = None
    ended_on: date | None = None


class Feeding(_Payload, frozen=True, tag="feeding"):
    """A report of how the child is fed, from a local day on."""

    feeding: str
    since: date
    observed_at: datetime | None = None


class SymptomReport(_Payload, frozen=True, tag="symptom"):
    """One report of pain."""

    symptom: str
    observed_at: datetime
    score: Decimal | None = None
    sudden: bool | None = None
    injury: str | None = None
    side: str | None = None
    weight_bearing: str | None = None
    gait: str | None = None
    onset_at: datetime | None = None


class Measured(_Payload, frozen=True, tag="measurement"):
    """Height in cm, weight in kg, body mass index in kg/m2; `value` None where the unit is in no table."""

    measure: str
    observed_at: datetime
    value: Decimal | None = None
    self_reported: bool | None = None
    device: str | None = None


class Density(_Payload, frozen=True, tag="density"):
    """A DXA value of one site."""

    site: str
    performed_at: datetime
    z_score: Decimal | None = None
    t_score: Decimal | None = None
    density: Decimal | None = None


class StudyFinding(msgspec.Struct, frozen=True, array_like=True):
    """One finding of an imaging report."""

    finding: str
    levels: tuple[str, ...] = ()
    count: int | None = None
    side: str | None = None
    age: str | None = None


class Study(_Payload, frozen=True, tag="imaging"):
    """An imaging study, from order to report."""

    modality: str
    region: str
    ordered_at: datetime | None = None
    scheduled_for: datetime | None = None
    performed_at: datetime | None = None
    findings: tuple[StudyFinding, ...] = ()


class Diagnosis(_Payload, frozen=True, tag="condition"):
    """A coded condition with the concepts that its code means."""

    concepts: tuple[str, ...]
    code: str
    side: str | None = None
    onset_at: datetime | None = None
    abated_at: datetime | None = None


class Risk(_Payload, frozen=True, tag="risk_factor"):
    """A risk factor said to be present or absent."""

    factor: str
    present: bool
    observed_at: datetime


class Care(_Payload, frozen=True, tag="care_order"):
    """A version of an order of bed rest, a corset or an exercise."""

    order: str
    starts_at: datetime
    effective_from: datetime | None = None
    ends_at: datetime | None = None


class Person(_Payload, frozen=True, tag="patient"):
    """Who the patient is, as far as rules read it. The name stays in the event log."""

    birth_date: date | None = None
    sex: str | None = None
    deceased_at: datetime | None = None


class Response(_Payload, frozen=True, tag="response"):
    """What was answered to an alert."""

    alert_id: str
    action: str
    until: datetime | None = None
    reason: str | None = None
    by: str = ""


class Unread(_Payload, frozen=True, tag="unread"):
    """A corrected version whose code is in no table: it says only that the record is not what it was.

    Topic: without it a critical calcium that turns out to be a glucose would stand for ever. `system` of the code.
    """

    system: str = ""


Payload: TypeAlias = (
    Lab
    | Order
    | Dose
    | Supply
    | TestOrder
    | ProcedureDone
    | PregnancyRecord
    | Feeding
    | SymptomReport
    | Measured
    | Density
    | Study
    | Diagnosis
    | Risk
    | Care
    | Person
    | Response
    | Unread
)

TIMELINES = (Order, Care, Feeding)
"""Kinds whose versions each hold from their `effective_from` until the next."""

REMOVED = frozenset({"entered_in_error", "cancelled"})

_RANKS = {"entered_in_error": 5, "cancelled": 4, "corrected": 3, "stopped": 3, "preliminary": 1, "draft": 1}
_USUAL_RANK = 2

RecordKey: TypeAlias = tuple[str, str]
"""(source, record_id)"""


class Fact(msgspec.Struct, frozen=True):
    """One version of one record. `origin` is the identity it was said of, whatever was merged later."""

    origin: str
    source: str
    record_id: str
    event_id: str
    recorded_at: datetime
    payload: Payload
    history: bool = False
    moved_to: str | None = None

    @property
    def key(self) -> RecordKey:
        """The record that this is a version of."""
        return (self.source, self.record_id)

    @property
    def removes(self) -> bool:
        """A tombstone: the record was entered in error or cancelled."""
        return self.payload.status in REMOVED

    @property
    def rank(self) -> tuple[datetime, int, str]:
        """The order of versions: recorded_at, then status, then event_id (then a hash of the content)."""
        return (self.recorded_at, _RANKS.get(self.payload.status, _USUAL_RANK), self.event_id)


def clinical_time(payload: Payload) -> datetime | None:  # noqa: C901, PLR0911 - one line a kind
    """The kind's own clinical time, in UTC; None for kinds that have none or only days."""
    match payload:
        case Lab():
            return payload.collected_at
        case Order() | Care():
            return payload.effective_from or payload.starts_at
        case Dose():
            return payload.given_at
        case Supply():
            return payload.dispensed_at
        case TestOrder():
            return payload.ordered_at
        case ProcedureDone() | Density():
            return payload.performed_at
        case Study():
            return payload.performed_at or payload.ordered_at
        case SymptomReport() | Measured() | Risk() | PregnancyRecord() | Feeding():
            return payload.observed_at
        case Diagnosis():
            return payload.onset_at
        case Person() | Response() | Unread():
            return None
