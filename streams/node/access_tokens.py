"""Bearer tokens of an OpenID Connect issuer: signature, issuer, audience, times, roles.

Source: RFC 7519 (JWT), RFC 8725 (best practice: algorithms by allow-list, issuer and audience always compared).
"""

import asyncio
import json
import time
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, cast, get_args
from urllib.parse import urlsplit

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import GuestProtocol, Key, KeySet, KeySetSerialization

from streams.node.access_settings import AccessError, AccessSettings, Role

_READ_AGAIN: Final = 3_600.0
"""Seconds after which the issuer's keys are read again, so that a key that it withdrew ends here too."""
_NOT_BEFORE: Final = 60.0
"""Seconds between two readings, whatever key ids tokens name."""
_ANSWER_WITHIN: Final = 10.0
_LARGEST_JWKS: Final = 1 << 20
_LONGEST_SUBJECT: Final = 256


class _Unmoved(urllib.request.HTTPRedirectHandler):
    """Follows nobody: a redirection could lead from https to an open line."""

    def redirect_request(self, *_: Any, **__: Any) -> None:
        return None


_OPENER: Final = urllib.request.build_opener(_Unmoved)


@dataclass(frozen=True, slots=True)
class Token:
    """What a token says, once it is believed."""

    subject: str
    roles: frozenset[Role]
    expires_at: datetime


class _UnknownKeyError(Exception):
    """The token names a key that was not there at the last reading."""


class IssuerKeys:
    """The issuer's public keys.

    Errors: AccessError where they cannot be read.
    """

    def __init__(self, place: str) -> None:
        self._place = place
        self._keys: KeySet | None = None
        self._read_at = float("-inf")
        self._lock = asyncio.Lock()

    async def current(self, *, anew: bool = False) -> KeySet | None:
        """The keys; read again where that is due. None where they never could be read."""
        async with self._lock:
            age = time.monotonic() - self._read_at
            if age > (_NOT_BEFORE if anew or self._keys is None else _READ_AGAIN):
                self._read_at = time.monotonic()
                try:
                    self._keys = await asyncio.to_thread(self.read)
                except AccessError:  # the last ones stay: an issuer that is down for an hour locks nobody out
                    return self._keys
            return self._keys

    def read(self) -> KeySet:
        """Read them now."""
        try:
            content = self._fetched() if _is_address(self._place) else Path(self._place).read_bytes()
            return KeySet.import_key_set(cast("KeySetSerialization", json.loads(content)))
        except (OSError, ValueError, KeyError, TypeError, JoseError):
            raise AccessError(f"oidc_keys: {self._place} cannot be read; expected a JWKS with public keys") from None

    def _fetched(self) -> bytes:
        with _OPENER.open(self._place, timeout=_ANSWER_WITHIN) as answer:
            return bytes(answer.read(_LARGEST_JWKS))


class TokenJudge:
    """Believes tokens of one issuer for one audience."""

    def __init__(
        self, settings: AccessSettings, keys: IssuerKeys, now: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._settings = settings
        self._keys = keys
        self._claims = jwt.JWTClaimsRegistry(
            now=lambda: int(now().timestamp()),
            leeway=settings.oidc_leeway,
            iss={"essential": True, "value": settings.oidc_issuer or ""},
            aud={"essential": True, "value": settings.oidc_audience or ""},
            exp={"essential": True},
        )

    async def judge(self, credential: str) -> Token | None:
        """What a token says; None if it is not to be believed."""
        keys = await self._keys.current()
        try:
            return self._judged(credential, keys)
        except _UnknownKeyError:
            keys = await self._keys.current(anew=True)
        try:
            return self._judged(credential, keys)
        except _UnknownKeyError:
            return None

    def _judged(self, credential: str, keys: KeySet | None) -> Token | None:
        if keys is None:
            return None

        def key(guest: GuestProtocol) -> Key:
            return _named(keys, guest.headers().get("kid"))

        try:
            claims = jwt.decode(credential, key, algorithms=self._settings.oidc_algorithms).claims
            self._claims.validate(claims)
            return self._token(claims)
        except (JoseError, ValueError, TypeError, OverflowError, RecursionError):
            return None

    def _token(self, claims: Mapping[str, Any]) -> Token | None:
        subject = claims.get(self._settings.oidc_subject)
        if not isinstance(subject, str) or not 0 < len(subject) <= _LONGEST_SUBJECT:
            return None
        return Token(subject, self._roles(claims), datetime.fromtimestamp(claims["exp"], UTC))

    def _roles(self, claims: Mapping[str, Any]) -> frozenset[Role]:
        found: Any = claims
        for part in self._settings.oidc_roles.split("."):
            found = found.get(part) if isinstance(found, Mapping) else None
        names = found if isinstance(found, list) else [found]
        meaning: Mapping[str, Role] = self._settings.oidc_role_names or {role: role for role in get_args(Role)}
        return frozenset(meaning[name] for name in names if isinstance(name, str) and name in meaning)


def _named(keys: KeySet, kid: object) -> Key:
    if kid is None and len(keys.keys) == 1:
        return keys.keys[0]
    for each in keys.keys:
        if each.kid == kid:
            return each
    raise _UnknownKeyError


def _is_address(place: str) -> bool:
    return urlsplit(place).scheme in {"http", "https"}


def judge_of(settings: AccessSettings) -> TokenJudge | None:
    """The judge that settings ask for, if they do.

    Errors: AccessError for keys that come over an open line, or a file that holds none.
    """
    if settings.oidc_keys is None:
        return None
    parts = urlsplit(settings.oidc_keys)
    if parts.scheme == "http" and parts.hostname not in {"localhost", "127.0.0.1", "::1"}:
        raise AccessError("oidc_keys: keys that come over http can be exchanged on the way; expected https or a file")
    keys = IssuerKeys(settings.oidc_keys)
    if not _is_address(settings.oidc_keys):
        keys.read()
    return TokenJudge(settings, keys)
