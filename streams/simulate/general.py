"""General patients: stays and clinics that say nothing to this service, and now and then months of heparin."""

from typing import Final

from streams.simulate import codes, diagnostics, pharmacy, wards
from streams.simulate.checks import normal
from streams.simulate.course import Course, Planning
from streams.simulate.diagnostics import Where
from streams.simulate.heparin import HeparinCourse, Span, Window, plan_heparin
from streams.simulate.people import person
from streams.simulate.script import Script

_YEAR: Final = 365.25
_NOON: Final = 720
_KINDS: Final = (("surgery", 4), ("medical", 4), ("old_hip", 1), ("bone_clinic", 1), ("back_clinic", 2))


def plan_general(planning: Planning) -> Course:
    """One general patient's contact with the hospital."""
    chance = planning.chance
    long_heparin = chance.happens(planning.figures["general_long_ufh"])
    kind = "long_heparin" if long_heparin else chance.by_weight(_KINDS)
    sex = "female" if kind == "bone_clinic" else chance.one_of(("female", "male"))
    years = chance.near(78, 7, 65, 96) if kind in ("old_hip", "bone_clinic") else chance.near(55, 18, 18, 92)
    born = planning.enters - int(years * _YEAR)
    course = Course(person(planning.number, planning.mixed, sex, born), f"general, {kind}", planning.enters)
    script = Script()
    _COURSES[kind](planning, course, script)
    course.acts = script.done()
    return course


def _in_and_out(planning: Planning, course: Course, script: Script, ward: str) -> tuple[int, int]:
    """A stay: its first and last day."""
    first = planning.enters + planning.chance.whole(0, 20)
    nights = planning.chance.whole(2, 9)
    course.milestones = {"admitted": first, "discharged": first + nights}
    script.say(first, 500, wards.admitted, course.person, ward, 1)
    script.say(first + nights, 660, wards.discharged, course.person, ward, 1, nights)
    for day in range(first, first + nights, 2):
        script.say(day, _NOON, diagnostics.resulted, _routine(planning), Where())
    return first, first + nights


def _routine(planning: Planning) -> tuple[tuple[codes.Test, float], ...]:
    chance = planning.chance
    return (
        normal(chance, codes.SODIUM, 139, 3, 130, 148),
        normal(chance, codes.POTASSIUM, 4.1, 0.4, 3.1, 5.6),
        normal(chance, codes.CREATININE, 0.95, 0.3, 0.4, 3.5),
        normal(chance, codes.HAEMOGLOBIN, 12.5, 1.8, 7.5, 17),
        normal(chance, codes.CRP, 30, 40, 0.5, 220),
        normal(chance, codes.CALCIUM, 9.1, 0.6, 7.2, 12.5),
    )


def _surgery(planning: Planning, course: Course, script: Script) -> None:
    """An operation with days of low-dose heparin."""
    first, last = _in_and_out(planning, course, script, "SURGERY")
    order = Span(codes.HEPARIN, 5_000, 2, first + 1, last, 1)
    course.heparin = HeparinCourse("prophylaxis after surgery", "charted", (order,))


def _medical(planning: Planning, course: Course, script: Script) -> None:
    _in_and_out(planning, course, script, "MEDICINE")


def _old_hip(planning: Planning, course: Course, script: Script) -> None:
    """A hip fracture of old age."""
    first, last = _in_and_out(planning, course, script, "ORTHOPAEDICS")
    finding = {"finding": "femoral_neck_fracture", "side": "left", "age": "acute"}
    script.say(first, 560, diagnostics.reported, 1, ("XR", "hip"), (finding,))
    order = Span(codes.ENOXAPARIN, 40, 1, first + 1, last + 28, 1)
    course.heparin = HeparinCourse("prophylaxis after hip fracture", "ordered", (order,))


def _bone_clinic(planning: Planning, course: Course, script: Script) -> None:
    """Osteoporosis after the menopause: T-scores and alendronate."""
    day = planning.enters + planning.chance.whole(0, 20)
    course.milestones = {"seen": day}
    script.say(day, 540, wards.registered, course.person, "BONE CLINIC", 1)
    scores = (("lumbar_spine", -2.9), ("total_hip", -2.6))
    script.say(day, 700, diagnostics.densities, scores, "t_score")
    script.say(day + 3, 650, pharmacy.prescribed, 91, codes.ALENDRONATE, 10, 1)


def _back_clinic(planning: Planning, course: Course, script: Script) -> None:
    """Back pain in somebody who is not pregnant."""
    day = planning.enters + planning.chance.whole(0, 20)
    course.milestones = {"seen": day}
    script.say(day, 540, wards.registered, course.person, "BACK CLINIC", 1)
    answers = {"sudden": False, "injury": "none"}
    script.say(day, 560, wards.pain, "back_pain", planning.chance.whole(4, 9), answers)
    script.say(day, 565, wards.diagnosed, codes.BACK_ACHE)


def _long_heparin(planning: Planning, course: Course, script: Script) -> None:
    """Months of unfractionated heparin, as where the kidneys allow nothing else."""
    first, _ = _in_and_out(planning, course, script, "MEDICINE")
    window = Window(first + 1, first + planning.chance.whole(50, 260))
    course.heparin = plan_heparin(planning.chance, planning.figures, window, "ufh")


_COURSES: Final = {
    "surgery": _surgery,
    "medical": _medical,
    "old_hip": _old_hip,
    "bone_clinic": _bone_clinic,
    "back_clinic": _back_clinic,
    "long_heparin": _long_heparin,
}
