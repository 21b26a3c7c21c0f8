"""The log replayed gives the node: charts, standing alerts, what was told; whatever happened to the process."""

import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import pytest

from streams.node.engine import Limits
from streams.node.engine_replay import logged, replay_log
from streams.node.store import Store
from streams.replay import Replay
from tests.node.engine_clinic import (
    SOON,
    Node,
    incoming,
    memory_ward,
    node,
    recorded,
    shuffled_clock,
    ward_state,
)
from tests.oracle.histories import history

LATER: Final = timedelta(days=30)


def is_what_its_log_says(node: Node, *, told: bool = True) -> None:
    """The node against its own log, lived through again in memory."""
    now = node.engine._desk.now  # noqa: SLF001 - the instant of the last decision
    replayed = replay_log(node.store, node.monitor, now)
    charts = {c.patient_id: c for c in replayed.ward.charts if len(c.facts) or c.told}
    kept = node.charts()
    assert {k: frozenset(p.facts) for k, p in kept.items() if p.facts or p.told} == {
        k: frozenset(c.facts) for k, c in charts.items()
    }
    assert node.standing() == ward_state(replayed.ward, now)
    if told:
        assert {k: p.told for k, p in kept.items() if p.facts or p.told} == {k: dict(c.told) for k, c in charts.items()}
        assert [n.notice_id for n in node.outbox()] == [n.notice_id for n in replayed.notices]


def is_what_a_replay_says(node: Node, events: list[dict[str, Any]]) -> None:
    """The node against `replay` of the same events in the order of their recording."""
    now = node.engine._desk.now  # noqa: SLF001
    replaying = Replay(memory_ward(), now)
    parsed = sorted((e for _, e in logged(node.store)), key=recorded)
    for _ in replaying.run(parsed):
        pass
    assert len(parsed) >= len({(e["source"], e["event_id"]) for e in events if e["kind"] != "erasure"})
    assert node.standing() == ward_state(replaying.ward, now)


@pytest.mark.parametrize("seed", range(12))
def test_a_random_history_is_kept_as_its_log_says_through_stops_and_late_clocks(tmp_path: Path, seed: int) -> None:
    rng = random.Random(seed)
    events = history(rng, patients=3, length=60)
    limits = Limits(charts_in_memory=rng.choice((1, 100)), together=rng.choice((1, 4, 256)))
    made = Node(tmp_path, recorded(events[0]), limits=limits)
    waiting = []
    for at, event in shuffled_clock(rng, events):
        made.clock.at = at
        waiting.append(made.engine.submit(incoming(event, at)))
        if rng.random() < 0.3:
            waiting[-1].result(SOON)
        if rng.random() < 0.05:
            made.close()
            made = Node(tmp_path, at, limits=limits)
    assert all(future.result(SOON) for future in waiting)
    made.wait_until(made.clock.at + LATER)
    is_what_its_log_says(made)
    is_what_a_replay_says(made, events)
    made.close()
    with node(tmp_path, made.clock.at) as again:
        is_what_its_log_says(again)


@pytest.mark.parametrize("seed", range(8))
def test_events_in_any_order_end_in_what_a_replay_in_the_order_of_recording_says(tmp_path: Path, seed: int) -> None:
    rng = random.Random(100 + seed)
    events = history(rng, patients=2, length=40)
    at = recorded(events[-1])
    rng.shuffle(events)
    with node(tmp_path, at) as made:
        for event in events:
            made.take(event)
        is_what_its_log_says(made)
        is_what_a_replay_says(made, events)


@pytest.mark.parametrize("seed", range(4))
def test_events_that_come_in_batches_are_decided_as_if_they_came_one_by_one(tmp_path: Path, seed: int) -> None:
    rng = random.Random(500 + seed)
    events = history(rng, patients=4, length=120)
    with node(tmp_path, recorded(events[0])) as made:
        while events:
            some = [events.pop(0) for _ in range(min(len(events), rng.randint(1, 40)))]
            made.clock.at = max(made.clock.at, *map(recorded, some))
            made.take_together(some)
        is_what_its_log_says(made)


@pytest.mark.parametrize("seed", range(8))
def test_after_an_erasure_the_log_and_the_charts_still_agree(tmp_path: Path, seed: int) -> None:
    rng = random.Random(300 + seed)
    events: list[dict[str, Any]] = []
    while not any(e["kind"] == "erasure" for e in events):
        events = history(rng, patients=2, length=40, erasures=True)
    with node(tmp_path, recorded(events[0])) as made:
        made.take_all(events)
        is_what_its_log_says(made, told=False)
        replaying = Replay(memory_ward(), made.clock.at)
        for event in events:
            for _ in replaying.take(_parsed(event)):
                pass
        assert made.standing() == ward_state(replaying.ward, made.clock.at)


def _parsed(event: dict[str, Any]) -> Any:
    from schemas.events import EVENT  # noqa: PLC0415

    return EVENT.validate_python(event)


# ---- kill -9

KILLS: Final = 4


def _child(folder: Path, seed: int, first: int) -> None:
    """Feed a history from an event on, a few at a time, and say what was acknowledged."""
    events = history(random.Random(seed), patients=4, length=160)
    at = recorded(events[0])
    made = Node(folder, at)
    made.clock.at = max(at, made.engine.now())  # a clock goes on while a process is down
    for start in range(first, len(events), 5):
        some = list(enumerate(events))[start : start + 5]
        made.clock.at = max(made.clock.at, recorded(some[-1][1]))
        waiting = [(i, made.engine.submit(incoming(event, made.clock.at))) for i, event in some]
        for index, future in waiting:
            assert not future.result(SOON).refused_whole
            sys.stdout.write(f"{index}\n")
            sys.stdout.flush()
    made.wait_until(made.clock.at + LATER)
    made.close()
    sys.stdout.write("done\n")


def _killed(folder: Path, seed: int, first: int, after: float) -> list[str]:
    """What a child had acknowledged when it was killed, or when it was done."""
    command = [sys.executable, "-m", "tests.node.test_engine_log", str(folder), str(seed), str(first)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        said = child.stdout.readline()
        time.sleep(after)
        os.kill(child.pid, signal.SIGKILL)
        rest, _ = child.communicate(timeout=SOON)
    return [said.strip(), *rest.split()]


def test_after_kill_9_everything_acknowledged_is_there_and_the_log_still_says_it_all(tmp_path: Path) -> None:
    seed = 5
    events = history(random.Random(seed), patients=4, length=160)
    acknowledged: set[int] = set()
    rng = random.Random(seed)
    for _ in range(KILLS):
        said = _killed(tmp_path, seed, max(0, len(acknowledged) - 10), rng.uniform(0.05, 0.3))
        acknowledged |= {int(line) for line in said if line.isdecimal()}
        store = Store(tmp_path)
        kept = Counter((e.source, e.event_id) for _, e in logged(store))
        store.close()
        assert all((events[i]["source"], events[i]["event_id"]) in kept for i in acknowledged)
        assert max(kept.values()) <= max(Counter((e["source"], e["event_id"]) for e in events).values())
    with node(tmp_path, recorded(events[0])) as made:
        made.clock.at = made.engine.now()
        made.take_all(events)
        made.wait_until(made.clock.at + LATER)
        is_what_its_log_says(made)
        is_what_a_replay_says(made, events)
    assert acknowledged


if __name__ == "__main__":
    _child(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
