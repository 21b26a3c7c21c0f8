"""A number with a unit: converted where the pair is known, refused otherwise, never by dimension."""

from decimal import Decimal

import pytest

from schemas.tables import Measured, Observation, Tables


def measured(tables: Tables, loinc: str, value: str, unit: str | None) -> Measured | None:
    observation = tables.observation("LN", loinc)
    assert observation is not None
    return tables.measure(observation, Decimal(value), unit)


CONVERTED = [
    ("41171-0", "0.35", "ng/mL", "350", "ng/L", "mass"),
    ("41171-0", "0.35", "ug/L", "350", "ng/L", "mass"),
    ("41171-0", "350", "pg/mL", "350", "ng/L", "mass"),
    ("41171-0", "350", "ng/L", "350", "ng/L", "mass"),
    ("53092-3", "4.2", "nmol/L", "4.2", "nmol/L", "molar"),
    ("77370-5", "55", "ng/mL", "55", "ug/L", "mass"),
    ("17838-4", "12", "ug/L", "12", "ug/L", "mass"),
    ("1777-2", "20", "U/L", "20", "U/L", "activity"),
    ("6768-6", "1", "ukat/L", "60", "U/L", "activity"),
    ("2697-1", "20", "ng/mL", "20", "ug/L", "mass"),
    ("15084-7", "1500", "pmol/L", "1.5", "nmol/L", "molar"),
    ("21215-9", "12", "nmol/L", "12", "nmol/L", "molar"),
    ("14115-0", "40", "nmol{BCE}/mmol{creat}", "40", "nmol/mmol{creat}", "molar ratio"),
    ("62292-8", "20", "ng/mL", "20", "ng/mL", "mass"),
    ("62292-8", "20", "ug/L", "20", "ng/mL", "mass"),
    ("68438-1", "50", "nmol/L", "50", "nmol/L", "molar"),
    ("2000-8", "2.40", "mmol/L", "2.40", "mmol/L", "molar"),
    ("2000-8", "4.8", "meq/L", "2.4", "mmol/L", "molar"),
    ("1751-7", "3.9", "g/dL", "39", "g/L", "mass"),
    ("2823-3", "4.1", "meq/L", "4.1", "mmol/L", "molar"),
    ("2731-8", "51", "ng/L", "51", "pg/mL", "mass"),
    ("14866-8", "5.4", "pmol/L", "5.4", "pmol/L", "molar"),
    ("3016-3", "0.09", "u[IU]/mL", "0.09", "m[IU]/L", "arbitrary"),
    ("3016-3", "0.09", "mU/L", "0.09", "m[IU]/L", "arbitrary"),
    ("3016-3", "0.09", "uIU/mL", "0.09", "m[IU]/L", "arbitrary"),
    ("33358-3", "3", "g/L", "0.3", "g/dL", "mass"),
    ("48378-4", "1.65", None, "1.65", "{ratio}", "mass ratio"),
    ("19080-1", "5", "mIU/mL", "5", "[IU]/L", "arbitrary"),
    ("8302-2", "65", "[in_i]", "165.10", "cm", "length"),
    ("8302-2", "1.65", "m", "165", "cm", "length"),
    ("29463-7", "150", "lb", "68.0388555", "kg", "mass"),
    ("39156-5", "18.5", "kg/m2", "18.5", "kg/m2", "mass per area"),
    ("24966-4", "0.80", "g/cm2", "0.80", "g/cm2", "mass per area"),
    ("85394-5", "-2.0", None, "-2.0", "1", "score"),
    ("85394-5", "-2.0", "{Z-score}", "-2.0", "1", "score"),
    ("11884-4", "30", "wk", "210", "d", "time"),
]


@pytest.mark.parametrize(("loinc", "value", "unit", "expected", "to", "quantity"), CONVERTED)
def test_a_known_pair_is_converted_exactly(
    tables: Tables, *, loinc: str, value: str, unit: str | None, expected: str, to: str, quantity: str
) -> None:
    assert measured(tables, loinc, value, unit) == Measured(Decimal(expected), to, quantity)


@pytest.mark.parametrize(
    ("loinc", "value", "unit", "to", "four_digits"),
    [
        ("17861-6", "8.8", "mg/dL", "mmol/L", "2.1957"),
        ("2777-1", "0.93", "mg/dL", "mmol/L", "0.3003"),
        ("19123-9", "4.86", "mg/dL", "mmol/L", "1.9996"),
        ("2160-0", "0.9", "mg/dL", "umol/L", "79.5629"),
        ("3024-7", "1.0", "ng/dL", "pmol/L", "12.8722"),
        ("6874-2", "250", "mg/(24.h)", "mmol/(24.h)", "6.2378"),
        ("9321-1", "0.2", "mg/mg{creat}", "mmol/mmol{creat}", "0.5645"),
    ],
)
def test_a_mass_becomes_a_molar_value_by_its_molar_mass(
    tables: Tables, *, loinc: str, value: str, unit: str, to: str, four_digits: str
) -> None:
    found = measured(tables, loinc, value, unit)
    assert found is not None
    assert (found.unit, str(round(found.value, 4))) == (to, four_digits)
    assert not found.mismatch


