"""From a number and a unit to a number in a canonical unit: an allow-list, never arithmetic on dimensions.

By dimension `[iU]/L` would become `10*9/L` and a milliequivalent of calcium a millimole. A pair (name, unit) that no
row names is refused.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal, DivisionByZero, InvalidOperation, Overflow
from decimal import Context as Arithmetic
from typing import Final, cast

from schemas.terminology.meanings import Context, Measured, Observation
from schemas.terminology.rows import rows

_HERE: Final = "schemas.units"
_EXACTLY: Final = Arithmetic(prec=34, rounding=ROUND_HALF_EVEN, traps=[DivisionByZero, InvalidOperation, Overflow])
_ONE: Final = Decimal(1)
_MICRO: Final = str.maketrans({"\u00b5": "u", "\u03bc": "u", "\u00b2": "2", "\u00b3": "3", " ": None})

_PROPERTY: Final[Mapping[str, frozenset[str]]] = {
    "Mass/volume": frozenset({"mass"}),
    "Moles/volume": frozenset({"molar"}),
    "Mass or moles/volume": frozenset({"mass", "molar"}),
    "Enzymatic activity/volume": frozenset({"activity"}),
    "Units/volume": frozenset({"arbitrary"}),
    "Number/volume": frozenset({"number"}),
    "Fraction": frozenset({"fraction"}),
    "Mass/time": frozenset({"mass rate"}),
    "Moles/time": frozenset({"molar rate"}),
    "Mass ratio": frozenset({"mass ratio"}),
    "Molar ratio": frozenset({"molar ratio"}),
    "Ratio": frozenset({"mass ratio", "molar ratio"}),
}


@dataclass(frozen=True, slots=True)
class Pair:
    """How one unit of one quantity becomes the canonical unit: value x multiply / divide.

    `reads` is the quantity that the unit as sent speaks of, `quantity` that of the canonical unit.
    """

    to: str
    quantity: str
    reads: str
    multiply: Decimal
    divide: Decimal

    def measure(self, value: Decimal, said: str) -> Measured:
        """The value in the canonical unit; `said` is the LOINC property of its code."""
        if self.multiply != _ONE:
            value = _EXACTLY.multiply(value, self.multiply)
        if self.divide != _ONE:
            value = _EXACTLY.divide(value, self.divide)
        expected = _PROPERTY.get(said)
        return Measured(value, self.to, self.quantity, expected is not None and self.reads not in expected)


@dataclass(frozen=True, slots=True)
class Units:
    """Spellings by context, and pairs by (name or code, unit as spelled)."""

    spellings: Mapping[Context, Mapping[str, str]]
    loosely: Mapping[Context, Mapping[str, str]]
    pairs: Mapping[tuple[str, str], Pair]

    def ucum(self, unit: str | None, context: Context) -> str | None:
        """The UCUM code of a unit as it was spelled; None: unknown."""
        if unit is None:
            return None
        found = self.spellings[context].get(unit)
        return found or self.loosely[context].get(folded(unit))

    def pair(self, observation: Observation, unit: str | None) -> Pair | None:
        """The pair for an observation's unit; None: not in the allow-list."""
        name = named(observation)
        found = self.pairs.get((name, unit or ""))
        if found is None and unit:
            spelled = self.ucum(unit, "laboratory" if observation.kind == "lab_result" else "measurement")
            found = self.pairs.get((name, spelled)) if spelled else None
        return found or self.pairs.get((observation.loinc, unit or ""))

    def canonical(self, name: str) -> dict[str, str]:
        """The canonical units of a name, each with its quantity."""
        return {pair.to: pair.quantity for (of, _), pair in self.pairs.items() if of == name}

    def with_pairs(self, added: Mapping[tuple[str, str], Pair]) -> "Units":
        """The same pairs and these, which win."""
        return Units(self.spellings, self.loosely, {**self.pairs, **added})


def named(observation: Observation) -> str:
    """The name under which pairs and limits stand: the field of a bone density, else the observation's name."""
    return observation.detail if observation.kind == "bone_density" else observation.name


def folded(unit: str) -> str:
    """A unit without regard to case, blanks, raised figures, or how micro is written."""
    loose = unit.translate(_MICRO).casefold()
    return "u" + loose.removeprefix("mc") if loose.startswith(("mcg", "mcmol")) else loose


def packaged() -> Units:
    """The packaged spellings and pairs."""
    spellings: dict[Context, dict[str, str]] = {"laboratory": {}, "dose": {}, "measurement": {}}
    for row in rows(_HERE, "spellings.csv"):
        spellings[cast("Context", row["context"])][row["spelling"]] = row["unit"]
    loosely = {context: _unambiguous(known.items()) for context, known in spellings.items()}
    pairs: dict[tuple[str, str], Pair] = {}
    for row in rows(_HERE, "pairs.csv"):
        pair = Pair(row["to"], row["quantity"], row["reads"], Decimal(row["multiply"]), Decimal(row["divide"]))
        pairs[row["code"] or row["name"], row["unit"]] = pair
    return Units(spellings, loosely, pairs)


def _unambiguous(known: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Folded spellings that stand for one unit only: `M` and `m` are a millionfold apart where both are in use."""
    meanings: dict[str, set[str]] = {}
    for spelling, unit in known:
        meanings.setdefault(folded(spelling), set()).add(unit)
    return {spelling: units.pop() for spelling, units in meanings.items() if len(units) == 1}
