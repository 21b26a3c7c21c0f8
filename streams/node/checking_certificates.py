"""Until when a certificate is good."""

from datetime import datetime
from pathlib import Path

from cryptography import x509


class CertificateError(ValueError):
    """A file that has no certificate."""


def ends_at(file: Path) -> datetime:
    """When the first certificate of a chain that ends, ends.

    Errors: CertificateError, OSError.
    """
    try:
        chain = x509.load_pem_x509_certificates(file.read_bytes())
    except ValueError:
        raise CertificateError(f"{file}: expected a PEM file of certificates") from None
    return min(one.not_valid_after_utc for one in chain)
