"""Random histories of women in whom the rules have something to say, as decoded contract events.

What the documents leave open is left out where it would only tell readings apart: two versions of one record at one
instant, a first version that is a stop, a dose changed before its order starts, one record under two patients.
"""

import random
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from .codes import ATC, HEPARIN_FLUSH, ICD_10_CM, LOINC, RXNORM, SNOMED
from .standing import NAMES, Names, alerts

Event = dict[str, Any]
EPOCH: Final = date(2024, 3, 1)
UTC_ZONE: Final = ZoneInfo("UTC")
UFH: Final = {"system": RXNORM, "code": "5224", "display": "heparin"}
LMWH: Final = (
    ({"system": RXNORM, "code": "67108", "display": "enoxaparin"}, ((40, "mg", 1), (60, "mg", 2), (4000, "[IU]", 1))),
    ({"system": ATC, "code": "B01AB04"}, ((5000, "[IU]", 1), (5000, "[IU]", 2), (100, "[IU]/kg", 2))),
    ({"system": RXNORM, "code": "69646"}, ((4500, "[IU]", 1), (175, "[IU]/kg", 1))),
)
UFH_DOSES: Final = ((5000, 2), (7500, 2), (10000, 2), (12500, 2), (5000, 3), (2500, 1), (15000, 2))
LABS: Final[tuple[tuple[str, tuple[str, ...], tuple[float, ...]], ...]] = (
    ("62292-8", ("ng/mL",), (8, 11, 12, 15, 19, 20, 26, 40)),
    ("68438-1", ("nmol/L",), (20, 29, 30, 45, 50, 80)),
    ("1989-3", ("ng/mL",), (9, 13, 18, 25)),
    ("49054-0", ("ng/mL",), (1, 4, 9)),
    ("17861-6", ("mg/dL",), (7.0, 9.4, 12.5)),
    ("2000-8", ("mmol/L",), (1.7, 2.2, 2.9, 3.0, 3.1)),
    ("29265-6", ("mmol/L",), (1.7, 1.8, 2.4, 3.0, 3.2)),
    ("1995-0", ("mmol/L",), (0.7, 0.8, 1.2, 1.6, 1.7)),
    ("1751-7", ("g/L", "g/dL"), (3.1, 35, 40)),
    ("2823-3", ("mmol/L",), (4.1, 6.4)),
    ("6768-6", ("U/L",), (28, 70, 150)),
    ("17838-4", ("ug/L",), (8, 14)),
    ("77370-5", ("ug/L",), (30, 60, 90)),
    ("2697-1", ("ug/L",), (10, 22)),
    ("3016-3", ("m[IU]/L", "u[IU]/mL"), (0.02, 0.05, 0.1, 0.3, 0.5, 1.8)),
    ("14920-3", ("pmol/L",), (15, 20, 25, 30)),
    ("3024-7", ("ng/dL",), (1.1, 1.9, 2.4)),
    ("33358-3", ("g/dL",), (0, 0.1, 0.8)),
    ("48378-4", ("{ratio}",), (0.2, 0.3, 1.0, 1.7, 2.5, 3.5)),
    ("33914-3", ("mL/min/{1.73_m2}",), (45, 60, 95)),
    ("2160-0", ("mg/dL",), (0.6, 0.9)),
)
MARKERS: Final[tuple[tuple[str, tuple[str, ...], tuple[float, ...]], ...]] = (
    ("41171-0", ("ng/L", "pg/mL"), (250, 400, 470, 640, 700, 800, 1100, 1450)),
    ("41171-0", ("ng/mL", "ug/L"), (0.25, 0.4, 0.47, 0.64, 0.7, 1.1, 1.45)),
    ("21215-9", ("nmol/L",), (8, 12, 18, 21, 26)),
    ("14115-0", ("nmol/mmol{creat}",), (30, 50, 70, 110)),
    ("17837-6", ("U/L",), (2.5, 4.0, 5.5)),
)
NORMAL: Final = (
    ("3016-3", 1.8, "m[IU]/L"),
    ("62292-8", 36, "ng/mL"),
    ("17861-6", 9.4, "mg/dL"),
    ("2777-1", 3.6, "mg/dL"),
    ("2731-8", 38, "pg/mL"),
    ("6768-6", 70, "U/L"),
    ("2160-0", 0.7, "mg/dL"),
    ("718-7", 12.1, "g/dL"),
)
DIAGNOSES: Final = (
    (ICD_10_CM, "M48.56XA"),
    (ICD_10_CM, "M80.88XA"),
    (ICD_10_CM, "M80.88XD"),
    (ICD_10_CM, "S32.010A"),
    (SNOMED, "240198002"),
    (SNOMED, "64859006"),
    (ICD_10_CM, "M81.8"),
    (ICD_10_CM, "O99.893"),
    (ICD_10_CM, "M80.851A"),
    (SNOMED, "431031001"),
    (ICD_10_CM, "N18.9"),
    (ICD_10_CM, "D47.2"),
    (SNOMED, "109989006"),
    (ICD_10_CM, "M87.051"),
    (ICD_10_CM, "Z74.01"),
    (SNOMED, "23056005"),
    (SNOMED, "199308008"),
)
BONE: Final = (
    (RXNORM, "73056", 35, "mg"),
    (RXNORM, "46041", 70, "mg"),
    (RXNORM, "77655", 5, "mg"),
    (RXNORM, "993449", 60, "mg"),
    (RXNORM, "32915", 20, "ug"),
    (ATC, "M05BX03", 2, "g"),
)
STEROIDS: Final = (
    (RXNORM, "8640", (2, 2.5, 5, 10)),
    (RXNORM, "8638", (5, 7.5)),
    (RXNORM, "1514", (12,)),
    (RXNORM, "5492", (20, 10)),
)
FACTORS: Final = (
    "smoking",
    "family_history",
    "prior_fragility_fracture",
    "prior_plo",
    "low_weight_gain",
    "contraception",
    "menopause",
)
PROCEDURES: Final = ("31208007", "18946005", "11466000", "736018001", "236891001")


