"""Pain, height, imaging and bone density."""

import random
from datetime import datetime, timedelta

from .story import Event, Story


def back_pain(story: Story) -> None:
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


def hip_pain(story: Story) -> None:
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


def long_hip(story: Story) -> None:
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


def heights(story: Story) -> None:
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


def imaging(story: Story) -> None:
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


def scan(story: Story) -> None:
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
        measured(story, planned)


def measured(story: Story, when: datetime) -> None:
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


def density(story: Story) -> None:
    for _ in range(story.rng.randint(1, 3)):
        measured(story, story.moment(story.some_day(-200, 1100)))
