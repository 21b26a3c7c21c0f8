"""What a site sets of each receiver of notices."""

import base64
import binascii
from datetime import time
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Final, Literal, Self
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, StringConstraints, field_validator, model_validator

from schemas.intervals import Severity

Digest = Literal["daily", "at_once", "never"]
_LEAST_SECRET, _MOST_SECRET = 24, 64
"""Bytes, as the Standard Webhooks specification has them."""
PREFIX: Final = "whsec_"


class _Receiver(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    name: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_-]{0,62}$")]
    """Names its place in the outbox: under another name it begins anew."""
    severities: frozenset[Severity] = frozenset({"advisory", "warning", "critical"})
    """What it gets; `info` only if it is named here."""
    rules: tuple[Annotated[str, StringConstraints(pattern=r"^[A-Z][A-Z0-9-]*\*?$")], ...] = ()
    """Rules by id, or by how their ids begin (`HEP-*`); none: all."""
    shadow: bool = False
    """Also what shadow rules say."""
    record: bool = False
    """Also what a rule says for the record only."""
    digest: Digest = "daily"
    """What becomes of notices for the daily digest: one message a day, each at once, or nothing."""
    digest_at: time = time(7)
    """The local time of the digest."""
    begins: Literal["now", "beginning"] = "now"
    """Where a receiver that is new begins: with what is said from now on, or with all that the outbox has."""
    parallel: int = Field(default=8, ge=1, le=64)
    """Messages under way at a time."""
    retry_after: float = Field(default=1.0, gt=0, le=60)
    """Seconds until the first repetition; each further one takes twice as long."""
    retry_at_most: float = Field(default=60.0, ge=1, le=3_600)
    """Seconds between two repetitions."""

    @field_validator("digest_at")
    @classmethod
    def _local(cls, at: time) -> time:
        if at.tzinfo is not None:
            raise ValueError("expected a local time without an offset, e.g. 07:00")
        return at


class WebhookSettings(_Receiver):
    """A receiver that is sent signed HTTP requests (Standard Webhooks)."""

    kind: Literal["webhook"]
    url: str
    secret: SecretStr
    """`whsec_` and 24 to 64 bytes in base64."""
    former_secret: SecretStr | None = None
    """The one before, while the receiver changes over: both sign."""
    timeout: float = Field(default=10.0, gt=0, le=60)
    """Seconds that one request may take in all."""
    authorities: Path | None = None
    """Certificates that the receiver's is judged by; none: the usual ones."""
    proxy: str | None = None
    """The address of a proxy; the environment's are not used."""
    plain: bool = False
    """Patients' data may go over the network in the clear: only where something else protects it."""

    @field_validator("secret", "former_secret")
    @classmethod
    def _is_secret(cls, secret: SecretStr | None) -> SecretStr | None:
        if secret is not None and not _is_secret(secret.get_secret_value()):
            raise ValueError(f"expected {PREFIX} and {_LEAST_SECRET} to {_MOST_SECRET} bytes in base64")
        return secret

    @model_validator(mode="after")
    def _may_be_sent_to(self) -> Self:
        parts = urlsplit(self.url)
        if parts.scheme not in ("https", "http") or not parts.hostname or parts.username or parts.fragment:
            raise ValueError("url: expected https://HOST/PATH without a user name or fragment")
        if parts.scheme == "http" and not self.plain and not _is_loopback(parts.hostname):
            raise ValueError("url: http only to this machine; expected https, or plain = true where that is safe")
        return self


class FileSettings(_Receiver):
    """A receiver that is a file: a line of JSON a notice."""

    kind: Literal["file"]
    path: Path
    digest: Digest = "at_once"
    """As above; lines need no gathering."""
    parallel: int = Field(default=64, ge=1, le=256)
    """Lines that are made durable together."""

    @field_validator("path")
    @classmethod
    def _absolute(cls, path: Path) -> Path:
        if not path.is_absolute():
            raise ValueError("expected an absolute path")
        return path


ReceiverSettings = Annotated[WebhookSettings | FileSettings, Field(discriminator="kind")]


class DeliverySettings(BaseModel):
    """Every receiver, each under a name of its own."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    receivers: tuple[ReceiverSettings, ...] = ()

    @model_validator(mode="after")
    def _told_apart(self) -> Self:
        names = [receiver.name for receiver in self.receivers]
        if len(set(names)) < len(names):
            raise ValueError("two receivers of one name; expected a name for each")
        paths = [receiver.path for receiver in self.receivers if isinstance(receiver, FileSettings)]
        if len(set(paths)) < len(paths):
            raise ValueError("two receivers write one file; expected a file for each")
        return self


def accepted_at(kind: str | None) -> str:
    """What may stand in a receiver of a kind; without one, at the top of the file."""
    match kind:
        case "webhook":
            return ", ".join(WebhookSettings.model_fields)
        case "file":
            return ", ".join(FileSettings.model_fields)
        case _:
            return ", ".join(f"[[{name}]]" for name in DeliverySettings.model_fields)


def _is_secret(text: str) -> bool:
    if not text.startswith(PREFIX):
        return False
    try:
        key = base64.b64decode(text.removeprefix(PREFIX), validate=True)
    except binascii.Error:
        return False
    return _LEAST_SECRET <= len(key) <= _MOST_SECRET


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
