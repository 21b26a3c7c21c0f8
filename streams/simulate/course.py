"""A planned course: the patient, what will be said, and what is true."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from streams.simulate.chance import Chance
from streams.simulate.days import named
from streams.simulate.heparin import Given, HeparinCourse, given_days
from streams.simulate.parameters import Figures
from streams.simulate.people import Person
from streams.simulate.script import Act
from streams.simulate.truth import Row, crossings, exposure_rows, held


class Outcome(NamedTuple):
    """A disease that really came: `plo`, `heparin_fracture`, `toh` or `femoral_neck_fracture`."""

    name: str
    began: int
    pain: int
    imaged: int
    detail: str


class Expected(NamedTuple):
    """A rule that should begin to hold on a day, as far as the course itself says so."""

    rule: str
    day: int
    because: str


@dataclass(slots=True)
class Course:
    """One patient over time. Days are ordinal numbers of the site's calendar."""

    person: Person
    group: str
    enters: int
    acts: tuple[Act, ...] = ()
    heparin: HeparinCourse | None = None
    milestones: dict[str, int] = field(default_factory=dict)
    outcomes: list[Outcome] = field(default_factory=list)
    expected: list[Expected] = field(default_factory=list)

    def given(self) -> tuple[Given, ...]:
        """Every day of heparin that was really given."""
        return tuple(given_days(self.heparin)) if self.heparin else ()

    def truth(self, end: int) -> Iterator[Row]:
        """What is true of this course before a day."""
        number = self.person.number
        yield {
            "truth": "course",
            "patient_id": number,
            "group": self.group,
            "born": self.person.born,
            "sex": self.person.sex,
            **{name: named(day) for name, day in self.milestones.items() if day < end},
        }
        days = self.given()
        yield from exposure_rows(number, days, end)
        for outcome in self.outcomes:
            if outcome.began < end:
                yield _outcome_row(number, outcome, end)
        for rule, day, because in (*self.expected, *crossings(days)):
            if day < end:
                yield held(number, rule, day, because)


def _outcome_row(number: str, outcome: Outcome, end: int) -> Row:
    row = {"truth": "outcome", "patient_id": number, "outcome": outcome.name, "began": named(outcome.began)}
    known = {"pain": outcome.pain, "imaged": outcome.imaged}
    return {**row, **{name: named(day) for name, day in known.items() if day < end}, "detail": outcome.detail}


class Planning(NamedTuple):
    """What a plan is made of."""

    chance: Chance
    figures: Figures
    number: str
    mixed: int
    enters: int


Planner = Callable[[Planning], Course]