@dataclass
class Story:
    """One woman's history while it is written."""

    rng: random.Random
    patient: str
    zone: ZoneInfo
    events: list[Event] = field(default_factory=list)
    day_zero: date = EPOCH
    delivered: date | None = None
    pregnant: bool = False
    serial: int = 0

    def moment(self, day: date, first: int = 6, last: int = 21) -> datetime:
        """Some time of a local day, to the second."""
        seconds = self.rng.randrange(first * 3600, last * 3600)
        if self.rng.random() < 0.04:
            return datetime.combine(day, time(), self.zone)
        return datetime.combine(day, time(), self.zone) + timedelta(seconds=seconds)

    def some_day(self, first: int, last: int) -> date:
        """A day from LMP+first to LMP+last."""
        return self.day_zero + timedelta(days=self.rng.randint(first, last))

    def record(self, kind: str) -> str:
        self.serial += 1
        return f"{self.patient}-{kind}-{self.serial}"

    def recorded(self, when: datetime) -> datetime:
        """Mostly soon after, sometimes late."""
        if self.rng.random() < 0.12:
            return when + timedelta(days=self.rng.choice((2, 5, 8, 20, 45)), seconds=self.rng.randrange(9000))
        return when + timedelta(seconds=self.rng.randrange(30, 6 * 3600))

    def say(self, kind: str, record: str, when: datetime, *, recorded: datetime | None = None, **payload: Any) -> Event:
        """Write one event; a later version of a record is recorded later."""
        said = recorded or self.recorded(when)
        former = [e for e in self.events if e["record_id"] == record]
        latest = max((datetime.fromisoformat(e["recorded_at"]) for e in former), default=said)
        if former and said <= latest:
            said = latest + timedelta(seconds=self.rng.randrange(60, 90_000))
        self.serial += 1
        event = {
            "event_id": f"{self.patient}-e{self.serial}",
            "kind": kind,
            "patient_id": self.patient,
            "source": f"feed-{kind}",
            "record_id": record,
            "recorded_at": said.isoformat(),
            **{name: _plain(value) for name, value in payload.items() if value is not None},
        }
        if self.rng.random() < 0.02:
            event["history"] = True
        self.events.append(event)
        return event


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, (date, datetime)) else value


def _pregnancy(story: Story) -> None:
    """A pregnancy is booked, dated anew, and ends."""
    rng, record = story.rng, story.record("pregnancy")
    story.pregnant = True
    booked = story.moment(story.some_day(25, 110))
    dating: dict[str, Any] = {"last_menstrual_period": story.day_zero}
    shape = rng.random()
    if shape < 0.2:
        dating = {"estimated_due_date": story.day_zero + timedelta(days=280)}
    elif shape < 0.35:
        dating = {"gestational_age_days": (booked.date() - story.day_zero).days}
    elif shape < 0.47:
        dating = {}
    story.say("pregnancy", record, booked, status="pregnant", observed_at=booked, **dating)
    if rng.random() < 0.35 or not dating:
        seen = story.moment(booked.date() + timedelta(days=rng.choice((3, 12, 15, 40, 90))))
        moved = story.day_zero + timedelta(days=280 + rng.randint(-9, 9))
        dating = {**dating, "estimated_due_date": moved}
        story.say("pregnancy", record, seen, status="pregnant", observed_at=seen, **dating)
    _ends(story, record, dating)


def _ends(story: Story, record: str, dating: dict[str, Any]) -> None:
    shape = story.rng.random()
    if shape < 0.1:
        return
    if shape < 0.16:
        when = story.moment(story.some_day(115, 150))
        story.say("pregnancy", record, when, status="refuted", observed_at=when)
        return
    lost = shape < 0.26
    day = story.some_day(60, 190) if lost else story.some_day(225, 292)
    when = story.moment(day)
    story.delivered = day
    outcome = story.rng.choice(("miscarriage", "stillbirth")) if lost else "live_birth"
    status = "ended" if lost else "delivered"
    story.say("pregnancy", record, when, status=status, outcome=outcome, ended_on=day, observed_at=when, **dating)


def _second_source(story: Story) -> None:
    """Another feed speaks of the same pregnancy."""
    when = story.moment(story.some_day(60, 150))
    lmp = story.day_zero + timedelta(days=story.rng.randint(-4, 4))
    record = story.record("antenatal")
    story.say("pregnancy", record, when, status="pregnant", last_menstrual_period=lmp, observed_at=when)


def _order(story: Story, drug: Event, first: date, dose: Event, *, times: float | None, **payload: Any) -> None:
    """An order with the versions that it gets: doses, holds, a new start, a stop, and what the ward does with it."""
    rng, record = story.rng, story.record("order")
    starts = story.moment(first)
    placer = f"{record}-placer" if rng.random() < 0.5 else None
    common = {"drug": drug, "route": payload.pop("route", "SC"), "placer_order": placer, **payload}
    now: Event = {"starts_at": starts, "dose": dose, "doses_per_day": times}
    recorded = starts - timedelta(seconds=rng.randrange(60, 7000))
    story.say("prescription", record, starts, recorded=recorded, status="active", **now, **common)
    when = starts
    for _ in range(rng.choice((0, 0, 1, 1, 2, 3))):
        when = story.moment(when.astimezone(story.zone).date() + timedelta(days=rng.randint(4, 90)))
        now = _changed(story, record, when, now, common)
    if rng.random() < 0.5:
        ends = story.moment(when.astimezone(story.zone).date() + timedelta(days=rng.randint(3, 160)))
        story.say("prescription", record, ends, status="stopped", ends_at=ends, **now, **common)
        if rng.random() < 0.15:
            again = story.moment(ends.astimezone(story.zone).date() + timedelta(days=rng.randint(1, 120)))
            said = again + timedelta(minutes=5)
            story.say(
                "prescription", record, again, recorded=said, status="active", effective_from=again, **now, **common
            )
    if placer and rng.random() < 0.6:
        _given(story, drug, dose, times=times, first=first, placer=placer)


