"""Pregnancy and lactation, each from an Observation; nothing is dated that the Observation does not date."""

import re
from datetime import date
from decimal import Decimal
from typing import Final

from schemas import events
from streams.intake.fhir.bedside import number_of
from streams.intake.fhir.codes import codes_of, concepts
from streams.intake.fhir.datatypes import CodeableConcept
from streams.intake.fhir.said import Events, Said

_WEEKS_AND_DAYS: Final = re.compile(r"\s*(\d{1,2})\s*w(?:k|eeks?)?\s*(?:([0-6])\s*d(?:ays?)?)?\s*\Z", re.IGNORECASE)


def pregnancy(said: Said) -> Events:
    """Pregnancy status, due date, last menstrual period or gestational age: each Observation a record of its own."""
    field = said.meaning.name if said.meaning else "status"
    dating: dict[str, object] = {}
    status: str | None = "pregnant"
    match field:
        case "gestational_age_days":
            dating[field] = _gestational_age(said)
        case "status":
            status = _pregnancy_status(said)
        case _:
            dating[field] = _day(said)
    if status is None:
        return said.entry.document.count("unmapped_value")
    common = {"status": status, "observed_at": said.when() if field != "last_menstrual_period" else said.at}
    return (said.event(events.Pregnancy, record_status=said.record_status, **common, **dating),)


def _pregnancy_status(said: Said) -> str | None:
    """`not pregnant` revises this record and no other; a postpartum state dates no delivery and is none."""
    found = concepts([said.given.value_codeable_concept], said.entry.document.tables)
    return next((word for concept, word in _PREGNANCY_STATUSES.items() if concept in found), None)


_PREGNANCY_STATUSES: Final = {"pregnant": "pregnant", "not_pregnant": "refuted"}


def _day(said: Said) -> date:
    found = said.entry.day(said.given.value_date_time or said.given.value_string, "valueDateTime")
    if found is None:
        raise said.entry.refused("expected a calendar day", "valueDateTime")
    return found


_LONGEST: Final = 400  # days; no pregnancy is longer, and the model says by how much less


def _gestational_age(said: Said) -> int:
    """Whole days. Weeks with a decimal are refused: 38.5 is 38 weeks and 5 days to some, and 3.5 to others."""
    found = _WEEKS_AND_DAYS.match(said.given.value_string or "")
    if found is not None:
        return int(found[1]) * 7 + int(found[2] or 0)
    value = number_of(said)
    number = value.number or Decimal(0)
    days = number * {"d": 1, "wk": 7}.get(value.unit or "", 0) if abs(number) <= _LONGEST else Decimal(-1)
    if days <= 0 or number % 1:
        raise said.entry.refused(
            "expected whole weeks (wk) or whole days (d), or a text such as 38w5d", "valueQuantity"
        )
    return int(days)


_FEEDINGS: Final = {
    "feeding_exclusive": "exclusive",
    "feeding_mixed": "mixed",
    "weaned": "none",
    "feeding_none": "none",
}
_FEEDING_WORDS: Final = frozenset({"exclusive", "mixed", "none", "unknown"})


def lactation(said: Said) -> Events:
    """How the child is fed, where it is said; that a mother breast-feeds does not say whether exclusively."""
    answer = said.given.value_codeable_concept or CodeableConcept()
    found = concepts([answer], said.entry.document.tables)
    feeding = next((word for concept, word in _FEEDINGS.items() if concept in found), None) or next(
        iter(sorted(codes_of([answer]) & _FEEDING_WORDS)), said.given.value_string
    )
    if feeding not in _FEEDING_WORDS:
        return said.entry.document.count("feeding_not_said")
    at = said.when()
    since = at.astimezone(said.entry.document.site.time_zone).date()
    return (
        said.event(events.Lactation, feeding=feeding, since=since, observed_at=at, record_status=said.record_status),
    )
