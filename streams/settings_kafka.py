"""Settings of the Kafka deployment: where the brokers are, how they are spoken to, and what the topics are."""

from pathlib import Path
from typing import Final, Literal, Self

from pydantic import Field, model_validator

from schemas.topics import topics_of_site
from streams.settings_layers import LayeredSettings

BOOTSTRAP: Final = "127.0.0.1:9092"


class KafkaSettings(LayeredSettings):
    """What every process of the Kafka deployment is told of Kafka."""

    bootstrap: str = BOOTSTRAP
    """HOST:PORT of some brokers, with commas between them."""
    topic_prefix: str = Field(default="", pattern=r"^[A-Za-z0-9._-]{0,64}$")
    """What the names of topics, groups and transactions begin with, where a cluster is shared."""
    kafka_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    """How brokers are spoken to."""
    kafka_authority: Path | None = None
    """PEM file of the authority that the brokers' certificates are judged by; none: the system's."""
    kafka_certificate: Path | None = None
    """PEM file of our own certificate and chain, where brokers ask for one."""
    kafka_key: Path | None = None
    """PEM file of its key."""
    kafka_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = "SCRAM-SHA-512"
    """How the user is proved, where the protocol has SASL in its name."""
    kafka_user: str | None = None
    """The user."""
    kafka_password_file: Path | None = None
    """A file with the user's password in it."""
    partitions: int | None = Field(default=None, ge=1, le=10_000)
    """Of the topics whose key is a patient; chosen before the first start, never changed."""
    replication: int | None = Field(default=None, ge=1, le=9)
    """Copies of every partition; 1 only to try it out on one broker."""
    retention_days: dict[str, int] = {}  # noqa: RUF012 - a field of pydantic, which copies it
    """Topic -> days for which its records are kept."""

    gateway_name: str | None = Field(default=None, pattern=r"^[A-Za-z0-9._-]{1,100}$")
    """Of a gateway among others, the same at every start; none: the machine's and the port of HTTP."""

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if bool(self.kafka_certificate) != bool(self.kafka_key):
            raise ValueError("setting kafka_certificate: needs kafka_key, and the reverse")
        if self.kafka_protocol.startswith("SASL") and not (self.kafka_user and self.kafka_password_file):
            raise ValueError("setting kafka_protocol: SASL needs kafka_user and kafka_password_file")
        if "SSL" not in self.kafka_protocol and (self.kafka_certificate or self.kafka_authority):
            raise ValueError("setting kafka_protocol: certificates need SSL or SASL_SSL")
        topics_of_site(retention_days=self.retention_days)
        return self
