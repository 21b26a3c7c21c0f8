"""Observation: the code decides the kind; each component is a record of its own, `Observation/ID#code`.

Unmapped codes are laboratory results where the category says so, or where a Quantity stands under a LOINC code and no
category says otherwise; else they are counted. A panel (`hasMember`) and an absent value carry nothing.
Source: http://hl7.org/fhir/R4/observation.html
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Final

from schemas.events import AnyEvent
from streams.intake.fhir.bedside import bone_density, imaging, measurement, symptom
from streams.intake.fhir.codes import LOINC, codes_of, mapped, whole
from streams.intake.fhir.datatypes import CodeableConcept, Coding
from streams.intake.fhir.identity import patient_of
from streams.intake.fhir.laboratory import lab_result
from streams.intake.fhir.maternal import lactation, pregnancy
from streams.intake.fhir.measured import reading
from streams.intake.fhir.reading import Entry, NotTranslatableError
from streams.intake.fhir.resources import Component, Observation
from streams.intake.fhir.said import STATUSES, WITHDRAWN, Said
from streams.intake.fhir.specimens import drawn

_LABORATORY: Final = frozenset({"laboratory", "LAB"})


def observation_events(entry: Entry) -> tuple[AnyEvent, ...]:
    """The events of an Observation and of its components."""
    seen = entry.read(Observation)
    if seen.status == "registered":
        return entry.document.ignore("Observation registered")
    status = STATUSES.get(seen.status or "")
    if status is None:
        raise entry.refused(f"unknown status; accepted are registered, {', '.join(STATUSES)}", "status")
    statements = _statements(entry, seen, status)
    return tuple(event for said in statements for event in _told(said))


def _statements(entry: Entry, seen: Observation, status: str) -> tuple[Said, ...]:
    patient_id = patient_of(entry, seen.subject)
    if patient_id is None:
        return ()
    effective, specimen = _effective(entry, seen), drawn(entry, seen.specimen)
    issued = entry.at(seen.issued, "issued")
    recorded = entry.recorded_at(effective, specimen.at, issued=issued, revised=status not in {"final", "preliminary"})
    fasting = next((said for each in seen.component if (said := _fasting(each)) is not None), None)
    whole_one = Said(entry, seen, seen, Coding(), None, "", status, patient_id, recorded, effective, specimen, fasting)
    return tuple(_coded(each) for each in (whole_one, *_components(whole_one)))


def _components(said: Said) -> tuple[Said, ...]:
    """A component without a code is its place; two of the same code are told apart by it."""
    names: list[str] = []
    for i, each in enumerate(said.observation.component):
        code = next((coding.code for coding in whole(each.code)), None) or str(i)
        names.append(f"#{code}" if f"#{code}" not in names else f"#{code}-{i}")
    given = zip(said.observation.component, names, strict=True)
    return tuple(replace(said, given=each, part=name) for each, name in given)


def _coded(said: Said) -> Said:
    tables = said.entry.document.tables
    found = mapped(said.given.code, tables, tables.observation)
    if found is not None:
        return replace(said, coding=found[0], meaning=found[1])
    codings = whole(said.given.code)
    loinc = next((each for each in codings if each.system == LOINC), codings[0] if codings else Coding())
    return replace(said, coding=loinc)


def _effective(entry: Entry, seen: Observation) -> datetime | None:
    period = seen.effective_period
    return (
        entry.at(seen.effective_date_time, "effectiveDateTime")
        or entry.at(period.start if period else None, "effectivePeriod.start")
        or entry.at(seen.effective_instant, "effectiveInstant")
    )


def _told(said: Said) -> tuple[AnyEvent, ...]:
    if said.status in WITHDRAWN and (taken_back := said.entry.withdrawn(said.status, said.recorded_at, said.part)):
        return taken_back
    if said.status not in WITHDRAWN and (silent := _silence(said)):
        return _without_value(said, silent)
    return _stripped(said) if said.status in WITHDRAWN else _by_kind(said)


def _without_value(said: Said, silent: str) -> tuple[AnyEvent, ...]:
    """No event; a correction that leaves no value takes the value back that was told."""
    if silent != _CONTAINER:
        said.entry.document.count(silent)
    return said.entry.withdrawn("cancelled", said.recorded_at, said.part) if said.status == "corrected" else ()


def _stripped(said: Said) -> tuple[AnyEvent, ...]:
    """A retraction of what was never told; stripped of its content as well it is counted only."""
    try:
        return _by_kind(said)
    except NotTranslatableError:
        return said.entry.document.count("retraction_of_unknown")


_CONTAINER: Final = "container"
_FASTING_STATUS: Final = "49541-6"
_YES_NO: Final = {"LA33-6": True, "LA32-8": False}


def _silence(said: Said) -> str | None:
    """Why a statement carries nothing: its value is absent, it is a panel or there is none."""
    if any(each.code == _FASTING_STATUS for each in whole(said.given.code)):
        return _CONTAINER
    if reading(said.given) is not None:
        return None
    if said.given.data_absent_reason is not None:
        return "data_absent"
    is_panel = not said.part and (said.observation.component or "hasMember" in said.entry.content)
    return _CONTAINER if is_panel else "no_value"


def _fasting(component: Component) -> bool | None:
    """LOINC 49541-6, fasting status, answered yes or no."""
    if not any(each.code == _FASTING_STATUS for each in whole(component.code)):
        return None
    answers = codes_of([component.value_codeable_concept or CodeableConcept()])
    return next((_YES_NO[each] for each in sorted(answers) if each in _YES_NO), None)


def _by_kind(said: Said) -> tuple[AnyEvent, ...]:
    if said.meaning is not None:
        return _BY_KIND[said.meaning.kind](said)
    said.entry.document.count("unmapped_code")
    return lab_result(said) if _is_laboratory(said) else ()


_BY_KIND: Final[Mapping[str, Callable[[Said], tuple[AnyEvent, ...]]]] = {
    "lab_result": lab_result,
    "measurement": measurement,
    "bone_density": bone_density,
    "symptom": symptom,
    "pregnancy": pregnancy,
    "lactation": lactation,
    "imaging": imaging,
}


def _is_laboratory(said: Said) -> bool:
    if not said.coding.code:
        return False
    categories = codes_of(said.observation.category)
    if categories & _LABORATORY:
        return True
    return not categories and said.given.value_quantity is not None and said.coding.system == LOINC