def _changed(story: Story, record: str, when: datetime, now: Event, common: Event) -> Event:
    rng, kind = story.rng, story.rng.random()
    if kind < 0.35:
        value = now["dose"]["value"] if now.get("dose") else 5000
        now = {
            **now,
            "dose": {"value": value * rng.choice((0.5, 2)), "unit": (now.get("dose") or {}).get("unit", "[IU]")},
        }
        said = now if rng.random() < 0.85 else {**now, "dose": None}
        effective = when if rng.random() < 0.5 else None
        story.say("prescription", record, when, status="active", effective_from=effective, **said, **common)
    elif kind < 0.75:
        story.say("prescription", record, when, status="on_hold", effective_from=when, **now, **common)
        back = when + timedelta(days=rng.randint(1, 14), seconds=rng.randrange(1, 5000))
        story.say("prescription", record, back, status="active", effective_from=back, **now, **common)
    elif kind < 0.85:
        moved = now["starts_at"] + timedelta(days=rng.randint(-3, 3), seconds=rng.randrange(1, 600))
        now = {**now, "starts_at": moved}
        story.say("prescription", record, when, status="active", **now, **common)
    return now


def _given(story: Story, drug: Event, dose: Event, *, times: float | None, first: date, placer: str | None) -> None:
    """Doses given, not given, infused and dispensed."""
    rng = story.rng
    day = first + timedelta(days=rng.randint(0, 50))
    for _ in range(rng.randint(1, 4)):
        when = story.moment(day)
        status = "not_done" if rng.random() < 0.3 else "completed"
        record = story.record("given")
        story.say(
            "administration", record, when, status=status, drug=drug, dose=dose, given_at=when, placer_order=placer
        )
        day += timedelta(days=rng.choice((0, 1, 1, 2, 5)))
    if rng.random() < 0.4:
        when = story.moment(first + timedelta(days=rng.randint(0, 60)))
        story.say(
            "dispense",
            story.record("supply"),
            when,
            status="completed",
            drug=drug,
            dose=dose,
            doses_per_day=times,
            quantity={"value": 30, "unit": "{syringe}"},
            days_supply=rng.choice((7, 14, 28, 30)),
            dispensed_at=when,
            placer_order=placer,
        )


def _ufh(story: Story) -> None:
    rng = story.rng
    value, times = rng.choice(UFH_DOSES)
    unit = rng.choice(("[IU]", "[IU]", "[USP'U]", "U"))
    _order(story, UFH, story.some_day(-160, 240), {"value": value, "unit": unit}, times=times)


def _ufh_after(story: Story) -> None:
    value, times = story.rng.choice(UFH_DOSES)
    _order(story, UFH, story.some_day(280, 560), {"value": value, "unit": "[IU]"}, times=times)


def _lmwh(story: Story) -> None:
    drug, doses = story.rng.choice(LMWH)
    value, unit, times = story.rng.choice(doses)
    _order(story, drug, story.some_day(-90, 240), {"value": value, "unit": unit}, times=times)


def _odd_heparin(story: Story) -> None:
    """A flush, an infusion, a dose that is unclear, one as needed."""
    rng = story.rng
    when = story.moment(story.some_day(-20, 330))
    record = story.record("odd")
    shape = rng.random()
    if shape < 0.2:
        dose = {"value": 300, "unit": "[IU]"}
        drug = rng.choice((UFH, {"system": RXNORM, "code": HEPARIN_FLUSH}))
        story.say(
            "administration", record, when, status="completed", drug=drug, dose=dose, given_at=when, route="line flush"
        )
    elif shape < 0.5:
        rate = {"value": rng.choice((800, 1000, 1250)), "unit": "[IU]/h"}
        ends = when + timedelta(hours=rng.choice((6, 30, 70)))
        story.say(
            "administration",
            record,
            when,
            status="completed",
            drug=UFH,
            rate=rate,
            given_at=when,
            ends_at=ends,
            route="IV",
        )
    elif shape < 0.8:
        odd: tuple[Event, ...] = ({"value": 5000}, {"value": 50, "unit": "mg"}, {"value": 90_000, "unit": "[IU]"})
        dose = rng.choice(odd)
        story.say("administration", record, when, status="completed", drug=UFH, dose=dose, given_at=when)
        if rng.random() < 0.6:
            dose = {"value": 5000, "unit": "[IU]"}
            later = when + timedelta(days=rng.randint(1, 60))
            story.say("administration", record, later, status="completed", drug=UFH, dose=dose, given_at=when)
    else:
        dose = {"value": 5000, "unit": "[IU]"}
        story.say(
            "prescription",
            record,
            when,
            recorded=when,
            status="active",
            drug=UFH,
            dose=dose,
            doses_per_day=2,
            starts_at=when,
            as_needed=True,
        )


def _feeding(story: Story) -> None:
    """Feeding from birth on: exclusive, mixed, unknown, weaned, and again."""
    rng = story.rng
    day = (story.delivered or story.some_day(270, 290)) + timedelta(days=rng.choice((0, 0, 1, 30)))
    record = story.record("feeding")
    feeding = rng.choice(("exclusive", "mixed"))
    for _ in range(rng.randint(1, 5)):
        when = max(story.moment(day), datetime.combine(day, time(), story.zone))
        if rng.random() < 0.25:
            record = story.record("feeding")
        story.say("lactation", record, when, feeding=feeding, since=day, observed_at=when)
        feeding = rng.choice(("exclusive", "mixed", "none", "none", "unknown"))
        day += timedelta(days=rng.choice((5, 10, 14, 15, 40, 100, 190, 260)))


