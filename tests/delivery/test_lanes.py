"""Lanes: in order within an alert, the most urgent first among alerts, nothing lost whatever becomes of the parcels."""

from collections import defaultdict
from datetime import datetime

from hypothesis import given
from hypothesis import strategies as st

from alerting.delivery.lanes import LARGEST_TOGETHER, MOST_TOGETHER, Item, Lanes, Parcel
from tests.delivery.receiving import AT, later

MORNING = later(hours=22)


def item(ordinal: int, alert: str = "A", urgency: int = 1, digest_at: datetime | None = None) -> Item:
    return Item(ordinal, f"{alert}-{ordinal}", alert, urgency, AT, digest_at)


def lanes(*items: Item) -> Lanes:
    made = Lanes()
    for one in items:
        made.add(one)
    return made


def ordinals(parcel: Parcel | None) -> list[int]:
    return [one.ordinal for one in parcel.items] if parcel else []


def test_the_most_urgent_goes_first_and_an_alert_waits_for_its_own() -> None:
    made = lanes(item(1), item(2), item(3, "B"), item(4, "C", urgency=0))
    first = made.take(AT, 0)
    assert ordinals(first) == [4]
    assert [ordinals(made.take(AT, 0)) for _ in range(3)] == [[1], [3], []]
    assert first
    made.taken(first)
    assert len(made) == 3


def test_what_failed_is_tried_again_in_its_time_and_holds_up_only_its_alert() -> None:
    made = lanes(item(1), item(2), item(3, "B"))
    first = made.take(AT, 0)
    assert first
    made.again(first, 5.0)
    assert ordinals(made.take(AT, 4.9)) == [3]
    assert (ordinals(made.take(AT, 4.9)), made.next_try) == ([], 5.0)
    again = made.take(AT, 5.0)
    assert again
    assert (ordinals(again), again.attempts) == ([1], 1)
    made.taken(again)
    assert ordinals(made.take(AT, 5.0)) == [2]


def test_a_digest_lists_what_waits_for_it_and_is_made_again_the_same() -> None:
    made = lanes(item(1, "A", 2, MORNING), item(2, "B", 1, MORNING), item(3, "A", 1, MORNING))
    assert (made.take(AT, 0), made.next_digest, made.at_once) == (None, MORNING, 0)
    digest = made.take(MORNING, 0)
    assert digest
    assert (ordinals(digest), digest.digest_at) == ([2, 3, 1], MORNING)
    made.again(digest, 5.0)
    assert made.take(MORNING, 4.0) is None
    again = made.take(MORNING, 5.0)
    assert ordinals(again) == [2, 3, 1]
    assert again
    made.taken(again)
    assert (len(made), made.take(MORNING, 6.0)) == (0, None)


def test_something_urgent_waits_for_no_digest() -> None:
    made = lanes(item(1, "A", 2, MORNING), item(2, "B", 2, MORNING), item(3, "A", 0))
    first = made.take(AT, 0)
    assert ordinals(first) == [1]
    assert made.at_once == 2
    assert first
    made.taken(first)
    assert ordinals(made.take(AT, 0)) == [3]
    assert ordinals(made.take(MORNING, 0)) == [2]


def test_something_urgent_goes_on_when_the_digest_of_its_alert_fails() -> None:
    made = lanes(item(1, "A", 2, MORNING), item(2, "B", 2, MORNING))
    digest = made.take(MORNING, 0)
    made.add(item(3, "A", 0))
    assert made.take(MORNING, 0) is None
    assert digest
    made.again(digest, 1.0)
    assert ordinals(made.take(MORNING, 1.0)) == [1]
    assert ordinals(made.take(MORNING, 1.0)) == [2]


def test_a_digest_is_not_longer_than_can_be_sent() -> None:
    made = lanes(*(item(n, f"A{n}", 1, MORNING) for n in range(MOST_TOGETHER + 5)))
    assert len(ordinals(made.take(MORNING, 0))) == MOST_TOGETHER
    assert len(ordinals(made.take(MORNING, 0))) == 5


def loaded(ordinal: int, alert: str, urgency: int = 1, size: int = 0) -> Item:
    """What is told of an alert that stands after a load."""
    return Item(ordinal, f"{alert}-{ordinal}", alert, urgency, AT, AT, together=True, size=size)


