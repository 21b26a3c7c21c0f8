"""A file or a stream of bytes into its messages.

Source: HL7 v2.5.1 chapter 2.10.3 (batch protocol); HL7 MLLP release 1.
"""

import re
from collections.abc import Iterator
from typing import Final

_LINE: Final = re.compile(rb"[^\r\n\x0b\x1c]+|[\x0b\x1c]")
_FRAMES: Final = (b"\x0b", b"\x1c")
_ENVELOPE: Final = re.compile(rb"(?:FHS|BHS|BTS|FTS)(?![A-Za-z0-9])")
_HEADER: Final = re.compile(rb"MSH(?![A-Za-z0-9])")
_BLANK: Final = b" \t\x00"


def split_hl7v2(raw: bytes) -> Iterator[bytes]:
    """The messages of a file: framed by MLLP, in batches, or one after the other, with CR, LF or CRLF.

    What stands before a header is given as a message of its own, so that its translation refuses it by name.
    """
    lines: list[bytes] = []
    for found in _LINE.finditer(raw.removeprefix(b"\xef\xbb\xbf")):
        line = found[0]
        if _begins_anew(line):
            yield from _joined(lines)
            lines = []
        if line not in _FRAMES and not _ENVELOPE.match(line) and line.strip(_BLANK):
            lines.append(line)
    yield from _joined(lines)


def _begins_anew(line: bytes) -> bool:
    return line in _FRAMES or _HEADER.match(line) is not None or _ENVELOPE.match(line) is not None


def _joined(lines: list[bytes]) -> Iterator[bytes]:
    if lines:
        yield b"\r".join(lines)