REFUSED = [
    ("41171-0", "mg/L"),
    ("41171-0", "U/L"),
    ("41171-0", None),
    ("17838-4", "mg/dL"),
    ("1777-2", "ng/L/h"),
    ("6768-6", "10*9/L"),
    ("777-3", "[iU]/L"),
    ("2000-8", "U/L"),
    ("2000-8", None),
    ("62292-8", "[IU]/L"),
    ("77370-5", "nmol/L"),
    ("8302-2", "kg"),
    ("8302-2", None),
    ("29463-7", "cm"),
    ("24966-4", "g/cm3"),
    ("11884-4", None),
]


@pytest.mark.parametrize(("loinc", "unit"), REFUSED)
def test_a_pair_that_no_row_names_is_refused(tables: Tables, loinc: str, unit: str | None) -> None:
    assert measured(tables, loinc, "1", unit) is None


def test_an_equivalent_of_calcium_is_half_a_millimole_and_one_of_potassium_a_whole(tables: Tables) -> None:
    calcium, potassium = measured(tables, "2000-8", "1", "meq/L"), measured(tables, "2823-3", "1", "meq/L")
    assert calcium is not None
    assert potassium is not None
    assert (calcium.value, potassium.value) == (Decimal("0.5"), Decimal(1))


def test_molar_and_mass_results_of_one_analyte_are_told_apart(tables: Tables) -> None:
    for mass, molar in (("62292-8", "68438-1"), ("2731-8", "14866-8"), ("41171-0", "53092-3")):
        kinds = [
            found.quantity
            for loinc, unit in ((mass, "ng/mL"), (molar, "nmol/L"))
            if (found := measured(tables, loinc, "10", unit)) is not None
        ]
        assert kinds == ["mass", "molar"]


@pytest.mark.parametrize(
    ("loinc", "unit", "mismatch"),
    [
        ("62292-8", "ng/mL", False),
        ("62292-8", "nmol/L", True),
        ("68438-1", "ng/mL", True),
        ("35196-5", "ng/mL", False),
        ("35196-5", "nmol/L", False),
        ("17838-4", "U/L", True),
        ("1777-2", "U/L", False),
        ("12180-6", "mmol/L", False),
        ("12180-6", "mg/dL", True),
        ("17861-6", "mmol/L", True),
        ("2000-8", "meq/L", False),
    ],
)
def test_the_unit_decides_and_a_property_that_says_otherwise_is_a_mismatch(
    tables: Tables, loinc: str, unit: str, *, mismatch: bool
) -> None:
    found = measured(tables, loinc, "10", unit)
    assert found is not None
    assert found.mismatch is mismatch


@pytest.mark.parametrize("unit", ["ng/ml", "NG/ML", "ng / mL", " ng/mL", "ng/cc"])
def test_case_and_blanks_of_a_unit_do_not_matter(tables: Tables, unit: str) -> None:
    assert measured(tables, "41171-0", "0.5", unit) == Measured(Decimal(500), "ng/L", "mass")


@pytest.mark.parametrize("micro", ["u", "\u00b5", "\u03bc", "mc"])
def test_micro_is_read_however_it_is_written(tables: Tables, micro: str) -> None:
    found = measured(tables, "77370-5", "55", f"{micro}g/L")
    assert found == Measured(Decimal(55), "ug/L", "mass")


def test_the_weeks_in_a_codes_name_stand_for_the_unit_that_was_not_sent(tables: Tables) -> None:
    assert measured(tables, "49051-6", "30", None) == Measured(Decimal(210), "d", "time")
    assert measured(tables, "18185-9", "30", None) is None


def test_digits_are_kept_where_nothing_is_converted(tables: Tables) -> None:
    found = measured(tables, "2000-8", "2.400", "mmol/L")
    assert found is not None
    assert str(found.value) == "2.400"


def test_a_local_observation_without_a_property_has_no_mismatch(tables: Tables) -> None:
    found = tables.measure(Observation("lab_result", "25OHD"), Decimal(50), "nmol/L")
    assert found == Measured(Decimal(50), "nmol/L", "molar")


@pytest.mark.parametrize(
    "spelling", ["U", "u", "unit", "units", "Units", "UNT", "IU", "iu", "[USP'U]", "[IU]", "[iU]", "USP units"]
)
def test_a_unit_of_a_dose_is_the_international_unit(tables: Tables, spelling: str) -> None:
    assert tables.unit(spelling, "dose") == "[IU]"


@pytest.mark.parametrize(
    ("spelling", "context", "expected"),
    [
        ("U/L", "laboratory", "U/L"),
        ("IU/L", "laboratory", "[IU]/L"),
        ("mIU/L", "laboratory", "m[IU]/L"),
        ("uIU/mL", "laboratory", "u[IU]/mL"),
        ("mcg", "dose", "ug"),
        ("MG", "dose", "mg"),
        ("tab", "dose", "{tablet}"),
        ("units/hr", "dose", "[IU]/h"),
        ("units/kg", "dose", "[IU]/kg"),
        ("U/kg/h", "dose", "[IU]/kg/h"),
        ("inches", "measurement", "[in_i]"),
        ("lbs", "measurement", "[lb_av]"),
        ("U", "laboratory", None),
        ("furlong", "measurement", None),
        ("drip", "dose", None),
        ("", "dose", None),
        (None, "dose", None),
    ],
)
def test_a_spelling_stands_for_one_unit_in_its_context(
    tables: Tables, spelling: str | None, context: str, expected: str | None
) -> None:
    assert tables.unit(spelling, context) == expected  # type: ignore[arg-type]
