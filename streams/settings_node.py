"""Settings of a node, of its logs, and of whoever operates one."""

import json
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import NoDecode

from streams.settings_layers import LayeredSettings

Level = Literal["debug", "info", "warning", "error"]
Form = Literal["auto", "json", "human"]
DATA: Final = Path("trabecula-data")
HTTP: Final = "127.0.0.1:8080"
MLLP: Final = "127.0.0.1:2575"
_MEBIBYTE: Final = 1024 * 1024


class NodeSettings(LayeredSettings):
    """What one node is told: where it keeps, where it listens, how much it takes and how long it keeps."""

    data: Path = DATA
    """The folder that everything is kept in."""
    http: str = HTTP
    """HOST:PORT; port 0 picks a free one."""
    http_certificate: Path | None = None
    """PEM file of the server's certificate and chain; HTTPS then."""
    http_key: Path | None = None
    """PEM file of its key."""
    mllp: str = MLLP
    """HOST:PORT; port 0 picks a free one."""
    mllp_certificate: Path | None = None
    """PEM file of the listener's certificate and chain; MLLP over TLS then."""
    mllp_key: Path | None = None
    """PEM file of its key."""
    mllp_authority: Path | None = None
    """PEM file of the authority whose clients are let in."""
    mllp_client: Annotated[tuple[str, ...], NoDecode] = ()
    """Names of the clients that are let in; in the environment with commas between them, or as JSON."""
    receivers: Path | None = None
    """A TOML file of the receivers of notices."""
    keep_raw_days: int | None = Field(default=None, ge=1)
    """Days after which only of raw messages that they came is kept, where nothing leads to them; none: always kept."""
    most_waiting: int = Field(default=4_096, ge=1)
    """Messages that wait for the disk; who sends more is told to come again."""
    most_waiting_bytes: int = Field(default=128 * _MEBIBYTE, ge=_MEBIBYTE)
    """Bytes of the messages that wait."""
    most_together: int = Field(default=256, ge=1, le=10_000)
    """Messages in one transaction."""
    charts_in_memory: int | None = Field(default=None, ge=1)
    """Charts that are held beside the disk's; none: as many as the engine finds right."""

    @field_validator("mllp_client", mode="before")
    @classmethod
    def _listed(cls, given: Any) -> Any:
        """A name may have a space in it, so that commas part them."""
        if not isinstance(given, str):
            return given
        if given.lstrip().startswith("["):
            try:
                return json.loads(given)
            except ValueError:
                raise ValueError("expected names with commas between them, or a JSON array of them") from None
        return tuple(filter(None, map(str.strip, given.split(","))))

    @model_validator(mode="after")
    def _whole(self) -> Self:
        for of in ("http", "mllp"):
            pair = (getattr(self, f"{of}_certificate"), getattr(self, f"{of}_key"))
            if any(pair) and not all(pair):
                raise ValueError(f"setting {of}_certificate: needs {of}_key (--{of}-certificate and --{of}-key)")
        if self.mllp_authority and not self.mllp_certificate:
            raise ValueError("setting mllp_authority: needs --mllp-certificate and --mllp-key")
        if bool(self.mllp_authority) != bool(self.mllp_client):
            raise ValueError(
                "setting mllp_client: needs --mllp-authority, and the reverse: who is let in, by whose word"
            )
        return self


class LogSettings(LayeredSettings):
    """How a node says what happens."""

    log_level: Level = "info"
    """The least that is said."""
    log_form: Form = "auto"
    """`json`: a line of JSON each; `human`: to be read; `auto`: human on a terminal, else json."""


class DemoSettings(LayeredSettings):
    """Where a node to look at keeps and listens: never a real node's folder, whatever is set for that."""

    demo_data: Path | None = None
    """The folder to keep it in; none: a temporary one."""
    demo_http: str | None = None
    """HOST:PORT; none: the usual one, or a free port if it is in use."""
    demo_mllp: str | None = None
    """HOST:PORT; none: the usual one, or a free port if it is in use."""


class OperatorSettings(LayeredSettings):
    """How an operator's command reaches a node."""

    http: str = HTTP
    """The node's address: HOST:PORT or https://HOST:PORT."""
    key_file: Path | None = None
    """A file with an API key in it."""
    key: SecretStr | None = None
    """An API key; only in the environment, where other users of the machine do not see it."""
    authority: Path | None = None
    """PEM file of the authority that the node's certificate is judged by; none: the system's."""


IN_NO_FILE: Final = frozenset({"key"})
"""A secret does not stand beside what is no secret."""
