"""Results, their series and corrections, and tests that are asked for."""

from datetime import datetime, timedelta
from typing import Any, Final

from tests.oracle.codes import LOINC, RXNORM

from .orders import order
from .story import Event, Story

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


def lab(story: Story) -> None:
    rng = story.rng
    for _ in range(rng.randint(1, 3)):
        code, units, values = rng.choice(LABS)
        unit, value = rng.choice(units), rng.choice(values)
        if unit == "g/L":
            value = rng.choice((24, 35, 40))
        if unit == "g/dL" and code == "1751-7":
            value = rng.choice((2.4, 3.5, 4))
        when = story.moment(story.some_day(-150, 700))
        result(story, code, value, unit, when)
        if code in {"2000-8", "1989-3", "29265-6"} and rng.random() < 0.6:
            for other, amount, measured in (
                ("1751-7", 30, "g/L") if code != "1989-3" else ("49054-0", 6, "ng/mL"),
                ("2823-3", 6.4, "mmol/L"),
                ("6768-6", 28, "U/L"),
            )[: rng.choice((1, 3))]:
                result(story, other, amount, measured, when)


def result(story: Story, code: str, value: float, unit: str, when: datetime, **payload: Any) -> str:
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


def markers(story: Story) -> None:
    """A series of one marker, in one laboratory or two."""
    rng = story.rng
    code, units, values = rng.choice(MARKERS)
    unit = rng.choice(units)
    day = story.some_day(100, 900)
    for _ in range(rng.randint(2, 4)):
        when = story.moment(day, 6, 10) if rng.random() < 0.85 else story.moment(day, 10, 13)
        high = rng.choice((None, None, max(values) / 2))
        result(
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


def wrong_unit(story: Story) -> None:
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


def rising(story: Story) -> None:
    """A resorption marker that rises within one phase, by about what can be told from chance."""
    rng = story.rng
    first = story.some_day(196, 250)
    for day, value in ((first, 450), (first + timedelta(days=rng.choice((13, 14, 25))), rng.choice((697, 702, 900)))):
        result(story, "41171-0", value, "ng/L", story.moment(day, 6, 9))


def thyroid(story: Story) -> None:
    """A low TSH, with a high fT4 or on levothyroxine, and a later TSH."""
    rng = story.rng
    when = story.moment(story.some_day(20, 400))
    result(story, "3016-3", rng.choice((0.05, 0.09, 0.1)), "m[IU]/L", when)
    near = when + timedelta(days=rng.choice((-31, -30, 0, 10, 30, 31)))
    result(story, "14920-3", rng.choice((18, 19.3, 20, 27)), "pmol/L", near)
    if rng.random() < 0.5:
        result(story, "3016-3", rng.choice((0.1, 0.3, 0.6)), "m[IU]/L", when + timedelta(days=60))
    if rng.random() < 0.5:
        drug = {"system": RXNORM, "code": "10582"}
        first = when.date() - timedelta(days=rng.randint(-5, 60))
        order(story, drug, first, {"value": 100, "unit": "ug"}, times=1, route="PO")


def work_up(story: Story) -> None:
    """The nine tests, most of them, some only ordered."""
    rng = story.rng
    day = story.some_day(200, 520)
    for code, value, unit in NORMAL:
        when = story.moment(day + timedelta(days=rng.choice((0, 0, 0, 3, 12))))
        if rng.random() < 0.93:
            result(story, code, value, unit, when)
    when = story.moment(day)
    pattern = {"system": LOINC, "code": "12851-2"}
    if rng.random() < 0.8:
        text: Event = {"code": pattern, "value_text": "normal pattern", "collected_at": when, "status": "final"}
        story.say("lab_result", story.record("lab"), when, **text)
    else:
        story.say("lab_order", story.record("asked"), when, status="active", code=pattern, ordered_at=when)


def asked(story: Story) -> None:
    for code, _, _ in story.rng.sample(NORMAL, 3):
        when = story.moment(story.some_day(180, 500))
        asked = {"system": LOINC, "code": code}
        record = story.record("asked")
        story.say("lab_order", record, when, status="active", code=asked, ordered_at=when)
        if story.rng.random() < 0.3:
            later = when + timedelta(days=story.rng.randint(1, 10))
            status = story.rng.choice(("cancelled", "completed"))
            story.say("lab_order", record, later, status=status, code=asked, ordered_at=when)


def protein(story: Story) -> None:
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
    result(story, code, value, unit, later)
