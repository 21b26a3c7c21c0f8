"""A chart as bytes: facts and memory, nothing derived.

Strings that repeat (origins, sources) stand once; a UUID in its usual spelling takes 16 bytes.
"""

import re
import uuid
from collections.abc import Iterable
from datetime import datetime
from typing import Any, Final

import msgspec

from schemas.alerts import Told
from schemas.facts import Fact, Payload

VERSION: Final = 1

_UUID: Final = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\Z")


class _Row(msgspec.Struct, frozen=True, array_like=True):
    origin: int
    source: int
    record: Any  # str, or the 16 bytes of a UUID: a union that msgspec cannot name
    event: Any
    recorded_at: datetime
    payload: Payload
    history: bool = False
    moved_to: str | None = None


class _Page(msgspec.Struct, frozen=True, array_like=True):
    version: int
    patient_id: str
    names: tuple[str, ...]
    rows: tuple[_Row, ...]
    told: tuple[Told, ...]
    next_check_at: datetime | None = None


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(_Page)


class ChartBytesError(ValueError):
    """Bytes that are no chart, or one of a version that this service does not know."""


def _packed(name: str) -> str | bytes:
    return uuid.UUID(name).bytes if _UUID.match(name) else name


def _unpacked(name: Any) -> str:
    return str(uuid.UUID(bytes=name)) if isinstance(name, bytes) else str(name)


class Page(msgspec.Struct, frozen=True):
    """What a chart keeps."""

    patient_id: str
    facts: tuple[Fact, ...]
    told: dict[str, Told]
    next_check_at: datetime | None = None


def encode(patient_id: str, facts: Iterable[Fact], told: Iterable[Told], next_check_at: datetime | None) -> bytes:
    """The bytes of a chart."""
    kept = list(facts)
    names = {name: i for i, name in enumerate(dict.fromkeys(n for f in kept for n in (f.origin, f.source)))}
    rows = tuple(
        _Row(
            names[f.origin],
            names[f.source],
            _packed(f.record_id),
            _packed(f.event_id),
            f.recorded_at,
            f.payload,
            f.history,
            f.moved_to,
        )
        for f in kept
    )
    return _encoder.encode(_Page(VERSION, patient_id, tuple(names), rows, tuple(told), next_check_at))


def decode(given: bytes) -> Page:
    """What a chart's bytes keep.

    Errors: ChartBytesError.
    """
    try:
        page = _decoder.decode(given)
    except msgspec.DecodeError as error:
        raise ChartBytesError(str(error)) from None
    if page.version != VERSION:
        raise ChartBytesError(f"chart version {page.version}; this service reads {VERSION}")
    facts = tuple(
        Fact(
            page.names[r.origin],
            page.names[r.source],
            _unpacked(r.record),
            _unpacked(r.event),
            r.recorded_at,
            r.payload,
            r.history,
            r.moved_to,
        )
        for r in page.rows
    )
    return Page(page.patient_id, facts, {t.alert_id: t for t in page.told}, page.next_check_at)
