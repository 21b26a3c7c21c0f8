"""The Faust application of a worker: what is kept of Faust, and where the engine is put in.

Topic: kept are the application and its supervision, the agent that decides on chunks, the consumer of a group with its
rebalances, and the assignor, which gives a partition of the events and its changelog to the same worker and keeps
standbys; that it does so for the changelog is what the table is for. docs/decisions/ says what is replaced, and why.
"""

from collections.abc import AsyncIterable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

import faust
from faust.events import Event
from faust.tables.manager import TableManager
from faust.tables.recovery import Recovery
from faust.types import TP
from faust.types.auth import CredentialsT
from faust.types.tuples import Message
from mode import Service

from streams.kafka.chunks import Chunk
from streams.kafka.consumer import LaneConsumer, LaneTransport
from streams.kafka.engine import Engine

if TYPE_CHECKING:
    from faust.transport.conductor import Conductor

_HEARTBEATS: Final = 10
"""In a session: a rebalance waits for the heartbeat of every member."""
_RAW: Final = "raw"


class Ownership(Recovery):
    """What Faust's recovery is reduced to: telling the engine what the assignor gave to this worker."""

    app: "WorkerApp"

    @Service.task
    async def _restart_recovery(self) -> None:
        while not self.should_stop:
            waited: Any = self.signal_recovery_start
            if await self.wait_for_stopped(waited):
                break
            self.signal_recovery_start.clear()
            rebalance = self.app.rebalancing_count
            await self.app.lanes.pause_all()
            await self._resume_streams(self._generation_id)
            if rebalance == self.app.rebalancing_count and not self.signal_recovery_start.is_set():
                await self._own()

    async def _own(self) -> None:
        assignor = self.app.assignor
        owned = {tp.partition for tp in assignor.assigned_actives() if tp.topic == self.app.lanes.events}
        changelogs = self.tables.changelog_topics
        followed = {tp.partition for tp in assignor.assigned_standbys() if tp.topic in changelogs}
        await self.app.engine.assign(owned, followed)

    @Service.task
    async def _slurp_changelogs(self) -> None:
        """Changelogs are read by streams.kafka.recovery."""


class Tables(TableManager):
    """Faust's tables, with that recovery."""

    @property
    def recovery(self) -> Recovery:
        if self._recovery is None:
            self._recovery = Ownership(self.app, self, beacon=self.beacon, loop=self.loop)
        return self._recovery


class WorkerApp(faust.App):
    """The application; the engine is put in once the loop runs."""

    engine: Engine

    @property
    def lanes(self) -> LaneConsumer:
        """The consumer."""
        return cast("LaneConsumer", self.consumer)

    def _new_transport(self) -> LaneTransport:
        return LaneTransport(self.conf.broker_consumer, self)

    async def crashing(self) -> None:
        """Returns when Faust has failed; `crash_reason` says why."""
        await self._crashed.wait()

    def connect(self, engine: Engine, events: str, was_away: Callable[[], bool]) -> None:
        """Let the consumer and the agent know of the engine, and whether this process stood still lately."""
        self.engine = engine
        self.lanes.events = events
        self.lanes.quiet = engine.quiet
        self.lanes.fail = engine.fail
        self.lanes.was_away = was_away

    async def deliver(self, partition: int, chunk: Chunk) -> None:
        """Hand a chunk to the agent, as the one event that it is."""
        last = chunk.records[-1]
        where = TP(self.lanes.events, partition)
        message = Message(
            where.topic,
            partition,
            last.offset,
            last.timestamp / 1000,
            0,
            None,
            None,
            None,
            None,
            tp=where,
            generation_id=self.consumer_generation_id,
        )
        conductor = cast("Conductor", self.topics)
        for topic in conductor._tp_index[where]:  # noqa: SLF001
            await topic.queue.put(Event(self, None, chunk, None, message))


@dataclass(frozen=True, slots=True)
class Group:
    """Which topics are read, and by whom; names with their prefix."""

    id: str
    events: str
    changelog: str


def worker_app(
    group: Group, bootstrap: str, data: Path, *, standbys: int, session: float, credentials: CredentialsT | None
) -> WorkerApp:
    """An application that has not begun.

    Units: `session` in seconds.
    """
    app = WorkerApp(
        group.id,
        broker=[f"kafka://{address}" for address in bootstrap.split(",")],
        datadir=data,
        store="memory://",
        web_enabled=False,
        autodiscover=False,
        topic_allow_declare=False,
        topic_disable_leader=True,
        stream_wait_empty=True,
        table_standby_replicas=standbys,
        broker_session_timeout=session,
        broker_heartbeat_interval=session / _HEARTBEATS,
        TableManager=Tables,
        broker_credentials=credentials,
    )
    changelog = app.topic(group.changelog, key_serializer=_RAW, value_serializer=_RAW, acks=False)
    app.Table("state", changelog_topic=changelog)
    events = app.topic(group.events, key_serializer=_RAW, value_serializer=_RAW, acks=False)

    @app.agent(events, name="decides")
    async def decide(chunks: AsyncIterable[Chunk]) -> None:
        async for chunk in chunks:
            chunk.take()

    return app
