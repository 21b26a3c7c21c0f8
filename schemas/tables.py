"""The code and unit tables as one value: what a code means and what a number with a unit is worth.

A site adds its own codes and units in a file of its own (see docs/tables.md); the packaged rows stay as they are.
"""

from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Final

from schemas import reference
from schemas.reference import Limit, Limits
from schemas.terminology import codes
from schemas.terminology.codes import Codes
from schemas.terminology.local import added
from schemas.terminology.meanings import Context, Drug, Measured, Observation, ObservationKind, Product
from schemas.terminology.rows import TableError, number, rows
from schemas.units import convert
from schemas.units.convert import Units

__all__ = ["Drug", "Limit", "Measured", "Observation", "ObservationKind", "Product", "TableError", "Tables"]

_ONE_MG: Final = Decimal(1)
_DRUGS: Final = ("schemas.terminology", "drugs.csv")


@dataclass(frozen=True, slots=True)
class Tables:
    """The packaged tables, and a site's additions."""

    codes: Codes
    units: Units
    limits: Limits
    equivalents: dict[str, tuple[Decimal, Decimal]]

    @classmethod
    def load(cls, local: Path | None = None) -> "Tables":
        """Read the packaged rows, then the site's file (TOML).

        Errors: TableError names the file, row and field, and what would be accepted.
        """
        known, units = codes.packaged(), convert.packaged()
        limits = reference.packaged(units)
        if local is not None:
            known, units = added(local, known, units)
        return cls(known, units, limits, _equivalents())

    def system(self, name: str) -> str:
        """The FHIR URI of a code system, given its URI, OID or HL7 table 0396 name; an unknown name as it is."""
        return self.codes.system(name)

    def observation(self, system: str, code: str) -> Observation | None:
        """What an observation code speaks of; None: unmapped.

        Names: `25OHD` is the sum of D2 and D3, `25OHD3` and `25OHD2` are each alone. A pain score whose code names no
        site is the symptom `pain`: the site is for whoever knows the order or the body-site field to say.
        """
        return self.codes.observations.get(self.codes.system(system), code)

    def drug(self, system: str, code: str) -> Drug | None:
        """The drug of an RxNorm, ATC or local code; None: unmapped.

        An ATC code that no row names is read by its class where a row names that: M01A.... is an `nsaid`.
        """
        return self.codes.drugs.get(self.codes.system(system), code)

    def prednisone_equivalent(self, drug_name: str, milligrams: Decimal = _ONE_MG) -> Decimal | None:
        """Milligrams of prednisone that a dose of a glucocorticoid stands for; None: no equivalent is known.

        Units: mg to mg. One division, last, so that 0.3 mg of betamethasone are 2.5 mg and not 2.4999.
        """
        equivalent = self.equivalents.get(drug_name)
        return None if equivalent is None else milligrams * equivalent[0] / equivalent[1]

    def concepts(self, system: str, code: str) -> tuple[str, ...]:
        """The clinical concepts (snake_case words, sorted) that a condition code means; empty: unmapped.

        ICD codes match by prefix, with or without the dot, and ICD-10 and ICD-10-CM are asked alike, as feeds label
        one as the other. A seventh character of follow-up or sequela (D, G, K, P, S ...) speaks of an earlier
        fracture: `vertebral_fracture_follow_up` stands then in the place of `vertebral_fracture`.
        """
        return self.codes.concepts(system, code)

    def procedure(self, system: str, code: str) -> str | None:
        """labour, delivery, neuraxial_anaesthesia, surgery, sterilisation, hysterectomy or pregnancy_test, or None.

        A caesarean with sterilisation or hysterectomy is the latter: both are surgery as well.
        """
        return self.codes.procedures.get(self.codes.system(system), code)

    def imaging(self, system: str, code: str) -> tuple[str, str] | None:
        """(modality, region) of an imaging study's code, or None."""
        return self.codes.imaging.get(self.codes.system(system), code)

    def care_order(self, system: str, code: str) -> str | None:
        """bed_rest, corset or lumbar_flexion_exercise, or None."""
        return self.codes.care_orders.get(self.codes.system(system), code)

    def measure(self, observation: Observation, value: Decimal, unit: str | None) -> Measured | None:
        """The value in the canonical unit of its quantity; None where (code, unit) is in no table."""
        pair = self.units.pair(observation, unit)
        return None if pair is None else pair.measure(value, observation.property)

    def unit(self, unit: str | None, context: Context) -> str | None:
        """The UCUM code of a unit as it was spelled (`iu`, `UNT`, `units`, `mIU/L`); None: unknown.

        `U` in a dose is [IU]; in a laboratory `U/L` is the enzyme unit.
        """
        return self.units.ucum(unit, context)

    def plausible(self, observation: Observation, measured: Measured) -> bool:
        """False where the value is < 1/100 of the lowest or > 100 times the highest published limit (rule DQ-04)."""
        return self.limits.plausible(observation, measured)

    def premenopausal_high(self, analyte: str) -> Decimal | None:
        """The highest published premenopausal upper limit, in the canonical unit; None: none is published."""
        return self.phase_high(analyte, "premenopausal")

    def phase_high(self, analyte: str, phase: str) -> Decimal | None:
        """The upper limit of a phase (`T1`, `T2`, `T3`, `lactation`, `nonpregnant`); None: none is published."""
        limit = self.limits.high(analyte, phase)
        return None if limit is None else limit.high

    def phase_low(self, analyte: str, phase: str) -> Decimal | None:
        """The lower limit of a phase; None: none is published."""
        limit = self.limits.low(analyte, phase)
        return None if limit is None else limit.low


def _equivalents() -> dict[str, tuple[Decimal, Decimal]]:
    found = ((row["name"], number(row["prednisone_mg"]), number(row["per_mg"])) for row in rows(*_DRUGS))
    return {name: (prednisone, per) for name, prednisone, per in found if prednisone is not None and per is not None}
