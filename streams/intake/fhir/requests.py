"""What the entries of a batch or transaction ask for beyond taking a resource, and in which order.

Topic: nothing can be searched or read here. A condition is kept to where the name of a record answers it, which is its
first identifier if it has no id; any other is refused by name, for to pass over it would do what was not asked for.
Source: http://hl7.org/fhir/R4/http.html#trules and #ccreate, #cond-update
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any, Final
from urllib.parse import unquote

from streams.intake.fhir.naming import record_name
from streams.intake.fhir.reading import WITHDRAWN, Document
from streams.intake.fhir.references import address
from streams.intake.fhir.slots import Slot
from streams.intake.outcome import Refusal

ASKING: Final = frozenset({"batch", "transaction"})
_READING: Final = frozenset({"GET", "HEAD"})
_ORDER: Final = {"DELETE": 0, "POST": 1, "PUT": 2, "PATCH": 2, "GET": 3, "HEAD": 3}
_AS_IDENTIFIED: Final = (
    "expected identifier=SYSTEM|VALUE, which the resource has as its first identifier, and no id in it"
)

_TWICE: Final = "another entry changes the same resource; expected one entry a resource"


def as_asked(whole: Document, found: Iterable[Slot], read: Collection[str], *, is_transaction: bool) -> list[Slot]:
    """The entries that can be taken as they are asked for, in their order; the others are refused.

    `read`: the types of which something is read here; what is asked of others matters to nobody.
    """
    kept = []
    for slot in _in_order(found) if is_transaction else found:
        if is_transaction and slot.method in _READING:
            _refuse(whole, slot, f"{slot.method} reads, and resources are only taken here", "request.method")
        elif _kind(slot) in read and (unmet := _unmet(slot)) is not None:
            _refuse(whole, slot, *unmet)
        elif not _is_there(whole, slot):
            kept.append(slot)
    if is_transaction:
        for slot in _twice(kept, read):
            _refuse(whole, slot, _TWICE, "request.url")
    return kept


def _refuse(whole: Document, slot: Slot, reason: str, where: str) -> None:
    whole.refusals.append(Refusal(slot.where, reason, where))


def _in_order(found: Iterable[Slot]) -> list[Slot]:
    return sorted(found, key=lambda each: _ORDER.get(each.method, 1))


def _kind(slot: Slot) -> str:
    kind = (slot.content or {}).get("resourceType")
    where = address(slot.url)
    return kind if isinstance(kind, str) else where.type if where else slot.url.partition("?")[0]


def _twice(found: Iterable[Slot], read: Collection[str]) -> Iterator[Slot]:
    """The entries that change what an earlier one changes: a transaction says one thing of each resource."""
    seen: set[str] = set()
    for each in found:
        name = _identity(each)
        if name is not None and _kind(each) in read:
            if name in seen:
                yield each
            seen.add(name)


def _identity(slot: Slot) -> str | None:
    where = address(slot.url) if slot.method in {"DELETE", "PUT", "PATCH"} else None
    if where is not None:
        return f"{where.type}/{where.id}"
    content = slot.content or {}
    own = content.get("id")
    return f"{content.get('resourceType')}/{own}" if isinstance(own, str) and own else None


def _unmet(slot: Slot) -> tuple[str, str] | None:
    """(reason, place) of a request that cannot be kept to; None where it can."""
    if slot.method and slot.method not in _ORDER:
        return "no method of FHIR R4; expected POST, PUT or DELETE", "request.method"
    for name in slot.conditions:
        if name != "ifNoneExist":
            return "versions are not compared here; send the entry without it", f"request.{name}"
    if slot.method == "DELETE" and "?" in slot.url:
        return "nothing is searched here; expected TYPE/ID", "request.url"
    if slot.if_none_exist and not _is_of(slot.if_none_exist, slot.content or {}):
        return _AS_IDENTIFIED, "request.ifNoneExist"
    if slot.method == "PUT" and "?" in slot.url and not _is_of(slot.url.partition("?")[2], slot.content or {}):
        return _AS_IDENTIFIED, "request.url"
    return None


def _is_there(whole: Document, slot: Slot) -> bool:
    """A conditional create of what was told before, and has not been taken back, changes nothing."""
    name = record_name(slot.content) if slot.if_none_exist and slot.content else None
    told = whole.directory.last_version(whole.source, name) if name else None
    if told is None or {getattr(told, "status", ""), getattr(told, "record_status", "")} & WITHDRAWN:
        return False
    whole.count("exists")
    return True


def _is_of(query: str, content: Mapping[str, Any]) -> bool:
    """A search finds what the record of a resource is named by."""
    name, _, sought = query.rpartition("?")[2].partition("=")
    return name == "identifier" and not content.get("id") and unquote(sought) == _first_identifier(content)


def _first_identifier(content: Mapping[str, Any]) -> str | None:
    given = content.get("identifier")
    first = given[0] if isinstance(given, list) and given and isinstance(given[0], dict) else {}
    system, value = first.get("system"), first.get("value")
    return f"{system}|{value}" if isinstance(system, str) and isinstance(value, str) and value else None
