"""The winning versions of a group, ordered in clinical time; results of one analyte among them."""

from datetime import datetime

import msgspec

from schemas.definitions import Definition, Reader, Record, records
from schemas.facts import Fact, Lab, Person, clinical_time
from schemas.views import labs, winners
from streams.chart.groups import group


def _when(fact: Fact) -> tuple[datetime, tuple[str, str]]:
    return (clinical_time(fact.payload) or fact.recorded_at, fact.key)


def winners_of(name: str) -> Definition[tuple[Fact, ...]]:
    """The definition of the winners of a group."""
    source = records(name)

    def derive(chart: Reader) -> tuple[Fact, ...]:
        found = chart[source]
        if len(found) == 1:
            return tuple(f for f in (_first_to_say_so(found[0]),) if f is not None and group(f.payload) == name)
        said = (r.winner for r in found)
        return tuple(sorted((f for f in said if f is not None and group(f.payload) == name), key=_when))

    return Definition(winners(name), (source,), derive)


def _first_to_say_so(record: Record) -> Fact | None:
    """The winner; of a person the first of the versions that say the same: most updates of patients say nothing new."""
    found = record.winner
    if found is None or not isinstance(found.payload, Person):
        return found
    for earlier in reversed(record.live):
        if earlier.payload != found.payload:
            break
        found = earlier
    return found


def _result(record: Record) -> Fact | None:
    """The winner, with the value of an earlier version where it only finalises what was sent (OBX-11 U)."""
    fact = record.winner
    if fact is None or not isinstance(fact.payload, Lab):
        return None
    lab = fact.payload
    if lab.reported is not None or lab.text is not None:
        return fact
    for earlier in reversed(record.live):
        sent = earlier.payload
        if (
            isinstance(sent, Lab)
            and sent.analyte == lab.analyte
            and (sent.reported is not None or sent.text is not None)
        ):
            filled = msgspec.structs.replace(sent, status=lab.status, collected_at=lab.collected_at)
            return msgspec.structs.replace(fact, payload=filled)
    return None


def _usable(lab: Lab) -> bool:
    """A value in a known unit and of a believable size, or a text."""
    return lab.plausible and (lab.value is not None or lab.text is not None)


def labs_of(analyte: str) -> Definition[tuple[Fact, ...]]:
    """The definition of the results of an analyte."""
    source = records(f"lab/{analyte}")

    def derive(chart: Reader) -> tuple[Fact, ...]:
        found = [f for r in chart[source] if (f := _result(r)) is not None]
        kept = [f for f in found if isinstance(f.payload, Lab) and f.payload.analyte == analyte and _usable(f.payload)]
        return tuple(sorted(kept, key=_when))

    return Definition(labs(analyte), (source,), derive)
