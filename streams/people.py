"""Who is whom: links between identities, and which identity survives.

Law: the same links in any order give the same survivors.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime

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


class People:
    """All links known so far.

    Topic: of a record the latest version counts; the latest merge or un-merge of a retired identity is its link; a
    cycle loses its latest link; a chain is followed to its final survivor.
    """

    def __init__(self, links: Iterable[Link] = ()) -> None:
        self._links = frozenset(links)
        self._survivors: dict[str, str] = {}
        self._neighbours: dict[str, set[str]] | None = None
        self._resolve()

    def __contains__(self, link: Link) -> bool:
        return link in self._links

    def links(self) -> list[Link]:
        """Every link, in the order of recording."""
        return sorted(self._links)

    def survivor(self, patient_id: str) -> str:
        """The surviving identity of an identity; itself if it was never retired."""
        return self._survivors.get(patient_id, patient_id)

    def kin(self, patient_id: str) -> frozenset[str]:
        """Every identity that any link ever connected to this one, itself included."""
        if self._neighbours is None:
            self._neighbours = _neighbours(self._links)
        neighbours = self._neighbours
        found, waiting = {patient_id}, [patient_id]
        while waiting:
            for other in neighbours.get(waiting.pop(), ()):
                if other not in found:
                    found.add(other)
                    waiting.append(other)
        return frozenset(found)

    def with_link(self, link: Link) -> "People":
        """The people once one more link is known."""
        return People((*self._links, link))

    def as_of(self, at: datetime) -> "People":
        """The people as the links recorded by an instant have them."""
        return People(link for link in self._links if link.recorded_at <= at)

    def _resolve(self) -> None:
        winners: dict[tuple[str, str], Link] = {}
        for link in self.links():
            winners[link.source, link.record_id] = link
        latest = {link.retired: link for link in sorted(winners.values()) if not link.removed}
        into = {retired: link.into for retired, link in latest.items() if link.merged}
        for cycle in _cycles(into):
            del into[max(cycle, key=lambda retired: latest[retired])]
        for retired in into:
            survivor = retired
            while survivor in into:
                survivor = into[survivor]
            self._survivors[retired] = survivor


def _neighbours(links: Iterable[Link]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for link in links:
        found.setdefault(link.retired, set()).add(link.into)
        found.setdefault(link.into, set()).add(link.retired)
    return found


def _cycles(into: Mapping[str, str]) -> list[list[str]]:
    """The cycles of a functional graph."""
    done: set[str] = set()
    cycles = []
    for start in sorted(into):
        path: list[str] = []
        here = start
        while here in into and here not in done and here not in path:
            path.append(here)
            here = into[here]
        if here in path:
            cycles.append(path[path.index(here) :])
        done.update(path)
    return cycles
