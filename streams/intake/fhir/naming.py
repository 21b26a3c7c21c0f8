"""Names that come from content: the same content has the same name in every process."""

from collections.abc import Mapping
from hashlib import sha256
from typing import Any, Final

import msgspec

_LONGEST_IDENTIFIER: Final = 256
_sorted = msgspec.json.Encoder(decimal_format="number", order="sorted")


def fit(name: str) -> str:
    """A name as an identifier; one that is too long is its hash."""
    return name if len(name) <= _LONGEST_IDENTIFIER else digest(name.encode())


def digest(content: bytes) -> str:
    """A short name of content: the same content has the same."""
    return sha256(content).hexdigest()[:32]


def encoded(content: Mapping[str, Any]) -> bytes | None:
    """The bytes of a resource, whatever the order of its fields; None of what is nested too deeply or no JSON."""
    try:
        return _sorted.encode(content)
    except (RecursionError, UnicodeError, TypeError, ValueError, OverflowError):
        return None


def record_name(content: Mapping[str, Any]) -> str | None:
    """The name under which a resource is kept; None of what is no JSON."""
    raw = encoded(content)
    return None if raw is None else record_id_of(str(content.get("resourceType")), content, raw)


def record_id_of(kind: str, content: Mapping[str, Any], raw: bytes) -> str:
    """`Type/ID`; without an id the first identifier, and without any a hash of the content."""
    if isinstance(own := content.get("id"), str) and own:
        return fit(f"{kind}/{own}")
    given = content.get("identifier")
    for each in given if isinstance(given, list) else []:
        if isinstance(each, dict) and isinstance(value := each.get("value"), str) and value:
            return fit(f"{kind}/{value}")
    return f"{kind}/{digest(raw)}"
