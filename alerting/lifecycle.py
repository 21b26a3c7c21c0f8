"""What was told against what stands: a notice is the difference between the two, and nothing else is one.

Law: told again only on a rise in severity, an escalation, a reminder, a correction, or a reopening after the cool-down.
"""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from typing import Literal

import msgspec

from schemas.alerts import STANDING, Standing, State, Told, Transition
from schemas.intervals import SEVERITIES, Interval, Severity
from schemas.rulepack import RulePack


class Cause(msgspec.Struct, frozen=True):
    """Why the service decides now: an event (a response among them), the passage of time, or a new rule pack."""

    event_id: str | None = None
    rule_pack: bool = False
    response: bool = False


class Change(msgspec.Struct, frozen=True):
    """One transition to be told: what is now remembered of the alert, and what it rests on."""

    transition: Transition
    told: Told
    interval: Interval | None = None
    corrects: str | None = None
    into: str | None = None
    by: str | None = None


Intervals = Callable[[str | None, str, str | None], Iterable[Interval]]
"""The intervals of (patient_id, rule_id, episode) on the charts that are looked at; None: of any."""

_ENDED: frozenset[State] = frozenset({"resolved", "superseded"})

_STATE_TRANSITIONS: Mapping[State, Transition] = {"acknowledged": "acknowledged", "snoozed": "snoozed"}


def _rank(severity: Severity) -> int:
    return SEVERITIES.index(severity)


