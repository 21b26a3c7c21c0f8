"""How an HL7 v2 message is acknowledged: its header and a verdict in, acknowledgements out. Pure.

AA, CA: durable. AE, CE: not taken, and the same message may be taken later. AR, CR: never taken as it is.
A message that was taken in part is AA with an ERR of severity W for each refused part ("transaction successful, but
there may be issues", table 0516): a resend would change nothing, so that an error code would only stop the feed.
HL7's own text of original mode has AR for a receiver that is down; senders treat AE as what may come again, as here.

Built by hand: python-hl7's `create_ack` raises where MSH-9 has no trigger or MSH ends early, and has no ERR, no MSH-18.
Source: HL7 v2.5.1 chapter 2.9.2 and 2.9.3 (modes), 2.15.5 (ERR), 2.15.8 (MSA); tables 0008, 0155, 0357, 0516.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

from streams.intake.outcome import Refusal
from streams.node.port import NotDurableError, Outcome, QueueFullError

Result = Literal["accepted", "refused", "error"]
Level = Literal["application", "commit"]

_HEADER: Final = re.compile(rb"(?:^|[\r\n])(?:\xef\xbb\xbf)?[ \t]*(MSH[^\r\n]*)")
_FARTHEST_HEADER: Final = 16_384
_CONTROLS: Final = bytes(range(32)) + b"\x7f"
_MARKS: Final = b"^~\\&"
_MARK: Final = re.compile(rb"[!-/:-@\[-`{-~]")
_MARKS_SENT: Final = re.compile(_MARK.pattern + rb"{4,5}")
_PLACE: Final = re.compile(r"([A-Z][A-Z0-9]{2})(?:\[(\d{1,5})\])?(?:-(\d{1,3}))?")
_MOST_REMARKS: Final = 10
_LONGEST_REMARK: Final = 250
_LONGEST_NAME: Final = 100
_LONGEST_TEXT: Final = 80  # MSA-3
_FIRST_WITH_SEVERITY: Final = (2, 5)
_FIRST_WITHOUT_TEXT: Final = (2, 7)
_VERSION: Final = b"2.5.1"
_LETTERS: Final[dict[Result, bytes]] = {"accepted": b"A", "refused": b"R", "error": b"E"}
_LEVELS: Final[dict[Level, bytes]] = {"application": b"A", "commit": b"C"}
_CONDITIONS: Final = {b"NE": (False, False), b"ER": (False, True), b"SU": (True, False)}
_MEANINGS: Final = {
    "100": "Segment sequence error",
    "101": "Required field missing",
    "102": "Data type error",
    "103": "Table value not found",
    "200": "Unsupported message type",
    "202": "Unsupported processing id",
    "203": "Unsupported version id",
    "207": "Application internal error",
}
"""Table 0357, as far as it is used."""
_OF_HEADER: Final = {"9": "200", "11": "202", "12": "203"}


# ---- what the header says


@dataclass(frozen=True, slots=True)
class Header:
    """The MSH of a message as far as it can be read; without one every field is empty."""

    separator: bytes = b"|"
    marks: bytes = _MARKS
    fields: tuple[bytes, ...] = ()

    def field(self, number: int) -> bytes:
        """A field as it was sent, without control characters; MSH-1 is the separator."""
        return self.fields[number - 1].translate(None, _CONTROLS) if number <= len(self.fields) else b""

    def part(self, number: int, component: int = 1) -> bytes:
        """A component of a field's first repetition."""
        said = self.field(number)
        parts = said.split(self.marks[1:2], 1)[0].split(self.marks[:1]) if said else ()
        return parts[component - 1].strip() if component <= len(parts) else b""

    @property
    def name(self) -> str:
        """What a refusal calls the message: its type and control id."""
        kind = b"^".join(filter(None, (self.part(9), self.part(9, 2))))
        said = b" ".join(filter(None, (kind, self.field(10)))).decode("latin-1")
        return said[:_LONGEST_NAME] or "HL7 v2 message"

    @property
    def version(self) -> tuple[int, ...]:
        """MSH-12; empty where it is no version."""
        said = self.part(12)
        return tuple(map(int, said.split(b"."))) if re.fullmatch(rb"\d(\.\d){1,2}", said) else ()

    @property
    def is_acknowledgement(self) -> bool:
        """Nobody acknowledges an acknowledgement: two receivers would answer each other for ever."""
        return self.part(9) == b"ACK"

    @property
    def hears_refusals(self) -> bool:
        """Whether the sender would be told that the message was not taken."""
        return any(self.asks(level, "error") for level in _LEVELS)

    def asks(self, level: Level, result: Result) -> bool:
        """Whether the sender wants an acknowledgement of this level after this result.

        Both of MSH-15 and MSH-16 empty is original mode, an application acknowledgement always. In enhanced mode an
        empty one is never; a word that is not of table 0155 is taken for AL, as an unasked answer harms least.
        """
        accept, application = self.part(15).upper(), self.part(16).upper()
        if self.is_acknowledgement:
            return False
        if not accept and not application:
            return level == "application"
        condition = application if level == "application" else accept
        told = _CONDITIONS.get(condition or b"NE", (True, True))
        return told[result != "accepted"]


