"""A site's own codes and units: one TOML file, judged field by field before a row counts."""

import tomllib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any, Final, get_args

from schemas.terminology.codes import Codes, seen_as_observation
from schemas.terminology.meanings import Drug, Observation, ObservationKind
from schemas.terminology.rows import TableError
from schemas.units.convert import Pair, Units

_TABLES: Final = ("code", "unit")
_MODALITIES: Final = ("MRI", "XR", "DXA", "NM", "CT", "US")
_REGIONS: Final = ("spine", "hip", "pelvis", "other")
_ORDERS: Final = ("bed_rest", "corset", "lumbar_flexion_exercise")
_PROCEDURES: Final = (
    "labour",
    "delivery",
    "neuraxial_anaesthesia",
    "surgery",
    "sterilisation",
    "hysterectomy",
    "pregnancy_test",
)
_SYMPTOMS: Final = ("back_pain", "hip_pain", "groin_pain", "pain")


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the site's file, with the words to name it in an error."""

    place: str
    fields: Mapping[str, Any]

    def refuse(self, field: str, expected: str) -> TableError:
        """The error for a field of this row."""
        return TableError(f"{self.place}, field {field}: expected {expected}")

    def text(self, field: str) -> str:
        """A field that must be text and not empty."""
        value = self.fields.get(field)
        if not isinstance(value, str) or not value.strip():
            raise self.refuse(field, "text that is not empty")
        return value.strip()

    def one_of(self, field: str, accepted: Iterable[str]) -> str:
        """A field that must be one of the accepted words."""
        value, words = self.fields.get(field), tuple(accepted)
        if value not in words:
            raise self.refuse(field, f"one of {', '.join(words)}")
        return str(value)

    def only(self, known: Iterable[str]) -> None:
        """Refuse a field that nobody reads: it is most often a misspelling."""
        for field in self.fields:
            if field not in (words := tuple(known)):
                raise self.refuse(field, f"no such field; the fields are {', '.join(words)}")

    def within(self, field: str) -> "Row":
        """A field that must be a table itself."""
        value = self.fields.get(field)
        if not isinstance(value, dict) or not value:
            raise self.refuse(field, 'a table, e.g. means = { concept = "vertebral_fracture" }')
        return Row(f"{self.place}, field {field}", value)


def added(path: Path, codes: Codes, units: Units) -> tuple[Codes, Units]:
    """The packaged tables with a site's rows, which win.

    Errors: TableError names the file, row and field, and what would be accepted.
    """
    content = _read(path)
    for table in content:
        if table not in _TABLES:
            raise TableError(f"{path.name}, table {table}: expected [[code]] or [[unit]]")
    names = known_names(codes, units)
    for row in _rows(path, content, "code"):
        codes = _with_code(codes, row)
    for row in _rows(path, content, "unit"):
        units = _with_unit(units, names, row)
    return codes, units


def known_names(codes: Codes, units: Units) -> frozenset[str]:
    """Every name that an observation can have and a pair can stand under."""
    return frozenset(name for name, _ in units.pairs) | {each.name for each in codes.observations.exact.values()}


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"), parse_float=Decimal)
    except OSError as error:
        raise TableError(f"{path.name}: cannot be read ({error.strerror}); expected a TOML file") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise TableError(f"{path.name}: expected TOML in UTF-8; {error}") from None


def _rows(path: Path, content: Mapping[str, Any], table: str) -> list[Row]:
    found = content.get(table, [])
    if not isinstance(found, list) or not all(isinstance(each, dict) for each in found):
        raise TableError(f"{path.name}, table {table}: expected rows, each under [[{table}]]")
    return [Row(f"{path.name}, {table} row {number}", fields) for number, fields in enumerate(found, start=1)]


def _with_code(codes: Codes, row: Row) -> Codes:
    row.only(("system", "code", "means", "reason"))
    key = (codes.system(row.text("system")), row.text("code"))
    means = row.within("means")
    kinds = [kind for kind in _READERS if kind in means.fields]
    if len(kinds) != 1:
        raise row.refuse("means", f"exactly one of {', '.join(_READERS)}")
    return _READERS[kinds[0]](codes, means, key)


