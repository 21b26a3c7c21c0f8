"""Imaging as rules read it: final studies of a region, and what they found."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Final

import msgspec

from schemas.facts import Fact, Study, StudyFinding
from schemas.intervals import Evidence

SPINE: Final = frozenset({"spine"})
HIP: Final = frozenset({"hip", "pelvis"})
MRI: Final = frozenset({"MRI"})


class Seen(msgspec.Struct, frozen=True):
    """A final study with the instant at which it was performed."""

    at: datetime
    study: Study
    fact: Fact

    @property
    def evidence(self) -> Evidence:
        """The report."""
        what = f"{self.study.modality} {self.study.region}"
        found = ", ".join(words(f) for f in self.study.findings) or None
        return Evidence(what, self.fact.record_id, self.fact.event_id, self.fact.source, found, begins=self.at)

    def shows(self, *findings: str) -> bool:
        """The report names one of these findings."""
        return any(f.finding in findings for f in self.study.findings)

    @property
    def fractured(self) -> bool:
        """The report names a fracture that is not old."""
        return any(
            f.finding.endswith("_fracture") and f.finding != "no_fracture" and recent(f) for f in self.study.findings
        )


def recent(finding: StudyFinding) -> bool:
    """The report does not call the finding old."""
    return finding.age != "old"


def words(finding: StudyFinding) -> str:
    """`vertebral fracture T12, L1`."""
    detail = ", ".join(finding.levels) or finding.side or ""
    return f"{finding.finding.replace('_', ' ')} {detail}".strip()


def studies(facts: Iterable[Fact], regions: frozenset[str], modalities: frozenset[str] | None = None) -> Iterator[Seen]:
    """The final studies of some regions, in the order in which they were performed."""
    for fact in facts:
        study = fact.payload
        if not isinstance(study, Study) or study.status != "final" or study.performed_at is None:
            continue
        if study.region in regions and (modalities is None or study.modality in modalities):
            yield Seen(study.performed_at, study, fact)


class Instants:
    """Instants in order: the first from one on, or after one."""

    __slots__ = ("_all",)

    def __init__(self, found: Iterable[datetime]) -> None:
        self._all = sorted(found)

    def first_from(self, at: datetime) -> datetime | None:
        """The first at or after an instant."""
        i = bisect_left(self._all, at)
        return self._all[i] if i < len(self._all) else None

    def first_after(self, at: datetime) -> datetime | None:
        """The first after an instant."""
        i = bisect_right(self._all, at)
        return self._all[i] if i < len(self._all) else None


def earliest(*instants: datetime | None) -> datetime | None:
    """The earliest of those that are known."""
    return min((at for at in instants if at is not None), default=None)
