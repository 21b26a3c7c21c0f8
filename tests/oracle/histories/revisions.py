"""What is said afterwards: errors, merges, erasure and answers; and when to ask what stands."""

import random
from copy import deepcopy
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

from tests.oracle.standing import Names, alerts

from .story import EPOCH, UTC_ZONE, Event, Story


def revised(story: Story) -> None:
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


def merges(rng: random.Random, patients: list[str], zone: ZoneInfo) -> list[Event]:
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


def erased(rng: random.Random, patient: str, events: list[Event]) -> Event:
    recorded = [datetime.fromisoformat(e["recorded_at"]) for e in events]
    when = rng.choice(recorded) + timedelta(seconds=1)
    return {
        "event_id": f"erase-{patient}",
        "kind": "erasure",
        "patient_id": patient,
        "source": "registry",
        "recorded_at": when.isoformat(),
    }


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


def responses(rng: random.Random, events: list[Event], zone: ZoneInfo, names: Names) -> list[Event]:
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
