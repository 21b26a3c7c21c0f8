"""The general hospital: the messages of a day in the measured mix, of people who are drawn anew each time.

Nothing is remembered between messages: who a number is follows from the number, so memory does not grow.
"""

from bisect import bisect_left
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from itertools import accumulate
from typing import Final

from streams.simulate import wards
from streams.simulate.chance import Chance
from streams.simulate.codes import (
    CALCIUM,
    CREATININE,
    CRP,
    GLUCOSE,
    HAEMOGLOBIN,
    PLATELETS,
    POTASSIUM,
    SODIUM,
    THYROTROPIN,
    Test,
)
from streams.simulate.days import DAY, Days
from streams.simulate.messages import Message, Said
from streams.simulate.options import Options
from streams.simulate.parameters import Figures
from streams.simulate.people import Person, person, spread

TYPES: Final = {"A08": "ADT^A08", "A31": "ADT^A31", "A04": "ADT^A04", "R01": "ORU^R01", "A40": "ADT^A40"}
OTHERS: Final = (
    ("ADT^A01", 3.0),
    ("ADT^A03", 3.0),
    ("ADT^A02", 2.0),
    ("ADT^A11", 0.5),
    ("ORM^O01", 3.0),
    ("DFT^P03", 3.0),
    ("MDM^T02", 2.0),
)
_SILENT: Final = frozenset({"ADT^A11", "ORM^O01", "DFT^P03", "MDM^T02"})
"""Types of which nothing is read: no event stands for them."""
_WARDS: Final = (
    "EMERGENCY",
    "MEDICINE",
    "SURGERY",
    "CARDIOLOGY",
    "PAEDIATRICS",
    "OUTPATIENTS",
    "RADIOLOGY",
    "DAY CARE",
)
_HOURS: Final = tuple(
    accumulate((1, 1, 1, 1, 1, 2, 4, 7, 10, 11, 11, 10, 8, 9, 9, 8, 7, 5, 4, 3, 2, 2, 2, 1), initial=0)
)
"""How busy the hours of a day are, added up."""
_PEOPLE_A_MESSAGE: Final = 0.4
_NORMAL: Final[tuple[tuple[Test, float, float], ...]] = (
    (SODIUM, 128, 148),
    (POTASSIUM, 3.0, 5.8),
    (CREATININE, 0.5, 2.9),
    (GLUCOSE, 65, 240),
    (CRP, 0.3, 180),
    (HAEMOGLOBIN, 7.5, 16.8),
    (PLATELETS, 60, 520),
    (CALCIUM, 7.6, 11.2),
    (THYROTROPIN, 0.2, 6.5),
)
_SATURDAY: Final = 5
_YEARS: Final = 33_000


