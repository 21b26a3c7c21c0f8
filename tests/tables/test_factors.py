"""Every factor is recomputed from UCUM units and molar masses by another implementation."""

import csv
from decimal import Decimal
from importlib.resources import files
from typing import Any, Final
from xml.etree import ElementTree as ET

import pytest
from ucumvert import PintUcumRegistry

from tests.tables.fixtures import THIRD_PARTY

PAIRS: Final = list(csv.DictReader((files("schemas.units") / "pairs.csv").read_text(encoding="utf-8").splitlines()))
BY_DIMENSION: Final = [pair for pair in PAIRS if pair["oracle"] == "ucum"]
BY_USAGE: Final = [pair for pair in PAIRS if pair["oracle"] != "ucum"]


@pytest.fixture(scope="module")
def registry() -> Any:
    return PintUcumRegistry()


def quantity(registry: Any, unit: str) -> Any:
    """A pure annotation, `{score}`, is the unity of UCUM."""
    found = registry.from_ucum(unit)
    return registry.from_ucum("1") if isinstance(found, str) else 1 * found


def recomputed(registry: Any, pair: dict[str, str]) -> float:
    ratio = quantity(registry, pair["unit"]) / quantity(registry, pair["to"])
    gram_per_mole = registry.from_ucum("g/mol")
    if pair["molar_mass"]:
        ratio = ratio / (float(pair["molar_mass"]) * gram_per_mole)
    if pair["molar_mass_below"]:
        ratio = ratio * (float(pair["molar_mass_below"]) * gram_per_mole)
    value = ratio.to("dimensionless").magnitude if hasattr(ratio, "to") else ratio
    return float(value) / float(pair["valence"] or 1)


@pytest.mark.parametrize("pair", BY_DIMENSION, ids=lambda pair: f"{pair['name']} {pair['unit']} to {pair['to']}")
def test_a_factor_is_what_ucum_and_the_molar_mass_give(registry: Any, pair: dict[str, str]) -> None:
    ours = float(Decimal(pair["multiply"]) / Decimal(pair["divide"]))
    assert ours == pytest.approx(recomputed(registry, pair), rel=1e-12)


@pytest.mark.parametrize("pair", BY_USAGE, ids=lambda pair: f"{pair['name']} {pair['unit']} to {pair['to']}")
def test_a_factor_that_ucum_cannot_give_says_why(registry: Any, pair: dict[str, str]) -> None:
    assert pair["oracle"].startswith(("arbitrary: ", "no unit sent: "))
    assert pair["flag"] == "heuristic"
    if pair["unit"]:
        with pytest.raises(Exception, match=r"[Cc]annot convert"):
            recomputed(registry, pair)


def test_no_pair_crosses_from_one_quantity_to_another_but_by_a_molar_mass() -> None:
    crossing = [pair for pair in PAIRS if pair["reads"] != pair["quantity"]]
    assert crossing
    assert all(pair["molar_mass"] for pair in crossing)


@pytest.mark.parametrize(
    ("name", "quantities"),
    [
        ("CTX", {"mass", "molar"}),
        ("BALP", {"mass", "activity", "fraction"}),
        ("25OHD", {"mass", "molar"}),
        ("PTH", {"mass", "molar"}),
        ("PTHrP", {"mass", "molar"}),
        ("OC", {"mass", "molar"}),
        ("P1NP", {"mass"}),
        ("Ca_total", {"molar"}),
    ],
)
def test_quantities_that_must_not_be_converted_keep_their_own_unit(name: str, quantities: set[str]) -> None:
    canonical = {(pair["quantity"], pair["to"]) for pair in PAIRS if pair["name"] == name}
    assert {quantity for quantity, _ in canonical} == quantities
    assert len(canonical) == len(quantities)


def test_every_unit_that_we_write_is_valid_for_whoever_wrote_the_functional_tests() -> None:
    """The functional tests of UCUM hold valid and invalid units: those of ours that they name must be valid there."""
    path = THIRD_PARTY / "ucum" / "UcumFunctionalTests.xml"
    if not path.exists():
        pytest.skip(f"third-party UCUM tests are not at {path}")
    cases = {case.get("unit"): case.get("valid") == "true" for case in ET.parse(path).iter("case") if case.get("valid")}
    ours = {pair["unit"] for pair in PAIRS} | {pair["to"] for pair in PAIRS}
    named = ours & set(cases)
    assert len(named) >= 5
    assert {unit for unit in named if not cases[unit]} == set()
