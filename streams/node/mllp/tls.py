"""TLS of the MLLP listener, and who the client is by its certificate.

Only what the authority signed and what is on the list of names is let in: a name is taken off a list at once.
"""

import ssl
from collections.abc import Collection, Mapping
from typing import Any, Final

from streams.node.mllp.settings import Counts, TlsSettings, Uncounted

_NO_CERTIFICATE: Final = "PEER_DID_NOT_RETURN_A_CERTIFICATE"


def tls_context(settings: TlsSettings, counts: Counts | None = None) -> ssl.SSLContext:
    """The context of a listener; with a client authority every client must show a certificate of it.

    `counts` is told of clients whose certificate is none of the authority's: they never become a connection.
    Errors: OSError, ssl.SSLError where a file cannot be read.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(settings.certificate, settings.key)
    if settings.client_authority is not None:
        context.load_verify_locations(settings.client_authority)
        context.verify_mode = ssl.CERT_REQUIRED
        context.sslobject_class = _counting(counts or Uncounted())
    return context


def _counting(counts: Counts) -> type[ssl.SSLObject]:
    class Counting(ssl.SSLObject):
        """Tells of refused certificates: asyncio gives a failed handshake to nobody."""

        def do_handshake(self) -> None:
            try:
                super().do_handshake()
            except ssl.SSLError as error:
                if isinstance(error, ssl.SSLCertVerificationError) or error.reason == _NO_CERTIFICATE:
                    counts.count("unknown_certificate")
                raise

    return Counting


def client_name(certificate: Mapping[str, Any] | None, allowed: Collection[str]) -> str | None:
    """The first name of a certificate that is on the list: its DNS names, then its common name.

    Shape: as `SSLObject.getpeercert` gives it. Names are compared without case, and told as the list has them.
    """
    listed = {name.casefold(): name for name in allowed}
    return next((listed[name.casefold()] for name in _names(certificate or {}) if name.casefold() in listed), None)


def _names(certificate: Mapping[str, Any]) -> list[str]:
    alternatives = [name for kind, name in certificate.get("subjectAltName", ()) if kind == "DNS"]
    parts = (part for relative in certificate.get("subject", ()) for part in relative)
    return alternatives + [value for kind, value in parts if kind == "commonName"]
