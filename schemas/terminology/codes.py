"""The index of every code: one dictionary look-up for an exact code, a few for a code matched by its beginning."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from types import MappingProxyType
from typing import Any, Final, cast

from schemas.terminology.icd import Icd, classification
from schemas.terminology.meanings import Drug, Match, Observation, Product
from schemas.terminology.rows import number, rows

LOINC: Final = "http://loinc.org"
RXNORM: Final = "http://www.nlm.nih.gov/research/umls/rxnorm"
ATC: Final = "http://www.whocc.no/atc"
SNOMED_CT: Final = "http://snomed.info/sct"
ICD_10_CM: Final = "http://hl7.org/fhir/sid/icd-10-cm"
ICD_10: Final = "http://hl7.org/fhir/sid/icd-10"

_HERE: Final = "schemas.terminology"

Key = tuple[str, str]


def folded(name: str) -> str:
    """A system's name as it is looked up: without `urn:oid:`, a closing slash, or regard to case."""
    return name.strip().removeprefix("urn:oid:").rstrip("/").casefold()


@dataclass(frozen=True, slots=True)
class ByCode[Meaning]:
    """Meanings of one kind by (system, code), and of whole branches by the beginning of a code."""

    exact: Mapping[Key, Meaning]
    prefix: Mapping[Key, Meaning]

    def get(self, system: str, code: str) -> Meaning | None:
        """The meaning of a code, else of the longest beginning that a row names."""
        found = self.exact.get((system, code))
        if found is None and self.prefix:
            for length in range(len(code), 0, -1):
                found = self.prefix.get((system, code[:length]))
                if found is not None:
                    break
        return found
