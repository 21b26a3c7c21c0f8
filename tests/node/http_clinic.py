"""A node in memory, with the manners of the real one: the real intake, ward and monitor; nothing durable."""

from collections import Counter
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from functools import cache
from typing import Any, Final

import httpx
from fastapi import FastAPI

from schemas.alerts import STANDING, Alert, Notice
from schemas.events import AnyEvent
from schemas.events import Patient as PatientEvent
from schemas.intervals import SEVERITIES
from schemas.wire import decode, encode
from streams.chart.chart import Chart
from streams.inputs import Intake
from streams.intake.fhir import translate_fhir_bytes
from streams.intake.hl7v2 import split_hl7v2
from streams.intake.native import translate_native
from streams.intake.outcome import Translation
from streams.intake.site import MemoryDirectory
from streams.node.access import Access
from streams.node.access_audit import MemoryAudit
from streams.node.clock import SetClock
from streams.node.http import HttpSettings, Numbered, Readiness, Sample, Slice, Wanted, app
from streams.node.http.names import name_of
from streams.node.http.reads import Place
from streams.node.port import Incoming, ItemOutcome, Outcome
from streams.service import Service
from streams.ward import MemoryCharts, Ward
from tests.fortnight.hospital import files, settings

NOW: Final = datetime(2026, 3, 16, 12, tzinfo=UTC)
"""A fortnight of the invented hospital is over."""
HERE: Final = "http://127.0.0.1"


@cache
def service() -> Service:
    """The invented hospital's tables and rules."""
    return Service(settings())


class MemoryNode:
    """Receiver and Reads at once."""

    def __init__(self, clock: SetClock | None = None) -> None:
        self.clock = clock or SetClock(NOW)
        self.monitor = service().monitor
        self.ward = Ward(self.monitor, MemoryCharts())
        self.directory = MemoryDirectory()
        self.intake = Intake(service().settings.site, service().tables, self.directory)
        self.received: list[Incoming] = []
        self.failing: list[Exception] = []
        self.told: list[Numbered] = []
        self.said_who: list[PatientEvent] = []
        self.known: dict[bytes, Outcome] = {}
        self.came_from: dict[tuple[str, str], list[Incoming]] = {}
        self.ended: dict[str, Alert] = {}
        self.ready = Readiness("ready")
        self.counts: Counter[tuple[str, str, str]] = Counter()

    # ---- as a receiver

    async def receive(self, message: Incoming) -> Outcome:
        if self.failing:
            raise self.failing.pop(0)
        self.received.append(message)
        if message.raw in self.known:
            again = tuple(ItemOutcome(i.event_id, "duplicate") for i in self.known[message.raw].items)
            return Outcome(items=again, duplicate=True)
        outcome = self.take(message)
        if not outcome.refusals:
            self.known[message.raw] = outcome
        return outcome

    async def receive_all(self, messages: Sequence[Incoming]) -> list[Outcome]:
        return [await self.receive(message) for message in messages]

    def take(self, message: Incoming, at: datetime | None = None) -> Outcome:
        """Decide a message at an instant."""
        made = self.translated(message)
        if made.all_or_nothing and made.refusals:
            return Outcome(refusals=made.refusals, refused_whole=True)
        items = []
        for event in made.events:
            now = at or self.clock.now()
            self.hear(event)
            self.tell(self.ward.advance(now))
            self.tell(self.ward.receive(event, now))
            self.came_from.setdefault((event.source, event.event_id), []).append(message)
            self.counts[message.channel, event.kind, "accepted"] += 1
            items.append(ItemOutcome(event.event_id, "accepted"))
        whole = bool(made.refusals) and not made.events
        return Outcome(tuple(items), made.refusals, sum(made.ignored.values()), refused_whole=whole)

    def translated(self, message: Incoming) -> Translation:
        """What the intake makes of a message."""
        if message.format == "hl7v2":
            return self.intake.hl7v2(message.raw)
        if message.format == "event":
            return translate_native(message.raw)
        site, tables, directory = self.intake.site, self.intake.tables, self.intake.directory
        return translate_fhir_bytes(message.raw, site=site, tables=tables, directory=directory)

    def hear(self, event: AnyEvent) -> None:
        """Remember who somebody is said to be."""
        if isinstance(event, PatientEvent):
            self.said_who.append(event)

    def tell(self, notices: Iterable[Notice]) -> None:
        """Remember notices, and how the alert was."""
        for notice in notices:
            self.told.append(Numbered(len(self.told) + 1, notice))

    # ---- as reads

    def _alerts(self, *, standing: bool) -> list[Alert]:
        found = {a.alert_id: a for a in self.ward.standing(self.clock.now())}
        if not standing:
            for each in self.told:
                if each.notice.alert_id not in found:
                    self.ended[each.notice.alert_id] = _ended(each.notice)
            found = {**self.ended, **found}
        return sorted(found.values(), key=_place)

    def alerts(self, wanted: Wanted) -> Slice:
        survivor = self.ward.people.survivor(wanted.patient) if wanted.patient else None
        found = [
            a
            for a in self._alerts(standing=wanted.standing)
            if wanted.severity in (None, a.severity)
            and wanted.rule in (None, a.rule_id)
            and survivor in (None, self.ward.people.survivor(a.patient_id))
            and (wanted.after is None or _place(a) > wanted.after)
        ]
        items = tuple(found[: wanted.limit])
        return Slice(items, _place(items[-1]) if len(found) > wanted.limit else None)

    def alert(self, alert_id: str) -> Alert | None:
        return next((a for a in self._alerts(standing=False) if a.alert_id == alert_id), None)

    def chart(self, patient_id: str) -> Chart | None:
        return self.ward.charts.get(self.ward.people.survivor(patient_id))

    def notices(self, after: int, limit: int) -> Sequence[Numbered]:
        return self.told[after : after + limit]

    def last_notice(self) -> int:
        return len(self.told)

    def notices_of(self, patient_id: str) -> Sequence[Notice]:
        survivor = self.ward.people.survivor(patient_id)
        return [n.notice for n in self.told if self.ward.people.survivor(n.notice.patient_id) == survivor]

    def name(self, patient_ids: Sequence[str]) -> str | None:
        return name_of(decode(encode(each)) for each in self.said_who if each.patient_id in patient_ids)

    def known_as(self, address: str) -> str | None:
        return self.intake.directory.patient(address)

    def addresses(self, patient_ids: Sequence[str]) -> Sequence[str]:
        known = self.directory._patients.items()  # noqa: SLF001 - it is only asked the other way round
        return sorted(address for address, patient_id in known if patient_id in patient_ids)

    def messages(self, source: str, event_id: str) -> Sequence[Incoming]:
        return self.came_from.get((source, event_id), [])

    def readiness(self) -> Readiness:
        return self.ready

    def samples(self) -> Iterable[Sample]:
        for (channel, kind, outcome), n in self.counts.items():
            yield Sample("trabecula_events_total", {"channel": channel, "kind": kind, "outcome": outcome}, n)
        opened = Counter((a.severity, a.state) for a in self._alerts(standing=True))
        for (severity, state), n in opened.items():
            yield Sample("trabecula_alerts_open", {"severity": severity, "state": state}, n)
        yield Sample("trabecula_patients", {}, sum(1 for _ in self.ward.charts))

    def now(self) -> datetime:
        return self.clock.now()


