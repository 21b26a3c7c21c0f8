"""The rule pack: for each rule its words, its severity and its limits with unit, flag and citation.

A limit never appears without its citation and flag. A site overrides limits in a file of its own and says why.
"""

import hashlib
import tomllib
from collections.abc import Iterable, Mapping
from decimal import Decimal
from pathlib import Path
from string import Formatter
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
    `reason` says why a site changed what the rule says.
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
    reason: str | None = None


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


_LIMIT: Final = frozenset(name for name, field in Limit.model_fields.items() if field.is_required())
_RULE: Final = frozenset(name for name, field in RuleText.model_fields.items() if field.is_required())


def _table(path: Path, where: str, given: Any) -> Mapping[str, Any]:
    if not isinstance(given, Mapping):
        raise RulePackError(f"{path}: {where}: expected a table")
    return given


def _tables(path: Path, over: Mapping[str, Any], *where: str) -> dict[str, Mapping[str, Any]]:
    """The tables in a table, by name."""
    inner: Mapping[str, Any] = over
    for name in where:
        inner = _table(path, ".".join(where), inner.get(name, {}))
    return {name: _table(path, ".".join((*where, name)), given) for name, given in inner.items()}


def _is_whole(path: Path, base: Mapping[str, Any], given: Mapping[str, Any]) -> bool:
    """It is a pack of its own: its lifecycle and each of its rules carry all their fields."""
    lifecycle, rules = _tables(path, given, "lifecycle"), _tables(path, given, "rules")
    figures = all(name in lifecycle and lifecycle[name].keys() >= _LIMIT for name in base["lifecycle"])
    return figures and bool(rules) and all(rule.keys() >= _RULE for rule in rules.values())


def _whole_has_all(path: Path, base: Mapping[str, Any], given: Mapping[str, Any]) -> None:
    rules = _tables(path, given, "rules")
    _known(path, base, rules)
    for rule_id, rule in base["rules"].items():
        if rule_id not in rules:
            raise RulePackError(f"{path}: a pack of its own has every rule; {rule_id} is missing")
        limits = _tables(path, given, "rules", rule_id, "limits")
        for name in rule.get("limits", {}):
            if name not in limits:
                raise RulePackError(f"{path}: {rule_id} lacks the limit {name}")
        _fills_what_is_known(path, rule_id, rule, rules[rule_id])


def _known(path: Path, base: Mapping[str, Any], rules: Iterable[str]) -> None:
    for rule_id in rules:
        if rule_id not in base["rules"]:
            known = ", ".join(base["rules"])
            raise RulePackError(f"{path}: rule {rule_id} is unknown: there is no code for it; known: {known}")


def _overrides_say_why(path: Path, base: Mapping[str, Any], over: Mapping[str, Any]) -> None:
    _limits_say_why(path, "lifecycle", base["lifecycle"], _tables(path, over, "lifecycle"))
    rules = _tables(path, over, "rules")
    _known(path, base, rules)
    for rule_id, rule in rules.items():
        packaged = base["rules"][rule_id]
        _limits_say_why(path, rule_id, packaged.get("limits", {}), _tables(path, over, "rules", rule_id, "limits"))
        changed = sorted(rule.keys() - {"limits", "reason"})
        if changed and not _reason(rule):
            raise RulePackError(f"{path}: {rule_id}.{changed[0]} is changed without a `reason` in [rules.{rule_id}]")
        _fills_what_is_known(path, rule_id, packaged, rule)


def _limits_say_why(path: Path, of: str, packaged: Mapping[str, Any], limits: Mapping[str, Mapping[str, Any]]) -> None:
    for name, limit in limits.items():
        if name not in packaged:
            raise RulePackError(f"{path}: {of} has no limit {name}; it has: {', '.join(packaged) or 'none'}")
        if not _reason(limit):
            place = name if of == "lifecycle" else f"limits.{name}"
            raise RulePackError(f"{path}: {of}.{place} is changed without a `reason`")


def _reason(given: Mapping[str, Any]) -> str:
    return str(given.get("reason") or "").strip()


def _fills_what_is_known(path: Path, rule_id: str, packaged: Mapping[str, Any], rule: Mapping[str, Any]) -> None:
    """A finding has details of the names that the packaged sentence uses; no others can be filled in."""
    known = _placeholders(packaged["sentence"])
    try:
        unknown = _placeholders(str(rule.get("sentence", ""))) - known
    except ValueError as error:
        raise RulePackError(f"{path}: {rule_id}.sentence: {error}") from None
    if unknown:
        named = ", ".join(f"{{{name}}}" for name in sorted(unknown))
        accepted = ", ".join(f"{{{name}}}" for name in sorted(known)) or "none"
        raise RulePackError(f"{path}: {rule_id}.sentence: {named} cannot be filled in; accepted: {accepted}")


def _placeholders(sentence: str) -> set[str]:
    """The names in braces.

    Errors: ValueError for braces that do not match.
    """
    return {name for _, name, _, _ in Formatter().parse(sentence) if name is not None}


def load_pack(packaged: Path, site: Path | None = None) -> RulePack:
    """The packaged pack (a folder of TOML files, one a group), with a site's overrides; or the site's own pack.

    Errors: RulePackError names file, rule and field, and what would be accepted.
    """
    content: dict[str, Any] = {"rules": {}, "lifecycle": {}}
    for path in sorted(packaged.glob("*.toml")):
        content = _merged(content, read_toml(path))
    if site is not None:
        content = _with_site(content, site)
    try:
        return RulePack.model_validate(content)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        raise RulePackError(f"{site or packaged}: {place}: {first['msg']}") from None


def _with_site(packaged: dict[str, Any], site: Path) -> dict[str, Any]:
    given = read_toml(site)
    if "version" not in given:
        raise RulePackError(f"{site}: `version` is missing; name the site's own version of the pack")
    if _is_whole(site, packaged, given):
        _whole_has_all(site, packaged, given)
        return given
    _overrides_say_why(site, packaged, given)
    return _merged(packaged, given)
