"""Measurements, bone density, pain and imaging, each from an Observation."""

from decimal import Decimal
from typing import Final

from schemas import events
from streams.intake.fhir.codes import side, structures
from streams.intake.fhir.findings import findings
from streams.intake.fhir.measured import Reading, reading
from streams.intake.fhir.references import address
from streams.intake.fhir.said import Events, Said, name_of


def measurement(said: Said) -> Events:
    """Height, weight or body mass index."""
    value = number_of(said)
    if value.unit is None:
        raise said.entry.refused("no unit; expected a UCUM code", "valueQuantity.unit")
    told = said.meaning is not None and said.meaning.detail == "self_reported"
    return (
        said.event(
            events.Measurement,
            measure=said.meaning.name if said.meaning else "",
            value=value.number,
            unit=value.unit,
            self_reported=True if told or _by_the_patient(said) else None,
            device=name_of(said, said.observation.device, "Device"),
            observed_at=said.when(),
            record_status=said.record_status,
        ),
    )


def _by_the_patient(said: Said) -> bool:
    found = (address(each.reference or "") for each in said.observation.performer)
    return any(where is not None and where.type == "Patient" for where in found)


def number_of(said: Said) -> Reading:
    """The number of a kind that knows no comparator.

    Errors: NotTranslatableError for text and for `<5`.
    """
    value = reading(said.given)
    if value is None or value.number is None:
        raise said.entry.refused("no number; expected a Quantity", "valueQuantity")
    if value.comparator is not None:
        raise said.entry.refused("a bound is no measurement; expected a Quantity without comparator", "valueQuantity")
    return value


def bone_density(said: Said) -> Events:
    """One DXA value; a density is told in g/cm2, whatever unit the tables convert it from."""
    site, field = (said.meaning.name, said.meaning.detail) if said.meaning else ("other", "")
    value = number_of(said)
    number = _density(said, value) if field == "density_g_cm2" else value.number
    return (
        said.event(
            events.BoneDensity,
            site=_narrower(said, site),
            performed_at=said.when(),
            record_status=said.record_status,
            **{field: number},
        ),
    )


_BONE_SITES: Final = {"29627003": "femoral_neck", "122496007": "lumbar_spine"}


def _narrower(said: Said, site: str) -> str:
    """The body site, where the code leaves it open."""
    within = structures(said.observation.body_site)
    return (
        site if site != "other" else next((_BONE_SITES[each] for each in sorted(within) if each in _BONE_SITES), site)
    )


_DENSITY_UNITS: Final = frozenset({"g/cm2", "g/cm^2", "g/cm²", "g/cm-2", "g.cm-2"})


def _density(said: Said, value: Reading) -> Decimal | None:
    written = said.given.value_quantity.unit if said.given.value_quantity else None
    if {value.unit, written} & _DENSITY_UNITS or said.meaning is None or value.number is None:
        return value.number
    measured = said.entry.document.tables.measure(said.meaning, value.number, value.unit)
    if measured is None or measured.unit not in _DENSITY_UNITS:
        raise said.entry.refused("unknown unit of a bone density; accepted is g/cm2", "valueQuantity.unit")
    return measured.value


_PAIN_SITES: Final = {
    "77568009": "back_pain",
    "123961009": "back_pain",
    "52612000": "back_pain",
    "37822005": "back_pain",
    "29836001": "hip_pain",
    "24136001": "hip_pain",
    "26893007": "groin_pain",
}
"""SNOMED CT body structures: back, lumbar region, hip, hip joint, inguinal region."""
_SYMPTOMS: Final = frozenset({"back_pain", "hip_pain", "groin_pain"})


def symptom(said: Said) -> Events:
    """A report of pain, where its site is said; a bare pain score belongs to no site and is counted."""
    where = said.observation.body_site
    named_site = said.meaning.name if said.meaning else ""
    sites = structures(where)
    kind = (
        named_site
        if named_site in _SYMPTOMS
        else next((_PAIN_SITES[s] for s in sorted(sites) if s in _PAIN_SITES), None)
    )
    if kind is None:
        return said.entry.document.count("pain_without_site")
    return (
        said.event(
            events.Symptom,
            symptom=kind,
            score=number_of(said).number,
            side=side([where]),
            observed_at=said.when(),
            record_status=said.record_status,
        ),
    )


def imaging(said: Said) -> Events:
    """An imaging observation: what was found, where its value is coded."""
    modality, _, region = (said.meaning.detail or said.meaning.name if said.meaning else "").partition("/")
    return (
        said.event(
            events.Imaging,
            status=_IMAGING_STATUSES.get(said.status, said.status),
            modality=modality,
            region=region,
            performed_at=said.when(),
            findings=findings(
                [said.given.value_codeable_concept], said.observation.body_site, said.entry.document.tables
            ),
        ),
    )


_IMAGING_STATUSES: Final = {"preliminary": "performed", "corrected": "final"}