class Lifecycle:
    """The transitions of alerts, with the figures of a rule pack."""

    def __init__(self, pack: RulePack) -> None:
        figures = {name: float(limit.value) for name, limit in pack.lifecycle.items()}
        self.cool_down = {s: timedelta(days=figures[f"cool_down_{s}"]) for s in SEVERITIES}
        self.escalate_after = {s: timedelta(hours=figures[f"escalate_{s}"]) for s in ("warning", "critical")}

    def compare(
        self,
        told: Mapping[str, Told],
        stands: Mapping[str, Standing],
        hidden: frozenset[str],
        intervals: Intervals,
        now: datetime,
        cause: Cause,
    ) -> tuple[dict[str, Told], list[Change]]:
        """What is remembered afterwards, and the changes to tell, in a stable order."""
        after = dict(told)
        changes: list[Change] = []
        for key in sorted(told):
            known = told[key]
            if known.state in STANDING and key not in stands:
                changes += self._gone(known, after, stands, hidden, intervals, now, cause)
            elif known.state in _ENDED and key not in stands and key not in hidden and cause.event_id:
                changes += self._never_was(known, after, intervals, now, cause)
        taken_back = any(change.transition == "withdrawn" for change in changes)
        for key in sorted(stands):
            changes += self._there(stands[key], after, now, cause, taken_back=taken_back)
        return after, changes

    def due(self, told: Iterable[Told]) -> Iterable[datetime]:
        """The instants at which an unacknowledged alert escalates."""
        for known in told:
            after = self.escalate_after.get(known.severity)
            if after is not None and known.state == "open" and not known.escalated and not known.silent:
                yield known.told_at + after

    # ---- an alert that was told and does not stand

    def _gone(
        self,
        known: Told,
        after: dict[str, Told],
        stands: Mapping[str, Standing],
        hidden: frozenset[str],
        intervals: Intervals,
        now: datetime,
        cause: Cause,
    ) -> Iterable[Change]:
        own = [i for i in intervals(known.patient_id, known.rule_id, known.episode) if i.began <= now]
        successor = None if own else _successor(known, stands)
        if successor is not None:
            yield self._transfer(known, successor, after)
            return
        transition: Literal["withdrawn", "superseded", "resolved"] = "withdrawn"
        if known.alert_id in hidden:
            transition = "superseded"
        elif any(i.alert_ends <= now and known.effective_at < i.alert_ends for i in own):
            transition = "resolved"
        ended = msgspec.structs.replace(
            known, state=transition, ended_at=now, sequence=known.sequence + (not known.silent), silent=False
        )
        after[known.alert_id] = ended
        if known.silent:
            return
        corrects = cause.event_id if transition == "withdrawn" else None
        yield Change(transition, ended, _last(own, known), corrects=corrects)

    def _never_was(
        self, known: Told, after: dict[str, Told], intervals: Intervals, now: datetime, cause: Cause
    ) -> Iterable[Change]:
        """An alert that ended or was superseded, and whose finding a correction has undone: whoever was told is told.

        Topic: a finding that goes on elsewhere (another episode, another identity) was there all the same.
        """
        everywhere = intervals(None, known.rule_id, None)
        if any(i.began <= now and (i.holds(known.effective_at) or i.began >= known.effective_at) for i in everywhere):
            return
        ended = msgspec.structs.replace(known, state="withdrawn", sequence=known.sequence + 1)
        after[known.alert_id] = ended
        yield Change("withdrawn", ended, None, corrects=cause.event_id)

    def _transfer(self, known: Told, successor: Standing, after: dict[str, Told]) -> Change:
        """The alert goes on under another identity: remembered there as told, never paged again."""
        before = after.get(successor.alert_id)
        if before is None or before.state not in STANDING:
            after[successor.alert_id] = msgspec.structs.replace(
                known,
                alert_id=successor.alert_id,
                patient_id=successor.patient_id,
                episode=successor.episode,
                effective_at=successor.effective_at,
                sequence=before.sequence if before else 0,
            )
        ended = msgspec.structs.replace(known, state="transferred", sequence=known.sequence + 1)
        after[known.alert_id] = ended
        return Change("transferred", ended, successor.interval, into=successor.alert_id)

    # ---- an alert that stands

    def _there(
        self, s: Standing, after: dict[str, Told], now: datetime, cause: Cause, *, taken_back: bool
    ) -> Iterable[Change]:
        known = after.get(s.alert_id)
        if known is None:
            yield self._tell("raised", s, None, after, now)
            if s.state != "open":
                yield from self._answered(s, after, now)
            return
        if known.state == "transferred":  # it comes back from where it went: whoever was told then is not told again
            known = after[s.alert_id] = msgspec.structs.replace(known, state="open")
        if known.state not in STANDING:
            yield from self._back(s, known, after, now, cause, taken_back=taken_back)
            return
        if s.effective_at != known.effective_at:
            known = after[s.alert_id] = msgspec.structs.replace(known, effective_at=s.effective_at)
        if s.severity != known.severity:
            yield from self._graded(s, known, after, now, cause)
        yield from self._answered(s, after, now)
        yield from self._escalated(s, after, now)

    def _tell(
        self,
        transition: Transition,
        s: Standing,
        known: Told | None,
        after: dict[str, Told],
        now: datetime,
        corrects: str | None = None,
    ) -> Change:
        told = Told(
            alert_id=s.alert_id,
            patient_id=s.patient_id,
            episode=s.episode,
            rule_id=s.rule_id,
            sequence=known.sequence + 1 if known else 1,
            severity=s.severity,
            state="open",
            effective_at=s.effective_at,
            told_at=now,
        )
        after[s.alert_id] = told
        return Change(transition, told, s.interval, corrects=corrects)

    def _back(
        self, s: Standing, known: Told, after: dict[str, Told], now: datetime, cause: Cause, *, taken_back: bool
    ) -> Iterable[Change]:
        """It stands again: within the cool-down untold, unless it is more severe or its end was taken back.

        Topic: an end is taken back when the same finding goes on over it, or when what superseded it was withdrawn.
        """
        cooling = known.ended_at is not None and now < known.ended_at + self.cool_down[known.severity]
        same = cause.event_id is not None and s.effective_at == known.effective_at
        undone = same and (known.state == "resolved" or taken_back)
        anew = known.state == "withdrawn" or undone or _rank(s.severity) > _rank(known.severity)
        if cooling and not anew:
            after[s.alert_id] = msgspec.structs.replace(
                known, state=s.state, effective_at=s.effective_at, severity=s.severity, silent=True
            )
            return
        corrects = cause.event_id if undone and known.state == "resolved" and not cause.response else None
        yield self._tell("reopened", s, known, after, now, corrects)
        if s.state != "open":
            yield from self._answered(s, after, now)

    def _graded(
        self, s: Standing, known: Told, after: dict[str, Told], now: datetime, cause: Cause
    ) -> Iterable[Change]:
        rises = _rank(s.severity) > _rank(known.severity)
        corrects = cause.event_id if cause.event_id and s.risen_at < now and not rises else None
        if known.silent and not rises:
            after[s.alert_id] = msgspec.structs.replace(known, severity=s.severity)
        elif rises:
            yield self._tell("severity_raised", s, known, after, now, corrects)
        else:
            told = msgspec.structs.replace(known, severity=s.severity, sequence=known.sequence + 1)
            after[s.alert_id] = told
            yield Change("severity_lowered", told, s.interval, corrects=corrects)

    def _answered(self, s: Standing, after: dict[str, Told], now: datetime) -> Iterable[Change]:
        known = after[s.alert_id]
        if s.state == known.state:
            return
        transition = _STATE_TRANSITIONS.get(s.state) or ("reminded" if known.state == "snoozed" else "reopened")
        told = msgspec.structs.replace(known, state=s.state)
        if s.state == "open":  # asked again: the time to answer starts anew
            told = msgspec.structs.replace(told, told_at=now, escalated=False)
        if not known.silent:
            told = msgspec.structs.replace(told, sequence=known.sequence + 1)
        after[s.alert_id] = told
        if not known.silent:
            yield Change(transition, told, s.interval, by=s.by)

    def _escalated(self, s: Standing, after: dict[str, Told], now: datetime) -> Iterable[Change]:
        known = after[s.alert_id]
        if any(due <= now for due in self.due([known])):
            told = msgspec.structs.replace(known, escalated=True, sequence=known.sequence + 1)
            after[s.alert_id] = told
            yield Change("escalated", told, s.interval)


def _last(own: Iterable[Interval], known: Told) -> Interval | None:
    """The interval that ended, for what the notice says."""
    return max((i for i in own if i.began <= known.effective_at), key=lambda i: i.began, default=None)


def _successor(known: Told, stands: Mapping[str, Standing]) -> Standing | None:
    """The alert that goes on with the same finding: the same rule, in the same episode or over the same time."""
    candidates = [s for s in stands.values() if s.rule_id == known.rule_id and s.alert_id != known.alert_id]
    same_time = [s for s in candidates if s.effective_at == known.effective_at or s.interval.holds(known.effective_at)]
    same_episode = [s for s in candidates if s.episode == known.episode]
    elsewhere = [s for s in candidates if s.patient_id != known.patient_id]
    found = same_episode or same_time or elsewhere
    return min(found, key=lambda s: (s.effective_at, s.alert_id), default=None)
