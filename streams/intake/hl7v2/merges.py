"""Two identities that are one person, and the taking back of it.

Source: HL7 v2.5.1 chapter 3.3.18 (A18), 3.3.24 (A24), 3.3.34 to 3.3.51, 3.4.9 (MRG).
"""

from collections.abc import Iterator
from functools import partial
from typing import Final

from schemas.events import PatientMerge, PatientUnmerge
from streams.intake.hl7v2.identity import all_names, patient_ids
from streams.intake.hl7v2.message import Message, Segment
from streams.intake.hl7v2.reading import Reading
from streams.intake.hl7v2.untranslatable import UntranslatableError

MERGES: Final = frozenset({"A18", "A34", "A36", "A39", "A40", "A47"})
LINK: Final = "A24"
UNLINK: Final = "A37"
MOVES_A_NUMBER: Final = "A43"
READ: Final = frozenset({"MSH", "EVN", "PID", "PD1", "PV1", "MRG"})
_TWO: Final = 2


def translate_merge(reading: Reading) -> None:
    """MRG-1 into PID-3, for every pair of them."""
    pairs = list(_pairs(reading.message))
    if not pairs:
        raise UntranslatableError("no MRG after a PID; accepted: PID and MRG, in pairs", "MRG[1]")
    for survivor, retired in pairs:
        reading.attempt(partial(_merge, reading, survivor, retired))


def _pairs(message: Message) -> Iterator[tuple[Segment | None, Segment]]:
    survivor = None
    for segment in message.segments:
        if segment.name == "PID":
            survivor = segment
        elif segment.name == "MRG":
            yield survivor, segment


def _merge(reading: Reading, survivor: Segment | None, retired: Segment) -> None:
    if survivor is None:
        raise UntranslatableError("an MRG before its PID; accepted: PID and MRG, in pairs", retired.where())
    into, kept = reading.patient(survivor), all_names(survivor, reading.site)
    names = patient_ids(retired, reading.site)
    gone = [name for name in names if name not in kept]
    reading.ignored["merge into itself"] += not gone
    for name in gone:
        reading.emit(PatientMerge, retired, patient=name, record=_link(name), into=into)


def translate_link(reading: Reading) -> None:
    """A24: the second PID is retired into the first; A37 takes that back."""
    pids = list(reading.message.named("PID"))
    if len(pids) != _TWO:
        raise UntranslatableError(f"{len(pids)} PID; accepted: the two that are linked", "PID[2]")
    first, second = (reading.patient(pid) for pid in pids)
    if first == second:
        reading.ignored["merge into itself"] += 1
        return
    model = PatientMerge if reading.trigger == LINK else PatientUnmerge
    reading.emit(model, pids[1], patient=second, record=_link(second), into=first)


def _link(retired: str) -> str:
    return f"link:{retired}"


def refuse_move(_: Reading) -> None:
    """A43 moves one number from person to person; what of the record goes with it, it does not say.

    Errors: UntranslatableError always.
    """
    raise UntranslatableError(
        "A43 moves a number, not a person; accepted: A40 for persons, or native events for what was moved", "MSH[1]-9"
    )
