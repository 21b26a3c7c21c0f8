"""Settings of a worker of the Kafka deployment, beside where the brokers are and where it keeps and listens."""

from typing import Literal

from pydantic import Field

from streams.settings_layers import LayeredSettings


class WorkerSettings(LayeredSettings):
    """What a worker is told."""

    standbys: int = Field(default=1, ge=0, le=8)
    """Workers that keep each partition beside its owner, so that one of them takes over in a moment."""
    worker_store: Literal["memory", "rocksdb"] = "memory"
    """Where partitions are held: read anew at each start, or in the folder of `data` (the extra `rocksdb`)."""
    session_seconds: float = Field(default=10.0, ge=1, le=60)
    """Without a sign of life for so long, its partitions go to others; most brokers allow no less than 6 seconds."""
    stalled_seconds: float = Field(default=120.0, ge=1)
    """A partition that has something to do and does not get on for so long ends its worker."""
    records_together: int = Field(default=1_000, ge=1, le=10_000)
    """Records in one transaction."""
