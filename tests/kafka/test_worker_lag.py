"""Whether partitions get on, and whether this process itself stood still."""

from dataclasses import dataclass, field

import pytest

from streams.kafka.engine_lane import Phase
from streams.kafka.lag import Mark, Pulse, lag_seconds, marks, stalled
from streams.kafka.recovery import Replica
from streams.kafka.state import MemoryState


@dataclass
class Standing:
    """A partition as it is looked at (streams.kafka.engine_lane.Lane)."""

    partition: int = 0
    phase: Phase = Phase.WORKING
    behind: int = 0
    written: int = 0
    waits_since: float | None = None
    replica: Replica = field(default_factory=lambda: Replica(0, MemoryState()))


def seen(*lanes: Standing, before: dict[int, Mark] | None = None, now: float) -> dict[int, Mark]:
    return marks(lanes, before or {}, now)  # type: ignore[arg-type]


def test_a_partition_with_nothing_to_do_is_never_stalled() -> None:
    assert seen(Standing(), now=0) == {}
    assert seen(Standing(phase=Phase.CLOSED, behind=9), now=0) == {}


@pytest.mark.parametrize(("seconds", "expected"), [(9.9, []), (10.0, []), (10.1, [0])])
def test_a_partition_that_does_not_get_on_is_stalled_beyond_the_limit(seconds: float, expected: list[int]) -> None:
    before = seen(Standing(behind=5), now=0)
    after = seen(Standing(behind=7), before=before, now=seconds)
    assert stalled(after, seconds, 10) == expected


def test_a_transaction_is_progress_and_so_is_what_is_recovered() -> None:
    before = seen(Standing(behind=5), now=0)
    assert stalled(seen(Standing(behind=5, written=1), before=before, now=11), 11, 10) == []
    recovering = Standing(phase=Phase.RECOVERING)
    before = seen(recovering, now=0)
    recovering.replica.state.apply([], 100)
    assert stalled(seen(recovering, before=before, now=11), 11, 10) == []
    assert stalled(seen(recovering, before=seen(recovering, before=before, now=11), now=22), 22, 10) == [0]


@pytest.mark.parametrize(("since", "expected"), [(None, 0.0), (90.0, 10.0), (101.0, 0.0)])
def test_lag_is_the_age_of_the_oldest_that_waits(since: float | None, expected: float) -> None:
    assert lag_seconds(Standing(waits_since=since), 100.0) == expected  # type: ignore[arg-type]


def test_a_process_that_stood_still_knows_it_at_once_and_for_a_while() -> None:
    pulse = Pulse(session=10, now=0)
    for second in range(1, 60):
        pulse.beat(second)
    assert not pulse.was_away(60)
    assert pulse.was_away(64.5)
    pulse.beat(70)
    assert pulse.was_away(71)
    for second in range(71, 91):
        pulse.beat(second)
    assert not pulse.was_away(91)
