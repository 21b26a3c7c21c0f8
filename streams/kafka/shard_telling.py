"""What a partition tells and withholds, and how its alerts stand: records for the topics of notices and alerts."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Final

import msgspec

from schemas.alerts import STANDING, Alert, Notice, Told
from schemas.events import AnyEvent
from schemas.wire import decode, encode
from streams.alert_records import alert_of
from streams.kafka.records import Moved, alert_record, notice_record
from streams.kafka.shard_state import Kept
from streams.kafka.work import Count, Sent
from streams.paged_charts import Changed
from streams.replay import History
from streams.ward import Ward

_LOADING: Final = b"loading/"
_WITHHELD: Final = b"withheld/"
_TOLD: Final = b"told/"
_ALERT: Final = b"alert/"


class ShardTelling:
    """The outbox of a partition, what is withheld while a source loads old data, and the alerts as they stand.

    `moved`: alerts whose memory has left for another partition with the record under way.
    """

    def __init__(self, kept: Kept, ward: Ward, sends: list[Sent], counts: Counter[Count]) -> None:
        self._kept = kept
        self._ward = ward
        self._sends = sends
        self._counts = counts
        self._latest: dict[str, Notice] = {}
        self.moved: set[str] = set()
        self.history = History(ward)
        self.load()

    def load(self) -> None:
        """Take up what the state knows; what was taken back is forgotten."""
        self._latest.clear()
        self.moved.clear()
        self.history = History(self._ward)
        for _, value in self._kept.scan(_LOADING):
            source, patient_id = msgspec.msgpack.decode(value, type=tuple[str, str])
            self.history.loading.setdefault(source, set()).add(patient_id)
        for key, value in self._kept.scan(_WITHHELD):
            self.history.withheld[key[len(_WITHHELD) :].decode()] = Notice.model_validate(decode(value))
        self.history.standing.update(key[len(_TOLD) :].decode() for key, _ in self._kept.scan(_TOLD))

    # ---- notices

    def of_event(self, event: AnyEvent, notices: Sequence[Notice], now: datetime) -> None:
        """Tell or withhold what an event changed; the first live event of a source that loaded tells its digest."""
        was_loading = not event.history and event.source in self.history.loading
        self._saw(notices)
        told = self.history.of_event(event, notices, now)
        if event.history:
            self._load(event.source, event.patient_id)
        self._withhold(notices)
        if was_loading:
            self._loaded(event.source)
        self._release()
        self._tell(told, now)

    def of_clock(self, notices: Sequence[Notice]) -> None:
        """Tell or withhold what time, a new rule pack, or what came from elsewhere changed."""
        self._saw(notices)
        told = list(self.history.told(notices))
        self._withhold(notices)
        self._tell(told)

    def go_live(self, source: str, now: datetime) -> None:
        """End the loading of a source; its digest is told now."""
        if source not in self.history.loading:
            return
        digest = self.history.live(source, now)
        self._loaded(source)
        self._release()
        self._tell(digest, now)

    def _saw(self, notices: Iterable[Notice]) -> None:
        self._latest.update((notice.alert_id, notice) for notice in notices)

    def _load(self, source: str, patient_id: str) -> None:
        packed = msgspec.msgpack.encode((source, patient_id))
        self._kept.put(_LOADING + packed, packed)

    def _loaded(self, source: str) -> None:
        for key, value in list(self._kept.scan(_LOADING)):
            if msgspec.msgpack.decode(value, type=tuple[str, str])[0] == source:
                self._kept.put(key, None)

    def _withhold(self, notices: Iterable[Notice]) -> None:
        for notice in notices:
            if self.history.withheld.get(notice.alert_id) is notice:
                self._kept.put(_WITHHELD + notice.alert_id.encode(), encode(notice))

    def _release(self) -> None:
        for alert_id in self.history.released:
            self._kept.put(_WITHHELD + alert_id.encode(), None)
        self.history.released.clear()

    def _tell(self, notices: Iterable[Notice], now: datetime | None = None) -> None:
        """`now`: when what stands after a load is told together."""
        for notice in notices:
            together = now if notice.notice_id in self.history.digested else None
            self._sends.append(notice_record(notice, together))
            for alert_id in filter(None, (notice.alert_id, notice.into)):
                self._spoke(alert_id)
            labels = ("rule", notice.rule_id), ("transition", notice.transition)
            self._counts["notices", (*labels, ("severity", notice.severity), ("mode", notice.mode))] += 1
        self.history.digested.clear()

    def _spoke(self, alert_id: str) -> None:
        self._kept.put(_TOLD + alert_id.encode(), b"1" if alert_id in self.history.standing else None)

    # ---- alerts

    def write(self, changed: Sequence[Changed], now: datetime) -> None:
        """Write how the alerts of the charts stand that were changed."""
        before = {key: told for c in changed if c.before for key, told in c.before.told.items()}
        after = {key for c in changed if c.after for key in c.after.told}
        for alert_id in before.keys() - after:
            self._gone(alert_id)
        for one in changed:
            if one.after is not None and one.after.told:
                self._stand(one, before, now)
        self._latest.clear()
        self.moved.clear()

    def _gone(self, alert_id: str) -> None:
        """An alert of somebody who was forgotten is removed; one that moved is written where it is kept now."""
        self.forget(alert_id)
        if alert_id not in self.moved:
            self._sends.append(alert_record(alert_id, None))

    def forget(self, alert_id: str) -> None:
        """Keep nothing of an alert here."""
        self.history.withheld.pop(alert_id, None)
        self.history.standing.discard(alert_id)
        for prefix in (_WITHHELD, _TOLD, _ALERT):
            self._kept.put(prefix + alert_id.encode(), None)

    def _stand(self, one: Changed, before: Mapping[str, Told], now: datetime) -> None:
        chart = one.after
        if chart is None or (one.before and chart.values is one.before.values and chart.told == one.before.told):
            return
        if any(told.state in STANDING for told in chart.told.values()):
            for alert in self._ward.monitor.alerts(chart, now):
                if alert.alert_id in chart.told:  # others stand by now, and are due to be decided
                    self._write(alert)
        for key, told in chart.told.items():
            if told.state not in STANDING and before.get(key) != told:
                self._end(told)

    def _end(self, told: Told) -> None:
        known = self._kept.get(_ALERT + told.alert_id.encode())
        if known is not None:
            alert = Alert.model_validate(decode(known))
            self._write(alert.model_copy(update={"state": told.state, "sequence": told.sequence}))
        elif (notice := self._latest.get(told.alert_id)) is not None:
            self._write(alert_of(notice, told))

    def _write(self, alert: Alert) -> None:
        key, body = _ALERT + alert.alert_id.encode(), encode(alert)
        if self._kept.get(key) != body:
            self._kept.put(key, body)
            self._sends.append(alert_record(alert.alert_id, alert))

    # ---- what moves with a patient

    def leaving(self, patient_ids: Iterable[str], alert_ids: Iterable[str]) -> Moved:
        """What was told and withheld of alerts, and who still loads whom; nothing of it stays here."""
        leave, names = set(alert_ids), set(patient_ids)
        loading = tuple(
            (source, patient) for source, patients in self.history.loading.items() for patient in patients & names
        )
        withheld = tuple(encode(notice) for key, notice in self.history.withheld.items() if key in leave)
        told = tuple(sorted(leave & self.history.standing))
        alerts = tuple(body for key in sorted(leave) if (body := self._kept.get(_ALERT + key.encode())) is not None)
        for alert_id in leave:
            self.forget(alert_id)
        self.moved |= leave
        return Moved(loading=loading, withheld=withheld, told=told, alerts=alerts)

    def arriving(self, moved: Moved) -> None:
        """Take over what was told and withheld elsewhere."""
        for source, patient_id in moved.loading:
            self.history.loading.setdefault(source, set()).add(patient_id)
            self._load(source, patient_id)
        for body in moved.withheld:
            notice = Notice.model_validate(decode(body))
            self.history.withheld[notice.alert_id] = notice
            self._kept.put(_WITHHELD + notice.alert_id.encode(), body)
        for alert_id in moved.told:
            self.history.standing.add(alert_id)
            self._spoke(alert_id)
        for body in moved.alerts:
            self._kept.put(_ALERT + Alert.model_validate(decode(body)).alert_id.encode(), body)
