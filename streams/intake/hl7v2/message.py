"""A message as segments whose fields are read when asked for.

python-hl7 reads the separators and the escapes; its full parse (1.6 ms a message) is left out.
Source: HL7 v2.5.1 chapter 2.5 (delimiters), 2.7 (escapes).
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import hl7
from hl7.parser import create_parse_plan

from schemas.wire import LARGEST_MESSAGE
from streams.intake.hl7v2.charset import decode
from streams.intake.hl7v2.untranslatable import UntranslatableError

_BATCH: Final = ("FHS", "BHS")
_MOST_SEGMENTS: Final = 50_000
_NAME: Final = re.compile(r"[A-Z][A-Z0-9]{2}")
_LINE_END: Final = re.compile(r"\r\n|\r|\n")
_SEGMENT_END: Final = re.compile(r"\r\n?|\n(?=[A-Z][A-Z0-9]{2}[^A-Za-z0-9\s])")
_SHORTEST_HEADER: Final = 8
_LONGEST_MARKS: Final = 16
_NULL: Final = '""'  # "delete the value": nothing is said
_LAYOUT: Final = {"H": "", "N": "", ".br": "\n", ".sp": "\n", ".ce": "\n", ".in": " ", ".ti": " "}
_SIMPLE: Final = re.compile(r"[HNFSTRE]|\.(br|fi|nf|ce|in|ti|sk)|\.(sp|in|ti|sk)[+]?\d{1,2}")
_HEX: Final = re.compile(r"X((?:[0-9A-Fa-f]{2})+)")


@dataclass(frozen=True, slots=True)
class Notation:
    """The separators of a message, and its escapes."""

    field: str
    component: str
    repetition: str
    escape: str
    subcomponent: str
    codec: str
    container: hl7.Message
    sequence: re.Pattern[str]
    known: Mapping[str, str]
    """The sequences of the separators, which python-hl7 resolved once."""

    def plain(self, text: str) -> str:
        """The text without escapes; an unknown or broken sequence stays as it was sent."""
        return self.sequence.sub(self._resolved, text) if self.escape in text else text

    def part(self, text: str, component: int, sub: int) -> str:
        """A subcomponent of a component of one repetition."""
        if not text:
            return ""
        found = _nth(_nth(text, self.component, component), self.subcomponent, sub)
        return "" if found == _NULL else self.plain(found).strip()

    def _resolved(self, found: re.Match[str]) -> str:
        # python-hl7 logs, drops or multiplies without bound what it does not know, so it sees only what it knows.
        if found[1] in self.known:
            return self.known[found[1]]
        if _SIMPLE.fullmatch(found[1]):
            return str(self.container.unescape(found[0], _LAYOUT))
        if given := _HEX.fullmatch(found[1]):
            return _in_charset(given[1], self.codec) or found[0]
        return found[0]


def _in_charset(digits: str, codec: str) -> str:
    try:
        return bytes.fromhex(digits).decode(codec)
    except UnicodeDecodeError:
        return ""


@dataclass(frozen=True, slots=True)
class Element:
    """One repetition of a field."""

    text: str
    notation: Notation

    def part(self, component: int = 1, sub: int = 1) -> str:
        """A component's subcomponent, counted from 1, without escapes; "" where there is none."""
        return self.notation.part(self.text, component, sub)

    def whole(self) -> str:
        """The text of the whole repetition, for types that have no components."""
        return "" if self.text == _NULL else self.notation.plain(self.text).strip()


def _nth(text: str, separator: str, position: int) -> str:
    if separator not in text:
        return text if position == 1 else ""
    parts = text.split(separator, position)
    return parts[position - 1] if len(parts) >= position else ""


@dataclass(frozen=True, slots=True)
class Segment:
    """One segment. `number` counts segments of its name, `ordinal` all of the message; both from 1."""

    name: str
    number: int
    ordinal: int
    fields: tuple[str, ...]
    notation: Notation

    def raw(self, field: int) -> str:
        return self.fields[field] if field < len(self.fields) else ""

    def first(self, field: int) -> Element:
        text = self.raw(field)
        return Element(text.split(self.notation.repetition, 1)[0] if text else "", self.notation)

    def each(self, field: int) -> list[Element]:
        """The repetitions that say something."""
        text = self.raw(field)
        found = text.split(self.notation.repetition) if text else ()
        return [Element(text, self.notation) for text in found if text and text != _NULL]

    def value(self, field: int, component: int = 1, sub: int = 1) -> str:
        text = self.raw(field)
        return self.notation.part(text.split(self.notation.repetition, 1)[0], component, sub) if text else ""

    def where(self, field: int | None = None) -> str:
        """The place as a refusal names it."""
        place = f"{self.name}[{self.number}]"
        return place if field is None else f"{place}-{field}"


