"""A FHIR R4 document, one resource or a Bundle of any type, as events.

The Patients of the whole document are learned before anything else is read. A `DELETE` takes back what was told of its
resource. Types that matter to nobody are ignored and counted.
Source: http://hl7.org/fhir/R4/bundle.html
"""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any, Final

from pydantic import ValidationError

from schemas.events import AnyEvent
from schemas.tables import Tables
from schemas.values import NotWhatWasExpectedError, instant
from schemas.wire import LARGEST_MESSAGE, NotJsonError, decode
from streams.intake.fhir import clinical, doses, encounters, observations, orders, prescriptions, reports
from streams.intake.fhir.identity import patient_events
from streams.intake.fhir.naming import digest, encoded, fit, record_id_of
from streams.intake.fhir.reading import Document, Entry, NotTranslatableError, first_error
from streams.intake.fhir.references import Shelf, address
from streams.intake.fhir.requests import ASKING, as_asked
from streams.intake.fhir.slots import BundleError, Slot, slots, with_reports
from streams.intake.fhir.versions import R4_TYPES, TYPES, other_version
from streams.intake.outcome import Refusal, Translation
from streams.intake.ownership import claim
from streams.intake.site import Directory, Site

LARGEST_BUNDLE: Final = 3 * LARGEST_MESSAGE
"""Bytes. A Bundle may be three times as large as one resource; a larger file is sent resource by resource (NDJSON)."""

_BY_TYPE: Final[Mapping[str, Callable[[Entry], tuple[AnyEvent, ...]]]] = {
    "Observation": observations.observation_events,
    "DiagnosticReport": reports.report_events,
    "MedicationRequest": prescriptions.request_events,
    "MedicationStatement": prescriptions.statement_events,
    "MedicationAdministration": doses.administration_events,
    "MedicationDispense": doses.dispense_events,
    "Condition": clinical.condition_events,
    "Procedure": clinical.procedure_events,
    "ServiceRequest": orders.request_events,
    "Appointment": orders.appointment_events,
    "Encounter": encounters.encounter_events,
}
READ: Final = frozenset({*_BY_TYPE, "Patient"})


def translate_fhir_bytes(
    raw: bytes, *, site: Site, tables: Tables, directory: Directory, received_at: datetime | None = None
) -> Translation:
    """Read one JSON text; a lone resource may have LARGEST_MESSAGE bytes, a Bundle LARGEST_BUNDLE.

    Errors: none raised; what cannot be read is a Refusal.
    """
    most = LARGEST_BUNDLE if b'"Bundle"' in raw else LARGEST_MESSAGE
    if len(raw) > most:
        return _refused(f"larger than {most} bytes; send its resources one by one")
    try:
        document = decode(raw)
    except NotJsonError as error:
        return _refused(f"{error}; expected a FHIR R4 resource or Bundle in JSON")
    return translate_fhir(
        document, site=site, tables=tables, directory=directory, received_at=received_at, is_request=True
    )


def translate_fhir(
    document: object,
    *,
    site: Site,
    tables: Tables,
    directory: Directory,
    received_at: datetime | None = None,
    is_request: bool = False,
) -> Translation:
    """Read one decoded resource or Bundle.

    Topic: `is_request`: somebody asks for it now, so that the rules of a batch or transaction hold; a file only tells.
    Law: what a transaction is refused for is told of each entry; that nothing of it is taken then is its taker's part.
    Time: `received_at` dates only what carries no time of its own and comes in no dated Bundle.
    Errors: none raised; what cannot be translated is a Refusal that names the resource and the element.
    """
    if not isinstance(document, dict) or not isinstance(document.get("resourceType"), str):
        return _refused("expected an object with a resourceType", "resourceType")
    try:
        found = list(_slots(document))
    except BundleError as error:
        return _refused(error.reason, error.where, "Bundle")
    kind = document.get("type") if document["resourceType"] == "Bundle" and is_request else None
    found = with_reports(found)
    shelf = Shelf((each.full_url, each.content) for each in found if each.content is not None)
    whole = Document(site, tables, directory, shelf, _said_at(document) or received_at)
    if kind in ASKING:
        found = as_asked(whole, found, READ, is_transaction=kind == "transaction")
    events = tuple(event for slot in _patients_first(found) for event in _translated(whole, slot))
    return Translation(
        events,
        tuple(whole.refusals),
        dict(whole.ignored),
        dict(whole.counted),
        all_or_nothing=kind == "transaction",
    )


def _refused(reason: str, where: str = "$", name: str = "FHIR document") -> Translation:
    return Translation(refusals=(Refusal(name, reason, where),))


def _slots(document: Mapping[str, Any]) -> Iterable[Slot]:
    return slots(document) if document["resourceType"] == "Bundle" else (Slot("", content=document),)


