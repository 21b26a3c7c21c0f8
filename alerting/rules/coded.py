"""Coded conditions in clinical time.

Source: docs/intervals.md, Conditions: one without `onset_at` dates from its record's first `recorded_at`; refuted ones
say nothing.
"""

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any, Final

import msgspec

from schemas.definitions import Definition, Name, Reader, define, records
from schemas.facts import Diagnosis, Fact
from schemas.intervals import Evidence
from schemas.rulepack import RulePack
from schemas.tables import Tables


class Coded(msgspec.Struct, frozen=True):
    """A condition that was coded and not refuted."""

    at: datetime
    concepts: tuple[str, ...]
    side: str | None
    abated_at: datetime | None
    fact: Fact

    def evidence(self, what: str) -> Evidence:
        """The record that says so."""
        code = self.fact.payload.code if isinstance(self.fact.payload, Diagnosis) else None
        return Evidence(what, self.fact.record_id, self.fact.event_id, self.fact.source, code, begins=self.at)


CODED: Final[Name[tuple[Coded, ...]]] = Name("coded")

_CONDITIONS = records("condition")


@define(CODED, _CONDITIONS)
def _coded(chart: Reader) -> tuple[Coded, ...]:
    made = []
    for record in chart[_CONDITIONS]:
        fact = record.winner
        if fact is None or not isinstance(said := fact.payload, Diagnosis) or said.status == "refuted":
            continue
        at = said.onset_at or record.versions[0].recorded_at
        made.append(Coded(at, said.concepts, said.side, said.abated_at, fact))
    return tuple(sorted(made, key=lambda c: (c.at, c.fact.key)))


def of(conditions: Iterable[Coded], *concepts: str) -> Iterator[Coded]:
    """The conditions that mean one of these concepts, in clinical time."""
    return (c for c in conditions if not frozenset(concepts).isdisjoint(c.concepts))


def definitions(_pack: RulePack, _tables: Tables) -> Iterable[Definition[Any]]:
    """The coded conditions of a chart."""
    return (_coded,)
