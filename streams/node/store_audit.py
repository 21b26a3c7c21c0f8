"""The audit as it lies in the store: each line's hash is made of the hash before it and the line itself.

Law: no line can be changed, put between or taken out without every later hash being wrong.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import apsw

from schemas.wire import decode
from streams.node.store_folder import FILE

_CHAIN: Final = "SELECT ordinal, CAST(line AS BLOB), CAST(hash AS BLOB) FROM audit ORDER BY ordinal"


@dataclass(frozen=True, slots=True)
class AuditLine:
    """One line; `said` has `at` and what the writer gave."""

    ordinal: int
    said: dict[str, Any]
    hash: str


@dataclass(frozen=True, slots=True)
class Verified:
    """What a verification found: the lines in order, and the first that is not what was written."""

    lines: int
    last_hash: str
    broken_at: int | None = None


def chained(before: bytes, line: bytes) -> bytes:
    """The hash of a line after another."""
    return hashlib.sha256(before + line).digest()


def lines(db: apsw.Connection, after: int, limit: int) -> list[AuditLine]:
    """Lines in order."""
    sql = "SELECT ordinal, line, hash FROM audit WHERE ordinal > ? ORDER BY ordinal LIMIT ?"
    return [AuditLine(ordinal, decode(line), made.hex()) for ordinal, line, made in db.execute(sql, (after, limit))]


def verify(folder: Path) -> Verified:
    """Go through the audit of a folder, whether a node works in it or not.

    Topic: whoever has written down a last hash also sees that lines were taken off the end.
    """
    db = apsw.Connection(str(folder / FILE), flags=apsw.SQLITE_OPEN_READONLY)
    try:
        db.set_busy_timeout(10_000)
        return verify_chain(db)
    finally:
        db.close()


def verify_chain(db: apsw.Connection) -> Verified:
    """Go through the audit of a store."""
    before, count = b"", 0
    for ordinal, line, made in db.execute(_CHAIN):
        if ordinal != count + 1 or chained(before, line) != made:
            return Verified(count, before.hex(), broken_at=ordinal)
        before, count = made, count + 1
    return Verified(count, before.hex())


def place_of(folder: Path, noted: str) -> int | None:
    """The number of the line whose hash somebody noted; None if no line has it."""
    db = apsw.Connection(str(folder / FILE), flags=apsw.SQLITE_OPEN_READONLY)
    try:
        row = db.execute("SELECT ordinal FROM audit WHERE lower(hex(hash)) = ?", (noted.lower(),)).fetchone()
        return None if row is None else int(row[0])
    finally:
        db.close()
