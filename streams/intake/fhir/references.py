"""What a reference points at: contained, in the same Bundle by fullUrl, or by type and id.

Source: http://hl7.org/fhir/R4/references.html and http://hl7.org/fhir/R4/bundle.html#references
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

Content = Mapping[str, Any]

_ADDRESS: Final = re.compile(
    r"(?:(?P<base>.*)/)?(?P<type>[A-Z][A-Za-z]{1,60})/(?P<id>[A-Za-z0-9\-.]{1,128})(?:/_history/[^/?#]+)?/?\Z"
)
_SEARCH: Final = re.compile(r"(?:.*/)?(?P<type>[A-Z][A-Za-z]{1,60})\?identifier=(?P<system>[^|&]*)\|(?P<value>[^&]+)\Z")
_LONGEST: Final = 2_048  # longer is no address, and the patterns above are not asked


@dataclass(frozen=True, slots=True)
class Address:
    """Where a resource lives: BASE/Type/ID."""

    base: str
    type: str
    id: str

    def __str__(self) -> str:
        return f"{self.base}/{self.type}/{self.id}" if self.base else f"{self.type}/{self.id}"


def address(reference: str, base: str = "") -> Address | None:
    """The address that a literal reference names, without its version; relative ones against `base`."""
    found = _ADDRESS.match(reference) if len(reference) <= _LONGEST else None
    if found is None or reference.startswith(("urn:", "#")):
        return None
    return Address((found["base"] or base).rstrip("/"), found["type"], found["id"])


def searched_identifier(reference: str) -> tuple[str, str, str] | None:
    """(type, system, value) of a conditional reference `Patient?identifier=system|value`."""
    found = _SEARCH.match(reference) if len(reference) <= _LONGEST else None
    return (found["type"], found["system"], found["value"]) if found else None


class Shelf:
    """The resources of one document, found by address; of several versions the one last updated."""

    def __init__(self, shelved: Iterable[tuple[str, Content]] = ()) -> None:
        self._by_url: dict[str, Content] = {}
        self._by_name: dict[str, Content] = {}
        self._by_identifier: dict[tuple[str, str, str], Content] = {}
        for full_url, content in shelved:
            self._put(full_url, content)

    def _put(self, full_url: str, content: Content) -> None:
        found = address(full_url)
        if full_url:
            _keep_latest(self._by_url, str(found) if found else full_url, content)
        # A resource that says where it lives is not the one of the same id elsewhere.
        if isinstance(content.get("id"), str) and (found is None or not found.base):
            _keep_latest(self._by_name, f"{content.get('resourceType')}/{content['id']}", content)
        for system, value in _identifiers(content):
            self._by_identifier.setdefault((str(content.get("resourceType")), system, value), content)

    def find(self, reference: str, base: str) -> Content | None:
        """The resource that a reference names: by its whole address, else by type and id alone."""
        searched = searched_identifier(reference)
        if searched is not None:
            return self._by_identifier.get(searched)
        where = address(reference, base)
        if where is None:
            return self._by_url.get(reference)
        there = self._by_url.get(str(where))
        return there if there is not None or where.base != base else self._by_name.get(f"{where.type}/{where.id}")


def _keep_latest(held: dict[str, Content], key: str, content: Content) -> None:
    before = held.get(key)
    if before is None or _updated(content) > _updated(before):
        held[key] = content


def _updated(content: Content) -> str:
    meta = content.get("meta")
    updated = meta.get("lastUpdated") if isinstance(meta, dict) else None
    return updated if isinstance(updated, str) else ""


def _identifiers(content: Content) -> Iterable[tuple[str, str]]:
    given = content.get("identifier")
    for each in given if isinstance(given, list) else []:
        if isinstance(each, dict) and isinstance(each.get("system"), str) and isinstance(each.get("value"), str):
            yield each["system"], each["value"]


def contained(content: Content, reference: str) -> Content | None:
    """The contained resource that a fragment `#id` names."""
    within = content.get("contained")
    listed = within if isinstance(within, list) else []
    return next((each for each in listed if isinstance(each, dict) and each.get("id") == reference[1:]), None)
