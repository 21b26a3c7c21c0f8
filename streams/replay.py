"""Offline: the events of files through the monitor, in the order of their recording or as given."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime

from schemas.alerts import Alert, Notice
from schemas.days import to_utc
from schemas.events import AnyEvent
from schemas.intervals import SEVERITIES
from streams.ward import AHEAD, Ward

_BEGINNING = datetime(1, 1, 1, tzinfo=UTC)


_ENDS = frozenset({"resolved", "withdrawn", "superseded", "transferred"})


@dataclass(slots=True)
class History:
    """Sources that still load old data: what is decided of their patients is told to nobody.

    Topic: a source goes live with its first event that is not history; then what stands is told, critical first, and
    what had been told before and has ended meanwhile.
    """

    loading: dict[str, set[str]] = field(default_factory=dict)
    """Patients by source."""
    withheld: dict[str, Notice] = field(default_factory=dict)
    """The latest untold notice by alert_id."""
    standing: set[str] = field(default_factory=set)
    """The alerts that somebody was told of and has not been told the end of."""

    def sees(self, event: AnyEvent) -> list[Notice]:
        """Take note of an event; returns the digest if it is the first live one of its source."""
        if event.history:
            self.loading.setdefault(event.source, set()).add(event.patient_id)
            return []
        return self.live(event.source)

    def live(self, source: str) -> list[Notice]:
        """The digest of a source that has loaded its old data; nothing if it was live."""
        released = self.loading.pop(source, None)
        return list(map(self._note, self._digest(released))) if released else []

    def told(self, notices: Iterable[Notice]) -> Iterator[Notice]:
        """The notices that are told now; the others are withheld."""
        for notice in notices:
            if any(notice.patient_id in patients for patients in self.loading.values()):
                self.withheld[notice.alert_id] = notice
            else:
                yield self._note(notice)

    def _note(self, notice: Notice) -> Notice:
        (self.standing.discard if notice.transition in _ENDS else self.standing.add)(notice.alert_id)
        return notice

    def _digest(self, patients: set[str]) -> list[Notice]:
        still = set().union(*self.loading.values()) if self.loading else set()
        mine = {key: n for key, n in self.withheld.items() if n.patient_id in patients - still}
        for key in mine:
            del self.withheld[key]
        due = [n for n in mine.values() if n.transition not in _ENDS or n.alert_id in self.standing]
        return sorted(due, key=lambda n: (-SEVERITIES.index(n.severity), n.effective_at, n.alert_id))


@dataclass(slots=True)
class Replay:
    """A ward on a clock that the events themselves move.

    `until`: the clock runs on to this instant after the last event, and a `recorded_at` more than 24 h beyond it is a
    dead letter; without it no time is judged.
    """

    ward: Ward
    until: datetime | None = None
    clock: datetime = _BEGINNING
    history: History = field(default_factory=History)
    dead_letters: Counter[str] = field(default_factory=Counter)

    def run(self, events: Iterable[AnyEvent]) -> Iterator[Notice]:
        """The notices of these events, and of the time that passes between and after them."""
        for event in events:
            yield from self.take(event)
        if self.until is not None and self.until > self.clock:
            yield from self._advance(self.until)

    def take(self, event: AnyEvent) -> Iterator[Notice]:
        """One event, decided at its `recorded_at` or, if the clock is ahead of that, at the clock's time."""
        at = to_utc(event.recorded_at)
        if self.until is not None and at > self.until:
            if at - self.until > AHEAD:
                self.dead_letters["recorded_in_future"] += 1
                return
            at = self.until
        if at > self.clock:
            yield from self._advance(at)
        yield from self.history.sees(event)
        yield from self.history.told(self.ward.receive(event, self.clock))

    def _advance(self, at: datetime) -> Iterator[Notice]:
        yield from self.history.told(self.ward.advance(at))
        self.clock = at

    def standing(self) -> list[Alert]:
        """The alerts that stand now, by alert_id."""
        return sorted(self.ward.standing(self.clock), key=lambda alert: alert.alert_id)
