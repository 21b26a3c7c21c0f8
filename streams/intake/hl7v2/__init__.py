"""HL7 v2 to events: one message in, its events or its refusals out. Pure.

Topic: what is read of a message stands in the translator of its family (`observations`, `orders`, `adt`, `merges`).
`source` is the site's name for the feed, else MSH-3 and MSH-4 joined by `|`.
`recorded_at` is MSH-7, else EVN-2. `event_id` is MSH-10 with the segment's name and ordinal.
Source: HL7 v2.5.1 chapters 2 to 4, 6, 7, 10.
"""

from collections.abc import Callable
from datetime import datetime
from functools import partial
from hashlib import sha256
from typing import Final

from schemas.tables import Tables
from streams.intake.hl7v2 import adt, merges, observations, orders
from streams.intake.hl7v2.files import split_hl7v2
from streams.intake.hl7v2.message import Message, Segment, parse
from streams.intake.hl7v2.reading import Reading, shortened
from streams.intake.hl7v2.times import UnreadableTimeError, moment
from streams.intake.hl7v2.untranslatable import UntranslatableError
from streams.intake.outcome import Refusal, Translation
from streams.intake.site import Directory, Site

__all__ = ["split_hl7v2", "translate_hl7v2"]

_NEVER_LIVE: Final = frozenset({"T", "D"})
_LIVE: Final = frozenset({"P", ""})
_LONGEST_LABEL: Final = 64

Family = tuple[Callable[[Reading], None], frozenset[str]]

_RESULTS: Final[Family] = (observations.translate_results, observations.READ)
_ORDERS: Final[Family] = (orders.translate_orders, orders.READ)
_BY_TYPE: Final[dict[tuple[str, str], Family]] = {
    ("ORU", "R01"): _RESULTS,
    ("ORU", "R30"): _RESULTS,
    ("OUL", "R22"): _RESULTS,
    ("ORU", ""): _RESULTS,
    **{(code, "O01"): _ORDERS for code in ("ORM", "RDE", "RDS", "RAS")},  # v2.2: one trigger for all orders
    **{(code, ""): _ORDERS for code in ("ORM", "OML", "OMG", "OMI", "OMP", "RDE", "RDS", "RAS")},
    ("OML", "O21"): _ORDERS,
    ("OMG", "O19"): _ORDERS,
    ("OMI", "O23"): _ORDERS,
    ("OMP", "O09"): _ORDERS,
    ("RDE", "O11"): _ORDERS,
    ("RDE", "O25"): _ORDERS,
    ("RDS", "O13"): _ORDERS,
    ("RAS", "O17"): _ORDERS,
    **{("SIU", f"S{number}"): (orders.translate_appointment, orders.READ) for number in range(12, 27)},
    **{("ADT", trigger): (adt.translate_visit, adt.READ) for trigger in adt.TRIGGERS},
    **{("ADT", trigger): (merges.translate_merge, merges.READ) for trigger in merges.MERGES},
    **{("ADT", trigger): (merges.translate_link, merges.READ) for trigger in (merges.LINK, merges.UNLINK)},
    ("ADT", merges.MOVES_A_NUMBER): (merges.refuse_move, merges.READ),
}
"""What is translated; every other type matters to nobody and is counted."""


def translate_hl7v2(raw: bytes, *, site: Site, tables: Tables, directory: Directory) -> Translation:
    """Translate one message, framed or bare.

    Returns: its events; what could not be translated, each part by name; what was ignored and noticed.
    Errors: none; bytes that are no message are a refusal.
    """
    try:
        message = parse(raw)
    except UntranslatableError as error:
        return _refused("HL7 v2 message", error)
    name = _type(message)
    try:
        return _translate(
            message, name, partial(_reading, message, name, raw, site=site, tables=tables, directory=directory)
        )
    except UntranslatableError as error:
        return _refused(f"{name or 'HL7 v2 message'} {message.header.value(10)}".strip()[:_LONGEST_LABEL], error)


def _refused(refused: str, error: UntranslatableError) -> Translation:
    return Translation(refusals=(Refusal(refused, error.reason, error.where),))


def _type(message: Message) -> str:
    code, trigger = message.header.value(9), _trigger(message)
    return "^".join(filter(None, (code, trigger)))[:_LONGEST_LABEL]


def _trigger(message: Message) -> str:
    event = message.find("EVN")
    return message.header.value(9, 2) or (event.value(1) if event else "")


def _translate(message: Message, name: str, reading: Callable[[], Reading]) -> Translation:
    processing = message.header.value(11)
    if processing in _NEVER_LIVE:
        return Translation(ignored={f"MSH-11 {processing}": 1})
    if processing not in _LIVE:
        raise UntranslatableError("no known processing id; accepted: P; T and D are ignored", "MSH[1]-11")
    if not message.header.value(9):
        raise UntranslatableError("no message type; accepted: e.g. ORU^R01", "MSH[1]-9")
    family = _BY_TYPE.get((message.header.value(9), _trigger(message)))
    if family is None:
        return Translation(ignored={name: 1})
    return _read(reading(), *family)


def _reading(message: Message, name: str, raw: bytes, *, site: Site, tables: Tables, directory: Directory) -> Reading:
    header = message.header
    # Without a control id the content names the message: the same bytes again are the same message.
    control = header.value(10) or sha256(raw).hexdigest()[:32]
    reading = Reading(
        message=message,
        site=site,
        tables=tables,
        directory=directory,
        message_type=name,
        trigger=_trigger(message),
        control=control if len(control) <= _LONGEST_LABEL else sha256(control.encode()).hexdigest(),
        source=shortened(site.source or "|".join(filter(None, map(_application, (3, 4), (header, header)))) or "hl7v2"),
        recorded_at=_recorded_at(message, site),
    )
    reading.counted.update(message.oddities)
    reading.counted["no_control_id"] += not header.value(10)
    return reading


def _application(field: int, header: Segment) -> str:
    return header.value(field, 1) or header.value(field, 2)


def _recorded_at(message: Message, site: Site) -> datetime:
    event = message.find("EVN")
    for segment, field in ((message.header, 7), (event, 2)):
        if segment and segment.value(field):
            try:
                return moment(segment.value(field), segment.value(field, 2), site.time_zone).at
            except UnreadableTimeError as error:
                raise UntranslatableError(str(error), segment.where(field)) from None
    raise UntranslatableError("no time of the message; accepted: YYYYMMDDHHMMSS here or in EVN-2", "MSH[1]-7")


def _read(reading: Reading, translate: Callable[[Reading], None], known: frozenset[str]) -> Translation:
    reading.ignored.update(s.name for s in reading.message.segments if s.name not in known)
    for ordinal in reading.message.unreadable:
        reading.attempt(partial(_unreadable, ordinal))
    reading.attempt(partial(translate, reading))
    if not (reading.events or reading.refusals or +reading.ignored):
        reading.ignored[reading.message_type] += 1  # e.g. an order's results without a single OBX
    return reading.outcome()


def _unreadable(ordinal: int) -> None:
    raise UntranslatableError("no segment; accepted: a line that begins with a segment's name", f"line {ordinal}")
