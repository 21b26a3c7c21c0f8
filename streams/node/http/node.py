"""What the routes work with, and how they come by it."""

import asyncio
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Annotated, Final, TypeVar

from fastapi import Depends
from starlette.applications import Starlette
from starlette.requests import Request

from streams.intake.site import Site
from streams.monitor import Monitor
from streams.node.access import Access, Principal
from streams.node.access_audit import Action, AuditEntry
from streams.node.clock import Clock
from streams.node.http.metrics import Metrics
from streams.node.http.problems import ProblemError
from streams.node.http.reads import Reads
from streams.node.http.settings import HttpSettings
from streams.node.operations import Operations
from streams.node.port import Incoming, Outcome, Receiver

Result = TypeVar("Result")
LOCAL_NAMES: Final = frozenset({"localhost", "127.0.0.1", "[::1]"})


class Doorbell:
    """Wakes everybody who waits for notices."""

    def __init__(self) -> None:
        self._rung = asyncio.Event()
        self.stopped = False

    def ring(self) -> None:
        """There may be something new. Called in the event loop."""
        self._rung.set()
        self._rung = asyncio.Event()

    def stop(self) -> None:
        """Nobody is told anything any more."""
        self.stopped = True
        self.ring()

    async def wait(self, seconds: float) -> None:
        """Until somebody rings, or for so long."""
        try:
            async with asyncio.timeout(seconds):
                await self._rung.wait()
        except TimeoutError:
            return


class Node:
    """The engine, its reads, and what is set."""

    def __init__(
        self,
        receiver: Receiver,
        reads: Reads,
        settings: HttpSettings,
        access: Access,
        *,
        monitor: Monitor,
        clock: Clock,
        metrics: Metrics,
        operations: Operations | None = None,
        site: Site | None = None,
    ) -> None:
        self.settings = settings
        self.access = access
        self.monitor = monitor
        self.clock = clock
        self.metrics = metrics
        self.operations = operations
        self.site = site or Site()
        self.started = clock.now()
        self.doorbell = Doorbell()
        self.streams = 0
        self._receiver = receiver
        self._reads = reads
        self._thread: ThreadPoolExecutor | None = None

    async def ask(self, question: Callable[[Reads], Result]) -> Result:
        """Ask the reads something."""
        return await asyncio.get_running_loop().run_in_executor(self._asking(), question, self._reads)

    async def scrape(self) -> bytes:
        """The metrics, the engine's included."""
        return await asyncio.get_running_loop().run_in_executor(self._asking(), self.metrics.text)

    def _asking(self) -> ThreadPoolExecutor:
        """One thread: a reader of the store is asked one thing at a time, and the event loop acknowledges meanwhile."""
        if self._thread is None:
            self._thread = ThreadPoolExecutor(1, "reads")
        return self._thread

    async def receive(self, message: Incoming) -> Outcome:
        """Have a message taken.

        Errors: NotDurableError, QueueFullError.
        """
        began = time.perf_counter()
        outcome = await self._receiver.receive(message)
        self.metrics.acknowledged(message.channel, time.perf_counter() - began)
        return outcome

    async def receive_all(self, messages: Sequence[Incoming]) -> list[Outcome]:
        """Have messages of one channel taken together; measured as one.

        Errors: NotDurableError, QueueFullError.
        """
        began = time.perf_counter()
        outcomes = await self._receiver.receive_all(messages)
        self.metrics.acknowledged(messages[0].channel, time.perf_counter() - began)
        return outcomes

    async def note(self, request: Request, action: Action, patients: tuple[str, ...] = (), detail: str = "") -> None:
        """Note in the audit what somebody did.

        Errors: NotDurableError.
        """
        who = principal_of(request)
        route = f"{request.method} {route_of(request)}"
        at = self.clock.now()
        await self.access.audit.record(AuditEntry(at, who.subject, who.how, action, route, patients, detail))

    def close(self) -> None:
        """End what runs beside the event loop."""
        self.doorbell.stop()
        if self._thread is not None:
            self._thread.shutdown(wait=False, cancel_futures=True)
            self._thread = None


def node_of(request: Request) -> Node:
    """The node that a request is made to."""
    return node_in(request.app)


def node_in(application: Starlette) -> Node:
    """The node of an application."""
    node: Node = application.state.node
    return node


def principal_of(request: Request) -> Principal:
    """Who makes a request; known once it was admitted."""
    principal: Principal = request.state.principal
    return principal


def route_of(request: Request) -> str:
    """The template of the route: what may stand in a log."""
    route = request.scope.get("route")
    path = str(getattr(route, "path", "unmatched"))
    return path.replace(":path}", "}")


def feed_of(request: Request) -> str | None:
    """The authenticated sender, if anybody has to say who they are."""
    principal = principal_of(request)
    return None if principal.how == "loopback" else principal.subject


AtNode = Annotated[Node, Depends(node_of)]


def not_found() -> ProblemError:
    """There is no such thing."""
    return ProblemError(404, "no such thing here")
