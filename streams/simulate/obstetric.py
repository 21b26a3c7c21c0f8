"""A pregnancy and the months after it: booking, dating, birth, feeding, heparin, and what may go wrong.

Time: the course enters 60 days before the true last period; days are of the site's calendar.
"""

from typing import Final

from streams.simulate import codes, wards
from streams.simulate.bones import hip_disease, spine_disease
from streams.simulate.checks import aches, booking_tests, markers, vitamin_d
from streams.simulate.course import Course, Expected, Planning
from streams.simulate.heparin import HeparinCourse, Window, given_days, plan_heparin
from streams.simulate.people import person
from streams.simulate.pregnancy import Pregnancy
from streams.simulate.script import Script

_BEFORE: Final = 60
_TERM: Final = 280
_YEAR: Final = 365.25
_ANTENATAL: Final = (110, 140, 168, 196, 210, 224, 238, 252, 259, 266, 273)
_LACTATION_CLOCK: Final = 183


def plan_pregnancy(planning: Planning) -> Course:
    """One pregnancy from before its beginning to its last consequence."""
    chance = planning.chance
    pregnancy = _pregnancy(planning)
    born = pregnancy.period - int(chance.near(31, 5, 18, 44) * _YEAR)
    course = Course(person(planning.number, planning.mixed, "female", born), "obstetric", planning.enters)
    course.milestones = _milestones(pregnancy)
    script = Script()
    _before_and_booking(planning, course, script, pregnancy)
    height = _height(planning, script, pregnancy)
    course.heparin = _heparin(planning, script, pregnancy)
    vitamin_d(planning, course, script, pregnancy.booked)
    booking_tests(planning, script, pregnancy.booked)
    _birth(planning, script, course, pregnancy)
    if pregnancy.lost is None:
        markers(planning, script, pregnancy.period, pregnancy.birth, with_heparin=course.heparin is not None)
        days = tuple(given_days(course.heparin)) if course.heparin else ()
        ill = spine_disease(planning, course, script, pregnancy, days, height)
        ill = hip_disease(planning, course, script, pregnancy) or ill
        if not ill and pregnancy.birth is not None:
            aches(planning, course, script, pregnancy.dated_period, pregnancy.birth)
    course.acts = script.done()
    return course


def _pregnancy(planning: Planning) -> Pregnancy:
    chance, figures = planning.chance, planning.figures
    period = planning.enters + _BEFORE
    told = period - int(chance.near(0, figures["redating"], -14, 14))
    booked = period + chance.whole(56, 90)
    scanned = max(booked + 2, period + chance.whole(77, 97))
    if chance.happens(figures["early_loss"]):
        lost = booked + chance.whole(3, 30)
        return Pregnancy(period, told, booked, scanned, None, lost, "miscarriage", ())
    birth = period + int(chance.near(_TERM - 1, 9, 200, 296))
    outcome = "stillbirth" if chance.happens(figures["stillbirth"]) else "live_birth"
    fed = _fed(planning, birth) if outcome == "live_birth" else ()
    return Pregnancy(period, told, booked, scanned, birth, None, outcome, fed)


def _fed(planning: Planning, birth: int) -> tuple[tuple[int, str], ...]:
    chance, figures = planning.chance, planning.figures
    rest = 1 - figures["exclusive_feeding"] - figures["mixed_feeding"]
    how = chance.by_weight(
        (("exclusive", figures["exclusive_feeding"]), ("mixed", figures["mixed_feeding"]), ("none", rest))
    )
    if how == "none":
        return ((birth + 1, "none"),)
    weaned = birth + int(chance.skewed(figures["feeding_median"], 0.6, 10, 700))
    mixed = birth + chance.whole(60, 180)
    between = ((mixed, "mixed"),) if how == "exclusive" and mixed < weaned else ()
    return ((birth + 1, how), *between, (weaned, "none"))


