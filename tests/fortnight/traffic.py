"""The normal traffic of the fortnight, made from a seed.

Topic: mostly updates of patients, ordinary laboratory reports, some admissions, prophylaxis with enoxaparin, a few
pregnancies that go well; and what every hospital also sends: messages for others, test messages, broken ones.
The stories of single patients stand beside it, written by hand.
"""

import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from random import Random
from typing import Any, Final
from zoneinfo import ZoneInfo

from tests.fortnight.days import ENDS, STARTS, ZONE
from tests.fortnight.fhir_resources import bundle, observation, patient, quantity
from tests.fortnight.hl7_messages import Person, Value, adt, given, message, order, pid, report

_SEED: Final = 20260301
_PATIENTS: Final = 420
_UPDATES, _VISITS, _REPORTS, _COURSES, _PREGNANCIES, _HOME = 1500, 380, 430, 24, 9, 130
_FAMILIES: Final = ("Muster", "Beispiel", "Probe", "Exempel", "Vorlage", "Modell", "Schema", "Entwurf", "Platzhalter")
_GIVEN: Final = ("A.", "B.", "C.", "D.", "E.", "F.", "G.", "H.")
_WARDS: Final = ("MED1", "MED2", "SURG1", "SURG2", "ICU", "GYN", "NEURO", "ORTHO")
_LABS: Final = (
    ("2951-2", "Sodium", 136, 144, 0, "mmol/L", "135-145"),
    ("2823-3", "Potassium", 3.7, 4.7, 1, "mmol/L", "3.5-5.1"),
    ("14682-9", "Creatinine", 52, 88, 0, "umol/L", "45-84"),
    ("1988-5", "C-reactive protein", 1, 40, 0, "mg/L", "<5"),
    ("718-7", "Hemoglobin", 11.5, 15, 1, "g/dL", "12-16"),
    ("777-3", "Platelets", 160, 380, 0, "10*3/uL", "150-400"),
    ("2000-8", "Calcium", 2.2, 2.48, 2, "mmol/L", "2.15-2.55"),
    ("1751-7", "Albumin", 36, 46, 0, "g/L", "35-52"),
    ("3016-3", "TSH", 0.7, 3.2, 2, "mU/L", "0.4-4.0"),
    ("68438-1", "25-hydroxyvitamin D", 58, 110, 0, "nmol/L", ">50"),
)