def test_what_stands_after_a_load_goes_at_once_as_one_and_before_what_came_in_between() -> None:
    made = lanes(item(1, "X", urgency=0), loaded(2, "A", 2), loaded(3, "B", 0), loaded(4, "C", 1))
    digest = made.take(AT, 0)
    assert digest
    assert (ordinals(digest), digest.together) == ([3, 4, 2], True)
    assert ordinals(made.take(AT, 0)) == [1]


def test_a_digest_is_cut_where_it_would_be_too_large_the_most_urgent_first() -> None:
    third = LARGEST_TOGETHER // 3
    made = lanes(*(loaded(n, f"A{n}", n % 3, third) for n in range(7)))
    parts = [ordinals(made.take(AT, 0)) for _ in range(4)]
    assert parts == [[0, 3, 6], [1, 4, 2], [5], []]


def test_one_alert_is_sent_however_large_it_is() -> None:
    made = lanes(loaded(1, "A", 0, LARGEST_TOGETHER + 1), loaded(2, "B", 1, 1))
    assert [ordinals(made.take(AT, 0)) for _ in range(3)] == [[1], [2], []]


def test_what_stands_after_a_load_is_tried_again_in_the_same_parts() -> None:
    half = LARGEST_TOGETHER // 2
    made = lanes(*(loaded(n, f"A{n}", 1, half) for n in range(5)))
    first, second = made.take(AT, 0), made.take(AT, 0)
    assert first
    assert second
    made.again(second, 1.0)
    made.again(first, 2.0)
    assert [ordinals(made.take(AT, 1.0)) for _ in range(2)] == [ordinals(second), [4]]
    assert ordinals(made.take(AT, 2.0)) == ordinals(first)


def test_what_is_said_later_waits_for_the_whole_and_only_something_critical_does_not() -> None:
    made = lanes(loaded(1, "A"), loaded(2, "B"), loaded(3, "C"))
    digest = made.take(AT, 0)
    assert digest
    made.add(item(4, "A", urgency=1))
    made.add(item(5, "B", urgency=0))
    made.again(digest, 1.0)
    assert [ordinals(made.take(AT, 1.0)) for _ in range(3)] == [[2], [1, 3], []]


@given(st.data())
def test_whatever_becomes_of_the_parcels_each_alert_is_in_order_and_nothing_is_lost(data: st.DataObject) -> None:
    made, now, steady = Lanes(), AT, 0.0
    added, under_way = 0, list[Parcel]()
    taken: dict[str, list[int]] = defaultdict(list)
    alerts: dict[int, str] = {}
    for what in data.draw(st.lists(st.sampled_from(["add", "add", "take", "taken", "again", "time"]), max_size=80)):
        if what == "add":
            added += 1
            alerts[added] = data.draw(st.sampled_from("ABC"))
            digest_at = data.draw(st.sampled_from([None, None, MORNING, later(days=2)]))
            one = item(added, alerts[added], data.draw(st.integers(0, 3)), digest_at)
            one.together = digest_at is not None and data.draw(st.booleans())
            made.add(one)
        elif what == "take" and (parcel := made.take(now, steady)):
            under_way.append(parcel)
        elif what in ("taken", "again") and under_way:
            parcel = under_way.pop(data.draw(st.integers(0, len(under_way) - 1)))
            if what == "again":
                made.again(parcel, steady + data.draw(st.sampled_from([0.5, 1.0, 2.0])))
            else:
                _note(made, parcel, taken)
        elif what == "time":
            steady += 1.0
            now = data.draw(st.sampled_from([now, max(now, MORNING)]))
        assert made.at_once == sum(one.digest_at is None for one in made)
    for parcel in under_way:
        _note(made, parcel, taken)
    while parcel_ := made.take(later(days=9), 1e9):
        _note(made, parcel_, taken)
    assert len(made) == 0
    assert {alert: sorted(n for n in alerts if alerts[n] == alert) for alert in set(alerts.values())} == taken


def _note(made: Lanes, parcel: Parcel, taken: dict[str, list[int]]) -> None:
    for one in sorted(parcel.items, key=lambda each: each.ordinal):
        taken[one.alert_id].append(one.ordinal)
    made.taken(parcel)
