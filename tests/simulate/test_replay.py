"""A simulated month and what was before it, replayed through the service: what is raised is what is true.

Accepted beyond the truth, for a patient without a disease (a clinician would want them told):
- LAC-02, six months of breast-feeding after heparin in the fracture range: a consequence of HEP-02, which is true.
A course of severe pain without a fracture has SPN-01, HIP-01 or HEP-05 in its truth: it must be looked at all the same.
"""

from collections import defaultdict
from functools import cache
from typing import NamedTuple
from zoneinfo import ZoneInfo

import pytest

from schemas.alerts import Notice
from streams.service import Service
from streams.settings import Settings
from streams.simulate.options import Imperfections, Options
from streams.simulate.population import Population
from tests.simulate.hospital import ILL, Run, simulated

MONTH = Options(seed=6, patients=50, days=31, run_in=560, enrich=ILL)
"""Of this seed every tier and disease is there."""
WRONG = Options(
    seed=2, patients=20, days=31, run_in=330, enrich=ILL, imperfections=Imperfections(0.02, 0.02, 0.02, 0.02, 0.2, 0.2)
)
BERLIN = Options(seed=55, patients=50, days=31, run_in=560, zone=ZoneInfo("Europe/Berlin"), enrich=ILL)
MIXED_UP = Options(seed=4, patients=12, days=31, run_in=200, imperfections=Imperfections(unmerged=1))
TIERS = ("HEP-01", "HEP-02", "HEP-04", "HEP-06")
ACCEPTED = frozenset({"LAC-02"})
URGENT = frozenset({"warning", "critical"})


class Replayed(NamedTuple):
    """A run, and what was told of it."""

    run: Run
    notices: list[Notice]

    def raised(self) -> dict[tuple[str, str], set[str]]:
        """The days on which each rule of each patient began to hold, as it was told."""
        found: dict[tuple[str, str], set[str]] = defaultdict(set)
        for notice in self.notices:
            if notice.transition in {"raised", "reopened"}:
                day = notice.effective_at.astimezone(self.run.options.zone).date()
                found[notice.patient_id, notice.rule_id].add(day.isoformat())
        return found

    def true(self) -> dict[tuple[str, str], str]:
        """The day on which each rule should begin to hold."""
        return {(row["patient_id"], row["rule"]): row["on"] for row in self.run.rows("holds")}


@cache
def replayed(options: Options) -> Replayed:
    run = simulated(options)
    service = Service(Settings(time_zone=options.zone.key))
    with service.replaying(Population(options).days.at(options.end)) as replaying:
        notices = list(replaying.run(service.sorted(run.events())))
    return Replayed(run, notices)


@pytest.mark.parametrize("options", [MONTH, BERLIN], ids=["UTC", "Berlin"])
def test_heparin_is_raised_on_the_exact_day(options: Options) -> None:
    """The first tier to the last; HEP-03 is superseded wherever HEP-02 was met before it."""
    month = replayed(options)
    raised, true = month.raised(), month.true()
    expected = {key: day for key, day in true.items() if key[1] in TIERS}
    assert {rule for _, rule in expected} == set(TIERS)
    assert {key: day for key, day in expected.items() if day not in raised.get(key, set())} == {}


def test_heparin_below_15000_iu_is_raised_after_twelve_weeks() -> None:
    month = replayed(MONTH)
    true = month.true()
    alone = {key: day for key, day in true.items() if key[1] == "HEP-03" and (key[0], "HEP-02") not in true}
    assert alone
    assert {key: day for key, day in alone.items() if day not in month.raised().get(key, set())} == {}


def test_no_heparin_tier_is_raised_that_is_not_true() -> None:
    month = replayed(MONTH)
    tiers = {key for key in month.raised() if key[1] in {*TIERS, "HEP-03"}}
    assert tiers - month.true().keys() == set()


def test_everything_else_that_is_true_is_raised_on_its_day() -> None:
    month = replayed(MONTH)
    raised = month.raised()
    others = {key: day for key, day in month.true().items() if not key[1].startswith("HEP-0") or key[1] == "HEP-05"}
    assert {key: day for key, day in others.items() if day not in raised.get(key, set())} == {}
    assert {"SPN-01", "SPN-02", "HIP-01", "VIT-01", "BMD-01", "LAC-01"} <= {rule for _, rule in others}


def ill(run: Run) -> set[str]:
    return {row["patient_id"] for row in run.rows("outcome")}


def test_nobody_without_a_finding_is_told_of_with_urgency() -> None:
    month = replayed(MONTH)
    true = month.true()
    urgent = {(n.patient_id, n.rule_id) for n in month.notices if n.severity in URGENT}
    unfounded = {key for key in urgent if key[0] not in ill(month.run) and key not in true}
    assert {key for key in unfounded if key[1] not in ACCEPTED or (key[0], "HEP-02") not in true} == set()


def test_general_patients_are_left_alone() -> None:
    """An old hip fracture, osteoporosis after the menopause, back pain, days of prophylaxis: nothing urgent."""
    month = replayed(MONTH)
    general = {
        row["patient_id"]
        for row in month.run.rows("course")
        if row["group"].startswith("general") and row["group"] != "general, long_heparin"
    }
    assert len(general) >= 8
    assert {
        (n.patient_id, n.rule_id) for n in month.notices if n.patient_id in general and n.severity in URGENT
    } == set()


def test_heparin_stays_true_through_what_goes_wrong_on_the_way() -> None:
    """Late, duplicated, corrected, cancelled and merged: in order of recording the same days come out."""
    month = replayed(WRONG)
    raised, true = month.raised(), month.true()
    expected = {key: day for key, day in true.items() if key[1] in TIERS}
    assert expected
    assert {key: (day, raised.get(key)) for key, day in expected.items() if day not in raised.get(key, set())} == {}


def test_a_stranger_s_result_is_withdrawn_when_the_two_are_parted() -> None:
    """Her vitamin D is nobody's finding; who was told of it is told that it was a mistake."""
    month = replayed(MIXED_UP)
    true = month.true()
    told = {n.alert_id: n for n in month.notices if n.rule_id == "VIT-02" and (n.patient_id, "VIT-02") not in true}
    assert told
    assert {n.transition for n in told.values()} == {"withdrawn"}
