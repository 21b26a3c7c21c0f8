"""Logs: a closed set of events, nothing of a patient, lines of JSON where no person reads them."""

import asyncio
import http.server
import io
import json
import logging
import signal
import socket
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, get_args

import pytest

from streams.node import logs
from streams.node.logs import KNOWN, Event, Log, loop_failed, say_to
from streams.node.reporting import Feeds, Reporter
from streams.settings_node import LogSettings
from tests.node.test_serve import FREE, Node, course, message

PATIENT = "MRN-4711-SECRET"
EVENTS = frozenset(get_args(Event))


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], list[dict[str, Any]]]]:
    """What is logged in this process, as lines of JSON; afterwards everything is as it was."""
    out, root, ours = io.StringIO(), logging.getLogger(), logging.getLogger("trabecula")
    handlers, levels = root.handlers[:], (root.level, ours.level)
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    monkeypatch.setattr(threading, "excepthook", threading.excepthook)
    monkeypatch.setattr(warnings, "showwarning", warnings.showwarning)
    say_to(out, LogSettings(log_level="debug", log_form="json"))
    yield lambda: [json.loads(line) for line in out.getvalue().splitlines()]
    root.handlers[:] = handlers
    root.setLevel(levels[0])
    ours.setLevel(levels[1])
    logging.captureWarnings(capture=False)


# ---- what is let through


def test_what_is_not_known_to_be_said_is_left_out(said: Any) -> None:
    log: Any = Log("test")
    log.info("started", version="1", patient_id=PATIENT, http="127.0.0.1:1")
    log.warning("feed_refused", reason=[PATIENT], count=3)
    log.error(PATIENT, reason="a\nb" + "x" * 500)
    first, second, third = said()
    assert {k: v for k, v in first.items() if k != "timestamp"} == {
        "level": "info",
        "event": "started",
        "version": "1",
        "http": "127.0.0.1:1",
    }
    assert (second["event"], second["count"], "reason" in second) == ("feed_refused", 3, False)
    assert third["event"] == "library"
    assert third["reason"].startswith("a b")
    assert len(third["reason"]) == 200


def test_of_a_librarys_words_only_the_place_is_told(said: Any) -> None:
    known: dict[str, int] = {}
    try:
        known[PATIENT]
    except KeyError:
        logging.getLogger("uvicorn.error").exception("GET /v1/patients/%s failed", PATIENT)
    logging.getLogger("httpx").info("GET https://pager.example/%s", PATIENT)
    logging.getLogger("py.warnings").warning("%s", PATIENT)
    lines = said()
    assert [line["library"] for line in lines] == ["uvicorn.error", "py.warnings"]
    assert (lines[0]["place"].partition(":")[0], lines[0]["error"]) == ("test_logs", "KeyError")
    assert PATIENT not in json.dumps(lines)
    assert {line["event"] for line in lines} == {"library"}


def test_what_nobody_caught_is_told_by_type_and_place(said: Any) -> None:
    def fail() -> None:
        raise ValueError(PATIENT)

    thread = threading.Thread(target=fail)
    thread.start()
    thread.join()
    try:
        fail()
    except ValueError as error:
        sys.excepthook(type(error), error, error.__traceback__)
        loop_failed({"message": PATIENT, "exception": error})
    loop_failed({"message": PATIENT})
    lines = said()
    assert [line.get("error") for line in lines] == ["ValueError", "ValueError", "ValueError", None]
    assert all(line["event"] == "failed" for line in lines)
    assert PATIENT not in json.dumps(lines)


def test_every_event_of_the_code_is_in_the_set_and_every_one_of_the_set_is_told() -> None:
    """mypy holds the first half; the second is that no word is promised that never comes."""
    text = "".join(path.read_text("utf-8") for path in Path(logs.__file__).parents[1].rglob("*.py"))
    assert [word for word in EVENTS if text.count(f'"{word}"') < 2] == []


def test_a_person_at_a_terminal_reads_words_and_a_program_json() -> None:
    out = io.StringIO()
    root = logging.getLogger()
    handlers = root.handlers[:]
    try:
        say_to(out, LogSettings(log_form="human"))
        Log("test").warning("feed_refused", count=3)
    finally:
        root.handlers[:] = handlers
        root.setLevel(logging.WARNING)
    assert "feed_refused" in out.getvalue()
    assert "{" not in out.getvalue()


# ---- what is looked for


class Working:
    """An engine as it is looked at."""

    def __init__(self) -> None:
        self.state = "running"
        self.why: str | None = None
        self.to_examine = 7


class NoCounters:
    """A store that counted nothing yet."""

    def counters(self) -> list[Any]:
        return []


def test_a_feed_that_connects_for_each_message_is_told_once_and_gone_after_a_silence(said: Any) -> None:
    counted: list[str] = []

    class Counts:
        def count(self, what: str) -> None:
            counted.append(what)

    feeds = Feeds(Counts())
    for what in ("accepted", "accepted", "refused"):
        with feeds.connected("lab") as counts:
            counts.count(what)
        feeds.look(time.monotonic())
    assert [line["event"] for line in said()] == ["feed_connected"]
    feeds.look(time.monotonic() + 31)
    last = said()[-1]
    assert (last["event"], last["feed"], last["accepted"], last["refused"]) == ("feed_disconnected", "lab", 2, 1)
    assert counted == ["accepted", "accepted", "refused"]