def _back_pain(story: Story) -> None:
    rng, day = story.rng, story.some_day(150, 420)
    for _ in range(rng.randint(1, 3)):
        when = story.moment(day)
        score = rng.choice((None, 1, 2, 3, 4, 5, 5, 6, 7, 8, 9))
        story.say(
            "symptom",
            story.record("pain"),
            when,
            symptom="back_pain",
            score=score,
            sudden=rng.choice((None, False, True)),
            injury=rng.choice((None, "none", "minor", "minor", "major") if rng.random() < 0.5 else (None, "none")),
            observed_at=when,
        )
        day += timedelta(days=rng.choice((1, 6, 7, 8, 14, 15, 30)))


def _hip_pain(story: Story) -> None:
    rng, day, side = story.rng, story.some_day(120, 480), story.rng.choice(("left", "right"))
    for _ in range(rng.randint(1, 4)):
        when = story.moment(day)
        story.say(
            "symptom",
            story.record("hip"),
            when,
            symptom=rng.choice(("hip_pain", "groin_pain")),
            score=rng.choice((None, 1, 2, 3, 4, 5, 8)),
            injury=rng.choice((None, "none", "none", "minor", "major")),
            side=side,
            weight_bearing=rng.choice((None, "full", "full", "limited", "unable")),
            gait=rng.choice((None, "normal", "antalgic")),
            onset_at=when - timedelta(days=rng.randint(1, 20)) if rng.random() < 0.3 else None,
            observed_at=when,
        )
        day += timedelta(days=rng.choice((3, 13, 14, 20, 100, 250)))


def _heights(story: Story) -> None:
    rng = story.rng
    device = rng.choice((None, "stadiometer-1"))
    days = [story.some_day(-300, -5), story.some_day(20, 500), story.some_day(100, 600)]
    for day, value in zip(sorted(days), (168, *rng.choices((165.5, 166, 166.1, 168, 163), k=2)), strict=True):
        when = story.moment(day)
        other = "stadiometer-2" if device and rng.random() < 0.3 else device
        story.say(
            "measurement",
            story.record("height"),
            when,
            measure="body_height",
            value=value,
            unit="cm",
            self_reported=rng.random() < 0.1,
            device=other,
            observed_at=when,
        )


def _body(story: Story) -> None:
    when = story.moment(story.some_day(-100, 400))
    measure, value, unit = story.rng.choice(
        (
            ("body_weight", 62, "kg"),
            ("body_weight", 150, "[lb_av]"),
            ("body_mass_index", 18.4, "kg/m2"),
            ("body_mass_index", 18.5, "kg/m2"),
        )
    )
    story.say("measurement", story.record("body"), when, measure=measure, value=value, unit=unit, observed_at=when)


def _imaging(story: Story) -> None:
    """Spine and hip studies from the order to the report."""
    rng, record = story.rng, story.record("imaging")
    region = rng.choice(("spine", "spine", "hip", "pelvis"))
    modality = rng.choice(("MRI", "MRI", "XR", "CT") if region == "spine" else ("MRI", "MRI", "XR"))
    ordered = story.moment(story.some_day(120, 560))
    done = ordered + timedelta(days=rng.randint(0, 25), seconds=rng.randrange(1, 20_000))
    common: Event = {"modality": modality, "region": region, "ordered_at": ordered}
    if rng.random() < 0.5:
        booked = {**common, "scheduled_for": done}
        story.say("imaging", record, ordered, status=rng.choice(("ordered", "booked")), **booked)
    if rng.random() < 0.12:
        story.say("imaging", record, done, status="cancelled", **common)
        return
    if rng.random() < 0.2:
        story.say("imaging", record, done, status="performed", performed_at=done, **common)
    findings = _spine_findings(rng) if region == "spine" else _hip_findings(rng)
    story.say("imaging", record, done, status="final", performed_at=done, findings=findings, **common)


def _spine_findings(rng: random.Random) -> list[Event]:
    shape = rng.random()
    if shape < 0.4:
        return [{"finding": "vertebral_fracture", "levels": ["T12"], "age": rng.choice(("acute", "old", None))}]
    if shape < 0.5:
        return [{"finding": "sacral_fracture"}]
    return [] if shape < 0.6 else [{"finding": rng.choice(("normal", "no_fracture"))}]


def _hip_findings(rng: random.Random) -> list[Event]:
    shape = rng.random()
    if shape < 0.45:
        return [{"finding": "marrow_edema", "side": rng.choice(("left", "right", "both"))}]
    if shape < 0.6:
        return [{"finding": "femoral_neck_fracture", "side": "left"}]
    return [{"finding": rng.choice(("normal", "no_fracture"))}]


def _scan(story: Story) -> None:
    """A DXA from its order on, and what it measures."""
    rng, record = story.rng, story.record("dxa")
    ordered = story.moment(story.some_day(10, 400))
    planned = story.moment(ordered.date() + timedelta(days=rng.choice((20, 60, 100, 300))))
    common: Event = {"modality": "DXA", "region": "other", "ordered_at": ordered}
    scheduled = planned if rng.random() < 0.6 else None
    story.say("imaging", record, ordered, status="ordered", scheduled_for=scheduled, **common)
    shape = rng.random()
    if shape < 0.2:
        story.say("imaging", record, planned, recorded=planned - timedelta(hours=30), status="cancelled", **common)
    elif shape < 0.5:
        moved = planned + timedelta(days=rng.choice((30, 250)))
        story.say("imaging", record, ordered + timedelta(hours=20), status="booked", scheduled_for=moved, **common)
    elif shape < 0.8:
        story.say("imaging", record, planned, status="performed", performed_at=planned, **common)
        _measured(story, planned)


