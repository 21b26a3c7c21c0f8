"""The pages' words: instants in the site's zone, numbers with their units, and what closed words mean to people."""

from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined

HERE: Final = Path(__file__).parent
_GROUPED_FROM: Final = 10_000  # as the sentences group digits
_UNITS: Final[Mapping[str, str]] = {
    "1": "",
    "d": "days",
    "wk": "weeks",
    "mo": "months",
    "a": "years",
    "h": "hours",
    "min": "minutes",
    "{score}": "of 10",
}
_STATES: Final[Mapping[str, str]] = {
    "open": "open, not answered",
    "acknowledged": "acknowledged",
    "snoozed": "put off",
    "resolved": "resolved: it no longer holds",
    "withdrawn": "withdrawn: it rested on something that was corrected",
    "superseded": "superseded: a graver finding stands in its place",
    "transferred": "transferred: it goes on under another identity",
}
_TRANSITIONS: Final[Mapping[str, str]] = {
    "raised": "raised",
    "severity_raised": "became more urgent",
    "severity_lowered": "became less urgent",
    "reminded": "reminded",
    "escalated": "escalated: nobody had answered",
    "acknowledged": "acknowledged",
    "snoozed": "put off",
    "reopened": "reopened",
    "resolved": "resolved",
    "withdrawn": "withdrawn",
    "superseded": "superseded",
    "transferred": "transferred",
}


def instant(at: datetime | None) -> str:
    """An instant that has the site's offset; the foot of each page names the zone."""
    return f"{at.day} {at:%b %Y, %H:%M}" if at else ""


def day(at: datetime | date | None) -> str:
    """A local day."""
    return f"{at.day} {at:%b %Y}" if at else ""


def number(value: Any) -> str:
    """A number as the sentences write it; anything else in its own words."""
    match value:
        case None | "":
            said = ""
        case bool():
            said = "yes" if value else "no"
        case int() | float() | Decimal():
            said = _figure(value)
        case datetime():
            said = instant(value)
        case date():
            said = day(value)
        case list() | tuple():
            said = ", ".join(map(number, value))
        case Mapping():
            said = ", ".join(f"{words(str(name))} {number(each)}" for name, each in value.items())
        case _:
            said = str(value)
    return said


def _figure(value: float | Decimal) -> str:
    if not -_GROUPED_FROM < value < _GROUPED_FROM:
        return f"{value:,}"
    return f"{value:g}" if isinstance(value, float) else str(value)


def unit(ucum: str | None) -> str:
    """A UCUM unit as people write it."""
    if not ucum:
        return ""
    return _UNITS.get(ucum, ucum).replace("[IU]", "IU").replace("[iU]", "IU").replace("{", "").replace("}", "")


def words(word: str) -> str:
    """A closed word without its underscores."""
    return word.replace("_", " ")


def state(word: str) -> str:
    """A state of an alert, in a clause."""
    return _STATES.get(word, words(word))


def transition(word: str) -> str:
    """A transition, in a clause."""
    return _TRANSITIONS.get(word, words(word))


TEMPLATES: Final = Environment(
    loader=FileSystemLoader(HERE / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
TEMPLATES.filters |= {
    "instant": instant,
    "day": day,
    "number": number,
    "unit": unit,
    "words": words,
    "state": state,
    "transition": transition,
}
