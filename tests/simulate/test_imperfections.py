"""Late, duplicated, corrected and cancelled messages, and identities that are merged and parted."""

from collections import Counter, defaultdict
from typing import Any

import pytest

from streams.simulate.imperfections import MOST_HELD
from streams.simulate.options import Imperfections, Options
from tests.simulate.hospital import Run, of_kind, simulated


def run(**shares: float) -> Run:
    return simulated(Options(patients=60, days=120, run_in=300, imperfections=Imperfections(**shares)))


def versions(said: list[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """The versions of each laboratory result, in order of recording."""
    found: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for event in sorted(of_kind(said, "lab_result"), key=lambda e: e["recorded_at"]):
        found[event["record_id"]].append(event)
    return found


def test_late_messages_arrive_after_later_ones_with_their_own_time() -> None:
    sent, perfect = run(late=0.1).sent, run().sent
    assert sum(one.arrives > one.message.at for one in sent) / len(sent) == pytest.approx(0.1, abs=0.03)
    at = {one.message.control: one.message.at for one in perfect}
    assert all(at[one.message.control] == one.message.at for one in sent)


def test_a_duplicate_is_the_same_message_again() -> None:
    duplicated, perfect = run(duplicated=0.1), run()
    counts = Counter(one.message.control for one in duplicated.sent)
    assert set(counts) == {one.message.control for one in perfect.sent}
    assert sum(count > 1 for count in counts.values()) / len(counts) == pytest.approx(0.1, abs=0.03)
    assert len({repr(one.message) for one in duplicated.sent}) == len(counts)


def test_a_corrected_result_ends_at_the_true_value() -> None:
    truth = {record: found[-1].get("value") for record, found in versions(run().said).items()}
    corrected = versions(run(corrected=0.3).said)
    revised = {record: found for record, found in corrected.items() if found[-1]["status"] == "corrected"}
    assert 0.15 < len(revised) / len(corrected) < 0.5  # reports have several results
    assert {record: found[-1].get("value") for record, found in revised.items()} == {r: truth[r] for r in revised}
    assert any(found[0].get("value") != found[-1].get("value") for found in revised.values())


def test_what_is_cancelled_was_said_before_and_is_nobody_s() -> None:
    said = run(cancelled=0.2).said
    perfect = {event["record_id"] for event in run().said}
    withdrawn = [e for e in said if e.get("status") in ("cancelled", "entered_in_error")]
    assert {event["kind"] for event in withdrawn} == {"lab_result", "administration"}
    assert perfect.isdisjoint(event["record_id"] for event in withdrawn)
    first: dict[str, dict[str, Any]] = {}
    for event in said:
        first.setdefault(event["record_id"], event)
    assert all(first[e["record_id"]]["recorded_at"] < e["recorded_at"] for e in withdrawn)


def test_a_temporary_number_is_merged_into_the_real_one() -> None:
    merged = run(merged=0.5)
    rows = merged.rows("identity")
    links = {e["patient_id"]: e["into"] for e in of_kind(merged.said, "patient_merge")}
    assert len(rows) / 60 == pytest.approx(0.5, abs=0.2)
    assert links.items() <= {row["number"]: row["patient_id"] for row in rows}.items()
    assert len(links) > 10


def test_a_merge_by_mistake_is_taken_back() -> None:
    parted = run(unmerged=0.5)
    said = parted.said
    merges = {(e["patient_id"], e["into"]): e["recorded_at"] for e in of_kind(said, "patient_merge")}
    unmerges = {(e["patient_id"], e["into"]): e["recorded_at"] for e in of_kind(said, "patient_unmerge")}
    assert len(unmerges) > 10
    assert all(merges[link] < at for link, at in unmerges.items())
    assert all(not row["same"] for row in parted.rows("identity"))


def test_a_patient_holds_back_a_few_messages_at_most() -> None:
    """Memory is bounded by the patients, however late everything is."""
    sent = run(late=1.0).sent
    recorded = sorted((one.message.at, one.arrives) for one in sent if one.message.person.number == "S0000003")
    for at, _ in recorded:
        assert sum(before < at < arrives for before, arrives in recorded) <= MOST_HELD + 1