def _as_observation(codes: Codes, means: Row, key: tuple[str, str]) -> Codes:
    means.only(("kind", "name", "detail", "property"))
    kind: ObservationKind = means.one_of("kind", get_args(ObservationKind))  # type: ignore[assignment]
    if kind == "imaging":
        raise means.refuse("kind", 'imaging as means = { imaging = "MRI/spine" }')
    packaged = {each.name for each in codes.observations.exact.values() if each.kind == kind}
    name = means.one_of("name", _SYMPTOMS if kind == "symptom" else sorted(packaged))
    detail = ""
    if kind == "bone_density":
        detail = means.one_of("detail", ("z_score", "t_score", "density_g_cm2"))
    elif "detail" in means.fields:
        detail = means.one_of("detail", ("self_reported",) if kind == "measurement" else ())
    said = means.text("property") if "property" in means.fields else ""
    meaning = Observation(kind, name, detail, "", said)
    return replace(codes, observations=codes.observations.with_exact({key: meaning}))


def _as_drug(codes: Codes, means: Row, key: tuple[str, str]) -> Codes:
    means.only(("drug",))
    drugs = {drug.name: drug.drug_class for drug in (*codes.drugs.exact.values(), *_branches(codes))}
    name = means.one_of("drug", sorted(drugs))
    return replace(codes, drugs=codes.drugs.with_exact({key: Drug(name, drugs[name])}))


def _branches(codes: Codes) -> list[Drug]:
    return [drug for branches in codes.drugs.prefix.values() for drug in branches.values()]


def _as_concept(codes: Codes, means: Row, key: tuple[str, str]) -> Codes:
    means.only(("concept",))
    concept = means.one_of("concept", sorted(codes.concept_names))
    return replace(codes, conditions=codes.conditions.with_exact({key: (concept,)}))


def _as_procedure(codes: Codes, means: Row, key: tuple[str, str]) -> Codes:
    means.only(("procedure",))
    return replace(codes, procedures=codes.procedures.with_exact({key: means.one_of("procedure", _PROCEDURES)}))


def _as_imaging(codes: Codes, means: Row, key: tuple[str, str]) -> Codes:
    means.only(("imaging",))
    accepted = [f"{modality}/{region}" for modality in _MODALITIES for region in _REGIONS]
    modality, _, region = means.one_of("imaging", accepted).partition("/")
    study = seen_as_observation(modality, region)
    return replace(
        codes,
        imaging=codes.imaging.with_exact({key: (modality, region)}),
        observations=codes.observations.with_exact({key: study}),
    )


def _as_care_order(codes: Codes, means: Row, key: tuple[str, str]) -> Codes:
    means.only(("care_order",))
    return replace(codes, care_orders=codes.care_orders.with_exact({key: means.one_of("care_order", _ORDERS)}))


_READERS: Final[Mapping[str, Callable[[Codes, Row, tuple[str, str]], Codes]]] = {
    "kind": _as_observation,
    "drug": _as_drug,
    "concept": _as_concept,
    "procedure": _as_procedure,
    "imaging": _as_imaging,
    "care_order": _as_care_order,
}


def _with_unit(units: Units, names: frozenset[str], row: Row) -> Units:
    row.only(("analyte", "unit", "factor", "to", "reason"))
    row.text("reason")
    analyte = row.one_of("analyte", sorted(name for name in names if units.canonical(name)))
    canonical = units.canonical(analyte)
    to = row.one_of("to", sorted(canonical))
    quantity = canonical[to]
    pair = Pair(to, quantity, quantity, _factor(row), Decimal(1))
    return units.with_pairs({(analyte, row.text("unit")): pair})


def _factor(row: Row) -> Decimal:
    value = row.fields.get("factor")
    try:
        factor = Decimal(str(value)) if isinstance(value, str | int | Decimal) and not isinstance(value, bool) else None
    except InvalidOperation:
        factor = None
    if factor is None or not factor.is_finite() or factor <= 0:
        raise row.refuse("factor", "a number above 0, e.g. 1000 or 0.001")
    return factor
