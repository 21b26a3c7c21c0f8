"""Fractures as they were imaged or coded, and those that a finding of the spine or hip rests on.

Source: docs/intervals.md SPN-02, HIP-02 and MRK-01, and Conditions (one without `onset_at` dates from its first
`recorded_at`; codes of follow-up and sequela speak of an earlier fracture).
"""

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any, Final

import msgspec

from alerting.rules.coded import CODED, Coded
from schemas.definitions import Definition, Name, Reader, define, finding
from schemas.facts import Fact, Study
from schemas.intervals import Evidence, Interval, Intervals
from schemas.rulepack import RulePack
from schemas.tables import Tables
from schemas.views import Pregnancy, winners

_IMAGED: Final = frozenset(
    {
        "vertebral_fracture",
        "femoral_neck_fracture",
        "sacral_fracture",
        "pelvic_fracture",
        "rib_fracture",
        "other_fracture",
    }
)
_CONCEPTS: Final = frozenset(
    {
        "vertebral_fracture",
        "femoral_neck_fracture",
        "femoral_head_fracture",
        "sacral_fracture",
        "pelvic_fracture",
        "rib_fracture",
        "osteoporosis_with_fracture_other_vertebra",
        "osteoporosis_with_fracture_unspecified_site",
    }
)


class Fracture(msgspec.Struct, frozen=True):
    """One fracture: `bone` is the word of the report or the concept of the code; `old` as the report dated it."""

    at: datetime
    bone: str
    old: bool
    fact: Fact

    @property
    def evidence(self) -> Evidence:
        """The report or code."""
        what = self.bone.replace("_", " ")
        return Evidence(what, self.fact.record_id, self.fact.event_id, self.fact.source, begins=self.at)


FRACTURES: Final[Name[tuple[Fracture, ...]]] = Name("fractures")
"""All fractures imaged (final reports) or coded, in clinical time."""

SPN_02, HIP_02 = finding("SPN-02"), finding("HIP-02")
_IMAGING = winners("imaging")


def _imaged(facts: tuple[Fact, ...]) -> Iterator[Fracture]:
    for fact in facts:
        study = fact.payload
        if not isinstance(study, Study) or study.status != "final" or study.performed_at is None:
            continue
        for seen in study.findings:
            if seen.finding in _IMAGED:
                yield Fracture(study.performed_at, seen.finding, seen.age == "old", fact)


def _coded(conditions: tuple[Coded, ...]) -> Iterator[Fracture]:
    for one in conditions:
        for concept in one.concepts:
            if concept in _CONCEPTS:
                yield Fracture(one.at, concept, old=False, fact=one.fact)


@define(FRACTURES, _IMAGING, CODED)
def _fractures(chart: Reader) -> tuple[Fracture, ...]:
    found = (*_imaged(chart[_IMAGING]), *_coded(chart[CODED]))
    return tuple(sorted(found, key=lambda f: (f.at, f.fact.key, f.bone)))


def cited(interval: Interval, fractures: tuple[Fracture, ...]) -> tuple[Fracture, ...]:
    """The fractures, none of them old, whose records a finding rests on."""
    records_cited = {(e.source, e.record_id) for e in interval.evidence}
    return tuple(f for f in fractures if f.fact.key in records_cited and not f.old)


def in_episode(found: Intervals, p: Pregnancy) -> tuple[Interval, ...]:
    """The findings that belong to a pregnancy episode."""
    return tuple(i for i in found if i.episode == p.episode or (i.episode is None and p.holds(i.began)))


def of_episode(chart: Reader, p: Pregnancy) -> tuple[datetime, ...]:
    """When the fractures of an episode were found: those that SPN-02 and HIP-02 rest on."""
    spine, hip = in_episode(chart[SPN_02], p), in_episode(chart[HIP_02], p)
    found = {f.at for i in (*spine, *hip) for f in cited(i, chart[FRACTURES])}
    return tuple(sorted(found | {i.began for i in spine}))


def definitions(_pack: RulePack, _tables: Tables) -> Iterable[Definition[Any]]:
    """The fractures of a chart."""
    return (_fractures,)
