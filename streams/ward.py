"""All patients of a service: events and the clock in, notices out. No I/O: charts are kept by whoever is given.

Law: any order and any repeats of the same events end, at a given instant, in the same charts and standing alerts.
"""

import heapq
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Final, Protocol

from alerting.lifecycle import Cause
from schemas.alerts import Alert, Notice
from schemas.days import FOREVER, to_utc
from schemas.events import AnyEvent, Erasure, PatientMerge, PatientUnmerge
from schemas.facts import Fact, Response, Unread
from streams.chart.chart import Chart
from streams.chart.facts import Left, has_unknown_unit
from streams.monitor import Monitor, regroup
from streams.people import People, link_of

AHEAD: Final = timedelta(hours=24)
"""A `recorded_at` further ahead of the clock would outrank every correction: a dead letter."""


RULE_PACK: Final = Cause(rule_pack=True)


class Charts(Protocol):
    """Where charts are kept, by surviving identity."""

    def get(self, patient_id: str) -> Chart | None:
        """The chart of an identity, or None."""

    def put(self, chart: Chart) -> None:
        """Keep a chart."""

    def remove(self, patient_id: str) -> None:
        """Forget a chart."""

    def __iter__(self) -> Iterator[Chart]:
        """Every chart, by identity."""


class MemoryCharts:
    """Charts in memory."""

    def __init__(self) -> None:
        self._charts: dict[str, Chart] = {}

    def get(self, patient_id: str) -> Chart | None:
        return self._charts.get(patient_id)

    def put(self, chart: Chart) -> None:
        self._charts[chart.patient_id] = chart

    def remove(self, patient_id: str) -> None:
        self._charts.pop(patient_id, None)

    def __iter__(self) -> Iterator[Chart]:
        return iter([self._charts[key] for key in sorted(self._charts)])


Erasures = Mapping[str, frozenset[datetime]]
"""The instants until which an identity's facts are forgotten, by the mark of the identity."""


def plainly(patient_id: str) -> str:
    """An identity as the mark of itself; whoever keeps erasures longer than a process marks by a keyed hash."""
    return patient_id


