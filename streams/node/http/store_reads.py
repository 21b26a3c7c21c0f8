"""The reads of a node with a store: `Reading` and the engine, as the routes and pages ask them."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Final, Literal, Protocol

from schemas.alerts import Alert, Notice
from schemas.days import FOREVER
from schemas.wire import decode
from streams.chart.chart import Chart
from streams.monitor import Monitor
from streams.node.clock import Clock
from streams.node.http.names import name_of
from streams.node.http.reads import Numbered, Place, Readiness, Sample, Slice, Wanted
from streams.node.port import Incoming
from streams.node.store_reading import MOST, Reading

_WORDS: Final[dict[str, Literal["starting", "ready", "stopping", "failed"]]] = {
    "new": "starting",
    "running": "ready",
    "stopping": "stopping",
    "stopped": "stopping",
}
LAST_NOTICE: Final = "trabecula_rule_last_notice_timestamp_seconds"


class EngineState(Protocol):
    """What is asked of the engine."""

    @property
    def state(self) -> str:
        """new, running, stopping, stopped or failed."""

    @property
    def why(self) -> str | None:
        """Why it is not running, in words that name no patient."""


class StoreReads:
    """`Reads` of a store."""

    def __init__(self, reading: Reading, engine: EngineState, monitor: Monitor, clock: Clock) -> None:
        self._reading = reading
        self._engine = engine
        self._monitor = monitor
        self._clock = clock

    # ---- alerts and notices

    def alerts(self, wanted: Wanted) -> Slice:
        found = self._reading.alerts(
            "standing" if wanted.standing else "all",
            severity=wanted.severity,
            rule=wanted.rule,
            patient=wanted.patient,
            after=f"{wanted.after[0]}-{wanted.after[1]}" if wanted.after else None,
            limit=wanted.limit,
        )
        return Slice(tuple(map(Alert.model_validate, found.items)), _place(found.next))

    def alert(self, alert_id: str) -> Alert | None:
        found = self._reading.alert(alert_id)
        return None if found is None else Alert.model_validate(found)

    def notices(self, after: int, limit: int) -> Sequence[Numbered]:
        return [Numbered(each.ordinal, _notice(each.body)) for each in self._reading.notices(after, limit)]

    def last_notice(self) -> int:
        return self._reading.last_ordinal()

    def notices_of(self, patient_id: str) -> Sequence[Notice]:
        alerts = self.alerts(Wanted(MOST, standing=False, patient=patient_id)).items
        return [Notice.model_validate(told) for a in alerts for told in self._reading.notices_of(a.alert_id)]

    # ---- patients

    def chart(self, patient_id: str) -> Chart | None:
        found = self._reading.patient(patient_id)
        if found is None:
            return None
        chart = self._monitor.chart(found.patient_id, found.page.facts, found.page.told)
        chart.next_check_at = found.page.next_check_at or FOREVER
        return chart

    def name(self, patient_ids: Sequence[str]) -> str | None:
        return name_of(self._reading.patient_events(patient_ids))

    def known_as(self, address: str) -> str | None:
        return self._reading.known_as(address)

    def addresses(self, patient_ids: Sequence[str]) -> Sequence[str]:
        return self._reading.addresses(patient_ids)

    def messages(self, source: str, event_id: str) -> Sequence[Incoming]:
        return self._reading.messages_of(source, event_id)

    # ---- operations

    def readiness(self) -> Readiness:
        state = self._engine.state
        return Readiness(_WORDS.get(state, "failed"), self._engine.why or "")

    def samples(self) -> Iterable[Sample]:
        for each in self._reading.counters():
            yield Sample(f"trabecula_{each.family}_total", each.labels, each.value)
        yield from self._open()
        yield Sample("trabecula_patients", {}, self._reading.how_many_patients())
        now = self._clock.now()
        for feed in self._reading.sources():
            silence = (now - feed.received_at).total_seconds()
            yield Sample("trabecula_feed_silence_seconds", {"source": feed.source}, silence)
        yield from self._rules()
        pack = self._monitor.pack
        yield Sample("trabecula_rulepack_info", {"version": pack.version, "sha256": pack.sha256}, 1)

    def _open(self) -> Iterator[Sample]:
        for severity, state, count in self._reading.alerts_open():
            yield Sample("trabecula_alerts_open", {"severity": severity, "state": state}, count)

    def _rules(self) -> Iterator[Sample]:
        """Every rule of the pack: one that never said anything is as much to be seen as one that did."""
        said = self._reading.rules_said()
        for rule_id in self._monitor.pack.rules:
            at = said.get(rule_id)
            yield Sample(LAST_NOTICE, {"rule": rule_id}, 0.0 if at is None else at.timestamp())

    def now(self) -> datetime:
        return self._clock.now()


def _place(word: str | None) -> Place | None:
    if word is None:
        return None
    urgency, _, alert_id = word.partition("-")
    return int(urgency), alert_id


def _notice(body: bytes) -> Notice:
    return Notice.model_validate(decode(body))
