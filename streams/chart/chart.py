"""A patient's chart: facts, what was told, and values derived from the facts."""

from collections.abc import Mapping
from datetime import datetime

from schemas.alerts import Told
from schemas.days import FOREVER
from schemas.facts import Fact, Person
from streams.chart.fold import Facts
from streams.derivation import Values


class Chart:
    """An immutable chart of one surviving identity.

    `values` are derived and may always be derived again; facts and `told` are all that must be kept.
    `next_check_at`: when time alone will next change something.
    `settled`: what decides is as it was when the chart was last decided on, so that only time can change anything.
    """

    __slots__ = ("facts", "next_check_at", "patient_id", "patient_ids", "settled", "told", "values")

    def __init__(
        self,
        patient_id: str,
        facts: Facts,
        told: Mapping[str, Told],
        values: Values,
        patient_ids: tuple[str, ...],
        next_check_at: datetime = FOREVER,
    ) -> None:
        self.patient_id = patient_id
        self.facts = facts
        self.told = told
        self.values = values
        self.patient_ids = patient_ids
        self.next_check_at = next_check_at
        self.settled = False

    def deceased_at(self) -> datetime | None:
        """When the patient died, as the latest-recorded word on it has it."""
        said = [r.winner for r in self.facts.by_group.get("patient", ()) if r.winner is not None]
        known = [
            (f.rank, f.payload.deceased_at) for f in said if isinstance(f.payload, Person) and f.payload.deceased_at
        ]
        return max(known)[1] if known else None

    def of_origins(self, origins: frozenset[str]) -> list[Fact]:
        """The facts said of these identities."""
        return [f for f in self.facts if f.origin in origins]
