"""Who is whom: links between identities, and which identity survives.

Law: the same links in any order give the same survivors.
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Final, TypeAlias

import msgspec

from schemas.days import to_utc
from schemas.events import PatientMerge, PatientUnmerge


class Link(msgspec.Struct, frozen=True, order=True):
    """One version of one word on a retired identity: merged into another, or never the same (`merged` False).

    `removed`: the version says that the record was entered in error or cancelled.
    """

    recorded_at: datetime
    removed: bool
    event_id: str
    source: str
    record_id: str
    retired: str
    into: str
    merged: bool


def link_of(event: PatientMerge | PatientUnmerge) -> Link | None:
    """The link that an event says; None where an identity is linked to itself, which says nothing."""
    if event.patient_id == event.into:
        return None
    return Link(
        recorded_at=to_utc(event.recorded_at),
        removed=event.record_status != "active",
        event_id=event.event_id,
        source=event.source,
        record_id=event.record_id,
        retired=event.patient_id,
        into=event.into,
        merged=isinstance(event, PatientMerge),
    )


class Family:
    """Identities that links, or versions of one link, ever connected, and which of them survives.

    `at`: as the links recorded by an instant have them.
    """

    __slots__ = ("_survivors", "links", "members")

    def __init__(self, links: frozenset[Link], at: datetime | None = None) -> None:
        self.links = links
        self.members = frozenset(p for link in links for p in (link.retired, link.into))
        self._survivors = _survivors(links if at is None else (link for link in links if link.recorded_at <= at))

    def survivor(self, patient_id: str) -> str:
        return self._survivors.get(patient_id, patient_id)

    def known_by(self) -> Iterator["_Key"]:
        """What leads to this family: its identities, and the records that speak of them."""
        yield from self.members
        yield from {(link.source, link.record_id) for link in self.links}


class Survivors:
    """Which identity survives."""

    def survivor(self, patient_id: str) -> str:
        """The surviving identity of an identity; itself if it was never retired."""
        raise NotImplementedError


class People(Survivors):
    """All links known so far.

    Topic: of a record the latest version counts; the latest merge or un-merge of a retired identity is its link; a
    cycle loses its latest link; a chain is followed to its final survivor. A link changes nothing but its own family:
    everything else is shared with the people before it.
    """

    def __init__(self, links: Iterable[Link] = ()) -> None:
        self._families = _Families().with_families(map(Family, _connected(links)))

    def __contains__(self, link: Link) -> bool:
        family = self._families.of(link.retired)
        return family is not None and link in family.links

    def links(self) -> list[Link]:
        """Every link, in the order of recording."""
        return sorted(link for family in self._families for link in family.links)

    def survivor(self, patient_id: str) -> str:
        family = self._families.of(patient_id)
        return patient_id if family is None else family.survivor(patient_id)

    def kin(self, patient_id: str) -> frozenset[str]:
        """Every identity that any link, or another version of it, ever connected to this one, itself included."""
        family = self._families.of(patient_id)
        return frozenset((patient_id,)) if family is None else family.members

    def with_link(self, link: Link) -> "People":
        """The people once one more link is known."""
        links = {link}.union(*(f.links for key in _near(link) if (f := self._families.of(key)) is not None))
        fresh = People()
        fresh._families = self._families.with_families([Family(frozenset(links))])
        return fresh

    def as_of(self, at: datetime) -> Survivors:
        """The people as the links recorded by an instant have them."""
        return _Then(self._families, at)


class _Then(Survivors):
    """The people of an instant; a family is resolved when it is asked for."""

    def __init__(self, families: "_Families", at: datetime) -> None:
        self._families = families
        self._at = at
        self._resolved: dict[int, Family] = {}

    def survivor(self, patient_id: str) -> str:
        now = self._families.of(patient_id)
        if now is None:
            return patient_id
        if id(now) not in self._resolved:
            self._resolved[id(now)] = Family(now.links, self._at)
        return self._resolved[id(now)].survivor(patient_id)


_Key: TypeAlias = str | tuple[str, str]
_SHELVES: Final = 256


class _Families:
    """Families by identity and record, on shelves: a changed copy copies the shelves that it touches, and no other."""

    def __init__(self, shelves: tuple[dict[_Key, Family], ...] = ({},) * _SHELVES) -> None:
        self._shelves = shelves

    def of(self, key: _Key) -> Family | None:
        return self._shelves[hash(key) % _SHELVES].get(key)

    def __iter__(self) -> Iterator[Family]:
        return iter({id(family): family for shelf in self._shelves for family in shelf.values()}.values())

    def with_families(self, families: Iterable[Family]) -> "_Families":
        shelves = list(self._shelves)
        copied: set[int] = set()
        for family in families:
            for key in family.known_by():
                place = hash(key) % _SHELVES
                if place not in copied:
                    copied.add(place)
                    shelves[place] = dict(shelves[place])
                shelves[place][key] = family
        return _Families(tuple(shelves))


def _connected(links: Iterable[Link]) -> Iterator[frozenset[Link]]:
    """The links by family."""
    by_key: dict[_Key, list[Link]] = {}
    for link in links:
        for key in _near(link):
            by_key.setdefault(key, []).append(link)
    seen: set[_Key] = set()
    for start in by_key:
        if start in seen:
            continue
        seen.add(start)
        found: set[Link] = set()
        waiting = [start]
        while waiting:
            for link in by_key[waiting.pop()]:
                found.add(link)
                fresh = [key for key in _near(link) if key not in seen]
                seen.update(fresh)
                waiting += fresh
        yield frozenset(found)


def _near(link: Link) -> tuple[_Key, _Key, _Key]:
    return link.retired, link.into, (link.source, link.record_id)


def _survivors(links: Iterable[Link]) -> dict[str, str]:
    winners: dict[tuple[str, str], Link] = {}
    for link in sorted(links):
        winners[link.source, link.record_id] = link
    latest = {link.retired: link for link in sorted(winners.values()) if not link.removed}
    into = {retired: link.into for retired, link in latest.items() if link.merged}
    for cycle in _cycles(into):
        del into[max(cycle, key=lambda retired: latest[retired])]
    found: dict[str, str] = {}
    for retired in into:
        chain = []
        here = retired
        while here in into and here not in found:
            chain.append(here)
            here = into[here]
        found |= dict.fromkeys(chain, found.get(here, here))
    return found


def _cycles(into: Mapping[str, str]) -> list[list[str]]:
    """The cycles of a functional graph."""
    done: set[str] = set()
    cycles = []
    for start in sorted(into):
        path: dict[str, None] = {}
        here = start
        while here in into and here not in done and here not in path:
            path[here] = None
            here = into[here]
        if here in path:
            walked = list(path)
            cycles.append(walked[walked.index(here) :])
        done.update(path)
    return cycles
