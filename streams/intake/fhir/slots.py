"""The entries of a document: a resource alone, or a Bundle of any type with the Bundles inside it.

Source: http://hl7.org/fhir/R4/bundle.html
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

MOST_NESTED: Final = 4
"""Bundles within Bundles: a batch response holds searchsets, and no more is met."""
MOST_ENTRIES: Final = 100_000


class BundleError(Exception):
    """A Bundle that cannot be read, with the place in it."""

    def __init__(self, reason: str, where: str) -> None:
        super().__init__(reason)
        self.reason = reason
        self.where = where


@dataclass(frozen=True, slots=True)
class Slot:
    """One entry: its resource if there is one, and what is asked or was answered about it."""

    where: str
    full_url: str = ""
    content: Mapping[str, Any] | None = None
    method: str = ""
    url: str = ""
    last_modified: str | None = None
    conditions: tuple[str, ...] = ()
    """The names of the conditions under which it is asked."""
    if_none_exist: str = ""


_CONDITIONS: Final = ("ifMatch", "ifNoneMatch", "ifModifiedSince", "ifNoneExist")


def slots(document: Mapping[str, Any], where: str = "Bundle", depth: int = 1) -> Iterator[Slot]:
    """The entries of a Bundle; of a history the oldest first, as it lists the newest first.

    Errors: BundleError where the Bundle is nested too deeply or is no list of entries.
    """
    if depth > MOST_NESTED:
        raise BundleError(f"Bundles nested more than {MOST_NESTED} deep", where)
    entries = document.get("entry", [])
    if not isinstance(entries, list) or len(entries) > MOST_ENTRIES:
        raise BundleError(f"expected a list of at most {MOST_ENTRIES} entries", f"{where}.entry")
    numbered = list(enumerate(entries))
    for i, each in reversed(numbered) if document.get("type") == "history" else numbered:
        yield from _slot(each, f"{where}.entry[{i}]", depth)


def _slot(given: object, where: str, depth: int) -> Iterator[Slot]:
    if not isinstance(given, dict):
        yield Slot(where, content={})
        return
    content = given.get("resource")
    if isinstance(content, dict) and content.get("resourceType") == "Bundle":
        yield from slots(content, f"{where}.resource", depth + 1)
        return
    request, response = _object(given, "request"), _object(given, "response")
    yield Slot(
        where=where,
        full_url=_text(given, "fullUrl") or "",
        content=content if content is None or isinstance(content, dict) else {},
        method=_text(request, "method") or "",
        url=_text(request, "url") or "",
        last_modified=_text(response, "lastModified"),
        conditions=tuple(name for name in _CONDITIONS if name in request),
        if_none_exist=_text(request, "ifNoneExist") or "",
    )


def _object(given: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = given.get(name)
    return found if isinstance(found, dict) else {}


def _text(given: Mapping[str, Any], name: str) -> str | None:
    found = given.get(name)
    return found if isinstance(found, str) else None


_OF_THE_REPORT: Final = ("subject", "effectiveDateTime", "effectivePeriod", "issued", "performer")
_EFFECTIVE: Final = frozenset({"effectiveDateTime", "effectivePeriod", "effectiveInstant", "effectiveTiming"})


def with_reports(found: list[Slot]) -> list[Slot]:
    """A result that a DiagnosticReport of the same Bundle lists takes from it what it does not say itself."""
    lists = {name: each.content for each in found if each.content for name in _results(each.content)}
    return [_with_report(each, lists) for each in found] if lists else found


def _results(content: Mapping[str, Any]) -> Iterator[str]:
    listed = content.get("result") if content.get("resourceType") == "DiagnosticReport" else None
    for each in listed if isinstance(listed, list) else []:
        if isinstance(each, dict) and (reference := _text(each, "reference")):
            yield reference


def _with_report(slot: Slot, lists: Mapping[str, Mapping[str, Any]]) -> Slot:
    content = slot.content
    if content is None or content.get("resourceType") != "Observation":
        return slot
    report = lists.get(slot.full_url) or lists.get(f"Observation/{content.get('id')}")
    return slot if report is None else replace(slot, content=inheriting(content, report))


def inheriting(result: Mapping[str, Any], report: Mapping[str, Any]) -> Mapping[str, Any]:
    """A result with the subject, times and performer of its report, each where it has none of its own."""
    has_time = bool(_EFFECTIVE & result.keys())
    taken = {name: report[name] for name in _OF_THE_REPORT if name in report and not (has_time and name in _EFFECTIVE)}
    return {**taken, **result}
