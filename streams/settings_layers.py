"""Settings in layers: a flag beats the environment (TRABECULA_...), which beats the TOML file of `--config`."""

import tomllib
from collections.abc import Collection, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final, TypeVar

import pydantic_settings
from pydantic import ValidationError
from pydantic_settings import BaseSettings, InitSettingsSource, PydanticBaseSettingsSource, SettingsConfigDict

PREFIX: Final = "TRABECULA_"

Kind = TypeVar("Kind", bound=BaseSettings)


class SettingsError(ValueError):
    """A setting that cannot be used; the message names it and what would be accepted."""


class LayeredSettings(BaseSettings):
    """A group of settings. Each field is also TRABECULA_<NAME> in the environment, and `<name>` in the file."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="forbid", hide_input_in_errors=True)


def read_file(config: Path | None, known: Collection[str]) -> dict[str, Any]:
    """What a site's file sets; nothing without a file.

    Errors: SettingsError names the file, and a setting that there is not.
    """
    if config is None:
        return {}
    try:
        given = tomllib.loads(config.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise SettingsError(f"{config}: {error}") from None
    for name in given:
        if name not in known:
            raise SettingsError(f"{config}: {unknown(name, known)}")
    return given


def unknown(name: str, known: Collection[str]) -> str:
    """That there is no such setting, and which may be meant."""
    near = get_close_matches(name, known, cutoff=0.5)
    return f"unknown setting {name}; known: {', '.join(near or sorted(known))}"


def layered(kind: type[Kind], file: Mapping[str, Any], flags: Mapping[str, Any]) -> Kind:
    """A group of settings: of the file and the flags what belongs to it. A flag of None was not given.

    Errors: SettingsError names the setting, and what would be accepted.
    """
    fields = kind.model_fields
    given = {name: value for name, value in file.items() if name in fields}
    said = {name: value for name, value in flags.items() if name in fields and value is not None}
    try:
        return _over(kind, given)(**said)
    except pydantic_settings.SettingsError as error:  # a value that is no JSON where JSON is expected
        raise SettingsError(f'{error}; expected JSON, e.g. {{"urn:oid:1.2.3": "HOSP"}}') from None
    except ValidationError as error:
        raise SettingsError(_first(error)) from None


def _first(error: ValidationError) -> str:
    first = error.errors(include_input=False, include_url=False)[0]
    name, words = ".".join(str(part) for part in first["loc"]), first["msg"].removeprefix("Value error, ")
    return f"setting {name}: {words}" if name else words


def _over(kind: type[Kind], file: dict[str, Any]) -> type[Kind]:
    """A group with a file's values beneath flags and environment."""

    class Layered(kind):  # type: ignore[valid-type, misc]
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
