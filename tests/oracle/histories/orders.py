"""Orders with the versions that they get, and what a ward or a pharmacy does with them."""

from datetime import date, datetime, timedelta
from typing import Any

from .story import Event, Story


def order(story: Story, drug: Event, first: date, dose: Event, *, times: float | None, **payload: Any) -> None:
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
        dose_given(story, when, drug, dose, status=status, placer_order=placer)
        day += timedelta(days=rng.choice((0, 1, 1, 2, 5)))
    if rng.random() < 0.4:
        when = story.moment(first + timedelta(days=rng.randint(0, 60)))
        common: Event = {"quantity": {"value": 30, "unit": "{syringe}"}, "placer_order": placer}
        supply(story, when, drug, dose, doses_per_day=times, days_supply=rng.choice((7, 14, 28, 30)), **common)


def dose_given(story: Story, when: datetime, drug: Event, dose: Event, **payload: Any) -> None:
    """One dose that the ward gave, or did not give."""
    payload = {"status": "completed", "drug": drug, "dose": dose, "given_at": when, **payload}
    story.say("administration", story.record("given"), when, **payload)


def supply(story: Story, when: datetime, drug: Event, dose: Event, **payload: Any) -> None:
    """One supply that a pharmacy handed over."""
    payload = {"status": "completed", "drug": drug, "dose": dose, "dispensed_at": when, **payload}
    story.say("dispense", story.record("supply"), when, **payload)


def bed_rest(story: Story) -> None:
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
