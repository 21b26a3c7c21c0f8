"""One resource at hand, with the document around it; how it becomes events.

Errors: NotTranslatableError, raised and caught within this package, becomes a Refusal.
"""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, Final, TypeVar, get_args

from pydantic import ValidationError

from schemas.events import KINDS, AnyEvent, Event
from schemas.tables import Tables
from schemas.values import NotWhatWasExpectedError
from streams.intake.fhir import times
from streams.intake.fhir.datatypes import Part, Reference
from streams.intake.fhir.naming import fit
from streams.intake.fhir.references import Content, Shelf, address, contained
from streams.intake.fhir.resources import Resource
from streams.intake.outcome import Refusal
from streams.intake.site import Directory, Site

P = TypeVar("P", bound=Part)
E = TypeVar("E", bound=Event)
T = TypeVar("T")

_WORDS: Final = {model: kind for kind, model in KINDS.items()}
DAY_PRECISION: Final = "day_precision"
WITHDRAWN: Final = frozenset({"cancelled", "entered_in_error"})


class NotTranslatableError(Exception):
    """A resource that cannot be translated: the reason, and the place below the resource."""

    def __init__(self, reason: str, where: str) -> None:
        super().__init__(reason)
        self.reason = reason
        self.where = where


@dataclass(frozen=True, slots=True)
class Document:
    """What all resources of one document share. `said_at`: when the document was put together, if it says so."""

    site: Site
    tables: Tables
    directory: Directory
    shelf: Shelf = field(default_factory=Shelf)
    said_at: datetime | None = None
    ignored: Counter[str] = field(default_factory=Counter)
    counted: Counter[str] = field(default_factory=Counter)
    refusals: list[Refusal] = field(default_factory=list)

    @property
    def source(self) -> str:
        return self.site.source or "fhir"

    def ignore(self, what: str) -> tuple[AnyEvent, ...]:
        """Note something that matters to nobody."""
        self.ignored[what] += 1
        return ()

    def count(self, word: str) -> tuple[AnyEvent, ...]:
        """Note something without refusing it."""
        self.counted[word] += 1
        return ()


