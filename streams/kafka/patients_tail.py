"""What gateways have learned of FHIR Patients, read from its topic: all of it at the start, then what is new."""

import asyncio
from typing import Final

from aiokafka import AIOKafkaConsumer
from aiokafka.errors import KafkaError
from aiokafka.structs import TopicPartition

from schemas.topics import PATIENTS
from streams.kafka.connection import Connection, NoBrokerError, let_go
from streams.kafka.patients import KnownPatients

_WITHIN: Final = 300.0
"""Seconds in which the topic must have been read: a million Patients take about twelve."""
_TOGETHER: Final = 5_000
_WAIT: Final = 500


class PatientsTail:
    """The one partition of the topic."""

    def __init__(self, connection: Connection, known: KnownPatients) -> None:
        self._connection = connection
        self._known = known
        self._where = TopicPartition(connection.name(PATIENTS.name), 0)
        self._consumer = AIOKafkaConsumer(
            **connection.arguments(),
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            isolation_level="read_committed",
        )
        self._reading: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Read all that is known, then go on.

        Errors: NoBrokerError.
        """
        try:
            async with asyncio.timeout(_WITHIN):
                await self._consumer.start()
                self._consumer.assign([self._where])
                end = (await self._consumer.end_offsets([self._where]))[self._where]
                while await self._consumer.position(self._where) < end:
                    await self._read()
        except (KafkaError, TimeoutError, OSError) as error:
            raise NoBrokerError(
                f"{self._where.topic} could not be read at {self._connection.bootstrap} ({type(error).__name__})"
            ) from None

        self._reading = asyncio.create_task(self._run())

    async def _run(self) -> None:
        """Read on; while no broker answers nothing is new."""
        while True:
            try:
                await self._read()
            except KafkaError:
                await asyncio.sleep(_WAIT / 1000)

    async def _read(self) -> None:
        found = await self._consumer.getmany(timeout_ms=_WAIT, max_records=_TOGETHER)
        told = [
            (
                record.key.decode("utf-8", "surrogatepass"),
                record.value and record.value.decode("utf-8", "surrogatepass"),
            )
            for records in found.values()
            for record in records
            if record.key
        ]
        if told:
            await asyncio.to_thread(self._known.learn, told)

    async def stop(self) -> None:
        """Read no more."""
        if self._reading is not None:
            self._reading.cancel()
        await let_go(self._consumer)
