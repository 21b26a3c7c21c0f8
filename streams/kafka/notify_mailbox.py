"""One receiver of the Kafka deployment: its group, its spool, and the courier of a node that delivers from it.

Law: a receiver has nothing in common with another but the process: no thread, no file, no connection.
"""

import asyncio
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

from aiokafka import AIOKafkaProducer

from alerting.delivery.routes import Settings
from alerting.delivery.settings import DeliverySettings
from schemas.topics import DEAD_LETTERS, NOTICES
from streams.kafka.connection import Connection
from streams.kafka.notify_intake import Intake
from streams.kafka.notify_parking import RECEIVER, refused_letter, unreadable_letter
from streams.kafka.notify_spool import Arrived, Spool, is_notice
from streams.kafka.records import DIGEST_AT
from streams.kafka.work import Sent
from streams.kafka.writing import Writer
from streams.node.delivery import Delivery
from streams.node.logs import Log, place_of
from streams.node.port import NotDurableError
from streams.node.store import Store
from streams.node.store_reading import Counted, Reading

LOG: Final = Log("delivery")
GROUP: Final = "trabecula.notify."
MOST_UNREAD: Final = 5_000
"""Notices in a spool that nobody has looked at; the rest waits in the topic."""
_COMMIT_EVERY: Final = 1.0
_AFTER_A_MISTAKE: Final = 5.0
_GRACE: Final = 3.0
"""Seconds for what is under way when partitions are given up, or the process ends."""
_PARK: Final = 100


@dataclass(frozen=True, slots=True)
class Terms:
    """What all receivers of a process have in common."""

    connection: Connection
    data: Path
    zone: ZoneInfo
    producer: AIOKafkaProducer
    """Of dead letters."""
    session: float


