"""What the pharmacy and the drug chart say."""

import heapq
from collections.abc import Iterator
from typing import Any, Final

from streams.simulate.codes import Drug
from streams.simulate.days import DAY, Days
from streams.simulate.heparin import HeparinCourse, Span, supplies
from streams.simulate.messages import Message, Said
from streams.simulate.people import Person
from streams.simulate.script import Spoken, When

PHARMACY: Final = "PHARMACY"
CHART: Final = "CHART"
_CHANGED: Final = 360
_STARTED: Final = 420
_CLOSED: Final = 1320
_DOSES: Final = (480, 1200)
_SUPPLIED: Final = 430

Timed = tuple[int, int, Message]


def prescribed(when: When, number: int, drug: Drug, dose: float, a_day: float | None, status: str = "active") -> Spoken:
    """An order as it stands from now on."""
    order = f"O{when.number}.{number}"
    said = _version(order, drug, dose, a_day, status, when.before(0))
    return Spoken("RDE^O11", PHARMACY, (said,))


def _version(order: str, drug: Drug, dose: float, a_day: float | None, status: str, starts_at: Any) -> Said:
    said: Said = {
        "kind": "prescription",
        "record_id": order,
        "placer_order": order,
        "drug": drug.coded,
        "status": status,
        "dose": {"value": dose, "unit": drug.unit},
        "route": drug.route,
        "starts_at": starts_at,
    }
    return said if a_day is None else {**said, "doses_per_day": a_day}


def heparin_messages(course: HeparinCourse, person: Person, days: Days) -> Iterator[Message]:
    """Everything that is said of a heparin course, in order of time."""
    parts = [_orders(course, person, days)]
    if course.told == "charted":
        parts.append(_doses(course, person, days))
    if course.told == "dispensed":
        parts.append(_supplies(course, person, days))
    return (message for _, _, message in heapq.merge(*parts, key=_key))


def _key(timed: Timed) -> tuple[int, int]:
    return timed[0], timed[1]


def _number(person: Person, span: Span) -> str:
    return f"H{person.number}.{span.order}"


def _orders(course: HeparinCourse, person: Person, days: Days) -> Iterator[Timed]:
    """Order, changes, holds and stop, one version each."""
    for spans in course.orders:
        starts_at = days.at(spans[0].first, _STARTED)
        previous: Span | None = None
        for span in spans:
            if previous is None:
                yield _ordered(course, person, days, span, "active", starts_at, (span.first, _STARTED))
            else:
                if span.first > previous.last + 1:
                    yield _ordered(course, person, days, previous, "on_hold", starts_at, (previous.last, _CLOSED))
                yield _ordered(course, person, days, span, "active", starts_at, (span.first, _CHANGED))
            previous = span
        yield _ordered(course, person, days, spans[-1], "stopped", starts_at, (spans[-1].last, _CLOSED))


def _ordered(
    course: HeparinCourse, person: Person, days: Days, span: Span, status: str, starts_at: Any, at: tuple[int, int]
) -> Timed:
    now = days.at(*at)
    said = _version(_number(person, span), span.drug, span.dose, span.a_day, status, starts_at)
    said["indication"] = course.indication
    if now != starts_at:
        said["effective_from"] = now
    if status == "stopped":
        said["ends_at"] = now
    return at[0] * DAY + at[1], 0, Message(now, "RDE^O11", PHARMACY, person, (said,))


def _doses(course: HeparinCourse, person: Person, days: Days) -> Iterator[Timed]:
    """Each dose with its minute of recording: given, or refused."""
    for span in course.spans:
        dose = {"value": span.dose, "unit": span.drug.unit}
        number = _number(person, span)
        for day in range(span.first, span.last + 1):
            for nth in range(span.a_day):
                recorded = _DOSES[nth] + 5 + (day * 7 + nth * 3) % 15
                said: Said = {
                    "kind": "administration",
                    "record_id": f"{number}.{day}.{nth}",
                    "drug": span.drug.coded,
                    "given_at": days.at(day, _DOSES[nth]),
                    "route": span.drug.route,
                    "placer_order": number,
                    "status": "completed",
                }
                if (day, nth) in course.missed:
                    said["status"] = "not_done"
                else:
                    said["dose"] = dose
                yield day * DAY + recorded, 1, Message(days.at(day, recorded), "RAS^O17", CHART, person, (said,))


def _supplies(course: HeparinCourse, person: Person, days: Days) -> Iterator[Timed]:
    for day, lasting, span in supplies(course.spans):
        number = _number(person, span)
        said: Said = {
            "kind": "dispense",
            "record_id": f"{number}.{day}.supply",
            "drug": span.drug.coded,
            "status": "completed",
            "quantity": {"value": lasting * span.a_day, "unit": "{syringe}"},
            "days_supply": lasting,
            "dose": {"value": span.dose, "unit": span.drug.unit},
            "doses_per_day": span.a_day,
            "route": span.drug.route,
            "dispensed_at": days.at(day, _SUPPLIED),
            "placer_order": number,
        }
        at = days.at(day, _SUPPLIED + 5)
        yield day * DAY + _SUPPLIED + 5, 2, Message(at, "RDS^O13", PHARMACY, person, (said,))
