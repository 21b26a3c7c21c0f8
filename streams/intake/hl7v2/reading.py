"""One message being read: what was found so far, and what every part of it needs to know."""

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from functools import cache
from hashlib import sha256
from typing import Final, TypeVar, get_args

from pydantic import ValidationError

from schemas.events import AnyEvent, Event
from schemas.tables import Tables
from streams.intake.hl7v2.identity import patient_id
from streams.intake.hl7v2.message import Message, Segment
from streams.intake.hl7v2.times import UnreadableTimeError, day, moment
from streams.intake.hl7v2.untranslatable import UntranslatableError
from streams.intake.outcome import Refusal, Translation
from streams.intake.ownership import claim
from streams.intake.site import Directory, Site

_LONGEST_IDENTIFIER: Final = 256
_LONGEST_TEXT: Final = 65_536
_NUMBER: Final = re.compile(r"[+-]?(?:\d{1,18}(?:\.\d{0,25})?|\.\d{1,25})", re.ASCII)

Built = TypeVar("Built", bound=Event)


@dataclass(slots=True)
class Reading:
    """What is known of the message, and what came of it so far."""

    message: Message
    site: Site
    tables: Tables
    directory: Directory
    message_type: str
    trigger: str
    control: str
    source: str
    recorded_at: datetime
    events: list[AnyEvent] = field(default_factory=list)
    refusals: list[Refusal] = field(default_factory=list)
    ignored: Counter[str] = field(default_factory=Counter)
    counted: Counter[str] = field(default_factory=Counter)
    patients: dict[int, str] = field(default_factory=dict)
    given: Counter[int] = field(default_factory=Counter)
    """How many events each segment gave, by its ordinal: the last part of an event's id."""

    def outcome(self) -> Translation:
        """What became of the message."""
        return Translation(tuple(self.events), tuple(self.refusals), +self.ignored, +self.counted)

    def attempt(self, part: Callable[[], None]) -> None:
        """Translate one part; a part that cannot be is refused by name and the others go on."""
        try:
            part()
        except UntranslatableError as error:
            self.refusals.append(Refusal(f"{self.message_type} {self.control}", error.reason, error.where))

    def emit(self, model: type[Built], segment: Segment, *, patient: str, record: str, **said: object) -> None:
        """Build the event of a segment; a record that was somebody else's is taken back from them.

        Errors: UntranslatableError names the field that the model refuses.
        """
        common = {
            "kind": kind_of(model),
            "event_id": shortened(f"{self.control}:{segment.name}{segment.ordinal}:{self._nth_of(segment)}"),
            "patient_id": patient,
            "source": self.source,
            "record_id": shortened(record),
            "recorded_at": self.recorded_at,
        }
        self.events.extend(claim(_built(model, segment, common | said), self.directory))

    def moment(self, segment: Segment, position: int) -> datetime | None:
        """The instant of a time field, None where it is empty.

        Errors: UntranslatableError where it is there and cannot be read.
        """
        text = segment.value(position)
        return self.read_moment(text, segment.value(position, 2), segment.where(position)) if text else None

    def read_moment(self, text: str, precision: str, where: str) -> datetime:
        """Read a TS; a day without a time is its first instant, counted."""
        try:
            read = moment(text, precision, self.site.time_zone)
        except UnreadableTimeError as error:
            raise UntranslatableError(str(error), where) from None
        self.counted["day_precision"] += read.day_only
        return read.at

    def first_moment(self, *places: tuple[Segment | None, int]) -> datetime | None:
        """The first of several time fields that says something."""
        found = (self.moment(segment, position) for segment, position in places if segment is not None)
        return next((at for at in found if at is not None), None)

    def local_day(self, at: datetime) -> date:
        return at.astimezone(self.site.time_zone).date()

    def note(self, segments: list[Segment]) -> str | None:
        """The comments of NTE segments, line by line."""
        text = "\n".join(part.whole() for segment in segments for part in segment.each(3))
        self.counted["note_cut"] += len(text) > _LONGEST_TEXT
        return text[:_LONGEST_TEXT] or None

    def patient(self, pid: Segment) -> str:
        """The one name of the patient of a PID.

        Errors: UntranslatableError where it has no identifier.
        """
        if pid.ordinal not in self.patients:
            self.patients[pid.ordinal] = patient_id(pid, self.site)
        return self.patients[pid.ordinal]

    def last(self, record: str, model: type[Built]) -> Built | None:
        """The latest-recorded version of a record of this source, whoever it is about."""
        found: object = self.directory.last_version(self.source, shortened(record))
        return found if isinstance(found, model) else None

    def _nth_of(self, segment: Segment) -> int:
        self.given[segment.ordinal] += 1
        return self.given[segment.ordinal]


@cache
def kind_of(model: type[Event]) -> str:
    """The discriminator of a kind's model."""
    return str(get_args(model.model_fields["kind"].annotation)[0])


def _built(model: type[Built], segment: Segment, said: dict[str, object]) -> AnyEvent:
    try:
        built = model.model_validate({name: value for name, value in said.items() if value is not None})
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False, include_context=False)[0]
        place = ".".join(map(str, first["loc"])) or "event"
        raise UntranslatableError(f"{place}: {first['msg']}", segment.where()) from None
    return built  # type: ignore[return-value]  # every model that is emitted is one of AnyEvent


def shortened(name: str) -> str:
    """An identifier that fits; one that is too long is named by its hash."""
    return name if len(name) <= _LONGEST_IDENTIFIER else sha256(name.encode()).hexdigest()


def decimal(segment: Segment, position: int, component: int = 1) -> Decimal | None:
    """A number field (NM), None where it is empty.

    Errors: UntranslatableError where it is there and is no number.
    """
    text = segment.value(position, component)
    return number(text, segment.where(position)) if text else None


def number(text: str, where: str) -> Decimal:
    """Read an NM: sign, digits, point; every digit kept."""
    if not _NUMBER.fullmatch(text):
        raise UntranslatableError("not a number; accepted: digits with a decimal point, e.g. 5.2", where)
    return Decimal(text)


def calendar_day(text: str, where: str) -> date:
    """Read a DT, or the day of a TS."""
    try:
        return day(text)
    except UnreadableTimeError as error:
        raise UntranslatableError(str(error), where) from None
