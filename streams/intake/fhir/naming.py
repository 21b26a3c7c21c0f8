"""Names that come from content: the same content has the same name in every process."""

from hashlib import sha256
from typing import Final

_LONGEST_IDENTIFIER: Final = 256


def fit(name: str) -> str:
    """A name as an identifier; one that is too long is its hash."""
    return name if len(name) <= _LONGEST_IDENTIFIER else digest(name.encode())


def digest(content: bytes) -> str:
    """A short name of content: the same content has the same."""
    return sha256(content).hexdigest()[:32]
