"""What a receiver refused for good, as dead letters; and how one is asked for again.

Topic: a notice that is to be sent again is published once more, with the name of the receiver that it is for. Others
pass it over, and so does that one if it took it meanwhile.
"""

from typing import Final

import msgspec

from schemas.topics import DEAD_LETTERS, NOTICES
from streams.kafka.notify_spool import Parked
from streams.kafka.records import header
from streams.kafka.work import Given, Sent

RECEIVER: Final = "trabecula-receiver"
"""Of a notice: the one receiver that it is for. Of a dead letter: who refused it."""
FORMAT: Final = "notice"


class _Key(msgspec.Struct):
    patient_id: str


def refused_letter(receiver: str, parked: Parked) -> Sent:
    """A notice that a receiver refused for good."""
    status = "" if parked.status is None else f" (status {parked.status})"
    return _letter(
        receiver,
        parked.body,
        refused=f"notice {parked.notice_id}",
        reason=f"{parked.reason}{status}",
        origin=parked.origin,
        at=parked.refused_at.isoformat(),
    )


def unreadable_letter(receiver: str, body: bytes, origin: str, at: str) -> Sent:
    """A record that is no notice."""
    return _letter(receiver, body, refused="record", reason="no notice as it is declared", origin=origin, at=at)


def _letter(receiver: str, body: bytes, *, refused: str, reason: str, origin: str, at: str) -> Sent:
    headers = {
        "reason": reason,
        "refused": refused,
        "where": f"receiver {receiver}",
        "format": FORMAT,
        "origin": origin,
        "refused-at": at,
        RECEIVER: receiver,
    }
    return Sent(DEAD_LETTERS.name, _key(body), body, tuple((name, said.encode()) for name, said in headers.items()))


def sent_again(letter: Given) -> Sent | None:
    """The notice of a dead letter, for the receiver that refused it; None for a dead letter of something else."""
    receiver = header(letter, RECEIVER)
    if receiver is None or header(letter, "format") != FORMAT or letter.value is None:
        return None
    return Sent(NOTICES.name, letter.key, letter.value, ((RECEIVER, receiver.encode()),))


def _key(body: bytes) -> bytes | None:
    """The key that the notice came with."""
    try:
        return msgspec.json.decode(body, type=_Key).patient_id.encode("utf-8", "surrogatepass")
    except msgspec.DecodeError:
        return None
