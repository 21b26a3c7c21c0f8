"""A node that is killed while it delivers: nothing of the outbox is lost, and what comes twice has the same id."""

import json
import random
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

from schemas.wire import decode
from streams.node.store_reading import Reading
from tests.delivery.receiving import Reply, Request, server
from tests.node.test_delivery import in_order

ROOT = Path(__file__).parents[2]
KILLS = 8


def child(folder: Path, url: str, out: Path, notices: int) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "tests.node.delivery_child", str(folder), url, str(out), str(notices)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)


def test_after_any_number_of_kills_every_notice_was_delivered_in_order(tmp_path: Path) -> None:
    rng = random.Random(5)

    def script(_request: Request, _before: int) -> Reply:
        return Reply(rng.choice((200, 200, 200, 200, 503)), after=rng.choice((0, 0, 0.01)))

    folder, out = tmp_path / "data", tmp_path / "out.ndjson"
    with server(script) as ward:
        for _ in range(KILLS):
            came = len(ward.requests)
            running = child(folder, ward.url, out, 90)
            ends = time.monotonic() + 20
            while len(ward.requests) < came + 5 and time.monotonic() < ends:
                time.sleep(0.005)
            time.sleep(rng.uniform(0, 0.2))
            running.kill()
            running.communicate()
        said, _ = child(folder, ward.url, out, 10).communicate(timeout=60)
        assert said == "delivered\n"
        reading = Reading(folder)
        outbox = [told.notice_id for told in reading.notices(0, 1_000)]
        bodies = {told.notice_id: told.body for told in reading.notices(0, 1_000)}
        reading.close()
        assert len(outbox) > KILLS * 5
        assert all(request.verified for request in ward.requests)
        assert all(request.raw == bodies[request.message_id] for request in ward.taken)
        first = list(dict.fromkeys(ward.ids()))
        assert sorted(first) == sorted(outbox)
        in_order(first)
        print(f"\n{len(outbox)} notices, {KILLS} kills, {len(ward.ids()) - len(first)} taken twice")
    lines = [decode(line)["notice_id"] for line in out.read_bytes().splitlines()]
    assert Counter(lines) == Counter(outbox)
    in_order(lines)
    assert json.loads(out.read_bytes().splitlines()[0])["notice_id"] in bodies