class Ward:
    """The patients, who is whom, and when each chart is to be looked at again.

    `counts` says what became of events, by closed words: accepted, duplicate, unmapped_code, not_read,
    unconvertible_unit, event_id_reused, recorded_ahead, recorded_in_future, erased, forwarded.
    """

    def __init__(self, monitor: Monitor, charts: Charts, mark: Callable[[str], str] = plainly) -> None:
        self.monitor = monitor
        self.charts = charts
        self.mark = mark
        self.people = People()
        self.erasures: Erasures = {}
        self.counts: Counter[str] = Counter()
        self.unmapped: Counter[str] = Counter()
        self._checks: list[tuple[datetime, str]] = []
        self._check_at: dict[str, datetime] = {}

    # ---- kept between two lives of a ward: its charts, `people`, `erasures`, and when to look at a chart again

    def expect(self, checks: Iterable[tuple[str, datetime]]) -> None:
        """Take over when charts are to be looked at again, all of them at once."""
        self._check_at = dict(checks)
        self._tidy()

    def look_again(self, patient_id: str, at: datetime) -> None:
        """Look at a chart again at an instant; FOREVER if time alone changes nothing of it."""
        if at == FOREVER:
            self._check_at.pop(patient_id, None)
        elif self._check_at.get(patient_id) != at:
            self._check_at[patient_id] = at
            heapq.heappush(self._checks, (at, patient_id))
            if len(self._checks) > 64 + 4 * len(self._check_at):  # before outdated entries outnumber the charts
                self._tidy()

    def _tidy(self) -> None:
        self._checks = [(at, patient_id) for patient_id, at in self._check_at.items()]
        heapq.heapify(self._checks)

    # ---- events

    def receive(self, event: AnyEvent, now: datetime) -> list[Notice]:
        """Take one event at an instant of the clock.

        Topic: one recorded more than 24 h ahead of it is counted and left to the caller as a dead letter.
        """
        ahead = to_utc(event.recorded_at) - now
        if ahead > AHEAD:
            self.counts["recorded_in_future"] += 1
            return []
        if ahead > timedelta():
            self.counts["recorded_ahead"] += 1
        match event:
            case PatientMerge() | PatientUnmerge():
                return self._link(event, now)
            case Erasure():
                return self._erase(event, now)
        return self._fact(event, now)

    def _fact(self, event: AnyEvent, now: datetime) -> list[Notice]:
        fact = self.monitor.fact(event)
        if isinstance(fact, Left):
            self.counts[fact.why] += 1
            if fact.system:
                self.unmapped[fact.system] += 1
            return []
        if isinstance(fact.payload, Unread):
            self.counts["unmapped_code"] += 1
            self.unmapped[fact.payload.system] += 1
        reached = self._reaches(fact)
        if not reached:
            self.counts["erased"] += 1
            return []
        here = self._here(event, reached)
        if not here:
            self.counts["forwarded"] += 1
            return []
        held = [(self.charts.get(s) or self.monitor.chart(s)) for s in here]
        changed = [chart for before in held if (chart := self.monitor.with_fact(before, fact)) is not None]
        if not changed:
            self.counts["duplicate"] += 1
            return []
        self.counts["accepted"] += 1
        self.counts["unconvertible_unit"] += has_unknown_unit(fact.payload)
        self.counts["event_id_reused"] += any(before.facts.reused(fact) for before in held)
        cause = Cause(event.event_id, response=isinstance(fact.payload, Response))
        return [n for chart in changed for n in self._decide([chart], now, cause)]

    def _reaches(self, fact: Fact) -> list[str]:
        """The surviving identities whose charts hold a fact: its own; of a response, also whoever it was said of.

        Topic: an answer given while two identities were one speaks to both, and stays with both when they are parted.
        """
        if self._is_erased(fact):
            return []
        owner = self.people.survivor(fact.origin)
        if not isinstance(fact.payload, Response):
            return [owner]
        kin = self.people.kin(fact.origin)
        then = self.people.as_of(fact.recorded_at) if len(kin) > 1 else self.people
        return sorted({owner, *(self.people.survivor(k) for k in kin if then.survivor(k) == fact.origin)})

    def _here(self, event: AnyEvent, survivors: list[str]) -> list[str]:
        """Those of the survivors whose charts this ward keeps: all of them, where there is no other ward."""
        del event
        return survivors

    def _decide(self, charts: list[Chart], now: datetime, cause: Cause) -> list[Notice]:
        decided, notices = self.monitor.decide(charts, now, cause, self.people.survivor)
        for chart in decided:
            self._keep(chart)
        return notices

    def _keep(self, chart: Chart) -> None:
        self.charts.put(chart)
        self.look_again(chart.patient_id, chart.next_check_at)

    # ---- identity

    def _link(self, event: PatientMerge | PatientUnmerge, now: datetime) -> list[Notice]:
        link = link_of(event)
        if link is None or link in self.people:
            self.counts["duplicate"] += 1
            return []
        self.counts["accepted"] += 1
        self.people = self.people.with_link(link)
        return self._regroup(self.people.kin(link.retired), now, Cause(event.event_id))

    def _regroup(self, kin: frozenset[str], now: datetime, cause: Cause) -> list[Notice]:
        charts = [chart for k in sorted(kin) if (chart := self.charts.get(k)) is not None]
        if not charts:
            return []
        made = regroup(self.monitor, charts, self.people.survivor, self._reaches)
        for chart in charts:
            self.charts.remove(chart.patient_id)
            self.look_again(chart.patient_id, FOREVER)
        return self._settle(charts, made, now, cause)

    def _settle(self, before: list[Chart], made: list[Chart], now: datetime, cause: Cause) -> list[Notice]:
        """Decide charts between which facts moved together, so that an alert that moves is transferred."""
        del before
        return self._decide(made, now, cause)

    # ---- erasure

    def _is_erased(self, fact: Fact) -> bool:
        return self.forgets(fact.origin, fact.recorded_at)

    def forgets(self, origin: str, recorded_at: datetime) -> bool:
        """It was recorded before an erasure of its origin, or of whoever that was linked to at the time."""
        return bool(self.erasures) and any(
            recorded_at <= at and (k == origin or self._one_person(at, k, origin))
            for k in self.people.kin(origin)
            for at in self.erasures.get(self.mark(k), ())
        )

    def _one_person(self, at: datetime, one: str, other: str) -> bool:
        then = self.people.as_of(at)
        return then.survivor(one) == then.survivor(other)

    def _erase(self, event: Erasure, now: datetime) -> list[Notice]:
        at = to_utc(event.recorded_at)
        marked = self.mark(event.patient_id)
        known = self.erasures.get(marked, frozenset())
        if event.record_status != "active" or at in known:
            self.counts["duplicate"] += 1
            return []
        self.counts["accepted"] += 1
        self.erasures = {**self.erasures, marked: known | {at}}
        kin = self.people.kin(event.patient_id)
        for k in kin:
            chart = self.charts.get(k)
            if chart is not None:
                self._forget(chart, now, Cause(event.event_id))
        return []

    def _forget(self, chart: Chart, now: datetime, cause: Cause) -> None:
        """Rebuild the chart without what is erased; nothing is told of a patient who is forgotten."""
        kept = [f for f in chart.facts if not self._is_erased(f)]
        if len(kept) == len(chart.facts):
            return
        self.charts.remove(chart.patient_id)
        self.look_again(chart.patient_id, FOREVER)
        if kept:
            self._decide([self.monitor.chart(chart.patient_id, kept)], now, cause)

    # ---- the clock

    def next_check_at(self) -> datetime:
        """When time alone will next change something of some patient; FOREVER if never."""
        while self._checks and self._check_at.get(self._checks[0][1]) != self._checks[0][0]:
            heapq.heappop(self._checks)
        return self._checks[0][0] if self._checks else FOREVER

    def advance(self, until: datetime) -> Iterator[Notice]:
        """Let the clock run to an instant: every crossing is decided at its own instant, in order."""
        while self.next_check_at() <= until:
            yield from self.tick()

    def tick(self) -> list[Notice]:
        """Decide the chart that is due next, at the instant of its crossing.

        Errors: IndexError if none will ever be due.
        """
        if self.next_check_at() == FOREVER:
            raise IndexError("no chart is to be looked at again")
        at, patient_id = heapq.heappop(self._checks)
        del self._check_at[patient_id]
        chart = self.charts.get(patient_id)
        return [] if chart is None else self._decide([chart], at, Cause())

    def examine(self, patient_id: str, now: datetime, cause: Cause = RULE_PACK) -> list[Notice]:
        """Decide a chart anew with the rule pack in force."""
        chart = self.charts.get(patient_id)
        return [] if chart is None else self._decide([chart], now, cause)

    def standing(self, now: datetime) -> Iterator[Alert]:
        """Every alert that stands at an instant."""
        for chart in self.charts:
            yield from self.monitor.alerts(chart, now)
