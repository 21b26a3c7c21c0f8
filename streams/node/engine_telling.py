"""What is told and what is held back, and how each alert stands: in the transaction of what changed it."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime

from schemas.alerts import STANDING, Notice, Told
from schemas.events import AnyEvent
from schemas.wire import decode, encode
from streams.alert_records import alert_of
from streams.node.store_rows import Count, Rows
from streams.paged_charts import Changed
from streams.replay import History
from streams.ward import Ward


class Telling:
    """The outbox, what is withheld while a source loads old data, and the alerts as they stand."""

    def __init__(self, rows: Rows, ward: Ward, counts: Counter[Count], clock: Callable[[], datetime]) -> None:
        self._rows = rows
        self._ward = ward
        self._monitor = ward.monitor
        self._counts = counts
        self._clock = clock
        self._latest: dict[str, Notice] = {}
        self.history = self._kept_history()

    def load(self) -> None:
        """Take up what the store knows; what was taken back is forgotten."""
        self._latest.clear()
        self.history = self._kept_history()

    def _kept_history(self) -> History:
        history = History(self._ward)
        db = self._rows.db
        for source, patient_id in db.execute("SELECT source, patient_id FROM loading"):
            history.loading.setdefault(source, set()).add(patient_id)
        for alert_id, body in db.execute("SELECT alert_id, body FROM withheld"):
            history.withheld[alert_id] = Notice.model_validate(decode(body))
        history.standing.update(alert_id for (alert_id,) in db.execute("SELECT alert_id FROM told"))
        return history

    # ---- notices

    def of_event(self, event: AnyEvent, notices: Sequence[Notice]) -> None:
        """Tell or withhold what an event changed; the first live event of a source that loaded tells its digest."""
        was_loading = not event.history and event.source in self.history.loading
        self._latest.update((notice.alert_id, notice) for notice in notices)
        told = self.history.of_event(event, notices, self._clock())
        if event.history:
            sql = "INSERT OR IGNORE INTO loading VALUES (?, ?)"
            self._rows.db.execute(sql, (event.source, event.patient_id))
        self._withhold(notices)
        if was_loading:
            self._rows.db.execute("DELETE FROM loading WHERE source = ?", (event.source,))
        self._release()
        self._tell(told)

    def of_clock(self, notices: Sequence[Notice]) -> None:
        """Tell or withhold what time, or a new rule pack, changed."""
        self._latest.update((notice.alert_id, notice) for notice in notices)
        told = list(self.history.told(notices))
        self._withhold(notices)
        self._tell(told)

    def go_live(self, source: str) -> list[Notice]:
        """End the loading of a source; returns the digest that is told now."""
        if source not in self.history.loading:
            return []
        digest = self.history.live(source, self._clock())
        self._rows.db.execute("DELETE FROM loading WHERE source = ?", (source,))
        self._release()
        self._tell(digest)
        self._rows.db.execute("UPDATE source SET state = 'live' WHERE source = ?", (source,))
        return digest

    def _withhold(self, notices: Iterable[Notice]) -> None:
        for notice in notices:
            if self.history.withheld.get(notice.alert_id) is notice:
                sql = "INSERT OR REPLACE INTO withheld VALUES (?, ?, ?)"
                self._rows.db.execute(sql, (notice.alert_id, notice.patient_id, encode(notice)))

    def _release(self) -> None:
        for alert_id in self.history.released:
            self._rows.db.execute("DELETE FROM withheld WHERE alert_id = ?", (alert_id,))
        self.history.released.clear()

    def _tell(self, notices: Iterable[Notice]) -> None:
        for notice in notices:
            together = notice.notice_id in self.history.digested
            if not self._rows.put_notice(notice, self._clock() if together else None):
                continue
            for alert_id in filter(None, (notice.alert_id, notice.into)):
                waits = alert_id in self.history.standing
                sql = "INSERT OR IGNORE INTO told VALUES (?)" if waits else "DELETE FROM told WHERE alert_id = ?"
                self._rows.db.execute(sql, (alert_id,))
            labels = ("rule", notice.rule_id), ("transition", notice.transition)
            self._counts["notices", (*labels, ("severity", notice.severity), ("mode", notice.mode))] += 1
        self.history.digested.clear()

    # ---- alerts

    def write(self, changed: Sequence[Changed], now: datetime) -> None:
        """Write how the alerts of the charts stand that a message changed."""
        before = {key: told for c in changed if c.before for key, told in c.before.told.items()}
        after = {key for c in changed if c.after for key in c.after.told}
        for alert_id in before.keys() - after:
            self._rows.remove_alert(alert_id)
            self.history.withheld.pop(alert_id, None)
            self.history.standing.discard(alert_id)
        for one in changed:
            if one.after is not None and one.after.told:
                self._stand(one, before, now)
        self._latest.clear()

    def _stand(self, one: Changed, before: Mapping[str, Told], now: datetime) -> None:
        chart = one.after
        if chart is None or (one.before and chart.values is one.before.values and chart.told == one.before.told):
            return
        if any(told.state in STANDING for told in chart.told.values()):
            for alert in self._monitor.alerts(chart, now):
                if alert.alert_id in chart.told:  # others stand by now, and are due to be decided
                    self._rows.put_alert(alert, now)
        for key, told in chart.told.items():
            if told.state not in STANDING and before.get(key) != told:
                self._end(told, now)

    def _end(self, told: Told, now: datetime) -> None:
        if self._rows.end_alert(told, now) or (notice := self._latest.get(told.alert_id)) is None:
            return
        self._rows.put_alert(alert_of(notice, told), now)
        self._rows.end_alert(told, now)