def read_header(content: bytes) -> Header:
    """The header of a message, however broken the rest of it is."""
    found = _HEADER.search(content[:_FARTHEST_HEADER])
    line = found[1] if found else b""
    separator = line[3:4]
    if not _MARK.fullmatch(separator):
        return Header()
    fields = line.split(separator)
    marks = fields[1] if _usable(fields[1], separator) else _MARKS
    return Header(separator, marks, (separator, marks, *fields[2:]))


def _usable(marks: bytes, separator: bytes) -> bool:
    return _MARKS_SENT.fullmatch(marks) is not None and len(set(marks + separator)) == len(marks) + 1


# ---- what is said of the message


@dataclass(frozen=True, slots=True)
class Remark:
    """One ERR: a code of table 0357, the place as a refusal names it, and words without anything of the patient."""

    code: str
    text: str
    where: str = ""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the sender is told of a message."""

    result: Result
    remarks: tuple[Remark, ...] = ()


def verdict_of(outcome: Outcome) -> Verdict:
    """The verdict of a message that is durable; a duplicate is accepted again."""
    remarks = (
        *(Remark(_code(refusal), refusal.reason, refusal.where) for refusal in outcome.refusals),
        *(Remark("207", item.reason or "refused") for item in outcome.items if item.outcome == "refused"),
    )
    return Verdict("refused" if outcome.refused_whole else "accepted", remarks)


def verdict_of_failure(error: Exception) -> Verdict:
    """The verdict of a message that is not durable: it may come again. What failed is not the sender's to know."""
    match error:
        case QueueFullError():
            why = f"more is waiting than is taken; send it again after {error.retry_after:g} s"
        case NotDurableError():
            why = f"it could not be stored; send it again after {error.retry_after:g} s"
        case _:
            why = "an error of the receiver; send it again later"
    return Verdict("error", (Remark("207", why),))


def _code(refusal: Refusal) -> str:
    """The nearest code of table 0357, from the place and the first words of a reason."""
    place = _PLACE.fullmatch(refusal.where)
    if place and place[1] == "MSH" and place[3] in _OF_HEADER:
        return _OF_HEADER[place[3]]
    if re.match(r"no known|unknown|an unmapped", refusal.reason):
        return "103"
    if place and place[3]:
        return "101" if refusal.reason.startswith("no ") else "102"
    return "100" if re.match(r"no |more than one |.+ before ", refusal.reason) else "207"


# ---- the acknowledgements


def acknowledgements(
    header: Header, verdict: Verdict, *, now: datetime, control_id: Callable[[], str]
) -> tuple[bytes, ...]:
    """What the sender asked to be told, in order: of the commit first; none where it asked for none.

    A commit that was told as rejected has no application acknowledgement after it.
    """
    if not header.asks("commit", verdict.result):
        levels: tuple[Level, ...] = ("application",)
    elif verdict.result == "accepted":
        levels = ("commit", "application")
    else:
        levels = ("commit",)
    asked = (level for level in levels if header.asks(level, verdict.result))
    return tuple(acknowledgement(header, verdict, level, now=now, control_id=control_id()) for level in asked)