def test_an_engine_that_stopped_taking_and_an_examination_are_told(said: Any) -> None:
    working, counted = Working(), {"too_many_connections": 0}
    reporter = Reporter(working, NoCounters(), Feeds(logs_nothing()), counted)  # type: ignore[arg-type]
    working.to_examine = 3
    reporter.count()
    working.to_examine = 0
    reporter.count()
    counted["too_many_connections"] = 4
    reporter.look(0.0)
    working.state, working.why = "failed", "the disk is full: FullError"
    for _ in range(3):
        reporter.look(0.0)
    events = [(line["event"], line.get("left", line.get("reason"))) for line in said()]
    assert events == [
        ("examining", 3),
        ("examined", None),
        ("feed_refused", "too_many_connections"),
        ("not_taking", "the disk is full: FullError"),
    ]


def logs_nothing() -> Any:
    """Counts that nobody reads."""

    class Counts:
        def count(self, what: str) -> None:
            """Forget it."""

    return Counts()


# ---- a node


@contextmanager
def logging_node(folder: Path, *more: str) -> Iterator[tuple[Node, Path]]:
    """A node in a process of its own, and the file that its stderr goes to."""
    log = folder / "log"
    command = [sys.executable, "-m", "streams.cli", "serve", "--data", str(folder / "data"), *FREE, *more]
    with log.open("wb") as err, subprocess.Popen(command, stdout=subprocess.PIPE, stderr=err) as process:
        try:
            assert process.stdout is not None
            yield Node(process, json.loads(process.stdout.readline())), log
        finally:
            process.kill()


def lines_of(log: Path) -> list[dict[str, Any]]:
    """The lines so far."""
    return [json.loads(line) for line in log.read_text().splitlines()]


def wait_for(log: Path, *events: str, seconds: float = 30.0) -> None:
    """Until each of these was told."""
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        if set(events) <= {line["event"] for line in lines_of(log)}:
            return
        time.sleep(0.1)
    raise AssertionError(f"not told: {set(events) - {line['event'] for line in lines_of(log)}}")


def test_a_node_tells_what_an_operator_needs_and_nothing_of_a_patient(tmp_path: Path) -> None:
    """At the lowest level, with a pager that is down and comes back."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    receivers = tmp_path / "receivers.toml"
    receivers.write_text(
        f'[[receivers]]\nname = "pager"\nkind = "webhook"\nurl = "http://127.0.0.1:{port}/{PATIENT}"\n'
        f'secret = "whsec_{"A" * 32}"\nbegins = "beginning"\nretry_after = 0.1\nretry_at_most = 1.0\n'
    )
    with logging_node(tmp_path, "--log-level", "debug", "--receivers", str(receivers)) as (made, log):
        made.post("/v1/events", course(PATIENT))
        for path in (f"/v1/patients/{PATIENT}", f"/v1/alerts?patient={PATIENT}", f"/patients/{PATIENT}"):
            made.get(path)
        made.mllp(message("M-1", "24").replace(b"4711", PATIENT.encode()))
        made.mllp(b"MSH|^~\\&|LAB|HOSP|T|H|20250101|||" + PATIENT.encode() + b"|P|2.5.1\r")
        wait_for(log, "receiver_failing", "dead_letters", "feed_connected")
        pager = http.server.ThreadingHTTPServer(("127.0.0.1", port), Pager)
        threading.Thread(target=pager.serve_forever, daemon=True).start()
        wait_for(log, "receiver_recovered")
        made.process.send_signal(signal.SIGTERM)
        assert made.process.wait(timeout=10) == 0
        pager.shutdown()
        pager.server_close()
    lines, text = lines_of(log), log.read_text()
    assert lines[0]["event"] == "started"
    assert {"version", "schema", "rulepack", "http", "mllp", "charts"} <= lines[0].keys()
    assert [line["event"] for line in lines[-1:]] == ["stopped"]
    assert {line["event"] for line in lines} <= EVENTS
    assert {key for line in lines for key in line} <= KNOWN | {"timestamp", "level", "event"}
    assert "/v1/patients/{patient_id}" in {line.get("route") for line in lines}
    for secret in (PATIENT, "Example", "Ada", "4711", "?", "whsec"):
        assert secret not in text


class Pager(http.server.BaseHTTPRequestHandler):
    """Takes every notice."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


# ---- the end


def test_a_node_under_load_stops_in_time_and_has_all_that_it_acknowledged(tmp_path: Path) -> None:
    kept: set[str] = set()

    def feed(made: Node, number: int) -> None:
        for count in range(10_000):
            patient = f"P{number}-{count}"
            try:
                answer = made.post("/v1/events", course(patient))
            except OSError:
                return
            if answer["items"][0]["outcome"] == "accepted":
                kept.add(patient)

    with logging_node(tmp_path) as (made, _):
        feeds = [threading.Thread(target=feed, args=(made, number)) for number in range(8)]
        for each in feeds:
            each.start()
        while len(kept) < 100:
            time.sleep(0.01)
        made.process.send_signal(signal.SIGTERM)
        assert made.process.wait(timeout=10) == 0
        for each in feeds:
            each.join()
    with logging_node(tmp_path) as (again, _):
        page = again.get("/v1/alerts?limit=1000")
        found = {item["patient_id"] for item in page["items"]}
        assert len(kept) >= 100
        assert kept - found == set() or page["next"]


def test_a_node_told_to_stop_while_it_starts_stops(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "streams.cli", "serve", "--data", str(tmp_path / "data"), *FREE]

    async def told() -> int:
        process = await asyncio.create_subprocess_exec(*command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        assert process.stdout is not None
        await process.stdout.readline()  # the very line that says it is ready
        process.send_signal(signal.SIGTERM)
        return await asyncio.wait_for(process.wait(), 10)

    assert asyncio.run(told()) == 0
