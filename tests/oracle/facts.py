"""Events as they came -> the records of each person: winning versions, timelines, tombstones, merges."""

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from fractions import Fraction
from functools import cached_property, lru_cache
from typing import Any, Final
from zoneinfo import ZoneInfo

FOREVER: Final = datetime(9000, 1, 1, tzinfo=UTC)
ACTS: Final = frozenset({"patient_merge", "patient_unmerge", "alert_response", "erasure"})
TIMELINES: Final = frozenset({"prescription", "care_order", "lactation"})
TOMBSTONES: Final = frozenset({"entered_in_error", "cancelled"})
STOPS: Final = frozenset({"stopped", "completed"})
_RANK: Final = {"entered_in_error": 5, "cancelled": 4, "corrected": 3, "stopped": 3, "preliminary": 1, "draft": 1}


@lru_cache(maxsize=65_536)
def instant(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def number(value: Any) -> Fraction:
    return _fraction(str(value))


@lru_cache(maxsize=4096)
def _fraction(text: str) -> Fraction:
    return Fraction(text)


@lru_cache(maxsize=65_536)
def _midnight(day: date, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, time(), zone).astimezone(UTC)


def status_of(event: dict[str, Any]) -> str:
    """The status that removes or ranks a version: its own where the kind has one, and `record_status`."""
    own = str(event.get("record_status", "active"))
    return own if own in TOMBSTONES else str(event.get("status", own))


@dataclass(frozen=True)
class Calendar:
    """The clinic's days."""

    zone: ZoneInfo

    def day(self, when: datetime) -> date:
        return when.astimezone(self.zone).date()

    def midnight(self, day: date) -> datetime:
        """The instant at which a local day begins."""
        return _midnight(day, self.zone)

    def after(self, when: datetime, days: int) -> datetime:
        """`Midnight of D+n` for the day of an instant."""
        return self.midnight(self.day(when) + timedelta(days=days))

    def apart(self, earlier: datetime, later: datetime) -> int:
        """The difference of two local days."""
        return (self.day(later) - self.day(earlier)).days


@dataclass(frozen=True)
class Version:
    """One version of a record."""

    event: dict[str, Any]
    recorded: datetime

    @property
    def order(self) -> tuple[datetime, int, str, str]:
        return (self.recorded, _RANK.get(status_of(self.event), 2), self.event["event_id"], _content(self.event))

    @property
    def status(self) -> str:
        return status_of(self.event)

    @property
    def removes(self) -> bool:
        return self.status in TOMBSTONES

    def get(self, name: str) -> Any:
        return self.event.get(name)

    def at(self, name: str) -> datetime | None:
        given = self.event.get(name)
        return None if given is None else instant(given)

    def day(self, name: str) -> date | None:
        given = self.event.get(name)
        return None if given is None else date.fromisoformat(given)


@dataclass(frozen=True)
class Record:
    """All versions of one (source, record_id) in one chart, in the order in which they outrank each other."""

    key: tuple[str, str]
    versions: tuple[Version, ...]

    @cached_property
    def live(self) -> tuple[Version, ...]:
        """The versions after the last tombstone; none where the tombstone is the last word."""
        if self.versions[-1].removes:
            return ()
        last = max((i for i, version in enumerate(self.versions) if version.removes), default=-1)
        return self.versions[last + 1 :]

    @property
    def winner(self) -> Version:
        return self.versions[-1]

    @property
    def kind(self) -> str:
        return str(self.winner.event["kind"])

    @property
    def first_recorded(self) -> datetime:
        return self.versions[0].recorded

    def first_final(self) -> datetime | None:
        """When the first final version of a result or a report was recorded."""
        finals = [v.recorded for v in self.versions if v.status in {"final", "corrected"}]
        return min(finals) if finals and self.live else None


@dataclass
class Chart:
    """The records of one person, all identities merged into it."""

    patient: str
    identities: frozenset[str]
    calendar: Calendar
    at: datetime
    records: list[Record] = field(default_factory=list)
    orders: dict[str, list[list["Stretch"]]] = field(default_factory=dict, init=False)

    def all(self, kind: str) -> list[Record]:
        """The records of a kind that were not removed."""
        return [r for r in self.records if r.live and r.kind == kind]

    def facts(self, kind: str) -> list[tuple[Record, Version]]:
        """The winning versions of a kind."""
        return [(r, r.winner) for r in self.all(kind)]


@dataclass(frozen=True)
class Stretch:
    """One version of an order, with the time in which it says what holds."""

    version: Version
    record: Record
    began: datetime
    ended: datetime


def _content(event: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(event, sort_keys=True, default=str).encode()).hexdigest()


def _record_id(event: dict[str, Any]) -> str:
    given = event.get("record_id")
    return str(event["event_id"] if given is None else given)


def distinct(events: Iterable[dict[str, Any]], at: datetime) -> list[Version]:
    """Every message once; what was recorded more than a day ahead of the clock is refused."""
    seen: dict[str, dict[str, Any]] = {}
    for event in events:
        seen[_content(event)] = event
    versions = [Version(event, instant(event["recorded_at"])) for event in seen.values()]
    return _without_erased([v for v in versions if v.recorded <= at + timedelta(hours=24)])


def _without_erased(versions: list[Version]) -> list[Version]:
    erased: dict[str, datetime] = {}
    for version in versions:
        if version.event["kind"] == "erasure":
            patient = version.event["patient_id"]
            erased[patient] = max(erased.get(patient, version.recorded), version.recorded)
    return [
        v
        for v in versions
        if v.event["kind"] != "erasure"
        and not (v.event["patient_id"] in erased and v.recorded <= erased[v.event["patient_id"]])
    ]


def records_of(versions: Iterable[Version]) -> list[Record]:
    """Versions by (source, record_id), each record's in their order."""
    by_key: dict[tuple[str, str], list[Version]] = defaultdict(list)
    for version in versions:
        by_key[(version.event["source"], _record_id(version.event))].append(version)
    return [Record(key, tuple(sorted(vs, key=lambda v: v.order))) for key, vs in sorted(by_key.items())]


def links(versions: Iterable[Version]) -> dict[str, str]:
    """Retired identity -> the identity that it was merged into; cycles lose their latest link."""
    acts = [v for v in versions if v.event["kind"] in {"patient_merge", "patient_unmerge"}]
    latest: dict[str, Version] = {}
    for record in records_of(acts):
        if record.live:
            retired = record.winner.event["patient_id"]
            former = latest.get(retired)
            if former is None or record.winner.order > former.order:
                latest[retired] = record.winner
    linked = {p: v for p, v in latest.items() if v.event["kind"] == "patient_merge"}
    while cycle := _cycle(linked):
        del linked[max(cycle, key=lambda p: linked[p].order)]
    return {p: v.event["into"] for p, v in linked.items()}


def _cycle(linked: dict[str, Version]) -> list[str]:
    for start in linked:
        path = [start]
        while path[-1] in linked:
            following = linked[path[-1]].event["into"]
            if following in path:
                return path[path.index(following) :]
            path.append(following)
    return []


def survivor(patient: str, link: dict[str, str]) -> str:
    while patient in link:
        patient = link[patient]
    return patient


def charts(versions: list[Version], at: datetime, zone: ZoneInfo) -> list[Chart]:
    """One chart a survivor."""
    link = links(versions)
    clinical: dict[str, list[Version]] = defaultdict(list)
    identities: dict[str, set[str]] = defaultdict(set)
    for version in versions:
        origin = version.event["patient_id"]
        person = survivor(origin, link)
        identities[person] |= {origin, person}
        if version.event["kind"] not in ACTS:
            clinical[person].append(version)
    return [
        Chart(person, frozenset(identities[person]), Calendar(zone), at, records_of(clinical[person]))
        for person in sorted(clinical)
    ]


def order_of(record: Record) -> str | None:
    """The placer order number of a record, as its latest version that has one says it."""
    named = [v.get("placer_order") for v in record.versions if v.get("placer_order")]
    return str(named[-1]) if named else None


def timelines(chart: Chart, kind: str) -> list[list[Stretch]]:
    """The versions of each order, one placer order number being one order; each holds until the next."""
    if kind in chart.orders:
        return chart.orders[kind]
    orders: dict[tuple[str, ...], list[Record]] = defaultdict(list)
    for record in chart.all(kind):
        placer = order_of(record)
        orders[("placer", placer) if placer else ("record", *record.key)].append(record)
    chart.orders[kind] = [_timeline(chart.calendar, records) for _, records in sorted(orders.items())]
    return chart.orders[kind]


def _timeline(calendar: Calendar, records: list[Record]) -> list[Stretch]:
    pooled = [entry for record in records for entry in _effective(calendar, record)]
    pooled.sort(key=lambda entry: entry[1].order)
    standing = [
        (began, version, record)
        for i, (began, version, record) in enumerate(pooled)
        if not _voided(began, record, i, pooled)
    ]
    standing.sort(key=lambda entry: (entry[0], entry[1].order))
    ends = [entry[0] for entry in standing[1:]] + [FOREVER]
    return [Stretch(v, r, began, ended) for (began, v, r), ended in zip(standing, ends, strict=True) if began < ended]


def _voided(began: datetime, record: Record, place: int, pooled: list[tuple[datetime, Version, Record]]) -> bool:
    """A stop voids what takes effect after it, unless the same source said so later."""
    for i, (stopped, version, stopping) in enumerate(pooled):
        if version.status not in STOPS or version.event["kind"] == "lactation" or began <= stopped or i == place:
            continue
        if place < i:
            return True
        if record.key[0] != stopping.key[0] and not _reopened(i, place, stopped, stopping, pooled):
            return True
    return False


def _reopened(
    stop: int, place: int, stopped: datetime, stopping: Record, pooled: list[tuple[datetime, Version, Record]]
) -> bool:
    """Whether the source of a stop itself opened the order again before another source spoke."""
    return any(
        r.key[0] == stopping.key[0] and v.status not in STOPS and began >= stopped
        for began, v, r in pooled[stop + 1 : place]
    )


def _effective(calendar: Calendar, record: Record) -> list[tuple[datetime, Version, Record]]:
    """From when each version holds."""
    if record.kind == "lactation":
        return [(calendar.midnight(date.fromisoformat(v.get("since"))), v, record) for v in record.live]
    begins: list[datetime] = []
    for i, version in enumerate(record.live):
        said = version.at("effective_from")
        starts = instant(version.get("starts_at"))
        moved = i > 0 and starts != instant(record.live[i - 1].get("starts_at"))
        if said is not None:
            begins.append(said)
        elif moved:
            begins.append(starts)
            begins[0] = starts
        elif i == 0:
            begins.append(starts)
        elif version.status in STOPS and version.at("ends_at") is not None:
            begins.append(instant(version.get("ends_at")))
        else:
            begins.append(version.recorded)
    return [(began, v, record) for began, v in zip(begins, record.live, strict=True)]
