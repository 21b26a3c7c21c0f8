"""What became of a message so far, and when nothing of it is taken after all."""

import traceback
from collections import Counter
from typing import Final

import msgspec

from streams.intake.outcome import Refusal
from streams.node.port import ItemOutcome

ERASED: Final = "erased"
UNTAKEN: Final = ("recorded_in_future", ERASED)
"""What may become of an event so that it is not taken."""
_LETTERS: Final = frozenset({*UNTAKEN, "failed", "oversize", "broken_off"})
"""With what a reason may begin that a dead letter is counted by as it is."""
_KINDS: Final = (
    (("unknown kind", "no resource type", "no message type"), "unknown_kind"),
    (("unknown status", "unknown clinical status", "no known "), "unknown_status"),
    (("no patient identifier", "nobody is named", "nothing names this Patient", "no PID"), "no_patient"),
    (("no time", "no clinical time", "nothing says when"), "no_time"),
    (("no unit", "unknown unit"), "no_unit"),
    (("no number", "not a number", "not a plain number", "no value"), "no_value"),
    (("no code", "no coding", "no drug"), "no_code"),
    (("larger than ", "more than ", "too many "), "too_large"),
    (("only this part of it came",), "broken_off"),
)
"""With what the reasons of intake begin, and the word for that kind of reason; any other is `refused`."""


class Taken(msgspec.Struct):
    """What became of a message so far. `blank`: it speaks of somebody who is forgotten, and is not kept."""

    items: list[ItemOutcome] = msgspec.field(default_factory=list)
    refusals: list[Refusal] = msgspec.field(default_factory=list)
    ignored: int = 0
    counted: Counter[str] = msgspec.field(default_factory=Counter)
    blank: bool = False

    def is_refused(self) -> bool:
        """Something of it is not taken; an event of somebody who was forgotten is so without a refusal until now."""
        forgotten = (item for item in self.items if item.reason == ERASED)
        self.refusals += [Refusal(f"event {item.event_id}", ERASED, "") for item in forgotten]
        return bool(self.refusals)


class NothingTakenError(Exception):
    """Something of a message was refused whose sender asked for all of it or nothing."""

    def __init__(self, taken: Taken) -> None:
        super().__init__()
        self.taken = Taken(refusals=taken.refusals, blank=taken.blank)


def failed(error: Exception) -> Taken:
    """Of a message that made us fail: where and how is said, but nothing of its content."""
    last = traceback.extract_tb(error.__traceback__)[-1]
    where = f"{last.filename.rpartition('/')[2]}:{last.lineno}"
    return Taken(refusals=[Refusal("message", f"failed: {type(error).__name__}; kept as a dead letter", where)])


def word_of(refusal: Refusal) -> str:
    """The reason of a dead letter as it is counted: one of few words."""
    word = refusal.reason.partition(":")[0]
    if word in _LETTERS:
        return word
    return next((kind for begins, kind in _KINDS if refusal.reason.startswith(begins)), "refused")
