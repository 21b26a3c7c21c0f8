"""The canary: a patient of the node's own, whose message goes the whole way once in a while and leaves nothing behind.

Topic: it waits in the engine's queue, is read, folded and judged by a desk as the real one on the same tables, and its
notice stands in the outbox; then all of that is taken back. What is committed is that it sang, and the canary is heard
once a reader sees that. Nobody can be told of it, and no list has to leave it out (docs/decisions/0011).
"""

import asyncio
import time
import uuid
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any, Final

from prometheus_client.core import GaugeMetricFamily, Metric

from schemas.tables import Tables
from schemas.wire import encode
from streams.intake.site import Site
from streams.monitor import Monitor
from streams.node.clock import Clock
from streams.node.engine import Engine
from streams.node.engine_desk import Desk
from streams.node.logs import Log, place_of
from streams.node.port import Incoming, NotDurableError
from streams.node.store import Store
from streams.node.store_reading import Reading
from streams.paged_charts import decided_by
from streams.replay import History

EVERY: Final = 15.0
"""Seconds between two songs: as often as the metrics are usually looked at."""
SANG: Final = "canary"
"""The setting of the store that has the latest song."""
LOG: Final = Log("canary")
_SOURCE: Final = "trabecula-canary"
_CALCIUM: Final = {"code": {"system": "http://loinc.org", "code": "2000-8"}, "value": 4.2, "unit": "mmol/L"}
"""In a pregnancy one such result is enough for a notice: CAL-01."""
_PREGNANT: Final = timedelta(days=150)


class _Perch(Desk):
    """A desk of the canary's own: what it remembers of a song is forgotten with it."""

    def __init__(self, store: Store, monitor: Monitor, tables: Tables, site: Site) -> None:
        super().__init__(store, monitor, tables, site, decided_by(monitor), held=1)
        self.forget()

    def forget(self) -> None:
        """As if nothing had been taken; the checks and the history of real patients are none of its business."""
        self.charts.drop()
        self.ward.expect(())
        self.telling.history = History(self.ward)
        self._last = self._rows.last_message()
        self.committed()


class Canary:
    """Sings through an engine; begun before the engine is started, heard on a reader of its own."""

    def __init__(
        self, engine: Engine, store: Store, reading: Reading, monitor: Monitor, tables: Tables, site: Site, clock: Clock
    ) -> None:
        self._engine = engine
        self._store = store
        self._reading = reading
        self._clock = clock
        self._perch = _Perch(store, monitor, tables, site)
        self._name = f"canary {uuid.uuid4()}"
        self._songs = 0
        self._took = 0.0
        self._waits_since: float | None = None
        self._is_missed = False

    # ---- in the event loop

    async def run(self, every: float = EVERY) -> None:
        """Sing for ever."""
        while True:
            await self.sing()
            await asyncio.sleep(every)

    async def sing(self) -> bool:
        """Sing once; whether it was heard."""
        began = time.monotonic()
        self._waits_since = self._waits_since or began
        try:
            heard = await self._is_heard()
        except NotDurableError:  # the node stops, or takes nothing more for now
            return self._silent()
        except Exception as error:  # noqa: BLE001 - whatever fails, the canary is silent, which is what is to be seen
            return self._silent(error)
        if not heard:
            return self._silent()
        if self._is_missed:
            LOG.info("canary_heard", seconds=round(self.seconds(), 3))
        self._took, self._waits_since, self._is_missed = time.monotonic() - began, None, False
        return True

    def _silent(self, error: Exception | None = None) -> bool:
        """Say once that it is not heard, and why if something failed."""
        if not self._is_missed:
            why = {"error": type(error).__name__, "place": place_of(error.__traceback__)} if error else {}
            LOG.warning("canary_silent", **why)
        self._is_missed = True
        return False

    async def _is_heard(self) -> bool:
        self._songs += 1
        song = f"{self._name} {self._songs}".encode()
        sang = await asyncio.wrap_future(self._engine.call(lambda _desk: self._sing(song)))
        return bool(sang) and await asyncio.to_thread(self._reading.setting, SANG) == song

    def seconds(self) -> float:
        """How long the latest song took, or how long one has not been heard, whichever is longer."""
        waits = 0.0 if self._waits_since is None else time.monotonic() - self._waits_since
        return max(self._took, waits)

    def collect(self) -> Iterator[Metric]:
        """The gauge (a prometheus_client collector)."""
        words = "From a canary's message to its notice, durable; grows while the canary is not heard."
        yield GaugeMetricFamily("trabecula_canary_seconds", words, value=self.seconds())

    # ---- in the engine's thread, in its transaction

    def _sing(self, song: bytes) -> bool:
        self._store.begin_part()
        try:
            now = self._perch.begin(self._clock.now())
            self._perch.take(Incoming("events", "event", encode(self._message(song, now)), now))
            sql = "SELECT count(*) FROM notice WHERE patient_id = ?"
            sang: int = self._store.rows.db.execute(sql, (self._name,)).get
        finally:
            self._store.take_back_part()
            self._perch.forget()
        if sang:
            self._store.rows.set_setting(SANG, song)
        return sang > 0

    def _message(self, song: bytes, now: datetime) -> list[dict[str, Any]]:
        told = {"patient_id": self._name, "source": _SOURCE, "recorded_at": now}
        begun = {"kind": "pregnancy", "status": "pregnant", "last_menstrual_period": (now - _PREGNANT).date()}
        result = _CALCIUM | {"kind": "lab_result", "status": "final", "collected_at": now}
        return [
            told | {"event_id": f"{song.decode()} {each['kind']}", "record_id": each["kind"]} | each
            for each in (begun, result)
        ]
