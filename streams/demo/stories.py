"""The stories of single patients that stand in the traffic, told in one sentence each."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Story:
    """Whom it is about, and what happens."""

    title: str
    patients: tuple[str, ...]
    tells: str


STORIES: Final = (
    Story(
        "Back pain after delivery",
        ("30388",),
        "Four weeks after a delivery, breast-feeding: sudden severe back pain. For two weeks nobody images the spine.",
    ),
    Story(
        "Heparin, day after day",
        ("30405",),
        "Pregnant, 20,000 IU of unfractionated heparin a day. No message comes, and yet a limit is crossed.",
    ),
    Story(
        "Heparin, week after week",
        ("30377",),
        "The same dose for longer: the mean dose and duration of the published fracture cases are reached at night.",
    ),
    Story(
        "A value of another tube",
        ("30412",),
        "A critical calcium in pregnancy that the laboratory corrects an hour later.",
    ),
    Story(
        "Two numbers, one woman",
        ("30417", "30998"),
        "Admitted in an emergency under a new number; the merge joins two courses of heparin, and the alert moves.",
    ),
)

STORY_OF: Final = {patient: story for story in STORIES for patient in story.patients}