class Hospital:
    """A hospital's traffic day by day."""

    def __init__(self, options: Options, figures: Figures, days: Days) -> None:
        self._options = options
        self._days = days
        self._weekend = figures["weekend"]
        whole = sum(figures[f"mix.{name}"] for name in (*TYPES, "other"))
        self._shares = {name: figures[f"mix.{name}"] / whole for name in (*TYPES, "other")}
        self._people = max(50, int(options.messages * _PEOPLE_A_MESSAGE))

    def messages(self) -> Iterator[Message]:
        """The messages of every day, in order of time."""
        for day in range(self._options.first, self._options.end):
            yield from self.of_day(day)

    def quota(self, day: int) -> dict[str, int]:
        """How many messages of each type a day has: the measured shares, fewer at a weekend."""
        weekend = date.fromordinal(day).weekday() >= _SATURDAY
        total = self._options.messages * (self._weekend if weekend else 1)
        return {name: round(total * share) for name, share in self._shares.items()}

    def of_day(self, day: int) -> Iterator[Message]:
        """One day: types in random order and exact number, times as busy as the hours are."""
        chance = Chance(self._options.seed, f"hospital {day}")
        left = self.quota(day)
        total = sum(left.values())
        midnight, second = self._days.at(day), timedelta(seconds=1)
        for nth in range(total):
            name = _drawn(chance, left, total - nth)
            at = midnight + second * _second(nth, total)
            mixed = spread(self._options.seed, day * 1_000_003 + nth)
            yield self._message(name, chance, at, day, nth, mixed)

    def _message(self, name: str, chance: Chance, at: datetime, day: int, nth: int, mixed: int) -> Message:
        kind = TYPES.get(name) or chance.by_weight(OTHERS)
        who = self._somebody(mixed % self._people)
        control = f"{day}.{nth}"
        about = who._replace(number=f"T{control}") if kind == "ADT^A40" else who
        return Message(at, kind, _sender(kind), about, self._said(kind, who, at, mixed, control), control)

    def _somebody(self, number: int) -> Person:
        mixed = spread(self._options.seed, -number - 1)
        born = self._options.first - 30 - (mixed >> 16) % _YEARS
        return person(f"N{number:07d}", mixed, "female" if mixed & 1 else "male", born)

    def _said(self, kind: str, who: Person, at: datetime, mixed: int, control: str) -> tuple[Said, ...]:
        if kind in _SILENT:
            return ()
        if kind == "ORU^R01":
            return tuple(_results(control, at, mixed))
        if kind == "ADT^A40":
            return ({"kind": "patient_merge", "record_id": f"link:T{control}", "into": who.number},)
        known = wards.identity(who)
        return (known,) if kind == "ADT^A31" else (known, _stay(kind, who, at, mixed))


def _sender(kind: str) -> str:
    return "LAB" if kind == "ORU^R01" else "ADT"


def _drawn(chance: Chance, left: dict[str, int], total: int) -> str:
    """A type, as likely as there are messages of it left today."""
    at = chance.whole(0, total - 1)
    for name, count in left.items():
        if at < count:
            left[name] = count - 1
            return name
        at -= count
    raise AssertionError("the counts add up to the total")


def _second(nth: int, total: int) -> int:
    """The second of the day of the nth of so many messages."""
    busy = (nth + 0.5) / total * _HOURS[-1]
    hour = bisect_left(_HOURS, busy) - 1
    within = (busy - _HOURS[hour]) / (_HOURS[hour + 1] - _HOURS[hour])
    return min(int((hour + within) * 3_600), DAY * 60 - 1)


def _stay(kind: str, who: Person, at: datetime, mixed: int) -> Said:
    begun = at - timedelta(minutes=0 if kind in ("ADT^A01", "ADT^A04") else 30 + (mixed >> 20) % 4_000)
    said: Said = {
        "kind": "encounter",
        "record_id": f"V{who.number}.{begun:%Y%m%d%H}",
        "status": "finished" if kind == "ADT^A03" else "active",
        "ward": _WARDS[(mixed >> 12) % len(_WARDS)],
        "starts_at": begun,
    }
    return {**said, "ends_at": at} if kind == "ADT^A03" else said


def _results(control: str, at: datetime, mixed: int) -> Iterator[Said]:
    """Some of the usual tests of one sample, drawn an hour before."""
    collected = at - timedelta(minutes=60)
    count = 2 + mixed % (len(_NORMAL) - 2)
    first = (mixed >> 8) % len(_NORMAL)
    for nth in range(count):
        test, low, high = _NORMAL[(first + nth) % len(_NORMAL)]
        value = low + (high - low) * ((mixed >> (nth * 5)) % 997) / 997
        yield {
            "kind": "lab_result",
            "record_id": f"L{control}:{test.coded['code']}",
            "code": test.coded,
            "status": "final",
            "collected_at": collected,
            "laboratory": "Central laboratory",
            "value": round(value, test.places) if test.places else round(value),
            "unit": test.unit,
            "reference_range": {"low": test.low, "high": test.high},
        }
