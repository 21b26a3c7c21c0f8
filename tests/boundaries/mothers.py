"""Charts of mothers, said in few words; every finding is derived a second time through the strict reader."""

from datetime import datetime
from decimal import Decimal

from alerting.judge import Judge
from alerting.rules import DEFINITIONS, RULES
from schemas.definitions import StrictReader
from schemas.facts import (
    Density,
    Diagnosis,
    Dose,
    Feeding,
    Lab,
    Measured,
    Order,
    PregnancyRecord,
    Response,
    Risk,
    Study,
    StudyFinding,
)
from schemas.identity import alert_id
from schemas.intervals import Interval, Intervals
from schemas.views import PREGNANCIES
from tests.support import Patient, day, days_from_zero, number, on, pack, tables

QUANTITIES = {
    "CTX": "mass",
    "NTX": "molar",
    "NTX_urine": "molar ratio",
    "CTX_urine": "mass ratio",
    "TRACP5b": "activity",
    "25OHD": "molar",
    "25OHD3": "molar",
    "25OHD2": "molar",
}


class Mother(Patient):
    """A patient whose pregnancy began on day 0; `delivered`: the day of the birth."""

    def __init__(self, delivered: int | None = 280, zone: str = "UTC") -> None:
        super().__init__(zone=zone)
        self.say(
            PregnancyRecord("active", "pregnant", last_menstrual_period=day(0)), recorded_at=on(40), record="booking"
        )
        if delivered is not None:
            self.delivered(delivered)

    def delivered(self, number_of_day: int) -> "Mother":
        """A birth."""
        said = PregnancyRecord("active", "delivered", outcome="live_birth", ended_on=day(number_of_day))
        self.say(said, recorded_at=on(number_of_day, 20))
        return self

    def fed(self, feeding: str, since: int) -> "Mother":
        """A report of feeding."""
        self.say(Feeding("active", feeding, day(since)), recorded_at=on(since, 9))
        return self

    def lab(
        self,
        analyte: str,
        at: float,
        value: str | float | None,
        *,
        hour: float = 8,
        quantity: str | None = None,
        comparator: str | None = None,
        high: float | None = None,
        fasting: bool | None = None,
        quality: str | None = None,
        laboratory: str | None = None,
        assay: str | None = None,
    ) -> "Mother":
        """A final result in its canonical unit."""
        said = Lab(
            "final",
            analyte,
            on(at, hour),
            number(value),
            QUANTITIES.get(analyte, "molar") if quantity is None else quantity,
            comparator,
            number(value),
            "unit",
            None if value is not None else "not done",
            None,
            number(high),
            fasting,
            quality,
            laboratory,
            assay,
        )
        self.say(said, recorded_at=on(at, hour))
        return self

    def told(self, factor: str, at: float, *, present: bool = True) -> "Mother":
        """A risk factor, present or absent."""
        self.say(Risk("active", factor, present, on(at)), recorded_at=on(at))
        return self

    def dxa(
        self, at: float, *, z: float | None = None, density: float | str | None = None, site: str = "lumbar_spine"
    ) -> "Mother":
        """One site of a DXA."""
        said = Density("final", site, on(at), number(z), None, number(density))
        self.say(said, recorded_at=on(at))
        return self

    def imaged(
        self, at: float, finding: str = "vertebral_fracture", *, age: str | None = None, region: str = "spine"
    ) -> "Mother":
        """A final MRI with one finding."""
        said = Study("final", "MRI", region, performed_at=on(at), findings=(StudyFinding(finding, age=age),))
        self.say(said, recorded_at=on(at))
        return self

    def coded(self, concept: str, onset: float) -> "Mother":
        """A coded condition."""
        said = Diagnosis("active", (concept,), concept, onset_at=on(onset))
        self.say(said, recorded_at=on(onset))
        return self

    def weighed(self, at: float, index: float, *, self_reported: bool | None = None) -> "Mother":
        """A body mass index."""
        said = Measured("active", "body_mass_index", on(at), number(index), self_reported)
        self.say(said, recorded_at=on(at))
        return self

    def ordered(
        self,
        drug: str,
        drug_class: str,
        first: float,
        last: float | None = None,
        *,
        dose: float | None = 5,
        unit: str = "mg",
        route: str | None = "PO",
    ) -> "Mother":
        """An order of one dose a day over whole days, first to last, inclusive."""
        said = Order(
            "active",
            drug,
            drug_class,
            on(first, 0),
            ends_at=None if last is None else on(last + 1, 0),
            dose=number(dose),
            unit=unit,
            doses_per_day=Decimal(1),
            route=route,
        )
        self.say(said, recorded_at=on(first, 0))
        return self

    def given(
        self, drug: str, drug_class: str, at: float, *, dose: float = 5, hour: float = 8, route: str = "IM"
    ) -> "Mother":
        """One dose given."""
        said = Dose("completed", drug, drug_class, on(at, hour), dose=number(dose), unit="mg", route=route)
        self.say(said, recorded_at=on(at, hour))
        return self

    def answered(self, rule: str, action: str, at: datetime) -> "Mother":
        """A response to the alert of a rule in the pregnancy episode."""
        episode = self.values()[PREGNANCIES.key].episodes[0].episode
        said = Response("active", alert_id(self.patient_id, episode, rule), action, by="Dr")
        self.say(said, recorded_at=at)
        return self

    def found(self, rule_id: str) -> Intervals:
        """The findings of a rule, derived through the strict reader too."""
        values = self.values()
        rule = next(r for r in RULES if r.id == rule_id)
        definitions = [d for define in DEFINITIONS for d in define(pack(), tables())]
        for definition in (*definitions, rule.definition(pack())):
            allowed = frozenset(name.key for name in definition.reads)
            again = definition.derive(StrictReader(values, self.calendar, allowed))
            assert again == values[definition.name.key]
        found: Intervals = values[f"finding/{rule_id}"]
        return found

    def spans(self, rule_id: str) -> list[tuple[float, float]]:
        """(began, ended) of the findings, in days from day 0."""
        return [(days_from_zero(i.began), days_from_zero(i.ended)) for i in self.found(rule_id)]

    def starts(self, rule_id: str) -> list[float]:
        """When the findings began, in days from day 0."""
        return [began for began, _ in self.spans(rule_id)]

    def one(self, rule_id: str) -> Interval:
        """The only finding of a rule."""
        (found,) = self.found(rule_id)
        return found

    def questions(self, rule_id: str, at: float) -> list[str]:
        """What the first finding of a rule asks at an instant."""
        rule = next(r for r in RULES if r.id == rule_id)
        values, judge = self.values(), Judge(pack().rules[rule_id])
        allowed = frozenset(name.key for name in (*rule.reads, *rule.asks_about))
        chart = StrictReader(values, self.calendar, allowed)
        return list(rule.asks(chart, judge, values[f"finding/{rule_id}"][0], on(at)))
