"""Who may do what: roles, who somebody is, and which route needs which role.

Topic: whoever is not in a table gets nothing: a route without a line in `NEEDS` is refused to everybody.

AccessError               settings of access that cannot be used
NotAuthenticatedError     nobody, or nobody known
"""

import base64
import binascii
import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal, get_args

from streams.node.access_audit import AuditSink
from streams.node.access_keys import KeyRing
from streams.node.access_settings import AccessError, AccessSettings, Role
from streams.node.access_tokens import TokenJudge, judge_of

ROLES: Final[frozenset[Role]] = frozenset(get_args(Role))
How = Literal["key", "token", "loopback"]
Needs = frozenset[Role] | None
"""The roles of which one is enough; None: open to everybody."""

_FEED: Final[Needs] = frozenset({"feed"})
_CLINICIAN: Final[Needs] = frozenset({"clinician"})
_SEES_RAW: Final[Needs] = frozenset({"clinician", "auditor"})
_OPERATOR: Final[Needs] = frozenset({"operator"})

NEEDS: Final[Mapping[tuple[str, str], Needs]] = {
    ("POST", "/v1/events"): _FEED,
    ("POST", "/fhir"): _FEED,
    ("POST", "/fhir/"): _FEED,
    ("POST", "/fhir/{type}"): _FEED,
    ("PUT", "/fhir/{type}/{id}"): _FEED,
    ("DELETE", "/fhir/{type}/{id}"): _FEED,
    ("POST", "/hl7v2"): _FEED,
    ("GET", "/v1/alerts"): _CLINICIAN,
    ("GET", "/v1/alerts/{alert_id}"): _CLINICIAN,
    ("POST", "/v1/alerts/{alert_id}/responses"): _CLINICIAN,
    ("GET", "/v1/patients/{patient_id}"): _CLINICIAN,
    ("GET", "/v1/patients/{patient_id}/timeline"): _CLINICIAN,
    ("GET", "/v1/patients/{patient_id}/explain"): _CLINICIAN,
    ("GET", "/v1/notices"): _CLINICIAN,
    ("GET", "/v1/messages"): _SEES_RAW,
    ("GET", "/fhir/DetectedIssue"): _CLINICIAN,
    ("GET", "/fhir/DetectedIssue/{alert_id}"): _CLINICIAN,
    ("GET", "/cds-services"): _CLINICIAN,
    ("POST", "/cds-services/trabecula-patient-view"): _CLINICIAN,
    ("POST", "/cds-services/trabecula-patient-view/feedback"): _CLINICIAN,
    ("GET", "/fhir/metadata"): None,
    ("GET", "/"): _CLINICIAN,
    ("GET", "/alerts/{alert_id}"): _CLINICIAN,
    ("POST", "/alerts/{alert_id}"): _CLINICIAN,
    ("GET", "/messages"): _SEES_RAW,
    ("GET", "/patients"): _CLINICIAN,
    ("GET", "/patients/{patient_id}"): _CLINICIAN,
    ("GET", "/metrics"): _OPERATOR,
    ("GET", "/v1/sources"): _OPERATOR,
    ("POST", "/v1/sources/{source}/live"): _OPERATOR,
    ("GET", "/v1/dead-letters"): _OPERATOR,
    ("GET", "/v1/dead-letters/{letter_id}"): _OPERATOR,
    ("POST", "/v1/dead-letters/{letter_id}/redrive"): _OPERATOR,
    ("GET", "/v1/receivers"): _OPERATOR,
    ("GET", "/v1/receivers/{receiver}/refused"): _OPERATOR,
    ("POST", "/v1/receivers/{receiver}/redrive"): _OPERATOR,
    ("GET", "/healthz"): None,
    ("GET", "/readyz"): None,
    ("GET", "/docs"): None,
    ("GET", "/openapi.json"): None,
    ("GET", "/static/{name}"): None,
}
"""By method and route. HEAD is as GET."""

_SCHEMES: Final = frozenset({"bearer", "basic"})
_LONGEST_CREDENTIAL: Final = 16_384


class NotAuthenticatedError(Exception):
    """No credential, or none that is known. The message says what would be accepted, never what was sent."""


@dataclass(frozen=True, slots=True)
class Principal:
    """Somebody whose identity is known. `expires_at`: when the credential ends, if it does."""

    subject: str
    roles: frozenset[Role]
    how: How
    expires_at: datetime | None = None

    def may(self, method: str, route: str) -> bool:
        """Whether one of the roles is enough for a route."""
        needs = needed(method, route)
        return needs is None or not self.roles.isdisjoint(needs)


LOCAL: Final = Principal("local", ROLES, "loopback")
"""Whoever sits at the machine, where nothing is set."""


def needed(method: str, route: str) -> Needs:
    """The roles of which a route needs one; nobody's where it is in no table."""
    return NEEDS.get(("GET" if method == "HEAD" else method, route), frozenset())


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach a host."""
    name = host.strip("[]").partition("%")[0].lower()
    try:
        address = ipaddress.ip_address(name)
    except ValueError:
        return name == "localhost"
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return (mapped or address).is_loopback


class Access:
    """Tells who somebody is by a credential in a header."""

    def __init__(self, keys: KeyRing | None, tokens: TokenJudge | None, audit: AuditSink) -> None:
        self.keys = keys
        self.tokens = tokens
        self.audit = audit

    @property
    def is_set(self) -> bool:
        """Whether anybody has to say who they are."""
        return self.keys is not None or self.tokens is not None

    async def principal(self, authorization: str | None) -> Principal:
        """Whose credential this is.

        Errors: NotAuthenticatedError.
        """
        if not self.is_set:
            return LOCAL
        credential = _credential(authorization)
        known = self.keys.holder(credential) if self.keys else None
        if known is not None:
            return Principal(known.name, frozenset(known.roles), "key", known.expires)
        token = await self.tokens.judge(credential) if self.tokens else None
        if token is not None:
            return Principal(token.subject, token.roles, "token", token.expires_at)
        raise NotAuthenticatedError("the credential is unknown, has ended or was revoked")


def access_of(settings: AccessSettings, audit: AuditSink) -> Access:
    """The access that settings ask for.

    Errors: AccessError names the setting or the file, and what would be accepted.
    """
    keys = KeyRing(settings.keys) if settings.keys else None
    return Access(keys, judge_of(settings), audit)


def refuse_to_start(host: str, access: Access) -> None:
    """Listen beyond this machine only where everybody says who they are.

    Errors: AccessError says how to set it.
    """
    if access.is_set or is_loopback(host):
        return
    raise AccessError(
        f"{host or 'every address'} can be reached from other machines, and nobody is asked who they are. Set "
        "TRABECULA_KEYS to a file of API keys, or TRABECULA_OIDC_ISSUER, TRABECULA_OIDC_AUDIENCE and "
        "TRABECULA_OIDC_KEYS for bearer tokens; to try it out, listen on 127.0.0.1"
    )


def _credential(authorization: str | None) -> str:
    """The bearer credential, or the password of Basic (a browser has no other way to send a key)."""
    scheme, _, said = (authorization or "").partition(" ")
    said = said.strip()
    if scheme.lower() not in _SCHEMES or not said or len(said) > _LONGEST_CREDENTIAL:
        raise NotAuthenticatedError("expected the header Authorization: Bearer, with an API key or a token")
    return said if scheme.lower() == "bearer" else _password(said)


def _password(said: str) -> str:
    try:
        name_and_password = base64.b64decode(said, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError, ValueError):
        raise NotAuthenticatedError("expected the header Authorization: Basic, with a key as password") from None
    return name_and_password.partition(":")[2]