@dataclass(frozen=True, slots=True)
class Message:
    """A message, its header first. `oddities` are counted: what was read although it was not well formed."""

    segments: tuple[Segment, ...]
    unreadable: tuple[int, ...]
    oddities: tuple[str, ...]

    @property
    def header(self) -> Segment:
        return self.segments[0]

    def named(self, name: str) -> Iterator[Segment]:
        return (segment for segment in self.segments if segment.name == name)

    def find(self, name: str) -> Segment | None:
        return next(self.named(name), None)


def parse(raw: bytes) -> Message:
    """Read one message.

    Errors: UntranslatableError where there is no header, the text is of no known set, or it is too large.
    """
    if len(raw) > LARGEST_MESSAGE:
        raise UntranslatableError(f"{len(raw)} bytes; accepted: up to {LARGEST_MESSAGE} bytes a message", "MSH[1]")
    text, codec, fell_back = decode(raw)
    text, doubled = _single_escape(text)
    lines = _lines(text)
    notation = _notation(lines[0], codec)
    segments, unreadable, continued = _segments(lines, notation)
    if any(segment.name == "MSH" for segment in segments[1:]):
        raise UntranslatableError("more than one header; accepted: one message at a time", "MSH[2]")
    oddities = {"charset_fallback": fell_back, "doubled_escape": doubled, "continuation_line": continued}
    return Message(segments, unreadable, tuple(word for word, seen in oddities.items() if seen))


def _single_escape(text: str) -> tuple[str, bool]:
    # Some engines and extractions double every backslash, that of MSH-2 included.
    doubled = text[4:9] == "^~\\\\&"
    return (text.replace("\\\\", "\\"), True) if doubled else (text, False)


def _lines(text: str) -> list[str]:
    # Where CR ends a segment, as it should, a LF that begins none is a line end inside a text.
    ends = _SEGMENT_END if _ended_by_cr(text) else _LINE_END
    lines = [line for line in ends.split(text) if line.strip()]
    if lines and lines[0][:3] in _BATCH:
        raise UntranslatableError(
            "no batch in a block; accepted: one message (POST /hl7v2 and files take batches)", lines[0][:3]
        )
    if not lines or not lines[0].startswith("MSH") or len(lines[0]) < _SHORTEST_HEADER:
        raise UntranslatableError("no header; accepted: a message that begins with an MSH segment", "MSH[1]")
    if len(lines) > _MOST_SEGMENTS:
        raise UntranslatableError(f"{len(lines)} segments; accepted: up to {_MOST_SEGMENTS} a message", "MSH[1]")
    return lines


def _ended_by_cr(text: str) -> bool:
    end = _LINE_END.search(text)
    return end is not None and end[0] == "\r"


def _notation(header: str, codec: str) -> Notation:
    end = header.find(header[3], 4)
    return _notation_of(header[: end + 1 if 0 < end < _LONGEST_MARKS else _LONGEST_MARKS], codec)


@lru_cache(maxsize=64)
def _notation_of(header: str, codec: str) -> Notation:
    plan = create_parse_plan(header)
    field, repetition, component, subcomponent = plan.separators[1:5]
    given = (field, component, repetition, plan.esc, subcomponent)
    if len(set(given)) < len(given) or any(mark.isalnum() or mark.isspace() for mark in given):
        raise UntranslatableError("unusable separators; accepted: e.g. |^~\\&", "MSH[1]-2")
    mark, container = re.escape(plan.esc), plan.container([])
    sequence = re.compile(f"{mark}([^{mark}]{{1,2000}}){mark}")
    known = {name: str(container.unescape(f"{plan.esc}{name}{plan.esc}", _LAYOUT)) for name in "FSTRE"}
    return Notation(*given, codec=codec, container=container, sequence=sequence, known=known)


def _segments(lines: list[str], notation: Notation) -> tuple[tuple[Segment, ...], tuple[int, ...], bool]:
    """The segments, the ordinals of lines that are none, and whether text went on over a line's end."""
    found: list[Segment] = []
    unreadable: list[int] = []
    numbers: dict[str, int] = {}
    continued = False
    for ordinal, line in enumerate(lines, start=1):
        fields = line.split(notation.field)
        name = fields[0].strip()
        continued = continued or "\n" in line
        if _NAME.fullmatch(name):
            numbers[name] = numbers.get(name, 0) + 1
            if name == "MSH":
                fields.insert(1, notation.field)
            found.append(Segment(name, numbers[name], ordinal, tuple(fields), notation))
        elif len(fields) == 1 and found[-1].name != "MSH":
            found[-1] = _longer(found[-1], line)
            continued = True
        else:
            unreadable.append(ordinal)
    return tuple(found), tuple(unreadable), continued


def _longer(segment: Segment, line: str) -> Segment:
    fields = (*segment.fields[:-1], f"{segment.fields[-1]}\n{line}")
    return Segment(segment.name, segment.number, segment.ordinal, fields, segment.notation)
