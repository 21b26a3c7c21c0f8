"""Files of events, FHIR or HL7 v2, told apart by content, one message at a time."""

import gzip
import io
import re
import sys
import zlib
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

from schemas.events import AnyEvent  # noqa: TC001 - mypy and readers see it where it is used
from schemas.tables import Tables
from schemas.wire import LARGEST_MESSAGE, NotJsonError, decode, decode_events
from streams.intake.fhir import translate_fhir
from streams.intake.hl7v2 import split_hl7v2, translate_hl7v2
from streams.intake.native import translate_decoded
from streams.intake.outcome import Refusal, Translation
from streams.intake.site import Directory, Site

_CHUNK: Final = 1 << 20
_LARGEST_DOCUMENT: Final = 512 * 1024 * 1024
"""Bytes of one JSON document over many lines (a Bundle); NDJSON is read line by line, however long the file."""
_DEEPEST: Final = 8
"""Arrays within arrays of events that are still read."""
_ENOUGH: Final = 4
_GZIP: Final = b"\x1f\x8b"
_HL7_START: Final = re.compile(rb"(MSH|FHS|BHS)[^A-Za-z0-9\s]")
_NEXT_MESSAGE: Final = re.compile(rb"(?:[\r\n\x0b\x1c])(?=\x0b?(?:MSH|FHS|BHS)[^A-Za-z0-9\s])")
_BLANK: Final = b" \t\r\n\x00\x0b\xef\xbb\xbf"


class UnreadableError(ValueError):
    """A file that cannot be read at all; the message names it and what would be accepted."""


@dataclass(frozen=True, slots=True)
class Reading:
    """One message of a file with its outcome; `place` is `FILE:LINE` or `FILE#ORDINAL`."""

    place: str
    translation: Translation


@dataclass(frozen=True, slots=True)
class Intake:
    """What the translators need: the site, the tables, and what was seen before."""

    site: Site
    tables: Tables
    directory: Directory

    def hl7v2(self, raw: bytes) -> Translation:
        """One HL7 v2 message."""
        return translate_hl7v2(raw, site=self.site, tables=self.tables, directory=self.directory)

    def document(self, given: object, depth: int = 0) -> Translation:
        """One decoded JSON document: a native event, an array of them, or a FHIR resource."""
        if isinstance(given, list):
            if depth == _DEEPEST:
                return refused("array", f"more than {_DEEPEST} arrays deep; one array of events is expected")
            return joined(self.document(item, depth + 1) for item in given)
        if isinstance(given, dict) and "resourceType" in given:
            return translate_fhir(given, site=self.site, tables=self.tables, directory=self.directory)
        return translate_decoded(given, source=self.site.source)

    def line(self, raw: bytes) -> Translation:
        """One JSON text."""
        if len(raw) > LARGEST_MESSAGE:
            return refused("line", f"larger than {LARGEST_MESSAGE} bytes; one event or resource a line is expected")
        try:
            return self.document(decode_events(raw))
        except NotJsonError as error:
            return refused("line", f"{error}; one JSON object a line is expected")


def refused(what: str, reason: str, where: str = "$") -> Translation:
    """A translation that is one refusal."""
    return Translation(refusals=(Refusal(what, reason, where),))


def joined(translations: Iterator[Translation]) -> Translation:
    """Several outcomes as one."""
    events: list[AnyEvent] = []
    refusals: list[Refusal] = []
    ignored: dict[str, int] = {}
    counted: dict[str, int] = {}
    for one in translations:
        events += one.events
        refusals += one.refusals
        for total, part in ((ignored, one.ignored), (counted, one.counted)):
            for name, n in part.items():
                total[name] = total.get(name, 0) + n
    return Translation(tuple(events), tuple(refusals), ignored, counted)


