"""The demo: the real command as a person runs it, and what its invented hospital sends."""

import asyncio
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from itertools import islice
from pathlib import Path
from zoneinfo import ZoneInfo

import httpx
import pytest

from schemas.alerts import Alert
from schemas.events import AnyEvent
from schemas.wire import decode
from streams.inputs import Intake
from streams.intake.native import translate_native
from streams.intake.outcome import Translation
from streams.intake.site import MemoryDirectory
from streams.node.demo_days import FORMS, Invented, Letter
from streams.node.demo_feeds import Feeds
from streams.service import Service
from streams.settings import Settings
from streams.simulate import fhir, native
from streams.simulate.population import Population

FIRST = date(2026, 3, 16)
NOW = datetime(2026, 3, 16, 12, tzinfo=UTC)
_LONGEST = 120.0


# ---- the command


@contextmanager
def running(*arguments: str, temporary: Path) -> Iterator[subprocess.Popen[str]]:
    """The command; killed if the test did not end it."""
    command = [sys.executable, "-m", "streams.cli", "demo", *arguments]
    own = {"TMPDIR": str(temporary)}
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TRABECULA_")} | own
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment, bufsize=1
    )
    watch = threading.Timer(_LONGEST, process.kill)  # whoever reads its output waits no longer than that
    watch.start()
    try:
        yield process
    finally:
        watch.cancel()
        process.kill()
        process.wait(timeout=10)


def first_line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline()


def said_until(process: subprocess.Popen[str], words: str) -> str:
    """What it says on standard error up to a line with these words."""
    assert process.stderr is not None
    said = ""
    for line in process.stderr:
        said += line
        if words in line:
            return said
    pytest.fail(f"it ended without {words!r}: {said}")


def standing(address: str, wanted: str, within: float) -> list[dict[str, object]]:
    """The alerts of a severity, once there are some."""
    ends = time.monotonic() + within
    while time.monotonic() < ends:
        found = decode(httpx.get(f"{address}/v1/alerts", params={"severity": wanted}).content)["items"]
        if found:
            return list(found)
        time.sleep(0.25)
    pytest.fail(f"no {wanted} alert within {within} s")


def ended(process: subprocess.Popen[str], by: int) -> int:
    process.send_signal(by)
    process.communicate(timeout=20)
    return process.returncode


def test_the_address_comes_first_then_alerts_and_a_signal_leaves_nothing_behind(tmp_path: Path) -> None:
    """Alerts are due within 20 seconds; three times that is allowed here, where other tests run beside it."""
    with running(temporary=tmp_path) as demo:
        address = first_line(demo).removesuffix("\n")
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+", address)
        alert = standing(address, "critical", within=60)[0]
        for path in ("/", f"/alerts/{alert['alert_id']}", f"/patients/{alert['patient_id']}", "/docs"):
            page = httpx.get(f"{address}{path}", headers={"accept": "text/html"})
            assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
        assert 'trabecula_alerts_open{severity="critical"' in httpx.get(f"{address}/metrics").text
        assert [each.name for each in tmp_path.iterdir()] != []
        assert ended(demo, signal.SIGINT) == 0
    assert list(tmp_path.iterdir()) == []


def test_a_kept_folder_goes_on_where_it_was(tmp_path: Path) -> None:
    """The same months are sent again, as a feed does that does not know what arrived: nothing is raised twice."""
    folder = tmp_path / "kept"
    raised: list[set[object]] = []
    for seen, end in (("Ctrl-C stops the node", signal.SIGINT), ("messages", signal.SIGTERM)):
        with running("--data", str(folder), temporary=tmp_path) as demo:
            address = first_line(demo).strip()
            said = said_until(demo, seen)
            assert "refused" not in said
            alerts = decode(httpx.get(f"{address}/v1/alerts?state=all&limit=1000").content)["items"]
            raised.append({(alert["alert_id"], alert["sequence"]) for alert in alerts if alert["severity"] != "info"})
            assert ended(demo, end) == 0
    assert raised[0]
    assert raised[0] <= raised[1]


def refused(*arguments: str, temporary: Path) -> tuple[int, str]:
    with running(*arguments, temporary=temporary) as demo:
        _, said = demo.communicate(timeout=30)
        return demo.returncode, " ".join(re.sub(r"[│╭╮╰╯─]", " ", said).split())


