"""What is true of a course, said without asking any rule: exposure day by day, and when published limits are met.

The limits are those of the sources, read anew here: unfractionated heparin for 28 days at 5,000 IU a day; for 49 days
at 15,000 (Dahlman 1993); for 84 days at 10,000; for 119 days at 20,000 or 180 days at 15,000 (Dahlman 1993, Griffith
1965); low molecular weight heparin for 90 days. Days are days on which heparin was really given. On the day that is
judged, and on the first of all, at least the ordered amount counts, as that day is not over at its first dose.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Final

from streams.simulate.days import named
from streams.simulate.heparin import Given

Row = dict[str, Any]
_ROLLING: Final = 28
_LMWH_DAYS: Final = 90


class Exposure:
    """The unfractionated heparin of a course up to and with a day."""

    def __init__(self) -> None:
        self.days = 0
        self.mean = 0.0
        self.rolling = 0.0
        self._total = 0.0
        self._amounts: list[float] = []

    def count(self, day: Given) -> None:
        """Take one more exposed day; the mean counts the judged day whole."""
        whole = max(day.amount, day.ordered)
        self.days += 1
        self.mean = (self._total + whole) / self.days
        last = [*self._amounts[-(_ROLLING - 1) :], whole]
        self.rolling = sum(last) / len(last)
        kept = whole if self.days == 1 else day.amount
        self._total += kept
        self._amounts = [*self._amounts[-(_ROLLING - 1) :], kept]


_TIERS: Final[tuple[tuple[str, Callable[[Exposure], bool]], ...]] = (
    ("HEP-01", lambda e: e.days >= 28 and e.mean >= 5_000),  # noqa: PLR2004
    ("HEP-02", lambda e: e.days >= 49 and max(e.mean, e.rolling) >= 15_000),  # noqa: PLR2004
    ("HEP-03", lambda e: e.days >= 84 and e.mean >= 10_000),  # noqa: PLR2004
    (
        "HEP-04",
        lambda e: (e.days >= 119 and e.mean >= 20_000) or (e.days >= 180 and e.mean >= 15_000),  # noqa: PLR2004
    ),
)


def crossings(days: Sequence[Given]) -> Iterator[tuple[str, int, str]]:
    """(rule, day, reason): the first day on which each published limit was met."""
    yield from _ufh_crossings([day for day in days if day.group == "ufh"])
    lmwh = sorted({day.day for day in days if day.group == "lmwh"})
    if len(lmwh) >= _LMWH_DAYS:
        yield "HEP-06", lmwh[_LMWH_DAYS - 1], f"{_LMWH_DAYS} days of low molecular weight heparin"


def _ufh_crossings(days: Sequence[Given]) -> Iterator[tuple[str, int, str]]:
    exposure, open_tiers = Exposure(), dict(_TIERS)
    for day in days:
        exposure.count(day)
        for rule in [rule for rule, met in open_tiers.items() if met(exposure)]:
            del open_tiers[rule]
            mean = round(max(exposure.mean, exposure.rolling) if rule == "HEP-02" else exposure.mean)
            yield rule, day.day, f"{exposure.days} days of unfractionated heparin, mean {mean} IU a day"


def exposed_before(days: Iterable[Given], day: int) -> tuple[int, int]:
    """(UFH days, LMWH days) given up to and with a day, if the last was at most 183 days before it."""
    known = [d for d in days if d.day <= day]
    if not known or day - max(d.day for d in known) > 183:  # noqa: PLR2004 - recent exposure, as the sources count it
        return 0, 0
    return len({d.day for d in known if d.group == "ufh"}), len({d.day for d in known if d.group == "lmwh"})


def exposure_rows(patient_id: str, days: Sequence[Given], end: int) -> Iterator[Row]:
    """One row a drug: every day with the amount in IU and the number of doses really given."""
    for drug, group in dict.fromkeys((d.drug, d.group) for d in days):
        of_drug = [[named(d.day), d.amount, d.doses] for d in days if d.drug == drug and d.day < end]
        if of_drug:
            yield {
                "truth": "exposure",
                "patient_id": patient_id,
                "drug": drug,
                "group": group,
                "unit": "[IU]/d",
                "exposed_days": len(of_drug),
                "days": of_drug,
            }


def held(patient_id: str, rule: str, day: int, because: str) -> Row:
    """A rule that should begin to hold on a day."""
    return {"truth": "holds", "patient_id": patient_id, "rule": rule, "on": named(day), "because": because}
