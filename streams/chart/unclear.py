"""Results whose number cannot be used, and what clears them up.

Source: docs/intervals.md DQ-04. A chart in which every result converts keeps nothing here.
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Final

import msgspec

from schemas.definitions import Record, Records
from schemas.facts import Fact, Lab, RecordKey
from schemas.views import UnclearResult

_SETTLED: Final = frozenset({"final", "corrected"})


def unclear_results(record: Record) -> tuple[UnclearResult, ...]:
    """The unclear versions of a record: of those that follow one another the last, and when a clear one came."""
    found: list[UnclearResult] = []
    for fact, lab in _said(record):
        last = found[-1] if found else None
        still_open = last is not None and last.clarified_at is None
        if _is_unclear(lab):
            if still_open:
                found.pop()
            found.append(UnclearResult(fact))
        elif last is not None and still_open and lab.status in _SETTLED:
            found[-1] = msgspec.structs.replace(last, clarified_at=fact.recorded_at)
    return tuple(found)


def _said(record: Record) -> Iterator[tuple[Fact, Lab]]:
    """The live results with their numbers; a version that only finalises what was sent (OBX-11 U) has that number."""
    sent: Lab | None = None
    for fact in record.live:
        lab = fact.payload
        if not isinstance(lab, Lab):
            continue
        if lab.reported is None and lab.text is None and sent is not None and sent.analyte == lab.analyte:
            lab = msgspec.structs.replace(sent, status=lab.status, collected_at=lab.collected_at)
            fact = msgspec.structs.replace(fact, payload=lab)  # noqa: PLW2901 - the fact as it is to be read
        sent = lab
        yield fact, lab


def _is_unclear(lab: Lab) -> bool:
    """Final, a number without a comparator, and of no known unit or of no believable size."""
    judged = lab.status in _SETTLED and lab.comparator is None and lab.reported is not None
    return judged and (lab.value is None or not lab.plausible)


def _converts(fact: Fact | None, analyte: str) -> bool:
    lab = fact.payload if fact is not None else None
    return isinstance(lab, Lab) and lab.analyte == analyte and lab.value is not None and lab.plausible


def concerned(unclear: Mapping[RecordKey, tuple[UnclearResult, ...]], record: Record) -> bool:
    """A version of the record is of an analyte that has unclear results."""
    analytes = {v.payload.analyte for v in record.versions if isinstance(v.payload, Lab)}
    return bool(analytes) and any(_lab(u).analyte in analytes for found in unclear.values() for u in found)


def _lab(result: UnclearResult) -> Lab:
    payload = result.fact.payload
    if not isinstance(payload, Lab):
        raise TypeError(f"{type(payload).__name__} is no result")
    return payload


def with_next(found: Iterable[tuple[UnclearResult, ...]], by_group: Mapping[str, Records]) -> tuple[UnclearResult, ...]:
    """All unclear results by collection, each with the next result of its analyte that converts."""
    ordered = sorted((u for one in found for u in one), key=lambda u: (_lab(u).collected_at, u.fact.key, u.fact.rank))
    clear = {
        analyte: sorted(_collected(by_group.get(f"lab/{analyte}", ()), analyte))
        for analyte in {_lab(u).analyte for u in ordered}
    }
    return tuple(
        msgspec.structs.replace(u, next_at=next((c for c in clear[_lab(u).analyte] if c > _lab(u).collected_at), None))
        for u in ordered
    )


def _collected(found: Records, analyte: str) -> Iterator[datetime]:
    for record in found:
        winner = record.winner
        if winner is not None and isinstance(winner.payload, Lab) and _converts(winner, analyte):
            yield winner.payload.collected_at
