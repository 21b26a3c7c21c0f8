"""A real Prometheus scrapes a node and answers what operators ask; every expression of the page is one."""

import asyncio
import os
import re
import shutil
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, Final

import httpx
import pytest

from tests.house.places import text
from tests.node.serving import served
from tests.node.test_metrics import pregnancy, result

EXPRESSIONS: Final = re.findall(
    r"^\| `([^`]+)` \| ", text("docs/metrics.md").partition("What to be woken for")[2], re.MULTILINE
)
_LOOKS: Final = 300
Json = dict[str, Any]

pytestmark = pytest.mark.skipif(
    not shutil.which("prometheus") and not os.environ.get("CI"),
    reason="Prometheus is not installed (Debian: prometheus)",
)


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def configured(folder: Path, target: str) -> Path:
    """The file that a Prometheus is told its target in."""
    folder.mkdir()
    config = folder / "prometheus.yml"
    scrapes = f'scrape_configs: [{{job_name: trabecula, static_configs: [{{targets: ["{target}"]}}]}}]'
    config.write_text(f"global: {{scrape_interval: 200ms}}\n{scrapes}\n")
    return config


@asynccontextmanager
async def prometheus(config: Path) -> AsyncIterator[httpx.AsyncClient]:
    """A Prometheus that is ready, and a client of it; ended at the end."""
    listen = f"127.0.0.1:{free_port()}"
    process = await asyncio.create_subprocess_exec(
        "prometheus",
        f"--config.file={config}",
        f"--storage.tsdb.path={config.parent / 'data'}",
        f"--web.listen-address={listen}",
        "--log.level=error",
    )
    try:
        async with httpx.AsyncClient(base_url=f"http://{listen}", trust_env=False) as client:
            await ready(client)
            yield client
    finally:
        process.terminate()
        await asyncio.wait_for(process.wait(), 20)


async def ready(client: httpx.AsyncClient) -> None:
    """Wait until it answers, at most half a minute."""
    for _ in range(_LOOKS):
        with suppress(httpx.TransportError):
            if (await client.get("/-/ready")).status_code == 200:
                return
        await asyncio.sleep(0.1)
    raise AssertionError("Prometheus did not get ready")


async def query(client: httpx.AsyncClient, expression: str) -> list[Json]:
    """The samples that an expression has now."""
    answer = await client.get("/api/v1/query", params={"query": expression})
    assert answer.status_code == 200, answer.text
    found: list[Json] = answer.json()["data"]["result"]
    return found


async def scraped(client: httpx.AsyncClient, expression: str) -> list[Json]:
    """The samples of an expression once there are some; waits at most half a minute."""
    for _ in range(_LOOKS):
        if found := await query(client, expression):
            return found
        await asyncio.sleep(0.1)
    raise AssertionError(f"{expression} has no samples")


async def test_a_prometheus_scrapes_a_node_and_answers(tmp_path: Path) -> None:
    async with served(tmp_path / "data", canary=0.1) as at:
        await at.post(pregnancy(), result("critical"))
        async with prometheus(configured(tmp_path / "prometheus", at.running.http)) as client:
            (up,) = await scraped(client, 'up{job="trabecula"} == 1')
            assert up["metric"]["instance"] == at.running.http
            (open_,) = await scraped(client, 'trabecula_alerts_open{severity="critical"}')
            assert (open_["metric"]["state"], open_["value"][1]) == ("open", "1")
            (events,) = await scraped(client, 'sum(trabecula_events_total{outcome="accepted"})')
            assert events["value"][1] == "2"
            (canary,) = await scraped(client, "trabecula_canary_seconds")
            assert 0 <= float(canary["value"][1]) < 20
            quantile = "histogram_quantile(0.5, sum by (le) (trabecula_event_age_seconds_bucket))"
            (age,) = await scraped(client, quantile)
            assert 3_600 < float(age["value"][1]) <= 86_400
            silent = await scraped(client, "count(trabecula_rule_last_notice_timestamp_seconds == 0)")
            assert int(silent[0]["value"][1]) > 30
            for expression in EXPRESSIONS:
                await query(client, expression)


def test_the_page_has_expressions_to_be_woken_for() -> None:
    assert len(EXPRESSIONS) > 5
