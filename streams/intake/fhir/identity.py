"""Who the patient of a resource is, and what a Patient resource tells of itself.

An identifier of a system that the site maps to an authority names the patient: looked up in the same Bundle, in
`contained`, in the reference's own `identifier`, then among the Patients seen before. Until one is known the patient
is `fhir|BASE/Patient/ID`, and the Patient that tells it links the two as a merge does.
"""

from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final

from schemas import events
from schemas.events import AnyEvent
from streams.intake.fhir import times
from streams.intake.fhir.codes import shown
from streams.intake.fhir.datatypes import Identifier, Reference
from streams.intake.fhir.naming import digest, fit
from streams.intake.fhir.reading import Entry, NotTranslatableError, read_part
from streams.intake.fhir.references import Content, address, searched_identifier
from streams.intake.fhir.resources import HumanName, Patient, Resource
from streams.intake.site import Site

_GENDERS: Final = frozenset({"female", "male", "other", "unknown"})
_MERGING: Final = frozenset({"replaced-by", "replaces"})
NOT_A_PATIENT: Final = "subject_not_patient"


def known_name(identifiers: tuple[Identifier, ...], site: Site) -> str | None:
    """The `patient_id` of the first identifier whose system is mapped; a preferred authority goes first."""
    usable = [each for each in identifiers if each.value and each.system in site.fhir_authorities and each.use != "old"]
    usable.sort(key=lambda each: site.fhir_authorities[each.system or ""] != site.preferred_authority)
    return site.name(usable[0].value or "", site.fhir_authorities[usable[0].system or ""]) if usable else None


def patient_of(entry: Entry, subject: Reference | None, where: str = "subject") -> str | None:
    """The `patient_id` of the patient that a reference names; None where it names no patient (counted).

    Errors: NotTranslatableError where nothing says whose resource this is.
    """
    if subject is None or (subject.reference is None and subject.identifier is None):
        raise entry.refused("nobody is named; expected a reference to a Patient, or its identifier", where)
    if _is_somebody_else(subject):
        entry.document.count(NOT_A_PATIENT)
        return None
    named = _by_identifier(entry, subject) or _by_address(entry, subject.reference or "")
    if named is None:
        raise entry.refused(
            "no identifier of a system that the settings map, and no address; expected Patient/ID", where
        )
    return named


def _is_somebody_else(subject: Reference) -> bool:
    where = address(subject.reference or "")
    return (where.type if where else subject.type or "Patient") != "Patient"


def _by_identifier(entry: Entry, subject: Reference) -> str | None:
    site = entry.document.site
    found = entry.find(subject, "Patient")
    if found is not None and (named := known_name(_identifiers(found), site)):
        return named
    if subject.identifier and (named := known_name((subject.identifier,), site)):
        return named
    searched = searched_identifier(subject.reference or "")
    if searched is None:
        return None
    _, system, value = searched
    return site.name(value, site.fhir_authorities[system]) if system in site.fhir_authorities else None


def _identifiers(content: Content) -> tuple[Identifier, ...]:
    try:
        return read_part(Resource, content, "Patient").identifier
    except NotTranslatableError:  # the Patient itself is refused where it stands
        return ()


def _by_address(entry: Entry, reference: str) -> str | None:
    if reference.startswith("#"):
        return None
    found = entry.document.shelf.find(reference, entry.base)
    key = _key_of(found, entry.base) if found is not None and not address(reference, entry.base) else None
    key = key or _key(reference, entry.base)
    return (entry.document.directory.patient(key) or provisional(key)) if key else None


def provisional(key: str) -> str:
    """The `patient_id` of a Patient of whom only the address is known."""
    return fit(f"fhir|{key}")


def _key(reference: str, base: str) -> str | None:
    where = address(reference, base)
    return str(where) if where else reference if reference.startswith("urn:") else None


def _key_of(content: Content, base: str) -> str | None:
    """The address of a Patient of the same Bundle that is referred to by its urn:uuid."""
    own = content.get("id")
    return _key(f"Patient/{own}", base) if isinstance(own, str) else None


def patient_events(entry: Entry, full_url: str) -> Iterator[AnyEvent]:
    """What a Patient resource says: who it is, that `fhir|…` is the one now known, and which Patients are the same."""
    seen = entry.read(Patient)
    key = _key(f"Patient/{seen.id}", entry.base) if seen.id else _key(full_url, entry.base)
    known = known_name(seen.identifier, entry.document.site)
    if key is None and known is None:
        raise entry.refused("nothing names this Patient; expected an id or an identifier", "id")
    recorded = _recorded_at(entry, seen)
    before = entry.document.directory.patient(key) if key else None
    patient_id = known or before or provisional(key or "")
    yield _patient(entry, seen, patient_id, recorded)
    if key and known and before != known:
        if before is not None:  # whether the former number is hers too, or was another woman's, nobody says here
            entry.document.count("patient_renumbered")
        entry.document.directory.know_patient(key, known)
        yield _merge(entry, provisional(key), known, recorded, "#identity")
    yield from _links(entry, seen, patient_id, recorded)


def _recorded_at(entry: Entry, seen: Patient) -> datetime:
    """When the Patient was said; one that nothing dates ranks below every one that is dated: it is of the birth day."""
    if entry.last_updated() or entry.document.said_at or not seen.birth_date or times.is_partial(seen.birth_date):
        return entry.recorded_at()
    entry.document.count("undated_patient")
    born = entry.day(seen.birth_date, "birthDate")
    return entry.recorded_at(times.midnight(born, entry.document.site.time_zone) if born else None)


def _patient(entry: Entry, seen: Patient, patient_id: str, recorded: datetime) -> AnyEvent:
    return entry.event(
        events.Patient,
        patient_id=patient_id,
        recorded_at=recorded,
        birth_date=_birth_date(entry, seen),
        sex=seen.gender if seen.gender in _GENDERS else None,
        name=_name(seen.name),
        deceased_at=_deceased_at(entry, seen),
    )


def _deceased_at(entry: Entry, seen: Patient) -> datetime | None:
    """When the patient died; a time that cannot be read is refused by itself, for the identity still holds."""
    try:
        return entry.at(seen.deceased_date_time, "deceasedDateTime")
    except NotTranslatableError as error:
        entry.refuse(error)
        return None


def _birth_date(entry: Entry, seen: Patient) -> Any:
    if seen.birth_date and times.is_partial(seen.birth_date):
        entry.document.count("partial_date")
        return None
    return entry.day(seen.birth_date, "birthDate")


def _name(names: tuple[HumanName, ...]) -> str | None:
    current = (each for each in names if each.use != "old")
    usual = sorted(current, key=lambda each: each.use not in {"official", "usual"})
    return next((text for each in usual if (text := _words(each))), None)


def _words(name: HumanName) -> str | None:
    return shown(name.text) or shown(" ".join(part for part in (*name.given, name.family) if part))


def _links(entry: Entry, seen: Patient, patient_id: str, recorded: datetime) -> Iterator[AnyEvent]:
    for link in seen.link:
        if link.type not in _MERGING or link.other is None or _is_somebody_else(link.other):
            continue
        other = patient_of(entry, link.other, "link.other")
        if other is None or other == patient_id:
            continue
        retired, into = (patient_id, other) if link.type == "replaced-by" else (other, patient_id)
        yield _merge(entry, retired, into, recorded, f"#{link.type}-{digest(other.encode())[:8]}")


def _merge(entry: Entry, retired: str, into: str, recorded: datetime, part: str) -> AnyEvent:
    return entry.event(events.PatientMerge, part=part, patient_id=retired, into=into, recorded_at=recorded)
