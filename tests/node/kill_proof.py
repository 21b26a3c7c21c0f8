"""The proof: what a node holds after many kills against what was sent to it, its own log, and what was delivered."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec

from alerting.delivery.message import DIGEST
from schemas.days import to_utc
from schemas.wire import decode
from streams.chart import codec
from streams.node.engine_replay import replay_log
from streams.node.schema import instant
from streams.node.store import Store
from streams.node.store_reading import MOST, Reading, Told
from streams.service import Service
from streams.settings import load_settings
from streams.shell import Report
from streams.ward import Ward
from tests.delivery.receiving import Request, Server
from tests.node.engine_clinic import ward_state
from tests.node.kill_feeds import Payload, Way, by_way


@dataclass(frozen=True, slots=True)
class Proof:
    """How much was proved."""

    messages: int
    events: int
    charts: int
    standing: int
    notices: int
    twice: int

    def __str__(self) -> str:
        return (
            f"{self.messages} messages kept, {self.events} events, {self.charts} charts, {self.standing} alerts stand, "
            f"{self.notices} notices, {self.twice} delivered twice"
        )


def undelivered(data: Path, receiver: Server) -> int:
    """Notices of the outbox that the receiver has not taken."""
    reading = Reading(data)
    try:
        return len({told.notice_id for told in outbox(reading)} - set(_taken(receiver)))
    finally:
        reading.close()


def outbox(reading: Reading) -> list[Told]:
    """Every notice in order."""
    found: list[Told] = []
    while part := reading.notices(found[-1].ordinal if found else 0, MOST):
        found += part
    return found


def proof(folder: Path, payloads: Sequence[Sequence[Payload]], acknowledged: list[bytes], receiver: Server) -> Proof:
    """Prove that nothing was lost of what a stopped node acknowledged.

    Errors: AssertionError.
    """
    service = Service(load_settings(folder / "site.toml"))
    store, reading = Store(folder / "data"), Reading(folder / "data")
    try:
        held = Held.of(store, reading)
        sent = by_way(payloads)
        _is_kept(store, set(acknowledged), {raw for raws in sent.values() for raw in raws})
        _is_what_its_log_says(store, service, held)
        _is_what_a_replay_says(folder, service, sent, held)
        twice = _is_told(held, store, receiver)
        messages: int = store.rows.db.execute("SELECT count(*) FROM raw").get
        events: int = store.rows.db.execute("SELECT count(*) FROM event").get
        return Proof(messages, events, len(held.charts), len(held.standing), len(held.outbox), twice)
    finally:
        reading.close()
        store.close()


@dataclass(frozen=True)
class Held:
    """What a node holds, and the instant up to which its clock has run."""

    at: datetime
    charts: dict[str, codec.Page]
    standing: frozenset[tuple[Any, ...]]
    outbox: list[Told]

    @classmethod
    def of(cls, store: Store, reading: Reading) -> "Held":
        """All of it, read from a stopped node."""
        at = instant(int(store.rows.setting("clock") or b"0"))
        pages = ((name, store.rows.page(name)) for name in list(store.rows.patients()))
        charts = {name: codec.decode(page[0]) for name, page in pages if page}
        return cls(at, charts, standing_of(reading), outbox(reading))

    @property
    def facts(self) -> dict[str, frozenset[Any]]:
        """The facts of every chart that has any."""
        return {name: frozenset(page.facts) for name, page in self.charts.items() if page.facts}


def standing_of(reading: Reading) -> frozenset[tuple[Any, ...]]:
    """What law 1 is about of every alert that stands, as the pages show it."""
    found: list[dict[str, Any]] = []
    part = reading.alerts(limit=MOST)
    while part.next is not None:
        found += part.items
        part = reading.alerts(after=part.next, limit=MOST)
    return frozenset(
        (a["patient_id"], a["alert_id"], a["severity"], to_utc(datetime.fromisoformat(a["effective_at"])), a["state"])
        for a in (*found, *part.items)
    )


def facts_of(ward: Ward) -> dict[str, frozenset[Any]]:
    """The facts of every chart of a ward that has any."""
    return {chart.patient_id: frozenset(chart.facts) for chart in ward.charts if len(chart.facts)}


def _is_kept(store: Store, acknowledged: set[bytes], sent: set[bytes]) -> None:
    """Everything that was sent was acknowledged in the end, and every message of that is in the store."""
    assert acknowledged == sent
    assert acknowledged <= {body for (body,) in store.rows.db.execute("SELECT body FROM raw")}


def _is_what_its_log_says(store: Store, service: Service, held: Held) -> None:
    """Charts, alerts, and what was told of them, against the node's own log lived through again."""
    replayed = replay_log(store, service.monitor, held.at)
    assert held.facts == facts_of(replayed.ward)
    assert held.standing == ward_state(replayed.ward, held.at)
    told = {name: page.told for name, page in held.charts.items() if page.told}
    assert told == {chart.patient_id: dict(chart.told) for chart in replayed.ward.charts if chart.told}
    assert [each.notice_id for each in held.outbox] == [notice.notice_id for notice in replayed.notices]


