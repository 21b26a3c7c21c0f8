"""The measured mix of a hospital's messages."""

from collections import Counter
from datetime import date
from zoneinfo import ZoneInfo

import pytest

from streams.simulate.days import Days
from streams.simulate.options import Options
from streams.simulate.parameters import Figures
from streams.simulate.traffic import OTHERS, Hospital
from tests.simulate.hospital import simulated

MEASURED = {"ADT^A08": 105_846, "ADT^A31": 65_034, "ADT^A04": 36_650, "ORU^R01": 8_439, "ADT^A40": 299}
WEEKDAY = 219_564
MONDAY, SATURDAY = date(2026, 1, 5).toordinal(), date(2026, 1, 10).toordinal()


def hospital(messages: int = WEEKDAY) -> Hospital:
    options = Options(patients=0, mix="hospital", messages=messages)
    return Hospital(options, Figures.enriched(), Days(ZoneInfo("UTC")))


def test_a_weekday_has_the_measured_number_of_each_type() -> None:
    quota = hospital().quota(MONDAY)
    assert sum(quota.values()) == WEEKDAY
    assert [quota[name.partition("^")[2]] for name in MEASURED] == list(MEASURED.values())


def test_weekends_are_quieter_in_the_same_mix() -> None:
    monday, saturday = hospital().quota(MONDAY), hospital().quota(SATURDAY)
    assert 0.3 < sum(saturday.values()) / sum(monday.values()) < 0.7
    assert saturday["A08"] / sum(saturday.values()) == pytest.approx(monday["A08"] / sum(monday.values()), rel=0.01)


def test_the_shares_hold_with_courses_beside_the_traffic() -> None:
    run = simulated(Options(patients=10, days=7, run_in=0, mix="hospital", messages=3_000))
    counts = Counter(one.message.type for one in run.sent)
    total = sum(counts.values())
    for name, measured in MEASURED.items():
        assert counts[name] / total == pytest.approx(measured / WEEKDAY, abs=0.01), name


def test_the_other_types_are_there_and_most_say_nothing() -> None:
    day = list(hospital(30_000).of_day(MONDAY))
    counts = Counter(message.type for message in day)
    assert {name for name, _ in OTHERS} <= counts.keys()
    assert all(not message.said for message in day if message.type in ("DFT^P03", "MDM^T02"))


def test_the_morning_is_busier_than_the_night() -> None:
    hours = Counter(message.at.hour for message in hospital(5_000).of_day(MONDAY))
    assert hours[10] > 5 * hours[3] > 0


def test_a_number_is_always_the_same_person() -> None:
    people: dict[str, set[str]] = {}
    for message in hospital(4_000).of_day(MONDAY):
        if not message.person.number.startswith("T"):
            people.setdefault(message.person.number, set()).add(repr(message.person))
    assert all(len(said) == 1 for said in people.values())
    assert len(people) < 4_000
