"""Coded diagnoses, procedures, risk factors and body weight."""

from datetime import date, timedelta
from typing import Final

from tests.oracle.codes import ICD_10_CM, SNOMED

from .story import Event, Story

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
PROCEDURES: Final = ("31208007", "18946005", "11466000", "736018001", "236891001")
FACTORS: Final = (
    "smoking",
    "family_history",
    "prior_fragility_fracture",
    "prior_plo",
    "low_weight_gain",
    "contraception",
    "menopause",
)


def condition(story: Story) -> None:
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


def coded_hip(story: Story) -> None:
    when = story.moment(story.some_day(150, 420))
    code = {"system": SNOMED, "code": story.rng.choice(("240160002", "240159007"))}
    side = story.rng.choice(("left", "right", None))
    story.say("condition", story.record("toh"), when, status="active", code=code, onset_at=when, side=side)


def procedure(story: Story) -> None:
    code = {"system": SNOMED, "code": story.rng.choice(PROCEDURES)}
    when = story.moment(story.some_day(150, 420))
    story.say("procedure", story.record("procedure"), when, status="completed", code=code, performed_at=when)


def factor(story: Story, name: str, day: date) -> None:
    when = story.moment(day)
    present = story.rng.random() < 0.75
    story.say("risk_factor", story.record("risk"), when, factor=name, present=present, observed_at=when)


def risk(story: Story) -> None:
    factor(story, story.rng.choice(FACTORS), story.some_day(-200, 500))


def body(story: Story) -> None:
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
