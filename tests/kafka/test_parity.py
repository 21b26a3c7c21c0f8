"""The same events through a replay, a node and two workers on Kafka end in the same charts and standing alerts."""

import signal
from collections.abc import AsyncIterator, Iterable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import msgspec
import pytest

from schemas.alerts import STANDING, Notice
from schemas.days import to_utc
from schemas.events import EVENT, AnyEvent
from schemas.facts import Fact
from schemas.topics import ALERTS, DEAD_LETTERS, NOTICES
from schemas.wire import decode, encode
from streams.chart import codec
from streams.replay import Replay
from streams.simulate.options import Imperfections, Options
from streams.simulate.run import texts
from streams.ward import MemoryCharts, Ward
from tests.kafka.worker_clinic import PARTITIONS, Clinic, until
from tests.node.engine_clinic import Node
from tests.wards import monitor

Stands = frozenset[tuple[str, str, str, datetime, str]]
CHILD = "tests.kafka.monitor_child"
_DAYS = 120
_IMPERFECT = Imperfections(late=0.05, duplicated=0.05, corrected=0.1, cancelled=0.05, merged=0.1, unmerged=0.05)


@pytest.fixture
async def clinic(bootstrap: str, prefix: str, tmp_path: Path) -> AsyncIterator[Clinic]:
    opened = await Clinic(bootstrap, prefix, tmp_path).open()
    yield opened
    opened.close()


def _history() -> list[AnyEvent]:
    """Four simulated months that ended a while ago, with all that goes wrong between systems."""
    start = (datetime.now(UTC) - timedelta(days=_DAYS + 40)).date()
    options = Options(seed=11, patients=60, start=start, days=_DAYS, enrich=40.0, imperfections=_IMPERFECT)
    lines = (line for text in texts(options, "events") for line in text.splitlines() if line.strip())
    found = [EVENT.validate_python(decode(line)) for line in lines]
    return [event for event in found if to_utc(event.recorded_at).date() <= _latest(start)]


def _latest(start: date) -> date:
    return start + timedelta(days=_DAYS + 30)


def _replayed(events: Iterable[AnyEvent], until_: datetime) -> Replay:
    replay = Replay(Ward(monitor(), MemoryCharts()), until_)
    for event in sorted(events, key=lambda e: to_utc(e.recorded_at)):
        for _ in replay.take(event):
            pass
    for _ in replay._advance(until_):  # noqa: SLF001 - the clock runs on, as `--until` lets it
        pass
    return replay


def _stands(alerts: Iterable[Any]) -> Stands:
    return frozenset((a.patient_id, a.alert_id, a.severity, to_utc(a.effective_at), a.state) for a in alerts)


# ---- what is in Kafka


def _charts(clinic: Clinic) -> dict[str, frozenset[Fact]]:
    """Every chart of the changelog."""
    found: dict[str, frozenset[Fact]] = {}
    for key, value in clinic.state().items():
        if key.startswith(b"chart/"):
            _, _, page = msgspec.msgpack.decode(value)
            facts = codec.decode(page).facts
            if facts:
                found[key.removeprefix(b"chart/").decode()] = frozenset(facts)
    return found


def _alerts(clinic: Clinic) -> dict[str, dict[str, Any]]:
    """The last record of each alert."""
    found: dict[str, dict[str, Any]] = {}
    for message in clinic.read(clinic.prefix + ALERTS.name):
        key, value = message.key(), message.value()
        assert isinstance(key, bytes)
        found.pop(key.decode(), None)
        if value is not None:
            found[key.decode()] = decode(value)
    return found


def _standing(clinic: Clinic) -> Stands:
    return frozenset(
        (a["patient_id"], a["alert_id"], a["severity"], to_utc(datetime.fromisoformat(a["effective_at"])), a["state"])
        for a in _alerts(clinic).values()
        if a["state"] in STANDING
    )


def _notices(clinic: Clinic) -> list[Notice]:
    return [Notice.model_validate(decode(m.value() or b"")) for m in clinic.read(clinic.prefix + NOTICES.name)]


def test_replay_node_and_two_workers_agree(clinic: Clinic, tmp_path: Path) -> None:
    """One of the workers is killed on the way, and another comes; a tenth of the records is in the wrong partition."""
    events = _history()
    assert {"patient_merge", "patient_unmerge"} <= {event.kind for event in events}
    rng = Random(5)
    first, second = clinic.worker(CHILD, standbys=1), clinic.worker(CHILD, standbys=1)
    first.ready()
    second.ready()
    for at in range(0, len(events), 500):
        clinic.publish(_record(event, rng) for event in events[at : at + 500])
        if at == 500 * (len(events) // 1000):
            first.signal(signal.SIGKILL)
            clinic.worker(CHILD, standbys=1)
    until(clinic.quiet)
    now = datetime.now(UTC)
    replay = _replayed(events, now)
    assert _charts(clinic) == {c.patient_id: frozenset(c.facts) for c in replay.ward.charts if len(c.facts)}
    expected = _stands(replay.standing())
    assert len(expected) > 10
    assert _standing(clinic) == expected
    assert list(clinic.read(clinic.prefix + DEAD_LETTERS.name)) == []
    _is_told_once_and_in_order(_notices(clinic))
    assert _node_stands(events, now, tmp_path / "node") == expected


def _record(event: AnyEvent, rng: Random) -> tuple[bytes, bytes]:
    key = event.patient_id if rng.random() > 0.1 else f"somewhere {rng.randrange(PARTITIONS)}"
    return key.encode(), encode(event)


def _is_told_once_and_in_order(notices: list[Notice]) -> None:
    assert len({n.notice_id for n in notices}) == len(notices)
    told: dict[str, int] = {}
    for notice in sorted(notices, key=lambda n: n.decided_at):
        assert told.get(notice.alert_id, 0) < notice.sequence
        told[notice.alert_id] = notice.sequence


def _node_stands(events: list[AnyEvent], now: datetime, folder: Path) -> Stands:
    folder.mkdir()
    node = Node(folder, now)
    try:
        for at in range(0, len(events), 250):
            node.take_together(events[at : at + 250])
        node.wait_until(now)
        return frozenset(node.standing())
    finally:
        node.close()
