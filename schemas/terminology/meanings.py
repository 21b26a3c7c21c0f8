"""The plain values that codes and units turn into."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

ObservationKind = Literal["lab_result", "measurement", "bone_density", "symptom", "pregnancy", "lactation", "imaging"]
Match = Literal["exact", "prefix"]
Context = Literal["laboratory", "dose", "measurement"]


@dataclass(frozen=True, slots=True)
class Observation:
    """What an observation code (LOINC or local) speaks of.

    `name` is the analyte (lab_result: `CTX`, `25OHD`, `Ca_total` ...), the measure, the site of a bone density,
    the symptom, or for pregnancy and lactation the field that the value fills; `detail` is, for bone_density,
    the field (`z_score`, `t_score`, `density_g_cm2`), for imaging `MODALITY/region`, for a measurement
    `self_reported` where the code says so.
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

    `quantity` is `mass`, `molar`, `arbitrary`, `activity`, `mass ratio`, `score`, `length` ...: values of different
    quantities are never compared. `mismatch` is True where the LOINC property says another quantity than the unit.
    """

    value: Decimal
    unit: str
    quantity: str
    mismatch: bool = False