def _place(alert: Alert) -> Place:
    return SEVERITIES[::-1].index(alert.severity), alert.alert_id


_STATES: Final = {"resolved", "withdrawn", "superseded", "transferred"}


def _ended(notice: Notice) -> Alert:
    state = notice.transition if notice.transition in _STATES else "resolved"
    assert state not in STANDING
    return Alert.model_validate(notice.model_dump() | {"state": state})


# ---- a node with a fortnight in it


def hospital() -> MemoryNode:
    """The invented hospital after its fortnight, to do with as one likes."""
    known, node = _fortnight(), MemoryNode()
    for chart in known.ward.charts:  # charts and people are never changed, only replaced
        node.ward.charts.put(chart)
    node.ward.people = known.ward.people
    node.ward.expect((chart.patient_id, chart.next_check_at) for chart in known.ward.charts)
    node.told = list(known.told)
    node.said_who = list(known.said_who)
    node.came_from = {key: list(found) for key, found in known.came_from.items()}
    return node


@cache
def _fortnight() -> MemoryNode:
    """The fortnight, taken event by event in the order of its recording."""
    node = MemoryNode()
    for event, message in fortnight():
        at = event.recorded_at.astimezone(UTC)
        node.hear(event)
        node.tell(node.ward.advance(at))
        node.tell(node.ward.receive(event, at))
        node.came_from.setdefault((event.source, event.event_id), []).append(message)
    node.tell(node.ward.advance(NOW))
    return node


def fortnight() -> list[tuple[AnyEvent, Incoming]]:
    """The events of the hospital's files in the order of their recording, each with the message that it came from."""
    node = MemoryNode()
    events = []
    for name, content in files().items():
        for message in _messages(content, name):
            events += [(event, message) for event in node.translated(message).events]
    return sorted(events, key=lambda each: (each[0].recorded_at, each[0].event_id))


def _messages(content: bytes, name: str) -> list[Incoming]:
    if name.endswith(".hl7"):
        return [Incoming("mllp", "hl7v2", raw, NOW) for raw in split_hl7v2(content)]
    return [
        Incoming(
            "fhir" if b'"resourceType"' in raw else "events", "fhir" if b'"resourceType"' in raw else "event", raw, NOW
        )
        for raw in content.splitlines()
    ]


# ---- the application


def made(
    node: MemoryNode | None = None, access: Access | None = None, **settings: Any
) -> tuple[FastAPI, MemoryNode, MemoryAudit]:
    """The application on a node in memory."""
    node = node or MemoryNode()
    audit = MemoryAudit()
    if access is None:
        access = Access(None, None, audit)
    elif isinstance(access.audit, MemoryAudit):
        audit = access.audit
    site = node.intake.site
    application = app(node, node, HttpSettings(**settings), access, monitor=node.monitor, clock=node.clock, site=site)
    return application, node, audit


@asynccontextmanager
async def client(application: FastAPI, base: str = HERE, **more: Any) -> AsyncIterator[httpx.AsyncClient]:
    """A client in process."""
    transport = httpx.ASGITransport(application, raise_app_exceptions=True)
    async with httpx.AsyncClient(transport=transport, base_url=base, **more) as asking:
        yield asking


# ---- events


def calcium(event_id: str, *, patient: str = "4711008", value: Any = 3.4, **more: Any) -> dict[str, Any]:
    """A laboratory result as a feed sends it."""
    return {
        "kind": "lab_result",
        "event_id": event_id,
        "patient_id": patient,
        "source": "lab",
        "record_id": f"record {event_id}",
        "recorded_at": "2026-03-16T08:00:00+01:00",
        "code": {"system": "http://loinc.org", "code": "2000-8"},
        "value": value,
        "unit": "mmol/L",
        "status": "final",
        "collected_at": "2026-03-16T07:00:00+01:00",
    } | more


def ndjson(*events: dict[str, Any]) -> bytes:
    """Events, one a line."""
    return b"\n".join(map(encode, events))