def test_a_folder_of_another_node_is_not_filled_with_invented_patients(tmp_path: Path) -> None:
    (tmp_path / "trabecula.sqlite").touch()
    status, said = refused("--data", str(tmp_path), temporary=tmp_path)
    assert status == 2
    assert "invented patients would mix with its own" in said
    assert [each.name for each in tmp_path.iterdir()] == ["trabecula.sqlite"]


def test_a_folder_whose_first_day_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "demo.json").write_text("{}")
    status, said = refused("--data", str(tmp_path), temporary=tmp_path)
    assert status == 2
    assert "names no first day of a demo" in said


# ---- what is sent


def letters(count: int) -> list[Letter]:
    return list(islice(Invented(FIRST, ZoneInfo("UTC")).courses(), count))


def translated(intake: Intake, letter: Letter) -> Iterator[Translation]:
    for raw in letter.parts:
        match letter.form:
            case "hl7v2":
                yield intake.hl7v2(raw)
            case "fhir":
                yield intake.line(raw)
            case "event":
                yield translate_native(raw)


def stands(service: Service, events: list[AnyEvent], until: datetime) -> set[tuple[str, str, str, str, datetime]]:
    with service.replaying(until) as replaying:
        for _ in replaying.run(service.sorted(events)):
            pass
        return {_stands(alert) for alert in replaying.standing()}


def _stands(alert: Alert) -> tuple[str, str, str, str, datetime]:
    return alert.patient_id, alert.rule_id, alert.severity, alert.state, alert.effective_at


def test_three_formats_together_say_what_events_alone_would_say() -> None:
    """Every system speaks one of them; no record is said twice and nothing is refused."""
    service = Service(Settings(fhir_authorities={fhir.IDENTIFIER_SYSTEM: ""}))
    sent = letters(2_400)
    assert {letter.form for letter in sent} == {"hl7v2", "fhir", "event"}
    intake = Intake(service.settings.site, service.tables, MemoryDirectory())
    told = [outcome for letter in sent for outcome in translated(intake, letter)]
    assert [outcome.refusals for outcome in told if outcome.refusals] == []
    by_three = stands(service, [event for outcome in told for event in outcome.events], sent[-1].at)
    alone = [
        event
        for one in islice(Population(Invented(FIRST, ZoneInfo("UTC")).options).messages(), 3_000)
        if one.arrives <= sent[-1].at
        for line in native.lines(one.message).splitlines()
        for event in translate_native(line).events
    ]
    assert by_three == stands(service, alone, sent[-1].at)
    assert len({rule for _, rule, *_ in by_three}) > 4


def test_the_ordinary_messages_of_a_day_are_hl7v2_of_systems_that_are_known() -> None:
    sent = list(islice(Invented(FIRST, ZoneInfo("UTC")).traffic(FIRST), 500))
    assert Counter(letter.form for letter in sent) == {"hl7v2": 500}
    assert {letter.sender for letter in sent} <= FORMS.keys()
    assert sent[0].at.date() == FIRST


# ---- how it is sent


async def test_what_is_not_acknowledged_is_sent_again_and_what_is_refused_is_counted() -> None:
    """A node that is busy at first, hangs up once, and can never take the second message."""
    answers = [b"AE", b"", b"AA", b"AR", b"AA"]
    came: list[bytes] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while answers:
            try:
                came.append(await reader.readuntil(b"\x1c\r"))
            except asyncio.IncompleteReadError:
                break
            code = answers.pop(0)
            if not code:
                break
            writer.write(b"\x0bMSH|^~\\&|||||||ACK|1|P|2.5.1\rMSA|" + code + b"|1\r\x1c\r")
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        host, port = server.sockets[0].getsockname()[:2]
        feeds = Feeds("127.0.0.1:1", f"{host}:{port}")
        await feeds.send([Letter(NOW, "LAB", "hl7v2", (name,)) for name in (b"first", b"second", b"third")])
        await feeds.close()
    assert [each.strip(b"\x0b\x1c\r") for each in came] == [b"first"] * 3 + [b"second", b"third"]
    assert (feeds.sent["hl7v2"], feeds.refused) == (3, 1)
