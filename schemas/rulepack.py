"""The rule pack: for each rule its words, its severity and its limits with unit, flag and citation.

A limit never appears without its citation and flag. A site overrides limits in a file of its own and says why.
"""

import hashlib
import tomllib
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import msgspec
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from schemas.intervals import Severity
from schemas.values import number

Flag = Literal["seed", "lit", "recall", "derived", "heuristic", "lit+heuristic", "lit+recall", "seed+lit"]
Delivery = Literal["immediate", "daily_digest", "record"]
FLAGS: Final[dict[str, str]] = {
    "seed": "stated in the review that the rules grew from",
    "lit": "read in a published source",
    "recall": "medical knowledge, to be confirmed against a source",
    "derived": "arithmetic on flagged figures",
    "heuristic": "a design choice; no source states it",
}


class RulePackError(ValueError):
    """A rule pack that cannot be used; the message names the file, the rule and the field."""


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class Limit(_Model):
    """One figure that decides. `reason` says why a site changed it."""

    name: str
    value: Annotated[Decimal, BeforeValidator(number)]
    unit: str
    flag: Flag
    citation: Annotated[str, Field(min_length=4)]
    reason: str | None = None


class RuleText(_Model):
    """What a rule says and rests on; how it decides is code.

    `sentence` is filled from the finding's details; `scope`, `closes` and `suppression` are for people.
    """

    title: str
    group: str
    priority: Literal["P1", "P2", "data"]
    severity: Severity
    sentence: str
    scope: str
    closes: str
    suppression: str = "none"
    evidence: str
    strength: str
    flag: str
    delivery: Delivery = "immediate"
    mode: Literal["live", "shadow"] = "live"
    limits: Mapping[str, Limit] = {}


class RulePack(_Model):
    """A version of all rules' words and limits, with the hash of its content."""

    version: str
    sha256: str = ""
    lifecycle: Mapping[str, Limit]
    rules: Mapping[str, RuleText]

    @model_validator(mode="after")
    def _hashed(self) -> "RulePack":
        content = self.model_dump(mode="json", exclude={"sha256"})
        digest = hashlib.sha256(msgspec.json.encode(content, order="deterministic")).hexdigest()
        if self.sha256 not in ("", digest):
            raise ValueError("sha256 does not match the content")
        object.__setattr__(self, "sha256", digest)
        return self


def read_toml(path: Path) -> dict[str, Any]:
    """Read a TOML file with its decimals.

    Errors: RulePackError names the file and line.
    """
    try:
        return tomllib.loads(path.read_text("utf-8"), parse_float=Decimal)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise RulePackError(f"{path}: {error}") from None


def _merged(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in over.items():
        known = merged.get(key)
        merged[key] = _merged(known, value) if isinstance(known, Mapping) and isinstance(value, Mapping) else value
    return merged


def _overrides_say_why(path: Path, base: Mapping[str, Any], over: Mapping[str, Any]) -> None:
    for rule_id, rule in over.get("rules", {}).items():
        if rule_id not in base["rules"]:
            raise RulePackError(f"{path}: rule {rule_id} is unknown; known: {', '.join(base['rules'])}")
        for name, limit in rule.get("limits", {}).items():
            if name not in base["rules"][rule_id].get("limits", {}):
                known = ", ".join(base["rules"][rule_id].get("limits", {})) or "none"
                raise RulePackError(f"{path}: {rule_id} has no limit {name}; it has: {known}")
            if not str(limit.get("reason") or "").strip():
                raise RulePackError(f"{path}: {rule_id}.limits.{name} is changed without a `reason`")


def load_pack(packaged: Path, site: Path | None = None) -> RulePack:
    """The packaged pack (a folder of TOML files, one a group), with a site's overrides.

    Errors: RulePackError names file, rule and field, and what would be accepted.
    """
    content: dict[str, Any] = {"rules": {}, "lifecycle": {}}
    for path in sorted(packaged.glob("*.toml")):
        content = _merged(content, read_toml(path))
    if site is not None:
        over = read_toml(site)
        if "version" not in over:
            raise RulePackError(f"{site}: `version` is missing; name the site's own version of the pack")
        _overrides_say_why(site, content, over)
        content = _merged(content, over)
    try:
        return RulePack.model_validate(content)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        raise RulePackError(f"{site or packaged}: {place}: {first['msg']}") from None
