"""Offline: the events of files through the monitor, in the order of their recording or as given."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

import msgspec

from schemas.alerts import Alert, Notice
from schemas.days import FOREVER, to_utc
from schemas.events import AnyEvent, PatientMerge, PatientUnmerge
from schemas.intervals import SEVERITIES
from streams.chart.chart import Chart
from streams.ward import AHEAD, Ward

_BEGINNING = datetime(1, 1, 1, tzinfo=UTC)
_ENDS = frozenset({"resolved", "withdrawn", "superseded", "transferred"})


@dataclass(slots=True)
class History:
    """Sources that still load old data: what is decided of their patients is told to nobody.

    Topic: a source goes live with its first event that is not history; then what stands of its patients is told,
    critical first, and what had been told before and has changed or ended meanwhile. Identities are followed to their
    survivor: a patient who loads does so under whatever number. A link may also free a patient of the one who loads.
    """

    ward: Ward
    loading: dict[str, set[str]] = field(default_factory=dict)
    """Patients by source."""
    withheld: dict[str, Notice] = field(default_factory=dict)
    """The latest untold notice by alert_id."""
    standing: set[str] = field(default_factory=set)
    """The alerts that somebody was told of and has not been told the end of."""
    released: set[str] = field(default_factory=set)
    """The alerts that are no longer withheld since the last event."""
    digested: set[str] = field(default_factory=set)
    """The notices that were told in a digest since the last event."""

    def of_event(self, event: AnyEvent, notices: Iterable[Notice], now: datetime) -> list[Notice]:
        """What is told of an event that the ward has received, and of the notices that came of it."""
        self.released.clear()
        self.digested.clear()
        if event.history:
            self.loading.setdefault(event.source, set()).add(event.patient_id)
        told = list(self.told(notices))
        if not event.history:
            told += self.live(event.source, now)
        if self.withheld and isinstance(event, PatientMerge | PatientUnmerge):
            told += self._digest(self.ward.people.kin(event.patient_id), now)
        return told

    def live(self, source: str, now: datetime) -> list[Notice]:
        """The digest of a source that has loaded its old data; nothing if it was live."""
        released = self.loading.pop(source, None)
        return self._digest(released, now) if released else []

    def told(self, notices: Iterable[Notice]) -> Iterator[Notice]:
        """The notices that are told now; the others are withheld."""
        for notice in notices:
            if notice.alert_id in self.withheld or self._loads(notice.patient_id):
                self.withheld[notice.alert_id] = notice
            else:
                yield self._note(notice)

    def _loads(self, patient_id: str) -> bool:
        if not self.loading:
            return False
        survivor = self.ward.people.survivor
        names = {k for k in self.ward.people.kin(patient_id) if survivor(k) == survivor(patient_id)}
        return any(not names.isdisjoint(patients) for patients in self.loading.values())

    def _note(self, notice: Notice) -> Notice:
        (self.standing.discard if notice.transition in _ENDS else self.standing.add)(notice.alert_id)
        if notice.into is not None:
            self.standing.add(notice.into)
        return notice

    # ---- the digest

    def _digest(self, released: Iterable[str], now: datetime) -> list[Notice]:
        free = sorted({self.ward.people.survivor(p) for p in released if not self._loads(p)})
        charts = [chart for p in free if (chart := self.ward.charts.get(p)) is not None]
        untold = {key: self.withheld.pop(key) for chart in charts for key in chart.told if key in self.withheld}
        self.released |= untold.keys()
        known = self._known(untold)
        due: list[Notice] = []
        for chart in charts:
            standing = {alert.alert_id: alert for alert in self.ward.monitor.alerts(chart, now)}
            for key, alert in standing.items():
                silent = chart.told[key].silent if key in chart.told else False
                if key not in known and (key in untold or not silent):
                    due.append(self.ward.monitor.teller.raised(alert, now))
                    self._speaks(chart.patient_id, key, now)
            moved = [key for key in chart.told if key in untold and key in known]
            due += [untold[key] for key in moved if untold[key].into is None or key not in standing]
        self.digested |= {notice.notice_id for notice in due}
        return list(map(self._note, sorted(due, key=_critical_first)))

    def _known(self, untold: Mapping[str, Notice]) -> set[str]:
        """The alerts that somebody was told of, followed through the transfers that are told now."""
        known = {key for key in untold if key in self.standing}
        waiting = list(known)
        while waiting:
            notice = untold.get(waiting.pop())
            if notice is not None and notice.into is not None and notice.into not in known:
                known.add(notice.into)
                waiting.append(notice.into)
        return known | self.standing

    def _speaks(self, patient_id: str, key: str, now: datetime) -> None:
        """An alert that stood again untold is told now: its end, and its escalation, will be told as well."""
        chart = self.ward.charts.get(patient_id)
        if chart is None or key not in chart.told or not chart.told[key].silent:
            return
        told = msgspec.structs.replace(chart.told[key], silent=False, told_at=now)
        at = min(chart.next_check_at, *self.ward.monitor.lifecycle.due([told]), FOREVER)
        spoken = Chart(
            patient_id, chart.facts, {**chart.told, key: told}, chart.values, chart.patient_ids, next_check_at=at
        )
        spoken.settled = chart.settled
        self.ward.charts.put(spoken)
        self.ward.look_again(patient_id, at)


def _critical_first(notice: Notice) -> tuple[int, bool, datetime, str]:
    """Of one severity a transfer comes before what is told of the alert that goes on."""
    return -SEVERITIES.index(notice.severity), notice.into is None, notice.effective_at, notice.alert_id


@dataclass(slots=True)
class Replay:
    """A ward on a clock that the events themselves move.

    `until`: the clock runs on to this instant after the last event, and a `recorded_at` more than 24 h beyond it is a
    dead letter; without it no time is judged.
    """

    ward: Ward
    until: datetime | None = None
    clock: datetime = _BEGINNING
    dead_letters: Counter[str] = field(default_factory=Counter)
    history: History = field(init=False)

    def __post_init__(self) -> None:
        self.history = History(self.ward)

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
        notices = self.ward.receive(event, self.clock)
        yield from self.history.of_event(event, notices, self.clock)

    def _advance(self, at: datetime) -> Iterator[Notice]:
        yield from self.history.told(self.ward.advance(at))
        self.clock = at

    def standing(self) -> list[Alert]:
        """The alerts that stand now, by alert_id."""
        return sorted(self.ward.standing(self.clock), key=lambda alert: alert.alert_id)
