"""Bytes to text, by the character set that the message declares.

Source: HL7 v2.5.1 chapter 2.15.9.18 (MSH-18), table 0211.
"""

import re
from typing import Final

from streams.intake.hl7v2.untranslatable import UntranslatableError

_FOUR_BYTES: Final = (b"\xff\xfe", b"\xfe\xff")  # byte order marks of UTF-16 and UTF-32
_ISO_8859: Final = re.compile(r"8859/([1-9]|1[013-5])")  # there is no part 12
_UTF_8: Final = frozenset({"UNICODE UTF-8", "UTF-8"})
_CHARSET_FIELD: Final = 17  # MSH-18, as MSH-1 is the separator itself


def decode(raw: bytes) -> tuple[str, str, bool]:
    """The text, the codec that read it, and whether the declared set did not cover it (`charset_fallback`).

    Errors: UntranslatableError where the bytes are no text of that set, or hold a NUL.
    """
    if raw.startswith(_FOUR_BYTES):
        raise UntranslatableError("UTF-16 or UTF-32; accepted: UTF-8, ASCII, 8859/1 to 8859/15", "MSH[1]-18")
    raw = raw.removeprefix(b"\xef\xbb\xbf").strip(b"\x00\x0b\x1c \r\n\t")
    if b"\x00" in raw:
        raise UntranslatableError("a NUL byte inside the message; accepted: text", "MSH[1]")
    declared = _declared(raw)
    codec, known = _codec(declared)
    return _text(raw, codec), codec, not known and not (declared in ("", "ASCII") and raw.isascii())


def _declared(raw: bytes) -> str:
    header = re.split(rb"[\r\n]", raw[:4096], maxsplit=1)[0]
    fields = header.split(header[3:4] or b"|")
    name = fields[_CHARSET_FIELD] if len(fields) > _CHARSET_FIELD else b""
    separator = header[5:6] or b"~"
    return name.split(separator, 1)[0].decode("ascii", "replace").strip().upper()


def _codec(declared: str) -> tuple[str, bool]:
    part = _ISO_8859.fullmatch(declared)
    return (f"iso8859-{part[1]}", True) if part else ("utf-8", declared in _UTF_8)


def _text(raw: bytes, codec: str) -> str:
    try:
        return raw.decode(codec)
    except UnicodeDecodeError as error:
        raise UntranslatableError(
            f"byte {error.start} is no {codec} text; accepted: text in the character set that MSH-18 declares "
            "(ASCII, UNICODE UTF-8, 8859/1 to 8859/15)",
            "MSH[1]-18",
        ) from None
