"""HL7 v2 messages as the invented hospital writes them."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

RXNORM_ENOXAPARIN: Final = "67108^enoxaparin^RXNORM"


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody invented."""

    number: str
    family: str
    given: str
    born: str
    sex: str
    ward: str
    visit: str


@dataclass(frozen=True, slots=True)
class Value:
    """One result: LOINC code and name, value, unit, reference range."""

    code: str
    name: str
    value: str
    unit: str
    interval: str


def time(at: datetime) -> str:
    """An instant with its offset, to the second."""
    return at.strftime("%Y%m%d%H%M%S%z")


def message(kind: str, control: str, at: datetime, segments: Iterable[str], *, sender: str, mode: str = "P") -> str:
    """A message, one segment a line."""
    header = rf"MSH|^~\&|{sender}|HOSPITAL|TRABECULA|HOSPITAL|{time(at)}||{kind}|{control}|{mode}|2.5.1"
    return "\n".join((header, *segments)) + "\n"


def pid(person: Person) -> str:
    """Who it is."""
    name = f"{person.family}^{person.given}"
    return f"PID|1||{person.number}^^^HOSPITAL^MR||{name}||{person.born}|{person.sex}"


def pv1(person: Person, *, inpatient: bool = True) -> str:
    """Where the person is."""
    return f"PV1|1|{'I' if inpatient else 'O'}|{person.ward}^^^HOSPITAL" + "|" * 16 + person.visit


def adt(trigger: str, control: str, at: datetime, person: Person) -> str:
    """An admission, transfer, discharge or update."""
    segments = (f"EVN|{trigger}|{time(at)}", pid(person), pv1(person))
    return message(f"ADT^{trigger}", control, at, segments, sender="KIS")


def report(control: str, at: datetime, person: Person, values: Iterable[Value], collected: datetime) -> str:
    """A laboratory report."""
    drawn = time(collected)
    obr = f"OBR|1|P{control}|F{control}|24323-8^Panel^LN|||{drawn}"
    observed = (
        f"OBX|{i}|NM|{v.code}^{v.name}^LN||{v.value}|{v.unit}|{v.interval}||||F|||{drawn}"
        for i, v in enumerate(values, 1)
    )
    return message("ORU^R01", control, at, (pid(person), pv1(person), obr, *observed), sender="LAB")


def order(control: str, at: datetime, person: Person, number: str, ends: datetime) -> str:
    """Enoxaparin 40 mg once a day until a day."""
    segments = (
        pid(person),
        f"ORC|NW|{number}|{number}F",
        f"RXE||{RXNORM_ENOXAPARIN}|40||mg",
        f"TQ1|1||QD||||{time(at)}|{time(ends)}",
        "RXR|SC^Subcutaneous",
    )
    return message("RDE^O11", control, at, segments, sender="PHARM")


def given(control: str, at: datetime, person: Person, number: str) -> str:
    """A dose of enoxaparin that was given."""
    rxa = f"RXA|0|1|{time(at)}||{RXNORM_ENOXAPARIN}|40|mg" + "|" * 13 + "CP"
    segments = (pid(person), f"ORC|RE|{number}|{number}F", rxa, "RXR|SC^Subcutaneous")
    return message("RAS^O17", control, at, segments, sender="PHARM")
