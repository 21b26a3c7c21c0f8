"""How often a day a FHIR timing says; nothing where it leaves a choice."""

from decimal import Decimal
from typing import Any

import pytest

from streams.intake.fhir.datatypes import Quantity, Repeat, Timing
from streams.intake.fhir.timing import counted, doses_per_day, duration


def a_day(**repeat: Any) -> Decimal | None:
    return doses_per_day(Timing(repeat=Repeat.model_validate(repeat)))


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("QD", 1),
        ("BID", 2),
        ("TID", 3),
        ("QID", 4),
        ("Q12H", 2),
        ("Q8H", 3),
        ("Q6H", 4),
        ("QOD", Decimal("0.5")),
        ("BED", 1),
        ("Q0H", None),
        ("PRN", None),
    ],
)
def test_each_abbreviation_has_its_doses_a_day(code: str, expected: Any) -> None:
    assert doses_per_day(Timing.model_validate({"code": {"coding": [{"code": code}]}})) == expected


def test_a_code_goes_before_repeat() -> None:
    both = {"code": {"coding": [{"code": "BID"}]}, "repeat": {"frequency": 3, "period": 1, "periodUnit": "d"}}
    assert doses_per_day(Timing.model_validate(both)) == 2


def test_a_code_that_says_nothing_leaves_repeat() -> None:
    both = {"code": {"text": "twice"}, "repeat": {"frequency": 2, "period": 1, "periodUnit": "d"}}
    assert doses_per_day(Timing.model_validate(both)) == 2


@pytest.mark.parametrize(
    ("frequency", "period", "unit", "expected"),
    [
        (2, 1, "d", 2),
        (1, 12, "h", 2),
        (1, 2, "d", Decimal("0.5")),
        (7, 1, "wk", 1),
        (1, 30, "min", 48),
        (1, 1, "mo", None),
        (1, 1, "a", None),
        (1, 0, "d", None),
        (1, -1, "d", None),
    ],
)
def test_frequency_and_period(frequency: int, period: int, unit: str, expected: Any) -> None:
    found = a_day(frequency=frequency, period=period, periodUnit=unit)
    assert found == expected if found is None else round(found, 9) == expected


def test_a_period_alone_is_once() -> None:
    assert a_day(period=8, periodUnit="h") == 3


@pytest.mark.parametrize(
    "more", [{"frequencyMax": 2}, {"periodMax": 12}, {"when": ["AC"]}], ids=["times", "periods", "meals"]
)
def test_a_range_and_meals_leave_a_choice(more: dict[str, Any]) -> None:
    assert a_day(frequency=1, period=6, periodUnit="h") == 4
    assert a_day(**{"frequency": 1, "period": 6, "periodUnit": "h", **more}) is None


@pytest.mark.parametrize(
    ("repeat", "expected"),
    [
        ({"timeOfDay": ["08:00:00", "20:00:00"]}, 2),
        ({"timeOfDay": ["08:00:00", "20:00:00"], "frequency": 1, "period": 1, "periodUnit": "d"}, 2),
        ({"timeOfDay": ["08:00:00", "20:00:00"], "frequency": 2, "period": 1, "periodUnit": "d"}, 2),
        ({"timeOfDay": ["08:00:00", "20:00:00"], "frequency": 3, "period": 1, "periodUnit": "d"}, None),
        ({"when": ["MORN", "EVE"]}, 2),
        ({"when": ["MORN"], "frequency": 1, "period": 1, "periodUnit": "d"}, 1),
    ],
)
def test_named_times_are_the_times_of_a_day(repeat: dict[str, Any], expected: Any) -> None:
    assert a_day(**repeat) == expected


@pytest.mark.parametrize(
    ("repeat", "expected"),
    [
        ({"dayOfWeek": ["mon", "wed", "fri"], "frequency": 1, "period": 1, "periodUnit": "d"}, 3),
        ({"dayOfWeek": ["mon", "wed", "fri"], "frequency": 3, "period": 1, "periodUnit": "wk"}, 3),
        ({"dayOfWeek": ["mon"], "frequency": 1, "period": 1, "periodUnit": "wk"}, 1),
        ({"dayOfWeek": ["mon", "tue"], "timeOfDay": ["08:00:00", "20:00:00"]}, 4),
    ],
)
def test_days_of_the_week_are_so_many_doses_a_week(repeat: dict[str, Any], expected: int) -> None:
    found = a_day(**repeat)
    assert found is not None
    assert round(found * 7, 9) == expected


def test_days_that_contradict_the_frequency_leave_a_choice() -> None:
    assert a_day(dayOfWeek=["mon", "wed"], frequency=5, period=1, periodUnit="wk") is None


@pytest.mark.parametrize("timing", [None, Timing(), Timing(repeat=Repeat())])
def test_no_timing_is_no_frequency(timing: Timing | None) -> None:
    assert doses_per_day(timing) is None


@pytest.mark.parametrize(
    ("value", "code", "days"),
    [(7, "d", 7), (2, "wk", 14), (36, "h", 1.5), (1, "mo", None), (0, "d", None), (36_501, "d", None)],
)
def test_a_duration_is_fixed_in_days_and_weeks_only(value: int, code: str, days: float | None) -> None:
    found = duration(Quantity(value=Decimal(value), code=code))
    assert (found.total_seconds() / 86_400 if found else None) == days


def test_a_count_lasts_as_long_as_its_doses() -> None:
    found = counted(Repeat.model_validate({"count": 10, "frequency": 2, "period": 1, "periodUnit": "d"}))
    assert found is not None
    assert found.days == 5


def test_a_count_without_a_frequency_has_no_length() -> None:
    assert counted(Repeat(count=10)) is None
