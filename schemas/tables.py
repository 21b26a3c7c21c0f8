"""The code and unit tables as one value: what a code means and what a number with a unit is worth.

A site adds its own codes and units in a file of its own (see docs/tables.md); the packaged rows stay as they are.
"""

from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Literal

ObservationKind = Literal["lab_result", "measurement", "bone_density", "symptom", "pregnancy", "lactation", "imaging"]


@dataclass(frozen=True, slots=True)
class Observation:
    """What an observation code (LOINC or local) speaks of.

    `name` is the analyte (lab_result: `CTX`, `25OHD`, `Ca_total` ...), the measure, the site of a bone density,
    the symptom, or for pregnancy and lactation the field that the value fills; `detail` is, for bone_density,
    the field (`z_score`, `t_score`, `density_g_cm2`), for imaging `MODALITY/region`.
    `property` is the LOINC property in words (`Mass/volume`, `Moles/volume`, ...), "" where unknown.
    """

    kind: ObservationKind
    name: str
    detail: str = ""
    loinc: str = ""
    property: str = ""


@dataclass(frozen=True, slots=True)
class Product:
    """A packaged drug product. `total` per piece and `per_ml` in `unit` ([IU] or mg); None where not known."""

    total: Decimal | None
    per_ml: Decimal | None
    volume_ml: Decimal | None
    unit: str


@dataclass(frozen=True, slots=True)
class Drug:
    """A drug: its ingredient's name, the class that rules read (`heparin_ufh`, `lmwh`, `bisphosphonate` ...)."""

    name: str
    drug_class: str
    product: Product | None = None


@dataclass(frozen=True, slots=True)
class Measured:
    """A number in the canonical unit of its quantity kind.

    `quantity` is `mass`, `molar`, `arbitrary`, `activity`, `ratio`, `fraction`, `length` ...: values of different
    quantities are never compared. `mismatch` is True where the LOINC property says another quantity than the unit.
    """

    value: Decimal
    unit: str
    quantity: str
    mismatch: bool = False


class Tables:
    """The packaged tables, and a site's additions."""

    @classmethod
    def load(cls, local: Path | None = None) -> "Tables":
        """Read the packaged rows, then the site's file (TOML).

        Errors: TableError names the file, row and field, and what would be accepted.
        """
        raise NotImplementedError

    def system(self, name: str) -> str:
        """The FHIR URI of a code system, given its URI, OID or HL7 table 0396 name; an unknown name as it is."""
        raise NotImplementedError

    def observation(self, system: str, code: str) -> Observation | None:
        """What an observation code speaks of; None: unmapped."""
        raise NotImplementedError

    def drug(self, system: str, code: str) -> Drug | None:
        """The drug of an RxNorm, ATC or local code; None: unmapped."""
        raise NotImplementedError

    def concepts(self, system: str, code: str) -> tuple[str, ...]:
        """The clinical concepts (snake_case words, sorted) that a condition code means; empty: unmapped."""
        raise NotImplementedError

    def procedure(self, system: str, code: str) -> str | None:
        """labour, delivery, neuraxial_anaesthesia, surgery, sterilisation, hysterectomy or pregnancy_test ..., or None."""
        raise NotImplementedError

    def imaging(self, system: str, code: str) -> tuple[str, str] | None:
        """(modality, region) of an imaging study's code, or None."""
        raise NotImplementedError

    def care_order(self, system: str, code: str) -> str | None:
        """bed_rest, corset or lumbar_flexion_exercise, or None."""
        raise NotImplementedError

    def measure(self, observation: Observation, value: Decimal, unit: str | None) -> Measured | None:
        """The value in the canonical unit of its quantity; None where (code, unit) is in no table."""
        raise NotImplementedError

    def unit(self, unit: str | None, context: Literal["laboratory", "dose", "measurement"]) -> str | None:
        """The UCUM code of a unit as it was spelled (`iu`, `UNT`, `units`, `mIU/L`); None: unknown. `U` in a dose is [IU]."""
        raise NotImplementedError

    def plausible(self, observation: Observation, measured: Measured) -> bool:
        """False where the value is < 1/100 of the lowest or > 100 times the highest published limit (data rule DQ-04)."""
        raise NotImplementedError
