"""What is asked and measured in an ordinary pregnancy: vitamin D, calcium, markers, and ordinary aches."""

from typing import Any, Final

from streams.simulate import codes, diagnostics, pharmacy, wards
from streams.simulate.chance import Chance
from streams.simulate.codes import Test
from streams.simulate.course import Course, Expected, Planning
from streams.simulate.diagnostics import Where
from streams.simulate.script import Script
from streams.simulate.truth import exposed_before

LOW: Final = 20
VERY_LOW: Final = 12
"""ng/mL of 25-hydroxyvitamin D: deficiency and severe deficiency (Holick 2011)."""
SEVERE_BACK: Final = 7
_SEVERE_HIP: Final = 5
_NOON: Final = 720
_MARKERS: Final = ((90, 250, 45), (170, 350, 55), (240, 480, 95))
"""(day of gestation, CTX ng/L, P1NP ug/L): near the middle of Int J Clin Pract 2023;8466349, table 3."""
_AFTER_BIRTH: Final = (30, 450, 80)
_ASSAYS: Final = (("Central laboratory", "ECLIA"), ("Reference laboratory", "CLIA"))


def normal(chance: Chance, test: Test, mean: float, spread: float, least: float, most: float) -> tuple[Test, Any]:
    """A result that is normal in anybody."""
    return test, chance.near(mean, spread, least, most)


def chemistry(chance: Chance) -> tuple[tuple[Test, Any], ...]:
    """Bone chemistry without a finding; albumin and calcium such that the adjusted calcium is normal too."""
    return (
        normal(chance, codes.CALCIUM, 9.4, 0.25, 8.9, 10.0),
        normal(chance, codes.ALBUMIN, 4.0, 0.2, 3.6, 4.4),
        normal(chance, codes.PHOSPHATE, 3.6, 0.3, 2.9, 4.3),
        normal(chance, codes.CREATININE, 0.6, 0.08, 0.42, 0.82),
        normal(chance, codes.ALKALINE, 65, 12, 40, 95),
    )


def booking_tests(planning: Planning, script: Script, booked: int) -> None:
    """Blood count and chemistry at booking."""
    chance = planning.chance
    count = (
        normal(chance, codes.HAEMOGLOBIN, 12.4, 0.8, 10.6, 15),
        normal(chance, codes.PLATELETS, 250, 45, 160, 380),
    )
    script.say(booked, 545, diagnostics.asked, (codes.CALCIUM, codes.THYROTROPIN))
    script.say(booked, _NOON + 60, diagnostics.resulted, (*count, *chemistry(chance)), Where())
    thyroid = normal(chance, codes.THYROTROPIN, 1.6, 0.6, 0.5, 3.4)
    ionised = normal(chance, codes.IONISED, 1.22, 0.03, 1.12, 1.31)
    script.say(booked, _NOON + 65, diagnostics.resulted, (thyroid, ionised), Where())


def vitamin_d(planning: Planning, course: Course, script: Script, booked: int) -> None:
    """25-hydroxyvitamin D at booking, a supplement and a repeat where it is low."""
    chance, figures = planning.chance, planning.figures
    if not chance.happens(figures["vitamin_d_measured"]):
        return
    value = round(chance.near(figures["vitamin_d_mean"], 9, 4, 60), 1)
    day = booked + 1
    script.say(day, _NOON, diagnostics.resulted, ((codes.VITAMIN_D, value),), Where())
    expect_vitamin_d(course, day, value)
    if value < LOW:
        script.say(day + 1, 600, pharmacy.prescribed, 90, codes.CHOLECALCIFEROL, 2_000, 1)
        better = round(value + chance.near(15, 3, 21 - value, 30), 1)
        script.say(day + chance.whole(100, 130), _NOON, diagnostics.resulted, ((codes.VITAMIN_D, better),), Where())


