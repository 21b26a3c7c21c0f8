"""The topics of the Kafka deployment, declared once: names, keys, partitions, copies, retention and cleanup.

Law: the number of partitions never changes, as it decides where a patient is kept; so it is chosen generously.
Source: Apache Kafka 4.1, topic configurations.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final, Literal

Cleanup = Literal["delete", "compact"]

PARTITIONS: Final = 12
"""Of every topic whose key is a patient, and of the worker's changelog: as many workers can share the work."""
COPIES: Final = 3
"""Of every partition; one broker may fail and records are still acknowledged by two."""
_MEBIBYTE: Final = 1024 * 1024
_OVERHEAD: Final = 64 * 1024
_DAY: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Topic:
    """One topic.

    `retention`: how long a record is kept; None for a compacted topic, where the last record of a key stays.
    `largest`: bytes of a batch of records, and so of one record.
    `is_internal`: written and read by the service alone.
    """

    name: str
    about: str
    key: str
    cleanup: Cleanup = "delete"
    retention: timedelta | None = None
    partitions: int = PARTITIONS
    copies: int = COPIES
    largest: int = _MEBIBYTE
    is_internal: bool = False

    @property
    def least_in_sync(self) -> int:
        """Copies that must have a record before it is acknowledged: all but one."""
        return max(1, self.copies - 1)

    @property
    def settings(self) -> Mapping[str, str]:
        """The topic's configuration as brokers name it."""
        said = {
            "cleanup.policy": self.cleanup,
            "max.message.bytes": str(self.largest + _OVERHEAD),
            "min.insync.replicas": str(self.least_in_sync),
            "unclean.leader.election.enable": "false",
        }
        if self.cleanup == "compact":
            # A record that takes a key out has to take effect in bounded time: somebody may have to be forgotten.
            return {**said, "max.compaction.lag.ms": _milliseconds(_DAY), "segment.bytes": str(64 * _MEBIBYTE)}
        return {**said, "retention.ms": "-1" if self.retention is None else _milliseconds(self.retention)}


def _milliseconds(length: timedelta) -> str:
    return str(length // timedelta(milliseconds=1))


EVENTS: Final = Topic(
    "trabecula.events.v1",
    "Events of feeds; one record an event.",
    "patient_id; partition = murmur2(key)",
    retention=30 * _DAY,
)
RAW_HL7V2: Final = Topic(
    "trabecula.raw.hl7v2.v1",
    "HL7 v2 messages, translated on arrival.",
    "free; messages of one key keep their order",
    retention=30 * _DAY,
    largest=16 * _MEBIBYTE,
)
RAW_FHIR: Final = Topic(
    "trabecula.raw.fhir.v1",
    "FHIR resources and Bundles, translated on arrival.",
    "free; messages of one key keep their order",
    retention=30 * _DAY,
    largest=48 * _MEBIBYTE,
)
NOTICES: Final = Topic(
    "trabecula.notices.v1",
    "Every transition of every alert, in order for a patient.",
    "patient_id; partition = murmur2(key)",
    retention=400 * _DAY,
)
ALERTS: Final = Topic(
    "trabecula.alerts.v1",
    "How each alert stands; the last record of a key counts.",
    "alert_id; the topic is compacted",
    cleanup="compact",
)
DEAD_LETTERS: Final = Topic(
    "trabecula.dead-letters.v1",
    "What could not be taken, and why.",
    "the key it came with",
    retention=90 * _DAY,
    partitions=1,
    largest=48 * _MEBIBYTE,
)
CHANGELOG: Final = Topic(
    "trabecula.changelog.v1",
    "All that a partition of the events knows: charts, links, what was told; the last record of a key counts.",
    "a key of the partition's state; partition = that of the events",
    cleanup="compact",
    largest=16 * _MEBIBYTE,  # a chart that cannot be written would hold up its partition for good
    is_internal=True,
)
PATIENTS: Final = Topic(
    "trabecula.patients.v1",
    "Who a FHIR Patient is known as; what a gateway has learned, all gateways know.",
    "the Patient's address (BASE/Patient/ID); the topic is compacted",
    cleanup="compact",
    partitions=1,
    is_internal=True,
)

TOPICS: Final = (EVENTS, RAW_HL7V2, RAW_FHIR, NOTICES, ALERTS, DEAD_LETTERS, CHANGELOG, PATIENTS)


def topics_of_site(
    partitions: int | None = None, copies: int | None = None, retention_days: Mapping[str, int] | None = None
) -> tuple[Topic, ...]:
    """The topics as a site wants them: another number of partitions from the first day, copies, days of retention.

    Errors: ValueError names a topic that there is not, or that keeps the last record of each key.
    """
    days = retention_days or {}
    wrong = sorted(days.keys() - {topic.name for topic in TOPICS if topic.retention is not None})
    if wrong:
        raise ValueError(f"{wrong[0]}: no topic with a retention; there are {', '.join(_names_retained())}")
    return tuple(_of_site(topic, partitions, copies, days.get(topic.name)) for topic in TOPICS)


def _names_retained() -> Iterable[str]:
    return (topic.name for topic in TOPICS if topic.retention is not None)


def _of_site(topic: Topic, partitions: int | None, copies: int | None, days: int | None) -> Topic:
    return replace(
        topic,
        partitions=partitions if partitions and topic.partitions > 1 else topic.partitions,
        copies=copies or topic.copies,
        retention=topic.retention if days is None else days * _DAY,
    )
