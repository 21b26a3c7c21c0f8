"""Delivery of a node: a courier for each receiver, none of whom waits for another."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from datetime import datetime
from typing import Any, Final, Protocol
from zoneinfo import ZoneInfo

from alerting.delivery.message import Receiver
from alerting.delivery.routes import Settings
from alerting.delivery.settings import DeliverySettings, FileSettings, WebhookSettings
from alerting.receivers.file import FileReceiver
from alerting.receivers.webhook import WebhookReceiver
from streams.node.clock import Clock, SystemClock
from streams.node.delivery_courier import Courier, Status
from streams.node.delivery_rows import Outbox, Refused
from streams.node.logs import Log, place_of
from streams.node.port import NotDurableError, QueueFullError
from streams.node.store import Store
from streams.node.store_rows import Rows

LOG: Final = Log("delivery")
_FULL: Final = 0.1
"""Seconds until work is offered again to an engine that has too much."""
_AFTER_A_MISTAKE: Final = 5.0
"""Seconds until a courier that failed begins again."""


class Writer(Protocol):
    """Whoever writes the store: an engine, or a writer alone."""

    def call(self, job: Callable[[Any], Any]) -> Future[Any]:
        """Do a job as a part of a transaction; its exception takes it back.

        Errors: QueueFullError; of the answer NotDurableError.
        """


class EngineDesk:
    """The engine as couriers see it."""

    def __init__(self, engine: Writer, store: Store, clock: Clock) -> None:
        self._engine = engine
        self._rows = store.rows
        self._clock = clock

    async def do(self, job: Callable[[Rows, datetime], Any]) -> Any:
        """Do a job in the writer's transaction; it waits as long as the engine has too much.

        Errors: NotDurableError; whatever the job raises, after taking back what it did.
        """
        while True:
            try:
                answer = self._engine.call(lambda _desk: job(self._rows, self._clock.now()))
            except QueueFullError:
                await asyncio.sleep(_FULL)
            else:
                return await asyncio.wrap_future(answer)


class Delivery:
    """Every receiver of a node. Started after the engine and before the feeds; closed after the feeds, before it.

    `mistakes`: what made couriers of receivers fail and begin again, by receiver.
    """

    def __init__(
        self, settings: DeliverySettings, store: Store, engine: Writer, zone: ZoneInfo, *, clock: Clock | None = None
    ) -> None:
        self._settings = settings
        self._clock = clock or SystemClock()
        self._folder = store.folder
        self._bells = store.bells
        self._desk = EngineDesk(engine, store, self._clock)
        self._zone = zone
        self._couriers: dict[str, Courier] = {}
        self._receivers: list[Receiver] = []
        self._tasks: list[asyncio.Task[None]] = []
        self._take_down: Callable[[], None] | None = None
        self.mistakes: dict[str, str] = {}

    async def start(self, grace: float = 3.0) -> None:
        """Begin to deliver.

        Errors: OSError, ssl.SSLError where certificates of a receiver cannot be read; apsw.Error.
        """
        self._receivers = [_receiver(each) for each in self._settings.receivers]
        self._outbox = Outbox(self._folder)
        for each, receiver in zip(self._settings.receivers, self._receivers, strict=True):
            courier = Courier(each, receiver, self._outbox, self._desk, self._clock, self._zone)
            self._couriers[each.name] = courier
            self._tasks.append(asyncio.create_task(self._keep_running(courier, grace), name=f"courier {each.name}"))
        self._take_down = self._bells.hang(self._nudge)

    async def close(self) -> None:
        """Stop: what is under way may finish, the rest is sent after the next start."""
        for courier in self._couriers.values():
            courier.stop()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._take_down is not None:
            self._take_down()
            self._take_down = None
            self._outbox.close()
        await asyncio.gather(*(receiver.close() for receiver in self._receivers), return_exceptions=True)

    async def _keep_running(self, courier: Courier, grace: float) -> None:
        name = courier.settings.name
        while True:
            try:
                return await courier.run(grace)
            except NotDurableError as error:  # the engine has stopped, and so has everything
                self.mistakes[name] = str(error)
                courier.stop()
                return None
            except Exception as error:  # noqa: BLE001 - a mistake of ours is shown, and stops no other receiver
                self.mistakes[name] = type(error).__name__
                LOG.error(  # noqa: TRY400 - what it failed on may be a notice
                    "courier_failed", receiver=name, error=self.mistakes[name], place=place_of(error.__traceback__)
                )
                if courier.is_stopping:
                    return None
                await asyncio.sleep(_AFTER_A_MISTAKE)

    def _nudge(self) -> None:
        """There is something new; should nobody say so, each courier looks once a second by itself."""
        for courier in self._couriers.values():
            courier.nudge()

    # ---- for operators

    def status(self) -> list[Status]:
        """How each receiver fares."""
        return [courier.status() for courier in self._couriers.values()]

    def lags(self) -> Iterator[tuple[str, float]]:
        """Of each receiver, for how many seconds the oldest notice has been waiting for it that should not wait."""
        now = self._clock.now()
        for each in self.status():
            lag = 0.0 if each.oldest_at is None else (now - each.oldest_at).total_seconds()
            yield each.name, max(0.0, lag)

    def refused(self, receiver: str | None = None, most: int = 1_000) -> Sequence[Refused]:
        """What receivers refused for good, the latest first."""
        return self._outbox.refused(receiver, most)

    async def redrive(self, receiver: str, notice_id: str | None = None, *, overtaken: bool = False) -> int:
        """Send again what a receiver refused, all or one; returns how many notices.

        Topic: what it took a later notice of the same alert after is left out, unless it is asked for: `overtaken`.
        Errors: KeyError for a receiver that there is not; NotDurableError.
        """
        return await self._couriers[receiver].redrive(notice_id, overtaken=overtaken)


def _receiver(settings: Settings) -> Receiver:
    match settings:
        case WebhookSettings():
            return WebhookReceiver(settings)
        case FileSettings():
            return FileReceiver(settings)
