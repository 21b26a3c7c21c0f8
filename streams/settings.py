"""Settings of a site, and the one list of all that can be set.

Topic: a flag beats the environment (TRABECULA_...), which beats the TOML file of `--config`. The file is one for all
commands: each takes what is its own, and what is nobody's is refused.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

from pydantic import field_validator
from pydantic_settings import BaseSettings

from schemas.values import instant
from streams.intake.site import Site
from streams.node.access_settings import AccessSettings
from streams.settings_kafka import KafkaSettings
from streams.settings_layers import PREFIX, Kind, LayeredSettings, SettingsError, layered, read_file
from streams.settings_node import IN_NO_FILE, DemoSettings, LogSettings, NodeSettings, OperatorSettings
from streams.settings_offline import ExplainSettings, SimulateSettings
from streams.settings_worker import WorkerSettings

__all__ = ["KINDS", "KNOWN", "Asked", "Settings", "SettingsError", "load", "load_settings", "never_read"]


class Settings(LayeredSettings):
    """What a site says of itself. Each field is also TRABECULA_<NAME> in the environment."""

    time_zone: str = "UTC"
    """IANA name; days are its local days."""
    default_assigner: str | None = None
    """The assigning authority whose patient numbers are written bare."""
    preferred_identifier_type: str = "MR"
    """HL7 table 0203 type of the PID-3 repetition that names the patient."""
    preferred_authority: str | None = None
    """The assigning authority whose PID-3 repetition comes first."""
    fhir_authorities: dict[str, str] = {}  # noqa: RUF012 - a field of pydantic, which copies it
    """FHIR identifier system -> assigning authority."""
    fhir_base: str = ""
    """Base address that relative FHIR references are resolved against."""
    source: str | None = None
    """Name of the feed; else MSH-3 and MSH-4, or `fhir`."""
    tables: Path | None = None
    """A TOML file of the site's own codes and units."""
    rules: Path | None = None
    """A TOML file of the site's overrides of the rule pack, or a pack of its own."""
    until: datetime | None = None
    """Let the clock of a replay run on to this instant."""
    final: bool = False
    """Of a replay, print the standing alerts instead of the notices."""
    as_given: bool = False
    """Of a replay, keep the order of the files."""

    @field_validator("until", mode="before")
    @classmethod
    def _instant(cls, given: object) -> object:
        return instant(given) if isinstance(given, str) else given

    @field_validator("until")
    @classmethod
    def _with_offset(cls, at: datetime | None) -> datetime | None:
        if at is not None and at.tzinfo is None:
            raise ValueError("expected an instant with an offset, e.g. 2025-04-06T00:00:00Z")
        return at

    @field_validator("time_zone")
    @classmethod
    def _known_zone(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except (KeyError, ValueError, OSError):
            raise ValueError("expected an IANA time zone, e.g. Europe/Berlin") from None
        return name

    @cached_property
    def site(self) -> Site:
        """The settings of the intake."""
        return Site(
            time_zone=ZoneInfo(self.time_zone),
            default_assigner=self.default_assigner,
            preferred_identifier_type=self.preferred_identifier_type,
            preferred_authority=self.preferred_authority,
            fhir_authorities=self.fhir_authorities,
            fhir_base=self.fhir_base,
            source=self.source,
        )


KINDS: Final[tuple[type[BaseSettings], ...]] = (
    Settings,
    NodeSettings,
    AccessSettings,
    LogSettings,
    KafkaSettings,
    WorkerSettings,
    DemoSettings,
    OperatorSettings,
    ExplainSettings,
    SimulateSettings,
)
KNOWN: Final = frozenset(name for kind in KINDS for name in kind.model_fields)
"""Every setting by name."""
_BESIDE: Final = frozenset({"config"})
"""What only the environment can set: where the file is."""


def load(kind: type[Kind], config: Path | None = None, **flags: Any) -> Kind:
    """A group of settings as they are in force.

    Errors: SettingsError names the setting or the file, and what would be accepted.
    """
    return layered(kind, read_file(config, KNOWN - IN_NO_FILE), flags)


@dataclass(frozen=True, slots=True)
class Asked:
    """What a command was given; each group of settings is loaded from it when it is needed."""

    config: Path | None
    flags: Mapping[str, Any]

    def load(self, kind: type[Kind]) -> Kind:
        """A group of settings as they are in force.

        Errors: SettingsError.
        """
        return load(kind, self.config, **self.flags)


def load_settings(config: Path | None = None, **flags: Any) -> Settings:
    """The site's settings in force.

    Errors: SettingsError.
    """
    return load(Settings, config, **flags)


def never_read(environment: Mapping[str, str] | None = None) -> list[str]:
    """The names in the environment that look like settings and are none: written wrong, or of another version."""
    given = os.environ if environment is None else environment
    names = (name for name in given if name.upper().startswith(PREFIX))
    return sorted(name for name in names if name.upper().removeprefix(PREFIX).lower() not in KNOWN | _BESIDE)
