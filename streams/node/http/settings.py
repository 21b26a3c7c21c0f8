"""Where HTTP listens, and what it takes at most."""

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from schemas.wire import LARGEST_MESSAGE
from streams.intake.fhir import LARGEST_BUNDLE


class HttpSettings(BaseModel):
    """Where HTTP listens and what it takes at most."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    host: str = "127.0.0.1"
    """Address to listen on."""
    port: int = Field(default=8080, ge=0, le=65_535)
    """0 picks a free one."""
    certificate: Path | None = None
    """PEM file of the server's certificate and chain; with it HTTPS alone is spoken."""
    private_key: Path | None = None
    """PEM file of its key."""
    largest_body: int = Field(default=LARGEST_MESSAGE, ge=1024)
    """Bytes of a body, and of what a compressed one becomes."""
    largest_bundle: int = Field(default=LARGEST_BUNDLE, ge=1024)
    """As `largest_body`, for FHIR."""
    most_items: int = Field(default=10_000, ge=1)
    """Events of one body."""
    at_once: int = Field(default=256, ge=1)
    """Events of one body that wait for the disk together."""
    body_within: float = Field(default=60.0, gt=0)
    """Seconds in which a body must have come."""
    head_within: float = Field(default=15.0, gt=0)
    """Seconds in which the head of a request must have come, and between two requests of a connection."""
    most_connections: int = Field(default=1000, ge=1)
    """Connections and requests at once."""
    most_streams: int = Field(default=64, ge=0)
    """Readers of notices at once."""
    heartbeat: float = Field(default=15.0, gt=0)
    """Seconds of silence after which a stream says that it is alive."""
    look_every: float = Field(default=0.5, gt=0)
    """Seconds after which a stream looks for notices that nobody rang for."""
    stream_within: float = Field(default=3_600.0, gt=0)
    """Seconds after which a stream ends; its reader comes again, and says again who it is."""
    send_within: float = Field(default=30.0, gt=0)
    """Seconds in which a reader of a stream must take what it is sent."""
