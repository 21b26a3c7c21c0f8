"""A file or a stream of bytes into its messages.

Source: HL7 v2.5.1 chapter 2.10.3 (batch protocol); HL7 MLLP release 1.
"""

import re
from collections.abc import Iterator
from typing import Final

_LINE: Final = re.compile(rb"[^\r\n\x0b\x1c]+|[\x0b\x1c]")
_FRAMES: Final = (b"\x0b", b"\x1c")
_ENVELOPE: Final = re.compile(rb"(?:\xef\xbb\xbf)?(?:FHS|BHS|BTS|FTS)(?![A-Za-z0-9])")
_HEADER: Final = re.compile(rb"(?:\xef\xbb\xbf)?MSH(?![A-Za-z0-9])")
_BLANK: Final = b" \t\x00\xef\xbb\xbf"


def split_hl7v2(raw: bytes) -> Iterator[bytes]:
    """The messages of a file: framed by MLLP, in batches, or one after the other, with CR, LF or CRLF.

    What stands before a header is given as a message of its own, so that its translation refuses it by name.
    """
    start: int | None = None
    for found in _LINE.finditer(raw):
        line, at = found[0], found.start()
        if start is not None and _begins_anew(line):
            yield raw[start:at]
            start = None
        if start is None and _says_something(line):
            start = at
    if start is not None:
        yield raw[start:].rstrip(b"\x0b\x1c")


def _begins_anew(line: bytes) -> bool:
    return line in _FRAMES or _HEADER.match(line) is not None or _ENVELOPE.match(line) is not None


def _says_something(line: bytes) -> bool:
    return line not in _FRAMES and not _ENVELOPE.match(line) and bool(line.strip(_BLANK))