def _measured(story: Story, when: datetime) -> None:
    rng = story.rng
    shape = rng.random()
    z = rng.choice((-2.6, -2.0, -1.9, -1.0)) if shape < 0.7 else None
    t = rng.choice((-2.7, -1.2)) if shape > 0.5 else None
    site = rng.choice(("lumbar_spine", "total_hip", "femoral_neck"))
    density = rng.choice((0.80, 0.82, 0.825, 0.9))
    story.say(
        "bone_density",
        story.record("density"),
        when,
        site=site,
        z_score=z,
        t_score=t,
        density_g_cm2=density,
        performed_at=when,
    )


def _density(story: Story) -> None:
    for _ in range(story.rng.randint(1, 3)):
        _measured(story, story.moment(story.some_day(-200, 1100)))


def _lab(story: Story) -> None:
    rng = story.rng
    for _ in range(rng.randint(1, 3)):
        code, units, values = rng.choice(LABS)
        unit, value = rng.choice(units), rng.choice(values)
        if unit == "g/L":
            value = rng.choice((24, 35, 40))
        if unit == "g/dL" and code == "1751-7":
            value = rng.choice((2.4, 3.5, 4))
        when = story.moment(story.some_day(-150, 700))
        _result(story, code, value, unit, when)
        if code in {"2000-8", "1989-3", "29265-6"} and rng.random() < 0.6:
            for other, amount, measured in (
                ("1751-7", 30, "g/L") if code != "1989-3" else ("49054-0", 6, "ng/mL"),
                ("2823-3", 6.4, "mmol/L"),
                ("6768-6", 28, "U/L"),
            )[: rng.choice((1, 3))]:
                _result(story, other, amount, measured, when)


def _result(story: Story, code: str, value: float, unit: str, when: datetime, **payload: Any) -> str:
    rng, record = story.rng, story.record("lab")
    comparator = rng.choice(("<", ">")) if rng.random() < 0.06 else None
    status = rng.choices(("final", "preliminary"), (9, 1))[0]
    high = {"pmol/L": 22, "ng/dL": 1.7}.get(unit)
    interval = {"low": 1, "high": high} if high and rng.random() < 0.5 else None
    common: Event = {"code": {"system": LOINC, "code": code}, "unit": unit, "collected_at": when, **payload}
    common = {"fasting": True, "laboratory": "LAB-1", "assay": "A", "reference_range": interval, **common}
    said = {"value": value, "comparator": comparator, **common}
    story.say("lab_result", record, when, status=status, **said)
    if status == "preliminary" or rng.random() < 0.1:
        later = when + timedelta(days=rng.randint(1, 9))
        final = "final" if status == "preliminary" else "corrected"
        story.say("lab_result", record, later, status=final, **{**said, "value": value * rng.choice((1, 1, 1.5))})
    return record


def _markers(story: Story) -> None:
    """A series of one marker, in one laboratory or two."""
    rng = story.rng
    code, units, values = rng.choice(MARKERS)
    unit = rng.choice(units)
    day = story.some_day(100, 900)
    for _ in range(rng.randint(2, 4)):
        when = story.moment(day, 6, 10) if rng.random() < 0.85 else story.moment(day, 10, 13)
        high = rng.choice((None, None, max(values) / 2))
        _result(
            story,
            code,
            rng.choice(values),
            unit,
            when,
            fasting=rng.choice((True, True, True, None, False)),
            assay=rng.choice(("A", "A", "A", "B")),
            quality=rng.choice((None,) * 12 + ("haemolysed",)),
            reference_range={"high": high} if high else None,
        )
        day += timedelta(days=rng.choice((10, 14, 30, 60, 120)))


def _wrong_unit(story: Story) -> None:
    """A result nobody can convert, mostly put right later."""
    rng, record = story.rng, story.record("unit")
    when = story.moment(story.some_day(0, 500))
    code, value, unit, good = rng.choice(
        (("41171-0", 0.3, "ng/L", 300), ("62292-8", 30, "mg/{spoon}", 30), ("2000-8", 2300, "mmol/L", 2.3))
    )
    common: Event = {"code": {"system": LOINC, "code": code}, "collected_at": when, "fasting": True, "status": "final"}
    common |= {"laboratory": "LAB-1", "assay": "A"}
    story.say("lab_result", record, when, value=value, unit=unit, **common)
    if rng.random() < 0.5:
        right = unit if unit != "mg/{spoon}" else "ng/mL"
        later = when + timedelta(days=rng.randint(1, 60))
        story.say("lab_result", record, later, value=good, unit=right, **{**common, "status": "corrected"})


def _work_up(story: Story) -> None:
    """The nine tests, most of them, some only ordered."""
    rng = story.rng
    day = story.some_day(200, 520)
    for code, value, unit in NORMAL:
        when = story.moment(day + timedelta(days=rng.choice((0, 0, 0, 3, 12))))
        if rng.random() < 0.93:
            _result(story, code, value, unit, when)
    when = story.moment(day)
    pattern = {"system": LOINC, "code": "12851-2"}
    if rng.random() < 0.8:
        text: Event = {"code": pattern, "value_text": "normal pattern", "collected_at": when, "status": "final"}
        story.say("lab_result", story.record("lab"), when, **text)
    else:
        story.say("lab_order", story.record("asked"), when, status="active", code=pattern, ordered_at=when)


