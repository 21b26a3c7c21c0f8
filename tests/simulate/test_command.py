"""`trabecula simulate` on the command line."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from schemas.wire import decode
from streams.cli import app
from tests.cli.running import trabecula

RUNNER = CliRunner()
FEW = ["simulate", "--patients", "4", "--days", "90"]


def test_events_on_stdout_and_a_tally_on_stderr() -> None:
    result = RUNNER.invoke(app, FEW)
    assert result.exit_code == 0
    kinds = {decode(line)["kind"] for line in result.stdout_bytes.splitlines()}
    assert {"patient", "pregnancy"} <= kinds
    assert "messages" in result.stderr


def test_hl7v2_messages_begin_with_their_header() -> None:
    result = RUNNER.invoke(app, [*FEW, "--format", "hl7v2"])
    assert result.stdout_bytes.startswith(b"MSH|^~\\&|")


def test_fhir_is_one_resource_a_line() -> None:
    result = RUNNER.invoke(app, [*FEW, "--format", "fhir"])
    assert all("resourceType" in decode(line) for line in result.stdout_bytes.splitlines())


def test_the_truth_is_written_beside_it(tmp_path: Path) -> None:
    file = tmp_path / "truth.ndjson"
    RUNNER.invoke(app, [*FEW, "--truth", str(file)])
    assert [decode(line)["truth"] for line in file.read_bytes().splitlines()].count("course") == 4


@pytest.mark.parametrize(
    ("wrong", "accepted"),
    [
        (["--format", "xml"], "'events', 'hl7v2' or 'fhir'"),
        (["--mix", "clinic"], "'courses' or 'hospital'"),
        (["--start", "2026-02-30"], "a calendar day, e.g. 2026-01-31"),
        (["--late", "2"], "1"),
        (["--truth", "/no/such/folder/truth"], "folder"),
    ],
)
def test_what_cannot_be_used_is_said_with_what_would_be_accepted(wrong: list[str], accepted: str) -> None:
    ran = trabecula(*FEW, *wrong)
    assert (ran.status, ran.out) == (2, "")
    (line,) = ran.err.splitlines()
    assert accepted in line


def test_what_was_recorded_before_the_first_day_is_history() -> None:
    result = RUNNER.invoke(app, ["simulate", "--patients", "6", "--days", "100"])
    events = [decode(line) for line in result.stdout_bytes.splitlines()]
    assert {event.get("history", False) for event in events if event["recorded_at"] < "2026-01-05"} == {True}
    assert {event.get("history", False) for event in events if event["recorded_at"] >= "2026-01-05"} == {False}
