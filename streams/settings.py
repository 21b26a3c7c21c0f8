"""Settings of a site: a flag beats the environment (TRABECULA_...), which beats the TOML file of `--config`."""

import tomllib
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pydantic_settings
from pydantic import ValidationError, field_validator
from pydantic_settings import (
    BaseSettings,
    InitSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from schemas.values import instant
from streams.intake.site import Site


class SettingsError(ValueError):
    """A setting that cannot be used; the message names it and what would be accepted."""


class Settings(BaseSettings):
    """What a site says of itself. Each field is also TRABECULA_<NAME> in the environment."""

    model_config = SettingsConfigDict(env_prefix="TRABECULA_", frozen=True, extra="forbid", hide_input_in_errors=True)

    time_zone: str = "UTC"
    """IANA name; days are its local days."""
    default_assigner: str | None = None
    """The assigning authority whose patient numbers are written bare."""
    preferred_identifier_type: str = "MR"
    """HL7 table 0203 type of the PID-3 repetition that names the patient."""
    preferred_authority: str | None = None
    """The assigning authority whose PID-3 repetition comes first."""
    fhir_authorities: dict[str, str] = {}
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


def load_settings(config: Path | None = None, **flags: Any) -> Settings:
    """The settings in force.

    Errors: SettingsError names the setting or the file, and what would be accepted.
    """
    given: dict[str, Any] = {}
    if config is not None:
        try:
            given = tomllib.loads(config.read_text("utf-8"))
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            raise SettingsError(f"{config}: {error}") from None
    said = {name: value for name, value in flags.items() if value is not None}
    try:
        return _over(given)(**said)
    except pydantic_settings.SettingsError as error:  # a value that is no JSON where JSON is expected
        raise SettingsError(f'{error}; expected JSON, e.g. {{"urn:oid:1.2.3": "HOSP"}}') from None
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        name = ".".join(str(part) for part in first["loc"])
        raise SettingsError(f"setting {name}: {first['msg']} (known: {', '.join(Settings.model_fields)})") from None


def _over(file: dict[str, Any]) -> type[Settings]:
    """The settings with a file's values beneath flags and environment."""

    class Layered(Settings):
        @classmethod
        def settings_customise_sources(
            cls,
            settings_cls: type[BaseSettings],
            init_settings: PydanticBaseSettingsSource,
            env_settings: PydanticBaseSettingsSource,
            dotenv_settings: PydanticBaseSettingsSource,
            file_secret_settings: PydanticBaseSettingsSource,
        ) -> tuple[PydanticBaseSettingsSource, ...]:
            del dotenv_settings, file_secret_settings
            return init_settings, env_settings, InitSettingsSource(settings_cls, init_kwargs=file)

    return Layered
