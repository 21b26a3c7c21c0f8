"""Supplies handed out and doses given: RDS and RAS.

Source: HL7 v2.5.1 chapter 4.13 (RDS^O13, RAS^O17), 4.14.5 (RXD), 4.14.7 (RXA), tables 0322, 0323.
"""

from decimal import Decimal
from typing import Final

from schemas.events import Administration, Dispense, Quantity
from streams.intake.hl7v2.coding import unit as said_unit
from streams.intake.hl7v2.control import change
from streams.intake.hl7v2.doses import drug, per_time, quantity, route
from streams.intake.hl7v2.groups import Order
from streams.intake.hl7v2.message import Segment
from streams.intake.hl7v2.reading import Reading, decimal
from streams.intake.hl7v2.seen import accession, placer
from streams.intake.hl7v2.timing import timing
from streams.intake.hl7v2.untranslatable import UntranslatableError

_TAKEN_BACK: Final = frozenset({"stopped", "cancelled"})
_COMPLETION: Final = {"": "completed", "CP": "completed", "PA": "completed", "RE": "not_done", "NA": "not_done"}
_ACTIONS: Final = frozenset({"", "A", "U", "D"})
_UNKNOWN_AMOUNT: Final = Decimal(999)


def dispenses(reading: Reading, order: Order, common: Segment, patient: str) -> None:
    """Each RXD of an order. v2 has no days' supply, so none is told."""
    for rxd in order.named("RXD"):
        _dispense(reading, order, common, rxd, patient)


def _dispense(reading: Reading, order: Order, common: Segment, rxd: Segment, patient: str) -> None:
    when = reading.moment(rxd, 3)
    if when is None:
        raise UntranslatableError("no time of the dispense; accepted: YYYYMMDD[HHMM]", rxd.where(3))
    encoded = order.find("RXE")
    number = placer(order) or accession(order) or rxd.value(7)
    reading.emit(
        Dispense,
        rxd,
        patient=patient,
        record=":".join(filter(None, (number or patient, "dispense", rxd.value(1), when.isoformat()))),
        drug=drug(reading, rxd, 2),
        status="cancelled" if change(common) in _TAKEN_BACK else "completed",
        quantity=quantity(rxd, 4, 5),
        dose=quantity(encoded, 3, 5) if encoded else None,
        doses_per_day=timing(reading, order).doses_per_day,
        route=route(order, rxd),
        dispensed_at=when,
        placer_order=placer(order),
        note=reading.note(order.notes),
    )


def administrations(reading: Reading, order: Order, patient: str) -> None:
    """Each RXA of an order."""
    for rxa in order.named("RXA"):
        _administration(reading, order, rxa, patient)


def _administration(reading: Reading, order: Order, rxa: Segment, patient: str) -> None:
    given_at = reading.moment(rxa, 3)
    if given_at is None:
        raise UntranslatableError("no time of the administration; accepted: YYYYMMDDHHMM", rxa.where(3))
    code = drug(reading, rxa, 5)
    ends_at = reading.moment(rxa, 4)
    dose, rate = _amount(reading, rxa)
    # RXA-2 counts within an order, but many senders always write 1: the time tells one dose from the next.
    number = placer(order) or accession(order) or patient
    reading.emit(
        Administration,
        rxa,
        patient=patient,
        record=":".join((number, "administration", code.code, rxa.value(2), given_at.isoformat())),
        drug=code,
        status=_status(rxa),
        dose=dose,
        rate=rate,
        given_at=given_at,
        ends_at=ends_at if ends_at and ends_at > given_at else None,
        route=route(order, rxa),
        placer_order=placer(order),
        note=reading.note(order.notes),
    )


def _status(rxa: Segment) -> str:
    completion, action = rxa.value(20).upper(), rxa.value(21).upper()
    if completion not in _COMPLETION:
        raise UntranslatableError("no known completion; accepted: CP, PA, RE, NA or empty", rxa.where(20))
    if action not in _ACTIONS:
        raise UntranslatableError("no known action; accepted: A, U, D or empty", rxa.where(21))
    return "entered_in_error" if action == "D" else _COMPLETION[completion]


def _amount(reading: Reading, rxa: Segment) -> tuple[Quantity | None, Quantity | None]:
    """The dose, or with RXA-12 the rate; 999 is an amount that nobody knows."""
    value = decimal(rxa, 6)
    if value is None or value == _UNKNOWN_AMOUNT:
        reading.counted["unknown_amount"] += 1
        return None, None
    unit, time_unit = said_unit(rxa, 7), rxa.value(12)
    if time_unit:
        return None, per_time(value, unit, time_unit)
    return Quantity(value=value, unit=unit), None
