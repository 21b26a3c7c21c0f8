"""What the boundary tests of safety, bone density and data quality say of a patient."""

from datetime import datetime
from decimal import Decimal
from math import inf
from typing import Any

from alerting.judge import Judge
from alerting.rules import RULES
from schemas.days import FOREVER
from schemas.facts import Dose, Feeding, Order, Person, PregnancyRecord, Response, Supply
from schemas.identity import alert_id
from schemas.views import EPISODES
from tests.support import Patient, day, days_from_zero, number, on, pack


def pregnant(p: Patient | None = None, *, lmp: int = 0) -> Patient:
    """A pregnancy whose LMP is day `lmp`, recorded a week later."""
    said = PregnancyRecord("active", "pregnant", last_menstrual_period=day(lmp), observed_at=on(lmp + 7))
    return (p or Patient()).say(said, record=f"pregnancy-{lmp}", recorded_at=on(lmp + 7))


def delivered(p: Patient, at: int, *, lmp: int = 0, outcome: str | None = "live_birth") -> Patient:
    """The pregnancy ended on a day."""
    state = "delivered" if outcome in {"live_birth", "stillbirth", None} else "ended"
    said = PregnancyRecord("active", state, outcome, day(lmp), ended_on=day(at))
    return p.say(said, record=f"pregnancy-{lmp}", recorded_at=on(at, 12))


def fed(p: Patient, feeding: str, since: int, *, recorded: float | None = None) -> Patient:
    """A report of feeding from a day on."""
    said = Feeding("active", feeding, day(since), on(since))
    return p.say(said, recorded_at=on(since if recorded is None else recorded, 9))


def person(p: Patient, *, years: int | None = 30, sex: str | None = "female") -> Patient:
    """Who the patient is: born on the first of January, `years` before day 0's year."""
    born = None if years is None else day(0).replace(year=day(0).year - years, month=1, day=1)
    return p.say(Person("active", born, sex), recorded_at=on(-400))


def order(
    p: Patient, drug: str, drug_class: str, starts: float, *, recorded: float | None = None, **said: Any
) -> Patient:
    """A version of a medication order; `record` names it."""
    record, status = said.pop("record", None), said.pop("status", "active")
    at = starts if recorded is None else recorded
    for name in ("ends", "effective"):
        if name in said:
            said[{"ends": "ends_at", "effective": "effective_from"}[name]] = on(said.pop(name))
    amounts: dict[str, Any] = {k: number(v) if k in {"dose", "doses_per_day", "rate"} else v for k, v in said.items()}
    return p.say(Order(status, drug, drug_class, on(starts), **amounts), record=record, recorded_at=on(at))


def dose(p: Patient, drug: str, drug_class: str, given: float, **said: Any) -> Patient:
    """A dose given."""
    status = said.pop("status", "completed")
    amounts: dict[str, Any] = {k: number(v) if k in {"dose", "rate"} else v for k, v in said.items()}
    return p.say(Dose(status, drug, drug_class, on(given), **amounts), recorded_at=on(given))


def supply(p: Patient, drug: str, drug_class: str, at: float, days: int | None, **said: Any) -> Patient:
    """A supply handed out."""
    supplied = None if days is None else Decimal(days)
    return p.say(Supply("completed", drug, drug_class, on(at), supplied, **said), recorded_at=on(at))


def answered(p: Patient, rule_id: str, action: str, at: float, *, reason: str | None = None) -> Patient:
    """A response to the alert of a rule's first finding."""
    first = p.finding(rule_id)[0]
    episode = first.episode or p.values()[EPISODES.key].at(first.began)
    said = Response("active", alert_id(p.patient_id, episode, rule_id), action, reason=reason, by="ward")
    return p.say(said, recorded_at=on(at))


def days_of(at: datetime) -> float:
    """An instant as days from day 0; infinite for no end."""
    return inf if at == FOREVER else round(days_from_zero(at), 4)


def held(p: Patient, rule_id: str) -> list[tuple[float, float]]:
    """(began, ended) of a rule's findings."""
    return [(days_of(i.began), days_of(i.ended)) for i in p.finding(rule_id)]


def stood(p: Patient, rule_id: str) -> list[tuple[float, float]]:
    """(began, alert ended) of a rule's findings."""
    return [(days_of(i.began), days_of(i.alert_ends)) for i in p.finding(rule_id)]


HOUR_8 = round(8 / 24, 4)
"""The hour at which the clinic's days are said."""


def asked(p: Patient, rule_id: str, at: float) -> list[str]:
    """The open questions of a rule's first finding at an instant."""
    rule = next(r for r in RULES if r.id == rule_id)
    return list(rule.asks(p.chart(), Judge(pack().rules[rule_id]), p.finding(rule_id)[0], on(at)))
