"""A pregnancy under heparin as events, as short or as long as is asked for."""

import itertools
import uuid
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from random import Random
from typing import Any, Final

from schemas.events import EVENT, AnyEvent
from schemas.facts import Fact
from schemas.wire import decode, encode
from streams.chart.chart import Chart
from streams.monitor import Monitor

DAY0: Final = date(2025, 1, 6)
LOINC: Final = "http://loinc.org"
RXNORM: Final = "http://www.nlm.nih.gov/research/umls/rxnorm"
MARKERS_ON: Final = 7
"""Bone markers are measured on every 28th day from this one on."""
_PATIENT: Final = "CHILDREN-AND-WOMEN|4711008"

_LABS: Final = (
    ("2000-8", "mmol/L", 2.10, 2.45),
    ("1751-7", "g/dL", 3.1, 4.2),
    ("14682-9", "umol/L", 42, 70),
    ("68438-1", "nmol/L", 32, 80),
    ("2731-8", "pg/mL", 18, 60),
    ("14879-1", "mmol/L", 0.9, 1.4),
    ("3016-3", "m[IU]/L", 0.6, 3.0),
    ("6768-6", "U/L", 60, 180),
    ("2601-3", "mmol/L", 0.7, 0.95),
)
_MARKERS: Final = (("41171-0", "ng/mL", 0.25, 0.6), ("77370-5", "ug/L", 30, 70))


def instant(day: float, hour: float = 8) -> str:
    """An instant of a day counted from the last menstrual period."""
    instant = datetime(DAY0.year, DAY0.month, DAY0.day, tzinfo=UTC) + timedelta(days=day, hours=hour)
    return instant.isoformat().replace("+00:00", "Z")


def local_day(number: int) -> str:
    """A day counted from the last menstrual period."""
    return (DAY0 + timedelta(days=number)).isoformat()


class Course:
    """One patient's events, each with identifiers like those that FHIR servers give."""

    def __init__(self, seed: int = 1) -> None:
        self._random = Random(seed)

    def identity(self) -> str:
        """A UUID of the seed."""
        return str(uuid.UUID(int=self._random.getrandbits(128), version=4))

    def say(self, kind: str, recorded_at: str, **said: Any) -> dict[str, Any]:
        """One event."""
        names = {"event_id": self.identity(), "record_id": self.identity(), "patient_id": _PATIENT, "source": "fhir"}
        return {"kind": kind, **names, "recorded_at": recorded_at, **said}

    def lab(self, day: float, code: str, unit: str, low: float, high: float) -> dict[str, Any]:
        """A final result."""
        return self.say(
            "lab_result",
            instant(day, 11),
            code={"system": LOINC, "code": code},
            value=round(self._random.uniform(low, high), 2),
            unit=unit,
            reference_range={"low": low, "high": high},
            status="final",
            collected_at=instant(day, 7),
            fasting=True,
            laboratory="Central Laboratory",
            assay="A1",
        )

    def update(self, day: float) -> dict[str, Any]:
        """Who she is, once more."""
        who = {"birth_date": "1993-05-04", "sex": "female", "name": "Muster Maria"}
        return self.say("patient", instant(day), **who) | {"record_id": "patient:4711008"}

    def booking(self) -> Iterator[dict[str, Any]]:
        """Who she is, the pregnancy, and the heparin that begins in week 12."""
        yield self.update(56)
        dated = {
            "last_menstrual_period": local_day(0),
            "estimated_due_date": local_day(280),
            "observed_at": instant(56),
        }
        yield self.say("pregnancy", instant(56), status="pregnant", **dated)
        yield self.say("measurement", instant(56), measure="body_height", value=168, unit="cm", observed_at=instant(56))
        yield self.say(
            "measurement", instant(56), measure="body_mass_index", value=22.4, unit="kg/m2", observed_at=instant(56)
        )
        yield self.say("risk_factor", instant(56), factor="smoking", present=False, observed_at=instant(56))
        yield self.say("risk_factor", instant(56), factor="family_history", present=True, observed_at=instant(56))
        yield self.order(84)

    def order(self, day: float, dose: int = 10_000) -> dict[str, Any]:
        """Unfractionated heparin twice a day."""
        return self.say(
            "prescription",
            instant(day),
            drug={"system": RXNORM, "code": "5224"},
            status="active",
            dose={"value": dose, "unit": "[IU]"},
            doses_per_day=2,
            route="subcutaneous",
            starts_at=instant(day),
            placer_order="P-1001",
        )

    def dose(self, day: float, hour: float) -> dict[str, Any]:
        """One dose given."""
        return self.say(
            "administration",
            instant(day, hour),
            drug={"system": RXNORM, "code": "5224"},
            status="completed",
            dose={"value": 10_000, "unit": "[IU]"},
            given_at=instant(day, hour),
            route="subcutaneous",
            placer_order="P-1001",
        )

    def visit(self, day: int) -> Iterator[dict[str, Any]]:
        """An antenatal visit: weight, the laboratory, bone markers every four weeks, and how the back is."""
        weight = 62 + day / 20
        yield self.say(
            "measurement", instant(day), measure="body_weight", value=weight, unit="kg", observed_at=instant(day)
        )
        for code, unit, low, high in (*_LABS, *(_MARKERS if day % 28 == MARKERS_ON else ())):
            yield self.lab(day, code, unit, low, high)
        yield self.say("symptom", instant(day), symptom="back_pain", score=3, injury="none", observed_at=instant(day))

    def outpatient(self) -> Iterator[dict[str, Any]]:
        """A visit every four weeks."""
        yield from self.booking()
        for day in itertools.count(91, 28):
            yield from self.visit(day)

    def inpatient(self) -> Iterator[dict[str, Any]]:
        """A visit a week, and every dose of heparin charted."""
        yield from self.booking()
        for day in itertools.count(91):
            if day % 7 == 0:
                yield from self.visit(day)
            yield self.dose(day, 8)
            yield self.dose(day, 20)


def read(event: dict[str, Any]) -> AnyEvent:
    """The event as the service reads it."""
    return EVENT.validate_python(decode(encode(event)))


def chart_of(monitor: Monitor, events: Iterator[dict[str, Any]], facts: int) -> tuple[Chart, datetime]:
    """A chart that has grown to so many facts, each decided on when it came, and the clock then."""
    chart = monitor.chart(_PATIENT)
    now = datetime(2025, 1, 6, tzinfo=UTC)
    while len(chart.facts) < facts:
        event = read(next(events))
        now = max(now, event.recorded_at)
        chart = fold(monitor, chart, event, now)
    return chart, now


def fold(monitor: Monitor, chart: Chart, event: AnyEvent, now: datetime) -> Chart:
    """What an event makes of a chart: fact, fold, rules and notices; the chart itself where it says nothing."""
    fact = monitor.fact(event)
    more = monitor.with_fact(chart, fact) if isinstance(fact, Fact) else None
    return chart if more is None else monitor.decide([more], now)[0][0]
