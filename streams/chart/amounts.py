"""What a dose is worth: IU for heparins, mg for everything else; unknown rather than guessed.

Source: docs/evidence.md 2.3 (1 mg enoxaparin = 100 anti-Xa IU; nadroparin 9,500 IU/mL) and data rule DQ-03.
"""

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from typing import Final, TypeAlias

from schemas.facts import Dose, Order, Supply

HEPARINS: Final = frozenset({"heparin_ufh", "lmwh"})
ENOXAPARIN_IU_PER_MG: Final = Decimal(100)
NADROPARIN_IU_PER_ML: Final = Decimal(9500)
ENOXAPARIN_IU_A_DOSE: Final = (Decimal(1000), Decimal(20000))
MOST_IU_A_DAY: Final = Decimal(60000)
_PIECES: Final = frozenset({"1", "{syringe}", "{ampule}", "{vial}", "{tablet}", "{capsule}", "{dose}", "{unit}"})
_MILLIGRAMS: Final = {"mg": Decimal(1), "g": Decimal(1000), "ug": Decimal("0.001")}

Drug: TypeAlias = Order | Dose | Supply
WeightAt: TypeAlias = Callable[[datetime], Decimal | None]


def by_the_kilogram(drug: Order | Dose) -> bool:
    """What it is worth depends on the weight."""
    return "/kg" in (drug.unit or "") or "/kg" in (drug.rate_unit or "")


def one_dose(drug: Drug, weight: Decimal | None) -> Decimal | None:
    """The amount of one dose in [IU] (heparins) or mg; None: unknown."""
    return amount(drug, drug.dose, drug.unit, weight)


def amount(drug: Drug, value: Decimal | None, unit: str | None, weight: Decimal | None) -> Decimal | None:
    """A value with a unit as [IU] (heparins) or mg; None where unit, weight or product is not known."""
    if value is None or unit is None:
        return None
    if unit.endswith("/kg"):
        return None if weight is None else amount(drug, value * weight, unit.removesuffix("/kg"), None)
    if drug.drug_class in HEPARINS:
        return _international_units(drug, value, unit)
    return _milligrams(drug, value, unit)


def _international_units(drug: Drug, value: Decimal, unit: str) -> Decimal | None:
    match unit:
        case "[IU]":
            return value if drug.drug != "enoxaparin" or _plausible_enoxaparin(value) else None
        case "mg":
            return value * ENOXAPARIN_IU_PER_MG if drug.drug == "enoxaparin" else None
        case "mL" if drug.drug == "nadroparin" and _strength(drug, 1) is None:
            return value * NADROPARIN_IU_PER_ML
    return _by_product(drug, value, unit)


def _plausible_enoxaparin(value: Decimal) -> bool:
    low, high = ENOXAPARIN_IU_A_DOSE
    return low <= value <= high


def _milligrams(drug: Drug, value: Decimal, unit: str) -> Decimal | None:
    factor = _MILLIGRAMS.get(unit)
    return value * factor if factor is not None else _by_product(drug, value, unit)


def _strength(drug: Drug, index: int) -> Decimal | None:
    """What the product holds a piece (0) or a mL (1), in its own unit."""
    found = drug.product[index] if drug.product else None
    return found if isinstance(found, Decimal) else None


def _by_product(drug: Drug, value: Decimal, unit: str) -> Decimal | None:
    strength = _strength(drug, 1) if unit == "mL" else _strength(drug, 0) if unit in _PIECES else None
    if strength is None or drug.product is None:
        return None
    held = drug.product[2]
    if drug.drug_class in HEPARINS and held == "mg":
        return value * strength * ENOXAPARIN_IU_PER_MG if drug.drug == "enoxaparin" else None
    return value * strength


def hourly(drug: Order | Dose, weight: Decimal | None) -> Decimal | None:
    """The amount an hour of an infusion's rate (`[IU]/h`, `mg/h`, `[IU]/kg/h` ...); None: unknown."""
    if drug.rate is None or drug.rate_unit is None:
        return None
    for suffix, hours in (("/h", Decimal(1)), ("/min", Decimal(60)), ("/d", 1 / Decimal(24))):
        if drug.rate_unit.endswith(suffix):
            found = amount(drug, drug.rate, drug.rate_unit.removesuffix(suffix), weight)
            return None if found is None else found * hours
    return None


def a_day(drug: Order | Supply, weight: Decimal | None) -> Decimal | None:
    """The amount a day that an order or a supply says; None: unknown."""
    if isinstance(drug, Order) and drug.rate is not None:
        found = hourly(drug, weight)
        return None if found is None else found * 24
    dose = one_dose(drug, weight)
    if dose is not None and drug.doses_per_day is not None:
        return dose * drug.doses_per_day
    if isinstance(drug, Supply) and drug.days_supply:
        held = amount(drug, drug.quantity, drug.quantity_unit, weight)
        return None if held is None else held / drug.days_supply
    return None
