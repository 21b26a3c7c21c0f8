"""The FHIR R4 datatypes, as far as they are read; all else in a resource is ignored.

Source: http://hl7.org/fhir/R4/datatypes.html
"""

from typing import Annotated, TypeAlias, TypeVar

from pydantic import BaseModel, ConfigDict, Strict
from pydantic.alias_generators import to_camel

from schemas.values import Number

T = TypeVar("T")
Many: TypeAlias = Annotated[tuple[T, ...], Strict(strict=False)]


class Part(BaseModel):
    """A part of a resource: strict about what is read, lax about the rest."""

    model_config = ConfigDict(
        frozen=True, strict=True, extra="ignore", alias_generator=to_camel, hide_input_in_errors=True
    )


class Coding(Part):
    system: str | None = None
    code: str | None = None
    display: str | None = None


class CodeableConcept(Part):
    coding: Many[Coding] = ()
    text: str | None = None


class Quantity(Part):
    value: Number | None = None
    comparator: str | None = None
    unit: str | None = None
    system: str | None = None
    code: str | None = None


class Range(Part):
    low: Quantity | None = None
    high: Quantity | None = None


class Ratio(Part):
    numerator: Quantity | None = None
    denominator: Quantity | None = None


class Period(Part):
    start: str | None = None
    end: str | None = None


class Identifier(Part):
    use: str | None = None
    type: CodeableConcept | None = None
    system: str | None = None
    value: str | None = None


class Reference(Part):
    reference: str | None = None
    type: str | None = None
    identifier: Identifier | None = None
    display: str | None = None


class Meta(Part):
    version_id: str | None = None
    last_updated: str | None = None


class Value(Part):
    """The choice value[x] of an Observation or of one of its components."""

    value_quantity: Quantity | None = None
    value_codeable_concept: CodeableConcept | None = None
    value_string: str | None = None
    value_boolean: bool | None = None
    value_integer: int | None = None
    value_range: Range | None = None
    value_ratio: Ratio | None = None
    value_time: str | None = None
    value_date_time: str | None = None
    value_period: Period | None = None
    data_absent_reason: CodeableConcept | None = None


class Repeat(Part):
    bounds_period: Period | None = None
    bounds_duration: Quantity | None = None
    count: int | None = None
    count_max: int | None = None
    frequency: int | None = None
    frequency_max: int | None = None
    period: Number | None = None
    period_max: Number | None = None
    period_unit: str | None = None
    day_of_week: Many[str] = ()
    time_of_day: Many[str] = ()
    when: Many[str] = ()


class Timing(Part):
    repeat: Repeat | None = None
    code: CodeableConcept | None = None


class DoseAndRate(Part):
    dose_quantity: Quantity | None = None
    dose_range: Range | None = None
    rate_quantity: Quantity | None = None
    rate_ratio: Ratio | None = None
    rate_range: Range | None = None


class Dosage(Part):
    """One instruction of how a medication is taken."""

    sequence: int | None = None
    timing: Timing | None = None
    as_needed_boolean: bool | None = None
    as_needed_codeable_concept: CodeableConcept | None = None
    route: CodeableConcept | None = None
    dose_and_rate: Many[DoseAndRate] = ()
