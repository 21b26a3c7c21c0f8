"""Who the patient is, and what was last said of a risk factor: age, sex, menopause, contraception.

Source: docs/intervals.md SAF-02 and BMD-01.
"""

from collections.abc import Iterable
from datetime import date, datetime

from schemas.facts import Fact, Person, Risk


def born_on(facts: Iterable[Fact]) -> date | None:
    """The birth date that was recorded last; None: unknown."""
    said = [(f.rank, p.birth_date) for f in facts if isinstance(p := f.payload, Person) and p.birth_date]
    return max(said)[1] if said else None


def sex(facts: Iterable[Fact]) -> str | None:
    """female or male as recorded last; None: unknown, or neither."""
    said = [(f.rank, p.sex) for f in facts if isinstance(p := f.payload, Person) and p.sex in {"female", "male"}]
    return max(said)[1] if said else None


def completed_years(born: date, day: date) -> int:
    """Age in completed years on a local day; who is born on 29 February completes a year on 1 March."""
    return day.year - born.year - ((day.month, day.day) < (born.month, born.day))


def factor_at(facts: Iterable[Fact], factor: str, at: datetime) -> Fact | None:
    """The latest report by an instant that a factor is present; None where the latest says absent, or none is there."""
    latest: Fact | None = None
    for fact in facts:  # in the order of observation
        if isinstance(fact.payload, Risk) and fact.payload.factor == factor and fact.payload.observed_at <= at:
            latest = fact
    return latest if latest is not None and isinstance(latest.payload, Risk) and latest.payload.present else None


def present_from(facts: Iterable[Fact], factor: str, at: datetime) -> datetime | None:
    """The first instant, not before `at`, at which the latest report says that a factor is present."""
    known = tuple(facts)
    if factor_at(known, factor, at) is not None:
        return at
    said = (f.payload for f in known if isinstance(f.payload, Risk) and f.payload.factor == factor)
    return next((r.observed_at for r in said if isinstance(r, Risk) and r.present and r.observed_at > at), None)
