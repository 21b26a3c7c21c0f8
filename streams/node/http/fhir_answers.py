"""What became of a resource or a Bundle, in the words of FHIR R4.

Topic: a resource keeps the name under which it came, so that `location` is what a later PUT or DELETE would name; it
can be read at nobody's address here, and nothing says so but that a GET is refused.
Source: http://hl7.org/fhir/R4/http.html#transaction-response and #create
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from streams.intake.fhir import record_name
from streams.intake.outcome import Refusal
from streams.node.http.fhir_outcome import Issue, operation_outcome
from streams.node.port import ItemOutcome, Outcome

_OK: Final = "200 OK"
_CREATED: Final = "201 Created"
_DELETED: Final = "204 No Content"
_NOT_ALLOWED: Final = "405 Method Not Allowed"
_NOT_MET: Final = "412 Precondition Failed"
_REFUSED: Final = "422 Unprocessable Entity"
_RESPONSES: Final = {"batch": "batch-response", "transaction": "transaction-response"}
_ENTRY: Final = re.compile(r"Bundle\.entry\[(\d{1,6})\]")
_CONDITION: Final = re.compile(r"request\.(if\w+|url)")
_VERSION: Final = re.compile(r"[A-Za-z0-9\-.]{1,64}")
_ADDRESS: Final = re.compile(r"[A-Za-z]{1,64}/[A-Za-z0-9\-.]{1,64}")
_NOTHING: Final = "nothing of it is new, or read here"
_NOT_READ: Final = Issue("error", "not-supported", "resources are only taken here, never read or searched")
_LONGEST_NAME: Final = 100


def issues_of(outcome: Outcome) -> list[Issue]:
    """What became of a resource, as issues."""
    refused = [_issue(each, whole=outcome.refused_whole) for each in outcome.refusals]
    if outcome.refused_whole and refused:
        return refused
    dead = [Issue("warning", "processing", i.reason or "refused") for i in outcome.items if i.outcome == "refused"]
    return [Issue("information", "informational", _said(outcome)), *refused, *dead]


def _said(outcome: Outcome) -> str:
    taken = sum(item.outcome == "accepted" for item in outcome.items)
    if outcome.duplicate:
        return "taken before; nothing changed"
    return f"{taken} events taken" if taken else _NOTHING


def _issue(refusal: Refusal, *, whole: bool = True) -> Issue:
    return Issue("error" if whole else "warning", "processing", f"{refusal.refused}: {refusal.reason}", refusal.where)


# ---- Bundles


def is_answered_by_entry(document: Mapping[str, Any]) -> bool:
    """It is a batch or transaction, with a list of entries."""
    return document.get("type") in _RESPONSES and isinstance(document.get("entry", []), list)


def refused_transaction(entries: Sequence[Any], outcome: Outcome) -> dict[str, Any]:
    """One OperationOutcome that names each entry for which nothing of the transaction was taken."""
    known = _Entries(entries)
    return operation_outcome([_named(refusal, known.place(refusal)) for refusal in outcome.refusals])


def response_bundle(kind: str, entries: Sequence[Any], outcome: Outcome) -> dict[str, Any]:
    """The answer entry by entry; what is said of no single entry is said of each."""
    known = _Entries(entries)
    refused: dict[int | None, list[Refusal]] = {}
    for refusal in outcome.refusals:
        refused.setdefault(known.place(refusal), []).append(refusal)
    taken = known.items(outcome)
    answers = [
        _answer(each, [*refused.get(i, ()), *refused.get(None, ())], taken.get(i, ()), i)
        for i, each in enumerate(entries)
    ]
    return {"resourceType": "Bundle", "type": _RESPONSES[kind], "entry": [{"response": each} for each in answers]}


class _Entries:
    """Which entry something is said of."""

    def __init__(self, entries: Sequence[Any]) -> None:
        self._by_name = dict(_names(entries))

    def place(self, refusal: Refusal) -> int | None:
        """The entry of a refusal; None where it is of none alone."""
        found = _ENTRY.search(refusal.refused) or _ENTRY.search(refusal.where)
        if found:
            return int(found[1])
        of_event = refusal.refused.removeprefix("event ")
        return self._by_name.get(refusal.refused, self._of(of_event)[0])

    def items(self, outcome: Outcome) -> dict[int, list["_Item"]]:
        """What became of the events of each entry."""
        found: dict[int, list[_Item]] = {}
        for item in outcome.items:
            i, name = self._of(item.event_id)
            if i is not None:
                found.setdefault(i, []).append(_Item(item, name))
        return found

    def _of(self, event_id: str) -> tuple[int | None, str]:
        """The entry of an event, whose name begins with that of the resource."""
        ends = [n for n, letter in enumerate(event_id) if letter == "/"]
        named = (event_id[:end] for end in reversed(ends))
        return next(((self._by_name[name], name) for name in named if name in self._by_name), (None, ""))


@dataclass(frozen=True, slots=True)
class _Item:
    """What became of an event, and the name of its resource."""

    outcome: ItemOutcome
    name: str

    @property
    def version(self) -> str:
        """The version of the resource, as the event names it; empty where it has no such name."""
        found = _VERSION.match(self.outcome.event_id, len(self.name) + 1)
        return found[0] if found else ""


def _names(entries: Sequence[Any]) -> Iterator[tuple[str, int]]:
    for i, each in enumerate(entries):
        resource = each.get("resource") if isinstance(each, dict) else None
        if isinstance(resource, dict) and (name := record_name(resource)) is not None:
            yield name, i
            yield name[:_LONGEST_NAME], i  # as refusals name it


def _named(refusal: Refusal, place: int | None) -> Issue:
    """A refusal as an issue, with the element of the Bundle that it is of."""
    words = f"{refusal.refused}: {refusal.reason}"
    code = "not-supported" if refusal.where.startswith("request.") else "processing"
    if place is None:
        return Issue("error", code, words, refusal.where)
    kind, _, rest = refusal.where.partition(".")
    path = refusal.where if kind == "request" else f"resource.{rest}" if rest else "resource"
    return Issue("error", code, words, f"Bundle.entry[{place}].{path}")


def _answer(entry: Any, refused: Sequence[Refusal], taken: Sequence[_Item], place: int) -> dict[str, Any]:
    request = entry.get("request") if isinstance(entry, dict) else None
    method = request.get("method") if isinstance(request, dict) else None
    if method in ("GET", "HEAD"):
        return {"status": _NOT_ALLOWED, "outcome": operation_outcome([_NOT_READ])}
    issues = [_named(refusal, place) for refusal in refused]
    issues += [
        Issue("error", "processing", item.outcome.reason or "refused")
        for item in taken
        if item.outcome.outcome == "refused" and not refused
    ]
    if issues:
        status = _NOT_MET if any(_CONDITION.fullmatch(each.where) for each in refused) else _REFUSED
        return {"status": status, "outcome": operation_outcome(issues)}
    if method == "DELETE":
        return {"status": _DELETED}
    if not taken:
        return {"status": _OK, "outcome": operation_outcome([Issue("information", "informational", _NOTHING)])}
    new = any(item.outcome.outcome == "accepted" for item in taken)
    return {"status": _CREATED if new and method == "POST" else _OK, **_where(taken[0])}


def _where(item: _Item) -> dict[str, str]:
    """The name and version of a resource, where either can be part of an address."""
    if not item.version or not _ADDRESS.fullmatch(item.name):
        return {}
    return {"location": f"{item.name}/_history/{item.version}", "etag": f'W/"{item.version}"'}
