"""Observation: the code decides the kind; each component is a record of its own, `Observation/ID#code`.

Unmapped codes are laboratory results where the category says so, or where a Quantity stands under a LOINC code and no
category says otherwise; else they are counted. A panel (`hasMember`) and an absent value carry nothing.
Source: http://hl7.org/fhir/R4/observation.html
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from schemas.events import AnyEvent
from schemas.tables import Observation as Meaning
from streams.intake.fhir.bedside import bone_density, imaging, measurement, symptom
from streams.intake.fhir.codes import LOINC, codes_of, mapped, whole
from streams.intake.fhir.datatypes import CodeableConcept, Coding
from streams.intake.fhir.identity import patient_of
from streams.intake.fhir.laboratory import lab_result
from streams.intake.fhir.maternal import lactation, pregnancy
from streams.intake.fhir.measured import reading
from streams.intake.fhir.reading import WITHDRAWN, Entry, NotTranslatableError
from streams.intake.fhir.resources import Component, Observation
from streams.intake.fhir.said import STATUSES, Said
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
    spoken = _spoken(entry, seen, status)
    return tuple(event for said in _statements(entry, seen, status, spoken) for event in _told(said))


@dataclass(frozen=True, slots=True)
class _Spoken:
    """A value with its code: what is known before anybody asks of whom and of when it is."""

    given: Component
    part: str
    coding: Coding
    meaning: Meaning | None
    silence: str | None


def _spoken(entry: Entry, seen: Observation, status: str) -> list[_Spoken]:
    """The values that matter to somebody; the others are counted, and need neither a patient nor a time."""
    tables, kept = entry.document.tables, []
    for given, part in ((seen, ""), *_components(seen)):
        found = mapped(given.code, tables, tables.observation)
        coding = found[0] if found else _usual(whole(given.code))
        silence = None if status in WITHDRAWN else _silence(entry, given, part)
        spoken = _Spoken(given, part, coding, found[1] if found else None, silence)
        if silence == _CONTAINER:
            if not part:
                entry.document.ignore("Observation panel")
            continue
        if spoken.meaning is None:
            entry.document.count("unmapped_code")
        if spoken.meaning is not None or _is_laboratory(seen, spoken):
            kept.append(spoken)
    return kept


def _components(seen: Observation) -> Iterator[tuple[Component, str]]:
    """A component without a code is its place; two of the same code are told apart by it."""
    names: set[str] = set()
    for i, each in enumerate(seen.component):
        code = next((coding.code for coding in whole(each.code)), None) or str(i)
        name = f"#{code}" if f"#{code}" not in names else f"#{code}-{i}"
        names.add(name)
        yield each, name


def _usual(codings: tuple[Coding, ...]) -> Coding:
    return next((each for each in codings if each.system == LOINC), codings[0] if codings else Coding())


def _statements(entry: Entry, seen: Observation, status: str, spoken: list[_Spoken]) -> list[Said]:
    patient_id = patient_of(entry, seen.subject) if spoken else None
    if patient_id is None:
        return []
    effective, specimen = _effective(entry, seen), drawn(entry, seen.specimen)
    issued = entry.at(seen.issued, "issued")
    recorded = entry.recorded_at(effective, specimen.at, issued=issued, revised=status not in {"final", "preliminary"})
    fasting = next((said for each in seen.component if (said := _fasting(each)) is not None), None)
    return [
        Said(
            entry=entry,
            observation=seen,
            given=each.given,
            coding=each.coding,
            meaning=each.meaning,
            part=each.part,
            status=status,
            patient_id=patient_id,
            recorded_at=recorded,
            at=effective,
            specimen=specimen,
            fasting=fasting,
            silence=each.silence,
        )
        for each in spoken
    ]


def _effective(entry: Entry, seen: Observation) -> datetime | None:
    period = seen.effective_period
    return (
        entry.at(seen.effective_date_time, "effectiveDateTime")
        or entry.at(period.start if period else None, "effectivePeriod.start")
        or entry.at(seen.effective_instant, "effectiveInstant")
    )


def _told(said: Said) -> tuple[AnyEvent, ...]:
    if said.status in WITHDRAWN:
        taken_back = said.entry.withdrawn(said.status, said.recorded_at, said.part)
        return taken_back or _stripped(said)
    return _without_value(said, said.silence) if said.silence else _by_kind(said)


def _without_value(said: Said, silent: str) -> tuple[AnyEvent, ...]:
    """No event; a correction that leaves no value takes the value back that was told."""
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


def _silence(entry: Entry, given: Component, part: str) -> str | None:
    """Why a statement carries nothing: its value is absent, it is a panel or there is none."""
    if any(each.code == _FASTING_STATUS for each in whole(given.code)):
        return _CONTAINER
    if reading(given) is not None:
        return None
    if given.data_absent_reason is not None:
        return "data_absent"
    is_panel = not part and ("component" in entry.content or "hasMember" in entry.content)
    return _CONTAINER if is_panel else "no_value"


def _fasting(component: Component) -> bool | None:
    """LOINC 49541-6, fasting status, answered yes or no."""
    if not any(each.code == _FASTING_STATUS for each in whole(component.code)):
        return None
    answers = codes_of([component.value_codeable_concept or CodeableConcept()])
    return next((_YES_NO[each] for each in sorted(answers) if each in _YES_NO), None)


def _by_kind(said: Said) -> tuple[AnyEvent, ...]:
    return _BY_KIND[said.meaning.kind](said) if said.meaning is not None else lab_result(said)


_BY_KIND: Final[Mapping[str, Callable[[Said], tuple[AnyEvent, ...]]]] = {
    "lab_result": lab_result,
    "measurement": measurement,
    "bone_density": bone_density,
    "symptom": symptom,
    "pregnancy": pregnancy,
    "lactation": lactation,
    "imaging": imaging,
}


def _is_laboratory(seen: Observation, spoken: _Spoken) -> bool:
    if not spoken.coding.code:
        return False
    categories = codes_of(seen.category)
    if categories & _LABORATORY:
        return True
    return not categories and spoken.given.value_quantity is not None and spoken.coding.system == LOINC
