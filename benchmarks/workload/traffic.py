"""A file of native events: patient updates mostly, as a hospital sends them, with the rest in between."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any, Final

from schemas.wire import encode
from workload.charts import LOINC, RXNORM

PATIENTS: Final = 20_000
_UPDATES: Final = 0.95
_BEGINS: Final = datetime(2026, 3, 1, tzinfo=UTC)
_STEP: Final = timedelta(milliseconds=900)
_LABS: Final = (("2000-8", "mmol/L", 2.1, 2.5), ("68438-1", "nmol/L", 25, 110), ("718-7", "g/dL", 10, 15))


class Traffic:
    """Events one after the other; the same seed gives the same events."""

    def __init__(self, seed: int = 7) -> None:
        self._random = Random(seed)
        self._others = (
            self._lab,
            self._lab,
            self._lab,
            self._prescription,
            self._symptom,
            self._weight,
            self._pregnancy,
        )

    def event(self, number: int) -> dict[str, Any]:
        """The event of an ordinal."""
        now = _BEGINS + number * _STEP
        patient = self._random.randrange(PATIENTS)
        common = {"event_id": f"A{number:08d}", "patient_id": f"MRN-{patient:06d}", "recorded_at": _said(now)}
        if self._random.random() < _UPDATES:
            born = f"{1950 + patient % 60}-0{1 + patient % 9}-1{patient % 10}"
            who = {"birth_date": born, "sex": "female" if patient % 2 else "male", "name": f"Muster Name{patient}"}
            return {"kind": "patient", **common, "source": "ADT", "record_id": f"patient:{patient}", **who}
        record = {"source": "LAB", "record_id": f"R{number:08d}"}
        return {**common, **record, **self._random.choice(self._others)(patient, now)}

    def _lab(self, _patient: int, now: datetime) -> dict[str, Any]:
        code, unit, low, high = self._random.choice(_LABS)
        value = round(self._random.uniform(low, high), 1)
        collected = {"status": "final", "collected_at": _said(now - timedelta(hours=2))}
        return {
            "kind": "lab_result",
            "code": {"system": LOINC, "code": code},
            "value": value,
            "unit": unit,
            **collected,
        }

    def _prescription(self, _patient: int, now: datetime) -> dict[str, Any]:
        drug = {"system": RXNORM, "code": "67108"}
        dose = {"dose": {"value": 40, "unit": "mg"}, "doses_per_day": 1}
        ends = _said(now + timedelta(days=7))
        return {
            "kind": "prescription",
            "drug": drug,
            "status": "active",
            **dose,
            "starts_at": _said(now),
            "ends_at": ends,
        }

    def _symptom(self, _patient: int, now: datetime) -> dict[str, Any]:
        return {
            "kind": "symptom",
            "symptom": "back_pain",
            "score": self._random.randrange(5),
            "observed_at": _said(now),
        }

    def _weight(self, patient: int, now: datetime) -> dict[str, Any]:
        weight = {"measure": "body_weight", "value": 55 + patient % 40, "unit": "kg"}
        return {"kind": "measurement", **weight, "observed_at": _said(now)}

    def _pregnancy(self, patient: int, now: datetime) -> dict[str, Any]:
        due = (now + timedelta(days=60 + patient % 150)).date().isoformat()
        return {"kind": "pregnancy", "status": "pregnant", "estimated_due_date": due, "observed_at": _said(now)}


def _said(at: datetime) -> str:
    return at.isoformat().replace("+00:00", "Z")


def write(path: Path, events: int) -> None:
    """Write a file of so many events."""
    traffic = Traffic()
    with path.open("wb") as file:
        for number in range(events):
            file.write(encode(traffic.event(number)) + b"\n")