class _Stream:
    """A file or a pipe that is read once, from its beginning; what was looked at can be given back."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._held = b""

    def give_back(self, seen: bytes) -> None:
        self._held = seen + self._held

    def start(self) -> bytes:
        """The first bytes that are not blank, as far as they are needed to know what this is."""
        seen = b""
        while len(seen.lstrip(_BLANK)) < _ENOUGH and (more := self._file.read(_ENOUGH)):
            seen += more
        self.give_back(seen)
        return seen.lstrip(_BLANK)

    def read(self, most: int) -> bytes:
        held, self._held = self._held[:most], self._held[most:]
        return held + self._file.read(most - len(held)) if len(held) < most else held

    def readline(self, most: int) -> bytes:
        if not self._held:
            return self._file.readline(most)
        end = self._held.find(b"\n") + 1 or len(self._held)
        line, self._held = self._held[: min(end, most)], self._held[min(end, most) :]
        whole = line.endswith(b"\n") or len(line) == most
        return line if whole else line + self._file.readline(most - len(line))


def readings(path: Path, intake: Intake) -> Iterator[Reading]:
    """Every message of a file, of a pipe, or of stdin (`-`); gzip is taken off.

    Errors: UnreadableError for a file that is not there or holds neither JSON nor HL7 v2.
    """
    try:
        with _opened(path) as file:
            yield from _read(path, _Stream(file), intake)
    except EOFError:
        raise UnreadableError(f"{path}: compressed by gzip, and cut off") from None
    except (OSError, zlib.error) as error:
        raise UnreadableError(f"{path}: {getattr(error, 'strerror', None) or error}") from None


def _opened(path: Path) -> AbstractContextManager[IO[bytes]]:
    return nullcontext(sys.stdin.buffer) if str(path) == "-" else path.open("rb")


def _read(path: Path, stream: _Stream, intake: Intake) -> Iterator[Reading]:
    start = stream.start()
    if start.startswith(_GZIP):
        # GzipFile only ever reads what it is given; it neither seeks nor closes it.
        stream = _Stream(gzip.GzipFile(fileobj=stream))  # type: ignore[call-overload]
        start = stream.start()
    if not start:
        return
    if _HL7_START.match(start):
        yield from _hl7v2(path, stream, intake)
    elif start[:1] in b"{[":
        yield from _json(path, stream, intake)
    else:
        raise UnreadableError(f"{path}: neither JSON (events, FHIR) nor HL7 v2 (MSH); those would be accepted")


def _json(path: Path, stream: _Stream, intake: Intake) -> Iterator[Reading]:
    """NDJSON if its first line that is not blank is a JSON text; else one document."""
    blank, first = b"", stream.readline(LARGEST_MESSAGE + 1)
    while not first.strip(_BLANK):
        blank, first = blank + first, stream.readline(LARGEST_MESSAGE + 1)
    stream.give_back(blank + first)
    if _is_json(first):
        yield from _lines(path, stream, intake)
        return
    raw = stream.read(_LARGEST_DOCUMENT + 1)
    if len(raw) > _LARGEST_DOCUMENT:
        yield Reading(str(path), refused("document", f"larger than {_LARGEST_DOCUMENT} bytes"))
        return
    try:
        document = decode_events(raw.strip(_BLANK))
    except NotJsonError as error:
        if first.rstrip().endswith(b"}"):
            yield from _lines(path, _Stream(io.BytesIO(raw)), intake)
        else:
            yield Reading(str(path), refused("document", f"{error}; a JSON document or NDJSON is expected"))
        return
    yield Reading(str(path), intake.document(document))


def _is_json(line: bytes) -> bool:
    try:
        decode(line.strip(_BLANK))
    except NotJsonError:
        return False
    return True


def _lines(path: Path, stream: _Stream, intake: Intake) -> Iterator[Reading]:
    number = 0
    while line := stream.readline(LARGEST_MESSAGE + 2):
        number += 1
        if len(line) > LARGEST_MESSAGE:
            while line and not line.endswith(b"\n"):
                line = stream.readline(_CHUNK)
            yield Reading(f"{path}:{number}", refused("line", f"larger than {LARGEST_MESSAGE} bytes"))
            continue
        stripped = line.strip(_BLANK)
        if stripped:
            yield Reading(f"{path}:{number}", intake.line(stripped))


def _hl7v2(path: Path, stream: _Stream, intake: Intake) -> Iterator[Reading]:
    number = 0
    for part in _parts(stream):
        for message in split_hl7v2(part):
            number += 1
            yield Reading(f"{path}#{number}", intake.hl7v2(message))


def _parts(stream: _Stream) -> Iterator[bytes]:
    """The file cut before headers, so that no more than a message and a chunk is held."""
    held = b""
    while chunk := stream.read(_CHUNK):
        held += chunk
        cuts = [m.end() for m in _NEXT_MESSAGE.finditer(held, 1)]
        if cuts:
            yield held[: cuts[-1]]
            held = held[cuts[-1] :]
        elif len(held) > LARGEST_MESSAGE + _CHUNK:
            yield held
            held = b""
    if held:
        yield held
