"""Published limits of laboratory values by phase, each with its source and flag.

Rows of one analyte and phase differ by assay; rules that need one figure take the highest upper limit.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from schemas.terminology.meanings import Measured, Observation
from schemas.terminology.rows import number, rows
from schemas.units.convert import Units

_TOO_FAR: Final = 100  # reads as a value about a thousandfold off, the usual confusion of ng/mL with ng/L
_PREMENOPAUSAL: Final = "premenopausal"


@dataclass(frozen=True, slots=True)
class Limit:
    """One published interval, in the canonical unit of its quantity; None where one side was not given."""

    analyte: str
    phase: str
    low: Decimal | None
    high: Decimal | None
    unit: str
    quantity: str
    assay: str
    source: str
    flag: str


@dataclass(frozen=True, slots=True)
class Limits:
    """Every published interval, and per (analyte, quantity) how far a value may lie outside."""

    published: tuple[Limit, ...]
    by_phase: Mapping[tuple[str, str], tuple[Limit, ...]]
    plausible_range: Mapping[tuple[str, str], tuple[Decimal, Decimal]]

    def high(self, analyte: str, phase: str) -> Limit | None:
        """The interval of a phase with the highest upper limit."""
        known = [limit for limit in self.by_phase.get((analyte, phase), ()) if limit.high is not None]
        return max(known, key=lambda limit: limit.high or Decimal(0), default=None)

    def low(self, analyte: str, phase: str) -> Limit | None:
        """The interval of a phase with the lowest lower limit."""
        known = [limit for limit in self.by_phase.get((analyte, phase), ()) if limit.low is not None]
        return min(known, key=lambda limit: limit.low or Decimal(0), default=None)

    def plausible(self, observation: Observation, measured: Measured) -> bool:
        """False where a result lies a hundredfold outside, or a measurement outside; True where nothing is known."""
        bounds = self.plausible_range.get((observation.name, measured.quantity))
        return bounds is None or bounds[0] <= measured.value <= bounds[1]


def packaged(units: Units) -> Limits:
    """The packaged intervals, in canonical units."""
    published = tuple(_limit(row, units) for row in rows("schemas.units", "markers.csv"))
    by_phase: dict[tuple[str, str], tuple[Limit, ...]] = {}
    by_quantity: dict[tuple[str, str], tuple[Limit, ...]] = {}
    for limit in published:
        phase, quantity = (limit.analyte, limit.phase), (limit.analyte, limit.quantity)
        by_phase[phase] = (*by_phase.get(phase, ()), limit)
        by_quantity[quantity] = (*by_quantity.get(quantity, ()), limit)
    ranges = {key: bounds for key, limits in by_quantity.items() if (bounds := _plausible_range(limits)) is not None}
    return Limits(published, by_phase, ranges | dict(_measurements(units)))


def _measurements(units: Units) -> Iterator[tuple[tuple[str, str], tuple[Decimal, Decimal]]]:
    """How small and how large a height, a weight or a body mass index may be."""
    for row in rows("schemas.units", "measurements.csv"):
        pair, low, high = units.pairs[row["measure"], row["unit"]], number(row["low"]), number(row["high"])
        if low is not None and high is not None:
            yield (row["measure"], pair.quantity), (pair.measure(low, "").value, pair.measure(high, "").value)


def _limit(row: Mapping[str, str], units: Units) -> Limit:
    pair = units.pairs.get((row["analyte"], row["unit"]))
    low, high = number(row["low"]), number(row["high"])
    if pair is None:  # OC_NMID is published for an assay that no code tells apart
        return Limit(row["analyte"], row["phase"], low, high, row["unit"], "", row["assay"], row["source"], row["flag"])
    return Limit(
        row["analyte"],
        row["phase"],
        None if low is None else pair.measure(low, "").value,
        None if high is None else pair.measure(high, "").value,
        pair.to,
        pair.quantity,
        row["assay"],
        row["source"],
        row["flag"],
    )


def _plausible_range(limits: Iterable[Limit]) -> tuple[Decimal, Decimal] | None:
    """A hundredth of the lowest and a hundred times the highest limit.

    Markers are judged by their widest premenopausal interval, the others by all phases of their table.
    """
    whole = [(limit.low, limit.high, limit.phase) for limit in limits]
    premenopausal = [
        (low, high) for low, high, phase in whole if phase == _PREMENOPAUSAL and low is not None and high is not None
    ]
    if premenopausal:
        low, high = max(premenopausal, key=lambda interval: interval[1] - interval[0])
        return low / _TOO_FAR, high * _TOO_FAR
    lows = [low for low, _, _ in whole if low is not None]
    highs = [high for _, high, _ in whole if high is not None]
    return (min(lows) / _TOO_FAR, max(highs) * _TOO_FAR) if lows and highs else None
