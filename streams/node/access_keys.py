"""API keys: made once, shown once, kept only as a hash.

Shape: `tbk_ID_SECRET`; the id finds the entry, the secret has 256 bits. A keyed hash of so many bits cannot be guessed
from the file, so that each request costs microseconds and not the tenth of a second that a password would need.
"""

import hashlib
import hmac
import os
import secrets
import time
import tomllib
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, StringConstraints, ValidationError, field_validator

from schemas.values import Identifier
from streams.node.access_settings import AccessError, Role

_PREFIX: Final = "tbk"
_ID_BYTES: Final = 6
_SECRET_BYTES: Final = 32
_SALT_BYTES: Final = 16
_LOOK_EVERY: Final = 1.0
"""Seconds between two looks at the file; a key that was taken out of it is refused after at most that."""

_Hex = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]+$", min_length=2, max_length=128)]


class KnownKey(BaseModel):
    """An entry of the file: whose key it is, what they may do, and the hash of its secret."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    id: _Hex
    name: Identifier
    roles: tuple[Role, ...]
    salt: _Hex
    hash: _Hex
    expires: datetime | None = None

    @field_validator("expires")
    @classmethod
    def _aware(cls, at: datetime | None) -> datetime | None:
        if at is not None and at.tzinfo is None:
            raise ValueError("expected an instant with an offset, e.g. 2027-01-31T00:00:00Z")
        return at


class _File(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    key: tuple[KnownKey, ...] = ()


_NOBODY: Final = KnownKey(id="00", name="nobody", roles=(), salt="00" * _SALT_BYTES, hash="00" * 32)
"""What an unknown id is compared with, so that it takes as long as a known one."""


def new_key(name: str, *roles: Role, expires: datetime | None = None) -> tuple[str, str]:
    """A new key, and its entry for the file.

    Errors: ValidationError for a name or role that no entry can have.
    """
    identity, secret = secrets.token_hex(_ID_BYTES), secrets.token_urlsafe(_SECRET_BYTES)
    salt = secrets.token_hex(_SALT_BYTES)
    known = KnownKey(id=identity, name=name, roles=roles, salt=salt, hash=_hash(salt, secret), expires=expires)
    return f"{_PREFIX}_{identity}_{secret}", _entry(known)


def append_entry(file: Path, entry: str) -> None:
    """Write an entry to the end of a file of keys; one that is made is its owner's alone.

    Errors: OSError; AccessError where the file is no file of keys.
    """
    if file.exists():
        _read(file)
    opened = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    with os.fdopen(opened, "ab") as out:
        out.write(f"\n{entry}".encode() if file.stat().st_size else entry.encode())
        out.flush()
        os.fsync(out.fileno())


def _entry(known: KnownKey) -> str:
    quoted = ", ".join(f'"{role}"' for role in known.roles)
    lines = [
        "[[key]]",
        f'id = "{known.id}"',
        f"name = {_quoted(known.name)}",
        f"roles = [{quoted}]",
        f'salt = "{known.salt}"',
        f'hash = "{known.hash}"',
    ]
    if known.expires:
        lines.append(f"expires = {known.expires.isoformat()}")
    return "\n".join(lines) + "\n"


def _quoted(text: str) -> str:
    """A TOML string: all but the plainest characters by their number."""
    return '"' + "".join(c if c.isalnum() or c in " -_.@:/" else f"\\U{ord(c):08x}" for c in text) + '"'


def _hash(salt: str, secret: str) -> str:
    return hmac.new(bytes.fromhex(salt), secret.encode("utf-8", "surrogatepass"), hashlib.sha256).hexdigest()


class KeyRing:
    """The keys of a file, read again when it changes.

    Topic: a file that cannot be read any more lets nobody in, and says so.
    Errors: AccessError at the first reading.
    """

    def __init__(self, path: Path, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._path = path
        self._now = now
        self._looked_at = 0.0
        self._stamp: tuple[int, int, int] | None = None
        self._known: dict[str, KnownKey] = {}
        self._look()

    def holder(self, credential: str) -> KnownKey | None:
        """Whose key this is; None if nobody's, or no longer."""
        self._look_again()
        prefix, _, rest = credential.partition("_")
        identity, _, secret = rest.partition("_")
        known = self._known.get(identity, _NOBODY)
        same = hmac.compare_digest(_hash(known.salt, secret), known.hash)
        if not same or known is _NOBODY or prefix != _PREFIX:
            return None
        return None if known.expires is not None and known.expires <= self._now() else known

    def expiries(self) -> list[datetime | None]:
        """When each key ends; None: never."""
        return [key.expires for key in self._known.values()]

    def _look_again(self) -> None:
        if time.monotonic() - self._looked_at < _LOOK_EVERY:
            return
        try:
            self._look()
        except AccessError:
            self._known = {}
            self._stamp = None

    def _look(self) -> None:
        self._looked_at = time.monotonic()
        try:
            found = self._path.stat()
            stamp = (found.st_ino, found.st_mtime_ns, found.st_size)
            if stamp != self._stamp:
                self._known = _read(self._path)
                self._stamp = stamp
        except OSError as error:
            raise AccessError(f"{self._path}: {error.strerror}; expected a TOML file of API keys") from None


def _read(path: Path) -> dict[str, KnownKey]:
    try:
        keys = _File.model_validate(tomllib.loads(path.read_text("utf-8"))).key
    except (UnicodeDecodeError, tomllib.TOMLDecodeError):
        raise AccessError(f"{path}: no TOML file of API keys") from None
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False, include_context=False)[0]
        raise AccessError(f"{path}: {'.'.join(map(str, first['loc']))}: {first['msg']}") from None
    known = {key.id: key for key in keys}
    if len(known) != len(keys):
        raise AccessError(f"{path}: two keys have the same id; expected each once")
    return known
