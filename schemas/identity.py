"""Identities derived from content: the same facts give the same ids on every replay and every worker."""

import hashlib
from datetime import datetime
from functools import lru_cache
from typing import Final

from schemas.days import to_utc

_LENGTH: Final = 32
_SEPARATOR: Final = "\x1f"  # in no identifier that a feed sends


@lru_cache(maxsize=65_536)
def _hash(*parts: str) -> str:
    return hashlib.sha256(_SEPARATOR.join(parts).encode("utf-8", "surrogatepass")).hexdigest()[:_LENGTH]


def episode_id(source: str, record_id: str) -> str:
    """The identity of an episode: that of the record among its own that was recorded first."""
    return _hash(source, record_id)


def alert_id(patient_id: str, episode: str, rule_id: str) -> str:
    """The identity of an alert: one per patient, episode and rule."""
    return _hash(patient_id, episode, rule_id)


def notice_id(
    alert: str, sequence: int, transition: str, severity: str, effective_at: datetime, corrects: str | None
) -> str:
    """The identity of a notice; `decided_at` is no part of it."""
    return _hash(alert, str(sequence), transition, severity, to_utc(effective_at).isoformat(), corrects or "")
