"""The latent diseases: spinal fracture in pregnancy and lactation, with heparin or without, and the hip.

The disease comes first; pain follows it, and imaging follows the pain as late as it does in published series.
"""

from collections.abc import Sequence
from typing import Final

from streams.simulate import codes, diagnostics, pharmacy, wards
from streams.simulate.checks import SEVERE_BACK, chemistry, expect_signal, expect_vitamin_d, normal
from streams.simulate.course import Course, Expected, Outcome, Planning
from streams.simulate.diagnostics import Where
from streams.simulate.heparin import Given
from streams.simulate.pregnancy import Pregnancy, in_back_pain_window
from streams.simulate.script import Script, Spoken, When

_SPINE: Final = ("MRI", "spine")
_LEVELS: Final = ("L2", "L1", "T12", "L3", "T11", "L4", "T10", "T9", "L5", "T8")
_UFH_AT_RISK: Final = 49
_LMWH_AT_RISK: Final = 60
_NOON: Final = 720
_SCOPE: Final = 360
_REMINDED: Final = 14


def spine_disease(
    planning: Planning,
    course: Course,
    script: Script,
    pregnancy: Pregnancy,
    given: Sequence[Given],
    height: float | None,
) -> bool:
    """A vertebral fracture, if it comes: with heparin or as PLO."""
    began = _heparin_fracture(planning, given, pregnancy)
    name = "heparin_fracture"
    if began is None and pregnancy.birth is not None and planning.chance.happens(planning.figures["plo"]):
        began, name = _plo(planning, pregnancy, pregnancy.birth), "plo"
    if began is None or pregnancy.birth is None:
        return False
    _spine_course(planning, course, script, pregnancy, _after_birth(began, pregnancy.birth), name, height)
    return True


def _after_birth(began: int, birth: int) -> int:
    """Pain in the days around birth is laid to birth; the disease is told from it a week later."""
    return birth + 6 if birth - 2 <= began <= birth + 5 else began


def _heparin_fracture(planning: Planning, given: Sequence[Given], pregnancy: Pregnancy) -> int | None:
    chance, figures = planning.chance, planning.figures
    ufh = sorted({day.day for day in given if day.group == "ufh"})
    lmwh = sorted({day.day for day in given if day.group == "lmwh"})
    weeks = chance.near(figures["fracture_on_heparin_after"], 6, 7, 27)
    for days, least, risk in ((ufh, _UFH_AT_RISK, "fracture_on_ufh"), (lmwh, _LMWH_AT_RISK, "fracture_on_lmwh")):
        if len(days) >= least and chance.happens(figures[risk]):
            return max(days[min(max(int(weeks * 7), least), len(days) - 1)], pregnancy.dated_period + 200)
    return None


def _plo(planning: Planning, pregnancy: Pregnancy, birth: int) -> int:
    figures = planning.figures
    mean, spread = figures["plo_onset_after_delivery"], figures["plo_onset_spread"]
    return max(birth + int(planning.chance.near(mean, spread, -80, 150)), pregnancy.dated_period + 200)


def _spine_course(
    planning: Planning,
    course: Course,
    script: Script,
    pregnancy: Pregnancy,
    began: int,
    name: str,
    height: float | None,
) -> None:
    chance, figures = planning.chance, planning.figures
    birth = pregnancy.birth or began
    pain = began + chance.whole(0, 4)
    delay = int(chance.skewed(figures["imaging_delay_median"], figures["imaging_delay_spread"], 8, 400))
    imaged = max(min(pain + delay, birth + _SCOPE), pain + 8)
    count = chance.whole(1, int(2 * figures["fractured_levels"]) - 1)
    levels = sorted(_LEVELS[:count])
    course.outcomes.append(Outcome(name, began, pain, imaged, f"{count} vertebrae: {', '.join(levels)}"))
    _pain_until(planning, course, script, pregnancy, pain, imaged)
    _imaging(course, script, pain, imaged, tuple(levels))
    if height is not None:
        _height_loss(planning, course, script, imaged, height)
    _work_up(planning, course, script, imaged)
    _bone_clinic(planning, course, script, max(imaged + _REMINDED, birth + 7))


