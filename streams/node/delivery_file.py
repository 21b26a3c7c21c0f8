"""The receivers of a node, from a site's TOML file."""

import tomllib
from pathlib import Path

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from alerting.delivery.settings import DeliverySettings, accepted_at
from streams.settings import SettingsError


def load_receivers(path: Path) -> DeliverySettings:
    """The receivers that a file names: one `[[receivers]]` table each.

    Errors: SettingsError names the file and the field, and what would be accepted; secrets are never quoted.
    """
    try:
        content = tomllib.loads(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise SettingsError(f"{path}: {error}") from None
    try:
        return DeliverySettings.model_validate(content)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        raise SettingsError(f"{path}: {place}: {_said(first)}") from None


def _said(error: ErrorDetails) -> str:
    if error["type"] != "extra_forbidden":
        return error["msg"]
    within = error["loc"][-2:-1]
    return f"not known; accepted: {accepted_at(str(within[0]) if within else None)}"
