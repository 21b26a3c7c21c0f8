"""The woman herself: her pregnancies, feeding and weaning."""

from datetime import date, datetime, time, timedelta
from typing import Any

from .labs import result
from .story import Event, Story


def introduced(story: Story) -> None:
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


def second_source(story: Story) -> None:
    """Another feed speaks of the same pregnancy."""
    when = story.moment(story.some_day(60, 150))
    lmp = story.day_zero + timedelta(days=story.rng.randint(-4, 4))
    record = story.record("antenatal")
    story.say("pregnancy", record, when, status="pregnant", last_menstrual_period=lmp, observed_at=when)


def feeding(story: Story) -> None:
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


def weaned(story: Story) -> None:
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
        result(story, "41171-0", value, "ng/L", story.moment(weaned + timedelta(days=after), 6, 9))
    for after, density in ((20 - (weaned - born).days, 0.80), (rng.choice((300, 366, 420)), rng.choice((0.82, 0.83)))):
        when = story.moment(weaned + timedelta(days=after))
        site: Event = {"site": "lumbar_spine", "density_g_cm2": density, "z_score": -1.1}
        story.say("bone_density", story.record("density"), when, performed_at=when, **site)
