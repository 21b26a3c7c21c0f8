"""Who was forgotten is taken out of what waits for receivers.

Topic: an erasure takes a patient's alerts out of their topic. What was said of them before is in the topic of notices
as long as that is kept, and is delivered to nobody any more.
"""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from schemas.topics import ALERTS
from streams.kafka.connection import Connection
from streams.kafka.notify_mailbox import Mailbox

_WAIT_MS: Final = 500
_AT_ONCE: Final = 5_000
_AGAIN: Final = 1.0


class Forgetting:
    """Reads the topic of alerts for those that are taken out, for all receivers of a process."""

    def __init__(self, connection: Connection, partitions: int, mailboxes: Sequence[Mailbox]) -> None:
        self._connection = connection
        self._topic = connection.name(ALERTS.name)
        self._partitions = range(partitions)
        self._mailboxes = mailboxes

    async def run(self) -> None:
        """Read on and on.

        Errors: NotDurableError.
        """
        while True:
            try:
                await self._read()
            except KafkaError:
                await asyncio.sleep(_AGAIN)

    async def _read(self) -> None:
        consumer = AIOKafkaConsumer(
            **self._connection.arguments(),
            isolation_level="read_committed",
            enable_auto_commit=False,
            auto_offset_reset="earliest",
        )
        await consumer.start()
        try:
            consumer.assign([TopicPartition(self._topic, number) for number in self._partitions])
            for number, offset in (await self._where()).items():
                consumer.seek(TopicPartition(self._topic, number), offset)
            while True:
                found = await consumer.getmany(timeout_ms=_WAIT_MS, max_records=_AT_ONCE)
                if found:
                    await self._forget(found)
        finally:
            await consumer.stop()

    async def _where(self) -> dict[int, int]:
        """Where the one that knows least goes on; one that knows nothing begins at the beginning."""
        known = [await each.forgetting() for each in self._mailboxes]
        return {number: min((each.get(number, 0) for each in known), default=0) for number in self._partitions}

    async def _forget(self, found: Mapping[TopicPartition, Sequence[Any]]) -> None:
        alerts: dict[str, int] = {}
        for records in found.values():
            for record in records:
                if record.value is None and record.key is not None:
                    alerts[record.key.decode("utf-8", "replace")] = record.timestamp
        positions = {where.partition: records[-1].offset + 1 for where, records in found.items()}
        for mailbox in self._mailboxes:
            await mailbox.forget(alerts, positions)
