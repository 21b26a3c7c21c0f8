"""Orders as timelines, and what an incident taught about them."""

from datetime import timedelta
from decimal import Decimal

import pytest

from schemas.facts import Dose, Order, Supply
from schemas.views import Ledger, ledger
from tests.support import Patient, day, number, on

UFH = "heparin_ufh"


def order(
    iu: float = 10_000,
    *,
    starts: float = 10,
    status: str = "active",
    ends: float | None = None,
    effective: float | None = None,
    per_day: float = 2,
    placer: str | None = "RX-1",
) -> Order:
    """A version of an order of heparin."""
    return Order(
        status,
        "heparin",
        UFH,
        on(starts),
        None if effective is None else on(effective),
        None if ends is None else on(ends),
        Decimal(str(iu)),
        "[IU]",
        number(per_day),
        placer_order=placer,
    )


def exposure(patient: Patient) -> Ledger:
    """The ledger of unfractionated heparin."""
    found: Ledger = patient.values()[ledger(UFH).key]
    return found


def test_two_sources_that_stop_an_order_at_one_instant_stop_it() -> None:
    """The pharmacy repeats the ward's stop time: both stops used to void each other, and heparin ran on for ever."""
    patient = Patient()
    for source in ("WARD", "PHARMACY"):
        patient.say(order(), record="order", source=source, recorded_at=on(10))
        stop = order(status="stopped", ends=20)
        patient.say(stop, record="order", source=source, recorded_at=on(20, 9 + (source == "WARD")))
    assert exposure(patient).last_by(day(200)) == day(20)


def test_another_source_does_not_reopen_a_stopped_order_but_its_own_does() -> None:
    stopped = Patient().say(order(), record="order", source="WARD", recorded_at=on(10))
    stopped.say(order(status="stopped", ends=20), record="order", source="WARD", recorded_at=on(20, 9))
    stopped.say(order(effective=30), record="order", source="PHARMACY", recorded_at=on(30))
    assert exposure(stopped).last_by(day(200)) == day(20)
    stopped.say(order(effective=40), record="order", source="WARD", recorded_at=on(40))
    assert exposure(stopped).on(day(100)) is not None


def test_an_earlier_recorded_change_that_takes_effect_after_a_stop_is_void() -> None:
    patient = Patient().say(order(), record="order", recorded_at=on(10))
    patient.say(order(5_000, effective=40), record="order", recorded_at=on(15))
    patient.say(order(status="stopped", ends=20), record="order", recorded_at=on(20, 9))
    assert exposure(patient).last_by(day(200)) == day(20)


@pytest.mark.parametrize("effective", [None, 12])
def test_a_version_that_moves_the_start_re_dates_the_order(effective: float | None) -> None:
    patient = Patient().say(order(effective=effective), record="order", recorded_at=on(9))
    patient.say(order(starts=20), record="order", recorded_at=on(15))
    assert exposure(patient).next_from(day(0)) == day(20)


def test_a_change_recorded_before_the_start_takes_effect_at_the_start() -> None:
    patient = Patient().say(order(5_000), record="order", recorded_at=on(1))
    patient.say(order(7_500), record="order", recorded_at=on(5))
    found = exposure(patient).on(day(30))
    assert found is not None
    assert found.amount == 15_000


def test_a_cancelled_order_never_was_and_only_a_later_version_revives_it() -> None:
    patient = Patient().say(order(), record="order", recorded_at=on(10))
    patient.say(order(status="cancelled"), record="order", recorded_at=on(20))
    assert not exposure(patient).stretches
    patient.say(order(starts=10, effective=25), record="order", recorded_at=on(25))
    assert exposure(patient).next_from(day(0)) == day(25)


@pytest.mark.parametrize(("iu", "per_day"), [(0, 2), (5_000, 0)])
def test_an_order_of_nothing_is_no_exposure(iu: float, per_day: float) -> None:
    assert not exposure(Patient().say(order(iu, per_day=per_day), recorded_at=on(10))).stretches


def test_a_dose_of_nothing_is_one_that_was_not_given() -> None:
    patient = Patient().say(order(), record="order", recorded_at=on(10))
    patient.say(Dose("completed", "heparin", UFH, on(15), dose=Decimal(0), unit="[IU]"), recorded_at=on(15))
    assert exposure(patient).on(day(15)) is None
    assert exposure(patient).on(day(16)) is not None


@pytest.mark.parametrize(("days", "covered"), [("0.5", 0), ("1", 1), ("730", 730), ("731", 0), ("5e6", 0), ("1e30", 0)])
def test_a_supply_of_absurd_length_covers_nothing(days: str, covered: int) -> None:
    supply = Supply("completed", "heparin", UFH, on(10), Decimal(days))
    assert exposure(Patient().say(supply, recorded_at=on(10))).count(day(0), day(9000)) == covered


@pytest.mark.parametrize(("days", "exposed"), [(31, 32), (32, 1), (60_000, 1)])
def test_an_infusion_with_an_absurd_end_exposes_its_first_day(days: int, exposed: int) -> None:
    infusion = Dose(
        "completed", "heparin", UFH, on(10), on(10) + timedelta(days=days), rate=Decimal(1_000), rate_unit="[IU]/h"
    )
    assert exposure(Patient().say(infusion, recorded_at=on(10))).count(day(0), day(99_999)) == exposed