def _asked(story: Story) -> None:
    for code, _, _ in story.rng.sample(NORMAL, 3):
        when = story.moment(story.some_day(180, 500))
        asked = {"system": LOINC, "code": code}
        record = story.record("asked")
        story.say("lab_order", record, when, status="active", code=asked, ordered_at=when)
        if story.rng.random() < 0.3:
            later = when + timedelta(days=story.rng.randint(1, 10))
            status = story.rng.choice(("cancelled", "completed"))
            story.say("lab_order", record, later, status=status, code=asked, ordered_at=when)


def _condition(story: Story) -> None:
    rng, record = story.rng, story.record("condition")
    system, code = rng.choice(DIAGNOSES)
    when = story.moment(story.some_day(-60, 560))
    common: Event = {"code": {"system": system, "code": code}, "onset_at": when if rng.random() < 0.7 else None}
    story.say("condition", record, when, status="active", **common)
    if rng.random() < 0.25:
        later = when + timedelta(days=rng.randint(2, 40))
        status = rng.choice(("resolved", "refuted"))
        abated = later if status == "resolved" else None
        story.say("condition", record, later, status=status, abated_at=abated, **common)


def _coded_hip(story: Story) -> None:
    when = story.moment(story.some_day(150, 420))
    code = {"system": SNOMED, "code": story.rng.choice(("240160002", "240159007"))}
    side = story.rng.choice(("left", "right", None))
    story.say("condition", story.record("toh"), when, status="active", code=code, onset_at=when, side=side)


def _bone_drug(story: Story) -> None:
    """A bone drug ordered, given or dispensed, with or without a test and contraception."""
    rng = story.rng
    system, code, value, unit = rng.choice(BONE)
    drug, dose = {"system": system, "code": code}, {"value": value, "unit": unit}
    day = story.some_day(-190, 620)
    if rng.random() < 0.65:
        _order(story, drug, day, dose, times=1, route="PO")
    elif rng.random() < 0.5:
        when = story.moment(day)
        story.say(
            "administration", story.record("given"), when, status="completed", drug=drug, dose=dose, given_at=when
        )
    else:
        when = story.moment(day)
        story.say(
            "dispense",
            story.record("supply"),
            when,
            status="completed",
            drug=drug,
            dose=dose,
            doses_per_day=1,
            days_supply=28,
            dispensed_at=when,
        )
    if rng.random() < 0.5:
        when = story.moment(day + timedelta(days=rng.randint(-15, 20)))
        test = {"system": LOINC, "code": rng.choice(("2106-3", "2118-8"))}
        text: Event = {"code": test, "value_text": rng.choice(("negative", "positive")), "collected_at": when}
        story.say("lab_result", story.record("hcg"), when, status="final", **text)
        _factor(story, "contraception", day + timedelta(days=rng.randint(-20, 30)))


def _steroid(story: Story) -> None:
    system, code, doses = story.rng.choice(STEROIDS)
    dose = {"value": story.rng.choice(doses), "unit": "mg"}
    route = story.rng.choice(("PO", "PO", "IM", None, "topical", "inhaled"))
    _order(story, {"system": system, "code": code}, story.some_day(-150, 400), dose, times=1, route=route)


def _supplement(story: Story) -> None:
    code, value, unit = story.rng.choice((("2418", 1000, "[IU]"), ("10582", 100, "ug"), ("11289", 5, "mg")))
    drug = {"system": RXNORM, "code": code}
    _order(story, drug, story.some_day(-120, 350), {"value": value, "unit": unit}, times=1, route="PO")


def _fondaparinux(story: Story) -> None:
    drug = {"system": RXNORM, "code": "321208"}
    dose = {"value": story.rng.choice((2.5, 7.5)), "unit": "mg"}
    _order(story, drug, story.some_day(20, 290), dose, times=1)


def _bed_rest(story: Story) -> None:
    rng, record = story.rng, story.record("rest")
    starts = story.moment(story.some_day(60, 325))
    said: Event = {"order": "bed_rest", "starts_at": starts}
    story.say("care_order", record, starts, status="active", **said)
    if rng.random() < 0.7:
        ends = starts + timedelta(days=rng.randint(1, 12), seconds=rng.randrange(1, 9000))
        story.say("care_order", record, ends, status="stopped", ends_at=ends, **said)
        if rng.random() < 0.3:
            again = ends + timedelta(days=rng.randint(1, 5))
            story.say("care_order", record, again, status="active", effective_from=again, **said)


def _factor(story: Story, name: str, day: date) -> None:
    when = story.moment(day)
    present = story.rng.random() < 0.75
    story.say("risk_factor", story.record("risk"), when, factor=name, present=present, observed_at=when)


def _risk(story: Story) -> None:
    _factor(story, story.rng.choice(FACTORS), story.some_day(-200, 500))


def _procedure(story: Story) -> None:
    code = {"system": SNOMED, "code": story.rng.choice(PROCEDURES)}
    when = story.moment(story.some_day(150, 420))
    story.say("procedure", story.record("procedure"), when, status="completed", code=code, performed_at=when)


def _long_hip(story: Story) -> None:
    """Marrow edema on one side, and pain that is there again after a year."""
    rng, side = story.rng, story.rng.choice(("left", "right"))
    seen = story.moment(story.some_day(150, 330))
    first = seen - timedelta(days=rng.choice((0, 10, 150, 190)), seconds=5)
    common: Event = {"symptom": "hip_pain", "side": side, "weight_bearing": "limited"}
    story.say("symptom", story.record("hip"), first, score=6, observed_at=first, **common)
    edema = [{"finding": "marrow_edema", "side": side}]
    study: Event = {"modality": "MRI", "region": rng.choice(("hip", "pelvis")), "findings": edema}
    story.say("imaging", story.record("imaging"), seen, status="final", performed_at=seen, **study)
    again = first + timedelta(days=rng.choice((364, 365, 366, 400)))
    story.say("symptom", story.record("hip"), again, score=rng.choice((3, 4, 7)), observed_at=again, **common)


