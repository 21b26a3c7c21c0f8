"""Intervals over which a rule holds, and the few ways in which clinical rules make them."""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Literal, TypeAlias

import msgspec

from schemas.days import FOREVER

Severity = Literal["info", "advisory", "warning", "critical"]
SEVERITIES: tuple[Severity, ...] = ("info", "advisory", "warning", "critical")
Scalar: TypeAlias = str | int | float | None
Details: TypeAlias = tuple[tuple[str, Scalar], ...]


class Evidence(msgspec.Struct, frozen=True, array_like=True):
    """One thing that an alert rests on; `record_id` and `event_id` lead to the message it came from."""

    what: str
    record_id: str = ""
    event_id: str = ""
    source: str = ""
    value: Scalar = None
    unit: str | None = None
    begins: datetime | None = None
    ends: datetime | None = None


class Interval(msgspec.Struct, frozen=True):
    """[began, ended): a finding, from facts alone, projected as if no more events came.

    `closed` is the instant at which the alert ends though the finding goes on (answered, worked up);
    `steps` are severities from instants on (empty: the rule's own severity throughout);
    `episode` is set by rules that count inside an episode, else the episode that contains `began`;
    `details` fill the rule's sentence; `step_details`, one a step where the steps differ in it, fill it from that
    step on.
    """

    began: datetime
    ended: datetime = FOREVER
    closed: datetime = FOREVER
    steps: tuple[tuple[datetime, Severity], ...] = ()
    episode: str | None = None
    evidence: tuple[Evidence, ...] = ()
    details: Details = ()
    step_details: tuple[Details, ...] = ()

    @property
    def alert_ends(self) -> datetime:
        """When the alert of this finding stops standing."""
        return min(self.ended, self.closed)

    def holds(self, at: datetime) -> bool:
        """The finding holds at the instant, whatever was answered."""
        return self.began <= at < self.ended

    def stands(self, at: datetime) -> bool:
        """The alert stands at the instant."""
        return self.began <= at < self.alert_ends

    def severity(self, at: datetime, usual: Severity) -> Severity:
        """The severity in force at the instant."""
        return next((s for since, s in reversed(self.steps) if since <= at), self.steps[0][1] if self.steps else usual)

    def details_at(self, at: datetime) -> Details:
        """What fills the sentence at the instant: what is told of the severity then in force."""
        told = zip(self.steps, self.step_details, strict=False)
        return next((d for (since, _), d in reversed(tuple(told)) if since <= at), self.details)

    def risen(self, at: datetime) -> datetime:
        """The instant of the latest rise in severity up to `at`; without one, when it began."""
        rise = self.began
        for (_, before), (since, after) in zip(self.steps, self.steps[1:], strict=False):
            if since <= at and SEVERITIES.index(after) > SEVERITIES.index(before):
                rise = since
        return rise

    def boundaries(self) -> tuple[datetime, ...]:
        """The instants at which time alone changes something."""
        return (self.began, self.ended, self.closed, *(since for since, _ in self.steps))


Intervals: TypeAlias = tuple[Interval, ...]


def holds(intervals: Intervals, at: datetime) -> bool:
    """Some interval contains the instant."""
    return any(interval.holds(at) for interval in intervals)


def clip(interval: Interval, until: datetime) -> Interval | None:
    """The interval up to an instant; None if it only begins then or later."""
    if interval.began >= until:
        return None
    return interval if interval.ended <= until else msgspec.structs.replace(interval, ended=until)


class Sign(msgspec.Struct, frozen=True):
    """An instant at which a rule's trigger is met, with what shows it."""

    at: datetime
    evidence: tuple[Evidence, ...] = ()
    details: Details = ()


def runs(
    signs: Iterable[Sign],
    ends: Callable[[Sequence[Sign]], datetime | None],
    limit: datetime = FOREVER,
) -> Intervals:
    """Intervals that a sign opens, later signs prolong and an end closes.

    Topic: `ends(signs so far)` gives the first instant that ends a run whose signs were these (asked again after each
    sign), or None. A sign after an end begins anew; a sign at the very instant of an end too. Nothing begins at or
    after `limit` (the end of the episode), and everything ends there.
    Returns: the intervals in order; the evidence of a run is that of all its signs.
    """
    made: list[Interval] = []
    run: list[Sign] = []
    end: datetime | None = None

    def close() -> None:
        if run:
            evidence = tuple(e for sign in run for e in sign.evidence)
            made.append(Interval(run[0].at, min(end or FOREVER, limit), evidence=evidence, details=run[0].details))

    for sign in sorted(signs, key=lambda s: s.at):
        if sign.at >= limit:
            continue
        if run and end is not None and end <= sign.at:
            close()
            run = []
        run.append(sign)
        end = ends(run)
    close()
    return tuple(made)


def united(intervals: Iterable[Interval]) -> Intervals:
    """Overlapping or touching intervals made one: the first's beginning, the latest's end, all evidence."""
    made: list[Interval] = []
    for interval in sorted(intervals, key=lambda i: i.began):
        last = made[-1] if made else None
        if last is not None and interval.began <= last.ended:
            made[-1] = msgspec.structs.replace(
                last,
                ended=max(last.ended, interval.ended),
                evidence=last.evidence + tuple(e for e in interval.evidence if e not in last.evidence),
            )
        else:
            made.append(interval)
    return tuple(made)
