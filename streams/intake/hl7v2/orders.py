"""Order messages: imaging, laboratory and care orders, medication, and appointments.

Source: HL7 v2.5.1 chapter 4.4 (ORM^O01, OMG^O19, OML^O21), 10.4 (SIU), 10.6 (SCH, AIS).
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Final

from schemas.events import CareOrder, Imaging, LabOrder
from streams.intake.hl7v2.coding import coded, entity
from streams.intake.hl7v2.control import Change, change
from streams.intake.hl7v2.groups import Order, orders
from streams.intake.hl7v2.imaging import imaging_record
from streams.intake.hl7v2.medication import administrations, dispenses
from streams.intake.hl7v2.message import Segment
from streams.intake.hl7v2.prescriptions import prescription
from streams.intake.hl7v2.reading import Reading
from streams.intake.hl7v2.seen import accession, placer
from streams.intake.hl7v2.timing import timing
from streams.intake.hl7v2.untranslatable import UntranslatableError
from streams.intake.hl7v2.versions import version

READ: Final = frozenset(
    {"MSH", "EVN", "PID", "PV1", "ORC", "OBR", "NTE", "TQ1", "RXO", "RXE", "RXD", "RXA", "RXR", "SCH", "AIS", "RGS"}
)
"""The segments of an order message that are read; any other is counted."""
_LAB_STATUS: Final[dict[Change, str]] = {"stopped": "cancelled", "cancelled": "cancelled", "completed": "completed"}
_IMAGING_STATUS: Final[dict[Change, str]] = {
    "stopped": "cancelled",
    "cancelled": "cancelled",
    "completed": "performed",
}
_MOST_PARTS: Final = 1000
_LABORATORY: Final = "OML"
_CANCELS: Final = frozenset({"S15", "S16", "S17", "S20", "S21", "S22", "S26"})
_BOOKS: Final = frozenset({"S12", "S13", "S14", "S18", "S19"})


@dataclass(frozen=True, slots=True)
class Asked:
    """A service that is asked for, and what its order control does to it."""

    order: Order
    common: Segment
    request: Segment
    patient: str
    changed: Change


Part = Callable[[Reading, Order, Segment, str], None]


def translate_orders(reading: Reading) -> None:
    """Every order of the message."""
    for order in orders(reading.message):
        if order.common or order.request or order.find("RXA") or order.find("RXD"):
            reading.attempt(partial(_order, reading, order))


def _order(reading: Reading, order: Order) -> None:
    if order.patient is None:
        raise UntranslatableError("no PID before the order; accepted: PID, then ORC", "PID")
    if len(order.others) > _MOST_PARTS:
        raise UntranslatableError(f"{len(order.others)} parts in one order; accepted: up to {_MOST_PARTS}", "ORC")
    patient = reading.patient(order.patient)
    if order.find("RXA"):
        administrations(reading, order, patient)
        return
    if order.common is None:
        raise UntranslatableError("no ORC before the order; accepted: ORC, then OBR or RXE", "ORC")
    _part(order)(reading, order, order.common, patient)


def _part(order: Order) -> Part:
    if order.find("RXD"):
        return dispenses
    if order.find("RXE") or order.find("RXO") or order.request is None:
        return prescription
    return _request


def _request(reading: Reading, order: Order, common: Segment, patient: str) -> None:
    changed = change(common)
    if changed is None:
        reading.ignored[f"ORC-1 {common.value(1)}"] += 1
        return
    asked = Asked(order, common, order.request or common, patient, changed)
    study = coded(asked.request, 4, reading.tables, reading.tables.imaging)[1]
    care = coded(asked.request, 4, reading.tables, reading.tables.care_order)[1]
    if study is not None:
        _imaging(reading, asked, study)
    elif care is not None:
        _care_order(reading, asked, care)
    else:
        _lab_order(reading, asked)


def _imaging(reading: Reading, asked: Asked, study: tuple[str, str]) -> None:
    order, request, changed = asked.order, asked.request, asked.changed
    reading.emit(
        Imaging,
        request,
        patient=asked.patient,
        record=imaging_record(order) or _unnumbered(request),
        status=_IMAGING_STATUS.get(changed, "ordered"),
        modality=study[0],
        region=study[1],
        ordered_at=reading.first_moment((order.common, 9)) or reading.recorded_at,
        scheduled_for=reading.moment(request, 36),
        performed_at=reading.moment(request, 7) if changed == "completed" else None,
    )


def _lab_order(reading: Reading, asked: Asked) -> None:
    order, request = asked.order, asked.request
    code, known = coded(request, 4, reading.tables, reading.tables.observation)
    reading.counted["unmapped_code"] += known is None
    laboratory = reading.message.header.value(9) == _LABORATORY
    if not laboratory and (known is None or known.kind != "lab_result"):
        reading.ignored["order of another service"] += 1
        return
    number = placer(order) or accession(order) or _unnumbered(request)
    reading.emit(
        LabOrder,
        request,
        patient=asked.patient,
        record=f"order:{number}:{code.code}",
        code=code,
        status=_LAB_STATUS.get(asked.changed, "active"),
        ordered_at=reading.first_moment((order.common, 9), (request, 6)) or reading.recorded_at,
    )


def _care_order(reading: Reading, asked: Asked, care: str) -> None:
    order = asked.order
    record = f"care:{placer(order) or accession(order) or _unnumbered(asked.common)}"
    when = timing(reading, order)
    before = reading.last(record, CareOrder)
    held = version(reading, asked.common, asked.changed, when, before.starts_at if before else None)
    reading.emit(
        CareOrder,
        asked.common,
        patient=asked.patient,
        record=record,
        order=care,
        status=held.status,
        starts_at=held.starts_at,
        effective_from=held.effective_from,
        ends_at=held.ends_at,
    )


def _unnumbered(segment: Segment) -> str:
    raise UntranslatableError("no order number; accepted: a placer or filler order number", segment.where(2))


def translate_appointment(reading: Reading) -> None:
    """An appointment for an imaging service, booked or cancelled."""
    trigger = reading.trigger
    pid, schedule = reading.message.find("PID"), reading.message.find("SCH")
    if trigger not in _CANCELS | _BOOKS:
        reading.ignored[reading.message_type] += 1
        return
    if schedule is None:
        raise UntranslatableError("no SCH; accepted: SCH, PID, RGS, AIS", "SCH[1]")
    if pid is None:
        raise UntranslatableError("no PID; accepted: SCH, PID, RGS, AIS", "PID[1]")
    patient = reading.patient(pid)
    for service in reading.message.named("AIS"):
        reading.attempt(partial(_service, reading, schedule, service, patient, cancelled=trigger in _CANCELS))


def _service(reading: Reading, schedule: Segment, service: Segment, patient: str, *, cancelled: bool) -> None:
    _, study = coded(service, 3, reading.tables, reading.tables.imaging)
    if study is None:
        reading.counted["unmapped_code"] += 1
        reading.ignored["appointment of another service"] += 1
        return
    reading.emit(
        Imaging,
        service,
        patient=patient,
        record=_appointment(schedule),
        status="cancelled" if cancelled or service.value(2) == "D" else "booked",
        modality=study[0],
        region=study[1],
        scheduled_for=reading.moment(service, 4) or _scheduled(reading, schedule),
    )


def _scheduled(reading: Reading, schedule: Segment) -> object:
    text = schedule.value(11, 4)
    return reading.read_moment(text, "", schedule.where(11)) if text else None


def _appointment(schedule: Segment) -> str:
    """The order that the appointment is for, so that its booking follows the order; else the appointment."""
    order = entity(schedule, 26) or entity(schedule, 27)
    if order:
        return f"imaging:{order}"
    own = entity(schedule, 2) or entity(schedule, 1)
    if own is None:
        raise UntranslatableError("no appointment number; accepted: SCH-1 or SCH-2", schedule.where(1))
    return f"appointment:{own}"
