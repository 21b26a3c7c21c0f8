"""The index of every code: one dictionary look-up for an exact code, a few for a code matched by its beginning."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Generic, TypeVar, cast

from schemas.terminology.icd import Classification, Concepts, Icd, classification
from schemas.terminology.meanings import Drug, Match, Observation, ObservationKind, Product
from schemas.terminology.rows import number, rows

LOINC: Final = "http://loinc.org"
RXNORM: Final = "http://www.nlm.nih.gov/research/umls/rxnorm"
ATC: Final = "http://www.whocc.no/atc"
SNOMED_CT: Final = "http://snomed.info/sct"
ICD_10_CM: Final = "http://hl7.org/fhir/sid/icd-10-cm"
ICD_10: Final = "http://hl7.org/fhir/sid/icd-10"

_HERE: Final = "schemas.terminology"

Meaning = TypeVar("Meaning")


def folded(name: str) -> str:
    """A system's name as it is looked up: without `urn:oid:`, a closing slash, or regard to case."""
    return name.strip().casefold().removeprefix("urn:oid:").rstrip("/")


@dataclass(frozen=True, slots=True)
class ByCode(Generic[Meaning]):
    """Meanings of one kind by (system, code), and of whole branches by system and the beginning of a code."""

    exact: Mapping[tuple[str, str], Meaning]
    prefix: Mapping[str, Mapping[str, Meaning]]

    def get(self, system: str, code: str) -> Meaning | None:
        """The meaning of a code, else of the longest beginning that a row names."""
        found = self.exact.get((system, code))
        if found is None and system in self.prefix:
            branches = self.prefix[system]
            for length in range(len(code), 0, -1):
                if code[:length] in branches:
                    return branches[code[:length]]
        return found

    def with_exact(self, added: Mapping[tuple[str, str], Meaning]) -> "ByCode[Meaning]":
        """The same rows and these, which win."""
        return ByCode({**self.exact, **added}, self.prefix)


@dataclass(frozen=True, slots=True)
class Codes:
    """Everything that a code can mean, by kind of record."""

    systems: Mapping[str, str]
    observations: ByCode[Observation]
    drugs: ByCode[Drug]
    conditions: ByCode[Concepts]
    icd: Icd
    procedures: ByCode[str]
    imaging: ByCode[tuple[str, str]]
    care_orders: ByCode[str]
    concept_names: frozenset[str]

    def system(self, name: str) -> str:
        """The URI of a system, or the name as it is."""
        return self.systems.get(name) or self.systems.get(folded(name), name)

    def concepts(self, system: str, code: str) -> Concepts:
        """The concepts of a condition's code."""
        uri = self.system(system)
        local = self.conditions.get(uri, code)
        if local is None and uri in (ICD_10_CM, ICD_10):
            return self.icd.concepts(code, clinical_modification=uri == ICD_10_CM)
        return local or ()


def by_code(found: Iterable[tuple[str, str, Match, Meaning]]) -> ByCode[Meaning]:
    """Index (system, code, match, meaning) rows."""
    exact: dict[tuple[str, str], Meaning] = {}
    prefix: dict[str, dict[str, Meaning]] = {}
    for system, code, match, meaning in found:
        if match == "exact":
            exact[system, code] = meaning
        else:
            prefix.setdefault(system, {})[code] = meaning
    return ByCode(exact, prefix)


def packaged() -> Codes:
    """The index of the packaged rows."""
    systems = {row["name"]: row["uri"] for row in rows(_HERE, "systems.csv")}
    systems.update({folded(name): uri for name, uri in systems.items()})
    imaging = by_code(
        (systems[row["system"]], row["code"], "exact", (row["modality"], row["region"]))
        for row in rows(_HERE, "imaging.csv")
    )
    conditions = list(rows(_HERE, "conditions.csv"))
    follow_up = {row["concept"]: row["follow_up"] for row in rows(_HERE, "concepts.csv")}
    return Codes(
        systems=systems,
        observations=_observations(systems, imaging),
        drugs=_drugs(systems),
        conditions=_conditions(systems, conditions),
        icd=_icd(conditions, {concept: follows for concept, follows in follow_up.items() if follows}),
        procedures=_words(systems, "procedures.csv", "procedure"),
        imaging=imaging,
        care_orders=_words(systems, "care_orders.csv", "order"),
        concept_names=frozenset({*follow_up, *follow_up.values()} - {""}),
    )


def seen_as_observation(modality: str, region: str, loinc: str = "") -> Observation:
    """An imaging study's code where an observation's code is expected."""
    return Observation("imaging", "study", f"{modality}/{region}", loinc)


def _observations(systems: Mapping[str, str], imaging: ByCode[tuple[str, str]]) -> ByCode[Observation]:
    studies = {
        (system, code): seen_as_observation(modality, region, code if system == LOINC else "")
        for (system, code), (modality, region) in imaging.exact.items()
    }
    named = by_code(
        (
            systems[row["system"]],
            row["code"],
            "exact",
            Observation(cast("ObservationKind", row["kind"]), row["name"], row["detail"], row["code"], row["property"]),
        )
        for row in rows(_HERE, "observations.csv")
    )
    return ByCode({**studies, **named.exact}, {})


def _drugs(systems: Mapping[str, str]) -> ByCode[Drug]:
    drugs = {row["name"]: Drug(row["name"], row["drug_class"]) for row in rows(_HERE, "drugs.csv")}
    coded = by_code(
        (systems[row["system"]], row["code"], _match(row), drugs[row["drug"]]) for row in rows(_HERE, "drug_codes.csv")
    )
    products = {
        (systems[row["system"]], row["code"]): Drug(row["drug"], drugs[row["drug"]].drug_class, _product(row))
        for row in rows(_HERE, "products.csv")
    }
    return coded.with_exact(products)


def _product(row: Mapping[str, str]) -> Product:
    return Product(number(row["total"]), number(row["per_ml"]), number(row["volume_ml"]), row["unit"])


def _conditions(systems: Mapping[str, str], found: list[dict[str, str]]) -> ByCode[Concepts]:
    gathered: dict[tuple[str, str], set[str]] = {}
    for row in found:
        if row["system"] not in ("I10", "I10C"):
            gathered.setdefault((systems[row["system"]], row["code"]), set()).add(row["concept"])
    return ByCode({key: tuple(sorted(concepts)) for key, concepts in gathered.items()}, {})


def _icd(found: list[dict[str, str]], follow_up: Mapping[str, str]) -> Icd:
    def of(system: str) -> Classification:
        return classification([(row["code"], _match(row), row["concept"]) for row in found if row["system"] == system])

    return Icd(of("I10C"), of("I10"), follow_up)


def _words(systems: Mapping[str, str], name: str, column: str) -> ByCode[str]:
    return by_code((systems[row["system"]], row["code"], _match(row), row[column]) for row in rows(_HERE, name))


def _match(row: Mapping[str, str]) -> Match:
    return cast("Match", row["match"])
