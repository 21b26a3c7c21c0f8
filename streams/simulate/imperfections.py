"""What goes wrong on the way: late, duplicated, corrected and cancelled messages, and identities merged and parted.

Law: at most a few messages of a patient are held back at once, so that memory is bounded by the patients.
"""

import heapq
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

from streams.simulate.chance import Chance
from streams.simulate.codes import VITAMIN_D
from streams.simulate.diagnostics import single
from streams.simulate.messages import Message, Said
from streams.simulate.options import Imperfections
from streams.simulate.people import Person

MOST_HELD: Final = 6
_RESULTS: Final = "LAB"
_DOSES: Final = "CHART"
_HOUR: Final = 3_600


class Sent(NamedTuple):
    """A message on its way, and when it arrives."""

    arrives: datetime
    message: Message


def numbered(messages: Iterable[Message]) -> Iterator[Message]:
    """Each message with a control id of its own: the patient's number and a count."""
    for count, message in enumerate(messages, 1):
        yield message._replace(control=f"{message.person.number}.{count}")


def sent(messages: Iterable[Message], chance: Chance, shares: Imperfections) -> Iterator[Sent]:
    """The messages of one patient as they arrive."""
    if shares == Imperfections():
        yield from (Sent(message.at, message) for message in messages)
        return
    held: list[tuple[datetime, int, Message]] = []
    for count, message in enumerate(messages):
        while held and held[0][0] <= message.at:
            yield _next(held)
        for nth, (arrives, copy) in enumerate(_as_sent(message, chance, shares, full=len(held) >= MOST_HELD)):
            heapq.heappush(held, (arrives, 4 * count + nth, copy))
    while held:
        yield _next(held)


def _next(held: list[tuple[datetime, int, Message]]) -> Sent:
    arrives, _, message = heapq.heappop(held)
    return Sent(arrives, message)


def _as_sent(
    message: Message, chance: Chance, shares: Imperfections, *, full: bool
) -> Iterator[tuple[datetime, Message]]:
    """One message as the one or more that arrive; where too many are held already, as it is."""
    if full:
        yield message.at, message
        return
    for version in _versions(message, chance, shares):
        late = chance.happens(shares.late)
        arrives = version.at + (_delay(chance, 1, 72) if late else timedelta())
        yield arrives, version
        if chance.happens(shares.duplicated):
            yield arrives + timedelta(seconds=chance.whole(5, 1_800)), version


def _delay(chance: Chance, least: int, most: int) -> timedelta:
    return timedelta(seconds=chance.whole(least * _HOUR, most * _HOUR))


def _versions(message: Message, chance: Chance, shares: Imperfections) -> Iterator[Message]:
    if message.sender == _RESULTS and chance.happens(shares.corrected):
        later = message.at + _delay(chance, 2, 48)
        yield _changed(message, "", _wrong)
        yield _changed(message, "C", _corrected)._replace(at=later)
        return
    yield message
    if message.sender in (_RESULTS, _DOSES) and chance.happens(shares.cancelled):
        later = message.at + _delay(chance, 1, 24)
        yield _changed(message, "X", _of_nobody)
        yield _changed(message, "Y", _taken_back)._replace(at=later)


def _changed(message: Message, mark: str, how: Callable[[Said], Said]) -> Message:
    return message._replace(control=message.control + mark, said=tuple(how(said) for said in message.said))


def _wrong(said: Said) -> Said:
    """A value with a slip of a tenth; text stays as it is."""
    if "value" not in said:
        return said
    slipped = said["value"] * 1.1
    return {**said, "value": round(slipped, 2) if isinstance(said["value"], float) else round(slipped)}


def _corrected(said: Said) -> Said:
    return {**said, "status": "corrected"}


def _of_nobody(said: Said) -> Said:
    """A record that should not be there: of another tube, or of a dose that was not given."""
    record: str = said["record_id"]
    if said["kind"] == "lab_result":
        number, _, test = record.rpartition(":")
        return {**said, "record_id": f"{number}x:{test}"}
    return {**said, "record_id": f"{record}x", "given_at": said["given_at"] + timedelta(minutes=45)}


def _taken_back(said: Said) -> Said:
    status = "cancelled" if said["kind"] == "lab_result" else "entered_in_error"
    return {**_of_nobody(said), "status": status}


def named_twice(messages: Iterable[Message], temporary: str) -> Iterator[Message]:
    """The first messages under a temporary number, then the merge, then the real one."""
    last, merged = None, False
    for count, message in enumerate(messages):
        last = message
        if count < _UNDER_TEMPORARY:
            yield message._replace(person=message.person._replace(number=temporary))
            continue
        if not merged:
            merged = True
            yield _link(message.at, "ADT^A40", message.person, temporary, "patient_merge")
        yield message
    if last is not None and not merged:
        yield _link(last.at + timedelta(hours=1), "ADT^A40", last.person, temporary, "patient_merge")


_UNDER_TEMPORARY: Final = 3


def mixed_up(messages: Iterable[Message], stranger: str, parted_after: int) -> Iterator[Message]:
    """A stranger's number, with a very low vitamin D, merged into this one by mistake and parted some days later."""
    apart: datetime | None = None
    person: Person | None = None
    for count, message in enumerate(messages):
        person = message.person
        if count == _UNDER_TEMPORARY:
            yield _of_stranger(message, stranger)
            yield _link(message.at, "ADT^A24", person, stranger, "patient_merge")
            apart = message.at + timedelta(days=parted_after)
        elif apart is not None and message.at > apart:
            yield _link(apart, "ADT^A37", person, stranger, "patient_unmerge")
            apart = None
        yield message
    if apart is not None and person is not None:
        yield _link(apart, "ADT^A37", person, stranger, "patient_unmerge")


def _of_stranger(message: Message, number: str) -> Message:
    somebody = Person(number, "Vera", "Tuff", "female", "1991-03-14")
    said = single(f"L{number}", message.at - timedelta(hours=4), VITAMIN_D, 9.0)
    return Message(message.at, "ORU^R01", _RESULTS, somebody, (said,))


def _link(at: datetime, kind: str, into: Person, retired: str, event: str) -> Message:
    said: dict[str, Any] = {"kind": event, "record_id": f"link:{retired}", "into": into.number}
    return Message(at, kind, "ADT", into._replace(number=retired), (said,))
