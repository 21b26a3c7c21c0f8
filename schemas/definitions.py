"""Small clinical nouns, defined from one another: what each reads, and how it is derived.

A value is known by a typed name. Views (made from facts) and rules (made from views) are definitions alike; the monitor
orders them, keeps their values and derives again only what reads something that changed.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any, Final, Generic, NamedTuple, TypeVar

from schemas.days import Calendar
from schemas.facts import Fact, RecordKey
from schemas.intervals import Intervals

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


@dataclass(frozen=True, slots=True)
class Name(Generic[T_co]):
    """The name of a value of type T."""

    key: str


class Record:
    """All versions of one clinical record, whatever identity they were said of.

    `versions` in the order of `Fact.rank`; `live` those after the last tombstone (none: the record is removed);
    `winner` the last of these.
    Topic: a tombstone that only says that the record moved to another patient says nothing where both are one person.
    """

    __slots__ = ("key", "live", "versions", "winner")

    def __init__(self, key: RecordKey, versions: tuple[Fact, ...]) -> None:
        self.key = key
        self.versions = versions
        said = versions
        if any(version.moved_to for version in versions):
            owners = {version.origin for version in versions}
            said = tuple(version for version in versions if version.moved_to not in owners)
        last = max((i for i, version in enumerate(said) if version.removes), default=-1)
        self.live = said[last + 1 :]
        self.winner = self.live[-1] if self.live else None

    def as_of(self, at: object) -> Fact | None:
        """The winner among the live versions recorded by an instant."""
        return next((v for v in reversed(self.live) if v.recorded_at <= at), None)  # type: ignore[operator]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Record) and self.versions == other.versions

    def __hash__(self) -> int:
        return hash((self.key, len(self.versions)))


Records = tuple[Record, ...]


@cache
def records(group: str) -> Name[Records]:
    """The records of a group (`lab/CTX`, `drug/heparin_ufh`, `imaging` ...), removed ones included, ordered by key."""
    return Name(f"records/{group}")


@cache
def finding(rule_id: str) -> Name[Intervals]:
    """The intervals in which a rule holds."""
    return Name(f"finding/{rule_id}")


PATIENT_IDS: Final[Name[tuple[str, ...]]] = Name("patient_ids")
"""The surviving identity, then every identity whose facts the chart holds, sorted."""


class LateEntry(NamedTuple):
    """A version that corrected or removed a record, or a first version that came days after its clinical time."""

    recorded_at: datetime
    source: str
    record_id: str
    event_id: str
    corrects: bool
    clinical_at: datetime


LATE: Final[Name[tuple[LateEntry, ...]]] = Name("late")
"""Versions that came late or corrected, by the instant (UTC) of their recording."""


class Reader:
    """What a definition sees: the values that it said it reads, and the site's calendar."""

    __slots__ = ("_values", "calendar")

    def __init__(self, values: Mapping[str, Any], calendar: Calendar) -> None:
        self._values = values
        self.calendar = calendar

    def __getitem__(self, name: Name[T]) -> T:
        value: T = self._values[name.key]
        return value


class StrictReader(Reader):
    """A reader that refuses what was not declared; the tests derive everything through it.

    Errors: LookupError names the value that `reads` lacks.
    """

    __slots__ = ("_allowed",)

    def __init__(self, values: Mapping[str, Any], calendar: Calendar, allowed: frozenset[str]) -> None:
        super().__init__(values, calendar)
        self._allowed = allowed

    def __getitem__(self, name: Name[T]) -> T:
        if name.key not in self._allowed:
            raise LookupError(f"{name.key} is read but not declared")
        return super().__getitem__(name)


@dataclass(frozen=True, slots=True)
class Definition(Generic[T]):
    """How a value is derived. `derive` is a function of what `reads` names, and of nothing else."""

    name: Name[T]
    reads: tuple[Name[Any], ...]
    derive: Callable[[Reader], T]


def define(name: Name[T], *reads: Name[Any]) -> Callable[[Callable[[Reader], T]], Definition[T]]:
    """Make a function the definition of a name."""
    return lambda derive: Definition(name, reads, derive)