def _pain_until(
    planning: Planning, course: Course, script: Script, pregnancy: Pregnancy, pain: int, imaged: int
) -> None:
    """Severe and sudden at first, then as it is until somebody looks; less afterwards."""
    score = planning.chance.whole(SEVERE_BACK, 10)
    script.say(pain, 590, wards.pain, "back_pain", score, {"sudden": True, "injury": "minor"})
    sign = f"back pain {score} of 10"
    if in_back_pain_window(pregnancy, pain):
        course.expected.append(Expected("SPN-01", pain, sign))
        if imaged - 6 >= pain + _REMINDED:
            course.expected.append(Expected("SPN-04", pain + _REMINDED, f"no imaging {_REMINDED} days after {sign}"))
    expect_signal(course, pain, sign)
    for day in range(pain + 14, imaged, 21):
        script.say(day, 590, wards.pain, "back_pain", planning.chance.whole(4, 6), {"sudden": False, "injury": "none"})
    for after, less in ((20, 4), (40, 3), (60, 2)):
        script.say(imaged + after, 590, wards.pain, "back_pain", less, {"sudden": False, "injury": "none"})


def _imaging(course: Course, script: Script, pain: int, imaged: int, levels: tuple[str, ...]) -> None:
    """Ordered a week before, booked the day after; fractures named by level."""
    script.say(max(imaged - 7, pain), 640, diagnostics.ordered, 1, _SPINE)
    script.say(imaged - 6, 620, diagnostics.booked, 1, _SPINE, 6)
    finding = {"finding": "vertebral_fracture", "levels": levels, "count": len(levels), "age": "acute"}
    script.say(imaged, _NOON, diagnostics.reported, 1, _SPINE, (finding,))
    course.expected.append(Expected("SPN-02", imaged, f"{len(levels)} vertebral fractures"))
    expect_signal(course, imaged, "vertebral fracture")


def _height_loss(planning: Planning, course: Course, script: Script, imaged: int, height: float) -> None:
    lost = round(planning.chance.near(3, 1, 0.5, 6), 1)
    script.say(imaged, 500, wards.measured, "body_height", round(height - lost, 1), "cm")
    if lost >= 2:  # noqa: PLR2004 - cm, the sheet's figure
        course.expected.append(Expected("SPN-03", imaged, f"{lost} cm less than before the pregnancy"))


def _work_up(planning: Planning, course: Course, script: Script, imaged: int) -> None:
    """The search for secondary causes, complete or not."""
    chance, figures = planning.chance, planning.figures
    day = imaged + chance.whole(3, 10)
    vitamin = round(chance.near(figures["vitamin_d_mean"] - 4, 8, 5, 50), 1)
    results = [
        (codes.VITAMIN_D, vitamin),
        *chemistry(chance),
        normal(chance, codes.PARATHORMONE, 36, 8, 20, 60),
        normal(chance, codes.HAEMOGLOBIN, 12.2, 0.8, 10.4, 14.8),
    ]
    if chance.happens(figures["work_up_complete"]):
        results.append(normal(chance, codes.THYROTROPIN, 1.7, 0.6, 0.6, 3.6))
        results.append((codes.ELECTROPHORESIS, "no monoclonal band"))
    else:
        course.expected.append(Expected("SEC-01", imaged + _REMINDED, "TSH and electrophoresis missing"))
    script.say(day, _NOON, diagnostics.resulted, tuple(results), Where())
    expect_vitamin_d(course, day, vitamin)
    turnover = ((codes.CTX, chance.near(figures["ctx_in_plo"], 410, 150, 1_350)), (codes.P1NP, 90.0))
    script.say(day + 1, _NOON, diagnostics.resulted, turnover, Where("Central laboratory", "ECLIA", fasting=True))


