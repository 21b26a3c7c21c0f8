"""Published limits, and how far outside them a value is no value."""

from decimal import Decimal

import pytest

from schemas.tables import Tables


@pytest.mark.parametrize(
    ("analyte", "high"),
    [
        ("CTX", "791"),
        ("P1NP", "83.4"),
        ("BALP", "22.7"),
        ("OC", "24.27"),
        ("NTX_urine", "68.9"),
        ("NTX", "19.0"),
        ("TRACP5b", "4.8"),
        ("CTX_urine", None),
        ("25OHD", None),
        ("nothing", None),
    ],
)
def test_the_highest_premenopausal_limit_is_that_of_the_widest_study(
    tables: Tables, analyte: str, high: str | None
) -> None:
    assert tables.premenopausal_high(analyte) == (None if high is None else Decimal(high))


@pytest.mark.parametrize(
    ("analyte", "phase", "low", "high"),
    [
        ("CTX", "T1", "112", "462"),
        ("CTX", "T2", "118", "638"),
        ("CTX", "T3", "149", "698"),
        ("CTX", "lactation", None, "1400"),
        ("P1NP", "lactation", None, "190"),
        ("P1NP", "T3", "21", "192"),
        ("TSH", "T1", "0.02", "3.78"),
        ("TSH", "T2", "0.47", "3.89"),
        ("fT4", "T1", "13.93", "26.49"),
        ("fT4", "T3", "11.38", "19.21"),
        ("fT4", "nonpregnant", None, None),
        ("NTX", "T1", None, None),
        ("CTX", "weaned", None, None),
    ],
)
def test_a_phase_has_its_own_limits(
    tables: Tables, analyte: str, phase: str, low: str | None, high: str | None
) -> None:
    assert tables.phase_low(analyte, phase) == (None if low is None else Decimal(low))
    assert tables.phase_high(analyte, phase) == (None if high is None else Decimal(high))


def test_a_limit_is_held_in_the_canonical_unit(tables: Tables) -> None:
    creatinine = tables.phase_high("Creatinine", "T3")
    assert creatinine is not None
    assert round(creatinine, 2) == Decimal("79.56")


def test_a_limit_tells_its_source_and_flag(tables: Tables) -> None:
    assert all(limit.source and limit.flag for limit in tables.limits.published)
    lactation = tables.limits.high("CTX", "lactation")
    assert lactation is not None
    assert lactation.flag == "heuristic"


@pytest.mark.parametrize(
    ("loinc", "unit", "value", "plausible"),
    [
        ("41171-0", "ng/L", "1.11", True),
        ("41171-0", "ng/L", "1.109", False),
        ("41171-0", "ng/L", "79100", True),
        ("41171-0", "ng/L", "79101", False),
        ("41171-0", "pg/mL", "0.35", False),
        ("41171-0", "ng/mL", "350", False),
        ("41171-0", "ng/mL", "0.35", True),
        ("77370-5", "ug/L", "0.173", True),
        ("77370-5", "ug/L", "0.172", False),
        ("77370-5", "ug/L", "8340", True),
        ("77370-5", "ug/L", "8341", False),
        ("2000-8", "mmol/L", "265", True),
        ("2000-8", "mmol/L", "266", False),
        ("2000-8", "mmol/L", "0.0205", True),
        ("2000-8", "mmol/L", "0.0204", False),
        ("62292-8", "ng/mL", "8000", True),
        ("62292-8", "ng/mL", "8001", False),
        ("62292-8", "nmol/L", "8001", True),
        ("3016-3", "m[IU]/L", "0.0002", True),
        ("3016-3", "m[IU]/L", "0.0001", False),
        ("1777-2", "U/L", "1000000", True),
        ("53092-3", "nmol/L", "1000000", True),
        ("49054-0", "ng/mL", "0.0001", True),
    ],
)
def test_a_value_a_hundredfold_outside_every_limit_is_not_plausible(
    tables: Tables, loinc: str, unit: str, value: str, *, plausible: bool
) -> None:
    observation = tables.observation("LN", loinc)
    assert observation is not None
    measured = tables.measure(observation, Decimal(value), unit)
    assert measured is not None
    assert tables.plausible(observation, measured) is plausible