def _rising(story: Story) -> None:
    """A resorption marker that rises within one phase, by about what can be told from chance."""
    rng = story.rng
    first = story.some_day(196, 250)
    for day, value in ((first, 450), (first + timedelta(days=rng.choice((13, 14, 25))), rng.choice((697, 702, 900)))):
        _result(story, "41171-0", value, "ng/L", story.moment(day, 6, 9))


def _weaned(story: Story) -> None:
    """Fed from birth, weaned, and the marker still high months later."""
    rng, record = story.rng, story.record("feeding")
    born = story.delivered or story.some_day(275, 285)
    weaned = born + timedelta(days=rng.choice((60, 182, 184, 300)))
    for day, feeding in ((born, "exclusive"), (weaned, "none")):
        when = story.moment(day)
        story.say("lactation", record, when, feeding=feeding, since=day, observed_at=when)
    for after, value in (
        (rng.choice((5, 89, 90, 120)), 500),
        (rng.choice((140, 200, 365, 366)), rng.choice((760, 830))),
    ):
        _result(story, "41171-0", value, "ng/L", story.moment(weaned + timedelta(days=after), 6, 9))
    for after, density in ((20 - (weaned - born).days, 0.80), (rng.choice((300, 366, 420)), rng.choice((0.82, 0.83)))):
        when = story.moment(weaned + timedelta(days=after))
        site: Event = {"site": "lumbar_spine", "density_g_cm2": density, "z_score": -1.1}
        story.say("bone_density", story.record("density"), when, performed_at=when, **site)


def _thyroid(story: Story) -> None:
    """A low TSH, with a high fT4 or on levothyroxine, and a later TSH."""
    rng = story.rng
    when = story.moment(story.some_day(20, 400))
    _result(story, "3016-3", rng.choice((0.05, 0.09, 0.1)), "m[IU]/L", when)
    near = when + timedelta(days=rng.choice((-31, -30, 0, 10, 30, 31)))
    _result(story, "14920-3", rng.choice((18, 19.3, 20, 27)), "pmol/L", near)
    if rng.random() < 0.5:
        _result(story, "3016-3", rng.choice((0.1, 0.3, 0.6)), "m[IU]/L", when + timedelta(days=60))
    if rng.random() < 0.5:
        drug = {"system": RXNORM, "code": "10582"}
        first = when.date() - timedelta(days=rng.randint(-5, 60))
        _order(story, drug, first, {"value": 100, "unit": "ug"}, times=1, route="PO")


def _protein(story: Story) -> None:
    """A fracture, and a monoclonal protein before or after it."""
    rng = story.rng
    when = story.moment(story.some_day(150, 500))
    findings = [{"finding": "vertebral_fracture", "levels": ["L1"]}]
    study: Event = {"modality": "MRI", "region": "spine", "findings": findings}
    story.say("imaging", story.record("imaging"), when, status="final", performed_at=when, **study)
    later = when + timedelta(days=rng.choice((-40, 0, 9, 60)), seconds=77)
    code, value, unit = rng.choice(
        (("33358-3", 0.4, "g/dL"), ("48378-4", 2.5, "{ratio}"), ("48378-4", 0.25, "{ratio}"))
    )
    _result(story, code, value, unit, later)


TELLING: Final[tuple[tuple[Callable[[Story], None], int], ...]] = (
    (_ufh, 7),
    (_ufh_after, 2),
    (_lmwh, 4),
    (_odd_heparin, 3),
    (_feeding, 4),
    (_back_pain, 5),
    (_hip_pain, 4),
    (_heights, 2),
    (_body, 2),
    (_imaging, 6),
    (_scan, 4),
    (_density, 3),
    (_lab, 6),
    (_markers, 4),
    (_wrong_unit, 1),
    (_work_up, 1),
    (_asked, 1),
    (_condition, 4),
    (_coded_hip, 1),
    (_bone_drug, 4),
    (_steroid, 2),
    (_supplement, 2),
    (_fondaparinux, 1),
    (_bed_rest, 3),
    (_risk, 3),
    (_procedure, 1),
    (_second_source, 1),
    (_long_hip, 1),
    (_rising, 2),
    (_weaned, 2),
    (_thyroid, 2),
    (_protein, 1),
)


def _introduced(story: Story) -> None:
    rng = story.rng
    if rng.random() < 0.8:
        born = date(rng.choice((1975, 1985, 1990, 1998)), rng.randint(1, 12), rng.randint(1, 28))
        when = story.moment(story.some_day(-220, -201))
        sex = rng.choice(("female", "female", "female", None))
        story.say("patient", story.record("patient"), when, birth_date=born, sex=sex)
    if rng.random() < 0.88:
        _pregnancy(story)
    if rng.random() < 0.12:
        first, story.day_zero = story.day_zero, story.day_zero + timedelta(days=rng.randint(420, 800))
        delivered, story.delivered = story.delivered, None
        _pregnancy(story)
        if rng.random() < 0.5:
            story.day_zero, story.delivered = first, delivered


