"""As tests.kafka.worker_child, with a fence that fails: JSON has `step` and `how` (raise, exit or slow) too."""

import asyncio
import json
import os
import sys
from collections.abc import Mapping
from typing import Any, ClassVar, Final

from aiokafka.errors import KafkaError

from streams.kafka import worker
from streams.kafka.changelog import Line, Place
from streams.kafka.fence import Fence
from tests.kafka.worker_child import main

STEPS: Final = ("started", "begun", "written", "committed")
"""A producer has started; nothing is written yet; all is written and not committed; committed, and not known here."""


class FailingFence(Fence):
    """Fails at a step of every third transaction."""

    step: ClassVar[str]
    how: ClassVar[str]
    _count: ClassVar[int] = 0

    async def start(self) -> None:
        await super().start()
        await self._at("started")

    async def transact(self, records: Mapping[Place, list[Line]], next_offset: int | None) -> Mapping[Place, int]:
        found = await super().transact(records, next_offset)
        await self._at("committed")
        return found

    async def _write(self, records: Mapping[Place, list[Line]], next_offset: int | None) -> Mapping[Place, int]:
        await self._at("begun")
        found = await super()._write(records, next_offset)
        await self._at("written")
        return found

    async def _at(self, step: str) -> None:
        if step != self.step:
            return
        FailingFence._count += 1
        if self._count % 3:
            return
        match self.how:
            case "raise":
                raise KafkaError
            case "exit":
                os._exit(9)
            case _:
                await asyncio.sleep(1)


def fail(bootstrap: str, prefix: str, data: str, more: str) -> int:
    asked: dict[str, Any] = json.loads(more)
    FailingFence.step, FailingFence.how = asked.pop("step"), asked.pop("how")
    vars(worker)["Fence"] = FailingFence
    return main(bootstrap, prefix, data, json.dumps(asked))


if __name__ == "__main__":
    sys.exit(fail(*sys.argv[1:]))
