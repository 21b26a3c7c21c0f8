"""A pregnant woman whose back, hips and heparin are told in few words; every day counts from the LMP, at 08:00."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any, Self

from alerting.judge import Judge
from alerting.rules import RULES
from schemas.days import FOREVER
from schemas.facts import (
    Diagnosis,
    Lab,
    Measured,
    Order,
    PregnancyRecord,
    ProcedureDone,
    Response,
    Risk,
    Study,
    StudyFinding,
    SymptomReport,
    TestOrder,
)
from schemas.facts import Feeding as Fed
from schemas.identity import alert_id, episode_id
from schemas.intervals import Interval
from tests.support import Patient, day, days_from_zero, number, on, pack

EPISODE = episode_id("feed", "pregnancy")
ENDED = 280 + 366
"""The episode of a pregnancy delivered on day 280 ends at the midnight that begins this day."""

NINE = ("25OHD", "Ca_total", "Phosphate", "Creatinine", "ALP_total", "PTH", "TSH", "SPEP", "CBC")


def seen(finding: str, *levels: str, age: str | None = None, side: str | None = None) -> StudyFinding:
    """One finding of a report."""
    return StudyFinding(finding, levels, side=side, age=age)


class Woman(Patient):
    """A patient whose facts are recorded when they happen, unless said otherwise."""

    def _say(self, at: datetime, payload: Any, recorded: float | None = None, record: str | None = None) -> Self:
        self.say(payload, record=record, recorded_at=at if recorded is None else on(recorded))
        return self

    def pregnant(self, lmp: int = 0, booked: float = 30, record: str = "pregnancy") -> Self:
        """A pregnancy dated by its LMP."""
        said = PregnancyRecord("active", "pregnant", last_menstrual_period=day(lmp), observed_at=on(booked))
        return self._say(on(booked), said, record=record)

    def delivered(self, ended: int = 280, lmp: int | None = 0, record: str = "pregnancy") -> Self:
        """The delivery, or the loss, of a pregnancy."""
        zero = None if lmp is None else day(lmp)
        said = PregnancyRecord("active", "delivered", "live_birth", zero, ended_on=day(ended), observed_at=on(ended, 9))
        return self._say(on(ended, 9), said, record=record)

    def feeds(self, since: int, feeding: str = "exclusive") -> Self:
        """A report of feeding."""
        return self._say(on(since), Fed("active", feeding, day(since), on(since)))

    def back(self, at: float, score: float | None, **said: Any) -> Self:
        """A report of back pain."""
        return self._say(on(at), SymptomReport("active", "back_pain", on(at), number(score), **said))

    def hip(self, at: float, score: float | None, symptom: str = "hip_pain", **said: Any) -> Self:
        """A report of hip or groin pain."""
        return self._say(on(at), SymptomReport("active", symptom, on(at), number(score), **said))

    def height(self, at: float, cm: float, **said: Any) -> Self:
        """A measured height."""
        return self._say(on(at), Measured("active", "body_height", on(at), number(cm), **said))

    def image(
        self,
        at: float,
        study: str = "MRI spine",
        *findings: StudyFinding,
        status: str = "final",
        recorded: float | None = None,
        record: str | None = None,
    ) -> Self:
        """A study that was performed."""
        modality, region = study.split()
        said = Study(status, modality, region, performed_at=on(at), findings=findings)
        return self._say(on(at), said, recorded, record)

    def booked(self, at: float, scheduled: float, study: str = "MRI spine", record: str | None = None) -> Self:
        """An appointment for a study."""
        modality, region = study.split()
        return self._say(on(at), Study("booked", modality, region, scheduled_for=on(scheduled)), record=record)

    def code(self, at: float | None, *concepts: str, recorded: float = 0, **said: Any) -> Self:
        """A coded condition; without a day it dates from its recording."""
        onset = None if at is None else on(at)
        payload = Diagnosis(said.pop("status", "active"), concepts, "X", onset_at=onset, **said)
        return self._say(onset or on(recorded), payload, recorded if at is None else None)

    def done(self, at: float, procedure: str, status: str = "completed") -> Self:
        """A procedure."""
        return self._say(on(at), ProcedureDone(status, procedure, on(at)))

    def risk(self, at: float, factor: str, *, present: bool = True) -> Self:
        """A risk factor said present or absent."""
        return self._say(on(at), Risk("active", factor, present, on(at)))

    def heparin(self, first: float, last: float | None, drug: str = "heparin_ufh") -> Self:
        """An order for each day from first to last."""
        ends = None if last is None else on(last, 20)
        order = Order(
            "active", drug, drug, on(first), ends_at=ends, dose=number(5000), unit="[IU]", doses_per_day=number(2)
        )
        return self._say(on(first), order)

    def lab(
        self, at: float, analyte: str, value: float | None = 1, *, recorded: float | None = None, **said: Any
    ) -> Self:
        """A result."""
        known = number(value)
        payload = Lab(said.pop("status", "final"), analyte, on(at), known, reported=known, **said)
        return self._say(on(at), payload, recorded)

    def labs(self, at: float, analytes: Iterable[str] = NINE, **said: Any) -> Self:
        """Several results of one day."""
        for analyte in analytes:
            self.lab(at, analyte, **said)
        return self

    def ordered(self, at: float, analyte: str, status: str = "active", record: str | None = None) -> Self:
        """A laboratory order."""
        return self._say(on(at), TestOrder(status, analyte, on(at)), record=record)

    def answer(self, at: float, rule_id: str, action: str, reason: str | None = None) -> Self:
        """A response to the alert of the pregnancy."""
        known = alert_id(self.patient_id, EPISODE, rule_id)
        return self._say(on(at), Response("active", known, action, reason=reason))

    # ---- what is found

    def one(self, rule_id: str) -> Interval:
        """The only finding of a rule."""
        (interval,) = self.finding(rule_id)
        return interval

    def spans(self, rule_id: str) -> list[tuple[float, float]]:
        """When findings began and ended, in days from the LMP."""
        return [(days_from_zero(i.began), days_from_zero(i.ended)) for i in self.finding(rule_id)]

    def alerts(self, rule_id: str) -> list[tuple[float, float | None]]:
        """When alerts began and when they closed (None: not before the finding ends)."""
        found = self.finding(rule_id)
        return [(days_from_zero(i.began), None if i.closed == FOREVER else days_from_zero(i.closed)) for i in found]

    def severities(self, rule_id: str) -> list[tuple[float, str]]:
        """The steps of the only finding of a rule."""
        return [(days_from_zero(at), severity) for at, severity in self.one(rule_id).steps]


def woman() -> Woman:
    """Pregnant since day 0, delivered on day 280."""
    return Woman().pregnant().delivered()


def at(number: float, hour: float = 8) -> float:
    """A day at an hour, as spans tell it."""
    return number + hour / 24


def asked(patient: Patient, rule_id: str, number: float) -> list[str]:
    """What the first finding of a rule asks on a day."""
    rule = next(r for r in RULES if r.id == rule_id)
    judge = Judge(pack().rules[rule_id])
    return list(rule.asks(patient.chart(), judge, patient.finding(rule_id)[0], on(number)))