def _revised(story: Story) -> None:
    """A record is cancelled or entered in error, and perhaps comes back."""
    rng = story.rng
    kinds = {"symptom", "lab_result", "imaging", "condition", "bone_density", "prescription", "administration"}
    kinds |= {"pregnancy", "lactation", "risk_factor", "measurement"}
    records = sorted({e["record_id"] for e in story.events if e["kind"] in kinds})
    if not records:
        return
    record = rng.choice(records)
    latest = [e for e in story.events if e["record_id"] == record][-1]
    plain = {"symptom", "bone_density", "pregnancy", "lactation", "risk_factor", "measurement"}
    name = "record_status" if latest["kind"] in plain else "status"
    removed = deepcopy(latest)
    recorded = datetime.fromisoformat(latest["recorded_at"]) + timedelta(days=rng.randint(0, 60), seconds=61)
    removed |= {"event_id": f"{latest['event_id']}-x", "recorded_at": recorded.isoformat(), name: "entered_in_error"}
    story.events.append(removed)
    if rng.random() < 0.3:
        back = deepcopy(latest)
        recorded += timedelta(days=rng.randint(0, 30), seconds=61)
        back |= {"event_id": f"{latest['event_id']}-y", "recorded_at": recorded.isoformat()}
        story.events.append(back)


def _merges(rng: random.Random, patients: list[str], zone: ZoneInfo) -> list[Event]:
    """Identities merged and un-merged, in chains and sometimes in a circle."""
    made: list[Event] = []
    if len(patients) < 2 or rng.random() > 0.4:
        return made
    when = datetime.combine(EPOCH + timedelta(days=rng.randint(100, 900)), time(11), zone)
    for i in range(rng.randint(1, 3)):
        retired, into = rng.sample(patients, 2)
        kinds = ["patient_merge"] if rng.random() < 0.7 else ["patient_merge", "patient_unmerge"]
        for kind in kinds:
            when += timedelta(days=rng.randint(1, 120), seconds=rng.randrange(1, 999))
            event_id = f"merge-{i}-{kind}"
            made.append(
                {
                    "event_id": event_id,
                    "kind": kind,
                    "patient_id": retired,
                    "source": "registry",
                    "record_id": event_id,
                    "recorded_at": when.isoformat(),
                    "into": into,
                }
            )
    return made


def _responses(rng: random.Random, events: list[Event], zone: ZoneInfo, names: Names) -> list[Event]:
    """Some alerts that stand at some time are answered."""
    made: list[Event] = []
    for i in range(rng.randint(0, 3)):
        known = [*events, *made]
        at = rng.choice(instants(rng, known, zone))
        until_then = [e for e in known if datetime.fromisoformat(e["recorded_at"]) <= at]
        standing = sorted(alerts(until_then, at, zone, names=names), key=lambda a: a.alert_id)
        for j, alert in enumerate(rng.sample(standing, min(len(standing), 2))):
            action = rng.choice(("acknowledge", "snooze", "override", "plan", "plan", "reopen"))
            recorded = at + timedelta(seconds=rng.randrange(1, 7200))
            event: Event = {
                "event_id": f"answer-{i}-{j}",
                "kind": "alert_response",
                "patient_id": alert.patient_id,
                "source": "console",
                "recorded_at": recorded.isoformat(),
                "alert_id": alert.alert_id,
                "action": action,
                "by": "dr-a",
                "reason": "trauma" if action == "override" else None,
            }
            if action == "snooze":
                event["until"] = (recorded + timedelta(days=rng.randint(1, 40))).isoformat()
            made.append({name: value for name, value in event.items() if value is not None})
    return made


def instants(rng: random.Random, events: list[Event], zone: ZoneInfo = UTC_ZONE, asked: int = 6) -> list[datetime]:
    """When to ask what stands: midnights, the seconds beside events, any time, and long after the last one."""
    recorded = sorted(datetime.fromisoformat(e["recorded_at"]).astimezone(UTC) for e in events)
    if not recorded:
        return [datetime.combine(EPOCH, time(), UTC)]
    span = (recorded[-1] - recorded[0]).total_seconds()
    found = [recorded[-1] + timedelta(days=rng.choice((0, 1, 30, 200)), seconds=1)]
    while len(found) < asked:
        shape = rng.random()
        when = rng.choice(recorded) + timedelta(seconds=rng.choice((0, 1, 3600)))
        if shape < 0.4:
            when = recorded[0] + timedelta(seconds=rng.randint(0, int(span) + 1))
        elif shape < 0.6:
            day = when.astimezone(zone).date() + timedelta(days=rng.randint(0, 100))
            when = datetime.combine(day, time(), zone).astimezone(UTC)
        found.append(when)
    return sorted(found)


def history(
    rng: random.Random,
    patients: int = 2,
    length: int = 40,
    *,
    zone: ZoneInfo = UTC_ZONE,
    names: Names = NAMES,
    erasures: bool = False,
) -> list[Event]:
    """A random history of about `length` events, in the order of their recording, with a few repeats.

    Whoever asks at an instant gives what was recorded until then.
    """
    stories = []
    for i in range(patients):
        story = Story(rng, f"MRN-{i + 1}", zone)
        story.day_zero = EPOCH + timedelta(days=rng.randint(200, 420))
        _introduced(story)
        stories.append(story)
    functions, weights = zip(*TELLING, strict=True)
    while sum(len(s.events) for s in stories) < length:
        story = rng.choice(stories)
        rng.choices(functions, weights)[0](story)
    for story in stories:
        if rng.random() < 0.5:
            _revised(story)
    events = [e for s in stories for e in s.events]
    events += _merges(rng, [s.patient for s in stories], zone)
    if erasures and rng.random() < 0.3:
        events.append(_erased(rng, stories[0].patient, events))
    events += _responses(rng, events, zone, names)
    events += [deepcopy(e) for e in events if rng.random() < 0.03]
    return sorted(events, key=lambda e: datetime.fromisoformat(e["recorded_at"]))


def _erased(rng: random.Random, patient: str, events: list[Event]) -> Event:
    recorded = [datetime.fromisoformat(e["recorded_at"]) for e in events]
    when = rng.choice(recorded) + timedelta(seconds=1)
    return {
        "event_id": f"erase-{patient}",
        "kind": "erasure",
        "patient_id": patient,
        "source": "registry",
        "recorded_at": when.isoformat(),
    }
