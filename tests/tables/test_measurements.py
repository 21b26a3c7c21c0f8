"""A height, weight or body mass index of no adult is kept, and read by no rule."""

import pytest

from schemas.facts import Fact, Measured
from streams.chart.facts import fact_of
from tests.events import event
from tests.support import number, on, tables


@pytest.mark.parametrize(
    ("measure", "unit", "value", "known"),
    [
        ("body_height", "cm", "1.65", None),
        ("body_height", "m", "1.65", "165"),
        ("body_height", "cm", "99.9", None),
        ("body_height", "cm", "100", "100"),
        ("body_height", "cm", "230", "230"),
        ("body_height", "cm", "230.1", None),
        ("body_weight", "kg", "24.9", None),
        ("body_weight", "kg", "25", "25"),
        ("body_weight", "kg", "300", "300"),
        ("body_weight", "kg", "300.1", None),
        ("body_mass_index", "kg/m2", "9.9", None),
        ("body_mass_index", "kg/m2", "10", "10"),
        ("body_mass_index", "kg/m2", "90", "90"),
        ("body_mass_index", "kg/m2", "90.1", None),
    ],
)
def test_a_measurement_is_read_within_what_the_table_says(
    measure: str, unit: str, value: str, known: str | None
) -> None:
    said = event("measurement", "m", 1, measure=measure, value=number(value), unit=unit, observed_at=on(1).isoformat())
    fact = fact_of(said, tables())
    assert isinstance(fact, Fact)
    assert isinstance(fact.payload, Measured)
    assert fact.payload.value == number(known)