def _milestones(pregnancy: Pregnancy) -> dict[str, int]:
    found = {
        "last_period": pregnancy.period,
        "told_last_period": pregnancy.told_period,
        "booked": pregnancy.booked,
        "delivered": pregnancy.birth,
        "lost": pregnancy.lost,
        "weaned": pregnancy.weaned,
    }
    return {name: day for name, day in found.items() if day is not None}


def _before_and_booking(planning: Planning, course: Course, script: Script, pregnancy: Pregnancy) -> None:
    script.say(pregnancy.booked, 540, wards.registered, course.person, "ANTENATAL", 1)
    script.say(pregnancy.booked, 555, wards.last_period, pregnancy.told_period)
    for i, factor in enumerate(("smoking", "family_history", "prior_fragility_fracture")):
        smokes = factor == "smoking" and planning.chance.happens(0.1)
        script.say(pregnancy.booked, 560 + i, wards.risk, factor, "present" if smokes else "absent")
    end = pregnancy.lost or pregnancy.birth or pregnancy.booked
    if pregnancy.scanned < end and pregnancy.dated_period != pregnancy.told_period:
        script.say(pregnancy.scanned, 660, wards.due_date, pregnancy.period + _TERM)
    for visit, week in enumerate(_ANTENATAL, 2):
        day = pregnancy.period + week
        if pregnancy.booked < day < end:
            script.say(day, 540, wards.registered, course.person, "ANTENATAL", visit)
            script.say(day, 550, wards.measured, "body_weight", round(62 + week / 25, 1), "kg")


def _height(planning: Planning, script: Script, pregnancy: Pregnancy) -> float | None:
    """A height measured before the pregnancy, where there is one."""
    if not planning.chance.happens(planning.figures["height_known"]):
        return None
    height = round(planning.chance.near(166, 6.5, 148, 185), 1)
    script.say(pregnancy.period - 30, 600, wards.measured, "body_height", height, "cm")
    return height


def _heparin(planning: Planning, script: Script, pregnancy: Pregnancy) -> HeparinCourse | None:
    chance, figures = planning.chance, planning.figures
    if pregnancy.birth is None or not chance.happens(figures["heparin"]):
        return None
    group = "ufh" if chance.happens(figures["ufh"]) else "lmwh"
    first = min(pregnancy.booked + chance.whole(1, 60), pregnancy.birth - 30)
    last = pregnancy.birth + chance.one_of((6, 10, 42, 42, 42))
    switch = pregnancy.period + 252
    switches = group == "lmwh" and switch < pregnancy.birth and chance.happens(figures["ufh_from_36_weeks"])
    if chance.happens(0.3):
        script.say(first, 400, wards.diagnosed, codes.THROMBOSIS)
    window = Window(max(first, pregnancy.booked + 1), last, pregnancy.birth, switch if switches else None)
    return plan_heparin(chance, figures, window, group)


def _birth(planning: Planning, script: Script, course: Course, pregnancy: Pregnancy) -> None:
    if pregnancy.lost is not None:
        script.say(pregnancy.lost, 700, wards.lost)
    if pregnancy.birth is None:
        return
    chance, birth = planning.chance, pregnancy.birth
    coded = codes.CAESAREAN if chance.happens(0.3) else codes.DELIVERY
    script.say(birth, 60, wards.admitted, course.person, "LABOUR", 50)
    if chance.happens(planning.figures["neuraxial"]):
        script.say(birth, 400, wards.done, codes.NEURAXIAL)
    script.say(birth, 900, wards.delivered, coded, pregnancy.outcome, 120)
    script.say(birth + 3, 660, wards.discharged, course.person, "MATERNITY", 50, 3)
    for day, how in pregnancy.fed:
        script.say(day, 610, wards.feeding, how)
    _expect_lactation(course, pregnancy)


def _expect_lactation(course: Course, pregnancy: Pregnancy) -> None:
    if pregnancy.fed and pregnancy.lactating(due := pregnancy.fed[0][0] + _LACTATION_CLOCK):
        course.expected.append(Expected("LAC-01", due, f"{_LACTATION_CLOCK} days of breast-feeding"))
