"""The work-up of a fragility fracture: nine tests, and when each was first resulted.

Source: docs/intervals.md SEC-01; docs/evidence.md 7; AACE 2010 table 17.
"""

from collections.abc import Iterable, Iterator
from datetime import date, datetime, timedelta
from typing import Any, Final

import msgspec

from alerting.judge import Judge
from schemas.days import FOREVER, Calendar
from schemas.definitions import Definition, Name, Reader, Record, records
from schemas.facts import Lab
from schemas.rulepack import RulePack
from schemas.tables import Tables

TESTS: Final = {
    "25-OH vitamin D": ("25OHD", "25OHD3"),
    "calcium": ("Ca_total", "Ca_albcorr", "Ca_ionised"),
    "phosphate": ("Phosphate",),
    "creatinine": ("Creatinine",),
    "alkaline phosphatase": ("ALP_total", "BALP"),
    "parathyroid hormone": ("PTH",),
    "TSH": ("TSH",),
    "serum protein electrophoresis": ("SPEP", "M_protein"),
    "blood count": ("CBC", "Hemoglobin"),
}
"""The nine, with the analytes that count as each. Free light chains stand for no electrophoresis."""

_ONCE: Final = frozenset({"serum protein electrophoresis"})
_PANELS: Final = frozenset({"CBC", "SPEP"})
_FINAL: Final = frozenset({"final", "corrected"})


class Resulted(msgspec.Struct, frozen=True):
    """A result: when its first final version was recorded, and the day on which it was collected."""

    at: datetime
    collected: date


class WorkUp(msgspec.Struct, frozen=True):
    """The results of each of the nine tests in the order in which they became final.

    A finding that began on a day counts what was collected from `recent` days before the day + `gap` on.
    """

    gap: int
    recent: int
    results: tuple[tuple[str, tuple[Resulted, ...]], ...] = ()

    def due(self, day: date) -> date:
        """The day from which a work-up of a finding of a day is missed."""
        return day + timedelta(days=self.gap)

    def resulted(self, day: date) -> Iterator[tuple[str, datetime]]:
        """Each test with the instant from which it counts as resulted for a finding of a day; FOREVER: not yet."""
        since = self.due(day) - timedelta(days=self.recent)
        for test, found in self.results:
            counting = (r.at for r in found if test in _ONCE or r.collected >= since)
            yield test, next(counting, FOREVER)

    def complete(self, day: date) -> datetime:
        """When the last of the nine was resulted for a finding of a day; FOREVER: not yet."""
        return max((at for _, at in self.resulted(day)), default=FOREVER)

    def missing(self, day: date, at: datetime) -> tuple[str, ...]:
        """The tests not resulted by an instant for a finding of a day."""
        return tuple(test for test, resulted in self.resulted(day) if resulted > at)


WORK_UP: Final[Name[WorkUp]] = Name("work_up")
_OF_TEST: Final[dict[str, Name[tuple[Resulted, ...]]]] = {test: Name(f"work_up/{test}") for test in TESTS}


def _results(found: Iterable[Record], analytes: tuple[str, ...], calendar: Calendar) -> Iterator[Resulted]:
    for record in found:
        stands = record.winner.payload if record.winner is not None else None
        if not isinstance(stands, Lab) or stands.analyte not in analytes:
            continue
        said_something = False
        for version in record.live:
            lab = version.payload
            if not isinstance(lab, Lab):
                continue
            said_something = (
                said_something or lab.analyte in _PANELS or lab.reported is not None or lab.text is not None
            )
            if lab.status in _FINAL and said_something:
                yield Resulted(version.recorded_at, calendar.day(stands.collected_at))
                break


def definitions(pack: RulePack, _tables: Tables) -> Iterable[Definition[Any]]:
    """The work-up, with the figures of SEC-01."""
    judge = Judge(pack.rules["SEC-01"])
    gap, recent = judge.days("gap_days"), judge.days("recent_days")

    def all_of(chart: Reader) -> WorkUp:
        return WorkUp(gap, recent, tuple((test, chart[name]) for test, name in _OF_TEST.items()))

    return (*map(_of_test, TESTS), Definition(WORK_UP, tuple(_OF_TEST.values()), all_of))


def _of_test(test: str) -> Definition[tuple[Resulted, ...]]:
    """The results of one of the nine, so that a result makes no other test be looked at again."""
    reads = tuple(records(f"lab/{analyte}") for analyte in TESTS[test])

    def derive(chart: Reader) -> tuple[Resulted, ...]:
        found = (_results(chart[name], TESTS[test], chart.calendar) for name in reads)
        return tuple(sorted((r for one in found for r in one), key=lambda r: (r.at, r.collected)))

    return Definition(_OF_TEST[test], reads, derive)
