"""What an operator does with dead letters of the Kafka deployment, and with a feed whose old data is loaded."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from schemas.topics import DEAD_LETTERS, EVENTS, NOTICES
from schemas.wire import decode, encode
from tests.cli.running import trabecula
from tests.events import back_pain, heparin, pregnancy
from tests.kafka.worker_clinic import Clinic, until

CHILD = "tests.kafka.monitor_child"


@pytest.fixture
async def clinic(bootstrap: str, prefix: str, tmp_path: Path) -> AsyncIterator[Clinic]:
    opened = await Clinic(bootstrap, prefix, tmp_path).open()
    yield opened
    opened.close()


def _said(clinic: Clinic, *words: str, status: int = 0) -> list[dict[str, Any]]:
    run = trabecula(*words, "--bootstrap", clinic.bootstrap, topic_prefix=clinic.prefix)
    assert run.status == status, run.err
    return run.lines


def _letters(clinic: Clinic) -> int:
    return len(list(clinic.read(clinic.prefix + DEAD_LETTERS.name)))


def test_what_a_worker_refuses_is_listed_shown_and_taken_again_without_harm(clinic: Clinic) -> None:
    """The second letter is refused again: it is what it was."""
    clinic.worker(CHILD).ready()
    ahead = back_pain(100, 8).model_copy(update={"recorded_at": datetime(2199, 1, 1, tzinfo=UTC)})
    clinic.publish([(b"P", b'{"kind":"unknown"}'), (b"P", encode(ahead))])
    until(lambda: _letters(clinic) == 2)
    first, second = _said(clinic, "dead-letters", "list")
    assert (first["letter_id"], first["reason"][:12], first["place"]) == (1, "unknown kind", "$.kind")
    assert (second["reason"], second["source"]) == ("recorded_in_future", "feed")
    assert [one["letter_id"] for one in _said(clinic, "dead-letters", "list", "--reason", "future")] == [2]
    shown = trabecula("dead-letters", "show", "1", "--bootstrap", clinic.bootstrap, topic_prefix=clinic.prefix)
    assert (shown.status, shown.out) == (0, '{"kind":"unknown"}')
    assert "recorded_in_future" not in shown.err
    again = _said(clinic, "dead-letters", "redrive", "1")
    assert [(one["letter_id"], one["outcome"]) for one in again] == [(1, "published")]
    until(lambda: _letters(clinic) == 3)
    _said(clinic, "dead-letters", "show", "99", status=2)


def test_a_record_that_was_forwarded_keeps_what_it_needs_to_be_taken_again(clinic: Clinic) -> None:
    """A letter of an event for a survivor in another partition goes where that one is kept, not where its key says."""
    worker = clinic.worker(CHILD).ready()
    clinic.publish([(b"P", encode(back_pain(100, 8)))])
    until(clinic.quiet)
    letter = {"reason": b"failed", "refused": b"record", "format": b"event", "origin": b"trabecula.events.v1/0/7"}
    clinic.write(DEAD_LETTERS.name, b"S", encode(back_pain(101, 9, patient="R")), {**letter, "trabecula-for": b"S"})
    (said,) = _said(clinic, "dead-letters", "redrive", "--all")
    assert said["topic"] == EVENTS.name
    until(clinic.quiet)
    (last,) = [m for m in clinic.read(clinic.prefix + EVENTS.name) if m.key() == b"S"]
    assert dict(last.headers() or ())["trabecula-for"] == b"S"
    assert worker.is_running


def test_a_feed_that_has_loaded_its_old_data_goes_live_by_one_command(clinic: Clinic) -> None:
    clinic.worker(CHILD).ready()
    course = (pregnancy(30), heparin(42, starts=42))
    clinic.publish((b"P", encode(one.model_copy(update={"history": True}))) for one in course)
    until(clinic.quiet)
    assert list(clinic.read(clinic.prefix + NOTICES.name)) == []
    run = trabecula("live", "feed", "--bootstrap", clinic.bootstrap, topic_prefix=clinic.prefix)
    assert (run.status, run.out) == (0, ""), run.err
    until(clinic.quiet)
    told = [decode(m.value() or b"") for m in clinic.read(clinic.prefix + NOTICES.name)]
    assert {n["transition"] for n in told} == {"raised"}
    assert {n["patient_id"] for n in told} == {"P"}


def test_without_brokers_one_line_says_so() -> None:
    run = trabecula("dead-letters", "list", "--bootstrap", "127.0.0.1:1")
    assert run.status == 2
    assert len(run.err.splitlines()) == 1
    assert "127.0.0.1:1" in run.err