def _bone_clinic(planning: Planning, course: Course, script: Script, day: int) -> None:
    """DXA after birth, then a drug, with or without a pregnancy test and contraception."""
    chance, figures = planning.chance, planning.figures
    spine = round(chance.near(figures["z_score_in_plo"], 0.5, -4.1, -2.4), 1)
    hip = round(spine + chance.near(1, 0.3, 0.4, 1.6), 1)
    script.say(day, 700, diagnostics.densities, (("lumbar_spine", spine), ("total_hip", hip)), "z_score")
    course.expected.append(Expected("BMD-01", day, f"Z-score {spine} at the spine"))
    drug, dose, a_day = chance.one_of(((codes.RISEDRONATE, 5, 1), (codes.TERIPARATIDE, 20, 1)))
    if chance.happens(0.6):
        script.say(day + 8, _NOON, diagnostics.resulted, ((codes.PREGNANCY_TEST, "negative"),), Where())
        script.say(day + 8, 640, wards.risk, "contraception", "present")
    else:
        course.expected.append(Expected("SAF-02", day + 10, f"{drug.coded['display']} without a pregnancy test"))
    script.say(day + 10, 650, pharmacy.prescribed, 91, drug, dose, a_day)


def hip_disease(planning: Planning, course: Course, script: Script, pregnancy: Pregnancy) -> bool:
    """Transient osteoporosis of the hip in late pregnancy, if it comes."""
    chance, figures = planning.chance, planning.figures
    if pregnancy.birth is None or not chance.happens(figures["toh"]):
        return False
    began = pregnancy.dated_period + chance.whole(196, 262)
    side = chance.one_of(("left", "right"))
    imaged = began + chance.whole(7, 40)
    course.outcomes.append(Outcome("toh", began, began, imaged, side))
    course.expected.append(Expected("HIP-01", began, "hip pain 6 of 10"))
    _hip_course(script, began, imaged, side)
    resolved = began + chance.whole(100, 270)
    for day in (resolved, resolved + 20):
        script.say(day, 600, wards.pain, "hip_pain", 2, _bearing(side, "full", "normal"))
    if chance.happens(figures["toh_other_side"]):
        _other_side(script, began + chance.whole(30, 90), "left" if side == "right" else "right")
    if chance.happens(figures["toh_neck_fracture"]):
        _neck_fracture(course, script, imaged + 20, side)
    return True


def _bearing(side: str, weight: str, gait: str) -> dict[str, str]:
    return {"side": side, "injury": "none", "weight_bearing": weight, "gait": gait}


def _hip_course(script: Script, began: int, imaged: int, side: str) -> None:
    script.say(began, 600, wards.pain, "hip_pain", 6, _bearing(side, "limited", "antalgic"))
    script.say(began + 3, 600, diagnostics.ordered, 2, ("MRI", "hip"))
    script.say(imaged, _NOON, diagnostics.reported, 2, ("MRI", "hip"), ({"finding": "marrow_edema", "side": side},))
    script.say(imaged + 1, 640, diagnosed_hip, side)


def diagnosed_hip(when: When, side: str) -> Spoken:
    """The diagnosis coded, with its side."""
    return wards.diagnosed(when, codes.HIP_OSTEOPOROSIS, side=side)


def _other_side(script: Script, day: int, side: str) -> None:
    script.say(day, 605, wards.pain, "hip_pain", 5, _bearing(side, "limited", "antalgic"))
    script.say(day + 10, _NOON, diagnostics.reported, 3, ("MRI", "hip"), ({"finding": "marrow_edema", "side": side},))


def _neck_fracture(course: Course, script: Script, day: int, side: str) -> None:
    course.outcomes.append(Outcome("femoral_neck_fracture", day, day, day, side))
    course.expected.append(Expected("HIP-02", day, "unable to bear weight, neck fracture"))
    script.say(day, 480, wards.pain, "hip_pain", 9, _bearing(side, "unable", "antalgic"))
    finding = {"finding": "femoral_neck_fracture", "side": side, "age": "acute"}
    script.say(day, 600, diagnostics.reported, 4, ("XR", "hip"), (finding,))
