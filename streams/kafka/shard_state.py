"""The state of a partition while a transaction is under way, and what of it is charts.

Law: what a record changed is kept or taken back as a whole, and so is what a transaction changed.
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any, Final

import msgspec

from schemas.days import FOREVER, to_utc
from streams.kafka.work import State
from streams.people import Link

_CHART: Final = b"chart/"
_LINK: Final = b"link/"
_ERASURE: Final = b"erasure/"


class Kept:
    """A state, and over it what the transaction and the record under way have changed."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._transaction: dict[bytes, bytes | None] = {}
        self._record: dict[bytes, bytes | None] = {}

    def get(self, key: bytes) -> bytes | None:
        for layer in (self._record, self._transaction):
            if key in layer:
                return layer[key]
        return self._state.get(key)

    def put(self, key: bytes, value: bytes | None) -> None:
        """Set a value; None removes it. What is as it was is not written."""
        if self.get(key) != value:
            self._record[key] = value

    def scan(self, prefix: bytes) -> Iterator[tuple[bytes, bytes]]:
        """Every key that begins so, in order, and its value."""
        changed = {**self._transaction, **self._record}
        ours = {key: value for key, value in changed.items() if key.startswith(prefix)}
        if not ours:
            yield from self._state.scan(prefix)
            return
        found = dict(self._state.scan(prefix)) | ours
        yield from sorted((key, value) for key, value in found.items() if value is not None)

    @property
    def changes(self) -> Mapping[bytes, bytes | None]:
        """What the transaction has changed."""
        return self._transaction

    def keep_record(self) -> None:
        """What the record changed belongs to the transaction."""
        self._transaction.update(self._record)
        self._record.clear()

    def take_back_record(self) -> None:
        """As if the record had not come."""
        self._record.clear()

    def begin(self) -> None:
        """A new transaction: what the last one changed is in the state, or never will be."""
        self._transaction = {}
        self._record = {}


class _Page(msgspec.Struct, array_like=True, frozen=True):
    next_check_at: datetime | None
    decided_by: str
    page: bytes


_pages = msgspec.msgpack.Decoder(_Page)


class StatePages:
    """Charts in the state (streams.paged_charts.Pages)."""

    def __init__(self, kept: Kept) -> None:
        self._kept = kept

    def page(self, patient_id: str) -> tuple[bytes, str] | None:
        found = self._kept.get(_chart(patient_id))
        if found is None:
            return None
        page = _pages.decode(found)
        return page.page, page.decided_by

    def put_page(self, patient_id: str, next_check_at: datetime, decided_by: str, page: bytes) -> None:
        at = None if next_check_at == FOREVER else next_check_at
        self._kept.put(_chart(patient_id), msgspec.msgpack.encode(_Page(at, decided_by, page)))

    def remove_page(self, patient_id: str) -> None:
        self._kept.put(_chart(patient_id), None)

    def patients(self) -> Iterator[str]:
        return (_after(_CHART, key) for key, _ in self._kept.scan(_CHART))

    def checks(self) -> Iterator[tuple[str, datetime | None, str]]:
        """Who has a chart, when it is to be looked at again, and what decided it."""
        for key, value in self._kept.scan(_CHART):
            page = _pages.decode(value)
            yield _after(_CHART, key), page.next_check_at, page.decided_by


class StatePeople:
    """Links and erasures in the state."""

    def __init__(self, kept: Kept) -> None:
        self._kept = kept

    def links(self) -> Iterator[Link]:
        """Every link."""
        return (msgspec.msgpack.decode(value, type=Link) for _, value in self._kept.scan(_LINK))

    def put_link(self, link: Link) -> None:
        """Remember a link."""
        packed = msgspec.msgpack.encode(link)
        self._kept.put(_key(_LINK, link.retired, link.source, link.event_id, link.recorded_at.isoformat()), packed)

    def erasures(self) -> dict[str, frozenset[datetime]]:
        """Every erasure, by mark."""
        found: dict[str, set[datetime]] = {}
        for _, value in self._kept.scan(_ERASURE):
            mark, until = msgspec.msgpack.decode(value, type=tuple[str, datetime])
            found.setdefault(mark, set()).add(to_utc(until))
        return {mark: frozenset(instants) for mark, instants in found.items()}

    def put_erasures(self, erasures: Mapping[str, Iterable[datetime]]) -> None:
        """Remember erasures."""
        for mark, instants in erasures.items():
            for until in instants:
                self._kept.put(_key(_ERASURE, mark, until.isoformat()), msgspec.msgpack.encode((mark, until)))


# ---- by whoever reads the changelog


def chart_of(key: bytes) -> str | None:
    """Whose chart is under a key; None where it is no chart's."""
    return _after(_CHART, key) if key.startswith(_CHART) else None


def page_of(value: bytes) -> tuple[datetime | None, str, bytes]:
    """When a chart is to be looked at again, what decided it, and its bytes.

    Errors: msgspec.DecodeError.
    """
    page = _pages.decode(value)
    return page.next_check_at, page.decided_by, page.page


def link_of(key: bytes, value: bytes) -> Link | None:
    """The link under a key; None where it is no link's.

    Errors: msgspec.DecodeError.
    """
    return msgspec.msgpack.decode(value, type=Link) if key.startswith(_LINK) else None


def _chart(patient_id: str) -> bytes:
    return _CHART + patient_id.encode("utf-8", "surrogatepass")


def _after(prefix: bytes, key: bytes) -> str:
    return key[len(prefix) :].decode("utf-8", "surrogatepass")


def _key(prefix: bytes, *parts: Any) -> bytes:
    return prefix + "\x1f".join(map(str, parts)).encode("utf-8", "surrogatepass")
