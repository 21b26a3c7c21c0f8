"""A whole random history: what is told and how often, and in which order it is put together."""

import random
from collections.abc import Callable
from copy import deepcopy
from datetime import datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from tests.oracle.standing import NAMES, Names

from . import bones, diagnoses, drugs, labs, motherhood, orders
from .motherhood import introduced
from .revisions import erased, merges, responses, revised
from .story import EPOCH, UTC_ZONE, Event, Story

TELLING: Final[tuple[tuple[Callable[[Story], None], int], ...]] = (
    (drugs.ufh, 7),
    (drugs.ufh_after, 2),
    (drugs.lmwh, 4),
    (drugs.odd_heparin, 3),
    (motherhood.feeding, 4),
    (bones.back_pain, 5),
    (bones.hip_pain, 4),
    (bones.heights, 2),
    (diagnoses.body, 2),
    (bones.imaging, 6),
    (bones.scan, 4),
    (bones.density, 3),
    (labs.lab, 6),
    (labs.markers, 4),
    (labs.wrong_unit, 1),
    (labs.work_up, 1),
    (labs.asked, 1),
    (diagnoses.condition, 4),
    (diagnoses.coded_hip, 1),
    (drugs.bone_drug, 4),
    (drugs.steroid, 2),
    (drugs.supplement, 2),
    (drugs.fondaparinux, 1),
    (orders.bed_rest, 3),
    (diagnoses.risk, 3),
    (diagnoses.procedure, 1),
    (motherhood.second_source, 1),
    (bones.long_hip, 1),
    (labs.rising, 2),
    (motherhood.weaned, 2),
    (labs.thyroid, 2),
    (labs.protein, 1),
)


def history(
    rng: random.Random,
    patients: int = 2,
    length: int = 40,
    *,
    zone: ZoneInfo = UTC_ZONE,
    names: Names = NAMES,
    erasures: bool = False,
) -> list[Event]:
    """A random history of about `length` events, in the order of their recording, with a few repeats.

    Whoever asks at an instant gives what was recorded until then.
    """
    stories = []
    for i in range(patients):
        story = Story(rng, f"MRN-{i + 1}", zone)
        story.day_zero = EPOCH + timedelta(days=rng.randint(200, 420))
        introduced(story)
        stories.append(story)
    functions, weights = zip(*TELLING, strict=True)
    while sum(len(s.events) for s in stories) < length:
        story = rng.choice(stories)
        rng.choices(functions, weights)[0](story)
    for story in stories:
        if rng.random() < 0.5:
            revised(story)
    events = [e for s in stories for e in s.events]
    events += merges(rng, [s.patient for s in stories], zone)
    if erasures and rng.random() < 0.3:
        events.append(erased(rng, stories[0].patient, events))
    events += responses(rng, events, zone, names)
    events += [deepcopy(e) for e in events if rng.random() < 0.03]
    return sorted(events, key=lambda e: datetime.fromisoformat(e["recorded_at"]))
