"""What one event says of a drug: which it is, whether it is a flush, how many IU its dose is."""

import re
from collections.abc import Callable
from datetime import date
from fractions import Fraction
from typing import Any, Final

from tests.oracle.codes import DRUGS
from tests.oracle.facts import Chart, Version, instant, number

HEPARINS: Final = frozenset({"ufh", "lmwh"})
IU: Final = frozenset({"[IU]", "IU", "iu", "U", "[USP'U]", "UNT", "units", "unit"})
IU_PER_KG: Final = frozenset({"[IU]/kg"})
LARGEST_DAY: Final = 60_000
_FLUSH: Final = re.compile(r"flush|lock|catheter|line patency", re.IGNORECASE)


def drug_of(event: Version) -> tuple[str, str]:
    """Name and class of the drug that an event speaks of."""
    code = event.get("drug")
    return DRUGS.get((code["system"], code["code"]), ("unknown", "unknown"))


def is_flush(version: Version) -> bool:
    """A flush or a lock, which is no exposure."""
    if drug_of(version)[1] == "flush":
        return True
    dose = version.get("dose")
    small = dose is not None and dose.get("unit") in IU and number(dose["value"]) <= 500
    said = f"{version.get('route') or ''} {version.get('drug').get('display') or ''}"
    return small and bool(_FLUSH.search(said))


def unclear(version: Version) -> bool:
    """Whether a heparin dose cannot be taken as it is written."""
    name, drug_class = drug_of(version)
    dose = version.get("dose")
    if dose is None or drug_class not in HEPARINS:
        return False
    unit, value = dose.get("unit"), number(dose["value"])
    if unit is None or (drug_class == "ufh" and unit == "mg"):
        return True
    if name == "enoxaparin" and unit in IU and not 1_000 <= value <= 20_000:
        return True
    each = value * (100 if name == "enoxaparin" and unit == "mg" else 1)
    return each * number(version.get("doses_per_day") or 1) > LARGEST_DAY


def heparin_dose(chart: Chart) -> Callable[[Version, date], Fraction | None]:
    """How many IU one heparin dose is."""

    known: dict[int, Fraction | None] = {}

    def amount(version: Version, day: date) -> Fraction | None:
        dose = version.get("dose")
        if dose is not None and dose.get("unit") in IU_PER_KG:
            return by_weight(version, day)
        if id(version.event) not in known:
            known[id(version.event)] = plain(version)
        return known[id(version.event)]

    def by_weight(version: Version, day: date) -> Fraction | None:
        weight = weight_on(chart, day)
        return None if weight is None else number(version.get("dose")["value"]) * weight

    def plain(version: Version) -> Fraction | None:
        dose = version.get("dose")
        if dose is None or unclear(version):
            return None
        name, _ = drug_of(version)
        value, unit = number(dose["value"]), dose.get("unit")
        if unit in IU:
            return value
        return value * 100 if unit == "mg" and name == "enoxaparin" else None

    return amount


def weight_on(chart: Chart, day: date) -> Fraction | None:
    """The latest body weight of a day or before it, in kg."""
    weights = [
        (instant(v.get("observed_at")), v)
        for _, v in chart.facts("measurement")
        if v.get("measure") == "body_weight" and chart.calendar.day(instant(v.get("observed_at"))) <= day
    ]
    if not weights:
        return None
    version = max(weights, key=lambda w: (w[0], w[1].order))[1]
    return number(version.get("value")) * (number("0.45359237") if version.get("unit") == "[lb_av]" else 1)


def rate_per_hour(version: Version) -> Fraction | None:
    rate: dict[str, Any] = version.get("rate")
    return number(rate["value"]) if rate.get("unit") in {"[IU]/h", "IU/h", "U/h", "units/h"} else None