class Mailbox:
    """One receiver."""

    def __init__(self, settings: Settings, terms: Terms) -> None:
        self.settings = settings
        self.lag = 0.0
        """Seconds for which the oldest notice has been waiting that should not wait."""
        self.is_ready = False
        self._terms = terms
        self._topic = terms.connection.name(NOTICES.name)
        self._spool = Spool(settings, terms.zone)
        self._writer = Writer(Store(terms.data / settings.name))
        self._writer.call(lambda _: self._spool.prepare(self._writer.store.rows)).result()
        self._reading = Reading(terms.data / settings.name)
        self._intake: Intake | None = None
        self._delivery: Delivery | None = None
        self._committed: dict[int, int] = {}
        self._looked_at = 0.0
        self._stopping = asyncio.Event()
        self._settling = asyncio.Lock()

    @property
    def name(self) -> str:
        """The receiver."""
        return self.settings.name

    # ---- its life

    async def run(self) -> None:
        """Deliver until `stop`. A mistake of ours is shown, and is begun anew after; a disk that failed ends it.

        Errors: NotDurableError.
        """
        while not self._stopping.is_set():
            try:
                await self._member()
            except Exception as error:
                if self._writer.failure is not None:
                    raise NotDurableError(str(self._writer.failure)) from error
                kind, place = type(error).__name__, place_of(error.__traceback__)
                LOG.error("courier_failed", receiver=self.name, error=kind, place=place)  # noqa: TRY400 - as above
                await self._pause(_AFTER_A_MISTAKE)

    async def _pause(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._stopping.wait()
        except TimeoutError:
            return

    def stop(self) -> None:
        """Begin nothing more."""
        self._stopping.set()

    def close(self) -> None:
        """Leave the spool to others."""
        self._reading.close()
        self._writer.close()

    async def _member(self) -> None:
        """Be a member of the group until `stop`, or a mistake."""
        connection = self._terms.connection
        intake = Intake(
            connection,
            self._topic,
            connection.name(f"{GROUP}{self.name}"),
            at_the_beginning=self.settings.begins == "beginning",
            give_up=self._give_up,
            session=self._terms.session,
        )
        self._intake = intake
        try:
            await intake.start()
            while not self._stopping.is_set():
                await self._turn(intake)
        finally:
            await self._give_up()
            await intake.stop()
            self._intake = None

    async def _turn(self, intake: Intake) -> None:
        if intake.is_new:
            await self._take_up(intake)
        records = await intake.some()
        if records:
            await self._take(intake, records)
        if self._delivery is not None and time.monotonic() - self._looked_at >= _COMMIT_EVERY:
            await self._look(intake)

    # ---- partitions come and go

    async def _take_up(self, intake: Intake) -> None:
        await self._give_up()
        given = await intake.given()
        if intake.is_new:
            return
        now = datetime.now(UTC)
        found = await self._writer.do(lambda rows: self._spool.own(rows, given.began, given.committed, now))
        self._committed = dict(given.committed)
        intake.read_from(found)
        store, zone = self._writer.store, self._terms.zone
        self._delivery = Delivery(DeliverySettings(receivers=(self.settings,)), store, self._writer, zone)
        await self._delivery.start(_GRACE)
        self.is_ready = True

    async def _give_up(self) -> None:
        """Let what is under way be taken, and say how far it is."""
        self.is_ready = False
        delivery, self._delivery = self._delivery, None
        if delivery is not None:
            await delivery.close()
            if self._writer.failure is None and self._intake is not None:
                await self._settle(self._intake)

    # ---- what comes

    async def _take(self, intake: Intake, records: Sequence[Any]) -> None:
        arrived = [self._arrived(record) for record in records]
        now = datetime.now(UTC)
        for one in arrived:
            if one.is_others and not is_notice(one.body):
                origin = f"{self._topic}/{one.partition}/{one.offset}"
                await self._send(unreadable_letter(self.name, one.body, origin, now.isoformat()))
        again = await self._writer.do(lambda rows: self._spool.take(rows, arrived, now))
        await self._hold(intake)
        if again and self._delivery is not None:
            with suppress(NotDurableError):  # partitions are given up just now; the spool has them
                await self._delivery.redrive(self.name, again[-1])  # it looks at the whole spool anew

    def _arrived(self, record: Any) -> Arrived:
        """A record as a notice for this receiver."""
        headers = {name: value.decode("utf-8", "replace") for name, value in record.headers}
        only, at = headers.get(RECEIVER), headers.get(DIGEST_AT)
        known = record.offset < self._committed.get(record.partition, 0)
        body = record.value or b""
        return Arrived(
            record.partition,
            record.offset,
            record.timestamp,
            body,
            None if at is None else datetime.fromisoformat(at),
            is_known=known,
            is_redriven=only == self.name,
            is_others=(only is not None and (known or only != self.name)) or not is_notice(body),
        )

    # ---- how far it is

    async def _look(self, intake: Intake) -> None:
        self._looked_at = time.monotonic()
        if self._delivery is not None:
            self.lag = max((seconds for _, seconds in self._delivery.lags()), default=0.0)
        await self._settle(intake)
        await self._hold(intake)

    async def _hold(self, intake: Intake) -> None:
        """Let no more come than somebody looks at."""
        unread = await self._writer.do(self._spool.backlog)
        intake.hold(is_full=unread > MOST_UNREAD)

    async def _settle(self, intake: Intake) -> None:
        """Make dead letters of what was refused for good, then commit what is out of the way."""
        async with self._settling:
            await self._park()
            await self._commit(intake)

    async def _park(self) -> None:
        """Errors: KafkaError."""
        parked = await self._writer.do(lambda rows: self._spool.to_park(rows, self._topic, _PARK))
        for one in parked:
            await self._send(refused_letter(self.name, one))
        if parked:
            await self._writer.do(lambda rows: self._spool.parked(rows, [one.ordinal for one in parked]))

    async def _commit(self, intake: Intake) -> None:
        settled = await self._writer.do(self._spool.settled)
        news = {p: at for p, at in settled.items() if p in self._committed and at > self._committed[p]}
        if news and await intake.commit(news):
            self._committed.update(news)
            await self._writer.do(lambda rows: self._spool.committed(rows, news))

    async def _send(self, letter: Sent) -> None:
        """Errors: KafkaError."""
        topic = self._terms.connection.name(DEAD_LETTERS.name)
        await self._terms.producer.send_and_wait(topic, letter.value, letter.key, headers=list(letter.headers))

    # ---- who was forgotten

    async def forgetting(self) -> dict[int, int]:
        """How far the topic of alerts was read for this receiver."""
        return await self._writer.do(self._spool.forgetting)

    async def forget(self, alerts: Mapping[str, int], positions: Mapping[int, int]) -> None:
        """Take out what waits of alerts that were forgotten, by id and instant.

        Errors: NotDurableError.
        """
        keep = self._writer.forget if alerts else self._writer.do
        await keep(lambda rows: self._spool.forget(rows, alerts, positions))

    # ---- for operators

    def counted(self) -> list[Counted]:
        """What became of each attempt."""
        return [one for one in self._reading.counters() if one.family == "deliveries"]
