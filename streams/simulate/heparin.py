"""A heparin course as it was really given: doses, changes, holds, switches and missed doses.

Time: an order begins at 07:00, a change or the end of a hold at 06:00, a hold or a stop at 22:00 of its last day; so a
day is wholly exposed or not at all. Doses are given at 08:00, and where there are two, at 20:00.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from streams.simulate.chance import Chance
from streams.simulate.codes import DALTEPARIN, ENOXAPARIN, HEPARIN, Drug
from streams.simulate.parameters import Figures

ANTI_XA: Final = {"enoxaparin": 100.0}
"""Anti-Xa units a mg."""
_SUPPLY: Final = 28
_UFH: Final = (
    ((5_000,), 4),
    ((7_500, 10_000), 3),
    ((10_000,), 4),
    ((12_500,), 2),
    ((10_000, 12_500), 2),
    ((15_000,), 1),
)
"""Doses, each twice a day, one after the other, and how often: ACOG PB 196, Dahlman 1993."""
_LMWH: Final = (
    ((ENOXAPARIN, ((40, 1),)), 5),
    ((ENOXAPARIN, ((40, 1), (60, 1))), 2),
    ((ENOXAPARIN, ((60, 2),)), 1),
    ((ENOXAPARIN, ((80, 2),)), 2),
    ((DALTEPARIN, ((5_000, 1),)), 3),
    ((DALTEPARIN, ((5_000, 1), (5_000, 2))), 1),
)
INDICATIONS: Final = ("venous thromboembolism", "thrombophilia", "antiphospholipid syndrome", "recurrent loss")


class Span(NamedTuple):
    """One dose over whole days, first and last included; spans of one `order` are its versions."""

    drug: Drug
    dose: float
    a_day: int
    first: int
    last: int
    order: int


@dataclass(frozen=True, slots=True)
class HeparinCourse:
    """What was ordered and what was given. `told`: charted, dispensed or ordered."""

    indication: str
    told: str
    spans: tuple[Span, ...]
    missed: frozenset[tuple[int, int]] = frozenset()
    """(day, which dose of the day)."""

    @property
    def orders(self) -> tuple[tuple[Span, ...], ...]:
        """The spans of each order, in order of time."""
        numbers = dict.fromkeys(span.order for span in self.spans)
        return tuple(tuple(span for span in self.spans if span.order == number) for number in numbers)


class Given(NamedTuple):
    """One day's heparin: the amount that was given and the one that was ordered, in IU."""

    day: int
    group: str
    drug: str
    amount: float
    ordered: float
    doses: int


def given_days(course: HeparinCourse) -> Iterator[Given]:
    """Every day on which at least one dose was really given."""
    for span in course.spans:
        unit = ANTI_XA.get(span.drug.coded["display"], 1.0)
        for day in range(span.first, span.last + 1):
            doses = sum((day, nth) not in course.missed for nth in range(span.a_day))
            if doses:
                amount, whole = doses * span.dose * unit, span.a_day * span.dose * unit
                yield Given(day, span.drug.group, span.drug.coded["display"], amount, whole, doses)


class Window(NamedTuple):
    """When heparin may be given: from and until, and the day of birth if there is one between."""

    first: int
    last: int
    birth: int | None = None
    switch: int | None = None


def plan_heparin(chance: Chance, figures: Figures, window: Window, group: str) -> HeparinCourse:
    """A course of one of the two groups over a window; held on the day of birth."""
    if group == "ufh":
        drug, doses = HEPARIN, tuple((dose, 2) for dose in chance.by_weight(_UFH))
    else:
        drug, doses = chance.by_weight(_LMWH)
    spans = _switched(tuple(_steps(chance, drug, doses, window)), window)
    spans = tuple(_held(spans, _hold_days(chance, window)))
    told = "charted" if chance.happens(figures["charted"]) else _untold(chance, figures)
    missed = _missed(chance, figures["missed_dose"], spans) if told == "charted" else frozenset()
    return HeparinCourse(chance.one_of(INDICATIONS), told, spans, missed)


def _untold(chance: Chance, figures: Figures) -> str:
    return "dispensed" if chance.happens(figures["dispensed"]) else "ordered"


def _steps(chance: Chance, drug: Drug, doses: Sequence[tuple[int, int]], window: Window) -> Iterator[Span]:
    first = window.first
    for i, (dose, a_day) in enumerate(doses):
        final = i == len(doses) - 1
        last = window.last if final else min(first + chance.whole(35, 90), window.last)
        if first <= last:
            yield Span(drug, dose, a_day, first, last, 1)
        first = last + 1


def _switched(spans: tuple[Span, ...], window: Window) -> tuple[Span, ...]:
    """Low molecular weight heparin gives way to unfractionated heparin until birth, and comes back after it."""
    if window.switch is None or window.birth is None:
        return spans
    before = _cut(spans, window.first, window.switch - 1)
    between = Span(HEPARIN, 10_000 if spans[-1].a_day > 1 else 5_000, 2, window.switch, window.birth - 1, 2)
    after = [span._replace(order=3) for span in _cut(spans, window.birth + 1, window.last)]
    return (*before, *((between,) if between.first <= between.last else ()), *after)


def _cut(spans: tuple[Span, ...], first: int, last: int) -> list[Span]:
    cut = (span._replace(first=max(span.first, first), last=min(span.last, last)) for span in spans)
    return [span for span in cut if span.first <= span.last]


def _hold_days(chance: Chance, window: Window) -> list[tuple[int, int]]:
    """The day of birth, and now and then a short hold for a procedure."""
    holds = [(window.birth, window.birth)] if window.birth is not None else []
    length = window.last - window.first
    if length > 60 and chance.happens(0.2):  # noqa: PLR2004 - heuristic: one in five longer courses
        first = window.first + chance.whole(20, length - 20)
        holds.append((first, first + chance.whole(0, 2)))
    return holds


def _held(spans: tuple[Span, ...], holds: list[tuple[int, int]]) -> Iterator[Span]:
    for span in spans:
        pieces = [span]
        for first, last in holds:
            parts = (_cut((piece,), piece.first, first - 1) + _cut((piece,), last + 1, piece.last) for piece in pieces)
            pieces = [part for both in parts for part in both]
        yield from pieces


def _missed(chance: Chance, share: float, spans: tuple[Span, ...]) -> frozenset[tuple[int, int]]:
    """The missed doses, by how many are given between one and the next; never the first of an order."""
    doses = [(day, nth) for span in spans for day in range(span.first, span.last + 1) for nth in range(span.a_day)]
    return frozenset(dose for dose in doses[2:] if chance.happens(share))


def supplies(spans: tuple[Span, ...]) -> Iterator[tuple[int, int, Span]]:
    """(day, days, span): what the pharmacy hands out for an order, never beyond a change."""
    for span in spans:
        for day in range(span.first, span.last + 1, _SUPPLY):
            yield day, min(_SUPPLY, span.last - day + 1), span
