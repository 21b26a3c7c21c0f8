"""HL7 v2 messages of an invented clinic, and what becomes of them."""

from functools import cache
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

from schemas.events import AnyEvent, Event
from schemas.tables import Tables
from streams.intake.hl7v2 import translate_hl7v2
from streams.intake.outcome import Translation
from streams.intake.site import Directory, MemoryDirectory, Site

BERLIN = Site(time_zone=ZoneInfo("Europe/Berlin"), default_assigner="CLINIC")
PID = "PID|1||4711^^^CLINIC^MR||Roe^Jane||19900405|F"

Kind = TypeVar("Kind", bound=Event)


@cache
def packaged() -> Tables:
    return Tables.load()


def header(
    message_type: str, *, control: str = "C1", at: str = "20260301120000", mode: str = "P", charset: str = ""
) -> str:
    return rf"MSH|^~\&|LAB|HOUSE|TRAB|HOUSE|{at}||{message_type}|{control}|{mode}|2.5.1||||||{charset}"


def message(message_type: str, *segments: str, **of_header: str) -> bytes:
    return "\r".join((header(message_type, **of_header), *segments)).encode() + b"\r"


def translate(raw: bytes, site: Site = BERLIN, directory: Directory | None = None) -> Translation:
    return translate_hl7v2(raw, site=site, tables=packaged(), directory=directory or MemoryDirectory())


def told(raw: bytes, site: Site = BERLIN, directory: Directory | None = None) -> tuple[AnyEvent, ...]:
    """The events of a message that is taken whole."""
    outcome = translate(raw, site, directory)
    assert outcome.refusals == ()
    return outcome.events


def only(kind: type[Kind], raw: bytes, site: Site = BERLIN, directory: Directory | None = None) -> Kind:
    """The one event of a kind in a message that is taken whole."""
    (found,) = (event for event in told(raw, site, directory) if isinstance(event, kind))
    return found


def report(*observations: str, request: str = "", patient: str = PID, specimen: str = "", **of_header: str) -> bytes:
    """A laboratory report: one order of the filler number F1, collected at 08:00 local time."""
    obr = request or "OBR|1|P1|F1|24323-8^Panel^LN|||20260301080000"
    return message("ORU^R01", patient, obr, *observations, *([specimen] if specimen else []), **of_header)


def obx(
    value: str,
    kind: str = "NM",
    *,
    code: str = "17861-6^Calcium^LN",
    unit: str = "mg/dL",
    status: str = "F",
    **more: str,
) -> str:
    """An OBX; other fields by number, e.g. `_14`."""
    fields = {3: code, 2: kind, 5: value, 6: unit, 11: status} | {int(name[1:]): said for name, said in more.items()}
    return "|".join(["OBX", "1", *(fields.get(number, "") for number in range(2, max(fields) + 1))])


def refusal(raw: bytes, site: Site = BERLIN) -> tuple[str, str, str]:
    """(refused, reason, where) of the one refusal of a message."""
    (found,) = translate(raw, site).refusals
    return found.refused, found.reason, found.where


def said(event: Any, *names: str) -> tuple[object, ...]:
    return tuple(getattr(event, name) for name in names)