def _is_what_a_replay_says(folder: Path, service: Service, sent: dict[Way, list[bytes]], held: Held) -> None:
    """Charts and alerts against `replay` of the messages that the senders sent, which never saw the node."""
    files = []
    for way, raws in sent.items():
        files.append(folder / f"{way}.messages")
        files[-1].write_bytes(b"\r\n".join(raws) + b"\r\n")
    report = Report()
    with service.replaying(held.at) as replaying:
        for _ in replaying.run(service.sorted(service.events(files, report))):
            pass
        assert report.messages
        assert facts_of(replaying.ward) == held.facts
        assert ward_state(replaying.ward, held.at) == held.standing


def _is_told(held: Held, store: Store, receiver: Server) -> int:
    """What was delivered against the outbox; returns how many notices were delivered more than once.

    Law: no gap, no notice of another's making, signed, the same bytes each time, each alert's in order, and of every
    alert that stands somebody was told: of itself, or that another one goes on as it.
    """
    bodies = {told.notice_id: told.body for told in held.outbox}
    assert all(request.verified for request in receiver.requests)
    assert all(body == bodies[name] for request in receiver.requests for name, body in _notices(request))
    assert len({(r.message_id, r.raw) for r in receiver.requests}) == len({r.message_id for r in receiver.requests})
    taken = _taken(receiver)
    first = list(dict.fromkeys(taken))
    assert set(first) == set(bodies)
    of_alert = {told.notice_id: told.alert_id for told in held.outbox}
    assert _by_alert(first, of_alert) == _by_alert(bodies, of_alert)
    withheld = {alert_id for (alert_id,) in store.rows.db.execute("SELECT alert_id FROM withheld")}
    told = set(of_alert.values()) | {decode(body).get("into") for body in bodies.values()}
    assert {alert_id for _, alert_id, *_ in held.standing} - withheld <= told
    return sum(n > 1 for n in Counter(taken).values())


class _Digest(msgspec.Struct):
    notices: list[msgspec.Raw]


def _notices(request: Request) -> list[tuple[str, bytes]]:
    """Names and bytes of the notices of a request: one, or all of a digest."""
    if request.body.get("type") != DIGEST:
        return [(request.message_id, request.raw)]
    bodies = msgspec.json.decode(request.raw, type=_Digest).notices
    return [(decode(bytes(body))["notice_id"], bytes(body)) for body in bodies]


def _taken(receiver: Server) -> list[str]:
    """Every notice that was taken, in order."""
    return [name for request in list(receiver.taken) for name, _ in _notices(request)]


def _by_alert(names: Iterable[str], of_alert: dict[str, str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name in names:
        found.setdefault(of_alert[name], []).append(name)
    return found
