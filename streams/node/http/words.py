"""The pages' words: instants in the site's zone, numbers with their units, and what closed words mean to people."""

import re
from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from streams.node.http.shapes import ChartFact

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
_CLOSED: Final = re.compile(r"[a-z]+(_[a-z]+)+")
"""What is one of our own words, and no text of a feed."""
_MEASURED_IN: Final[Mapping[str, str]] = {"body_height": "cm", "body_weight": "kg", "body_mass_index": "kg/m2"}
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


_WITH_UNIT: Final = (("value", "unit"), ("dose", "unit"), ("rate", "rate_unit"), ("quantity", "quantity_unit"))
_UNSAID: Final = frozenset(
    {"status", "plausible", "excluded", "unit", "rate_unit", "quantity_unit", "reported", "comparator", "analyte"}
    | {"low", "high"}
    | {"drug_class", "measure", "code", "product", "alert_id", "placer_order"}
)
"""Parts of a fact that its heading says, that stand beside a number, or that only the rules read."""
_FIRST: Final[Mapping[str, int]] = {"value": 0, "range": 1}
_AGES: Final = (
    (365.25 * 86_400, "years"),
    (30.44 * 86_400, "months"),
    (7 * 86_400, "weeks"),
    (86_400, "days"),
    (3_600, "hours"),
    (60, "minutes"),
)
"""Seconds of each unit, the largest first."""
_GROUPS: Final[Mapping[str, str]] = {
    "lab": "laboratory",
    "drug": "medication",
    "heparin_ufh": "unfractionated heparin",
    "lmwh": "low-molecular-weight heparin",
    "back": "back pain",
    "hip": "hip or groin pain",
}


def instant(at: datetime | None) -> str:
    """An instant that has the site's offset; the foot of each page names the zone."""
    return f"{at.day} {at:%b %Y, %H:%M}" if at else ""


def day(at: datetime | date | None) -> str:
    """A local day."""
    return f"{at.day} {at:%b %Y}" if at else ""


def ago(at: datetime, now: datetime) -> str:
    """How long before or after now an instant is, in the largest unit of which there are two."""
    seconds = (now - at).total_seconds()
    for size, name in _AGES:
        if abs(seconds) >= 2 * size:
            count = f"{int(abs(seconds) / size)} {name}"
            return f"{count} ago" if seconds > 0 else f"in {count}"
    return "just now" if seconds > 0 else "at once"


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
            said = words(str(value)) if _CLOSED.fullmatch(str(value)) else str(value)
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


def group(name: str) -> str:
    """A group of facts as a heading."""
    kind, _, which = name.partition("/")
    whole = _GROUPS.get(kind, words(kind))
    return f"{whole}: {_GROUPS.get(which, words(which))}" if which else whole


def subject(name: str) -> str:
    """The finer part of a group of facts, as the first words of a row."""
    which = name.rpartition("/")[2]
    return _GROUPS.get(which, words(which))


def said(fact: ChartFact) -> list[tuple[str, str]]:
    """What a fact says, numbers with their units, without what its heading and its time say already."""
    content = {"unit": _MEASURED_IN.get(fact.group.rpartition("/")[2])} | fact.content
    content["range"] = _range(content)
    if content.get("reported") is not None:  # the laboratory's own figure and unit; ours is made of it
        content["value"] = content["reported"]
    for name, its_unit in _WITH_UNIT:
        if isinstance(content.get(name), int | float | Decimal):
            content[name] = f"{number(content[name])} {unit(content.get(its_unit))}".strip()
    if content.get("comparator"):
        content["value"] = f"{content['comparator']} {content.get('value', '')}"
    if isinstance(fact.content.get("quantity"), str):  # molar or mass: the unit says it
        del content["quantity"]
    told = [(name, each) for name, each in content.items() if name not in _UNSAID and each not in (False, None)]
    told.sort(key=lambda part: _FIRST.get(part[0], len(_FIRST)))
    return [(words(name), number(each)) for name, each in told if not _is_its_time(fact, each)]


def _range(content: Mapping[str, Any]) -> str | None:
    """The laboratory's range in the unit of its own figure; the chart has it in ours, which may be another."""
    value, reported = content.get("value"), content.get("reported")
    if reported is None or not value:
        return None
    times = Decimal(reported) / Decimal(value)
    low, high = (_limit(content.get(end), times) for end in ("low", "high"))
    if low and high:
        return f"{low} to {high}"
    return f"from {low}" if low else f"to {high}" if high else None


def _limit(value: Decimal | None, times: Decimal) -> str | None:
    """An end of a range in another unit, to the three figures that such an end has."""
    if value is None or times == 1:
        return None if value is None else number(value)
    return number(Decimal(format(Decimal(f"{float(value * times):.3g}"), "f")))


def _is_its_time(fact: ChartFact, each: Any) -> bool:
    return isinstance(each, datetime) and each == fact.at


TEMPLATES: Final = Environment(
    loader=FileSystemLoader(HERE / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
TEMPLATES.filters |= {
    "instant": instant,
    "ago": ago,
    "subject": subject,
    "day": day,
    "number": number,
    "unit": unit,
    "words": words,
    "state": state,
    "transition": transition,
    "group": group,
    "said": said,
}
