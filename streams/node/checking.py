"""Whether a node could be started as it is set: a line for each thing, and what to do where it could not.

Law: nothing is changed; the one file that is written, to see how fast the disk is, is gone afterwards.
"""

import contextlib
import socket
import ssl
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from alerting.rules import RULES
from schemas.rulepack import RulePackError
from schemas.tables import TableError
from streams.node.access import access_of, is_loopback, refuse_to_start
from streams.node.access_audit import MemoryAudit
from streams.node.access_settings import AccessError, AccessSettings
from streams.node.checking_certificates import CertificateError, ends_at
from streams.node.checking_folder import NotWellError, folder_checks
from streams.node.delivery_file import load_receivers
from streams.node.listening import AddressError, host_and_port
from streams.node.mllp import tls_context
from streams.node.starting import tls_of
from streams.paged_charts import decided_by
from streams.service import Service
from streams.settings import Asked, Settings, SettingsError, never_read
from streams.settings_node import LogSettings, NodeSettings

_TO_PUT_RIGHT: Final = (
    SettingsError,
    RulePackError,
    TableError,
    AccessError,
    AddressError,
    CertificateError,
    OSError,
)


@dataclass(frozen=True, slots=True)
class Found:
    """How one thing is."""

    what: str
    is_well: bool
    words: str

    def __str__(self) -> str:
        return f"{'ok' if self.is_well else 'failed':<7} {self.what}: {' '.join(self.words.split())}"


def check(asked: Asked) -> Iterator[Found]:
    """Look at each thing that a node needs; what rests on a thing that failed is not looked at."""
    settings = _looked("settings", lambda: _settings(asked))
    yield settings
    if not settings.is_well:
        return
    yield _looked("environment", _environment)
    node, access, service = asked.load(NodeSettings), asked.load(AccessSettings), Service(asked.load(Settings))
    pack = _looked("rule pack", lambda: _rule_pack(service))
    yield pack
    yield _looked("access", lambda: _access(node, access))
    yield _looked("receivers", lambda: _receivers(node))
    yield _looked("HTTP", lambda: _http(node))
    yield _looked("MLLP", lambda: _mllp(node))
    decides = decided_by(service.monitor) if pack.is_well else None
    for what, look in folder_checks(node.data, decides):
        yield _looked(what, look)


def _looked(what: str, look: Callable[[], str]) -> Found:
    try:
        return Found(what, is_well=True, words=look())
    except NotWellError as error:
        return Found(what, is_well=False, words=str(error))
    except _TO_PUT_RIGHT as error:
        return Found(what, is_well=False, words=str(error))


# ---- what is set


def _settings(asked: Asked) -> str:
    site = asked.load(Settings)
    for kind in (NodeSettings, AccessSettings, LogSettings):
        asked.load(kind)
    return f"time zone {site.time_zone}, file {asked.config or 'none'}"


def _environment() -> str:
    names = never_read()
    if names:
        raise NotWellError(f"{', '.join(names)}: no such setting; write its name as docs/operation.md has it")
    return "every TRABECULA_ name is a setting"


def _rule_pack(service: Service) -> str:
    pack = service.monitor.pack
    changed = f", overridden by {service.settings.rules}" if service.settings.rules else ""
    return f"version {pack.version}, {len(RULES)} rules, sha256 {pack.sha256[:12]}{changed}"


# ---- who comes in, and who is told


def _access(node: NodeSettings, settings: AccessSettings) -> str:
    access = access_of(settings, MemoryAudit())
    refuse_to_start(host_and_port(node.http)[0], access)
    if not access.is_set:
        return "nobody is asked who they are; this machine only"
    keys = "" if access.keys is None else f"{_keys(access.keys.expiries())} in {settings.keys}"
    tokens = f"tokens of {settings.oidc_issuer}" if settings.oidc_issuer else ""
    return ", ".join(filter(None, (keys, tokens)))


def _keys(expiries: list[datetime | None]) -> str:
    now = datetime.now(UTC)
    ended = sum(1 for at in expiries if at is not None and at <= now)
    if len(expiries) == ended:
        raise NotWellError("no key in the file is good; make one with trabecula keys new")
    return f"{len(expiries)} keys" + (f" ({ended} ended)" if ended else "")


def _receivers(node: NodeSettings) -> str:
    if node.receivers is None:
        return "none; notices are only shown"
    found = load_receivers(node.receivers).receivers
    return ", ".join(f"{each.name} ({each.kind})" for each in found) or f"none in {node.receivers}"


# ---- where it listens


def _http(node: NodeSettings) -> str:
    secured = "in the clear"
    if node.http_certificate is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        _loaded(lambda: context.load_cert_chain(node.http_certificate or "", node.http_key), node.http_certificate)
        secured = f"TLS, {_good_until(node.http_certificate)}"
    return f"{_free(node.http)}, {secured}"


def _mllp(node: NodeSettings) -> str:
    tls = tls_of(node)
    host, _ = host_and_port(node.mllp)
    if not is_loopback(host) and not node.mllp_authority:
        raise NotWellError(
            f"{node.mllp} can be reached from other machines: set --mllp-certificate, --mllp-key, --mllp-authority "
            "and --mllp-client, or listen on 127.0.0.1"
        )
    if tls is None:
        return f"{_free(node.mllp)}, in the clear"
    _loaded(lambda: tls_context(tls), tls.certificate)
    clients = f", {len(node.mllp_client)} clients" if node.mllp_client else ""
    return f"{_free(node.mllp)}, TLS, {_good_until(tls.certificate)}{clients}"


def _loaded(load: Callable[[], object], certificate: Path | None) -> None:
    try:
        load()
    except ssl.SSLError as error:
        raise NotWellError(
            f"{certificate}: {error.reason or 'not readable'}; expected PEM files of a certificate and of its key"
        ) from None


def _good_until(certificate: Path) -> str:
    ends = ends_at(certificate)
    if ends <= datetime.now(UTC):
        raise NotWellError(f"{certificate} ended on {ends:%Y-%m-%d}; have a new one made")
    return f"good until {ends:%Y-%m-%d}"


def _free(address: str) -> str:
    host, port = host_and_port(address)
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        with contextlib.closing(socket.socket(found[0], found[1])) as listening:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listening.bind(found[4])
    except OSError as error:
        raise NotWellError(f"{address}: {error.strerror}; stop what listens there, or name another address") from None
    return f"{address} is free"