def expect_vitamin_d(course: Course, day: int, value: float) -> None:
    """What a value says of the two limits, the first time that it does."""
    known = {expected.rule for expected in course.expected}
    for rule, limit in (("VIT-01", LOW), ("VIT-02", VERY_LOW)):
        if value < limit and rule not in known:
            course.expected.append(Expected(rule, day, f"25-hydroxyvitamin D {value} ng/mL"))


def markers(planning: Planning, script: Script, period: int, birth: int | None, *, with_heparin: bool) -> None:
    """A series of bone markers, fasting and in the morning; now and then the laboratory changes."""
    chance, figures = planning.chance, planning.figures
    if birth is None or not chance.happens(0.5 if with_heparin else figures["markers"]):
        return
    changes = chance.happens(figures["marker_laboratory_changes"])
    samples = [(period + day, ctx, p1np) for day, ctx, p1np in _MARKERS if period + day < birth]
    samples.append((birth + _AFTER_BIRTH[0], *_AFTER_BIRTH[1:]))
    level = chance.near(1, 0.08, 0.85, 1.15)
    for i, (day, ctx, p1np) in enumerate(samples):
        laboratory, assay = _ASSAYS[changes and i > 1]
        results = ((codes.CTX, ctx * level), (codes.P1NP, p1np * level))
        script.say(day, _NOON, diagnostics.resulted, results, Where(laboratory, assay, fasting=True))


def aches(planning: Planning, course: Course, script: Script, period: int, birth: int) -> None:
    """Back and hip pain as it is common in pregnancy, reported at a visit and better at the next."""
    chance, figures = planning.chance, planning.figures
    if chance.happens(figures["back_pain"]):
        day = period + chance.whole(150, 255)
        severe = chance.happens(figures["severe_back_pain"])
        score = chance.whole(SEVERE_BACK, 8) if severe else chance.by_weight(((2, 3), (3, 4), (4, 2), (5, 1), (6, 0.5)))
        if day < birth - 20:
            _back(course, script, day, score, in_window=day >= period + 196)
    if chance.happens(figures["hip_pain"]):
        day = period + chance.whole(145, 250)
        score = chance.whole(_SEVERE_HIP, 7) if chance.happens(figures["severe_hip_pain"]) else chance.whole(1, 4)
        if day < birth - 20:
            _hip(course, script, day, score)


def _back(course: Course, script: Script, day: int, score: int, *, in_window: bool) -> None:
    script.say(day, 570, wards.pain, "back_pain", score, {"sudden": False, "injury": "none"})
    script.say(day + 16, 570, wards.pain, "back_pain", 2, {"sudden": False, "injury": "none"})
    if score < SEVERE_BACK:
        return
    if in_window:
        course.expected.append(Expected("SPN-01", day, f"back pain {score} of 10"))
    expect_signal(course, day, f"back pain {score} of 10")
    script.say(day + 2, 600, diagnostics.ordered, 1, ("MRI", "spine"))
    script.say(day + 9, _NOON, diagnostics.reported, 1, ("MRI", "spine"), ({"finding": "normal"},))


def _hip(course: Course, script: Script, day: int, score: int) -> None:
    answers = {"side": "left", "injury": "none", "weight_bearing": "full", "gait": "normal"}
    script.say(day, 575, wards.pain, "hip_pain", score, answers)
    script.say(day + 15, 575, wards.pain, "hip_pain", 1, answers)
    script.say(day + 31, 575, wards.pain, "hip_pain", 1, answers)
    if score >= _SEVERE_HIP:
        course.expected.append(Expected("HIP-01", day, f"hip pain {score} of 10"))


def expect_signal(course: Course, day: int, sign: str) -> None:
    """A sign of a fracture while heparin counts: 28 days of unfractionated, 60 of low molecular weight heparin."""
    if any(expected.rule == "HEP-05" for expected in course.expected):
        return
    ufh, lmwh = exposed_before(course.given(), day)
    if ufh >= 28 or lmwh >= 60:  # noqa: PLR2004 - the sheet's figures
        course.expected.append(Expected("HEP-05", day, f"{sign}, {ufh} days of UFH and {lmwh} of LMWH"))
