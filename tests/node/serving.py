"""A whole node in this process, on free ports, and what it says of itself."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from prometheus_client.parser import text_string_to_metric_families

from schemas.wire import encode
from streams.node.serve import Listen, Running, running
from tests.node.http_clinic import service

JSON = {"content-type": "application/json"}
_LOOKS = 2_000


async def until(condition: Callable[[], object]) -> None:
    """Wait until something is so, for at most twenty seconds."""
    for _ in range(_LOOKS):
        if condition():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it did not come about")


@dataclass(frozen=True, slots=True)
class Served:
    """A node and a client of its HTTP."""

    running: Running
    http: httpx.AsyncClient

    async def post(self, *events: Mapping[str, Any]) -> list[str]:
        """Send events; what became of each."""
        answer = await self.http.post("/v1/events", content=encode(events), headers=JSON)
        return [item["outcome"] for item in answer.json()["items"]]

    async def metrics(self) -> "Metrics":
        """The metrics as they are scraped."""
        return Metrics((await self.http.get("/metrics")).text)


class Metrics:
    """An exposition, read."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._samples = [s for family in text_string_to_metric_families(text) for s in family.samples]

    @property
    def names(self) -> set[str]:
        """Every name that a sample has."""
        return {sample.name for sample in self._samples}

    def of(self, name: str, **labels: str) -> float | None:
        """The sample with these labels; None if there is none."""
        found = [s.value for s in self._samples if s.name == name and labels.items() <= s.labels.items()]
        assert len(found) < 2, f"{name} {labels} is there {len(found)} times"
        return found[0] if found else None

    def members(self, name: str) -> list[dict[str, str]]:
        """The labels of every sample of a name."""
        return [s.labels for s in self._samples if s.name == name]


@asynccontextmanager
async def served(folder: Path, **listen: Any) -> AsyncIterator[Served]:
    """A node that takes messages."""
    where = Listen("127.0.0.1:0", "127.0.0.1:0", **listen)
    async with running(service(), folder, where) as node, httpx.AsyncClient(base_url=f"http://{node.http}") as client:
        yield Served(node, client)
