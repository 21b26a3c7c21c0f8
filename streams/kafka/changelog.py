"""Records of a transaction as batches, one or more for each partition of a topic.

Topic: a batch that is built at once costs a few microseconds a record; records that are sent one by one cost thirty.
"""

import time
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Final, NamedTuple

from aiokafka import AIOKafkaProducer
from aiokafka.partitioner import murmur2
from aiokafka.producer.message_accumulator import BatchBuilder

from streams.kafka.work import Headers, Sent

_POSITIVE: Final = 0x7FFFFFFF


Line = tuple[bytes | None, bytes | None, Headers]
"""A record of a batch: key, value, headers."""


class Place(NamedTuple):
    """Where a batch goes; `topic` with its prefix."""

    topic: str
    partition: int


@lru_cache(maxsize=65_536)  # a key costs ten microseconds, and a patient's comes again
def partition_of(key: bytes | None, partitions: int) -> int:
    """The partition that a key belongs in, as the Java client has it; without a key the first."""
    return 0 if key is None else (murmur2(key) & _POSITIVE) % partitions


def lines_of(changes: Mapping[bytes, bytes | None]) -> Iterator[Line]:
    """Changes of a state as records of its changelog."""
    return ((key, value, ()) for key, value in changes.items())


def placed(sends: Iterable[Sent], prefix: str, partitions: Mapping[str, int]) -> dict[Place, list[Line]]:
    """Records by where they go, in order; `partitions` of each topic by the name that the contract gives."""
    found: dict[Place, list[Line]] = {}
    for sent in sends:
        partition = sent.partition
        if partition is None:
            partition = partition_of(sent.key, partitions[sent.topic])
        found.setdefault(Place(prefix + sent.topic, partition), []).append((sent.key, sent.value, sent.headers))
    return found


def batches(producer: AIOKafkaProducer, lines: Iterable[Line]) -> Iterator[BatchBuilder]:
    """Records in as few batches as a producer takes them."""
    batch = producer.create_batch()
    at = int(time.time() * 1000)
    for key, value, headers in lines:
        if batch.append(timestamp=at, key=key, value=value, headers=list(headers)) is None:
            yield batch
            batch = producer.create_batch()
            batch.append(timestamp=at, key=key, value=value, headers=list(headers))
    if batch.record_count():
        batch.close()
        yield batch
