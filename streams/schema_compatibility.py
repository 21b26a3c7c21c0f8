"""Whether a change of the documents breaks somebody who was written against the former ones.

Law: of what is accepted, all that was taken is still taken; of what is said, nothing comes that was not announced.
Source: JSON Schema draft 2020-12, as far as the models use it: objects, arrays, enumerations, bounds, `anyOf`, `$defs`.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from streams.schema_documents import ASYNCAPI, SAID, file_name

_Schema = Mapping[str, Any]
_Why = Literal["type", "value", "bound", "required", "form", "absent", "new"]

_LOWEST: Final = ("minimum", "exclusiveMinimum", "minLength", "minItems")
_LARGEST: Final = ("maximum", "exclusiveMaximum", "maxLength", "maxItems")
_FORMS: Final = ("pattern", "format")

_ACCEPTED: Final[Mapping[_Why, str]] = {
    "type": "no longer takes a value of type {}",
    "value": "no longer takes {}",
    "bound": "is bounded now: {}",
    "form": "is to have another form now: {}",
    "required": "is required now",
    "absent": "is removed",
}
_TOLD: Final[Mapping[_Why, str]] = {
    "type": "may be of type {} now",
    "value": "may be {} now",
    "bound": "may go beyond what was announced: {}",
    "form": "may have another form than {} now",
    "required": "may be missing now",
    "new": "is removed",
}
"""As _ACCEPTED, seen from a subscriber: the former document is the one that must not refuse."""


@dataclass(frozen=True, slots=True)
class _Place:
    """A schema at a path of a document."""

    schema: _Schema
    root: _Schema
    path: str

    def at(self, schema: _Schema, step: str) -> "_Place":
        return _Place(schema, self.root, self.path + step)

    def branches(self) -> "list[_Place]":
        """The alternatives, references followed."""
        schema = self.schema
        while "$ref" in schema:
            schema = self.root["$defs"][schema["$ref"].rpartition("/")[2]]
        if "anyOf" in schema:
            return [b for branch in schema["anyOf"] for b in _Place(branch, self.root, self.path).branches()]
        return [_Place(schema, self.root, self.path)]


_Found = tuple[str, _Why, str]


def _refused(wide: _Place, narrow: _Place) -> Iterator[_Found]:
    """What `wide` takes and `narrow` does not: the path, why, and what."""
    for branch in wide.branches():
        kind = branch.schema.get("type")
        fitting = [n for n in narrow.branches() if n.schema.get("type") in (kind, None)]
        if kind == "integer":
            fitting += [n for n in narrow.branches() if n.schema.get("type") == "number"]
        if not fitting:
            yield branch.path, "type", str(kind)
            continue
        yield from min((list(_differences(branch, n)) for n in fitting), key=len)


def _differences(wide: _Place, narrow: _Place) -> Iterator[_Found]:
    yield from _values(wide, narrow)
    yield from _bounds(wide, narrow)
    if "items" in wide.schema and "items" in narrow.schema:
        yield from _refused(wide.at(wide.schema["items"], "[]"), narrow.at(narrow.schema["items"], "[]"))
    yield from _properties(wide, narrow)


def _listed(schema: _Schema) -> list[Any] | None:
    return [schema["const"]] if "const" in schema else schema.get("enum")


def _values(wide: _Place, narrow: _Place) -> Iterator[_Found]:
    allowed = _listed(narrow.schema)
    if allowed is None:
        return
    given = _listed(wide.schema)
    if given is None:
        yield wide.path, "value", f"anything but {', '.join(map(str, allowed))}"
    for value in given or ():
        if value not in allowed:
            yield wide.path, "value", str(value)


def _bounds(wide: _Place, narrow: _Place) -> Iterator[_Found]:
    for name in (*_LOWEST, *_LARGEST):
        bound, former = narrow.schema.get(name), wide.schema.get(name)
        if bound is None:
            continue
        if former is None or (former < bound if name in _LOWEST else former > bound):
            yield wide.path, "bound", f"{name} {bound}"
    for name in _FORMS:
        form = narrow.schema.get(name)
        if form is not None and form != wide.schema.get(name):
            yield wide.path, "form", f"{name} {form}"


def _properties(wide: _Place, narrow: _Place) -> Iterator[_Found]:
    known, asked = wide.schema.get("properties", {}), narrow.schema.get("properties", {})
    for name in narrow.schema.get("required", ()):
        if name not in wide.schema.get("required", ()):
            yield f"{wide.path}.{name}", "required", ""
    for name, schema in known.items():
        if name in asked:
            yield from _refused(wide.at(schema, f".{name}"), narrow.at(asked[name], f".{name}"))
        else:
            yield f"{wide.path}.{name}", "absent", ""
    for name in asked:
        if name not in known:
            yield f"{wide.path}.{name}", "new", ""


def _of_schema(name: str, old: _Schema, new: _Schema) -> Iterator[str]:
    title = name.partition(".")[0]
    before, after = _Place(old, old, title), _Place(new, new, title)
    is_said = name in {file_name(said) for said in SAID}
    found = list(_refused(after, before) if is_said else _refused(before, after))
    words = _TOLD if is_said else _ACCEPTED
    removed = {path for path, why, _ in found if why == "new"} if is_said else set()
    for path, why, what in found:
        if why in words and not (why == "required" and path in removed):
            yield f"{path} {words[why].format(what)}"


def _of_topics(old: _Schema, new: _Schema) -> Iterator[str]:
    for name, channel in old["channels"].items():
        if name not in new["channels"]:
            yield f"channel {name} is removed"
            continue
        if channel["address"] != new["channels"][name]["address"]:
            yield f"channel {name} has another address now"
        for message in channel["messages"]:
            if message not in new["channels"][name]["messages"]:
                yield f"channel {name} no longer carries {message}"


def incompatibilities(old: Mapping[str, _Schema], new: Mapping[str, _Schema]) -> list[str]:
    """What breaks a feed or a subscriber written against the former documents (by file name); empty if nothing does.

    Topic: a new kind, a new optional field or a wider limit of what is accepted breaks nobody; nor does a field more
    in what is said. A value more in what is said does: a subscriber may know what to do with each.
    """
    found: list[str] = []
    for name, document in old.items():
        if name not in new:
            found.append(f"{name.partition('.')[0]} is removed")
        elif name == ASYNCAPI:
            found += _of_topics(document, new[name])
        else:
            found += _of_schema(name, document, new[name])
    return found
