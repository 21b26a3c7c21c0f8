"""The log of a node replayed: whether its charts, its alerts and what it told are what its events say.

Law: the log alone, each event at the instant at which it was decided, gives the charts and the alerts of the node.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from schemas.alerts import Notice
from schemas.days import to_utc
from schemas.events import EVENT, AnyEvent
from schemas.wire import decode
from streams.monitor import Monitor
from streams.node.store import Store
from streams.replay import History
from streams.ward import MemoryCharts, Ward


@dataclass(frozen=True, slots=True)
class Replayed:
    """A ward in memory that has lived through the log, and what it told on the way."""

    ward: Ward
    notices: tuple[Notice, ...]


def logged(store: Store) -> Iterator[tuple[datetime, AnyEvent]]:
    """The events of the log, in the order in which they were taken, and when each was decided."""
    for at, body in store.rows.log():
        yield at, EVENT.validate_python(decode(body))


def replay_log(store: Store, monitor: Monitor, until: datetime) -> Replayed:
    """Live through the log again, and let the clock run to an instant.

    Topic: erasures are known from the start, for the log has nothing of what they took out.
    """
    ward = Ward(monitor, MemoryCharts(), store.mark)
    history = History(ward)
    ward.erasures = store.rows.erasures()
    told: list[Notice] = []
    for at, event in logged(store):
        told += history.told(list(ward.advance(at)))
        told += history.of_event(event, ward.receive(event, at), at)
    told += history.told(list(ward.advance(to_utc(until))))
    return Replayed(ward, tuple(told))
