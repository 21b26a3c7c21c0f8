"""The fold: a chart is a set of facts, and a fact is added at most once.

Law: any order and any repeats of the same facts give the same chart.
"""

import hashlib
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any, Final, TypeVar

import msgspec

from schemas.definitions import LATE, LateEntry, Record, Records, records
from schemas.facts import Fact, Payload, Person, RecordKey, Response, Unread, clinical_time
from schemas.views import UNCLEAR, UnclearResult
from streams.chart.groups import group
from streams.chart.unclear import concerned, unclear_results, with_next

_LATE: Final = timedelta(days=1)  # kept from here on; the rule that reads them has its own limit

_TIMELESS: Final = (Person, Response, Unread)


def _content_hash(fact: Fact) -> bytes:
    return hashlib.sha256(msgspec.msgpack.encode(fact)).digest()


def _in_order(versions: Iterable[Fact]) -> tuple[Fact, ...]:
    """Versions by rank; the hash of the content is asked only where all else is equal."""
    ordered = sorted(versions, key=lambda f: f.rank)
    if any(a.rank == b.rank for a, b in pairwise(ordered)):
        ordered.sort(key=lambda f: (f.rank, _content_hash(f)))
    return tuple(ordered)


def _rank(fact: Fact) -> tuple[datetime, int, str]:
    return fact.rank


def _added(versions: tuple[Fact, ...], fact: Fact) -> tuple[Fact, ...] | None:
    """The versions with one more in its place; None if it was there."""
    if not versions:
        return (fact,)
    fact = _sharing(versions[-1], fact)
    if versions[-1].rank < fact.rank:  # as versions come
        return (*versions, fact)
    first = bisect_left(versions, fact.rank, key=_rank)
    last = bisect_right(versions, fact.rank, key=_rank)
    if fact in versions[first:last]:
        return None
    return (*versions[:first], *_in_order((*versions[first:last], fact)), *versions[last:])


def _sharing(known: Fact, fact: Fact) -> Fact:
    """The fact with the names, and of a person the content, of a version that is kept already: most say the same."""
    # Numbers are never shared: 1.0 and 1.00 are equal, and the digits are what was reported.
    same = isinstance(fact.payload, Person) and fact.payload == known.payload
    payload = known.payload if same else fact.payload
    origin = known.origin if fact.origin == known.origin else fact.origin
    return Fact(
        origin, known.source, known.record_id, fact.event_id, fact.recorded_at, payload, fact.history, fact.moved_to
    )


def _placed(found: Records, record: Record) -> Records:
    """The records with one in its place, by key."""
    i = bisect_left(found, record.key, key=_key)
    known = i < len(found) and found[i].key == record.key
    return (*found[:i], record, *found[i + known :])


def _key(record: Record) -> RecordKey:
    return record.key


def _late(record: Record) -> tuple[LateEntry, ...]:
    """Versions that corrected or removed, and a first version that came days after its clinical time."""
    return tuple(
        LateEntry(
            v.recorded_at, v.source, v.record_id, v.event_id, _corrects(v), clinical_time(v.payload) or v.recorded_at
        )
        for i, v in enumerate(record.versions)
        if not v.history and _has_clinical_time(v.payload) and (_corrects(v) or (i == 0 and _came_late(v)))
    )


def _has_clinical_time(payload: Payload) -> bool:
    return not isinstance(payload, _TIMELESS)


def _corrects(version: Fact) -> bool:
    return version.removes or version.payload.status == "corrected"


def _came_late(version: Fact) -> bool:
    at = clinical_time(version.payload)
    return at is not None and version.recorded_at - at > _LATE


def _all_late(late: Mapping[RecordKey, tuple[LateEntry, ...]]) -> tuple[LateEntry, ...]:
    return tuple(sorted(entry for entries in late.values() for entry in entries))


_Entries = TypeVar("_Entries", bound=tuple[object, ...])


def _kept(known: dict[RecordKey, _Entries], key: RecordKey, entries: _Entries) -> dict[RecordKey, _Entries]:
    """What is kept of each record, with a record's new entries; the very same where they are as before."""
    return known if entries == known.get(key, ()) else {**known, key: entries}


class Facts:
    """An immutable set of facts, kept by record and by group."""

    __slots__ = ("by_group", "late", "records", "unclear")

    def __init__(
        self,
        by_record: dict[RecordKey, Record] | None = None,
        by_group: dict[str, Records] | None = None,
        late: dict[RecordKey, tuple[LateEntry, ...]] | None = None,
        unclear: dict[RecordKey, tuple[UnclearResult, ...]] | None = None,
    ) -> None:
        self.records = by_record or {}
        self.by_group = by_group or {}
        self.late = late or {}
        self.unclear = unclear or {}

    def __iter__(self) -> Iterator[Fact]:
        return (version for record in self.records.values() for version in record.versions)

    def __len__(self) -> int:
        return sum(len(record.versions) for record in self.records.values())

    def __contains__(self, fact: Fact) -> bool:
        record = self.records.get(fact.key)
        return record is not None and fact in record.versions

    def reused(self, fact: Fact) -> bool:
        """Another fact of this source has the same event_id and record but other content."""
        record = self.records.get(fact.key)
        return record is not None and any(v.event_id == fact.event_id and v != fact for v in record.versions)

    def with_fact(self, fact: Fact) -> tuple["Facts", dict[str, Any]]:
        """The set with one more fact, and the base values that changed (none if it was there)."""
        before = self.records.get(fact.key)
        versions = _added(before.versions if before else (), fact)
        if versions is None:
            return self, {}
        record = Record(fact.key, versions)
        by_group = dict(self.by_group)
        changed: dict[str, Any] = {}
        for name in {group(v.payload) for v in versions}:
            by_group[name] = _placed(by_group.get(name, ()), record)
            changed[records(name).key] = by_group[name]
        late = _kept(self.late, record.key, _late(record))
        if late is not self.late:
            changed[LATE.key] = _all_late(late)
        unclear = _kept(self.unclear, record.key, unclear_results(record))
        if unclear is not self.unclear or (unclear and concerned(unclear, record)):
            changed[UNCLEAR.key] = with_next(unclear.values(), by_group)
        return Facts({**self.records, fact.key: record}, by_group, late, unclear), changed

    @classmethod
    def of(cls, facts: Iterable[Fact]) -> "Facts":
        """The set of the given facts, built at once."""
        versions: dict[RecordKey, set[Fact]] = {}
        for fact in facts:
            versions.setdefault(fact.key, set()).add(fact)
        by_record = {key: Record(key, _in_order(found)) for key, found in versions.items()}
        by_group: dict[str, list[Record]] = {}
        for key in sorted(by_record):
            for name in {group(v.payload) for v in by_record[key].versions}:
                by_group.setdefault(name, []).append(by_record[key])
        late = {key: entries for key, record in by_record.items() if (entries := _late(record))}
        unclear = {key: found for key, record in by_record.items() if (found := unclear_results(record))}
        return cls(by_record, {name: tuple(found) for name, found in by_group.items()}, late, unclear)

    def base_values(self) -> dict[str, Any]:
        """The base values of all groups that hold something."""
        values: dict[str, Any] = {records(name).key: found for name, found in self.by_group.items()}
        values[LATE.key] = _all_late(self.late)
        values[UNCLEAR.key] = with_next(self.unclear.values(), self.by_group)
        return values