class Fortnight:
    """All messages of the normal traffic, each with the instant at which it was sent."""

    def __init__(self) -> None:
        self._random = Random(_SEED)
        self._zone = ZoneInfo(ZONE)
        self._control = 0
        self._people = [self._person(i) for i in range(_PATIENTS)]

    def _person(self, i: int) -> Person:
        pick = self._random
        born = f"{pick.randrange(1935, 2004)}{pick.randrange(1, 13):02}{pick.randrange(1, 29):02}"
        return Person(
            f"{10_000 + i}", pick.choice(_FAMILIES), pick.choice(_GIVEN), born, pick.choice("FM"), pick.choice(_WARDS),
            f"V{70_000 + i}",
        )  # fmt: skip

    def _at(self, first: int = 6, last: int = 22) -> datetime:
        """Some instant of the fortnight, by day."""
        day = STARTS + timedelta(days=self._random.randrange((ENDS - STARTS).days))
        return (day + timedelta(seconds=self._random.randrange(first * 3600, last * 3600))).astimezone(self._zone)

    def _next(self) -> str:
        self._control += 1
        return f"N{self._control:05}"

    # ---- HL7 v2

    def hl7(self) -> str:
        """The HL7 v2 messages in the order in which they were sent."""
        made = [*self._updates(), *self._visits(), *self._reports(), *self._prophylaxis(), *self._for_others()]
        return "".join(text for _, text in sorted(made, key=lambda entry: entry[0]))

    def _updates(self) -> Iterator[tuple[datetime, str]]:
        for _ in range(_UPDATES):
            at = self._at(0, 24)
            trigger = "A08" if self._random.random() < 0.7 else "A31"
            yield at, adt(trigger, self._next(), at, self._random.choice(self._people))

    def _visits(self) -> Iterator[tuple[datetime, str]]:
        for _ in range(_VISITS):
            at = self._at()
            trigger = self._random.choice(("A01", "A02", "A03", "A04"))
            yield at, adt(trigger, self._next(), at, self._random.choice(self._people))

    def _reports(self) -> Iterator[tuple[datetime, str]]:
        for _ in range(_REPORTS):
            at = self._at(8, 20)
            values = self._random.sample(_LABS, self._random.randrange(1, 4))
            measured = [self._value(*v) for v in values]
            collected = at - timedelta(minutes=self._random.randrange(40, 180))
            yield at, report(self._next(), at, self._random.choice(self._people), measured, collected)

    def _value(  # one row of the table
        self, code: str, name: str, low: float, high: float, digits: int, unit: str, interval: str
    ) -> Value:
        return Value(code, name, f"{self._random.uniform(low, high):.{digits}f}", unit, interval)

    def _prophylaxis(self) -> Iterator[tuple[datetime, str]]:
        """Five to seven days of enoxaparin after an operation, each dose charted."""
        for person in self._random.sample(self._people, _COURSES):
            begins = STARTS + timedelta(days=self._random.randrange(8), hours=18)
            days = self._random.randrange(5, 8)
            number = f"RX{person.number}"
            yield begins, order(self._next(), begins, person, number, begins + timedelta(days=days))
            for day in range(days):
                at = begins + timedelta(days=day, minutes=self._random.randrange(5, 50))
                yield at, given(self._next(), at, person, number)

    def _for_others(self) -> Iterator[tuple[datetime, str]]:
        """Bills, letters, appointments, a test message, and what nobody can read."""
        for kind, body in (("DFT^P03", "FT1|1"), ("MDM^T02", "TXA|1|DS"), ("SIU^S12", "SCH|A1|B1")):
            for _ in range(14):
                at, person = self._at(), self._random.choice(self._people)
                service = ("AIS|1||CONS^Consultation^L",) if kind == "SIU^S12" else ()
                yield at, message(kind, self._next(), at, (body, pid(person), *service), sender="KIS")
        at, person = self._at(), self._people[0]
        yield at, message("ADT^A08", self._next(), at, (f"EVN|A08|{at:%Y%m%d}", pid(person)), sender="KIS", mode="T")
        at = self._at()
        yield at, message("ADT^A43", self._next(), at, (pid(person), f"MRG|{person.number}^^^HOSPITAL"), sender="KIS")
        at = self._at()
        obx = "OBX|1|NM|2000-8^Calcium^LN||haemolysed|mmol/L|||||F"
        yield at, message("ORU^R01", self._next(), at, (pid(person), "OBR|1|P1|F1|24323-8^Panel^LN", obx), sender="LAB")

    # ---- FHIR R4: the antenatal clinic

    def fhir(self) -> str:
        """One Bundle a visit, as NDJSON."""
        found = [self._visit(f"{20_000 + i}", visit) for i in range(_PREGNANCIES) for visit in range(2)]
        return _ndjson(b for _, b in sorted(found, key=lambda entry: entry[0]))

    def _visit(self, number: str, visit: int) -> tuple[datetime, dict[str, Any]]:
        """A visit in either week: dating at the first, laboratory at both, and a back that hurts a little."""
        pick = self._random
        at = (
            STARTS + timedelta(days=7 * visit + pick.randrange(1, 6), hours=8, minutes=pick.randrange(300))
        ).astimezone(self._zone)
        due = (STARTS + timedelta(days=40 + 17 * (int(number) % 10))).date().isoformat()
        names = (f"{number}-{visit}-{what}" for what in ("edd", "d", "ca", "weight", "alp"))
        edd, level, calcium, weight, alp = names
        first = [patient(number, f"{1988 + int(number) % 12}-05-04", at)] if visit == 0 else []
        found = [
            *first,
            observation(edd, number, "11778-8", at, valueDateTime=due),
            observation(level, number, "68438-1", at, **quantity(pick.randrange(62, 105), "nmol/L")),
            observation(calcium, number, "29265-6", at, **quantity(round(pick.uniform(2.22, 2.45), 2), "mmol/L")),
            observation(weight, number, "29463-7", at, **quantity(pick.randrange(62, 84), "kg")),
            observation(alp, number, "6768-6", at, **quantity(pick.randrange(60, 150), "U/L")),
        ]
        return at, bundle(found, at)

    # ---- native events: wards and the midwives' own documentation

    def native(self) -> str:
        """Heights, weights and mild pain, as NDJSON."""
        made = []
        for i in range(_HOME):
            at = self._at()
            who = self._random.choice(self._people).number
            common = {"event_id": f"W{i:04}", "record_id": f"w{i:04}", "patient_id": who, "source": "WARDS"}
            made.append((at, {**common, "recorded_at": at.isoformat(), **self._nursing(at)}))
        return _ndjson(event for _, event in sorted(made, key=lambda entry: entry[0]))

    def _nursing(self, at: datetime) -> dict[str, Any]:
        pick = self._random
        seen = {"observed_at": at.isoformat()}
        if pick.random() < 0.5:
            return {"kind": "symptom", "symptom": "back_pain", "score": pick.randrange(1, 5), "injury": "none", **seen}
        return {"kind": "measurement", "measure": "body_weight", "value": pick.randrange(55, 98), "unit": "kg", **seen}


def _ndjson(values: Iterator[dict[str, Any]]) -> str:
    return "".join(json.dumps(value, separators=(",", ":")) + "\n" for value in values)


def made() -> dict[str, bytes]:
    """The normal traffic as files by name."""
    traffic = Fortnight()
    texts = {"traffic.hl7": traffic.hl7(), "traffic-fhir.ndjson": traffic.fhir(), "traffic.ndjson": traffic.native()}
    return {name: text.encode() for name, text in texts.items()}
