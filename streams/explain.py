"""Why there is an alert, and why there is none: the rules run again with a trace of what they compared."""

from collections.abc import Iterable
from datetime import datetime

from pydantic import BaseModel, ConfigDict

from alerting.judge import Judge, Trace
from alerting.rule import Rule
from alerting.standing import Findings, findings_of, standing
from schemas.alerts import Alert
from schemas.definitions import Reader
from schemas.identity import alert_id
from streams.chart.chart import Chart
from streams.monitor import Monitor


class ExplainedCondition(BaseModel):
    """One condition: its value, its limit with flag and citation, and how far the value is from meeting it."""

    model_config = ConfigDict(frozen=True)

    name: str
    comparison: str
    met: bool
    value: str | None = None
    limit: str | None = None
    unit: str | None = None
    distance: str | None = None
    on: str | None = None
    flag: str | None = None
    citation: str | None = None


class Explanation(BaseModel):
    """What one rule makes of a chart at an instant.

    `outcome`: stands, superseded, closed (answered or worked up), ended, to_come, or not_met.
    `alerts`: those that stand, one an episode, the first begun first; `superseded_by`: the rules that hide it.
    """

    model_config = ConfigDict(frozen=True)

    rule_id: str
    title: str
    outcome: str
    effective_at: datetime | None = None
    ended_at: datetime | None = None
    out_of_scope: tuple[str, ...] = ()
    conditions: tuple[ExplainedCondition, ...] = ()
    alerts: tuple[Alert, ...] = ()
    superseded_by: tuple[str, ...] = ()


def explain(monitor: Monitor, chart: Chart, at: datetime, rules: Iterable[Rule]) -> list[Explanation]:
    """Each rule's account of the chart at an instant."""
    findings = findings_of(chart.patient_id, chart.values, monitor.rules, chart.deceased_at())
    _, hidden = standing(findings, monitor.pack, at)
    alerts: dict[str, list[Alert]] = {}
    for alert in sorted(monitor.alerts(chart, at), key=lambda a: a.effective_at):
        alerts.setdefault(alert.rule_id, []).append(alert)
    return [_explained(monitor, chart, rule, findings, alerts, hidden, at) for rule in rules]


def _explained(
    monitor: Monitor,
    chart: Chart,
    rule: Rule,
    findings: Findings,
    alerts: dict[str, list[Alert]],
    hidden: frozenset[str],
    at: datetime,
) -> Explanation:
    trace = Trace(until=monitor.calendar.day(at))
    rule.holds(Reader(chart.values, monitor.calendar), Judge(monitor.pack.rules[rule.id], trace))
    outcome, began, ended = _outcome(rule, findings, alerts, hidden, at)
    return Explanation(
        rule_id=rule.id,
        title=monitor.pack.rules[rule.id].title,
        outcome=outcome,
        effective_at=monitor.calendar.local(began) if began else None,
        ended_at=monitor.calendar.local(ended) if ended else None,
        out_of_scope=tuple(trace.out_of_scope),
        conditions=tuple(
            ExplainedCondition(
                name=c.name,
                comparison=c.comparison,
                met=c.met,
                value=c.value,
                limit=c.limit,
                unit=c.unit,
                distance=c.distance,
                on=c.on.isoformat() if c.on else None,
                flag=c.flag,
                citation=c.citation,
            )
            for c in trace.conditions.values()
        ),
        alerts=tuple(alerts.get(rule.id, ())),
        superseded_by=_hiding(monitor, rule, findings, at) if outcome == "superseded" else (),
    )


def _hiding(monitor: Monitor, rule: Rule, findings: Findings, at: datetime) -> tuple[str, ...]:
    """The findings that hold and hide a rule's alert, as alerting.standing has it."""
    shadow = monitor.pack.rules[rule.id].mode == "shadow"
    seen = (
        r for r in rule.superseded_by if r in monitor.pack.rules and (shadow or monitor.pack.rules[r].mode == "live")
    )
    return tuple(r for r in seen if any(i.holds(at) for i in findings.of(r, None)))


def _outcome(
    rule: Rule, findings: Findings, alerts: dict[str, list[Alert]], hidden: frozenset[str], at: datetime
) -> tuple[str, datetime | None, datetime | None]:
    pairs = [pair for r, found in findings.by_rule if r.id == rule.id for pair in found]
    own = [i for _, i in pairs]
    if rule.id in alerts:
        return "stands", alerts[rule.id][0].effective_at, None
    holding = [i for i in own if i.stands(at)]
    if holding and any(alert_id(findings.patient_id, episode, rule.id) in hidden for episode, _ in pairs):
        return "superseded", holding[0].began, None
    closed = [i for i in own if i.holds(at)]
    if closed:
        return "closed", closed[-1].began, closed[-1].closed
    past = [i for i in own if i.alert_ends <= at]
    if past:
        return "ended", past[-1].began, past[-1].alert_ends
    coming = [i for i in own if i.began > at]
    if coming:
        return "to_come", coming[0].began, None
    return "not_met", None, None


def in_words(explanation: Explanation) -> str:
    """An explanation as people read it on a terminal."""
    head = f"{explanation.rule_id}  {explanation.title}: {explanation.outcome.replace('_', ' ')}"
    if explanation.effective_at:
        head += (
            f" (since {explanation.effective_at.isoformat()})"
            if explanation.outcome == "stands"
            else (f" ({explanation.effective_at.isoformat()})")
        )
    if explanation.superseded_by:
        head += f" by {', '.join(explanation.superseded_by)}"
    lines = [head]
    lines += [
        f"  {a.severity}, {a.state}, since {a.effective_at.isoformat()}: {a.sentence}" for a in explanation.alerts
    ]
    lines += [f"  out of scope: {words}" for words in explanation.out_of_scope]
    lines += [f"  {_in_words(c)}" for c in explanation.conditions]
    lines += [f"  asked: {q}" for q in dict.fromkeys(q for a in explanation.alerts for q in a.open_questions)]
    return "\n".join(lines)


def _in_words(c: ExplainedCondition) -> str:
    mark = "met    " if c.met else "not met"
    if c.limit is None:
        value = f" ({c.value})" if c.value else ""
        return f"{mark}  {c.name}{value}"
    value = "unknown" if c.value is None else c.value
    away = f", {c.distance} {c.unit} away" if c.distance not in (None, "0") else ""
    day = f" on {c.on}" if c.on else ""
    return f"{mark}  {c.name}: {value} {c.comparison} {c.limit} {c.unit}{away}{day}  [{c.flag}] {c.citation}"