@dataclass(frozen=True, slots=True)
class Entry:
    """One resource: what it is called, where it lives, when it was said."""

    document: Document
    resource_type: str
    content: Content
    record_id: str
    event_id: str
    base: str = ""
    said_at: datetime | None = None
    name: str = ""

    def read(self, model: type[P]) -> P:
        """The resource as its model.

        Errors: NotTranslatableError names the element; nothing of the resource is quoted.
        """
        return read_part(model, self.content, self.resource_type)

    def find(self, reference: Reference | None, kind: str) -> Content | None:
        """The resource of a type that a reference names, contained or in the same Bundle."""
        text = reference.reference if reference else None
        if not text:
            return None
        inside = contained(self.content, text) if text.startswith("#") else None
        found = inside if inside is not None else self.document.shelf.find(text, self.base)
        return found if found is not None and found.get("resourceType") == kind else None

    def record_of(self, reference: Reference | None) -> str | None:
        """`Type/ID` of what a reference names, as the record of that resource is called."""
        where = address(reference.reference, self.base) if reference and reference.reference else None
        return f"{where.type}/{where.id}" if where else None

    def at(self, text: str | None, where: str) -> datetime | None:
        """The instant of a dateTime; a day is its local midnight, counted.

        Errors: NotTranslatableError for a month, a year and what is no time.
        """
        return self._when(text, where, times.moment)

    def end(self, text: str | None, where: str) -> datetime | None:
        """The instant at which a Period ends; its last day is included whole."""
        return self._when(text, where, times.end)

    def _when(self, text: str | None, where: str, read: Callable[..., times.Moment]) -> datetime | None:
        if text is None:
            return None
        moment = self._judged(lambda: read(text, self.document.site.time_zone), where)
        if moment.whole_day:
            self.document.count(DAY_PRECISION)
        return moment.at

    def day(self, text: str | None, where: str) -> date | None:
        """The local day of a dateTime or date."""
        if text is None:
            return None
        return self._judged(lambda: times.local_day(text, self.document.site.time_zone), where)

    def _judged(self, read: Callable[[], T], where: str) -> T:
        try:
            return read()
        except NotWhatWasExpectedError as error:
            raise self.refused(str(error), where) from None

    def refused(self, reason: str, where: str) -> NotTranslatableError:
        """The refusal of this resource at an element of it."""
        return NotTranslatableError(reason, f"{self.resource_type}.{where}" if where else self.resource_type)

    def refuse(self, error: NotTranslatableError) -> None:
        """Keep a refusal: of the whole resource, or of an element without which the rest still holds."""
        self.document.refusals.append(Refusal(self.name, error.reason, error.where))

    def last_updated(self) -> datetime | None:
        """meta.lastUpdated, or when the Bundle says that this version was stored."""
        meta = self.read(Resource).meta
        given = self.at(meta.last_updated, "meta.lastUpdated") if meta else None
        return given or self.said_at

    def recorded_at(
        self, *clinical: datetime | None, issued: datetime | None = None, revised: bool = False
    ) -> datetime:
        """When the source said so: issued, meta.lastUpdated, the clinical time, or when the document was put together.

        Servers keep the first `issued` when a result is corrected or withdrawn: then the later of both holds.
        """
        updated = self.last_updated()
        if revised and issued and updated:
            return max(issued, updated)
        said = next((each for each in (issued, updated, *clinical, self.document.said_at) if each is not None), None)
        if said is None:
            raise self.refused("nothing says when this was recorded; expected an instant", "meta.lastUpdated")
        return said

    def event(self, model: type[E], *, part: str = "", version: str = "", where: str = "", **payload: Any) -> E:
        """An event of this resource; `part` names a record within it.

        Errors: NotTranslatableError where the model refuses a field.
        """
        place = f"{self.resource_type}.{where}" if where else self.resource_type
        said = {
            "event_id": fit(self.event_id + part + version),
            "source": self.document.source,
            "record_id": fit(self.record_id + part),
            "kind": _WORDS[model],
            **payload,
        }
        try:
            return model.model_validate(said)
        except ValidationError as error:
            raise NotTranslatableError(*first_error(error, place)) from None

    def told(self, part: str = "") -> AnyEvent | None:
        """What was last told of this record."""
        return self.document.directory.last_version(self.document.source, fit(self.record_id + part))

    def withdrawn(self, status: str, recorded_at: datetime | None, part: str = "") -> tuple[AnyEvent, ...]:
        """The retraction of what was told of this record, of whom it was told; nothing if nothing was."""
        former = self.told(part)
        if former is None:
            return ()
        return (retraction(former, status, fit(self.event_id + part), recorded_at or former.recorded_at),)

    def told_or_withdrawn(self, status: str, tell: Callable[[], tuple[AnyEvent, ...]]) -> tuple[AnyEvent, ...]:
        """What the resource tells; a retraction takes back what was told before, of whom it was told.

        A retraction of what was never told is told as well, for it may come first; stripped of its content it is
        counted only.
        """
        if status not in WITHDRAWN:
            return tell()
        if taken_back := self.withdrawn(status, self.last_updated()):
            return taken_back
        try:
            return tell()
        except NotTranslatableError:
            return self.document.count("retraction_of_unknown")


def retraction(former: AnyEvent, status: str, event_id: str, recorded_at: datetime) -> AnyEvent:
    """An event that takes back a former one; kinds that know no `cancelled` are entered in error."""
    field_name = "record_status" if "record_status" in type(former).model_fields else "status"
    allowed = get_args(type(former).model_fields[field_name].annotation)
    said = status if status in allowed else "entered_in_error"
    said = said if said in allowed else "cancelled"  # an encounter
    return former.model_copy(update={field_name: said, "event_id": event_id, "recorded_at": recorded_at})


def read_part(model: type[P], content: Mapping[str, Any], where: str) -> P:
    """A part of a document as its model.

    Errors: NotTranslatableError names the element.
    """
    try:
        return model.model_validate(content)
    except ValidationError as error:
        raise NotTranslatableError(*first_error(error, where)) from None


def first_error(error: ValidationError, where: str) -> tuple[str, str]:
    """(reason, place) of the first thing that a model refuses; the input is not quoted."""
    first = error.errors(include_input=False, include_url=False, include_context=False)[0]
    path = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in first["loc"])
    return first["msg"].removeprefix("Value error, "), where + path
