"""Measure the time from the first byte of a message over MLLP to the webhook that has its notice.

Topic: the node is the whole of it in a process of its own; each message raises a critical notice of another pregnant
woman, and each notice is a signed request. Messages are sent at their instants whether or not earlier ones were
answered, and time counts from when a message was due: a node that holds up its senders is not measured as fast.
"""

import argparse
import asyncio
import json
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.client import HTTPConnection
from pathlib import Path
from statistics import median
from typing import Final

sys.path.insert(0, str(Path(__file__).parents[1]))
os.environ["PYTHONPATH"] = str(Path(__file__).parents[1])  # of the node as well

from workload.disk import syncs_a_second
from workload.listening import Listening, listening
from workload.results import block
from workload.serving import serving

RATE: Final = 50
"""Messages a second."""
CONNECTIONS: Final = 16
LIMIT: Final = 150.0
"""Milliseconds in which 99 of 100 notices have come."""
WARM_UP: Final = 2.0
"""Seconds that do not count: connections are opened, code is read for the first time."""
_COME_WITHIN: Final = 20.0
_RECEIVER: Final = """[[receivers]]
name = "ward"
kind = "webhook"
url = "http://127.0.0.1:{port}/notices"
secret = "whsec_dHJhYmVjdWxhIG1lYXN1cmVzIGl0cyBvd24gd2F5IG91dA=="
"""


def pregnancies(count: int) -> bytes:
    """That so many women are in their 27th week, as one array of events."""
    now = datetime.now(UTC)
    due = (now + timedelta(weeks=13)).date().isoformat()
    said = {"kind": "pregnancy", "source": "obstetrics", "recorded_at": now.isoformat(), "status": "pregnant"}
    named = ((f"PREG{n:08}", f"HOSPITAL|{n:07}") for n in range(count))
    return json.dumps(
        [
            said | {"event_id": name, "record_id": name, "patient_id": patient, "estimated_due_date": due}
            for name, patient in named
        ]
    ).encode()


def prepare(address: tuple[str, int], count: int) -> None:
    """Have the women known before anything is measured."""
    connection = HTTPConnection(*address, timeout=60)
    connection.request("POST", "/v1/events", pregnancies(count), {"Content-Type": "application/json"})
    items = json.loads(connection.getresponse().read())["items"]
    assert {item["outcome"] for item in items} == {"accepted"}, items[:3]
    connection.close()


@dataclass(slots=True)
class Run:
    """What was sent, and what came of it. Times are seconds of a steady clock."""

    due: list[float] = field(default_factory=list)
    acknowledged: dict[int, float] = field(default_factory=dict)


def calcium(number: int) -> bytes:
    """A critical calcium of a patient of its own, taken an hour ago."""
    now = datetime.now(UTC)
    said, taken = (at.strftime("%Y%m%d%H%M%S+0000") for at in (now, now - timedelta(hours=1)))
    segments = (
        f"MSH|^~\\&|LAB|HOSPITAL|TRABECULA|HOSPITAL|{said}||ORU^R01^ORU_R01|M{number:08}|P|2.5.1",
        f"PID|1||{number:07}^^^HOSPITAL^MR||MUSTER^MARIA||19930504|F",
        f"OBR|1||F{number:08}|2000-8^Calcium^LN|||{taken}",
        f"OBX|1|NM|2000-8^Calcium^LN||3.4|mmol/L|2.2-2.6|HH|||F|||{taken}",
    )
    return "".join(f"{segment}\r" for segment in segments).encode()


async def send_one(connection: tuple[asyncio.StreamReader, asyncio.StreamWriter], number: int) -> float:
    """Send a message and wait for its AA; when that came."""
    reader, writer = connection
    writer.write(block(calcium(number)))
    answer = await reader.readuntil(b"\x1c\r")
    assert b"\rMSA|AA|" in answer, answer[:300]
    return time.perf_counter()


async def send_all(address: tuple[str, int], rate: int, count: int) -> Run:
    """Send every message at its instant, over whichever connection is free."""
    free: asyncio.Queue[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = asyncio.Queue()
    for _ in range(CONNECTIONS):
        free.put_nowait(await asyncio.open_connection(*address))
    run = Run()

    async def send(number: int) -> None:
        connection = await free.get()
        run.acknowledged[number] = await send_one(connection, number)
        free.put_nowait(connection)

    began = time.perf_counter()
    async with asyncio.TaskGroup() as sending:
        for number in range(count):
            due = began + number / rate
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            run.due.append(due)
            sending.create_task(send(number))
    while not free.empty():
        free.get_nowait()[1].close()
    return run


async def come(listened: Listening, count: int) -> None:
    """Wait until every notice has come, or for some time after the last one."""
    while len(listened.came) < count:
        listened.arrived.clear()
        try:
            await asyncio.wait_for(listened.arrived.wait(), _COME_WITHIN)
        except TimeoutError:
            return


async def measured(folder: Path, rate: int, seconds: float) -> tuple[list[float], list[float], int]:
    """Milliseconds until each acknowledgement and until each webhook after the warm-up; how many notices never came."""
    count, first = round(rate * (seconds + WARM_UP)), round(rate * WARM_UP)
    async with listening() as listened:
        receivers = folder / "receivers.toml"
        receivers.write_text(_RECEIVER.format(port=listened.port))
        with serving(folder / "node", "--receivers", str(receivers)) as node:
            await asyncio.to_thread(prepare, node.http, count)
            run = await send_all(node.mllp, rate, count)
            await come(listened, count)
    came = {int(name): at for name, at in listened.came.items()}
    counted = range(first, count)
    answered = [(run.acknowledged[n] - run.due[n]) * 1_000 for n in counted]
    told = [(came[n] - run.due[n]) * 1_000 for n in counted if n in came]
    return answered, told, count - len(came)


def row(what: str, found: Sequence[float]) -> str:
    """A line of the table."""
    in_order = sorted(found)
    return f"{what:<46}{median(in_order):>8.1f}{within(in_order, 0.99):>9.1f}{in_order[-1]:>9.1f} ms"


def within(in_order: Sequence[float], share: float) -> float:
    """In which so large a share lies."""
    return in_order[int(share * (len(in_order) - 1))]


def main() -> int:
    """Print the table; exit status 1 if a limit is missed or a notice never came."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rate", type=int, default=RATE)
    parser.add_argument("--seconds", type=float, default=30.0)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="trabecula-bench-") as folder:
        before = syncs_a_second(Path(folder))
        answered, told, missing = asyncio.run(measured(Path(folder), asked.rate, asked.seconds))
        syncs = median((before, syncs_a_second(Path(folder))))
    print(f"{f'{asked.rate} messages a second for {asked.seconds:g} s':<46}{'median':>8}{'p99':>9}{'most':>9}")
    print(row("from the first byte to the acknowledgement", answered))
    print(row("from the first byte to the webhook", told))
    p99 = within(sorted(told), 0.99)
    holds = p99 < LIMIT and not missing
    print(f"notices that never came: {missing}; the disk: {syncs:,.0f} fsync/s one after the other")
    print(f"to the webhook, 99 of 100{p99:>29.1f} ms  < {LIMIT:g} ms {'ok' if holds else 'MISSED'}")
    return 0 if holds else 1


if __name__ == "__main__":
    sys.exit(main())
