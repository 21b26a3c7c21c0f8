"""Changes in words: a notice, and an alert as it is shown."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from alerting.endings import opening
from alerting.judge import Judge
from alerting.lifecycle import Cause, Change
from alerting.rule import Rule
from schemas.alerts import Alert, Notice, PackIdentity, Standing, Told, evidence_item, limit_items
from schemas.days import Calendar, to_utc
from schemas.definitions import Reader
from schemas.identity import notice_id
from schemas.intervals import Interval, Scalar, Severity
from schemas.rulepack import Delivery, RulePack, RuleText

_LARGE = 10_000
"""From here on digits are grouped: 20,000 reads at a glance; 1995 may be a year."""


class _Words(dict[str, str]):
    """Details of a finding; one that is not known says so instead of failing the notice."""

    def __missing__(self, key: str) -> str:
        return "unknown"


def _word(value: Scalar) -> str:
    if value is None:
        return "unknown"
    if isinstance(value, int) and abs(value) >= _LARGE:
        return f"{value:,}"
    return str(value)


TAKEN_BACK = "Taken back: {title}. What it rested on was corrected, cancelled or belongs to somebody else."


def sentence(text: RuleText, interval: Interval | None, at: datetime) -> str:
    """The rule's sentence with the finding's details at an instant; of one that is no more, that it was taken back."""
    if interval is None:
        return TAKEN_BACK.format(title=text.title)
    return text.sentence.format_map(_Words({name: _word(value) for name, value in interval.details_at(at)}))


class Teller:
    """Puts changes and standing alerts into words, with the rules and limits of one pack."""

    def __init__(self, pack: RulePack, rules: Mapping[str, Rule], calendar: Calendar) -> None:
        self.pack = pack
        self.rules = rules
        self.calendar = calendar
        self.identity = PackIdentity(version=pack.version, sha256=pack.sha256)
        self._limits = {rule_id: limit_items(text.limits) for rule_id, text in pack.rules.items()}

    def questions(
        self, rule_id: str, interval: Interval | None, values: Mapping[str, Any], now: datetime
    ) -> tuple[str, ...]:
        """What is missing: the open questions of a finding at an instant."""
        if interval is None:
            return ()
        judge = Judge(self.pack.rules[rule_id])
        asked = self.rules[rule_id].asks(Reader(values, self.calendar), judge, interval, now)
        return tuple(dict.fromkeys(asked))

    def _said(self, change: Change, values: Mapping[str, Any], now: datetime, deceased_at: datetime | None) -> str:
        """The finding's sentence; of an end, why and what had been said; of what never was, that it is taken back."""
        text = self.pack.rules[change.told.rule_id]
        if change.transition == "withdrawn":
            return sentence(text, None, now)
        before = opening(change.transition, change.interval, values, self.calendar, deceased_at)
        return before + sentence(text, change.interval, now)

    def notice(
        self,
        change: Change,
        values: Mapping[str, Any],
        now: datetime,
        cause: Cause,
        deceased_at: datetime | None = None,
    ) -> Notice:
        """The notice of a change."""
        told = change.told
        text = self.pack.rules[told.rule_id]
        return Notice(
            notice_id=notice_id(
                told.alert_id, told.sequence, change.transition, told.severity, told.effective_at, change.corrects
            ),
            alert_id=told.alert_id,
            sequence=told.sequence,
            transition=change.transition,
            severity=told.severity,
            patient_id=told.patient_id,
            episode_id=told.episode,
            rule_id=told.rule_id,
            mode=text.mode,
            delivery=self._delivery(told.rule_id, told.severity),
            rulepack=self.identity,
            title=text.title,
            sentence=self._said(change, values, now, deceased_at),
            effective_at=self.calendar.local(told.effective_at),
            decided_at=self.calendar.local(now),
            evidence=tuple(evidence_item(e, self.calendar) for e in change.interval.evidence)
            if change.interval
            else (),
            limits=self._limits[told.rule_id],
            open_questions=self.questions(told.rule_id, change.interval, values, now),
            corrects=change.corrects,
            into=change.into,
            by=change.by,
            because="rule_pack" if cause.rule_pack else None,
        )

    def raised(self, alert: Alert, now: datetime) -> Notice:
        """The notice that tells of an alert as it stands, to whom nothing was told of it."""
        said = {name: getattr(alert, name) for name in Alert.model_fields if name != "state"}
        effective_at = to_utc(alert.effective_at)
        return Notice(
            notice_id=notice_id(alert.alert_id, alert.sequence, "raised", alert.severity, effective_at, None),
            transition="raised",
            delivery=self._delivery(alert.rule_id, alert.severity),
            decided_at=self.calendar.local(now),
            **said,
        )

    def _delivery(self, rule_id: str, severity: Severity) -> Delivery:
        return "record" if severity == "info" else self.pack.rules[rule_id].delivery

    def alert(self, standing: Standing, told: Told | None, values: Mapping[str, Any], now: datetime) -> Alert:
        """A standing alert as it is shown."""
        text = self.pack.rules[standing.rule_id]
        return Alert(
            alert_id=standing.alert_id,
            patient_id=standing.patient_id,
            episode_id=standing.episode,
            rule_id=standing.rule_id,
            severity=standing.severity,
            state=standing.state,
            effective_at=self.calendar.local(standing.effective_at),
            sequence=told.sequence if told else 0,
            mode=text.mode,
            title=text.title,
            sentence=sentence(text, standing.interval, now),
            evidence=tuple(evidence_item(e, self.calendar) for e in standing.interval.evidence),
            limits=self._limits[standing.rule_id],
            open_questions=self.questions(standing.rule_id, standing.interval, values, now),
            rulepack=self.identity,
        )
