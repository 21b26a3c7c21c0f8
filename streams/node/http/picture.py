"""A small picture of numbers over time: bars or points with lines of limits, as plain shapes in a box of 1000 by 200.

Topic: the box is stretched to the width of the page, so that nothing in it is text: words stand beside it in HTML,
where they grow and wrap. The rows are the same in words, for whoever does not see it.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Final

WIDTH: Final = 1000
HEIGHT: Final = 200
_STEPS: Final = 5
"""At most so many round steps are between the bottom and the top."""


@dataclass(frozen=True, slots=True)
class Line:
    """A limit: `y` from the top of the box."""

    y: float
    value: Decimal
    words: str


@dataclass(frozen=True, slots=True)
class Bar:
    """An amount over days; of an unknown amount the bar is as high as the box and drawn otherwise."""

    x: float
    y: float
    width: float
    known: bool


@dataclass(frozen=True, slots=True)
class Dot:
    """A number at an instant."""

    x: float
    y: float


@dataclass(frozen=True, slots=True)
class Row:
    """What a bar or a dot says: days from first to last (one and the same for a dot) and the value, if it is known."""

    first: date
    last: date | None
    value: Decimal | None


@dataclass(frozen=True, slots=True)
class Picture:
    """`least` and `most`: the values at the bottom and the top; `first` and `last`: the days of the sides."""

    title: str
    unit: str
    first: date
    last: date
    least: Decimal
    most: Decimal
    bars: tuple[Bar, ...] = ()
    dots: tuple[Dot, ...] = ()
    lines: tuple[Line, ...] = ()
    rows: tuple[Row, ...] = ()


Limits = Iterable[tuple[str, Decimal]]
"""Words and value of each limit."""


def bars(title: str, unit: str, rows: Sequence[Row], limits: Limits, until: date) -> Picture:
    """Amounts over days; a row without an end goes on until the last day of the picture."""
    first = min(row.first for row in rows)
    last = max([until, *(row.last for row in rows if row.last)])
    lines = tuple(limits)
    values = [*(row.value for row in rows if row.value is not None), *(value for _, value in lines), Decimal(1)]
    box = _Box(first, last, *_round_ends(Decimal(0), max(values)))
    drawn = tuple(box.bar(row) for row in rows)
    return Picture(title, unit, first, last, box.least, box.most, drawn, (), box.limits(lines), tuple(rows))


def dots(title: str, unit: str, rows: Sequence[Row], limits: Limits) -> Picture:
    """Numbers at instants, in their order."""
    lines = tuple(limits)
    values = [row.value for row in rows if row.value is not None] + [value for _, value in lines]
    first, last = min(row.first for row in rows), max(row.first for row in rows)
    box = _Box(first, last, *_round_ends(min(values), max(values)))
    drawn = tuple(Dot(box.middle(row.first), box.y(row.value)) for row in rows if row.value is not None)
    return Picture(title, unit, first, last, box.least, box.most, (), drawn, box.limits(lines), tuple(rows))


def _round_ends(low: Decimal, high: Decimal) -> tuple[Decimal, Decimal]:
    """Round numbers around all values, in steps of 1, 2 or 5."""
    span = (high - low) or max(abs(high), Decimal(1))
    unit = Decimal(1).scaleb((span / _STEPS).adjusted())
    step = next(unit * times for times in (1, 2, 5, 10) if unit * times * _STEPS >= span)
    least, most = low // step * step, -(-high // step) * step
    if least > low:  # the whole part of a negative number is nearer to nought
        least -= step
    if most < high or most == least:
        most += step
    return _plain(least), _plain(most)


def _plain(value: Decimal) -> Decimal:
    """A number without a power of ten."""
    return Decimal(format(value.normalize(), "f"))


@dataclass(frozen=True, slots=True)
class _Box:
    first: date
    last: date
    least: Decimal
    most: Decimal

    @property
    def _a_day(self) -> float:
        return WIDTH / ((self.last - self.first).days + 1)

    def middle(self, day: date) -> float:
        return round(((day - self.first).days + 0.5) * self._a_day, 1)

    def y(self, value: Decimal) -> float:
        return round(float((self.most - value) / (self.most - self.least)) * HEIGHT, 1)

    def bar(self, row: Row) -> Bar:
        x = (row.first - self.first).days * self._a_day
        width = ((row.last or self.last) - row.first).days * self._a_day + self._a_day
        return Bar(round(x, 1), 0 if row.value is None else self.y(row.value), round(width, 1), row.value is not None)

    def limits(self, lines: Limits) -> tuple[Line, ...]:
        return tuple(Line(self.y(value), value, words) for words, value in lines)
