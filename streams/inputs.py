"""Files of events, FHIR or HL7 v2, told apart by content, one message at a time."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

from schemas.events import AnyEvent  # noqa: TC001 - mypy and readers see it where it is used
from schemas.tables import Tables
from schemas.wire import LARGEST_MESSAGE, NotJsonError, decode
from streams.intake.fhir import translate_fhir
from streams.intake.hl7v2 import split_hl7v2, translate_hl7v2
from streams.intake.native import translate_decoded
from streams.intake.outcome import Refusal, Translation
from streams.intake.site import Directory, Site

_CHUNK: Final = 1 << 20
_LARGEST_DOCUMENT: Final = 512 * 1024 * 1024
"""Bytes of one JSON document over many lines (a Bundle); NDJSON is read line by line, however long the file."""
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

    def document(self, given: object) -> Translation:
        """One decoded JSON document: a native event, an array of them, or a FHIR resource."""
        if isinstance(given, list):
            return joined(self.document(item) for item in given)
        if isinstance(given, dict) and "resourceType" in given:
            return translate_fhir(given, site=self.site, tables=self.tables, directory=self.directory)
        return translate_decoded(given, source=self.site.source)

    def line(self, raw: bytes) -> Translation:
        """One JSON text."""
        if len(raw) > LARGEST_MESSAGE:
            return refused("line", f"larger than {LARGEST_MESSAGE} bytes; one event or resource a line is expected")
        try:
            return self.document(decode(raw))
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


def readings(path: Path, intake: Intake) -> Iterator[Reading]:
    """Every message of a file.

    Errors: UnreadableError for a file that is not there or holds neither JSON nor HL7 v2.
    """
    try:
        file = path.open("rb")
    except OSError as error:
        raise UnreadableError(f"{path}: {error.strerror}") from None
    with file:
        if path.is_dir():
            raise UnreadableError(f"{path}: is a folder; name its files")
        start = file.read(4096).lstrip(_BLANK)
        file.seek(0)
        if not start:
            return
        if _HL7_START.match(start):
            yield from _hl7v2(path, file, intake)
        elif start[:1] in b"{[":
            yield from _json(path, file, intake)
        else:
            raise UnreadableError(f"{path}: neither JSON (events, FHIR) nor HL7 v2 (MSH); those would be accepted")


def _json(path: Path, file: IO[bytes], intake: Intake) -> Iterator[Reading]:
    """NDJSON if its first line is a JSON text; else one document."""
    first = file.readline(LARGEST_MESSAGE + 1)
    file.seek(0)
    if _is_json(first):
        yield from _lines(path, file, intake)
        return
    raw = file.read(_LARGEST_DOCUMENT + 1)
    if len(raw) > _LARGEST_DOCUMENT:
        yield Reading(str(path), refused("document", f"larger than {_LARGEST_DOCUMENT} bytes"))
        return
    try:
        document = decode(raw.removeprefix(b"\xef\xbb\xbf"))
    except NotJsonError as error:
        if first.rstrip().endswith(b"}"):
            yield from _lines(path, file, intake, seek=True)
        else:
            yield Reading(str(path), refused("document", f"{error}; a JSON document or NDJSON is expected"))
        return
    yield Reading(str(path), intake.document(document))


def _is_json(line: bytes) -> bool:
    try:
        decode(line.removeprefix(b"\xef\xbb\xbf"))
    except NotJsonError:
        return False
    return True


def _lines(path: Path, file: IO[bytes], intake: Intake, *, seek: bool = False) -> Iterator[Reading]:
    if seek:
        file.seek(0)
    number = 0
    while line := file.readline(LARGEST_MESSAGE + 2):
        number += 1
        if len(line) > LARGEST_MESSAGE:
            while line and not line.endswith(b"\n"):
                line = file.readline(_CHUNK)
            yield Reading(f"{path}:{number}", refused("line", f"larger than {LARGEST_MESSAGE} bytes"))
            continue
        stripped = line.strip(_BLANK)
        if stripped:
            yield Reading(f"{path}:{number}", intake.line(stripped))


def _hl7v2(path: Path, file: IO[bytes], intake: Intake) -> Iterator[Reading]:
    number = 0
    for part in _parts(file):
        for message in split_hl7v2(part):
            number += 1
            yield Reading(f"{path}#{number}", intake.hl7v2(message))


def _parts(file: IO[bytes]) -> Iterator[bytes]:
    """The file cut before headers, so that no more than a message and a chunk is held."""
    held = b""
    while chunk := file.read(_CHUNK):
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