def _said_at(document: Mapping[str, Any]) -> datetime | None:
    """When a Bundle was put together, if it says so in a form that can be read."""
    meta = document.get("meta")
    updated = meta.get("lastUpdated") if isinstance(meta, dict) else None
    is_bundle = document["resourceType"] == "Bundle"
    return (_instant(document.get("timestamp")) or _instant(updated)) if is_bundle else None


def _instant(given: object) -> datetime | None:
    try:
        return instant(given)
    except NotWhatWasExpectedError:
        return None


def _patients_first(found: list[Slot]) -> list[Slot]:
    return sorted(found, key=lambda each: each.content is None or each.content.get("resourceType") != "Patient")


def _translated(whole: Document, slot: Slot) -> tuple[AnyEvent, ...]:
    if slot.method in {"DELETE", "PATCH"}:
        told = _changed(whole, slot)
    elif slot.content is None:
        told = whole.ignore(slot.method if slot.method in {"GET", "HEAD"} else "entry without resource")
    else:
        told = _resource(whole, slot, slot.content)
    return tuple(said for event in told for said in claim(event, whole.directory))


def _resource(whole: Document, slot: Slot, content: Mapping[str, Any]) -> tuple[AnyEvent, ...]:
    kind = content.get("resourceType")
    if not isinstance(kind, str) or (kind not in R4_TYPES and kind not in TYPES):
        return _refuse(whole, slot.where or "FHIR document", "no resource type of FHIR R4", "resourceType")
    if kind in TYPES:
        return _refuse(whole, _name(kind, slot), f"{kind} is of FHIR {TYPES[kind]}; accepted is R4", kind)
    if kind not in READ:
        return whole.ignore(kind)
    if (sign := other_version(kind, content)) is not None:
        version, field = sign
        return _refuse(whole, _name(kind, slot), f"{field} is of FHIR {version}; accepted is R4", f"{kind}.{field}")
    return _read(whole, slot, kind, content)


def _read(whole: Document, slot: Slot, kind: str, content: Mapping[str, Any]) -> tuple[AnyEvent, ...]:
    name = _name(kind, slot)
    if (raw := encoded(content)) is None:
        return _refuse(whole, name, "nested too deeply, or not JSON", kind)
    entry = _entry(whole, slot, kind, raw)
    try:
        return tuple(patient_events(entry, slot.full_url)) if kind == "Patient" else _BY_TYPE[kind](entry)
    except NotTranslatableError as error:
        return _refuse(whole, name, error.reason, error.where)
    except ValidationError as error:  # a code or quantity that no event can hold
        return _refuse(whole, name, *first_error(error, kind))


def _refuse(whole: Document, name: str, reason: str, where: str) -> tuple[AnyEvent, ...]:
    whole.refusals.append(Refusal(name, reason, where))
    return ()


def _entry(whole: Document, slot: Slot, kind: str, raw: bytes) -> Entry:
    content = slot.content or {}
    record_id = record_id_of(kind, content, raw)
    meta = content.get("meta")
    version = meta.get("versionId") if isinstance(meta, dict) else None
    said = version if isinstance(version, str) and version else digest(raw)
    where = address(slot.full_url)
    base = where.base if where and where.base else whole.site.fhir_base.rstrip("/")
    return Entry(
        whole,
        kind,
        content,
        record_id,
        fit(f"{record_id}/{said}"),
        base,
        _instant(slot.last_modified),
        _name(kind, slot),
    )


_LONGEST_NAME: Final = 100


def _name(kind: str, slot: Slot) -> str:
    """How a refusal names a resource: `Type/ID`, or by its place."""
    own = slot.content.get("id") if slot.content else None
    if isinstance(own, str) and own:
        return f"{kind}/{own}"[:_LONGEST_NAME]
    return f"{kind} ({slot.where})" if slot.where else kind


def _changed(whole: Document, slot: Slot) -> tuple[AnyEvent, ...]:
    """A DELETE takes back every part that was told of the resource; a PATCH cannot be read without the resource."""
    where = address(slot.url) or address(slot.full_url)
    if where is None or where.type not in READ:
        return whole.ignore(slot.method)
    record_id = f"{where.type}/{where.id}"
    if slot.method == "PATCH":
        return _refuse(whole, record_id, "PATCH changes a resource that is not here; expected it whole", where.type)
    said_at = _instant(slot.last_modified) or whole.said_at
    entry = Entry(whole, where.type, {}, record_id, f"{record_id}/deleted", where.base, said_at, record_id)
    told = tuple(event for part in clinical.PARTS for event in entry.withdrawn("entered_in_error", said_at, part))
    return told or whole.count("delete_of_unknown")