def acknowledgement(header: Header, verdict: Verdict, level: Level, *, now: datetime, control_id: str) -> bytes:
    """One acknowledgement, whether or not it was asked for.

    Shape: MSH, MSA and ERR, each ended by CR; the separators and the character set are the sender's (all that is
    ours is ASCII), MSH-3 to 6 are the sender's turned round, MSH-11 and MSH-12 the sender's.
    """
    code = _LEVELS[level] + _LETTERS[verdict.result]
    # Of a commit nothing is said beyond it: what was refused in part belongs to the application's answer.
    remarks = () if code == b"CA" else verdict.remarks
    segments = (_msh(header, now, control_id), _msa(header, code, remarks), *_err(header, verdict.result, remarks))
    return b"".join(segment + b"\r" for segment in segments)


def _msh(header: Header, now: datetime, control_id: str) -> bytes:
    component = header.marks[:1]
    fields = [
        b"MSH",
        header.marks,
        *(header.field(number) for number in (5, 6, 3, 4)),
        now.strftime("%Y%m%d%H%M%S%z").encode(),
        b"",
        component.join((b"ACK", header.part(9, 2), b"ACK")) if header.part(9, 2) else b"ACK",
        control_id.encode(),
        header.field(11) or b"P",
        header.field(12) or _VERSION,
        *(b"" for _ in range(5)),
        header.field(18),
    ]
    return header.separator.join(fields).rstrip(header.separator)


def _msa(header: Header, code: bytes, remarks: Sequence[Remark]) -> bytes:
    said = remarks and header.version < _FIRST_WITHOUT_TEXT
    text = (_escaped(header, remarks[0].text, _LONGEST_TEXT),) if said else ()
    return header.separator.join((b"MSA", code, header.field(10), *text))


def _err(header: Header, result: Result, remarks: Sequence[Remark]) -> list[bytes]:
    if not remarks:
        return []
    if len(remarks) > _MOST_REMARKS:
        remarks = (*remarks[: _MOST_REMARKS - 1], Remark("207", f"{len(remarks) - _MOST_REMARKS + 1} more"))
    if header.version and header.version < _FIRST_WITH_SEVERITY:
        # ERR-1 of these versions has no severity: beside AA it would read as an error. MSA-3 says it there.
        return [_old_err(header, remarks)] if result != "accepted" else []
    severity = b"W" if result == "accepted" else b"E"
    return [_new_err(header, remark, severity) for remark in remarks]


def _new_err(header: Header, remark: Remark, severity: bytes) -> bytes:
    coded = header.marks[:1].join((remark.code.encode(), _MEANINGS[remark.code].encode(), b"HL70357"))
    text = _escaped(header, remark.text, _LONGEST_REMARK)
    place = header.marks[:1].join(_place(remark)).rstrip(header.marks[:1])
    return header.separator.join((b"ERR", b"", place, coded, severity, b"", b"", b"", text))


def _old_err(header: Header, remarks: Sequence[Remark]) -> bytes:
    component, repetition, subcomponent = header.marks[:1], header.marks[1:2], header.marks[3:4]
    located = (
        component.join(
            (
                *_place(remark),
                subcomponent.join((remark.code.encode(), _MEANINGS[remark.code].encode(), b"HL70357")),
            )
        )
        for remark in remarks
    )
    return header.separator.join((b"ERR", repetition.join(located)))


def _place(remark: Remark) -> tuple[bytes, bytes, bytes]:
    """Segment, which of its name, and field; a place that is none of these is empty."""
    found = _PLACE.fullmatch(remark.where)
    return (found[1].encode(), (found[2] or "1").encode(), (found[3] or "").encode()) if found else (b"", b"", b"")


def _escaped(header: Header, text: str, longest: int) -> bytes:
    escape = header.marks[2:3]
    marks = zip((header.separator, *(header.marks[n : n + 1] for n in range(4))), b"FSRET", strict=True)
    sequences = {mark[0]: escape + bytes((letter,)) + escape for mark, letter in marks}
    plain = re.sub(r"[^ -~]", "?", text[:longest]).encode("ascii")
    return b"".join(sequences.get(byte, bytes((byte,))) for byte in plain)
