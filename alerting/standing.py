"""What stands at an instant: a function of the findings, the responses and the instant, and of nothing remembered."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

import msgspec

from alerting.rule import Rule
from schemas.alerts import Standing, State
from schemas.days import FOREVER
from schemas.definitions import finding
from schemas.identity import alert_id
from schemas.intervals import Interval, Intervals
from schemas.rulepack import RulePack
from schemas.views import ANSWERS, EPISODES, Answer, Answers, Episodes

_ACKNOWLEDGING = frozenset({"acknowledge", "plan", "override"})


class Findings(msgspec.Struct, frozen=True):
    """The findings of one chart, each with its rule and episode, cut at death."""

    patient_id: str
    by_rule: tuple[tuple[Rule, tuple[tuple[str, Interval], ...]], ...]
    answers: Answers

    def of(self, rule_id: str, episode: str | None) -> list[Interval]:
        """The intervals of a rule in an episode, or in any."""
        return [i for rule, found in self.by_rule if rule.id == rule_id for e, i in found if episode in (e, None)]

    def boundaries(self) -> Iterator[datetime]:
        """Every instant at which time alone changes a finding or a state."""
        for _, found in self.by_rule:
            for _, interval in found:
                yield from interval.boundaries()
        for answers in self.answers.by_alert.values():
            for answer in answers:
                yield answer.recorded_at
                if answer.until is not None:
                    yield answer.until


def findings_of(
    patient_id: str, values: Mapping[str, Any], rules: Iterable[Rule], deceased_at: datetime | None
) -> Findings:
    """The findings among a chart's values. Death ends every episode and clock."""
    episodes: Episodes = values[EPISODES.key]
    end = deceased_at or FOREVER
    by_rule = []
    for rule in rules:
        intervals: Intervals = values[finding(rule.id).key]
        if intervals:
            found = tuple(
                (i.episode or episodes.at(i.began), i if end == FOREVER else _until(i, end))
                for i in intervals
                if i.began < end
            )
            by_rule.append((rule, found))
    return Findings(patient_id, tuple(by_rule), values[ANSWERS.key])


def _until(interval: Interval, end: datetime) -> Interval:
    return interval if interval.ended <= end else msgspec.structs.replace(interval, ended=end)


def _state(answers: Iterable[Answer], since: datetime, now: datetime) -> tuple[State, Answer | None]:
    """The state that the latest counting response gives: one recorded since the latest rise, and by now."""
    last = None
    for answer in answers:
        if since <= answer.recorded_at <= now:
            last = answer
    if last is None or last.action == "reopen":
        return "open", last
    if last.action in _ACKNOWLEDGING:
        return "acknowledged", last
    return ("snoozed" if last.until is None or now < last.until else "open"), last


def _standing(
    findings: Findings, rule: Rule, episode: str, interval: Interval, pack: RulePack, now: datetime
) -> Standing:
    risen = max(interval.began, interval.risen(now))
    state, answer = _state(findings.answers.to(rule.id, episode), risen, now)
    return Standing(
        alert_id=alert_id(findings.patient_id, episode, rule.id),
        patient_id=findings.patient_id,
        episode=episode,
        rule_id=rule.id,
        severity=interval.severity(now, pack.rules[rule.id].severity),
        state=state,
        effective_at=interval.began,
        risen_at=risen,
        interval=interval,
        by=answer.by if answer else None,
        snoozed_until=answer.until if answer and state == "snoozed" else None,
    )


def standing(findings: Findings, pack: RulePack, now: datetime) -> tuple[dict[str, Standing], frozenset[str]]:
    """The alerts that stand, by alert_id, and the ids of those that only a superseding finding hides.

    Where several intervals of a rule contain now, the first begun gives `effective_at`.
    """
    holding = {rule.id for rule, found in findings.by_rule if any(i.holds(now) for _, i in found)}
    live = {rule_id for rule_id in holding if pack.rules[rule_id].mode == "live"}
    stands: dict[str, Standing] = {}
    hidden = set()
    for rule, found in findings.by_rule:
        # What nobody is told of hides nothing that people are told.
        seen = live if pack.rules[rule.id].mode == "live" else holding
        superseded = not seen.isdisjoint(rule.superseded_by)
        first: dict[str, Interval] = {}
        for episode, interval in found:
            if interval.stands(now) and (episode not in first or interval.began < first[episode].began):
                first[episode] = interval
        for episode, interval in first.items():
            made = _standing(findings, rule, episode, interval, pack, now)
            if superseded:
                hidden.add(made.alert_id)
            else:
                stands[made.alert_id] = made
    return stands, frozenset(hidden)
