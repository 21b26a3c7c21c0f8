"""A node with a store for operators' routes: feeds that loaded, messages that were refused, a receiver that refuses."""

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Final

from fastapi import FastAPI

from streams.node.access import Access
from streams.node.access_audit import MemoryAudit
from streams.node.delivery_courier import Status
from streams.node.delivery_rows import Refused
from streams.node.http import HttpSettings, app
from streams.node.http.store_reads import StoreReads
from streams.node.operations import Operations
from streams.node.store_letters import LetterBox
from tests.events import heparin, pregnancy
from tests.node.engine_clinic import Node
from tests.support import on

BAD_HL7: Final = b"MSH|^~\\&|LAB|HOSP|T|H|20250101|||M-2|P|2.5.1\r"
NOT_UTF8: Final = b'{"kind": "nonsense", "source": "ward \xff"}'
BAD_EVENT: Final = b'{"kind": "nonsense", "event_id": "x", "source": "pharmacy"}'


class FakeReceivers:
    """One receiver that refused something for good."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self.asked: list[tuple[str, str | None, bool]] = []

    def status(self) -> list[Status]:
        return [
            Status("pager", "webhook", 1, 0, is_failing=True, reason="busy", status=503, oldest_at=self._node.clock.at)
        ]

    def refused(self, receiver: str | None = None, most: int = 1_000) -> Sequence[Refused]:
        at = self._node.clock.at
        return [Refused(receiver or "pager", "n" * 64, "a" * 64, "refused", 400, 1, at, is_overtaken=False)][:most]

    async def redrive(self, receiver: str, notice_id: str | None = None, *, overtaken: bool = False) -> int:
        self.asked.append((receiver, notice_id, overtaken))
        return 1


def operated_application(folder: Path, audit: MemoryAudit | None = None) -> tuple[FastAPI, Node]:
    """The application of a node in which a feed loads old data and three messages were refused."""
    node = Node(folder, on(95))
    node.take_all([e.model_copy(update={"history": True}) for e in (pregnancy(30), heparin(42, starts=42))])
    node.clock.at = on(95) + timedelta(minutes=1)
    node.wait_until(node.clock.at)
    node.take(BAD_HL7, form="hl7v2")
    node.take(NOT_UTF8)
    node.take(BAD_EVENT)
    operated = Operations(node.engine, FakeReceivers(node), node.reading, LetterBox(folder))
    reads = StoreReads(node.reading, node.engine, node.monitor, node.clock)
    access = Access(None, None, audit or MemoryAudit())
    made = app(node.engine, reads, HttpSettings(), access, monitor=node.monitor, clock=node.clock, operated=operated)
    return made, node
