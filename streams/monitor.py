"""The monitor: (chart, facts or tick, now) -> (chart, notices). Pure; the fold and the rules meet here.

Law: what stands is derived from the facts, what was told is remembered, a notice is the difference between the two.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Final

from alerting.lifecycle import Cause, Change, Lifecycle
from alerting.rule import Rule
from alerting.rules import RULES
from alerting.standing import Findings, findings_of, standing
from alerting.telling import Teller
from schemas.alerts import Alert, Notice, Standing, Told
from schemas.days import FOREVER, Calendar
from schemas.definitions import LATE, PATIENT_IDS, finding, records
from schemas.events import AnyEvent
from schemas.facts import Fact
from schemas.intervals import Interval
from schemas.rulepack import RulePack
from schemas.tables import Tables
from schemas.views import ANSWERS, EPISODES
from streams.chart.chart import Chart
from streams.chart.facts import Left, fact_of
from streams.chart.fold import Facts
from streams.chart.groups import group
from streams.derivation import Values
from streams.nouns import plan_of

TICK: Final = Cause()
_PATIENT: Final = records("patient")


OwnerOf = Callable[[str], str]
"""The surviving identity of an identity."""


class Monitor:
    """One rule pack at work on charts of one site."""

    def __init__(self, pack: RulePack, tables: Tables, calendar: Calendar, rules: Sequence[Rule] = RULES) -> None:
        self.pack = pack
        self.tables = tables
        self.calendar = calendar
        self.rules = tuple(rules)
        self.plan = plan_of(pack, tables, calendar, rules)
        self.lifecycle = Lifecycle(pack)
        self.teller = Teller(pack, {rule.id: rule for rule in rules}, calendar)
        self._empty = Values(self.plan.derive_all(dict.fromkeys(self.plan.base, ())))
        decisive = (PATIENT_IDS, EPISODES, ANSWERS, *(finding(rule.id) for rule in self.rules))
        self._reads_all = LATE.key in self.plan.base  # a rule on late records reads every record
        self._decisive = frozenset(name.key for name in decisive)

    def fact(self, event: AnyEvent) -> Fact | Left:
        """The fact of an event if a rule or view reads it, or why none is kept."""
        fact = fact_of(event, self.tables)
        if isinstance(fact, Left) or self._reads_all or records(group(fact.payload)).key in self.plan.base:
            return fact
        return Left("not_read")

    # ---- charts

    def chart(self, patient_id: str, facts: Iterable[Fact] = (), told: Mapping[str, Told] | None = None) -> Chart:
        """A chart of these facts, derived from nothing else."""
        found = Facts.of(facts)
        if not len(found) and not told:
            return self._new(patient_id)
        ids = (patient_id, *sorted({f.origin for f in found} - {patient_id}))
        values, _ = self.plan.derive_again(self._empty, {**found.base_values(), PATIENT_IDS.key: ids})
        return Chart(patient_id, found, dict(told or {}), values, ids)

    def _new(self, patient_id: str) -> Chart:
        """A chart without facts: nothing holds, whoever it is of."""
        ids = (patient_id,)
        made = Chart(patient_id, Facts(), {}, self._empty.with_changes({PATIENT_IDS.key: ids}), ids)
        made.settled = True
        return made

    def with_fact(self, chart: Chart, fact: Fact) -> Chart | None:
        """The chart with one more fact; None if it was there."""
        facts, changed = chart.facts.with_fact(fact)
        if not changed:
            return None
        ids = chart.patient_ids
        if fact.origin not in ids:
            ids = (chart.patient_id, *sorted({*ids[1:], fact.origin} - {chart.patient_id}))
            changed[PATIENT_IDS.key] = ids
        known = {key: value for key, value in changed.items() if key in self.plan.base}
        values, touched = self.plan.derive_again(chart.values, known)
        fresh = Chart(chart.patient_id, facts, chart.told, values, ids, chart.next_check_at)
        died = _PATIENT.key in changed and fresh.deceased_at() != chart.deceased_at()
        fresh.settled = chart.settled and not died and touched.isdisjoint(self._decisive)
        return fresh

    # ---- deciding

    def decide(
        self, charts: Sequence[Chart], now: datetime, cause: Cause = TICK, owner_of: OwnerOf | None = None
    ) -> tuple[list[Chart], list[Notice]]:
        """What is to be told of these charts at an instant, and the charts that remember it.

        Topic: charts between which identities moved are decided together, so that an alert that moves is transferred;
        `owner_of` tells then whose memory is whose.
        """
        if all(c.settled and now < c.next_check_at for c in charts):
            return list(charts), []
        findings = {c.patient_id: self._findings(c) for c in charts}
        stands: dict[str, Standing] = {}
        hidden: frozenset[str] = frozenset()
        for found in findings.values():
            there, concealed = standing(found, self.pack, now)
            stands |= there
            hidden |= concealed
        told = {key: known for c in charts for key, known in c.told.items()}

        def intervals(patient_id: str | None, rule_id: str, episode: str | None) -> Iterable[Interval]:
            looked_at = [findings[patient_id]] if patient_id in findings else [] if patient_id else findings.values()
            return [i for found in looked_at for i in found.of(rule_id, episode)]

        after, changes = self.lifecycle.compare(told, stands, hidden, intervals, now, cause)
        by_survivor = {c.patient_id: c for c in charts}

        def owner(known: Told) -> Chart:
            survivor = owner_of(known.patient_id) if owner_of else known.patient_id
            return by_survivor.get(survivor, charts[0])

        notices = [self._notice(change, owner(change.told), now, cause) for change in changes]
        kept: dict[str, dict[str, Told]] = {}
        for key, known in after.items():
            kept.setdefault(owner(known).patient_id, {})[key] = known
        return [self._remembering(c, kept.get(c.patient_id, {}), findings[c.patient_id], now) for c in charts], notices

    def _notice(self, change: Change, chart: Chart, now: datetime, cause: Cause) -> Notice:
        return self.teller.notice(change, chart.values, now, cause, chart.deceased_at())

    def _remembering(self, chart: Chart, told: Mapping[str, Told], findings: Findings, now: datetime) -> Chart:
        due = [at for at in (*findings.boundaries(), *self.lifecycle.due(told.values())) if at > now]
        decided = Chart(chart.patient_id, chart.facts, told, chart.values, chart.patient_ids, min(due, default=FOREVER))
        decided.settled = True
        return decided

    def _findings(self, chart: Chart) -> Findings:
        return findings_of(chart.patient_id, chart.values, self.rules, chart.deceased_at())

    # ---- looking

    def alerts(self, chart: Chart, now: datetime) -> list[Alert]:
        """The alerts that stand at an instant."""
        stands, _ = standing(self._findings(chart), self.pack, now)
        return [self.teller.alert(s, chart.told.get(key), chart.values, now) for key, s in sorted(stands.items())]


def regroup(
    monitor: Monitor, charts: Sequence[Chart], owner_of: OwnerOf, reaches: Callable[[Fact], Iterable[str]]
) -> list[Chart]:
    """The charts of the identities that survive once links have changed: facts and memory go to whom they belong.

    Topic: `reaches` gives the surviving identities whose charts hold a fact; none where it is erased.
    Law: a merge is a union, an un-merge a difference; nothing of a fact changes but where it is kept.
    """
    facts: dict[str, list[Fact]] = {}
    told: dict[str, dict[str, Told]] = {}
    survivors = {owner_of(chart.patient_id) for chart in charts}
    for chart in charts:
        for fact in chart.facts:
            for survivor in reaches(fact):
                facts.setdefault(survivor, []).append(fact)
        for key, known in chart.told.items():
            told.setdefault(owner_of(known.patient_id), {})[key] = known
    return [monitor.chart(s, facts.get(s, ()), told.get(s)) for s in sorted(survivors | facts.keys() | told.keys())]
